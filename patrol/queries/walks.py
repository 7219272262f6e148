"""How far the week's patrols along the river have come: by grid, metres of bank walked of those planned."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from geodata import walks
from patrol import models as m
from patrol.rules.calendar import local
from patrol.station import Work


def week_of(work: Work) -> datetime:
    """The beginning of this week, Monday 0:00 in Shanghai."""
    now = local(work.now)
    monday = now - timedelta(days=now.weekday())
    return monday.replace(hour=0, minute=0, second=0, microsecond=0)


def progress(work: Work, since: datetime | None = None) -> list[dict[str, Any]]:
    """Every grid of the actor with its plan. A metre counts as often as it was walked, but in all no more than planned;
    one walk counts each metre once."""
    since = since or week_of(work)
    rows = work.session.scalars(select(m.Walk).where(m.Walk.started_at >= since)).all()
    lengths, found = walks.bank_lengths(work.place), []
    own = None if work.actor.grids is None or not work.actor.has("grid") else work.actor.grids
    for grid in sorted(work.place.grids, key=lambda one: one.code):
        if own is not None and grid.code not in own:
            continue
        times, length_m = work.place.patrols.get(grid.code, 0), lengths.get(grid.code, 0.0)
        walked_m = sum(float(row.by_grid.get(grid.code, 0.0)) for row in rows)
        planned_m = times * length_m
        share = min(1.0, walked_m / planned_m) if planned_m else None
        found.append({"grid": grid.code, "name": grid.name, "times_a_week": times, "bank_m": round(length_m),
                      "planned_m": round(planned_m), "walked_m": round(walked_m), "share": share,
                      "walks": sum(1 for row in rows if row.by_grid.get(grid.code))})  # fmt: skip
    return found


def mine(work: Work, most: int = 10) -> list[m.Walk]:
    """The actor's own last walks, newest first."""
    query = select(m.Walk).where(m.Walk.person_id == work.actor.person_id).order_by(m.Walk.started_at.desc())
    return list(work.session.scalars(query.limit(most)))
