"""A picture of a river pulled straight: values on an even grid of chainage and offset, with its two banks.

It resamples and finds the water's edges; it judges nothing that it sees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import scipy.ndimage
import shapely
from numpy.typing import ArrayLike, NDArray
from pyproj import Transformer

from geodata.errors import GeoError
from geodata.river import River

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
PixelOf = Callable[[Array, Array], tuple[Array, Array]]
"""Longitudes and latitudes -> columns and rows, in pixels from the upper left corner; NaN where unseen."""

STEP_M = 0.5
NODE = 4
"""Cells between the places that are really projected; in between, the mapping is straight enough."""
TURN_M = 12.0
"""The direction of the river is taken over this far on both sides, so that a drawn corner does not tear the grid."""
EDGE_CELLS = (31, 241)
EDGE_BITE_M = 4.0
"""Edges are medians over so many cells; what bites deeper than this into the far median is no bank."""
MARGIN_M = 4.0
"""The water's edge in the picture may lie this far outside of its surveyed outline."""


@dataclass(frozen=True, eq=False)
class Reach:
    """Cells (offset, chainage): rows grow from the right bank to the left, columns go downstream.

    `x_m`, `y_m`: the cells in the river's local metres. `shore_m`: metres from each bank's edge, by bank.
    `pixel_m`: ground size of a pixel of the picture.
    """

    along_m: Array
    offset_m: Array
    x_m: Array = field(repr=False)
    y_m: Array = field(repr=False)
    value: Array = field(repr=False)
    seen: Mask = field(repr=False)
    shore_m: dict[str, Array] = field(repr=False)
    step_m: float
    pixel_m: float


def grid_pixels(transform: Any, crs: Any) -> PixelOf:
    """`PixelOf` of a raster by its affine transform (six numbers a, b, c, d, e, f or more) and its CRS.

    >>> pixel_of = grid_pixels((0.00001, 0, 112.18, 0, -0.00001, 30.36), "EPSG:4326")
    >>> [round(float(value[0]), 6) for value in pixel_of(np.array([112.181]), np.array([30.359]))]
    [100.0, 100.0]
    """
    a, b, c, d, e, f = (float(value) for value in tuple(transform)[:6])
    scale = a * e - b * d
    if scale == 0.0:
        raise GeoError("bad-transform", "影像的地理变换不可逆，请重新导出带坐标的影像。", "transform")
    project = Transformer.from_crs("EPSG:4326", crs, always_xy=True)

    def pixel_of(lon: Array, lat: Array) -> tuple[Array, Array]:
        x, y = project.transform(lon, lat)
        dx, dy = np.asarray(x) - c, np.asarray(y) - f
        return (e * dx - b * dy) / scale, (a * dy - d * dx) / scale

    return pixel_of


def unroll(
    index: ArrayLike, valid: ArrayLike, pixel_of: PixelOf, river: River, half_width_m: float, step_m: float = STEP_M
) -> Reach:
    """The part of a river that a picture shows, pulled straight.

    `index` (h, w) any unit; `valid` (h, w), True on usable water. `half_width_m` is how far off the centreline
    to look. Raises GeoError `bad-shape`, or `no-river` when the picture does not show this river.
    """
    picture = np.asarray(index, dtype=np.float32)
    usable = np.asarray(valid, dtype=bool)
    if picture.ndim != 2 or picture.shape != usable.shape:
        raise GeoError("bad-shape", "指数图和有效区要是同样大小的二维数组。", "index")
    usable = usable & np.isfinite(picture)
    along_m = _shown(picture.shape, pixel_of, river, half_width_m)
    offset_m = np.arange(-half_width_m, half_width_m + step_m / 2, step_m)
    x_m, y_m, torn = _cells(river, along_m, offset_m, step_m)
    lon, lat = river.frame.inverse(x_m[::NODE, ::NODE], y_m[::NODE, ::NODE])
    with np.errstate(invalid="ignore"):
        column, row = pixel_of(np.asarray(lon), np.asarray(lat))
    column, row = (_between(np.asarray(part, dtype=np.float64), x_m.shape) for part in (column, row))
    pixel_m = step_m / max(_median_gap(column, row), 1e-9)
    value, share = _sampled(picture, usable, column, row, max(1, round(step_m / pixel_m)))
    seen = (share > 0.5) & ~torn
    if river.water_m is not None:
        seen &= shapely.contains_xy(river.water_m.buffer(MARGIN_M), x_m, y_m)
    if not seen.any():
        raise _not_here()
    shore = {"right": _shore(seen, step_m), "left": _shore(seen[::-1], step_m)[::-1]}
    return Reach(along_m, offset_m, x_m, y_m, np.where(seen, value, 0.0), seen, shore, step_m, pixel_m)


def _not_here() -> GeoError:
    return GeoError("no-river", "这张影像没有拍到本河段的水面，请核对影像的位置和水面范围。", "index")


