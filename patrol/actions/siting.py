"""Where a sighting is: declared system -> WGS-84, chainage, bank, grid, cell, and how near other things are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, or_, select

from geodata.crs import maybe_gcj02, to_wgs84
from geodata.merge import apart_m
from geodata.place import Place
from patrol import models as m
from patrol.rules import recurrence
from patrol.rules.problems import PROBLEMS, RELAPSE_DAYS
from patrol.station import Work

AREA_MARGIN_M = 500.0  # farther from the water than this is not our river
BANK_BUFFER_M = 100.0  # nearer than AREA_MARGIN_M but farther than this is taken and flagged
SHIFTED_M = (BANK_BUFFER_M, 25.0)  # off by more than this and within it when read as GCJ-02: asked about
WORST_ACCURACY_M = 1000.0  # a position this vague is no position
SEARCH_M = 400.0  # outlines and worse fixes reach this far at most


@dataclass(frozen=True)
class Site:
    """A position on the river, WGS-84. `accuracy_m` is a 90 % radius, None when unknown."""

    lon: float
    lat: float
    accuracy_m: float | None
    given: dict[str, Any]
    method: str
    chainage_m: float | None = None
    bank: str | None = None
    grid: str | None = None
    cell: int | None = None
    inside: bool = True
    warnings: tuple[str, ...] = ()


def site(work: Work, position: Mapping[str, Any], method: str = "declared") -> Site:
    """Place a declared position `{lon, lat, crs, accuracy_m?}` on the river."""
    lon, lat = to_wgs84(position["lon"], position["lat"], position["crs"])
    accuracy = position.get("accuracy_m")
    raw = Site(lon, lat, accuracy, dict(position), method)
    return _placed(work, raw)


def site_wgs84(work: Work, lon: float, lat: float, accuracy_m: float | None, method: str) -> Site:
    """Place a position that is already WGS-84 (a frame's projection, a chainage mark)."""
    given = {"lon": lon, "lat": lat, "crs": "wgs84", "accuracy_m": accuracy_m}
    return _placed(work, Site(lon, lat, accuracy_m, given, method))


def _placed(work: Work, raw: Site) -> Site:
    place = work.place
    warnings = []
    inside = place.holds(raw.lon, raw.lat, AREA_MARGIN_M)
    if raw.given.get("crs") in ("wgs84", "cgcs2000") and any(_shifted(place, raw, margin) for margin in SHIFTED_M):
        warnings.append("maybe_gcj02")
    if inside and not place.holds(raw.lon, raw.lat, BANK_BUFFER_M):
        warnings.append("off_bank")
    on = place.on_river(raw.lon, raw.lat) if inside else None
    grid = place.grid_of(raw.lon, raw.lat) if inside else None
    return replace(
        raw,
        chainage_m=round(on.chainage_m, 1) if on else None,
        bank=on.bank if on else None,
        grid=grid.code if grid else None,
        cell=recurrence.cell_of(raw.lon, raw.lat, latitude0(work)),
        inside=inside,
        warnings=tuple(warnings),
    )


def _shifted(place: Place, raw: Site, margin_m: float) -> bool:
    """Farther from the water than `margin_m` as given, within it when read as GCJ-02."""
    return maybe_gcj02(raw.lon, raw.lat, lambda lon, lat: place.holds(lon, lat, margin_m))


@dataclass(frozen=True)
class Readings:
    """A position said to be WGS-84 that lies off the river and on it when read as GCJ-02: both, for a person to say."""

    given: str
    gcj02: str
    apart_m: int


def readings(work: Work, position: Mapping[str, Any]) -> Readings | None:
    """The question such a position asks, or None. Nothing is moved: whoever sent it says which place it is."""
    at = site(work, position)
    if "maybe_gcj02" not in at.warnings:
        return None
    other = site(work, {**position, "crs": "gcj02"})
    apart = apart_m(at.lon, at.lat, None, other.lon, other.lat, None)
    given = f"{place_words(work, at.chainage_m, at.bank, at.lon, at.lat)} 岸外" if at.inside else "不在本河段"
    return Readings(given, place_words(work, other.chainage_m, other.bank, other.lon, other.lat), round(apart))


def latitude0(work: Work) -> float:
    """The latitude all cells of this place are counted at."""
    return round((work.place.bounds[1] + work.place.bounds[3]) / 2, 2)


@dataclass(frozen=True)
class Near:
    """An issue near a thing, with the law's verdict."""

    issue: m.Issue
    distance_m: float
    verdict: recurrence.Verdict


def near(
    work: Work, kind: str, at: Site, outline: Mapping[str, Any] | None = None, *,
    seen_at: datetime | None = None, any_kind: bool = False,
) -> list[Near]:  # fmt: skip
    """Issues near a sighting, nearest first, each judged as the same thing, a relapse or another."""
    radius = SEARCH_M
    ranges = recurrence.cells_around(at.lon, at.lat, latitude0(work), radius)
    floor_at = work.now - timedelta(days=RELAPSE_DAYS * 4)
    kinds = list(PROBLEMS) if any_kind else [kind]
    rows = work.session.scalars(
        select(m.Issue).where(
            m.Issue.kind.in_(kinds),
            or_(*(and_(m.Issue.cell >= first, m.Issue.cell <= last) for first, last in ranges)),
            m.Issue.state.not_in(("merged", "dismissed", "transferred")),
            or_(m.Issue.ended_at.is_(None), m.Issue.ended_at > floor_at),
        )
    )
    found = []
    for issue in rows:
        if issue.lon is None or issue.lat is None:
            continue
        distance = apart_m(at.lon, at.lat, outline, issue.lon, issue.lat, issue.outline)
        known = recurrence.Known(issue.kind, issue.state, distance, issue.accuracy_m, issue.ended_at, issue.after_at)
        verdict = recurrence.judge(kind, at.accuracy_m, seen_at or work.now, known, work.now)
        found.append(Near(issue, distance, verdict))
    return sorted(found, key=lambda each: (each.distance_m, each.issue.id))


def false_spot(work: Work, kind: str, at: Site) -> m.FalseSpot | None:
    """A remembered false detection of this kind here, if one still holds."""
    ranges = recurrence.cells_around(at.lon, at.lat, latitude0(work), PROBLEMS[kind].same_thing_m)
    rows = work.session.scalars(
        select(m.FalseSpot).where(
            m.FalseSpot.kind == kind,
            m.FalseSpot.until > work.now,
            or_(*(and_(m.FalseSpot.cell >= first, m.FalseSpot.cell <= last) for first, last in ranges)),
        )
    )
    reach = recurrence.reach_m(kind, at.accuracy_m, 0.0)
    return next((r for r in rows if apart_m(at.lon, at.lat, None, r.lon, r.lat, None) <= reach), None)


def place_words(work: Work, chainage_m: float | None, bank: str | None, lon: float | None, lat: float | None) -> str:
    """How people say where it is: 太湖港 K1+240 左岸，3号排口."""
    place = work.place
    if lon is None or lat is None:
        return ""
    spoken = place.river.words(chainage_m, bank) if place.river and chainage_m is not None else ""
    outfall = place.nearest_outfall(lon, lat, 40.0)
    return " ".join(filter(None, (place.name, spoken))) + (f"，{outfall.name}" if outfall else "")
