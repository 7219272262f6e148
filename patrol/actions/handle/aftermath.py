"""What a step leaves for later: a false detection remembered, a relapse opened as its own issue."""

from __future__ import annotations

import uuid
from datetime import timedelta

from sqlalchemy import select

from patrol import models as m
from patrol.actions.report import open_issue
from patrol.rules.problems import DISMISSED_DAYS
from patrol.rules.rights import MACHINE_CHANNELS
from patrol.station import Work


def remember_false_spot(work: Work, issue: m.Issue) -> None:
    """Remember place and kind against machine clues, when only machines ever saw the thing."""
    rows = list(work.session.scalars(select(m.Sighting).where(m.Sighting.issue_id == issue.id)))
    if rows and all(row.channel in MACHINE_CHANNELS for row in rows):
        remember_sighting(work, rows[0])


def remember_sighting(work: Work, sighting: m.Sighting) -> None:
    """Remember one false detection; a person's report is never remembered against anybody."""
    if sighting.channel not in MACHINE_CHANNELS or sighting.lon is None or sighting.lat is None:
        return
    until = work.now + timedelta(days=DISMISSED_DAYS)
    work.session.add(m.FalseSpot(kind=sighting.kind, cell=sighting.cell or 0, lon=sighting.lon, lat=sighting.lat,
                                 until=until, sighting_id=sighting.id))  # fmt: skip
    work.tell("spot_remembered", subject=f"clue:{sighting.id}", kind=sighting.kind, until=until.isoformat())


def open_relapse(work: Work, issue: m.Issue, words: str) -> m.Issue:
    """A look-back found the thing back: a new issue, linked, with the looker's words."""
    sighting = m.Sighting(
        ref=str(uuid.uuid4()), channel="look_back", state="waiting", kind=issue.kind, words=words,
        place_words=issue.place_words, lon=issue.lon, lat=issue.lat, accuracy_m=issue.accuracy_m,
        position_method=issue.position_method, outline=issue.outline, area_m2=issue.area_m2,
        chainage_m=issue.chainage_m, bank=issue.bank, grid=issue.grid, cell=issue.cell, received_at=work.now,
        person_id=work.actor.person_id, warnings=[], why="", reward=False,
    )  # fmt: skip
    work.session.add(sighting)
    work.session.flush()
    return open_issue(work, sighting, (issue, "relapse"))
