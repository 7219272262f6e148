"""What phones send from their outbox: a draft is announced with the photos it expects, each photo comes in pieces and
is acknowledged by itself, and only when all are here is the draft taken.

Nothing a phone sent is thrown away by a refusal: the parcel stays open and says what is missing until the person
corrects or drops it. Must not decide a step: the doors give what is complete to `handle` and `report`.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select

from patrol import models as m
from patrol.actions import photos
from patrol.actions.photos import Shot
from patrol.errors import BadInput, Clash, Fault, Malformed, Missing, Refused, TooMuch, WrongStep
from patrol.gateways.partfile import PartFile
from patrol.station import Actor, Station, Work

PIECE_BYTES = 1024 * 1024  # on a bad line a piece is what a cut costs
MOST_PHOTOS = 20
MOST_OPEN = 300


@dataclass(frozen=True)
class Expected:
    """One photo of the manifest."""

    sha256: str
    bytes: int
    claim: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Draft:
    """What a phone announces: step, photos or report, the fields of its form, and the photos that belong to it."""

    client_id: str
    what: str
    body: Mapping[str, Any]
    photos: Sequence[Expected] = ()
    step: str = ""
    stage: str = ""
    based_at: datetime | None = None

    def digest(self, issue: str | None) -> str:
        listed = [[one.sha256, one.bytes, dict(one.claim)] for one in self.photos]
        said = [self.what, issue, self.step, self.stage, dict(self.body), listed]
        return hashlib.sha256(m.canonical(said)).hexdigest()


def announce(work: Work, draft: Draft, issue: m.Issue | None) -> m.Parcel:
    """The parcel of a draft. The same draft again is the same parcel; a corrected one under the same id takes the
    place of what was announced, as long as that was not taken."""
    if work.actor.person_id is None:
        raise Refused("先登录才能从手机传。")
    _check(work, draft)
    work.only_one(f"parcel:{work.actor.person_id}:{draft.client_id}")
    row = work.session.scalar(
        select(m.Parcel).where(m.Parcel.person_id == work.actor.person_id, m.Parcel.client_id == draft.client_id)
    )
    digest = draft.digest(issue.number if issue else None)
    if row is not None:
        if row.digest == digest and row.state != "dropped":
            return row
        if row.state == "done" or row.sighting_ref is not None:
            raise Clash()
    else:
        photos.check_day(work)
        _check_room(work)
        row = m.Parcel(ref=_new_ref(), client_id=draft.client_id, person_id=work.actor.person_id, at=work.now)
        work.session.add(row)
    row.what, row.step, row.stage, row.body = draft.what, draft.step, draft.stage, dict(draft.body)
    row.issue_id, row.digest, row.based_at = issue.id if issue else None, digest, draft.based_at
    row.state, row.answer, row.ended_at = "open", None, None
    work.session.flush()
    _expect(work, row, draft.photos)
    return row


def _check(work: Work, draft: Draft) -> None:
    most = work.settings.photo_max_mb * 1024 * 1024
    faults = [
        Fault("photo", "too_large", f"第 {number} 张太大，最多 {work.settings.photo_max_mb} MB。")
        for number, one in enumerate(draft.photos, start=1) if one.bytes > most
    ]  # fmt: skip
    if len(draft.photos) > MOST_PHOTOS:
        faults.append(Fault("photo", "too_many_photos", f"一次最多 {MOST_PHOTOS} 张照片。"))
    if len({one.sha256 for one in draft.photos}) < len(draft.photos):
        faults.append(Fault("photo", "same_photo", "有两张照片一模一样，去掉一张。"))
    if faults:
        raise BadInput(faults)


def _check_room(work: Work) -> None:
    waiting = select(func.count(m.Parcel.id)).where(
        m.Parcel.person_id == work.actor.person_id, m.Parcel.state == "open"
    )
    if (work.session.scalar(waiting) or 0) >= MOST_OPEN:
        raise TooMuch("传了一半的太多，请先把前面的传完。", retry_after_s=600)


def _expect(work: Work, row: m.Parcel, expected: Sequence[Expected]) -> None:
    """The manifest of a parcel: photos no longer in it are forgotten, those already here stay."""
    wanted = {one.sha256: one for one in expected}
    kept = {photo.sha256: photo for photo in photos_of(work, row)}
    for sha256, photo in kept.items():
        if sha256 in wanted:
            photo.claim = dict(wanted[sha256].claim)
        else:
            work.session.delete(photo)
            work.after_commit.append(part(work.station, row, photo).drop)
    for sha256, one in wanted.items():
        if sha256 not in kept:
            work.session.add(m.ParcelPhoto(parcel_id=row.id, sha256=sha256, bytes=one.bytes, claim=dict(one.claim),
                                           state="open"))  # fmt: skip
    work.session.flush()


def find(work: Work, ref: str) -> m.Parcel:
    """A parcel of this person; another's is absent."""
    row = work.session.scalar(select(m.Parcel).where(m.Parcel.ref == ref, m.Parcel.person_id == work.actor.person_id))
    if row is None or work.actor.person_id is None:
        raise Missing("没有这一件待传，请从手机上再传一次。", "no_parcel")
    return row


