"""A small drawing of the river round one point, as SVG path data: a place without a map service.

Metres of the place's own frame, north up. Must not know of issues, only of a place and a point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import shapely
from shapely.geometry import shape

from geodata.place import Place

HALF_WIDTH_PX, HALF_HEIGHT_PX = 195, 112  # half of the panel on a phone
DRAWN_PX = 700  # drawn to each side, so that a wider panel shows more river and no edge
REACH_PX = 52  # the reach's circle is drawn about this large


@dataclass(frozen=True)
class Sketch:
    """Paths in px of a panel whose middle is the point; `scale_m` metres are one px."""

    water: str
    outline: str
    scale_m: float
    reach_px: float
    width_px: int = 2 * HALF_WIDTH_PX
    height_px: int = 2 * HALF_HEIGHT_PX


def around(place: Place, lon: float, lat: float, reach_m: float, outline: Mapping[str, Any] | None = None) -> Sketch:
    """The water, and an outline if there is one, round the WGS-84 point (lon, lat).

    `reach_m` is the radius in metres that should be easy to see; `outline` is a GeoJSON (Multi)Polygon.

    >>> place = Place.open("taihugang")
    >>> drawn = around(place, *place.river.point_at(1240.0, 15.0), 52.0)
    >>> drawn.scale_m, drawn.reach_px, drawn.water[0], drawn.outline
    (1.0, 52.0, 'M', '')
    """
    scale_m = max(0.5, reach_m / REACH_PX)
    x0_m, y0_m = place.frame.forward(lon, lat)
    far_m = DRAWN_PX * scale_m
    west, south = place.frame.inverse(x0_m - far_m, y0_m - far_m)
    east, north = place.frame.inverse(x0_m + far_m, y0_m + far_m)
    near = shapely.box(west, south, east, north).intersection(place.water)

    def px(x: float, y: float) -> tuple[float, float]:
        x_m, y_m = place.frame.forward(x, y)
        return HALF_WIDTH_PX + (x_m - x0_m) / scale_m, HALF_HEIGHT_PX - (y_m - y0_m) / scale_m

    drawn = _path(shape(outline), px) if outline else ""
    return Sketch(_path(near, px), drawn, round(scale_m, 4), round(reach_m / scale_m, 1))


def _path(surface: Any, px: Callable[[float, float], tuple[float, float]]) -> str:
    parts = []
    for polygon in getattr(surface, "geoms", [surface]):
        if polygon.geom_type != "Polygon" or polygon.is_empty:
            continue
        for ring in (polygon.exterior, *polygon.interiors):
            points = [px(x, y) for x, y in ring.coords[:-1]]
            parts.append("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "z")
    return "".join(parts)