def _shown(shape: tuple[int, ...], pixel_of: PixelOf, river: River, half_width_m: float) -> Array:
    """Chainages of the stretch in the picture, every `STEP_M`."""
    spots = np.arange(0.0, river.length_m, 2.0)
    x_m, y_m, nx, ny = _line(river, spots)
    inside = np.zeros(len(spots), dtype=bool)
    for share in (-1.0, -0.5, 0.0, 0.5, 1.0):
        lon, lat = river.frame.inverse(x_m + share * half_width_m * nx, y_m + share * half_width_m * ny)
        with np.errstate(invalid="ignore"):
            column, row = pixel_of(np.asarray(lon), np.asarray(lat))
            inside |= (column >= 0) & (row >= 0) & (column <= shape[1]) & (row <= shape[0])
    if inside.sum() < 5:
        raise _not_here()
    first, last = np.flatnonzero(inside)[[0, -1]]
    return np.arange(spots[first], spots[last] + STEP_M / 2, STEP_M)


def _line(river: River, along_m: Array) -> tuple[Array, Array, Array, Array]:
    """Points of the centreline and its unit normals to the left, in local metres."""
    vertices = np.asarray(river.line_m.coords)[:, :2]
    starts = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(vertices, axis=0).T))))

    def at(spots: Array) -> tuple[Array, Array]:
        return np.interp(spots, starts, vertices[:, 0]), np.interp(spots, starts, vertices[:, 1])

    (x1, y1), (x2, y2) = at(np.maximum(along_m - TURN_M, 0.0)), at(np.minimum(along_m + TURN_M, starts[-1]))
    run = np.maximum(np.hypot(x2 - x1, y2 - y1), 1e-9)
    x, y = at(along_m)
    return x, y, -(y2 - y1) / run, (x2 - x1) / run


def _cells(river: River, along_m: Array, offset_m: Array, step_m: float) -> tuple[Array, Array, Mask]:
    """Local metres of every cell, and where the grid folds over itself in a bend."""
    x, y, nx, ny = _line(river, along_m)
    x_m = x[None, :] + offset_m[:, None] * nx[None, :]
    y_m = y[None, :] + offset_m[:, None] * ny[None, :]
    forward = np.gradient(x_m, axis=1) * ny[None, :] - np.gradient(y_m, axis=1) * nx[None, :]
    return x_m, y_m, forward < 0.15 * step_m


def _between(nodes: Array, shape: tuple[int, int]) -> Array:
    """Values at every cell from those at every `NODE`th, straight in between (and beyond the last)."""
    for axis, count in enumerate(shape):
        spot = np.arange(count) / NODE
        low = np.clip(spot.astype(int), 0, max(nodes.shape[axis] - 2, 0))
        high = np.minimum(low + 1, nodes.shape[axis] - 1)
        part = (spot - low).reshape((-1, 1) if axis == 0 else (1, -1))
        nodes = np.take(nodes, low, axis) * (1 - part) + np.take(nodes, high, axis) * part
    return nodes


def _median_gap(column: Array, row: Array) -> float:
    gap = np.hypot(np.diff(column, axis=0), np.diff(row, axis=0))
    good = np.isfinite(gap)
    return float(np.median(gap[good])) if good.any() else 1.0


def _sampled(picture: NDArray[np.float32], usable: Mask, column: Array, row: Array, box: int) -> tuple[Array, Array]:
    """Means over a box of usable pixels round each cell, and the share of the box that was usable."""
    kept = np.where(usable, picture, np.float32(0.0))
    boxed = [cv2.blur(part, (box, box), borderType=cv2.BORDER_CONSTANT) for part in (kept, usable.astype(np.float32))]
    # the even box stands half a pixel off its anchor, pixel centres half a pixel off the corner
    shift = 0.5 if box % 2 else 0.0
    spots = np.stack([np.where(np.isfinite(part), part - shift, -9.0) for part in (row, column)])
    total, share = (scipy.ndimage.map_coordinates(part, spots, order=1, output=np.float64) for part in boxed)
    return total / np.maximum(share, 1e-6), share


def _shore(seen: Mask, step_m: float) -> Array:
    """Metres of every cell from the first edge of its column; the edge is smoothed over small bites. inf: no water."""
    some = np.asarray(seen.any(axis=0))
    first = np.where(some, seen.argmax(axis=0), np.nan)
    known = np.flatnonzero(some)
    filled = np.interp(np.arange(seen.shape[1]), known, first[known])
    # a boat or a shadow bites into the edge, it seldom adds to it
    near, far = (scipy.ndimage.median_filter(filled, size=cells, mode="nearest") for cells in EDGE_CELLS)
    smooth = np.minimum(np.minimum(near, filled), far + EDGE_BITE_M / step_m)
    distance = (np.arange(seen.shape[0])[:, None] - smooth[None, :] + 0.5) * step_m
    return np.where(some[None, :], distance, np.inf)
