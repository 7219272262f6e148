"""A picture in coarser cells: each the median of nine of its pixels, for what is wide and faint, like a plume.

Pixel noise and glint, which drown a faint plume pixel by pixel, are gone in a cell, while the cells of a plume still
number thousands. It reads the picture beneath piece by piece and holds none of it; it knows no rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geodata.bands.compiled import compiled
from geodata.bands.grid import Array, Grid
from geodata.bands.raster import Reader, Source

SIDE = 3
"""So many pixels each way speak for a cell."""
STRIP_PX, WIDE_PX = 320, 5120
"""So many rows and columns of the picture beneath are read at a time."""


@dataclass(frozen=True)
class CellGrid:
    """Where cells of `factor` pixels a side lie; see `geodata.bands.grid.Grid`. Sizes are those beneath, in pixels."""

    grid: Grid
    factor: int
    width_px: int
    height_px: int

    def to_lonlat(self, pixels: ArrayLike) -> Array:
        """See `Grid`."""
        return self.grid.to_lonlat(np.asarray(pixels, np.float64) * self.factor)

    def to_pixels(self, places: ArrayLike) -> Array:
        """See `Grid`."""
        return np.asarray(self.grid.to_pixels(places) / self.factor)

    def covariance(self, pixels: ArrayLike) -> Array | None:
        """See `Grid`."""
        return self.grid.covariance(np.asarray(pixels, np.float64) * self.factor)

    def fault(self, width_px: int, height_px: int) -> str:
        """See `Grid`."""
        return self.grid.fault(self.width_px, self.height_px)


class Cells:
    """A source (see `geodata.bands.raster.Source`) whose pixels are cells of another; incomplete cells are left out."""

    def __init__(self, source: Source, factor: int) -> None:
        if factor < SIDE:
            raise ValueError("a cell needs at least three pixels a side")
        self._source, self._factor = source, factor
        self.width_px, self.height_px = source.width_px // factor, source.height_px // factor
        self.dtype, self.names, self.wavelengths_nm = source.dtype, source.names, source.wavelengths_nm
        self.scales, self.offsets, self.nodata = source.scales, source.offsets, source.nodata
        self.masked, self.reflectance, self.warnings = source.masked, source.reflectance, source.warnings
        self.block_px = (256, max(64, WIDE_PX // factor))
        self.grid: Grid = CellGrid(source.grid, factor, source.width_px, source.height_px)

    @contextmanager
    def opened(self) -> Iterator[Reader]:
        """A reader for the calling thread."""
        with self._source.opened() as reader:
            yield _CellReader(reader, self._source, self._factor, (self.height_px, self.width_px))


@dataclass
class _CellReader:
    beneath: Reader
    source: Source
    factor: int
    size: tuple[int, int]

    def read(self, bands: Sequence[int], y_px: int, x_px: int, out: NDArray[Any]) -> None:
        """See `Reader`."""
        gaps = [self.source.nodata[band] for band in bands]
        f, (_, height, width) = self.factor, out.shape
        strip = max(1, STRIP_PX // f)
        for start in range(0, height, strip):
            rows = min(strip, height - start)
            part = np.empty((len(bands), rows * f, width * f), self.source.dtype)
            self.beneath.read(bands, (y_px + start) * f, x_px * f, part)
            for place, gap in enumerate(gaps):
                nothing = np.nan if gap is None else gap
                medians(part[place], f, np.float64(nothing), out[place, start : start + rows])

    def mask(self, y_px: int, x_px: int, out: NDArray[np.uint8]) -> None:
        """See `Reader`: a cell counts when all of its speaking pixels do."""
        f, (height, width) = self.factor, out.shape
        whole = np.empty((height * f, width * f), np.uint8)
        self.beneath.mask(y_px * f, x_px * f, whole)
        at = _speaking(f)
        out[:] = 255
        for dy in at:
            for dx in at:
                np.minimum(out, whole[dy::f, dx::f][:height, :width], out=out)

    def coarse(self, bands: Sequence[int], factor: int) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
        """See `Reader`."""
        values, mask = self.beneath.coarse(bands, factor * self.factor)
        h, w = -(-self.size[0] // factor), -(-self.size[1] // factor)
        return values[:, :h, :w], None if mask is None else mask[:h, :w]


def _speaking(factor: int) -> tuple[int, int, int]:
    return (factor // 6, factor // 2, factor - 1 - factor // 6)


@compiled
def medians(numbers: Any, factor: int, nothing: float, out: Any) -> None:
    """Medians of nine pixels of each cell of one band; `nothing` where one of them is that or is not finite.

    >>> out = np.empty((1, 1), np.float32)
    >>> medians(np.arange(25, dtype=np.float32).reshape(5, 5), 5, float("nan"), out)
    >>> float(out[0, 0])
    12.0
    """
    first, middle, last = factor // 6, factor // 2, factor - 1 - factor // 6
    nine = np.empty(9, numbers.dtype)
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            good = True
            k = 0
            for dy in (first, middle, last):
                for dx in (first, middle, last):
                    value = numbers[y * factor + dy, x * factor + dx]
                    real = np.float64(value)
                    if not (abs(real) < np.inf) or real == nothing:
                        good = False
                    # Placed in order as it comes: nine are few.
                    at = k
                    while at > 0 and nine[at - 1] > value:
                        nine[at] = nine[at - 1]
                        at -= 1
                    nine[at] = value
                    k += 1
            out[y, x] = nine[4] if good else nothing
