"""A grid of ground heights, and where a ray first meets it: exactly, cell by cell, without steps that jump a ridge.

The surface is bilinear between the grid's nodes. It reads no file and fetches no elevation; what lies outside of
the grid or on an unknown node is refused rather than continued.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geodata.errors import GeoError

Array = NDArray[np.float64]
Datum = Literal["takeoff", "ellipsoid", "sea_level"]

MAX_NODES = 25_000_000
_MARGIN_M = 1e-6


@dataclass(frozen=True)
class Terrain:
    """Heights (rows, columns) in metres; row 0 is the southmost, column 0 the westmost, NaN is unknown.

    `west_m`, `south_m`: the first node east and north of the plane's origin, which is the camera's place for a
    frame; `step_m` between nodes; `datum`: what heights count from; `sigma_m`: their own error, 1 sigma.
    Raises `GeoError` with code `terrain` for a grid that cannot be one.
    """

    heights_m: Array
    west_m: float
    south_m: float
    step_m: float
    datum: Datum = "takeoff"
    sigma_m: float = 1.0

    def __post_init__(self) -> None:
        fault = ""
        if self.heights_m.ndim != 2 or min(self.heights_m.shape) < 2:
            fault = "地面高程格网至少要有 2 行 2 列"
        elif self.heights_m.size > MAX_NODES:
            fault = f"地面高程格网超过 {MAX_NODES // 1_000_000} 百万个点，请裁剪到飞行范围"
        elif not (np.isfinite([self.west_m, self.south_m, self.step_m]).all() and self.step_m > 0):
            fault = "地面高程格网的位置和间距要是有限的数，间距大于 0"
        elif not (np.isfinite(self.sigma_m) and self.sigma_m >= 0):
            fault = "地面高程的误差要是不小于 0 的数"
        elif np.isinf(self.heights_m).any() or not np.isfinite(self.heights_m).any():
            fault = "地面高程格网里没有可用的高程"
        if fault:
            raise GeoError("terrain", f"{fault}。", where="terrain")

    @cached_property
    def _levels(self) -> tuple[float, float]:
        """Just below the lowest and just above the highest known node."""
        return float(np.nanmin(self.heights_m)) - _MARGIN_M, float(np.nanmax(self.heights_m)) + _MARGIN_M

    @staticmethod
    def sampled(
        height_at: Callable[[Array], Array],
        reach_m: float,
        step_m: float,
        datum: Datum = "takeoff",
        sigma_m: float = 1.0,
    ) -> Terrain:
        """A square grid about the origin from any source: `height_at` gives heights (n,) of points (n, 2) in metres.

        >>> slope = Terrain.sampled(lambda points: 0.1 * points[:, 0], reach_m=50.0, step_m=10.0)
        >>> slope.heights_m.shape, float(slope.height_at([[5.0, 3.0]])[0])
        ((11, 11), 0.5)
        """
        half = int(np.ceil(reach_m / step_m))
        if (2 * half + 1) ** 2 > MAX_NODES:
            raise GeoError("terrain", "地面高程格网太大，请加大间距或缩小范围。", where="terrain")
        ticks = np.arange(-half, half + 1) * step_m
        east, north = np.meshgrid(ticks, ticks)
        heights = np.asarray(height_at(np.column_stack((east.ravel(), north.ravel()))), dtype=np.float64)
        return Terrain(heights.reshape(east.shape), -half * step_m, -half * step_m, step_m, datum, sigma_m)

    def moved(self, east_m: float, north_m: float) -> Terrain:
        """The same ground seen from an origin that lies so far east and north of the old one."""
        return Terrain(
            self.heights_m, self.west_m - east_m, self.south_m - north_m, self.step_m, self.datum, self.sigma_m
        )

    def height_at(self, points: ArrayLike) -> Array:
        """Heights (n,) in metres of points (n, 2), east and north; NaN outside or beside an unknown node."""
        places = (np.asarray(points, dtype=np.float64).reshape(-1, 2) - (self.west_m, self.south_m)) / self.step_m
        rows, columns = self.heights_m.shape
        inside = np.asarray(((places >= 0) & (places <= (columns - 1, rows - 1))).all(axis=1))
        cell = np.clip(np.floor(np.where(inside[:, None], places, 0.0)), 0, (columns - 2, rows - 2)).astype(np.int64)
        u, v = (places - cell).T
        a, b, c, e = self._facet(cell)
        return np.where(inside, a + b * u + c * v + e * u * v, np.nan)

    def meet(self, origin: ArrayLike, rays: Array) -> Array:
        """First points (n, 2), east and north, where rays (n, 3) from `origin` (east, north, up) meet the ground.

        One origin (3,) or one a ray (n, 3); rays need not be of length one. A row is NaN where a ray does not fall, starts below the ground, leaves
        the grid (or crosses an unknown cell) while the ground could still be above it, or meets nothing.

        >>> flat = Terrain(np.zeros((3, 3)), -50.0, -50.0, 50.0)
        >>> flat.meet((0.0, 0.0, 40.0), np.array([[0.5, 0.25, -1.0], [3.0, 0.0, -1.0]])).tolist()
        [[20.0, 10.0], [nan, nan]]
        """
        start = np.broadcast_to(np.asarray(origin, dtype=np.float64), rays.shape)
        found = np.full((len(rays), 2), np.nan)
        bottom, top = self._levels
        keep = np.flatnonzero(np.isfinite(rays).all(axis=1) & (rays[:, 2] < 0) & (start[:, 2] > bottom))
        if not keep.size:
            return found
        # Grid units across, metres up; `along` counts in lengths of the ray. Above the highest node nothing can be hit.
        unit = np.array([self.step_m, self.step_m, 1.0])
        here, way = (start[keep] - (self.west_m, self.south_m, 0.0)) / unit, rays[keep] / unit
        along = np.maximum((here[:, 2] - top) / -way[:, 2], 0.0)
        hit = self._walk(here, way, along, (here[:, 2] - bottom) / -way[:, 2])
        found[keep] = start[keep, :2] + rays[keep, :2] * hit[:, None]
        return found

    def _walk(self, here: Array, way: Array, along: Array, last: Array) -> Array:
        """How far along each ray (n,) the surface is met; NaN where it is not."""
        rows, columns = self.heights_m.shape
        limit = np.array([columns - 1, rows - 1])
        hit = np.full(len(way), np.nan)
        turn = np.sign(way[:, :2]).astype(np.int64)
        at = here[:, :2] + way[:, :2] * along[:, None]
        # On a grid line the cell is the one that the ray goes into; on the outer line the one that exists.
        cell = np.floor(at).astype(np.int64) - ((at == np.floor(at)) & (turn < 0))
        cell = np.where((at == limit) & (turn == 0), limit - 1, cell)
        live = np.arange(len(way))
        for _ in range(2 * (rows + columns) + 4):
            live = live[((cell[live] >= 0) & (cell[live] < limit)).all(axis=1) & (along[live] <= last[live])]
            if not live.size:
                break
            edge = cell[live] + (turn[live] > 0)
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                ahead = np.where(turn[live] == 0, np.inf, (edge - here[live, :2]) / way[live, :2])
            axis = np.argmin(ahead, axis=1)
            leave = np.maximum(ahead[np.arange(len(live)), axis], along[live])
            hit[live] = self._in_cell(here[live], way[live], cell[live], along[live], np.minimum(leave, last[live]))
            known = np.isfinite(np.stack(self._facet(cell[live]))).all(axis=0)  # an unknown cell ends the ray
            along[live] = leave
            cell[live, axis] += turn[live, axis]
            live = live[np.isnan(hit[live]) & known]
        return hit

    def _in_cell(self, here: Array, way: Array, cell: NDArray[np.int64], start: Array, stop: Array) -> Array:
        """Where within [start, stop] each ray meets the facet of its cell: the smaller root of a quadratic."""
        a, b, c, e = self._facet(cell)
        u, v = (here[:, :2] + way[:, :2] * start[:, None] - cell).T
        du, dv, dz = way.T
        gap = here[:, 2] + dz * start - (a + b * u + c * v + e * u * v)
        slope = dz - (b * du + c * dv + e * (u * dv + v * du))
        bend = -e * du * dv
        with np.errstate(all="ignore"):
            root = np.sqrt(slope * slope - 4 * bend * gap)  # NaN when the ray passes above the facet
            half = -0.5 * (slope + np.copysign(root, slope))
            pair = np.stack((np.where(bend == 0.0, np.inf, half / bend), np.where(half == 0.0, np.inf, gap / half)))
        reach = stop - start
        slack = 1e-9 * np.maximum(1.0, np.abs(stop))
        pair = np.where((pair >= -slack) & (pair <= reach + slack), pair, np.inf)
        near = np.clip(pair.min(axis=0), 0.0, None)
        # Below the surface on the way in: the camera itself stands under the ground, and sees nothing.
        buried = gap < -1e-6 * np.maximum(1.0, np.abs(here[:, 2]))
        return np.where(np.isfinite(near) & ~buried, start + near, np.nan)

    def _facet(self, cell: NDArray[np.int64]) -> tuple[Array, Array, Array, Array]:
        """Coefficients of a + b u + c v + e u v over each cell (n, 2: column, row)."""
        rows, columns = self.heights_m.shape
        column, row = np.clip(cell[:, 0], 0, columns - 2), np.clip(cell[:, 1], 0, rows - 2)
        sw, se = self.heights_m[row, column], self.heights_m[row, column + 1]
        nw, ne = self.heights_m[row + 1, column], self.heights_m[row + 1, column + 1]
        return sw, se - sw, nw - sw, ne - se - nw + sw
