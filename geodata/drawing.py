"""One feature's coordinate arrays into a checked shape in WGS-84; names every fault, repairs nothing.

It knows of numbers and rings, not of layers, files or properties.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import shapely
from shapely.geometry import LineString, MultiPolygon, Point, Polygon

from geodata.crs import Declared
from geodata.errors import GeoError, GeoErrors

MAX_VERTICES = 20_000
MAX_RINGS = 1_000
MAX_LATITUDE = 85.0
# Enough bad points of one ring to see what is wrong with all of them.
BAD_POINTS_SHOWN = 5


class Faults:
    """Collects what is wrong with one layer, so that a person hears of everything at once."""

    # Past this many the rest says nothing new.
    ENOUGH = 200

    def __init__(self, layer: str) -> None:
        self.layer = layer
        self.found: list[GeoError] = []

    def add(self, code: str, sentence: str, number: int | None = None, at: tuple[float, float] | None = None) -> None:
        """One fault, with the layer, the feature's number and the point it lies at, where there are any."""
        where = self.layer if number is None else f"{self.layer} 第 {number} 个要素"
        if at is not None:
            where += f" 点 ({at[0]:.7g}, {at[1]:.7g})"
        if len(self.found) < self.ENOUGH:
            self.found.append(GeoError(code, f"{where}：{sentence}", where, severity="error"))

    def close(self) -> None:
        """Raises GeoErrors when anything was found."""
        if self.found:
            raise GeoErrors(self.found)


class Drawing:
    """Draws one feature: `number` names it in faults, `system` is what its numbers were declared to be."""

    def __init__(self, number: int, system: Declared, faults: Faults, notes: list[str]) -> None:
        self.number, self.system, self.faults, self.notes = number, system, faults, notes
        self.left = MAX_VERTICES

    def draw(self, kind: str, coordinates: Any) -> Any:
        """The shape of a GeoJSON type's coordinates, or None when a fault was added."""
        shapes: dict[str, Callable[[Any], Any]] = {
            "Point": self._point,
            "LineString": self._line,
            "Polygon": self._polygon,
            "MultiPolygon": self._polygons,
        }
        return shapes[kind](coordinates)

    def _fault(self, code: str, sentence: str, at: tuple[float, float] | None = None) -> None:
        self.faults.add(code, sentence, self.number, at)

    def _position(self, item: Any) -> tuple[float, float] | None:
        good = isinstance(item, list) and len(item) >= 2
        if good and None in item[:2]:
            # What the readers of other formats hand on for NaN and Infinity.
            self._fault("bad-position", "坐标不是有限的数。")
            return None
        if not good or not all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in item):
            self._fault("bad-position", f"坐标 {str(item)[:60]} 不是 [经度, 纬度]。")
            return None
        try:
            x, y = float(item[0]), float(item[1])
        except OverflowError:
            x = y = math.inf
        if not (math.isfinite(x) and math.isfinite(y)):
            self._fault("bad-position", "坐标不是有限的数。")
            return None
        if len(item) > 2 and "高程已略去" not in self.notes:
            self.notes.append("高程已略去")
        if self.system.metres and abs(x) <= 360 and abs(y) <= 90:
            self._fault("crs-mismatch", f"声明的 {self.system.name} 以米计，数值却像经纬度。", (x, y))
            return None
        if not self.system.metres and (abs(x) > 360 or abs(y) > 180):
            self._fault("crs-mismatch", f"声明的 {self.system.name} 以度计，数值却像米。", (x, y))
            return None
        try:
            lon, lat = self.system.to_wgs84(x, y)
        except GeoError as error:
            self._fault(error.code, error.sentence, (x, y))
            return None
        if abs(lat) > MAX_LATITUDE:
            self._fault("out-of-area", "点在极区，不可能属于本河段；请检查经纬度是否写反。", (lon, lat))
            return None
        return lon, lat

    def _positions(self, items: Any, least: int, what: str) -> list[tuple[float, float]] | None:
        if not isinstance(items, list) or len(items) < least:
            self._fault("too-few-points", f"{what}至少要 {least} 个点。")
            return None
        self.left -= len(items)
        if self.left < 0:
            self._fault("too-much", f"一个图形的顶点超过 {MAX_VERTICES} 个，请先简化。")
            return None
        known = len(self.faults.found)
        points = []
        for item in items:
            point = self._position(item)
            if point is None:
                if len(self.faults.found) - known >= BAD_POINTS_SHOWN:
                    break
                continue
            points.append(point)
        return points if len(self.faults.found) == known else None

    def _point(self, coordinates: Any) -> Any:
        position = self._position(coordinates)
        return None if position is None else Point(position)

    def _line(self, coordinates: Any) -> Any:
        points = self._positions(coordinates, 2, "线")
        if points is None:
            return None
        if len(set(points)) < 2:
            self._fault("zero-length", "线没有长度，各点重合。", points[0])
            return None
        line = LineString(points)
        if not line.is_simple:
            crossing = _crossing(line)
            self._fault("self-crossing", "线自己交叉，桩号会有两个值；请重画交叉处。", crossing)
            return None
        return line

    def _ring(self, items: Any, what: str) -> list[tuple[float, float]] | None:
        points = self._positions(items, 4, what)
        if points is None:
            return None
        if points[0] != points[-1]:
            self._fault("open-ring", f"{what}没有闭合，首尾两点应相同。", points[-1])
            return None
        if len(set(points)) < 3:
            self._fault("too-few-points", f"{what}只有 {len(set(points))} 个不同的点，围不成面。", points[0])
            return None
        return points if self._sound(Polygon(points), what) else None

    def _sound(self, shape: Any, what: str) -> bool:
        reason = shapely.is_valid_reason(shape)
        if reason == "Valid Geometry":
            return True
        code, words = _reason(reason)
        self._fault(code, f"{what}{words}", _point_in(reason))
        return False

    def _polygon(self, coordinates: Any) -> Any:
        if not isinstance(coordinates, list) or not coordinates:
            self._fault("too-few-points", "面没有外环。")
            return None
        if len(coordinates) > MAX_RINGS:
            self._fault("too-much", f"一个面的环超过 {MAX_RINGS} 个，请先简化。")
            return None
        rings = [
            self._ring(items, "外环" if index == 0 else f"第 {index} 个内环") for index, items in enumerate(coordinates)
        ]
        if not all(rings):
            return None
        shape = Polygon(rings[0], rings[1:])
        return shape if self._sound(shape, "面") else None

    def _polygons(self, coordinates: Any) -> Any:
        if not isinstance(coordinates, list) or not coordinates:
            self._fault("too-few-points", "多面里没有面。")
            return None
        if len(coordinates) > MAX_RINGS:
            self._fault("too-much", f"一个多面的面超过 {MAX_RINGS} 个，请先简化。")
            return None
        parts = [self._polygon(part) for part in coordinates]
        if any(part is None for part in parts):
            return None
        shape = MultiPolygon(parts)
        return shape if self._sound(shape, "多面") else None