def photos_of(work: Work, parcel: m.Parcel) -> list[m.ParcelPhoto]:
    query = select(m.ParcelPhoto).where(m.ParcelPhoto.parcel_id == parcel.id).order_by(m.ParcelPhoto.id)
    return list(work.session.scalars(query))


def find_photo(work: Work, parcel: m.Parcel, sha256: str) -> m.ParcelPhoto:
    row = next((photo for photo in photos_of(work, parcel) if photo.sha256 == sha256), None)
    if row is None:
        raise Missing("这一件里没有这张照片。", "no_parcel")
    return row


def part(station: Station, parcel: m.Parcel, photo: m.ParcelPhoto) -> PartFile:
    return PartFile(station.settings.data / "incoming" / f"{parcel.ref}-{photo.sha256[:16]}", photo.bytes, photo.sha256)


def offset_of(station: Station, parcel: m.Parcel, photo: m.ParcelPhoto) -> int:
    return photo.bytes if photo.state == "whole" else part(station, parcel, photo).offset


def take_piece(station: Station, actor: Actor, ref: str, sha256: str, offset: int, piece: Iterable[bytes]) -> int:
    """Append one piece of one photo. The last one is answered when the photo is examined and acknowledged; a report
    that was taken already gets it at once."""
    with station.look(actor) as look:
        parcel = find(look, ref)
        photo = find_photo(look, parcel, sha256)
    if photo.state == "whole" or parcel.state == "done":
        return photo.bytes
    file = part(station, parcel, photo)
    now = file.append(offset, piece) if offset < photo.bytes else file.offset
    if now < photo.bytes:
        return now
    file.check()
    try:
        shot = photos.take_in(station, file.path.read_bytes())
    except (BadInput, Malformed, TooMuch) as error:
        file.drop()  # no picture, and sending it again will not make it one
        raise BadInput(Fault("photo", error.code, error.sentence)) from error
    with station.work(actor) as work:
        parcel = find(work, ref)
        work.only_one(f"parcel:{parcel.ref}")
        row = find_photo(work, parcel, sha256)
        if row.state == "whole":
            return row.bytes
        row.state = "whole"
        if parcel.sighting_ref is not None:
            _to_sighting(work, parcel, shot)
            work.after_commit.append(file.drop)
    return photo.bytes


def _to_sighting(work: Work, parcel: m.Parcel, shot: Shot) -> None:
    """A photo of a report that was taken before it was here."""
    sighting = work.session.scalars(select(m.Sighting).where(m.Sighting.ref == parcel.sighting_ref)).one()
    known = select(m.Photo.id).where(m.Photo.sighting_id == sighting.id, m.Photo.sha256 == shot.sha256)
    if work.session.scalar(known) is not None:
        return
    (row,) = photos.keep_with_sighting(work, sighting, [shot])
    issue = work.session.get(m.Issue, sighting.issue_id) if sighting.issue_id is not None else None
    if issue is not None:
        photos.move_to_issue(work, sighting, issue)
        work.tell("photo_received", issue, photo=row.ref, sha256=row.sha256, stage=row.stage, flags=[])


def shots_of(station: Station, work: Work, parcel: m.Parcel) -> list[tuple[Shot, m.ParcelPhoto]]:
    """Every photo of a parcel, examined. Missing ones are named by how many are here."""
    rows = photos_of(work, parcel)
    here = [row for row in rows if row.state == "whole"]
    if len(here) < len(rows):
        raise WrongStep(f"照片 {len(rows)} 张，到了 {len(here)} 张，先把照片传完。", "photos_missing")
    return [(photos.take_in(station, part(station, parcel, row).path.read_bytes()), row) for row in rows]


def finish(work: Work, parcel: m.Parcel, answer: dict[str, Any]) -> None:
    """The draft was taken: its answer is kept for a phone that did not hear it, its bytes and words are not."""
    parcel.state, parcel.answer, parcel.ended_at, parcel.body = "done", answer, work.now, {}
    for row in photos_of(work, parcel):
        work.after_commit.append(part(work.station, parcel, row).drop)


def drop(work: Work, parcel: m.Parcel) -> None:
    """The person gave it up; what was taken already stays taken."""
    if parcel.state != "open":
        return
    if parcel.sighting_ref is not None:
        finish(work, parcel, dict(parcel.answer or {}))
    for row in photos_of(work, parcel):
        work.after_commit.append(part(work.station, parcel, row).drop)
    work.session.execute(
        delete(m.ParcelPhoto).where(m.ParcelPhoto.parcel_id == parcel.id, m.ParcelPhoto.state == "open")
    )
    if parcel.state == "open":
        parcel.state, parcel.ended_at, parcel.body = "dropped", work.now, {}


def _new_ref() -> str:
    return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))
