"""A north-up grid of square ground pixels in local metres, on which pictures of two rounds are laid side by side."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray

from geodata.crs import LocalXY
from geodata.errors import GeoError

Array = NDArray[np.float64]
F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]
PixelOf = Callable[[Array, Array], tuple[Array, Array]]

NODE_PX = 16
"""Pixels between the places that are really projected; cameras bend less than a hundredth of a pixel between."""


@dataclass(frozen=True)
class Canvas:
    """`west_m`, `north_m`: the upper left corner in the local metres of `frame`."""

    frame: LocalXY
    west_m: float
    north_m: float
    gsd_m: float
    width_px: int
    height_px: int

    @classmethod
    def over(cls, frame: LocalXY, bounds_m: tuple[float, float, float, float], gsd_m: float, most_px: float) -> Canvas:
        """The canvas over a box (west, south, east, north), coarser than `gsd_m` where it had more than `most_px`."""
        west, south, east, north = bounds_m
        gsd_m = max(gsd_m, math.sqrt((east - west) * (north - south) / most_px))
        width, height = math.ceil((east - west) / gsd_m), math.ceil((north - south) / gsd_m)
        return cls(frame, west, north, gsd_m, max(width, 1), max(height, 1))

    @property
    def transform(self) -> Affine:
        return Affine(self.gsd_m, 0.0, self.west_m, 0.0, -self.gsd_m, self.north_m)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in WGS-84 degrees."""
        x = np.array([0.0, 1.0, 0.0, 1.0]) * self.width_px * self.gsd_m + self.west_m
        y = self.north_m - np.array([0.0, 0.0, 1.0, 1.0]) * self.height_px * self.gsd_m
        lon, lat = self.frame.inverse(x, y)
        return (
            float(np.mean(lon[[0, 2]])),
            float(np.mean(lat[[2, 3]])),
            float(np.mean(lon[[1, 3]])),
            float(np.mean(lat[[0, 1]])),
        )

    def mask(self, shape_m: Any, touched: bool = False) -> Mask:
        """Pixels whose middle lies in a shape of local metres (or that it touches)."""
        if shape_m.is_empty:
            return np.zeros((self.height_px, self.width_px), dtype=bool)
        return np.asarray(
            rasterio.features.rasterize(
                [(shape_m, 1)],
                (self.height_px, self.width_px),
                transform=self.transform,
                all_touched=touched,
                dtype="uint8",
            ),
            dtype=bool,
        )

    def shape(self, mask: Mask, row: int = 0, column: int = 0) -> Any:
        """The pixels of a mask, whose corner lies at a row and column, as a WGS-84 (multi)polygon."""
        corner = self.transform @ Affine.translation(column, row)
        parts = [
            shapely.geometry.shape(part)
            for part, _ in rasterio.features.shapes(mask.astype(np.uint8), mask=mask, transform=corner)
        ]
        whole = shapely.union_all(parts).simplify(0.6 * self.gsd_m)
        return shapely.transform(whole, self.frame.inverse, interleaved=False)

    def pixels_in(self, pixel_of: PixelOf) -> tuple[F32, F32]:
        """Where a picture shows each pixel's middle: columns and rows, (h, w) each, NaN where it does not."""
        columns = np.arange(0, self.width_px + NODE_PX, NODE_PX) + 0.5
        rows = np.arange(0, self.height_px + NODE_PX, NODE_PX) + 0.5
        x, y = np.meshgrid(self.west_m + columns * self.gsd_m, self.north_m - rows * self.gsd_m)
        lon, lat = self.frame.inverse(x, y)
        with np.errstate(invalid="ignore"):
            found = pixel_of(np.asarray(lon), np.asarray(lat))
        drawn = [self._between(np.asarray(part, dtype=np.float64)) for part in found]
        return drawn[0], drawn[1]

    def _between(self, nodes: Array) -> F32:
        for axis, count in enumerate((self.height_px, self.width_px)):
            spot = np.arange(count) / NODE_PX
            low = spot.astype(int)
            part = (spot - low).reshape((-1, 1) if axis == 0 else (1, -1))
            nodes = np.take(nodes, low, axis) * (1 - part) + np.take(nodes, low + 1, axis) * part
        return nodes.astype(np.float32)


def in_metres(shape: Any, frame: LocalXY) -> Any:
    """A WGS-84 shape in local metres. Raises GeoError `bad-outline` when it is no area."""
    moved = shapely.force_2d(shapely.transform(shape, frame.forward, interleaved=False))
    moved = moved if moved.is_valid else shapely.make_valid(moved)
    if moved.is_empty or not math.isfinite(moved.area) or moved.area <= 0.0:
        raise GeoError("bad-outline", "轮廓不是有面积的多边形，请重新画。", "outline")
    return moved
