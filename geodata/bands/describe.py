"""Objects of pixels as detections: limits on the whole object, score, outline in lon/lat, area and statistics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import mapping

from geodata.bands.classify import FIRST_BAND, FROM, ROW, SCORE, SQUARES, TO
from geodata.bands.components import Component
from geodata.bands.grid import Grid, in_metres, pixel_areas_m2
from geodata.bands.outline import TOLERANCE_PX, outlines
from geodata.bands.plan import Plan
from geodata.bands.ruleset import Row, RuleSet
from geodata.bands.zone import Spans, gap_px
from geodata.crs import LocalXY

FAR_M = 20.0
"""Banks farther off than this count as this far."""
MOST_RUNS = 200
"""So many runs of an object tell how far the bank is."""


@dataclass(frozen=True)
class Detection:
    """One thing seen. `outline`: shapely Polygon or MultiPolygon in WGS-84; `lon`, `lat`: a point inside of it.

    `score`: 0.5 where every limit is just met, 1 where all are exceeded by their soft width; no probability.
    `covariance_m2`: east-north covariance (2, 2) of the point, or None when the picture does not tell it.
    `stats`: plain numbers. `warnings`: Chinese sentences.
    """

    kind: str
    score: float
    outline: Any = field(repr=False)
    lon: float
    lat: float
    area_m2: float
    rule: str
    rules_hash: str
    stats: Mapping[str, Any]
    covariance_m2: NDArray[np.float64] | None = None
    warnings: tuple[str, ...] = ()

    @property
    def geometry(self) -> dict[str, Any]:
        """The outline as GeoJSON, rounded to 1e-9 degrees (0.1 mm)."""
        shape = shapely.transform(self.outline, lambda points: np.round(points, 9))
        found: dict[str, Any] = mapping(shape)
        return found

    def as_dict(self) -> dict[str, Any]:
        """Plain values ready for JSON."""
        held: dict[str, Any] = {
            "kind": self.kind,
            "score": round(self.score, 4),
            "geometry": self.geometry,
            "area_m2": round(self.area_m2, 4),
            "lon": round(self.lon, 9),
            "lat": round(self.lat, 9),
            "rule": self.rule,
            "rules_hash": self.rules_hash,
            "stats": dict(self.stats),
            "warnings": list(self.warnings),
        }
        if self.covariance_m2 is not None:
            held["cov_en_m2"] = np.round(self.covariance_m2, 6).tolist()
        return held


def describe(
    components: Sequence[Component],
    plan: Plan,
    rules: RuleSet,
    grid: Grid,
    frame: LocalXY,
    spans: Spans,
    pixel_m: float,
    tolerance_px: float = TOLERANCE_PX,
) -> list[Detection]:
    """Detections of the components that pass their row's limits on the whole object, or those of `otherwise`.

    `tolerance_px`: see `geodata.bands.outline.outlines`.
    """
    if not components:
        return []
    measures = Measures(components, plan, grid, frame, spans, pixel_m)
    rows = {row.name: row for row in plan.rows}
    passed: list[tuple[Component, Row, float, dict[str, Any]]] = []
    for place, one in enumerate(components):
        row: Row | None = plan.rows[one.kind - 1]
        asked: set[str] = set()
        while row is not None and row.name not in asked:
            asked.add(row.name)
            score = _score(row, measures, place)
            if score is not None:
                passed.append((one, row, score, measures.stats(place)))
                break
            row = rows.get(row.otherwise)
    return _placed(passed, plan, rules, grid, frame, tolerance_px)


def _placed(
    passed: Sequence[tuple[Component, Row, float, dict[str, Any]]],
    plan: Plan,
    rules: RuleSet,
    grid: Grid,
    frame: LocalXY,
    tolerance_px: float,
) -> list[Detection]:
    if not passed:
        return []
    shapes_px = outlines([one for one, *_ in passed], tolerance_px)
    points = shapely.get_coordinates(shapely.point_on_surface(shapes_px))
    there = grid.to_lonlat(points)
    shapes = shapely.transform(shapes_px, grid.to_lonlat)
    # Rounding may make rings of one shape touch that lay a hair apart.
    crossed = np.flatnonzero(~shapely.is_valid(shapes))
    shapes[crossed] = shapely.make_valid(shapes[crossed], method="structure")
    areas = _areas_m2(shapes, frame) * _pixels(passed) / shapely.area(shapes_px)
    spread = grid.covariance(points)
    good = np.isfinite(there).all(axis=1) & np.isfinite(areas) & ~shapely.is_empty(shapes)
    return [
        Detection(
            row.kind, score, shapes[k], float(there[k, 0]), float(there[k, 1]), float(areas[k]), row.name,
            rules.digest, stats, None if spread is None else spread[k],
        )
        for k, (_, row, score, stats) in enumerate(passed)
        if good[k]
    ]  # fmt: skip


def _pixels(passed: Sequence[tuple[Component, Row, float, dict[str, Any]]]) -> NDArray[np.float64]:
    return np.array([one.pixels for one, *_ in passed], np.float64)


def _areas_m2(shapes: NDArray[Any], frame: LocalXY) -> NDArray[np.float64]:
    """Areas on the ground of outlines in degrees; what smoothing took or gave is put right by counting pixels."""
    metres = shapely.transform(shapes, lambda places: in_metres(places, frame))
    found: NDArray[np.float64] = shapely.area(metres)
    return found


class Measures:
    """What may be asked of whole objects, an array entry an object."""

    def __init__(
        self,
        components: Sequence[Component],
        plan: Plan,
        grid: Grid,
        frame: LocalXY,
        spans: Spans,
        pixel_m: float,
    ) -> None:
        self._components, self._plan, self._spans, self._pixel_m = components, plan, spans, pixel_m
        self.pixels = np.array([one.pixels for one in components], np.int64)
        sums = np.stack([one.sums for one in components])
        centres, long_px, short_px = moments(components)
        self._held = {
            "area_m2": self.pixels * pixel_areas_m2(grid, centres, frame),
            "score": sums[:, SCORE] / (200.0 * self.pixels),
            "length_m": long_px * pixel_m,
            "width_m": short_px * pixel_m,
            "elongation": long_px / short_px,
            "fill": self.pixels / (long_px * short_px),
        }
        self.mean = sums[:, FIRST_BAND:] / (self.pixels[:, None] * float(plan.signals.quantum))
        bright = (sums[:, FIRST_BAND + plan.signals.green] + sums[:, FIRST_BAND + plan.signals.red]) / self.pixels
        spread = np.maximum(sums[:, SQUARES] / self.pixels - bright * bright, 0.0)
        top, under = self.mean @ plan.features.num.T, self.mean @ plan.features.den.T
        with np.errstate(divide="ignore", invalid="ignore"):
            self._held["variation"] = np.where(bright > 0, np.sqrt(spread) / bright, 0.0)
            self.indices = np.where(plan.features.ratio[None, :] != 0, top / under, top)

    def of(self, measure: str, place: int) -> float:
        """The value of a measure, or of an index of the mean signal, of one object."""
        if measure in self._held:
            return float(self._held[measure][place])
        if measure == "bank_gap_m":
            runs = self._components[place].runs
            runs = runs[:: max(1, len(runs) // MOST_RUNS)]
            return float(gap_px(runs, self._spans, int(FAR_M / self._pixel_m) + 1)) * self._pixel_m
        return float(self.indices[place, self._plan.indices.index(measure)])

    def stats(self, place: int) -> dict[str, Any]:
        """What is kept with a detection."""
        names = (*self._plan.names, "texture") if self._plan.signals.texture >= 0 else self._plan.names
        ratios = np.flatnonzero(self._plan.features.ratio)
        return {
            "pixels": int(self.pixels[place]),
            "mean": dict(zip(names, np.round(self.mean[place], 5).tolist(), strict=False)),
            "indices": {
                self._plan.indices[k]: round(float(self.indices[place, k]), 4)
                for k in ratios
                if math.isfinite(self.indices[place, k])
            },
            "length_m": round(self.of("length_m", place), 3),
            "width_m": round(self.of("width_m", place), 3),
            "elongation": round(self.of("elongation", place), 2),
            "variation": round(self.of("variation", place), 4),
        }


def _score(row: Row, measures: Measures, place: int) -> float | None:
    """The score of an object under a row, or None when it is no such thing."""
    if not row.min_area_m2 <= measures.of("area_m2", place) <= row.max_area_m2:
        return None
    score = measures.of("score", place)
    for term in row.object_terms:
        value = measures.of(term.measure, place)
        beyond = (value - term.limit if term.above else term.limit - value) / term.soft
        if not beyond >= 0:
            return None
        score = min(score, 0.5 + 0.5 * min(beyond, 1.0))
    return min(max(score, 0.0), 1.0)


def moments(components: Sequence[Component]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Centres (n, 2) in pixels, and long and short side of the rectangle with an object's second moments (at least 1).

    >>> runs = np.array([[0, 0, 6, 1], [1, 0, 6, 1]], np.int32)
    >>> [values.round(6).tolist() for values in moments([Component(1, 12, (0, 2, 0, 6), np.zeros(2, np.int64), runs)])]
    [[[3.0, 1.0]], [6.0], [2.0]]
    """
    starts = np.concatenate(([0], np.cumsum([len(one.runs) for one in components])[:-1]))
    runs = np.concatenate([one.runs for one in components]).astype(np.float64)
    weight = runs[:, TO] - runs[:, FROM]
    x, y = (runs[:, FROM] + runs[:, TO]) / 2, runs[:, ROW] + 0.5
    total = np.add.reduceat(weight, starts)
    cx, cy = np.add.reduceat(x * weight, starts) / total, np.add.reduceat(y * weight, starts) / total
    own = np.repeat(np.arange(len(components)), np.diff(np.append(starts, len(runs))))
    dx, dy = x - cx[own], y - cy[own]
    xx = np.add.reduceat((dx * dx + weight * weight / 12) * weight, starts) / total
    yy = np.add.reduceat(dy * dy * weight, starts) / total + 1 / 12
    xy = np.add.reduceat(dx * dy * weight, starts) / total
    mean, apart = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    long_px = np.maximum(np.sqrt(12 * (mean + apart)), 1.0)
    short_px = np.maximum(np.sqrt(12 * np.maximum(mean - apart, 0.0)), 1.0)
    return np.column_stack((cx, cy)), long_px, short_px
