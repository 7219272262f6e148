"""Phones bound to an account: a key the phone cannot give away and a short PIN sign in together; the office takes a
phone's way in away at once. Neither the key nor the PIN alone opens anything.
"""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import delete, select

from patrol import models as m
from patrol.actions.people import HASHER, digest
from patrol.errors import BadInput, Fault, Missing, NotSignedIn, Refused, TooMuch
from patrol.gateways import devicekeys
from patrol.station import Work

CHALLENGE_FOR = timedelta(minutes=2)
TRIES_BEFORE_WAIT = 5
TRIES_AT_MOST = 10
MOST_DEVICES = 5
_PIN = re.compile(r"[0-9]{4,8}", re.ASCII)
_PLAIN = "01234567890 98765432109"


def _check_pin(pin: str) -> None:
    if not _PIN.fullmatch(pin):
        raise BadInput(Fault("pin", "pin", "PIN 要 4 到 8 位数字。"))
    if len(set(pin)) == 1 or pin in _PLAIN:
        raise BadInput(Fault("pin", "plain_pin", "这个 PIN 太好猜，换一个。"))


def bind(work: Work, session: str, name: str, key: Mapping[str, Any], pin: str) -> m.Device:
    """Bind the phone of this session to its account."""
    sign_in = work.session.get(m.SignIn, digest(session))
    if sign_in is None:
        raise NotSignedIn()
    _check_pin(pin)
    live = select(m.Device).where(m.Device.account_id == sign_in.account_id, m.Device.revoked_at.is_(None))
    if len(work.session.scalars(live).all()) >= MOST_DEVICES:
        raise BadInput(Fault("name", "too_many", f"一个人最多绑 {MOST_DEVICES} 部手机，先停用一部。"))
    row = m.Device(ref=str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)), account_id=sign_in.account_id,
                   name=name.strip()[:64] or "手机", key=devicekeys.read_key(key), pin_hash=HASHER.hash(pin),
                   made_at=work.now, seen_at=work.now, failed=0)  # fmt: skip
    work.session.add(row)
    work.session.flush()
    sign_in.device_id = row.id
    work.tell("device_bound", subject=f"account:{row.account_id}", device=row.id)
    return row


def challenge(work: Work, ref: str) -> str:
    """What the phone has to sign, once; an unknown or revoked phone gets one that opens nothing."""
    value = secrets.token_urlsafe(32)
    row = _live(work, ref)
    if row is not None:
        row.challenge, row.challenge_until = value, work.now + CHALLENGE_FOR
    return value


def message(ref: str, value: str) -> bytes:
    return f"patrol-device\n{ref}\n{value}".encode()


def sign_in(work: Work, ref: str, pin: str, signature: str) -> str | None:
    """A session value, or None for a wrong PIN or signature. A phone that is no longer known is told so, that it
    may forget what it keeps; after ten wrong PINs it is one of these."""
    row = _live(work, ref)
    if row is None:
        raise NotSignedIn("这部手机没有绑定，或已被停用。请用登录名和密码登录。", "device_unknown")
    if row.wait_until is not None and row.wait_until > work.now:
        wait_s = int((row.wait_until - work.now).total_seconds()) + 1
        raise TooMuch("PIN 错得太多，请过一会儿再试。", retry_after_s=wait_s)
    value, until, row.challenge = row.challenge, row.challenge_until, None
    right = bool(value and until and until > work.now) and devicekeys.signed_by(
        row.key, message(ref, str(value)), signature
    )
    if not right:
        return None
    try:
        HASHER.verify(row.pin_hash, pin)
    except (VerifyMismatchError, InvalidHashError):
        row.failed += 1
        if row.failed >= TRIES_AT_MOST:
            _revoke(work, row)
        elif row.failed >= TRIES_BEFORE_WAIT:
            row.wait_until = work.now + timedelta(seconds=30 * 2 ** (row.failed - TRIES_BEFORE_WAIT))
        return None
    row.failed, row.wait_until, row.seen_at = 0, None, work.now
    session = secrets.token_urlsafe(32)
    ends = work.now + timedelta(hours=work.settings.session_hours)
    work.session.add(m.SignIn(digest=digest(session), account_id=row.account_id, device_id=row.id, made_at=work.now,
                              ends_at=ends))  # fmt: skip
    work.tell("signed_in", subject=f"account:{row.account_id}", device=row.id)
    return session


def revoke(work: Work, ref: str) -> m.Device:
    """Take a phone's way in away, and every session it has, now."""
    row = work.session.scalar(select(m.Device).where(m.Device.ref == ref))
    if row is None:
        raise Missing("没有这部手机。")
    own = work.session.scalar(select(m.Account.person_id).where(m.Account.id == row.account_id)) == work.actor.person_id
    if not own and not work.actor.has("office", "office_head"):
        raise Refused("停用别人的手机由环保办办。")
    if row.revoked_at is None:
        _revoke(work, row)
    return row


def _revoke(work: Work, row: m.Device) -> None:
    row.revoked_at, row.revoked_by, row.challenge = work.now, work.actor.person_id, None
    work.session.execute(delete(m.SignIn).where(m.SignIn.device_id == row.id))
    work.tell("device_revoked", subject=f"account:{row.account_id}", device=row.id)


def _live(work: Work, ref: str) -> m.Device | None:
    return work.session.scalar(
        select(m.Device).join(m.Account, m.Account.id == m.Device.account_id)
        .where(m.Device.ref == ref, m.Device.revoked_at.is_(None), m.Account.active)
    )  # fmt: skip


def listed(work: Work, person_id: int | None = None) -> list[dict[str, Any]]:
    """Phones that may sign in, of everybody or of one person."""
    query = (
        select(m.Device, m.Person).join(m.Account, m.Account.id == m.Device.account_id)
        .join(m.Person, m.Person.id == m.Account.person_id).where(m.Device.revoked_at.is_(None)).order_by(m.Device.id)
    )  # fmt: skip
    if person_id is not None:
        query = query.where(m.Person.id == person_id)
    return [
        {"ref": row.ref, "name": row.name, "person": who.name, "made_at": row.made_at, "seen_at": row.seen_at}
        for row, who in work.session.execute(query)
    ]
