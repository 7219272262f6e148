"""Photos as evidence: taken in (examined), attached (stored before their row is), flagged, released, shown.

The original is kept by digest and untouched; what is shown is a rendition without metadata. Times and
positions in a photo are claims: they raise flags, they never move a clock.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import func, or_, select

from geodata.merge import apart_m
from patrol import models as m
from patrol.actions import blurring, sealing, siting
from patrol.errors import BadInput, Fault, Missing, TooMuch
from patrol.gateways import pictures
from patrol.rules.calendar import SHANGHAI
from patrol.rules.lifecycle import PHOTO_STAGES
from patrol.rules.problems import FENCE_M, WORST_FIX_M
from patrol.station import SYSTEM, Station, Work

ON_SITE = frozenset({"before", "during", "after", "check", "accept"})
SIMILAR_BITS = pictures.SIMILAR_BITS
TIP_SIDE_PX = 2048
CLOCK_SLACK = timedelta(minutes=10)  # a phone's clock may be this wrong before its time looks old


@dataclass(frozen=True)
class Shot:
    """A photo that was examined and is whole. It goes to the store just before the commit that keeps its row:
    a refused deed leaves nothing behind, and no row ever names a photo that is not safe on disk."""

    sha256: str
    picture: pictures.Picture
    content: bytes = field(repr=False)
    original: bytes | None = field(default=None, repr=False)  # of a tip: kept sealed, or not at all

    @property
    def bytes(self) -> int:
        return len(self.content)


@dataclass(frozen=True)
class Claim:
    """What the app says of a photo it took: position and time, both claims."""

    position: dict[str, Any] | None = None
    taken_at: datetime | None = None


def take_in(station: Station, data: bytes, *, tip: bool = False) -> Shot:
    """Examine one upload; of a tip the original is only kept sealed, with its clean picture beside it."""
    settings = station.settings
    limits = {"max_bytes": settings.photo_max_mb * 1024 * 1024, "max_pixels": settings.photo_max_mp * 1_000_000}
    picture = pictures.examine(data, now=station.now(), **limits)
    if not tip:
        return Shot(hashlib.sha256(data).hexdigest(), picture, data)
    clean = pictures.rendition(data, TIP_SIDE_PX, **limits)
    # a tip's own claims of place and time would point at the informant: they go with the sealed original
    shown = pictures.Picture(format="JPEG", width=picture.width, height=picture.height, phash=picture.phash)
    return Shot(hashlib.sha256(clean).hexdigest(), shown, clean, data)


def keep_with_sighting(work: Work, sighting: m.Sighting, shots: Sequence[Shot]) -> list[m.Photo]:
    """The photos that came with a report."""
    stage = "frame" if sighting.channel in ("drone", "satellite", "sensor") else "report"
    rows = [_row(work, shot, stage, Claim()) for shot in shots]
    for row in rows:
        row.sighting_id = sighting.id
        row.person_id = sighting.person_id
        work.session.add(row)
    work.session.flush()
    return rows


def move_to_issue(work: Work, sighting: m.Sighting, issue: m.Issue) -> None:
    for photo in work.session.scalars(select(m.Photo).where(m.Photo.sighting_id == sighting.id)):
        photo.issue_id, photo.round = issue.id, issue.round


def attach(work: Work, issue: m.Issue, stage: str, shot: Shot, claim: Claim) -> m.Photo:
    """One evidence photo of an issue, with its flags. Same bytes as a stored photo: refused."""
    if stage not in PHOTO_STAGES or stage in ("frame", "report"):
        known = "、".join(name for name in PHOTO_STAGES if name not in ("frame", "report"))
        raise BadInput(Fault("stage", "unknown_stage", f"没有这个照片阶段；可选：{known}。"))
    if issue.state in ("merged", "dismissed", "transferred") and stage != "reopen":
        raise BadInput(Fault("stage", "ended", "这件已办结，不再收照片。"))
    count = work.session.scalar(select(func.count(m.Photo.id)).where(m.Photo.issue_id == issue.id)) or 0
    if count >= work.settings.photos_per_issue:
        raise BadInput(
            Fault("photo", "too_many_photos", f"这件已有 {count} 张照片，最多 {work.settings.photos_per_issue} 张。")
        )
    work.only_one(f"photo:{shot.sha256}")
    before = work.session.scalar(select(m.Photo).where(m.Photo.sha256 == shot.sha256).limit(1))
    if before is not None:
        mine = before.issue_id == issue.id and before.person_id == work.actor.person_id
        if mine and before.stage == stage and before.round == issue.round:
            return before  # the same phone sending the same photo again
        when = before.received_at.astimezone(SHANGHAI).strftime("%m-%d")
        raise BadInput(Fault("photo", "photo_reused", f"这张照片 {when} 用过，请重拍。"))
    row = _row(work, shot, stage, claim)
    row.issue_id, row.round = issue.id, issue.round
    row.person_id, row.unit = work.actor.person_id, work.actor.unit
    row.flags = flags_of(work, issue, row)
    work.session.add(row)
    work.session.flush()
    work.tell("photo_received", issue, photo=row.ref, sha256=row.sha256, stage=stage, flags=row.flags)
    return row


def _row(work: Work, shot: Shot, stage: str, claim: Claim) -> m.Photo:
    picture = shot.picture
    lon, lat, accuracy, source = picture.lon, picture.lat, picture.accuracy_m, "exif"
    if claim.position:
        place = siting.site(work, claim.position)
        lon, lat, accuracy, source = place.lon, place.lat, place.accuracy_m, "app"
    elif lon is None:
        source = "none"
    sealed = None
    if shot.original is not None and sealing.takes_identities(work):
        sealed = sealing.seal_identity(work, shot.original)
    for data in filter(None, (shot.content, sealed.body if sealed else None)):
        work.before_commit.append(partial(work.photos.put, data))
    return m.Photo(
        ref=str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)), sha256=shot.sha256,
        sealed_sha256=sealed.digest if sealed else None,
        stage=stage, round=1, received_at=work.now, format=picture.format, width=picture.width, height=picture.height,
        bytes=shot.bytes, phash=picture.phash, taken_at=claim.taken_at or picture.taken_moment(),
        taken_words=picture.taken_at, lon=lon, lat=lat, accuracy_m=accuracy, source=source, flags=[], released=False,
        warnings=list(picture.warnings),
    )  # fmt: skip


def flags_of(work: Work, issue: m.Issue, photo: m.Photo) -> list[str]:
    """What about this photo asks for the acceptor's own look. Shown to office and inspector only."""
    if photo.stage not in ON_SITE:
        return []
    flags = []
    if photo.lon is None or photo.lat is None or (photo.accuracy_m or 0) > WORST_FIX_M:
        flags.append("no_position")
    else:
        photo.beyond_m = beyond_m(issue, photo.lon, photo.lat, photo.accuracy_m)
        if photo.beyond_m is not None and photo.beyond_m > 0:
            flags.append("elsewhere")
    if photo.taken_at is None:
        flags.append("no_time")
    elif photo.taken_at < issue.step_at - CLOCK_SLACK or photo.taken_at > work.now + CLOCK_SLACK:
        flags.append("old")
    if similar(work, issue, photo):
        flags.append("similar")
    return flags


