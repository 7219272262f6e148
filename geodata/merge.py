"""Which sightings are one thing: how far a point or outline lies from another, in metres on the ground.

Pure geometry; the verdict on a distance is somebody else's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import shapely
from shapely.geometry import Point, shape

from geodata.crs import LocalXY, local_xy
from geodata.errors import GeoError


def apart_m(
    lon1: float, lat1: float, outline1: Mapping[str, Any] | None,
    lon2: float, lat2: float, outline2: Mapping[str, Any] | None,
) -> float:  # fmt: skip
    """Distance in metres between two things given by a WGS-84 point and, if known, a GeoJSON outline.

    An outline stands for its whole surface: things inside one another are 0 m apart.

    >>> round(apart_m(112.18, 30.35, None, 112.181, 30.35, None))
    96
    """
    frame = local_xy(lon1, lat1)
    return float(_thing(lon1, lat1, outline1, frame).distance(_thing(lon2, lat2, outline2, frame)))


def outline_facts(outline: Mapping[str, Any]) -> tuple[float, float, float]:
    """Representative point (lon, lat) and area in square metres of a GeoJSON Polygon or MultiPolygon in WGS-84.

    Raises GeoError `bad-outline` for anything that is not a simple closed surface.

    >>> ring = [[112.18, 30.35], [112.181, 30.35], [112.181, 30.351], [112.18, 30.351], [112.18, 30.35]]
    >>> lon, lat, area_m2 = outline_facts({"type": "Polygon", "coordinates": [ring]})
    >>> round(lon, 4), round(lat, 4), round(area_m2 / 100)
    (112.1805, 30.3505, 107)
    """
    try:
        surface = shape(outline)
    except (ValueError, TypeError, KeyError, AttributeError, shapely.errors.ShapelyError):
        raise GeoError("bad-outline", "范围不是合法的 GeoJSON 多边形。") from None
    if surface.geom_type not in ("Polygon", "MultiPolygon") or surface.is_empty:
        raise GeoError("bad-outline", "范围要用多边形（Polygon 或 MultiPolygon）。")
    if not surface.is_valid:
        raise GeoError("bad-outline", f"范围的边线有交叉或重复：{shapely.is_valid_reason(surface)}。")
    if shapely.get_num_coordinates(surface) > 20_000:
        raise GeoError("bad-outline", "范围的顶点太多，最多 20000 个。")
    inside = surface.representative_point()
    frame = local_xy(float(inside.x), float(inside.y))
    metres = shapely.transform(surface, frame.forward, interleaved=False)
    return float(inside.x), float(inside.y), float(metres.area)


def _thing(lon: float, lat: float, outline: Mapping[str, Any] | None, frame: LocalXY) -> Any:
    if outline is None:
        return Point(*frame.forward(lon, lat))
    return shapely.transform(shape(outline), frame.forward, interleaved=False)
