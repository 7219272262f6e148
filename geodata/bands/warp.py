"""From a pixel of one lens to the same thing's pixel behind another lens: a homography and a gentle bend.

Plain geometry, and the figures that say how well it was found; it looks at no picture (`align.py` does).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

STEP_PX = 16
IDENTITY: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Warp:
    """`matrix`: 3x3, row by row, reference pixel -> band pixel. `bend`: displacement in px to be added before,
    as rows (x, y) of coefficients for `terms`; empty when none. Pixel (0, 0) is the middle of the first pixel.
    """

    width_px: int
    height_px: int
    matrix: tuple[float, ...] = IDENTITY
    bend: tuple[tuple[float, float], ...] = ()

    def at(self, points: ArrayLike) -> Array:
        """Band pixels (n, 2) of reference pixels (n, 2).

        >>> Warp(100, 80, (1, 0, 5, 0, 1, -2, 0, 0, 1)).at([[10, 10]]).tolist()
        [[15.0, 8.0]]
        """
        found = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        if self.bend:
            found = found + self.bent(found)
        plain = np.asarray(self.matrix, dtype=np.float64).reshape(3, 3)
        lifted = np.column_stack([found, np.ones(len(found))]) @ plain.T
        return np.asarray(lifted[:, :2] / lifted[:, 2:])

    def bent(self, points: Array) -> Array:
        """The bend's displacement (n, 2) at reference pixels (n, 2)."""
        rows = np.asarray(self.bend)
        return np.asarray(terms(points, self.width_px, self.height_px, len(rows)) @ rows)

    def maps(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Band column and band row of every reference pixel, each float32 (height, width).

        Computed at every 16th pixel and interpolated: off by a few hundredths of a pixel for a strong bend of a
        small picture, by far less for a camera's.
        """
        columns, rows = self.width_px // STEP_PX + 3, self.height_px // STEP_PX + 3
        x = (np.arange(columns) - 1) * STEP_PX + (STEP_PX - 1) / 2
        y = (np.arange(rows) - 1) * STEP_PX + (STEP_PX - 1) / 2
        nodes = self.at(np.stack(np.meshgrid(x, y), axis=-1)).reshape(rows, columns, 2)
        # OpenCV spreads a node over its block symmetrically, which is where the nodes were put.
        fine = cv2.resize(nodes, (columns * STEP_PX, rows * STEP_PX), interpolation=cv2.INTER_LINEAR)
        inside = np.asarray(fine)[STEP_PX : STEP_PX + self.height_px, STEP_PX : STEP_PX + self.width_px]
        return inside[..., 0].astype(np.float32), inside[..., 1].astype(np.float32)

    @property
    def shift_px(self) -> tuple[float, float]:
        """Displacement of the picture's middle, px: right and down."""
        middle = np.array([[(self.width_px - 1) / 2, (self.height_px - 1) / 2]])
        moved = (self.at(middle) - middle)[0]
        return float(moved[0]), float(moved[1])

    @property
    def reach_px(self) -> float:
        """The largest displacement of a corner, px."""
        corners = np.array([[0, 0], [self.width_px, 0], [0, self.height_px], [self.width_px, self.height_px]])
        return float(np.hypot(*(self.at(corners) - corners).T).max())


@dataclass(frozen=True)
class BandFit:
    """How well one band lies on the reference, all in pixels of the full picture.

    `correlation_before`, `correlation`: of edge strength over the shared area. `residual_px`, `residual_p90_px`:
    displacement left at tiles that had no part in the fit, median and 90th percentile. `tiles`: how many of them
    had enough texture. `start`: `phase`, `given` or `borrowed` (figures are then the lender's).
    """

    name: str
    warp: Warp
    correlation_before: float
    correlation: float
    residual_px: float
    residual_p90_px: float
    tiles: int
    start: str


@dataclass(frozen=True)
class Alignment:
    """The bands of one rig: which one is the reference, and a fit for each other band."""

    reference: str
    fits: tuple[BandFit, ...]

    def fit(self, name: str) -> BandFit | None:
        """The fit of a band, or None for the reference and for bands not known."""
        return next((fit for fit in self.fits if fit.name == name), None)

    @property
    def borrowed(self) -> bool:
        """Whether any band rests on another picture's fit."""
        return any(fit.start == "borrowed" for fit in self.fits)


def terms(points: Array, width_px: int, height_px: int, count: int) -> Array:
    """Products of x and y up to the third power (`count` 10), second (6) or first (3), (n, count).

    x and y run from about -1 to 1 over the picture, so that the coefficients are pixels.

    >>> terms(np.array([[100.0, 40.0]]), 100, 80, 3).tolist()
    [[1.0, 1.0, 0.0]]
    """
    x = points[:, 0] / (width_px / 2) - 1.0
    y = points[:, 1] / (height_px / 2) - 1.0
    one = np.ones_like(x)
    columns = [one, x, y, x * x, x * y, y * y, x**3, x * x * y, x * y * y, y**3]
    return np.column_stack(columns[:count])


def rig_rotation(
    relative_deg: Sequence[float], focal_px: float, principal_px: Sequence[float], reference: Sequence[float]
) -> tuple[float, ...]:
    """Homography of a lens turned against the reference lens, for things far away: reference -> band pixels.

    `relative_deg`: rotations about x, y, z; `focal_px`, `principal_px` of the band; `reference`: focal length and
    principal point of the reference. Only a starting value: makers' angle conventions differ, and the lenses'
    distance is not in it; `align.py` takes it only where the picture agrees.

    >>> [round(v, 6) for v in rig_rotation((0, 0, 0), 1000.0, (640.0, 480.0), (1000.0, 630.0, 485.0))]
    [1.0, 0.0, 10.0, 0.0, 1.0, -5.0, 0.0, 0.0, 1.0]
    """
    ax, ay, az = np.radians(np.asarray(relative_deg, dtype=np.float64))
    rx = np.array([[1, 0, 0], [0, np.cos(ax), -np.sin(ax)], [0, np.sin(ax), np.cos(ax)]])
    ry = np.array([[np.cos(ay), 0, np.sin(ay)], [0, 1, 0], [-np.sin(ay), 0, np.cos(ay)]])
    rz = np.array([[np.cos(az), -np.sin(az), 0], [np.sin(az), np.cos(az), 0], [0, 0, 1]])
    band = np.array([[focal_px, 0, principal_px[0]], [0, focal_px, principal_px[1]], [0, 0, 1.0]])
    other = np.array([[reference[0], 0, reference[1]], [0, reference[0], reference[2]], [0, 0, 1.0]])
    found = band @ (rz @ ry @ rx) @ np.linalg.inv(other)
    return tuple(float(value) for value in (found / found[2, 2]).ravel())
