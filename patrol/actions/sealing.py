"""Keys, shares and openings: who can open what an informant sealed, and the trail line each opening leaves.

An identity has two locks, `a` and `b`: the server wraps half of its key to every officer of each side, so that it
takes one of each to open it. Whoever lets a newcomer in gives their own half on and nothing more, so that nobody can
add a second key for themselves and open alone. Nothing here ever holds a private key or an opened word.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select

from patrol import models as m
from patrol.errors import BadInput, Fault, Missing, Refused, WrongStep
from patrol.gateways import envelopes
from patrol.gateways.envelopes import WRAPPED_BYTES, Sealed
from patrol.rules.secrecy import DUTIES, OPENED_LASTS, OPENING_LASTS, SIDES
from patrol.station import Work

MOST_SHARES = 500  # of one answer or one request


# --- sealing ---------------------------------------------------------------------------------------------


def sides(work: Work) -> dict[str, list[bytes]]:
    """The officers' public keys in force, by side."""
    rows = _active(work, "officer")
    return {side: [row.public for row in rows if row.side == side] for side in SIDES}


def takes_identities(work: Work) -> bool:
    """Whether an identity can be sealed: both locks have a key."""
    return all(sides(work).values())


def takes_callbacks(work: Work) -> bool:
    """Whether a telephone number can be sealed for the operator."""
    return bool(_active(work, "operator"))


def seal_identity(work: Work, plaintext: bytes) -> Sealed:
    """Seal to both sides and keep the shares; the caller keeps the body."""
    work.only_one("seal")  # a newcomer let in meanwhile is sealed to, or is not yet
    both = sides(work)
    return _kept(work, envelopes.seal_for_two(both["a"], both["b"], plaintext))


def seal_callback(work: Work, plaintext: bytes) -> Sealed:
    """Seal to the operators and keep the shares; the caller keeps the body."""
    work.only_one("seal")
    return _kept(work, envelopes.seal([row.public for row in _active(work, "operator")], plaintext))


def _kept(work: Work, sealed: Sealed) -> Sealed:
    for share in sealed.shares:
        work.session.add(m.SealShare(envelope=sealed.digest, key_id=share.key_id, wrapped=share.wrapped))
    return sealed


def _active(work: Work, duty: str) -> list[m.SealKey]:
    query = select(m.SealKey).where(m.SealKey.duty == duty, m.SealKey.state == "active").order_by(m.SealKey.id)
    return list(work.session.scalars(query))


# --- keys ------------------------------------------------------------------------------------------------


def add_key(work: Work, person_id: int, duty: str, public: bytes) -> m.SealKey:
    """A new public key of a person. The first of a side is in force at once; later ones wait for one who can open."""
    if duty not in DUTIES:
        raise BadInput(Fault("/duty", "duty", "钥匙是谁用的：officer（奖励专员）或 operator（话务员）。"))
    if len(public) != envelopes.KEY_BYTES or not any(public):
        raise BadInput(Fault("/public", "bad_key", "公钥应是 32 字节。"))
    work.only_one("seal")
    key_id = envelopes.key_id(public)
    if work.session.scalar(select(m.SealKey.id).where(m.SealKey.key_id == key_id)):
        raise BadInput(Fault("/public", "taken", "这把钥匙已经登记过。"))
    row = m.SealKey(key_id=key_id, public=public, person_id=person_id, duty=duty, side="", state="waiting",
                    made_at=work.now)  # fmt: skip
    side = _unheld_side(work, person_id) if duty == "officer" else ""
    if side or (duty == "operator" and not _active(work, duty)):
        row.side, row.state = side or "", "active"
    work.session.add(row)
    work.session.flush()
    work.tell("key_added", key=key_id, holder=person_id, duty=duty, side=row.side, state=row.state)
    return row


def _unheld_side(work: Work, person_id: int) -> str | None:
    """The side that has no key in force, for a person who holds none of the other."""
    rows = _active(work, "officer")
    free = next((side for side in SIDES if not any(row.side == side for row in rows)), None)
    return None if any(row.person_id == person_id for row in rows) else free


