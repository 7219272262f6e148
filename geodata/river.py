"""One river as a ruler: chainage in metres from the upstream end, and the bank looking downstream.

Works in local metres with shapely. It must not know of layers, files or issues.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass, field
from typing import Any, Literal

import shapely
import shapely.ops
from shapely.geometry import LineString, Point

from geodata.crs import LocalXY, local_xy
from geodata.errors import GeoError

Bank = Literal["left", "right"]
BANK_WORDS: dict[str, str] = {"left": "左岸", "right": "右岸"}


@dataclass(frozen=True)
class OnRiver:
    """Where a point stands by the river: metres from the upstream end, metres off the centreline, bank."""

    chainage_m: float
    offset_m: float
    bank: Bank


def words(chainage_m: float | None, bank: str | None = None) -> str:
    """Chainage and bank as people say them; "" where there is no chainage.

    >>> words(1240.4, "left"), words(999.6), words(None)
    ('K1+240 左岸', 'K1+000', '')
    """
    if chainage_m is None:
        return ""
    whole_m = round(chainage_m)
    mark = f"K{whole_m // 1000}+{whole_m % 1000:03d}"
    return f"{mark} {BANK_WORDS[bank]}" if bank else mark


@dataclass(frozen=True, eq=False)
class River:
    """A centreline drawn from upstream to downstream, and the water surface round it when it is known.

    Build with `River.along`. Positions are WGS-84 degrees, lengths metres.
    """

    frame: LocalXY
    line_m: Any = field(repr=False)
    water_m: Any = field(repr=False)
    _starts_m: tuple[float, ...] = field(repr=False)

    @classmethod
    def along(cls, centreline: Any, water: Any = None) -> River:
        """From a WGS-84 LineString (upstream to downstream) and, if known, a (Multi)Polygon of the water.

        Raises GeoError `bad-centreline` when the line has no length.

        >>> river = River.along(LineString([(112.18, 30.35), (112.19, 30.35)]))
        >>> round(river.length_m)
        961
        """
        if centreline.is_empty or centreline.length == 0:
            raise GeoError("bad-centreline", "河道中心线没有长度，请检查 centreline 图层。", "centreline")
        west, south, east, north = centreline.bounds
        frame = local_xy((west + east) / 2, (south + north) / 2)
        metres = shapely.transform(centreline, frame.forward, interleaved=False)
        line = LineString(_without_repeats(list(metres.coords)))
        surface = None if water is None else shapely.transform(water, frame.forward, interleaved=False)
        if surface is not None:
            shapely.prepare(surface)
        shapely.prepare(line)
        starts, total = [], 0.0
        for (x1, y1), (x2, y2) in zip(line.coords[:-1], line.coords[1:], strict=True):
            starts.append(total)
            total += math.hypot(x2 - x1, y2 - y1)
        return cls(frame, line, surface, tuple(starts))

    @property
    def length_m(self) -> float:
        return float(self.line_m.length)

    def chainage_of(self, lon: float, lat: float) -> OnRiver:
        """The nearest place on the centreline. Past an end, the chainage is that end's.

        Raises GeoError `bad-position`, or `off-river` for a point on another side of the globe.

        >>> river = River.along(LineString([(112.18, 30.35), (112.19, 30.35)]))
        >>> river.chainage_of(112.185, 30.3501).bank
        'left'
        """
        point = self._point(lon, lat)
        chainage_m = float(self.line_m.project(point))
        x1, y1, x2, y2 = self._segment(chainage_m)
        side = (x2 - x1) * (point.y - y1) - (y2 - y1) * (point.x - x1)
        return OnRiver(chainage_m, float(self.line_m.distance(point)), "left" if side >= 0 else "right")

    def point_at(self, chainage_m: float, offset_m: float = 0.0, bank: Bank = "left") -> tuple[float, float]:
        """The WGS-84 position at a chainage, `offset_m` off the centreline towards a bank.

        `chainage_of` gives it back exactly on a straight reach, and within 2 * offset * tan(turn / 2)
        beside a vertex where the line turns. Raises GeoError `off-river` for a chainage outside 0 … length_m.

        >>> river = River.along(LineString([(112.18, 30.35), (112.19, 30.35)]))
        >>> river.chainage_of(*river.point_at(500.0, 20.0, "right")).bank
        'right'
        """
        if not (math.isfinite(chainage_m) and -1e-6 <= chainage_m <= self.length_m + 1e-6):
            raise GeoError(
                "off-river",
                f"桩号超出本河段：应在 {words(0)} 到 {words(math.floor(self.length_m))} 之间。",
                "chainage_m",
            )
        if not (math.isfinite(offset_m) and offset_m >= 0):
            raise GeoError("off-river", "离中心线的距离应是不小于零的米数。", "offset_m")
        at = self.line_m.interpolate(min(max(chainage_m, 0.0), self.length_m))
        x1, y1, x2, y2 = self._segment(chainage_m)
        run = math.hypot(x2 - x1, y2 - y1)
        sign = 1.0 if bank == "left" else -1.0
        lon, lat = self.frame.inverse(
            at.x - sign * offset_m * (y2 - y1) / run, at.y + sign * offset_m * (x2 - x1) / run
        )
        return float(lon), float(lat)

    def bank_of(self, lon: float, lat: float) -> Bank:
        """Left or right, looking downstream."""
        return self.chainage_of(lon, lat).bank

    def holds(self, lon: float, lat: float, margin_m: float = 0.0) -> bool:
        """Whether a point is on the water or within `margin_m` of it (of the line, without water)."""
        _check(lon, lat)
        if not self.frame.covers(lon, lat):
            return False
        shape = self.line_m if self.water_m is None else self.water_m
        return bool(shape.distance(self._point(lon, lat)) <= margin_m)

    def upstream_of(self, a: OnRiver | float, b: OnRiver | float) -> bool:
        """Whether `a` (a chainage in metres, or a place on the river) lies upstream of `b`.

        >>> River.along(LineString([(112.18, 30.35), (112.19, 30.35)])).upstream_of(100.0, 200.0)
        True
        """
        return _metres(a) < _metres(b)

    def between(self, from_m: float, to_m: float) -> Any:
        """The WGS-84 LineString of the centreline between two chainages."""
        part = shapely.ops.substring(self.line_m, from_m, to_m)
        return shapely.transform(part, self.frame.inverse, interleaved=False)

    def words(self, chainage_m: float | None, bank: str | None = None) -> str:
        """As the module's `words`."""
        return words(chainage_m, bank)

    def _point(self, lon: float, lat: float) -> Any:
        _check(lon, lat)
        if not self.frame.covers(lon, lat):
            raise GeoError("off-river", "坐标离本河段太远，算不出桩号。", f"{lon},{lat}")
        return Point(*self.frame.forward(lon, lat))

    def _segment(self, chainage_m: float) -> tuple[float, float, float, float]:
        index = max(0, bisect.bisect_right(self._starts_m, chainage_m) - 1)
        (x1, y1), (x2, y2) = self.line_m.coords[index], self.line_m.coords[index + 1]
        return x1, y1, x2, y2


def _check(lon: float, lat: float) -> None:
    if not (math.isfinite(lon) and math.isfinite(lat) and abs(lon) <= 180 and abs(lat) <= 90):
        raise GeoError("bad-position", "坐标不是有效的数，请重新取点。", f"{lon},{lat}")


def _metres(place: OnRiver | float) -> float:
    return place.chainage_m if isinstance(place, OnRiver) else place


def _without_repeats(coords: list[tuple[float, ...]]) -> list[tuple[float, float]]:
    kept: list[tuple[float, float]] = []
    for x, y, *_ in coords:
        if not kept or math.hypot(x - kept[-1][0], y - kept[-1][1]) > 1e-6:
            kept.append((x, y))
    return kept
