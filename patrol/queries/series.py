"""What teams saw: spots, monthly means of each series, and the bird count against the year before."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from patrol import models as m
from patrol.rules.calendar import SHANGHAI
from patrol.rules.observing import SERIES, Seen, monthly, year_on_year
from patrol.station import Work

MONTHS = 14  # a chart's width: a year and what of the next is there


def spots(work: Work) -> list[dict[str, Any]]:
    """Spots with their last value of each series; for everybody."""
    river = work.place.river
    last: dict[int, dict[str, Any]] = {}
    for row in work.session.scalars(
        select(m.Observation).where(m.Observation.dropped.is_(False)).order_by(m.Observation.on)
    ):
        last.setdefault(row.spot_id, {})[row.series] = row
    return [
        {"spot": row.code, "name": row.name, "chainage_m": row.chainage_m, "bank": row.bank, "lon": row.lon, "lat": row.lat,
         "place": river.words(row.chainage_m, row.bank) if river else "",
         "last": [{"series": code, "zh": SERIES[code].zh, "words": words_of(code, seen.value), "on": seen.on.isoformat()}
                  for code in SERIES if (seen := last.get(row.id, {}).get(code)) is not None]}
        for row in work.session.scalars(select(m.Spot).order_by(m.Spot.chainage_m, m.Spot.id))
    ]  # fmt: skip


def series(work: Work, code: str, spot: str = "") -> dict[str, Any]:
    """One series by months: means, counts, the comparison, and the bars of its small chart."""
    seen = _seen(work, code, spot)
    row = SERIES[code]
    months = [{"month": month, "mean": round(mean, 1), "count": count, "words": words_of(code, mean)}
              for month, mean, count in monthly(seen)][-MONTHS:]  # fmt: skip
    today = work.now.astimezone(SHANGHAI)
    told = year_on_year(seen, today.year, today.month)
    top = max((float(str(one["mean"])) for one in months), default=0.0) or 1.0
    for one in months:
        one["share"] = round(float(str(one["mean"])) / (row.most if row.scale else top), 4)
    return {
        "series": code, "zh": row.zh, "unit": row.unit, "scale": list(row.scale), "months": months, "spot": spot,
        "compare": {"year": told.year, "now": told.now and round(told.now, 1), "before": told.before and round(told.before, 1),
                    "change": told.change if told.change is None else round(told.change, 4), "pairs": told.pairs,
                    "spots": told.spots, "months": list(told.months)} if code == "birds" else None,
    }  # fmt: skip


def words_of(code: str, value: float) -> str:
    """A value with its unit, or the word of a scale."""
    row = SERIES[code]
    if row.scale:
        return row.scale[min(max(round(value), 1), len(row.scale)) - 1]
    return f"{value:.0f} {row.unit}" if value == int(value) else f"{value:.1f} {row.unit}"


def last_records(work: Work, count: int = 20) -> list[dict[str, Any]]:
    """The newest records, for the office to look through."""
    query = (select(m.Observation, m.Spot.name, m.Team.name).join(m.Spot, m.Spot.id == m.Observation.spot_id)
             .join(m.Team, m.Team.id == m.Observation.team_id).where(m.Observation.dropped.is_(False))
             .order_by(m.Observation.id.desc()).limit(count))  # fmt: skip
    return [{"id": row.id, "zh": SERIES[row.series].zh, "spot": spot, "team": team, "on": row.on.isoformat(),
             "words": words_of(row.series, row.value), "note": row.words}
            for row, spot, team in work.session.execute(query)]  # fmt: skip


def _seen(work: Work, code: str, spot: str) -> list[Seen]:
    query = (select(m.Spot.code, m.Observation.on, m.Observation.value)
             .join(m.Spot, m.Spot.id == m.Observation.spot_id)
             .where(m.Observation.series == code, m.Observation.dropped.is_(False)).order_by(m.Observation.on))  # fmt: skip
    if spot:
        query = query.where(m.Spot.code == spot)
    return [Seen(code_, on, value) for code_, on, value in work.session.execute(query)]
