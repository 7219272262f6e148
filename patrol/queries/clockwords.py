"""Clocks as answers and pages show them: what they read as now, with their words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import select

from patrol import models as m
from patrol.queries.words import shown
from patrol.rules import clocks as law
from patrol.rules.clocks import CLOCKS, Mark, Reading
from patrol.station import Work


def of_issues(work: Work, ids: Iterable[int]) -> dict[int, list[m.Clock]]:
    """Every clock instance of some issues, oldest first."""
    found: dict[int, list[m.Clock]] = defaultdict(list)
    for clock in work.session.scalars(select(m.Clock).where(m.Clock.issue_id.in_(list(ids))).order_by(m.Clock.id)):
        found[clock.issue_id or 0].append(clock)
    return found


def reading(work: Work, clock: m.Clock) -> Reading:
    return law.read([Mark.from_json(raw) for raw in clock.marks], work.calendar_of(clock.calendar), work.now)


def status_of(clock: m.Clock, said: Reading) -> str:
    if clock.state == "not_needed":
        return "not_needed"
    return "exempt" if clock.exempt and said.was_late else said.status


def brief(work: Work, clock: m.Clock) -> dict[str, Any]:
    """For lists: name, status, due."""
    said = reading(work, clock)
    return {"name": clock.name, "status": status_of(clock, said), "due_at": shown(said.due_at), "instance": clock.instance}


def full(work: Work, clock: m.Clock) -> dict[str, Any]:
    """For one issue: everything a countdown shows and what it rests on."""
    said = reading(work, clock)
    begin = Mark.from_json(clock.marks[0])
    return {
        "name": clock.name, "zh": CLOCKS[clock.name].zh, "instance": clock.instance, "status": status_of(clock, said),
        "limit": begin.limit.zh if begin.limit else "", "started_at": shown(begin.at), "begins_at": shown(said.begins_at),
        "due_at": shown(said.due_at), "first_due_at": shown(said.first_due_at), "used_s": said.used_s,
        "left_s": said.left_s, "limit_s": said.limit_s, "late_s": said.late_s, "share": round(min(said.share, 9.99), 4),
        "unit": said.unit, "day_s": said.day_s, "estimated": said.estimated, "extended": said.extended,
        "exempt": clock.exempt, "offline": said.offline, "resumes_at": shown(said.resumes_at),
        "left": law.say_left(said), "side": law.say_side(said, work.now, exempt=clock.exempt),
        "policy": clock.policy, "calendar": clock.calendar, "at": shown(work.now),
    }  # fmt: skip