_REASONS = (
    ("Hole lies outside shell", "hole-outside", "的内环在外环之外，请重画内环。"),
    ("Holes are nested", "nested-holes", "的内环套着内环，请删去里面的一个。"),
    ("Nested shells", "nested-shells", "的各部分互相套着，请拆开。"),
    ("Duplicate Rings", "duplicate-rings", "有两个一样的环，请删去一个。"),
    ("Ring Self-intersection", "self-crossing", "的边界碰到了自己，请重画相碰处。"),
    ("Self-intersection", "self-crossing", "的边界自己交叉（蝴蝶结），请重画交叉处。"),
    ("Interior is disconnected", "split-inside", "的内环把面切成了几块，请拆成多个面。"),
    ("Too few points", "too-few-points", "的点太少，围不成面。"),
)


def _reason(reason: str) -> tuple[str, str]:
    for start, code, words in _REASONS:
        if reason.startswith(start):
            return code, words
    return "invalid-shape", "不是有效的图形，请重画。"


def _point_in(reason: str) -> tuple[float, float] | None:
    found = re.search(r"\[(\S+) (\S+)\]", reason)
    return (float(found.group(1)), float(found.group(2))) if found else None


def _crossing(line: Any) -> tuple[float, float] | None:
    """Where a line crosses itself: the nodes that noding adds, or a vertex it comes back to."""
    nodes: dict[tuple[float, float], int] = {}
    parts = shapely.node(line)
    for part in getattr(parts, "geoms", [parts]):
        for end in (part.coords[0], part.coords[-1]):
            nodes[(end[0], end[1])] = nodes.get((end[0], end[1]), 0) + 1
    crossings = [node for node, ends in nodes.items() if ends > 2]
    return min(crossings) if crossings else None
