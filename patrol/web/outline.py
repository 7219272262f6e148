"""The outline of a thing as a GeoJSON polygon: structure, ranges, and whether it is a polygon at all.

GeoJSON is WGS-84 by its own standard (RFC 7946), so a plain one has declared its system; another system
may be named beside it in `crs`. Never repaired: a crossed outline is sent back with the place of the
crossing. Must not convert coordinates.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from shapely.geometry import Polygon
from shapely.validation import explain_validity

from patrol.web.text import wrong

MAX_POINTS = 2000
MAX_RINGS = 20
DECIMALS = 7

Point = tuple[float, float]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _point(value: Any) -> Point:
    if not isinstance(value, list | tuple) or not 2 <= len(value) <= 3 or not all(_number(v) for v in value):
        raise wrong("bad_outline", "每个点要写成 [经度, 纬度] 两个数字。")
    lon, lat = round(float(value[0]), DECIMALS), round(float(value[1]), DECIMALS)
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        if abs(lon) <= 90 and 90 < abs(lat) <= 180:
            raise wrong("maybe_swapped", "里经度和纬度像是写反了，先写经度。")
        raise wrong("out_of_range", "有点不在地球上：经度 -180 到 180，纬度 -90 到 90。")
    return lon, lat


def _ring(value: Any) -> list[Point]:
    if not isinstance(value, list | tuple) or len(value) < 4:
        raise wrong("bad_outline", "每一圈至少要 4 个点，首尾相同。")
    points = [_point(point) for point in value]
    if points[0] != points[-1]:
        raise wrong("not_closed", "没有闭合，最后一个点要和第一个点相同。")
    return points


def read_rings(value: Any) -> list[list[Point]]:
    """The rings of a polygon, closed, in range and not crossing themselves; heights are dropped."""
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= MAX_RINGS:
        raise wrong("bad_outline", f"要写成 1 到 {MAX_RINGS} 圈点的列表。")
    if sum(len(ring) for ring in value if isinstance(ring, list | tuple)) > MAX_POINTS:
        raise wrong("too_many", f"点太多，最多 {MAX_POINTS} 个，请简化后再传。")
    rings = [_ring(ring) for ring in value]
    polygon = Polygon(rings[0], rings[1:])
    if not polygon.is_valid:
        reason = explain_validity(polygon)
        spot = reason.partition("[")[2].rstrip("]").replace(" ", ", ") if "[" in reason else ""
        raise wrong("crossed_outline", f"自己和自己交叉了{f'，在 {spot} 附近' if spot else ''}，请重画。")
    if polygon.area == 0:
        raise wrong("no_area", "没有面积，请画成一圈。")
    return rings


class Outline(BaseModel):
    """A GeoJSON Polygon, lon before lat."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    type: Literal["Polygon"]
    coordinates: Annotated[list[list[Point]], BeforeValidator(read_rings)]
    crs: Literal["wgs84", "gcj02", "bd09", "cgcs2000"] = "wgs84"
    bbox: Annotated[list[float], Field(min_length=4, max_length=6)] | None = None
