"""The later picture in the earlier one's light: a robust line for each band over land that did not change.

It works on logarithms, so that light is a sum and noise is even. It says how well the line fits; it does not
decide whether that is enough.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from geodata.effect.canvas import F32, Mask

SAMPLE = 15_000
KEPT = 0.6
"""The share of land that is taken to be unchanged while the line is fitted."""
LEAST_PIXELS = 400
HAZE = 0.75
"""An offset must bring the usual gap down to this share before it is believed."""


@dataclass(frozen=True)
class Light:
    """after ≈ gain x before + offset, per band, in the pictures' own units; `r2` per band; pixels it rests on."""

    gain: tuple[float, ...]
    offset: tuple[float, ...]
    r2: tuple[float, ...]
    pixels: int
    fitted: bool = True

    def undo(self, after: F32) -> F32:
        """The later bands (n, h, w) in the earlier light."""
        gain, offset = (np.array(part, np.float32)[:, None, None] for part in (self.gain, self.offset))
        return np.asarray((after - offset) / gain, dtype=np.float32)


def normalise(before: F32, after: F32, still: Mask) -> Light:
    """The line for each band over `still` (h, w), land seen by both; a plain 1:1 where there is too little of it."""
    spots = np.flatnonzero(still.ravel())
    if len(spots) < LEAST_PIXELS:
        ones, zeros = (1.0,) * len(before), (0.0,) * len(before)
        return Light(ones, zeros, zeros, len(spots), fitted=False)
    spots = spots[:: max(1, len(spots) // SAMPLE)]
    # blurred, so that half a pixel of misplacement does not flatten the line
    x, y = (np.stack([cv2.GaussianBlur(band, (0, 0), 2.0).ravel()[spots] for band in part]) for part in (before, after))
    lines = [_line(a.astype(np.float64), b.astype(np.float64)) for a, b in zip(x, y, strict=True)]
    gain, offset, r2 = zip(*lines, strict=True)
    return Light(gain, offset, r2, len(spots))


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float, float]:
    """A factor over the steadiest pixels, by repeated trimming; with an offset (haze) only where that fits clearly
    better: land is bright, and a line through it alone would say nonsense about dark water.
    """
    plain, plain_gap, kept = _trimmed(x, y, False)
    line, line_gap, line_kept = _trimmed(x, y, True)
    gain, offset = plain
    if line_gap < HAZE * plain_gap:
        (gain, offset), kept = line, line_kept
    a, b = x[kept] - x[kept].mean(), y[kept] - y[kept].mean()
    r2 = float((a * b).sum() ** 2 / max(float((a * a).sum() * (b * b).sum()), 1e-30))
    return gain, offset, r2


def _trimmed(
    x: NDArray[np.float64], y: NDArray[np.float64], with_offset: bool
) -> tuple[tuple[float, float], float, NDArray[np.bool_]]:
    """(gain, offset), the median gap, and the pixels kept; by the reduced major axis, as both pictures have noise."""
    kept = np.ones(len(x), dtype=bool)
    gain, offset, gap = 1.0, 0.0, np.zeros(len(x))
    for _ in range(8):
        if with_offset:
            sx, sy = float(x[kept].std()), float(y[kept].std())
            gain = float(np.clip(sy / sx, 0.2, 5.0)) if sx > 1e-12 and sy > 1e-12 else 1.0
            offset = float(np.median(y[kept] - gain * x[kept]))
        else:
            high = kept & (x > 1e-9) & (y > 1e-9)
            gain = float(np.clip(np.median(y[high] / x[high]), 0.2, 5.0)) if high.any() else 1.0
        gap = np.abs(y - gain * x - offset)
        kept = gap <= np.quantile(gap, KEPT)
    return (gain, offset), float(np.median(gap[kept])), kept


def logs(bands: F32, floor: NDArray[np.float32]) -> F32:
    """Logarithms of bands (n, h, w) over a floor per band, so that dark noise does not run away."""
    return np.asarray(np.log(np.maximum(bands, 0) + floor[:, None, None]), dtype=np.float32)