def beyond_m(issue: m.Issue, lon: float, lat: float, accuracy_m: float | None) -> float | None:
    """Metres outside the fence of an issue (<= 0 inside); None when the issue has no position yet."""
    if issue.lon is None or issue.lat is None:
        return None
    apart = apart_m(lon, lat, None, issue.lon, issue.lat, issue.outline)
    ellipse = 0.0 if issue.outline else (issue.accuracy_m or 0.0)
    return apart - ellipse - (FENCE_M + min(accuracy_m or 0.0, FENCE_M))


def similar(work: Work, issue: m.Issue, photo: m.Photo) -> bool:
    """Whether it looks like a photo of another issue or of an earlier round of this one."""
    if photo.phash is None:
        return False
    rows = work.session.execute(
        select(m.Photo.phash).where(
            m.Photo.phash.is_not(None), m.Photo.stage != "frame",
            or_(m.Photo.issue_id.is_(None), m.Photo.issue_id != issue.id, m.Photo.round < issue.round),
        )
    )  # fmt: skip
    return any(other is not None and pictures.hamming(photo.phash, other) <= SIMILAR_BITS for (other,) in rows)


def find(work: Work, issue: m.Issue, ref: str) -> m.Photo:
    row = work.session.scalar(select(m.Photo).where(m.Photo.ref == ref, m.Photo.issue_id == issue.id))
    if row is None:
        raise Missing("没有这张照片，或不归您看。")
    return row


def release(work: Work, issue: m.Issue, photos: Sequence[m.Photo]) -> None:
    """An office person lets the unit see these photos."""
    fresh = [photo for photo in photos if not photo.released]
    for photo in fresh:
        photo.released = True
    if fresh:
        work.tell("photo_released", issue, photos=[photo.ref for photo in fresh])


def rendition(station: Station, photo: m.Photo, max_side_px: int) -> bytes:
    """What is shown: upright, clean, no larger than asked; nobody's face on a fishing case. A lost original is
    Missing, named as such."""
    with station.look(SYSTEM) as look:
        fishing = blurring.is_fishing(look, photo)
    return blurring.shown(station, photo.sha256, max_side_px, fishing=fishing)


def check_day(work: Work, most: int = 1000) -> None:
    """No person sends more than `most` photos a day."""
    if work.actor.person_id is None:
        return
    since = work.now - timedelta(days=1)
    count = work.session.scalar(
        select(func.count(m.Photo.id)).where(m.Photo.person_id == work.actor.person_id, m.Photo.received_at > since)
    )
    if (count or 0) >= most:
        raise TooMuch("今天传的照片太多了，明天再传或联系办公室。", retry_after_s=3600)
