"""Many overlapping polygons as two sheets: what at least one of them covers, and what at least two do.

Plane geometry in one unit of length; it knows neither photographs nor degrees.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray


def polygons_only(shape: Any) -> Any:
    """The surface of a shape without the points and lines that overlays leave behind; an empty one when none.

    >>> shape = shapely.GeometryCollection([shapely.box(0, 0, 1, 1), shapely.LineString([(0, 0), (2, 2)])])
    >>> polygons_only(shape).area
    1.0
    """
    if shape.geom_type in ("Polygon", "MultiPolygon"):
        return shape
    parts = shapely.get_parts(shape)
    flat = shapely.get_parts(parts[shapely.get_dimensions(parts) == 2])
    return shapely.union_all(flat) if len(flat) else shapely.MultiPolygon()


def once_and_twice(shapes: NDArray[np.object_]) -> tuple[Any, Any]:
    """What one or more of the polygons cover, and what two or more cover.

    Neighbours are joined first, then the joined ones, so that every overlay stays small: for sheets (one, two) of
    two halves, the joined sheets are one|one' and two|two'|(one&one'). Empty input gives empty sheets.

    >>> one, two = once_and_twice(np.array([shapely.box(0, 0, 2, 1), shapely.box(1, 0, 3, 1)]))
    >>> one.area, two.area
    (3.0, 1.0)
    """
    if not len(shapes):
        return shapely.MultiPolygon(), shapely.MultiPolygon()
    one = _by_place(shapes)
    two: NDArray[np.object_] = np.full(len(one), shapely.MultiPolygon(), dtype=object)
    while len(one) > 1:
        odd_one, odd_two = one[len(one) // 2 * 2 :], two[len(two) // 2 * 2 :]
        left, right = one[:-1:2] if len(odd_one) else one[::2], one[1::2]
        left_two, right_two = two[:-1:2] if len(odd_two) else two[::2], two[1::2]
        shared = shapely.intersection(left, right)
        joined_two = shapely.union(shapely.union(left_two, right_two), shared)
        one = np.concatenate((shapely.union(left, right), odd_one))
        two = np.concatenate((joined_two, odd_two))
    return polygons_only(one[0]), polygons_only(two[0])


def _by_place(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """The polygons along a Hilbert curve, so that neighbours in the list are neighbours on the ground."""
    centres = shapely.get_coordinates(shapely.centroid(shapes))
    spread = np.ptp(centres, axis=0)
    grid = ((centres - centres.min(axis=0)) / np.where(spread > 0, spread, 1.0) * 65535).astype(np.int64)
    return np.asarray(shapes[np.argsort(_hilbert(grid[:, 0], grid[:, 1]), kind="stable")])


def _hilbert(x: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.int64]:
    """Distance along a Hilbert curve of order 16.

    >>> _hilbert(np.array([0, 0, 65535]), np.array([0, 65535, 0])).tolist()
    [0, 1431655765, 4294967295]
    """
    distance = np.zeros_like(x)
    side = 32768
    while side:
        right, up = (x & side) > 0, (y & side) > 0
        distance += side * side * ((3 * right) ^ up)
        flip = ~up & right
        x, y = np.where(flip, 65535 - x, x), np.where(flip, 65535 - y, y)
        x, y = np.where(up, x, y), np.where(up, y, x)
        side //= 2
    return distance
