"""Erasing what has been kept long enough: contact, originals, words of informants. With a dry run that counts only.

An envelope is erased with all its shares, so that a copy of its body in an old file can never be opened. The trail
stays whole: its chain holds only salted digests of what was said. Must not touch issues, slips or evidence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import String, and_, cast, delete, exists, func, or_, select

from patrol import models as m
from patrol.actions import sealing
from patrol.gateways.envelopes import Sealed
from patrol.rules.retention import KEEPS
from patrol.station import SYSTEM, Station, Work

BATCH = 100  # a transaction is short, so that a report never waits long
ENDED = ("closed", "dismissed", "transferred")
PUT_AWAY = ("clue_discarded", "clue_expired")
OF_REPORTERS = frozenset({"tip", "hotline"})
SPOKEN = ("supplemented", "rated", "asked")  # lines that may hold a reporter's own words


@dataclass
class Counts:
    """What is due, or was erased, by rule; `photos`: originals to take from the store."""

    done: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KEEPS, 0))
    photos: list[str] = field(default_factory=list)


def retain(station: Station, *, dry: bool = False) -> dict[str, int]:
    """Erase all that is due now, rule by rule; with `dry` only count it."""
    total = dict.fromkeys(KEEPS, 0)
    if dry:
        with station.look(SYSTEM) as look:
            for name in KEEPS:
                total[name] = len(_due(look, name, None))
        return total
    for name in KEEPS:
        while True:
            counts = Counts()
            with station.work(SYSTEM) as work:
                rows = _due(work, name, BATCH)
                for row in rows:
                    _ERASE[name](work, row, counts)
                if rows:
                    work.tell("retention_ran", rule=name, erased=len(rows))
            for sha256 in counts.photos:
                station.store.erase(sha256)  # after the commit: without its shares it was unreadable already
            total[name] += len(rows)
            if len(rows) < BATCH:
                break
    if any(total.values()):
        station.forget_log()
    return total


def _due(work: Work, name: str, most: int | None) -> list[Any]:
    if name == "opening":
        query = select(m.OpeningShare.opening_id).join(m.Opening, m.Opening.id == m.OpeningShare.opening_id)
        return list(work.session.scalars(query.where(m.Opening.ends_at <= work.now).distinct().limit(most)))
    found = []
    until = work.now - KEEPS[name].span
    for row in work.session.scalars(select(m.Sighting).where(_has(name), m.Sighting.received_at <= until)):
        ended = ended_at(work, row)
        if ended is not None and ended <= until:
            found.append(row)
            if len(found) == most:
                break
    return found


def _has(name: str) -> Any:
    photo = exists().where(m.Photo.sighting_id == m.Sighting.id, m.Photo.sealed_sha256.is_not(None))
    return {
        "callback": m.Sighting.callback_sealed.is_not(None),
        "identity": m.Sighting.identity_sealed.is_not(None),
        "original": photo,
        "words": and_(m.Sighting.channel.in_(OF_REPORTERS), cast(m.Sighting.erased, String).not_like('%"words"%')),
    }[name]  # fmt: skip


def ended_at(work: Work, sighting: m.Sighting) -> datetime | None:
    """When what became of a report ended, through every merge; None while anything of it is open."""
    if sighting.issue_id is None:
        if sighting.state not in ("discarded", "expired"):
            return None
        query = select(func.max(m.Trail.at)).where(
            m.Trail.subject == f"clue:{sighting.id}", m.Trail.event.in_(PUT_AWAY)
        )
        return work.session.scalar(query) or sighting.received_at
    issue = work.session.get(m.Issue, sighting.issue_id)
    while issue is not None and issue.state == "merged" and issue.parent_id is not None:
        issue = work.session.get(m.Issue, issue.parent_id)
    if issue is None or issue.state not in ENDED:
        return None
    open_ = select(m.Request.id).where(m.Request.issue_id == issue.id, m.Request.state == "open").limit(1)
    return None if work.session.scalar(open_) else issue.ended_at


def _mark(sighting: m.Sighting, what: str) -> None:
    sighting.erased = sorted({*sighting.erased, what})


def _callback(work: Work, row: m.Sighting, _: Counts) -> None:
    sealing.shred(work, [Sealed(row.callback_sealed or b"", ()).digest])
    row.callback_sealed = None
    _mark(row, "callback")


def _identity(work: Work, row: m.Sighting, _: Counts) -> None:
    sealing.shred(work, [Sealed(row.identity_sealed or b"", ()).digest])
    row.identity_sealed = None
    _mark(row, "identity")


def _original(work: Work, row: m.Sighting, counts: Counts) -> None:
    query = select(m.Photo).where(m.Photo.sighting_id == row.id, m.Photo.sealed_sha256.is_not(None))
    for photo in work.session.scalars(query):
        counts.photos.append(str(photo.sealed_sha256))
        photo.sealed_sha256 = None
    sealing.shred(work, counts.photos)
    _mark(row, "original")


def _words(work: Work, row: m.Sighting, _: Counts) -> None:
    row.words = row.place_words = ""
    issues = _issues(work, row)
    about = or_(m.Trail.subject == f"clue:{row.id}", m.Trail.issue_id.in_(issues))
    requests = {one.id: one for one in work.session.scalars(
        select(m.Request).where(m.Request.asker_sighting_id == row.id))}  # fmt: skip
    for request in requests.values():
        request.body, request.words = {}, ""
    lines = select(m.Trail).where(about, m.Trail.event.in_(SPOKEN), m.Trail.salt.is_not(None))
    for line in work.session.scalars(lines):
        facts = line.facts or {}
        if facts.get("sighting") == row.id or (line.event == "asked" and facts.get("request") in requests):
            line.facts, line.salt = None, None
    _mark(row, "words")


def _issues(work: Work, sighting: m.Sighting) -> list[int]:
    """The issue of a report and every one it was merged into."""
    found = []
    issue = work.session.get(m.Issue, sighting.issue_id) if sighting.issue_id else None
    while issue is not None:
        found.append(issue.id)
        issue = work.session.get(m.Issue, issue.parent_id) if issue.state == "merged" and issue.parent_id else None
    return found


def _opening(work: Work, opening_id: int, _: Counts) -> None:
    work.session.execute(delete(m.OpeningShare).where(m.OpeningShare.opening_id == opening_id))


_ERASE: dict[str, Any] = {
    "callback": _callback, "identity": _identity, "original": _original, "words": _words, "opening": _opening,
}  # fmt: skip
