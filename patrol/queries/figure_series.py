"""What the charts beside the figures show: weeks, how long closing took, which kind lies where, units. Plain rows."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select

from patrol import models as m
from patrol.queries import figures
from patrol.rules.calendar import SHANGHAI
from patrol.rules.figures import Period
from patrol.rules.problems import PROBLEMS
from patrol.station import Work

WEEKS = 12
BUCKETS: tuple[tuple[str, float], ...] = (
    ("4 小时内", 4), ("8 小时内", 8), ("1 天内", 24), ("2 天内", 48), ("5 天内", 120), ("10 天内", 240), ("更久", float("inf")),
)  # fmt: skip
STRETCH_M = 100


def weeks(look: Work, period: Period) -> list[dict[str, Any]]:
    """Issues opened and closed in each of the weeks up to the period's end, oldest first; weeks begin on Mondays."""
    monday = period.last - timedelta(days=period.last.weekday())
    starts = [monday - timedelta(weeks=back) for back in reversed(range(WEEKS))]
    whole = Period(starts[0], starts[-1] + timedelta(days=6))
    came: dict[date, int] = defaultdict(int)
    went: dict[date, int] = defaultdict(int)
    both = select(m.Issue.opened_at, m.Issue.ended_at, m.Issue.state).where(m.Issue.state != "merged")
    for opened_at, ended_at, state in look.session.execute(both.where(m.Issue.opened_at < whole.ends)):
        came[_monday(opened_at.astimezone(SHANGHAI).date())] += 1
        if state == "closed" and ended_at is not None:
            went[_monday(ended_at.astimezone(SHANGHAI).date())] += 1
    return [{"week": start.isoformat(), "opened": came[start], "closed": went[start]} for start in starts]


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def close_times(look: Work, period: Period) -> list[dict[str, Any]]:
    """How many issues took how long from opening to closing; a bucket does not hold what the one before it holds."""
    counts = dict.fromkeys((zh for zh, _ in BUCKETS), 0)
    for member in figures.members(look, "close_time", period):
        hours = (member.amount or 0.0) / 60
        counts[next(zh for zh, most in BUCKETS if hours <= most)] += 1
    return [{"zh": zh, "count": count} for zh, count in counts.items()]


def heat(look: Work, period: Period) -> dict[str, Any]:
    """Issues opened in the period by kind and 100 m of the river, from its upstream end."""
    river = look.place.river
    if river is None:
        return {"stretches": 0, "rows": []}
    stretches = max(1, -(-int(river.length_m) // STRETCH_M))
    rows: dict[str, list[int]] = {kind: [0] * stretches for kind in PROBLEMS}
    query = select(m.Issue.kind, m.Issue.chainage_m).where(
        m.Issue.opened_at >= period.begins, m.Issue.opened_at < period.ends, m.Issue.chainage_m.is_not(None),
        m.Issue.state.not_in(("merged", "dismissed")),
    )  # fmt: skip
    for kind, chainage_m in look.session.execute(query):
        rows[kind][min(int((chainage_m or 0.0) // STRETCH_M), stretches - 1)] += 1
    return {
        "stretches": stretches,
        "rows": [
            {"kind": kind, "zh": PROBLEMS[kind].zh, "counts": counts, "sum": sum(counts)}
            for kind, counts in rows.items()
            if any(counts)
        ],
    }


def units(look: Work, period: Period) -> list[dict[str, Any]]:
    """Each unit's rectification in time, and what it has open; the most late first."""
    by_unit: dict[str, dict[str, int]] = defaultdict(lambda: {"due": 0, "met": 0, "open": 0, "closed": 0})
    lead = dict(look.session.execute(select(m.Issue.number, m.Issue.lead_unit)).all())
    for member in figures.members(look, "rectify", period):
        unit = lead.get(member.issue or "")
        if unit:
            by_unit[unit]["due"] += 1
            by_unit[unit]["met"] += member.met
    for state, unit, ended_at in look.session.execute(select(m.Issue.state, m.Issue.lead_unit, m.Issue.ended_at)):
        if unit is None:
            continue
        if state in ("assigned", "supervised"):
            by_unit[unit]["open"] += 1
        elif state == "closed" and ended_at is not None and period.begins <= ended_at < period.ends:
            by_unit[unit]["closed"] += 1
    named = look.place.units
    rows = [
        {
            "unit": code,
            "zh": named[code].name if code in named else code,
            **counts,
            "late": counts["due"] - counts["met"],
        }
        for code, counts in by_unit.items()
    ]
    return sorted(rows, key=lambda row: (-row["late"], -row["open"], row["zh"]))
