"""Storing calendar years, and what a new calendar does to clocks that already run (law 8 of the algebra).

A changed calendar gets a new version; the old one stays kept under its own, because ended and late clocks
read by it for ever. Only dues that rest on an estimated day and have not passed move, each with a trail line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import delete, select

from patrol import models as m
from patrol.actions import clocks, slips
from patrol.actions.calendar import YearDays, parse_day_csv, parse_notice, seed_confirmed, seed_days
from patrol.rules import clocks as law
from patrol.rules.calendar import local
from patrol.station import Work, calendar_version

SUBJECT = "calendar"


@dataclass(frozen=True)
class Imported:
    """What an import did; `changed` is False when the calendar was the same already."""

    year: int
    days: int
    changed: bool
    rebased: int


@dataclass(frozen=True)
class Seeded:
    year: int
    confirmed: bool


def seed(work: Work) -> list[Seeded]:
    """Put in last, this and next year where they are absent, as the `holidays` package knows them."""
    work.only_one(SUBJECT)
    this = local(work.now).year
    kept = set(work.session.scalars(select(m.CalendarYear.year)))
    new = [year for year in (this - 1, this, this + 1) if year not in kept]
    for year in new:
        _put_days(work, seed_days(year))
        work.session.add(m.CalendarYear(year=year, confirmed=seed_confirmed(year), version=0, source="holidays"))
    if new:
        work.session.flush()
        _in_force(work, new[-1])
        work.tell("calendar_imported", subject=SUBJECT, years=new, source="holidays")
        _rebase(work)
    return [Seeded(year, seed_confirmed(year)) for year in new]


def import_notice(work: Work, text: str) -> Imported:
    """Confirm a year by the State Council's notice, pasted whole."""
    return _import(work, parse_notice(text), "国务院办公厅通知")


def import_csv(work: Work, text: str, year: int) -> Imported:
    """Confirm a year by rows of days."""
    return _import(work, parse_day_csv(text, year), "CSV")


def _import(work: Work, days: YearDays, source: str) -> Imported:
    work.only_one(SUBJECT)
    before = _content(work)
    whole = m.CalendarDay.on.between(date(days.year, 1, 1), date(days.year, 12, 31))
    work.session.execute(delete(m.CalendarDay).where(whole))
    _put_days(work, days)
    row = work.session.get(m.CalendarYear, days.year)
    if row is None:
        row = m.CalendarYear(year=days.year, confirmed=False, version=0, source="")
        work.session.add(row)
    row.confirmed, row.source = True, source
    work.session.flush()
    if _content(work) == before:
        return Imported(days.year, len(days.days), False, 0)
    _in_force(work, days.year)
    work.tell("calendar_imported", subject=SUBJECT, years=[days.year], source=source,
              days={on.isoformat(): kind for on, kind in days.days})  # fmt: skip
    return Imported(days.year, len(days.days), True, _rebase(work))


def _put_days(work: Work, days: YearDays) -> None:
    for on, kind in days.days:
        work.session.merge(m.CalendarDay(on=on, kind=kind, name=days.names.get(on, "")[:32]))
    work.session.flush()


def _days(work: Work) -> dict[date, str]:
    rows = work.session.execute(select(m.CalendarDay.on, m.CalendarDay.kind).order_by(m.CalendarDay.on))
    return dict(rows.all())


def _confirmed(work: Work) -> list[int]:
    query = select(m.CalendarYear.year).where(m.CalendarYear.confirmed).order_by(m.CalendarYear.year)
    return list(work.session.scalars(query))


def _content(work: Work) -> bytes:
    """The whole calendar as bytes: the same days and years give the same."""
    days = {on.isoformat(): kind for on, kind in _days(work).items()}
    return m.canonical([days, _confirmed(work)])