def vouch(work: Work, key_id: str, own_id: str, shares: Sequence[tuple[str, bytes]]) -> list[m.SealShare]:
    """Let a waiting key in: the voucher's shares, wrapped anew to it. What is still lacking comes back; with nothing
    lacking the key is in force. The newcomer gets the voucher's side."""
    work.only_one("seal")
    own, new = _own(work, own_id), find_key(work, key_id)
    if new.state != "waiting":
        raise WrongStep("这把钥匙不在等人放行。", "not_waiting")
    if new.duty != own.duty:
        raise Refused("奖励专员的钥匙只能由奖励专员放行，话务员的由话务员放行。", "other_duty")
    if new.person_id == own.person_id and own.duty == "officer":
        raise Refused("自己的新钥匙要由另一个人放行。", "own_key")
    other = [row for row in _of(work, new.person_id) if row.duty == "officer" and row.side not in ("", own.side)]
    if own.duty == "officer" and other:
        raise Refused("这个人有过另一组的钥匙：一个人不能两组都有。", "both_sides")
    if len(shares) > MOST_SHARES or any(len(wrapped) != WRAPPED_BYTES for _, wrapped in shares):
        raise BadInput(Fault("/shares", "bad_share", f"份额每份 {WRAPPED_BYTES} 字节，一次最多 {MOST_SHARES} 份。"))
    mine = {row.envelope: row for row in _shares_of(work, own.key_id)}
    have = {row.envelope for row in _shares_of(work, new.key_id)}
    for envelope, wrapped in shares:
        if envelope in mine and envelope not in have:
            work.session.add(m.SealShare(envelope=envelope, key_id=new.key_id, wrapped=wrapped))
            have.add(envelope)
    lacking = [row for envelope, row in mine.items() if envelope not in have]
    if not lacking:
        new.state, new.side, new.vouched_by = "active", own.side, own.person_id
        work.tell("key_vouched", key=new.key_id, holder=new.person_id, by_key=own.key_id, side=own.side)
    return lacking[:MOST_SHARES]


def lose(work: Work, key_id: str) -> m.SealKey:
    """A key is lost or its holder has left: nothing more is sealed to it, and its shares are destroyed."""
    work.only_one("seal")
    row = find_key(work, key_id)
    if row.person_id != work.actor.person_id and not work.actor.has("office_head"):
        raise Refused("只能由本人或环保办负责人登记丢失。", "not_yours")
    if row.state != "lost":
        row.state, row.lost_at = "lost", work.now
        work.session.execute(delete(m.SealShare).where(m.SealShare.key_id == row.key_id))
        work.session.execute(delete(m.OpeningShare).where(m.OpeningShare.key_id == row.key_id))
        work.tell("key_lost", key=row.key_id, holder=row.person_id, side=row.side)
    return row


def find_key(work: Work, key_id: str) -> m.SealKey:
    row = work.session.scalar(select(m.SealKey).where(m.SealKey.key_id == key_id[:16]))
    if row is None:
        raise Missing("没有这把钥匙。")
    return row


def _own(work: Work, key_id: str, duty: str | None = None) -> m.SealKey:
    row = work.session.scalar(
        select(m.SealKey).where(m.SealKey.key_id == key_id[:16], m.SealKey.person_id == work.actor.person_id)
    )
    if row is None or row.state != "active" or (duty and row.duty != duty):
        raise Refused("这不是您在用的钥匙。", "not_your_key")
    return row


def _of(work: Work, person_id: int | None) -> list[m.SealKey]:
    return list(work.session.scalars(select(m.SealKey).where(m.SealKey.person_id == person_id)))


def _shares_of(work: Work, key_id: str) -> list[m.SealShare]:
    query = select(m.SealShare).where(m.SealShare.key_id == key_id).order_by(m.SealShare.id)
    return list(work.session.scalars(query))


# --- openings --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """One envelope of a tip: its name, and whether it holds the identity, an original photo or who is to be paid."""

    envelope: str
    what: str  # identity, payee, photo


def parts(work: Work, sighting: m.Sighting) -> list[Part]:
    """The envelopes of a tip that take two to open."""
    found = []
    if sighting.identity_sealed is not None:
        found.append(Part(Sealed(sighting.identity_sealed, ()).digest, "identity"))
    if (payee := _payee(work, sighting)) is not None:
        found.append(Part(Sealed(payee, ()).digest, "payee"))
    query = select(m.Photo.sealed_sha256).where(m.Photo.sighting_id == sighting.id, m.Photo.sealed_sha256.is_not(None))
    return found + [Part(str(sha256), "photo") for sha256 in work.session.scalars(query.order_by(m.Photo.id))]


def _payee(work: Work, sighting: m.Sighting) -> bytes | None:
    return work.session.scalar(select(m.Reward.payee_sealed).where(m.Reward.sighting_id == sighting.id))


def shred(work: Work, envelopes: Sequence[str]) -> None:
    """Let nobody open these envelopes again: the shares of their keys go."""
    for table in (m.SealShare, m.OpeningShare):
        work.session.execute(delete(table).where(table.envelope.in_(envelopes)))


def find_tip(work: Work, ref: str) -> m.Sighting:
    """The report of that address, where something of it is sealed."""
    sighting = work.session.scalar(select(m.Sighting).where(m.Sighting.ref == ref[:36]))
    if sighting is None or (sighting.callback_sealed is None and not parts(work, sighting)):
        raise Missing("没有这件，或它没有密封的信息（可能已按期抹掉）。")
    return sighting


