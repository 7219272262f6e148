"""Edges of a band, and how far two bands still lie apart, tile by tile.

The measure behind every claim that bands are aligned; it moves no band.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]

ACROSS = 20  # tiles over the picture's width
MIN_AGREEMENT = 0.35  # correlation of a tile with its counterpart once moved onto it
CHANCE_PX = 24.0  # smoothed noise agrees by chance up to about this over the tile's side
MIN_STRENGTH = 0.02  # mean edge strength, of 1


@dataclass(frozen=True)
class Tiles:
    """Tiles with enough texture: `middles` (n, 2) px, `shifts` (n, 2) px by which the second picture is off,
    `asked` how many tiles there were."""

    middles: NDArray[np.float64]
    shifts: NDArray[np.float64]
    asked: int

    @property
    def count(self) -> int:
        """How many tiles have enough texture."""
        return len(self.middles)

    def proves(self, least: int, share: float) -> bool:
        """Whether there are enough tiles, and not all of them in one half of the picture."""
        if self.count < max(least, share * self.asked):
            return False
        middle = (self.middles.max(axis=0) + self.middles.min(axis=0)) / 2
        spread = self.middles.max(axis=0) - self.middles.min(axis=0)
        return bool((np.mean(self.middles > middle, axis=0) > 0.02).all() and (spread > 0).all())

    def residual_px(self) -> tuple[float, float]:
        """Median and 90th percentile of the displacement; infinite without tiles."""
        if not self.count:
            return float("inf"), float("inf")
        off = np.hypot(self.shifts[:, 0], self.shifts[:, 1])
        return float(np.median(off)), float(np.percentile(off, 90))


def edges(band: NDArray[np.floating]) -> Image:
    """Edge strength of a band, 0 to 1, the same for bright on dark and dark on bright; (height, width) float32.

    Logarithmic, so that light and gain fall out; places without value have no edge.

    >>> flat = edges(np.ones((32, 32), np.float32)); float(flat.max())
    0.0
    """
    values = np.asarray(band, dtype=np.float32)
    good = np.isfinite(values)
    middle = float(np.median(values[good])) if good.any() else 0.0
    floor = max(0.02 * abs(middle), 1e-12)
    level = np.log(np.maximum(np.where(good, values, max(middle, floor)), floor)).astype(np.float32)
    smooth = cv2.GaussianBlur(level, (0, 0), 1.5)
    slope = np.asarray(cv2.magnitude(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)))
    near = cv2.dilate((~good).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    slope[near] = 0.0
    top = float(np.percentile(slope, 98))
    # Below this the edges are the noise of rounding, not of a scene.
    return np.zeros_like(slope) if top < 1e-5 else np.minimum(slope / top, 1.0).astype(np.float32)


def measure(still: Image, moved: Image, field: int) -> Tiles:
    """Displacement of `moved` against `still`, two edge pictures of one size, by phase correlation of tiles.

    `field` 0 or 1: the white or the black tiles of the chessboard, so that what one half taught the other checks.
    """
    height, width = still.shape
    step = max(24, width // ACROSS)
    side = 2 * (step * 3 // 4)
    window = cv2.createHanningWindow((side, side), cv2.CV_32F)
    middles, shifts, asked = [], [], 0
    for row, top in enumerate(range(0, height - side + 1, step)):
        for column, left in enumerate(range(0, width - side + 1, step)):
            if (row + column) % 2 != field:
                continue
            a = still[top : top + side, left : left + side]
            b = moved[top : top + side, left : left + side]
            if not np.isfinite(b).all():
                continue
            asked += 1
            if min(float(a.mean()), float(b.mean())) < MIN_STRENGTH:
                continue
            (dx, dy), _ = cv2.phaseCorrelate(a - a.mean(), b - b.mean(), window)
            if _agreement(a, b, round(dx), round(dy)) < max(MIN_AGREEMENT, CHANCE_PX / side):
                continue
            middles.append((left + (side - 1) / 2, top + (side - 1) / 2))
            shifts.append((dx, dy))
    return Tiles(
        np.array(middles, dtype=np.float64).reshape(-1, 2),
        np.array(shifts, dtype=np.float64).reshape(-1, 2),
        asked,
    )


def _agreement(a: Image, b: Image, dx: int, dy: int) -> float:
    """Correlation of two tiles where they overlap after the shift; -1 when they hardly do.

    The peak of the phase correlation itself is no measure: in small tiles of pure noise it is as high as in
    matching ones.
    """
    side = len(a)
    if max(abs(dx), abs(dy)) > side // 3:
        return -1.0
    top, left = max(0, -dy), max(0, -dx)
    rows, columns = side - abs(dy), side - abs(dx)
    u = a[top : top + rows, left : left + columns].astype(np.float64)
    v = b[top + dy : top + dy + rows, left + dx : left + dx + columns].astype(np.float64)
    spread = float(u.std() * v.std())
    return -1.0 if spread < 1e-9 else float(((u - u.mean()) * (v - v.mean())).mean() / spread)