def _in_force(work: Work, year: int) -> None:
    """Give the calendar as it now is a version of its own and keep it under that.

    The edition is drawn from the content, so that a version can never stand for two calendars: not even in a
    process that read one in a transaction which was then taken back.
    """
    row = work.session.get_one(m.CalendarYear, year)
    row.version = int.from_bytes(hashlib.sha256(_content(work)).digest()[:4], "big") >> 2
    work.session.flush()
    version = calendar_version(work.session)
    if work.session.get(m.CalendarKept, version) is None:
        days = {on.isoformat(): kind for on, kind in _days(work).items()}
        work.session.add(m.CalendarKept(version=version, days=days, confirmed=_confirmed(work)))
        work.session.flush()
    work.__dict__.pop("calendar", None)  # what this work read before is no longer the one in force


def _rebase(work: Work) -> int:
    """Let live clocks take the calendar in force where they may; returns how many dues moved."""
    query = select(m.Clock).where(m.Clock.state.in_(clocks.LIVE), m.Clock.calendar != work.calendar.version)
    rows = list(work.session.scalars(query.order_by(m.Clock.id)))
    issues = _hold(work, rows)
    moved = 0
    for clock in rows:
        work.session.refresh(clock)  # another deed may have ended it while the issues were being held
        if clock.state not in clocks.LIVE:
            continue
        old = work.calendar_of(clock.calendar)
        move = law.move_to(clocks.marks_of(clock), old, work.calendar, work.now)
        if not move.adopts:
            continue
        clock.calendar = work.calendar.version
        clocks.refresh_all(work, [clock])
        if move.moved:
            _tell(work, clock, issues, move)
            moved += 1
    return moved


def _hold(work: Work, rows: Iterable[m.Clock]) -> dict[int, m.Issue]:
    """The issues of these clocks and of the requests they count for, held in one order."""
    asked = {clock.request_id for clock in rows if clock.request_id is not None}
    of_requests = work.session.scalars(select(m.Request.issue_id).where(m.Request.id.in_(asked)))
    ids = {clock.issue_id for clock in rows if clock.issue_id is not None} | set(of_requests)
    query = select(m.Issue).where(m.Issue.id.in_(sorted(ids))).order_by(m.Issue.id)
    query = query.execution_options(populate_existing=True)
    if work.dialect == "postgresql":
        query = query.with_for_update()
    return {issue.id: issue for issue in work.session.scalars(query)}


def _tell(work: Work, clock: m.Clock, issues: dict[int, m.Issue], move: law.Move) -> None:
    facts: dict[str, Any] = {
        "clock": clock.name, "clock_id": clock.id, "instance": clock.instance, "calendar": clock.calendar,
        "old_due_at": move.old_due_at.isoformat() if move.old_due_at else None,
        "new_due_at": move.new_due_at.isoformat() if move.new_due_at else None,
    }  # fmt: skip
    if clock.sighting_id is not None:
        work.tell("rebased", subject=f"clue:{clock.sighting_id}", **facts)
        return
    request = work.session.get(m.Request, clock.request_id) if clock.request_id is not None else None
    if request is not None:
        request.decide_by = move.new_due_at
        facts |= {"request": request.id, "step": request.step}
    issue = issues.get(request.issue_id if request is not None else clock.issue_id or 0)
    slip = _print_anew(work, issue, clock) if issue is not None else None
    work.tell("rebased", issue, moves=True, slip=slip, **facts)


def _print_anew(work: Work, issue: m.Issue, clock: m.Clock) -> m.Slip | None:
    """A revision of the slip that names the due which moved, with everything else as it was frozen."""
    kind = {"assigned": "assignment", "supervised": "supervision"}.get(issue.state)
    old = slips.current(work, issue, kind) if kind and clock.name == "rectify" else None
    if old is None or kind is None:
        return None
    ours = {"number", "revision", "supersedes", "photos", "ledger", "issued_at", "kind"}
    kept = {name: fact for name, fact in old.facts.items() if name not in ours}
    digests = [fact["sha256"] for fact in old.facts.get("photos", [])]
    found = work.session.scalars(
        select(m.Photo).where(m.Photo.issue_id == issue.id, m.Photo.sha256.in_(digests)).order_by(m.Photo.id)
    )
    shown = {photo.sha256: photo for photo in found}
    photos = [shown[digest] for digest in digests if digest in shown]
    return slips.freeze(work, issue, kind, kept | slips.limit_facts(work, issue), photos=photos)