def ask(work: Work, ref: str, own_id: str, reason: str, shares: Mapping[tuple[str, str], bytes]) -> m.Opening:
    """One officer's half: their share of every envelope, wrapped to keys of the other side. (envelope, key) -> share."""
    own = _own(work, own_id, "officer")
    sighting = find_tip(work, ref)
    others = {row.key_id for row in _active(work, "officer") if row.side != own.side}
    wanted = {part.envelope for part in parts(work, sighting)}
    good = {at: wrapped for at, wrapped in shares.items() if at[0] in wanted and at[1] in others}
    if (
        not wanted
        or {envelope for envelope, _ in good} != wanted
        or any(len(w) != WRAPPED_BYTES for w in good.values())
    ):
        raise BadInput(Fault("/shares", "bad_share", "每个密封件都要给另一组的钥匙留一份，请刷新后再试。"))
    row = m.Opening(ref=str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)), sighting_id=sighting.id, reason=reason,
                    side=own.side, asked_by=own.person_id, asked_at=work.now, ends_at=work.now + OPENING_LASTS)  # fmt: skip
    work.session.add(row)
    work.session.flush()
    for (envelope, key_id), wrapped in good.items():
        work.session.add(m.OpeningShare(opening_id=row.id, envelope=envelope, key_id=key_id, wrapped=wrapped))
    work.tell("identity_asked", subject=f"clue:{sighting.id}", opening=row.ref, key=own.key_id, reason=reason)
    return row


def open_identity(work: Work, ref: str, own_id: str) -> tuple[m.Opening, list[dict[str, Any]]]:
    """The second officer's turn: both halves of every envelope, for a key of the other side. Leaves a trail line."""
    own = _own(work, own_id, "officer")
    row = find_opening(work, ref)
    sighting = work.session.get_one(m.Sighting, row.sighting_id)
    if row.side == own.side or row.asked_by == own.person_id:
        raise Refused("要由另一个人、用另一组的钥匙来打开。", "same_side")
    if row.ends_at <= work.now or (row.opened_by is not None and row.opened_by != own.person_id):
        raise WrongStep("这次申请已用过或过了 24 小时，请重新申请。", "opening_over")
    found = [_halves(work, row, part, own) for part in parts(work, sighting)]
    if not found:
        raise Missing("没有这件，或它没有密封的信息（可能已按期抹掉）。")
    row.opened_by, row.opened_at = own.person_id, work.now
    row.ends_at = min(row.ends_at, work.now + OPENED_LASTS)
    work.tell("identity_opened", subject=f"clue:{sighting.id}", opening=row.ref, key=own.key_id, asked_by=row.asked_by)
    return row, found


def _halves(work: Work, row: m.Opening, part: Part, own: m.SealKey) -> dict[str, Any]:
    given = work.session.scalar(
        select(m.OpeningShare.wrapped).where(
            m.OpeningShare.opening_id == row.id, m.OpeningShare.envelope == part.envelope,
            m.OpeningShare.key_id == own.key_id,
        )
    )  # fmt: skip
    return {"envelope": part.envelope, "what": part.what, "mine": share_of(work, part.envelope, own.key_id),
            "given": given}  # fmt: skip


def find_opening(work: Work, ref: str) -> m.Opening:
    row = work.session.scalar(select(m.Opening).where(m.Opening.ref == ref[:36]))
    if row is None:
        raise Missing("没有这次申请。")
    return row


def share_of(work: Work, envelope: str, key_id: str) -> bytes | None:
    return work.session.scalar(
        select(m.SealShare.wrapped).where(m.SealShare.envelope == envelope, m.SealShare.key_id == key_id)
    )


def body_of(work: Work, ref: str, envelope: str) -> bytes:
    """A locked body, for the one who has opened, while the opening lasts."""
    row = find_opening(work, ref)
    if row.opened_by != work.actor.person_id or row.ends_at <= work.now:
        raise Missing("没有这次申请。")
    sighting = work.session.get_one(m.Sighting, row.sighting_id)
    part = next((part for part in parts(work, sighting) if part.envelope == envelope), None)
    if part is None:
        raise Missing("没有这份密封件。")
    if part.what == "photo":
        return work.photos.get(envelope)
    return (sighting.identity_sealed if part.what == "identity" else _payee(work, sighting)) or b""


def open_callback(work: Work, ref: str, own_id: str, reason: str) -> tuple[bytes, bytes]:
    """One telephone number, for one reason: the locked body and the operator's share. Leaves a trail line."""
    own = _own(work, own_id, "operator")
    sighting = find_tip(work, ref)
    if sighting.callback_sealed is None:
        raise Missing("没有留回访电话，或已按期抹掉。")
    wrapped = share_of(work, Sealed(sighting.callback_sealed, ()).digest, own.key_id)
    if wrapped is None:
        raise Refused("这把钥匙打不开这份密封信息。", "not_a_recipient")
    work.tell("callback_opened", subject=f"clue:{sighting.id}", key=own.key_id, reason=reason)
    return sighting.callback_sealed, wrapped
