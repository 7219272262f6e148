"""What the water of a reach looks like without a plume, and how far each cell stands over it.

Two-way: a median across the river for each chainage, a trend for each distance from the banks, both taken
without the cells that stand out, and the scatter that is left over.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from geodata.plume_reach import Mask, Reach

Array = NDArray[np.float64]

BROAD_M = (1.2, 5.0)
"""Smoothing across and along the river, sigma in metres: plumes are drawn out by the current."""
BINS = 24
"""Steps from the right bank to the left in which the trend along the river is taken."""
LOW_SHARE = 0.3
"""The first trend is this quantile and not the median: a long plume may cover most of its bank."""
STANDS_OUT = 3.0
LEAST_CELLS = 30


@dataclass(frozen=True, eq=False)
class Anomaly:
    """Cells over their background (offset, chainage), plain and smoothed, with one-sigma scatters by MAD."""

    plain: Array = field(repr=False)
    broad: Array = field(repr=False)
    cell_sigma: float
    broad_sigma: float


def anomaly_of(reach: Reach) -> Anomaly:
    """The index of a reach over its own background."""
    place = _places(reach)
    out = np.zeros(reach.seen.shape, dtype=bool)
    for turn in range(4):
        calm = reach.seen & ~out
        plain = reach.value - _background(reach, calm, place, LOW_SHARE if turn == 0 else 0.5)
        plain = np.where(reach.seen, plain, 0.0)
        broad = smooth(plain, reach.seen, tuple(width / reach.step_m for width in BROAD_M))
        sigma = _scatter(broad[reach.seen & ~out])
        if turn < 3:
            out = scipy.ndimage.binary_dilation(broad > STANDS_OUT * sigma, iterations=2) & reach.seen
    calm = reach.seen & ~out
    return Anomaly(plain, broad, _scatter(plain[calm]), sigma)


def smooth(values: Array, seen: Mask, widths: tuple[float, ...]) -> Array:
    """Gaussian means over seen cells only; 0 where nothing near was seen."""
    weight = scipy.ndimage.gaussian_filter(seen.astype(np.float32), widths, mode="constant", truncate=3.0)
    total = scipy.ndimage.gaussian_filter(np.where(seen, values, 0.0), widths, mode="constant", truncate=3.0)
    return np.where(weight > 0.02, total / np.maximum(weight, 0.02), 0.0)


def _places(reach: Reach) -> NDArray[np.intp]:
    """Each cell's step between the banks, so that a bank that winds keeps its own trend."""
    right, left = reach.shore_m["right"], reach.shore_m["left"]
    with np.errstate(invalid="ignore"):
        share = np.where(np.isfinite(right + left), right / np.maximum(right + left, 1e-6), 0.0)
    return np.asarray(np.clip(share * BINS, 0, BINS - 1), dtype=np.intp)


def _background(reach: Reach, calm: Mask, place: NDArray[np.intp], share: float) -> Array:
    """Median across the river plus trend along it, by turns (a median polish)."""
    column = np.zeros(reach.seen.shape[1])
    trend = np.zeros(BINS)
    for _ in range(2):
        column = _across(reach.value - trend[place], calm)
        rest = reach.value - column[None, :]
        trend = _by_place(rest, calm, place, share)
        trend -= np.median(trend)
    return column[None, :] + trend[place]


def _across(values: Array, calm: Mask) -> Array:
    """Medians of the columns, smoothed a little along the river; columns without calm water borrow from beside."""
    held = np.where(calm, values, np.nan)
    count = calm.sum(axis=0)
    known = np.flatnonzero(count >= 6)
    if not len(known):
        return np.full(values.shape[1], float(np.median(values[calm])) if calm.any() else 0.0)
    medians = np.nanmedian(held[:, known], axis=0)
    line = np.interp(np.arange(values.shape[1]), known, medians)
    return np.asarray(scipy.ndimage.median_filter(line, size=5, mode="nearest"))


def _by_place(rest: Array, calm: Mask, place: NDArray[np.intp], share: float) -> Array:
    order = np.argsort(place[calm], kind="stable")
    sorted_values, bounds = rest[calm][order], np.searchsorted(place[calm][order], np.arange(BINS + 1))
    trend = np.full(BINS, np.nan)
    for bin_ in range(BINS):
        part = sorted_values[bounds[bin_] : bounds[bin_ + 1]]
        if len(part) >= LEAST_CELLS:
            trend[bin_] = np.quantile(part, share)
    known = np.flatnonzero(np.isfinite(trend))
    return np.interp(np.arange(BINS), known, trend[known]) if len(known) else np.zeros(BINS)


def _scatter(values: Array) -> float:
    """One sigma by the median absolute deviation; never 0, so that a ratio to it stays a number."""
    if not len(values):
        return 1e-9
    return max(float(np.median(np.abs(values - np.median(values)))) * 1.4826, 1e-9)
