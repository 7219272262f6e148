"""Figures of a period: the members of each row of FIGURES in plain SQL, and its number with the issues behind it.

What a figure means stands in `patrol.rules.figures`; here is only where its members are found. Reads, keeps nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Select, and_, func, or_, select

from patrol import models as m
from patrol.rules import rights
from patrol.rules.calendar import SHANGHAI
from patrol.rules.figures import FIGURES, Figure, Member, Period, Value, value_of
from patrol.rules.flights import percent
from patrol.rules.lifecycle import FALSE_REASONS
from patrol.station import Work

PUBLIC_FOUND = frozenset({"tip", "hotline", "volunteer", "petition"})
PATROL_FOUND = rights.MACHINE_CHANNELS | {"grid"}
BEYOND = ("rectified", "verified", "closed")
HAPPY = 4  # stars

Find = Callable[[Work, Period], Iterable[Member]]


def members(look: Work, code: str, period: Period) -> list[Member]:
    """What a figure counts in a period."""
    return list(_MEMBERS[code](look, period))


def figure(look: Work, code: str, period: Period, *, issues: bool = False) -> dict[str, Any]:
    """One figure with its formula; `issues` adds the numbers of the issues that met it and that did not."""
    row = FIGURES[code]
    if row.unit == "percent":
        return told(row, period) | _coverage(look, period)
    found = members(look, code, period)
    said = told(row, period, value_of(row, found))
    if issues:
        said["issues"] = [
            {"issue": one.issue, "met": one.met, "part": one.part, "minutes": one.amount} for one in found if one.issue
        ]
    return said


def told(row: Figure, period: Period, value: Value | None = None) -> dict[str, Any]:
    """The row and its number as plain values."""
    said: dict[str, Any] = {
        "figure": row.code, "zh": row.zh, "unit": row.unit, "formula": row.formula, "basis": row.basis,
        "notes": row.notes, "from": period.first.isoformat(), "to": period.last.isoformat(),
    }  # fmt: skip
    if value is not None:
        said |= {
            "value": value.value,
            "numerator": value.numerator,
            "denominator": value.denominator,
            "parts": value.parts,
        }
    return said


def every(look: Work, period: Period, *, public: bool = False) -> list[dict[str, Any]]:
    """All figures, or those the public may see."""
    return [figure(look, code, period) for code, row in FIGURES.items() if row.public or not public]


# --- clocks --------------------------------------------------------------------------------------------------


def _due(look: Work, period: Period, name: str) -> Select[Any, Any]:
    """Instances of a clock that came due in the period and are decided: met, missed, or past their due.

    Every instance counts, so that a late one stays late when a new one follows it.
    """
    # one that ended while it was paused for acceptance has no due but its first
    when = func.coalesce(m.Clock.due_at, m.Clock.first_due_at)
    due = and_(when >= period.begins, when < period.ends)
    ended = m.Clock.state.in_(("met", "met_late", "missed"))
    return _clocks(name).where(due, or_(ended, and_(m.Clock.state == "running", m.Clock.due_at <= look.now)))


def _clocks(name: str) -> Select[Any, Any]:
    return (
        select(m.Clock, m.Issue)
        .join(m.Issue, m.Issue.id == m.Clock.issue_id)
        .where(m.Clock.name == name, m.Issue.state.not_in(("merged", "transferred")))
        .order_by(m.Clock.id)
    )


def _on_time(name: str) -> Find:
    def find(look: Work, period: Period) -> Iterable[Member]:
        for clock, issue in look.session.execute(_due(look, period, name)):
            yield Member(f"clock:{clock.id}", clock.state == "met", issue.number)

    return find


def _push(look: Work, period: Period) -> Iterable[Member]:
    confirmed = {
        issue_id: (facts or {}).get("how", "")
        for issue_id, facts in look.session.execute(
            select(m.Trail.issue_id, m.Trail.facts).where(m.Trail.event == "push_confirmed").order_by(m.Trail.id)
        )
    }
    for clock, issue in look.session.execute(_due(look, period, "push")):
        how = confirmed.get(issue.id, "robot") if clock.state in ("met", "met_late") else ""
        yield Member(f"clock:{clock.id}", clock.state == "met", issue.number, how)
    here = (
        select(m.Clock.id, m.Issue.number)
        .join(m.Issue, m.Issue.id == m.Clock.issue_id)
        .where(
            m.Clock.name == "push", m.Clock.state == "not_needed",
            m.Issue.opened_at >= period.begins, m.Issue.opened_at < period.ends,
        )
    )  # fmt: skip
    for clock_id, number in look.session.execute(here):
        yield Member(f"clock:{clock_id}", True, number, "apart:here")


def _late(*, exempt_too: bool) -> Find:
    def find(look: Work, period: Period) -> Iterable[Member]:
        for clock, issue in look.session.execute(_due(look, period, "rectify")):
            late = clock.state != "met" and (exempt_too or not clock.exempt)
            yield Member(f"clock:{clock.id}", late, issue.number)

    return find


def _rectified(look: Work, period: Period) -> Iterable[Member]:
    for clock, issue in look.session.execute(_due(look, period, "rectify")):
        yield Member(f"clock:{clock.id}", issue.state in BEYOND, issue.number)
    # what waits for acceptance has its clock paused, and no due of its own meanwhile
    waits = _clocks("rectify").where(
        m.Clock.state == "paused", m.Issue.state == "rectified", m.Clock.due_at.is_(None),
        m.Clock.first_due_at >= period.begins, m.Clock.first_due_at < period.ends, m.Clock.first_due_at <= look.now,
    )  # fmt: skip
    for clock, issue in look.session.execute(waits):
        yield Member(f"clock:{clock.id}", True, issue.number)


# --- issues --------------------------------------------------------------------------------------------------


def _ended(period: Period) -> Select[Any]:
    """Issues closed in the period by acceptance, never by force."""
    return select(m.Issue).where(
        m.Issue.state == "closed", m.Issue.ended_at >= period.begins, m.Issue.ended_at < period.ends,
        m.Issue.verifier_id.is_not(None),
    ).order_by(m.Issue.id)  # fmt: skip


def _unforced(look: Work, period: Period) -> list[m.Issue]:
    return [issue for issue in look.session.scalars(_ended(period)) if "forced" not in (issue.flags or {})]


def _closed_on_time(look: Work, period: Period) -> Iterable[Member]:
    closed = _unforced(look, period)
    late = set(
        look.session.scalars(
            select(m.Clock.issue_id).where(
                m.Clock.name.in_(("rectify", "accept", "close")), m.Clock.state.in_(("met_late", "missed")),
                m.Clock.exempt.is_(False), m.Clock.issue_id.in_([issue.id for issue in closed]),
            )
        )
    )  # fmt: skip
    for issue in closed:
        yield Member(f"issue:{issue.id}", issue.id not in late, issue.number)


def _close_time(look: Work, period: Period) -> Iterable[Member]:
    for issue in _unforced(look, period):
        assert issue.ended_at is not None
        minutes = (issue.ended_at - issue.opened_at).total_seconds() / 60
        yield Member(f"issue:{issue.id}", True, issue.number, amount=round(minutes, 1))


def _opened(period: Period) -> Select[Any]:
    return (
        select(m.Issue).where(m.Issue.opened_at >= period.begins, m.Issue.opened_at < period.ends).order_by(m.Issue.id)
    )


def _closed(look: Work, period: Period) -> Iterable[Member]:
    for issue in look.session.scalars(
        _opened(period).where(m.Issue.state.not_in(("dismissed", "transferred", "merged")))
    ):
        yield Member(f"issue:{issue.id}", issue.state == "closed", issue.number)


def _missed(look: Work, period: Period) -> Iterable[Member]:
    first = select(func.min(m.Sighting.id)).where(m.Sighting.issue_id.is_not(None)).group_by(m.Sighting.issue_id)
    query = (
        select(m.Issue.id, m.Issue.number, m.Sighting.channel)
        .join(m.Sighting, m.Sighting.issue_id == m.Issue.id)
        .where(
            m.Sighting.id.in_(first), m.Issue.opened_at >= period.begins, m.Issue.opened_at < period.ends,
            m.Issue.state.not_in(("dismissed", "merged")), m.Sighting.channel.in_(PUBLIC_FOUND | PATROL_FOUND),
        )
        .order_by(m.Issue.id)
    )  # fmt: skip
    for issue_id, number, channel in look.session.execute(query):
        yield Member(f"issue:{issue_id}", channel in PUBLIC_FOUND, number)


# --- trail ---------------------------------------------------------------------------------------------------


def _lines(look: Work, period: Period, *events: str) -> Iterable[tuple[m.Trail, str]]:
    query = (
        select(m.Trail, m.Issue.number)
        .join(m.Issue, m.Issue.id == m.Trail.issue_id)
        .where(m.Trail.event.in_(events), m.Trail.at >= period.begins, m.Trail.at < period.ends)
        .order_by(m.Trail.id)
    )
    return [(line, number) for line, number in look.session.execute(query)]


def _rework(look: Work, period: Period) -> Iterable[Member]:
    for line, number in _lines(look, period, "sent_back", "verified"):
        yield Member(f"line:{line.id}", line.event == "sent_back", number)


def _relapse(look: Work, period: Period) -> Iterable[Member]:
    for line, number in _lines(look, period, "looked_back"):
        yield Member(f"line:{line.id}", (line.facts or {}).get("finding") == "relapse", number)


def _rated(look: Work, period: Period) -> Iterable[tuple[m.Sighting, m.Issue, dict[str, Any] | None]]:
    """Reports with a code whose issue ended in the period, each with its last rating."""
    query = (
        select(m.Sighting, m.Issue)
        .join(m.Issue, m.Issue.id == m.Sighting.issue_id)
        .where(m.Sighting.receipt_hash.is_not(None), m.Issue.ended_at >= period.begins, m.Issue.ended_at < period.ends,
               m.Issue.state.in_(("closed", "dismissed", "transferred")))
        .order_by(m.Sighting.id)
    )  # fmt: skip
    found = look.session.execute(query).all()
    said: dict[int, dict[str, Any]] = {}
    lines = select(m.Trail).where(m.Trail.event == "rated", m.Trail.issue_id.in_([issue.id for _, issue in found]))
    for line in look.session.scalars(lines.order_by(m.Trail.id)):
        if line.facts:
            said[line.facts["sighting"]] = line.facts
    return [(sighting, issue, said.get(sighting.id)) for sighting, issue in found]


def _answered(look: Work, period: Period) -> Iterable[Member]:
    for sighting, issue, facts in _rated(look, period):
        yield Member(f"sighting:{sighting.id}", facts is not None, issue.number)


def _solved(look: Work, period: Period) -> Iterable[Member]:
    for sighting, issue, facts in _rated(look, period):
        if facts is not None:
            yield Member(f"sighting:{sighting.id}", bool(facts.get("solved")), issue.number)


def _satisfied(look: Work, period: Period) -> Iterable[Member]:
    for sighting, issue, facts in _rated(look, period):
        if facts is not None:
            yield Member(f"sighting:{sighting.id}", int(facts.get("stars", 0)) >= HAPPY, issue.number)


# --- sightings -----------------------------------------------------------------------------------------------


def _came(period: Period) -> Select[Any, Any]:
    return (
        select(m.Sighting, m.Issue.number)
        .outerjoin(m.Issue, m.Issue.id == m.Sighting.issue_id)
        .where(m.Sighting.received_at >= period.begins, m.Sighting.received_at < period.ends)
        .order_by(m.Sighting.id)
    )


def _filed(look: Work, period: Period) -> Iterable[Member]:
    decided = _came(period).where(m.Sighting.state.in_(("joined", "discarded")))
    for sighting, number in look.session.execute(decided):
        yield Member(f"sighting:{sighting.id}", sighting.state == "joined", number)


def _precision(look: Work, period: Period) -> Iterable[Member]:
    """Confirmed or found false by a person: in the review of a clue, or on the spot where none was needed."""
    machine = _came(period).where(m.Sighting.channel.in_(rights.MACHINE_CHANNELS))
    half1 = dict(look.session.execute(select(m.Issue.number, m.Issue.half1).where(m.Issue.half1.is_not(None))).all())
    for sighting, number in look.session.execute(machine):
        if sighting.reviewer_id is not None:
            if sighting.state == "joined" or sighting.why in FALSE_REASONS:
                yield Member(f"sighting:{sighting.id}", sighting.state == "joined", number)
        elif sighting.state == "joined" and half1.get(number):
            yield Member(f"sighting:{sighting.id}", half1[number] != "false", number)


def _waiting(look: Work, period: Period) -> Iterable[Member]:
    for sighting_id in look.session.scalars(select(m.Sighting.id).where(m.Sighting.state == "waiting")):
        yield Member(f"sighting:{sighting_id}", True)


# --- the sky -------------------------------------------------------------------------------------------------


def _rounds(look: Work, period: Period) -> Iterable[Member]:
    today = look.now.astimezone(SHANGHAI).date()
    flown = set(look.session.scalars(select(m.Flight.round_id).where(m.Flight.state == "settled")))
    due = select(m.Round).where(m.Round.due_on >= period.first, m.Round.due_on <= period.last).order_by(m.Round.no)
    for each in look.session.scalars(due):
        if each.id in flown or (each.due_on is not None and each.due_on < today):
            yield Member(f"round:{each.no}", each.id in flown)


def _coverage(look: Work, period: Period) -> dict[str, Any]:
    """What the last round that was reckoned in the period saw, in m² of what could be flown."""
    newest = look.session.scalar(
        select(m.Coverage.round_id)
        .where(m.Coverage.at >= period.begins, m.Coverage.at < period.ends)
        .order_by(m.Coverage.round_id.desc())
        .limit(1)
    )
    areas = [
        area
        for area in look.session.scalars(select(m.Coverage).where(m.Coverage.round_id == newest))
        if area.seen is not None
    ]
    could = [(area.area_m2 - area.unflyable_m2, area.seen or 0.0) for area in areas]
    bottom = sum(flyable for flyable, _ in could)
    top = sum(flyable * seen for flyable, seen in could)
    complete = bool(areas) and all(area.complete for area in areas)
    return {
        "value": None if not bottom else 1.0 if complete else min(round(top / bottom, 4), 0.9999),
        "numerator": round(top), "denominator": round(bottom), "parts": {},
        "words": percent(top / bottom, complete) if bottom else None,
    }  # fmt: skip


_MEMBERS: dict[str, Find] = {
    "filed": _filed, "push": _push, "on_site": _on_time("on_site"), "rectify": _on_time("rectify"),
    "closed_on_time": _closed_on_time, "closed": _closed, "rectified": _rectified, "rework": _rework,
    "late": _late(exempt_too=False), "late_all": _late(exempt_too=True), "missed": _missed, "answered": _answered,
    "solved": _solved, "satisfied": _satisfied, "relapse": _relapse, "precision": _precision, "waiting": _waiting,
    "rounds": _rounds, "close_time": _close_time,
}  # fmt: skip
