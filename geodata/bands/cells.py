"""A picture in coarser cells: each the median of nine of its pixels, for what is wide and faint, like a plume.

Pixel noise and glint, which drown a faint plume pixel by pixel, are gone in a cell, while the cells of a plume still
number thousands. Cells are taken as a by-product of the pass over pixels, so that no block is read again, and wait in
an unnamed temporary file, so that memory does not grow with the picture. It knows no rule.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geodata.bands.classify import sort_three
from geodata.bands.compiled import COMPILES, compiled
from geodata.bands.grid import Array, Grid
from geodata.bands.raster import Reader, Source
from geodata.bands.stream import Filled

SIDE = 3
"""So many pixels each way speak for a cell."""
WIDE = 5
"""Cells of at least so many pixels are asked two pixels from their middle, smaller ones one."""


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
    """A source (see `geodata.bands.raster.Source`) whose pixels are cells of another; incomplete cells are left out.

    Filled by `take` and `put` row by row of windows, and read when that is done. `bands`: places in the source
    beneath; only they are kept, in this order. Closed with `close`.
    """

    def __init__(self, source: Source, factor: int, bands: Sequence[int]) -> None:
        if factor < SIDE:
            raise ValueError("a cell needs at least three pixels a side")
        self.factor = factor
        self.spread = 2 if factor >= WIDE else 1
        self.width_px, self.height_px = source.width_px // factor, source.height_px // factor
        self.dtype, self.masked, self.warnings = source.dtype, True, source.warnings
        self.names = tuple(source.names[band] for band in bands)
        self.wavelengths_nm = tuple(source.wavelengths_nm[band] for band in bands)
        self.scales = tuple(source.scales[band] for band in bands)
        self.offsets = tuple(source.offsets[band] for band in bands)
        self.nodata: tuple[float | None, ...] = (None,) * len(bands)
        self.reflectance = source.reflectance
        self.block_px = (64, self.width_px)
        self.grid: Grid = CellGrid(source.grid, factor, source.width_px, source.height_px)
        # One row of cells after the other: each band's numbers, then one byte a cell that is 0 where there is none.
        self._plane = self.width_px * np.dtype(self.dtype).itemsize
        self._line = self._plane * len(bands) + self.width_px
        self._file = tempfile.TemporaryFile(prefix="cells-")  # noqa: SIM115  closed by close()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Gives the space back."""
        self._file.close()

    def take(self, filled: Filled, inner: tuple[int, int, int, int]) -> tuple[int, int, Any, Any]:
        """Cells whose middle pixel a window answers for: first row and column, numbers (n, h, w), usable (h, w)."""
        f, window = self.factor, filled.window
        rows = range(-(-(inner[0] - f // 2) // f), min(-(-(inner[1] - f // 2) // f), self.height_px))
        columns = range(-(-(inner[2] - f // 2) // f), min(-(-(inner[3] - f // 2) // f), self.width_px))
        numbers = np.empty((filled.numbers.shape[0], len(rows), len(columns)), filled.numbers.dtype)
        usable = np.full(numbers.shape[1:], 255, np.uint8)
        if numbers.size:
            y = rows[0] * f + f // 2 - window.y0 + filled.margin
            x = columns[0] * f + f // 2 - window.x0 + filled.margin
            middles = middles_of if COMPILES else middles_plainly
            middles(filled.numbers, filled.bad, filled.with_bad, y, x, f, self.spread, numbers, usable)
        return rows.start, columns.start, numbers, usable

    def put(self, taken: Sequence[tuple[int, int, Any, Any]]) -> None:
        """Keeps the cells of one row of windows; those that no window answered for stay empty."""
        if not taken:
            return
        row, count = taken[0][0], taken[0][2].shape[1]
        lines = np.zeros((count, self._line), np.uint8)
        for _, column, numbers, usable in taken:
            if not numbers.size:
                continue
            begin = column * numbers.itemsize
            for band in range(numbers.shape[0]):
                raw = np.ascontiguousarray(numbers[band]).view(np.uint8)
                lines[:, band * self._plane + begin : band * self._plane + begin + raw.shape[1]] = raw
            tail = len(self.names) * self._plane + column
            lines[:, tail : tail + usable.shape[1]] = usable
        with self._lock:
            self._file.seek(row * self._line)
            self._file.write(lines.data)

    @contextmanager
    def opened(self) -> Iterator[Reader]:
        """A reader for the calling thread."""
        yield _CellReader(self)

    def lines(self, y_px: int, count: int) -> NDArray[np.uint8]:
        """Rows of cells as they are kept; rows that were never put are empty."""
        out = np.zeros((count, self._line), np.uint8)
        with self._lock:
            self._file.flush()
            self._file.seek(y_px * self._line)
            raw = self._file.read(count * self._line)
        out.reshape(-1)[: len(raw)] = np.frombuffer(raw, np.uint8)
        return out

    def numbers_of(self, lines: NDArray[np.uint8], band: int) -> NDArray[Any]:
        """One band (rows, width) of kept rows."""
        return np.ascontiguousarray(lines[:, band * self._plane : (band + 1) * self._plane]).view(self.dtype)

    def usable_of(self, lines: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Where kept rows hold something, (rows, width)."""
        return lines[:, len(self.names) * self._plane :]


@dataclass
class _CellReader:
    cells: Cells

    def read(self, bands: Sequence[int], y_px: int, x_px: int, out: NDArray[Any]) -> None:
        """See `Reader`."""
        lines = self.cells.lines(y_px, out.shape[1])
        for place, band in enumerate(bands):
            out[place] = self.cells.numbers_of(lines, band)[:, x_px : x_px + out.shape[2]]

    def mask(self, y_px: int, x_px: int, out: NDArray[np.uint8]) -> None:
        """See `Reader`."""
        out[:] = self.cells.usable_of(self.cells.lines(y_px, out.shape[0]))[:, x_px : x_px + out.shape[1]]

    def coarse(self, bands: Sequence[int], factor: int) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
        """See `Reader`."""
        height, width = self.cells.height_px, self.cells.width_px
        columns = np.minimum(np.arange(-(-width // factor)) * factor + factor // 2, width - 1)
        values, masks = [], []
        for y in np.minimum(np.arange(-(-height // factor)) * factor + factor // 2, height - 1):
            lines = self.cells.lines(int(y), 1)
            values.append([self.cells.numbers_of(lines, band)[0, columns] for band in bands])
            masks.append(self.cells.usable_of(lines)[0, columns])
        return np.array(values).transpose(1, 0, 2), np.array(masks)


@compiled
def middles_of(
    numbers: Any, bad: Any, with_bad: bool, y: int, x: int, factor: int, spread: int, out: Any, usable: Any
) -> None:
    """Medians of nine pixels, `spread` apart, around (y, x) and every `factor` pixels on, for each band.

    `numbers` (n, ...) and `bad` as in `geodata.bands.stream.Filled`; `out` (n, h, w), `usable` (h, w) is put to 0 where
    one of the nine has no value.
    """
    wide = (out.shape[2] - 1) * factor + 2 * spread + 1
    low = np.empty(wide, numbers.dtype)
    middle = np.empty(wide, numbers.dtype)
    high = np.empty(wide, numbers.dtype)
    left = x - spread
    for row in range(out.shape[1]):
        r = y + row * factor
        for b in range(numbers.shape[0]):
            sort_three(
                numbers[b, r - spread, left : left + wide],
                numbers[b, r, left : left + wide],
                numbers[b, r + spread, left : left + wide],
                low,
                middle,
                high,
            )
            for column in range(out.shape[2]):
                i = column * factor
                j = i + spread
                k = j + spread
                most_low = max(max(low[i], low[j]), low[k])
                least_high = min(min(high[i], high[j]), high[k])
                p = min(middle[i], middle[j])
                q = max(middle[i], middle[j])
                mid = max(p, min(q, middle[k]))
                p = min(most_low, mid)
                q = max(most_low, mid)
                out[b, row, column] = max(p, min(q, least_high))
        if with_bad:
            for column in range(out.shape[2]):
                c = x + column * factor
                gaps = 0
                for dy in range(-spread, spread + 1, spread):
                    for dx in range(-spread, spread + 1, spread):
                        gaps += bad[r + dy, c + dx]
                if gaps:
                    usable[row, column] = np.uint8(0)


def middles_plainly(
    numbers: Any, bad: Any, with_bad: bool, y: int, x: int, factor: int, spread: int, out: Any, usable: Any
) -> None:
    """As `middles_of`, without numba."""

    def nine(plane: Any) -> NDArray[Any]:
        height, width = out.shape[1] * factor, out.shape[2] * factor
        steps = (-spread, 0, spread)
        return np.stack(
            [
                plane[y + dy : y + dy + height : factor, x + dx : x + dx + width : factor][
                    : out.shape[1], : out.shape[2]
                ]
                for dy in steps
                for dx in steps
            ]
        )

    for b in range(numbers.shape[0]):
        out[b] = np.sort(nine(numbers[b]), axis=0)[4]
    if with_bad:
        usable[nine(bad).any(axis=0)] = 0
