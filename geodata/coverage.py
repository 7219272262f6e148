"""How much of each key area a flight's photographs show, and where the gaps are.

Footprints are shrunk by their own error first, so that "seen" means seen whatever the error did. What could not be
flown is shown apart, neither as seen nor as a gap. It judges no photograph: the reason for leaving one out comes
with it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import shapely

from geodata.crs import LocalXY, local_xy
from geodata.errors import GeoError
from geodata.sheet import once_and_twice, polygons_only

GAP_M2 = 1.0
"""An area with this much unseen is not complete."""
LEAST_SHARE = 0.001
"""Nor is a small one with this share of it unseen."""
NOISE_M2 = 0.01
"""Smaller slivers are arithmetic, not ground."""
GRAIN_M = 0.001
WIDEST_M = 200_000.0

EXCLUDED: Mapping[str, str] = MappingProxyType(
    {
        "pose": "位置或姿态不可用",
        "blurred": "模糊",
        "edited": "被其他软件重新保存过",
        "horizon": "镜头过平或朝上，看到了地平线",
        "no_error": "没有误差估计，不能保守计算",
        "too_uncertain": "误差比画面还大，缩去误差后什么也不剩",
        "bad_shape": "覆盖范围的形状无效",
    }
)
"""Why a photograph does not count: the first four are told by the caller, the rest are found here."""


class Area(Protocol):
    """What must be seen: a code, a name and a (Multi)Polygon in WGS-84, as `geodata.place.KeyArea` has them."""

    @property
    def code(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def polygon(self) -> Any: ...


@dataclass(frozen=True)
class Footprint:
    """What one photograph shows of the ground: a WGS-84 polygon, its 90 % error radius, why it may not count.

    `excluded` is a key of EXCLUDED or "".
    """

    frame: str
    polygon: Any = field(repr=False)
    ce90_m: float | None
    excluded: str = ""


@dataclass(frozen=True)
class Unflyable:
    """A WGS-84 polygon that could not be flown, and why, in words for people."""

    polygon: Any = field(repr=False)
    reason: str


@dataclass(frozen=True)
class Gap:
    """A connected piece that no photograph surely shows: WGS-84 polygon and its size on the ground."""

    polygon: Any = field(repr=False)
    area_m2: float


@dataclass(frozen=True)
class Barred:
    """The part of an area that could not be flown for one reason: WGS-84 (Multi)Polygon and size."""

    polygon: Any = field(repr=False)
    reason: str
    area_m2: float


@dataclass(frozen=True)
class AreaCoverage:
    """One area after a flight. Shares are of its flyable part, None when nothing of it could be flown.

    `seen_twice_share` is what two photographs or more surely show. `left_out` counts photographs by reason; it is
    the whole flight's, the same in every area.
    """

    code: str
    name: str
    area_m2: float
    flyable_m2: float
    seen_m2: float
    seen_twice_m2: float
    gaps: tuple[Gap, ...]
    gap_m2: float
    barred: tuple[Barred, ...]
    frames: int
    left_out: Mapping[str, int]

    @property
    def seen_share(self) -> float | None:
        return min(self.seen_m2 / self.flyable_m2, 1.0) if self.flyable_m2 > 0 else None

    @property
    def seen_twice_share(self) -> float | None:
        return min(self.seen_twice_m2 / self.flyable_m2, 1.0) if self.flyable_m2 > 0 else None

    @property
    def complete(self) -> bool:
        """Whether less than 1 m2, and less than a thousandth, of the flyable part is unseen."""
        return self.flyable_m2 > 0 and self.gap_m2 < min(GAP_M2, LEAST_SHARE * self.flyable_m2)

    @property
    def percent(self) -> str:
        """The seen share as people read it: cut, never rounded up, and `100 %` only when complete."""
        if self.complete:
            return "100 %"
        return percent_words(self.seen_share)

    @property
    def sentence(self) -> str:
        """One sentence for people."""
        if self.seen_share is None:
            return f"{self.name}：全部无法飞行（{'、'.join(sorted({part.reason for part in self.barred}))}）。"
        words = f"{self.name}：已拍到 {self.percent}"
        if self.complete:
            words += "，没有缺口"
        else:
            words += f"，缺口 {len(self.gaps)} 处、共 {math.ceil(self.gap_m2)} 平方米"
        if self.barred:
            barred_m2 = sum(part.area_m2 for part in self.barred)
            words += (
                f"；另有 {math.ceil(barred_m2)} 平方米无法飞行（{'、'.join(sorted({p.reason for p in self.barred}))}）"
            )
        return words + "。"


def percent_words(share: float | None) -> str:
    """A share below one as people read it, cut to a tenth; never `100 %`.

    >>> percent_words(0.99999), percent_words(0.5), percent_words(1.0), percent_words(None)
    ('99.9 %', '50.0 %', '99.9 %', '—')
    """
    if share is None:
        return "—"
    return f"{min(math.floor(share * 1000 + 1e-9), 999) / 10:.1f} %"


def coverage(
    areas: Sequence[Area], footprints: Iterable[Footprint], unflyable: Sequence[Unflyable] = ()
) -> list[AreaCoverage]:
    """Coverage of each area, in the given order.

    Parameters: WGS-84 polygons throughout; invalid ones are repaired to the parts that are surely inside (a
    bow-tie loses its crossing, nothing is filled in). Computed in local metres round the areas' middle, exact to
    1e-4 of any figure within 100 km; a footprint is moved inwards by its whole CE90, corners kept sharp.

    Raises GeoError `no-area`, `bad-area` (an area without a surface) or `too-wide` (areas over 200 km apart).

    >>> area = type("", (), {"code": "K1", "name": "取水口", "polygon": shapely.box(112.18, 30.35, 112.181, 30.351)})
    >>> photo = Footprint("a.jpg", shapely.box(112.179, 30.349, 112.1805, 30.352), 2.0)
    >>> found = coverage([area], [photo])[0]
    >>> found.percent, found.complete, len(found.gaps)
    ('47.9 %', False, 1)
    """
    frame, shapes = _areas_m(areas)
    barred = [_repaired(shapely.transform(part.polygon, frame.forward, interleaved=False)) for part in unflyable]
    used, left_out = _shrunk(footprints, frame)
    everything = shapely.union_all(shapes)
    if len(used):
        shapely.prepare(everything)
        shapely.prepare(shapes)
        used = used[shapely.intersects(everything, used)]
    once, twice = once_and_twice(used)
    return [
        _one(area, shape, once, twice, used, list(zip(unflyable, barred, strict=True)), frame, left_out)
        for area, shape in zip(areas, shapes, strict=True)
    ]


def _areas_m(areas: Sequence[Area]) -> tuple[LocalXY, list[Any]]:
    if not areas:
        raise GeoError("no-area", "没有要检查的重点区域，请先在地点文件夹里画出重点区域。", "areas")
    for area in areas:
        bounds = area.polygon.bounds if area.polygon is not None and not area.polygon.is_empty else (math.nan,)
        if not all(math.isfinite(value) for value in bounds):
            raise _bad(area)
    west, south, east, north = shapely.total_bounds(np.array([area.polygon for area in areas], dtype=object))
    frame = local_xy((west + east) / 2, (south + north) / 2)
    shapes = [_repaired(shapely.transform(area.polygon, frame.forward, interleaved=False)) for area in areas]
    for area, shape in zip(areas, shapes, strict=True):
        if shape.area <= NOISE_M2:
            raise _bad(area)
    x0, y0, x1, y1 = shapely.total_bounds(np.array(shapes, dtype=object))
    if math.hypot(x1 - x0, y1 - y0) > WIDEST_M:
        raise GeoError("too-wide", "重点区域相距超过 200 千米，请按河段分开计算。", "areas")
    return frame, shapes


def _bad(area: Area) -> GeoError:
    return GeoError("bad-area", f"重点区域 {area.code} 没有面积或坐标无效，请重新绘制。", area.code)


def _repaired(shape: Any) -> Any:
    """The surface of a shape, whatever was wrong with it; empty when it has none."""
    return polygons_only(shape if shape.is_valid else shapely.make_valid(shape))


def _shrunk(footprints: Iterable[Footprint], frame: LocalXY) -> tuple[Any, Mapping[str, int]]:
    """The footprints that count, in metres and moved inwards by their error, and the others by reason."""
    reasons: Counter[str] = Counter()
    polygons: list[Any] = []
    errors_m: list[float] = []
    for footprint in footprints:
        reason = _reason(footprint)
        if reason:
            reasons[reason] += 1
            continue
        polygons.append(footprint.polygon)
        errors_m.append(float(footprint.ce90_m or 0.0))
    if not polygons:
        return np.array([], dtype=object), MappingProxyType(dict(reasons))
    shapes = shapely.transform(np.array(polygons, dtype=object), frame.forward, interleaved=False)
    unsound = ~shapely.is_valid(shapes)
    if unsound.any():
        shapes[unsound] = [_repaired(shape) for shape in shapes[unsound]]
    flat = shapely.area(shapes) <= NOISE_M2
    inner = shapely.buffer(shapes, -np.array(errors_m), join_style="mitre", mitre_limit=100.0)
    nothing = ~(shapely.area(inner) > 0)
    reasons["bad_shape"] += int(flat.sum())
    reasons["too_uncertain"] += int((nothing & ~flat).sum())
    counted = {reason: count for reason, count in sorted(reasons.items()) if count}
    return inner[~(nothing | flat)], MappingProxyType(counted)


def _reason(footprint: Footprint) -> str:
    """Why a footprint cannot count, "" when it can."""
    if footprint.excluded:
        if footprint.excluded not in EXCLUDED:
            raise ValueError(f"unknown reason {footprint.excluded!r}: use a key of EXCLUDED")
        return footprint.excluded
    polygon = footprint.polygon
    if polygon is None or polygon.is_empty:
        return "pose"
    if polygon.geom_type not in ("Polygon", "MultiPolygon"):
        return "bad_shape"
    west, south, east, north = polygon.bounds
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        return "bad_shape"
    if footprint.ce90_m is None or not (math.isfinite(footprint.ce90_m) and footprint.ce90_m >= 0):
        return "no_error"
    return ""


def _one(
    area: Area,
    shape: Any,
    once: Any,
    twice: Any,
    used: Any,
    unflyable: Sequence[tuple[Unflyable, Any]],
    frame: LocalXY,
    left_out: Mapping[str, int],
) -> AreaCoverage:
    flyable, barred = shape, []
    for part, barred_m in unflyable:
        inside = polygons_only(flyable.intersection(barred_m))
        if inside.area > NOISE_M2:
            barred.append(Barred(_degrees(inside, frame), part.reason, inside.area))
            flyable = polygons_only(flyable.difference(barred_m))
    unseen = polygons_only(flyable.difference(once))
    # Photographs laid edge to edge leave slits of a rounding error between them: they are no part of a gap.
    drawn = polygons_only(shapely.set_precision(unseen, GRAIN_M))
    pieces = sorted((piece for piece in shapely.get_parts(drawn) if piece.area > NOISE_M2), key=lambda p: -p.area)
    return AreaCoverage(
        code=area.code,
        name=area.name,
        area_m2=float(shape.area),
        flyable_m2=float(flyable.area),
        seen_m2=max(float(flyable.area - unseen.area), 0.0) if len(used) else 0.0,
        seen_twice_m2=float(flyable.intersection(twice).area),
        gaps=tuple(Gap(_degrees(piece, frame), float(piece.area)) for piece in pieces),
        gap_m2=float(unseen.area),
        barred=tuple(barred),
        frames=int(shapely.intersects(shape, used).sum()) if len(used) else 0,
        left_out=left_out,
    )


def _degrees(shape: Any, frame: LocalXY) -> Any:
    return shapely.transform(shape, frame.inverse, interleaved=False)
