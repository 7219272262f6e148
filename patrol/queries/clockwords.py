"""Clocks as answers and pages show them: what they read as now, with their words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from patrol import models as m
from patrol.queries.words import shown
from patrol.rules import clocks as law
from patrol.rules.calendar import Calendar, Frame, local
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
    return {
        "name": clock.name,
        "status": status_of(clock, said),
        "due_at": shown(said.due_at),
        "instance": clock.instance,
    }


def full(work: Work, clock: m.Clock) -> dict[str, Any]:
    """For one issue: everything a countdown shows and what it rests on."""
    said = reading(work, clock)
    begin = Mark.from_json(clock.marks[0])
    calendar = work.calendar_of(clock.calendar)
    runs_from, runs_until = window(calendar, work.now, law.Limit(1, said.unit).frame)
    return {
        "name": clock.name, "zh": CLOCKS[clock.name].zh, "instance": clock.instance, "status": status_of(clock, said),
        "limit": begin.limit.zh if begin.limit else "", "started_at": shown(begin.at), "begins_at": shown(said.begins_at),
        "due_at": shown(said.due_at), "first_due_at": shown(said.first_due_at), "used_s": said.used_s,
        "left_s": said.left_s, "limit_s": said.limit_s, "late_s": said.late_s, "share": round(min(said.share, 9.99), 4),
        "unit": said.unit, "day_s": said.day_s, "estimated": said.estimated, "extended": said.extended,
        "exempt": clock.exempt, "offline": said.offline, "resumes_at": shown(said.resumes_at),
        "left": law.say_left(said), "side": law.say_side(said, work.now, exempt=clock.exempt),
        "policy": clock.policy, "calendar": clock.calendar, "at": shown(work.now),
        "start_limit_s": begin.limit.seconds(calendar) if begin.limit else 0, "runs_from": shown(runs_from),
        "runs_until": shown(runs_until), "pauses": pauses(clock, work.now),
    }  # fmt: skip


def window(calendar: Calendar, now: datetime, frame: Frame) -> tuple[datetime | None, datetime | None]:
    """The hours of the frame that now lies in, or the next ones; (None, None) where every hour counts."""
    if frame == "continuous":
        return None, None
    opens = calendar.opening(now, frame)
    day = local(opens).replace(hour=0, minute=0, second=0, microsecond=0)
    for begin, end in (calendar.duty_hours,) if frame == "duty" else calendar.work_hours:
        shuts = day + timedelta(hours=end.hour, minutes=end.minute)
        shuts += timedelta(days=1) if shuts == day else timedelta(0)
        if day + timedelta(hours=begin.hour, minutes=begin.minute) <= local(opens) < shuts:
            return opens, shuts
    return opens, None


def pauses(clock: m.Clock, now: datetime) -> list[dict[str, Any]]:
    """When the clock stood still and why; a pause without an end still lasts. Pauses of two causes may overlap."""
    found: list[dict[str, Any]] = []
    open_: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for mark in (Mark.from_json(raw) for raw in clock.marks):
        if mark.at > now:
            continue
        if mark.kind == "pause":
            by_itself = mark.until is not None and mark.until <= now
            found.append({"from": shown(mark.at), "until": shown(mark.until) if by_itself else None, "why": mark.why})
            open_[mark.cause].append(found[-1])
        elif mark.kind == "resume" and open_[mark.cause]:
            open_[mark.cause].pop(0)["until"] = shown(mark.at)
    return found
