"""The fisheye lens of Pix4D's camera model, as Parrot's Sequoia carries it: pixels to rays and back.

The angle off the axis, in quarter turns, goes through a polynomial and then a 2x2 matrix. It knows only
this one model; rays at a right angle to the axis or beyond have no place in normalised coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_QUARTER = np.pi / 2
_ANGLES = np.linspace(0.0, 0.999, 400)


@dataclass(frozen=True)
class Fisheye:
    """`matrix`: c, d, e, f in pixels; `polynomial`: p0, p1, p2, ... of the angle over 90 degrees; centre in pixels.

    Pixels count from the upper left corner, x right, y down. Source: Pix4D's `Camera:` XMP tags.
    """

    matrix: tuple[float, float, float, float]
    polynomial: tuple[float, ...]
    cx_px: float
    cy_px: float

    def scaled(self, scale: float) -> Fisheye:
        """The same lens before a picture of `scale` times as many pixels a side."""
        c, d, e, f = (value * scale for value in self.matrix)
        return Fisheye((c, d, e, f), self.polynomial, self.cx_px * scale, self.cy_px * scale)

    @property
    def usable(self) -> bool:
        """Whether the matrix can be inverted and the polynomial grows from zero at the axis."""
        c, d, e, f = self.matrix
        good = len(self.polynomial) >= 2 and self.polynomial[0] == 0.0 and self.polynomial[1] > 0.0
        return good and c > 0.0 and f > 0.0 and c * f - d * e > 1e-6 * c * f

    @property
    def focal_px(self) -> tuple[float, float]:
        """Focal length along x and y near the axis, pixels: what a pin-hole of the same scale would have.

        >>> round(Fisheye((1676.83, 0.0, 0.0, 1676.83), (0.0, 1.0, 0.006, -0.137), 663.4, 468.0).focal_px[0], 1)
        1067.5
        """
        slope = self.polynomial[1] / _QUARTER
        return self.matrix[0] * slope, self.matrix[3] * slope

    def rays(self, pixels: ArrayLike) -> Array:
        """Normalised coordinates (n, 2) at depth 1 of pixels (n, 2); NaN beyond the polynomial's growing part.

        >>> lens = Fisheye((1676.83, 0.0, 0.0, 1676.83), (0.0, 1.0, 0.006, -0.137), 663.4, 468.0)
        >>> bool(np.abs(lens.pixels(lens.rays([[12.0, 950.0]])) - [12.0, 950.0]).max() < 1e-9)
        True
        """
        points = np.asarray(pixels, dtype=np.float64).reshape(-1, 2) - (self.cx_px, self.cy_px)
        bent = np.linalg.solve(np.array(self.matrix).reshape(2, 2), points.T).T
        height = np.hypot(bent[:, 0], bent[:, 1])
        turn = self._angle(height)
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = np.where(height > 0.0, np.tan(turn * _QUARTER) / np.where(height > 0.0, height, 1.0), 0.0)
        return np.asarray(bent * spread[:, None])

    def pixels(self, plain: ArrayLike) -> Array:
        """Pixels (n, 2) of normalised coordinates (n, 2): the model in the direction in which it is written."""
        rays = np.asarray(plain, dtype=np.float64).reshape(-1, 2)
        away = np.hypot(rays[:, 0], rays[:, 1])
        height = self._height(np.arctan(away) / _QUARTER)
        bent = rays * np.where(away > 0.0, height / np.where(away > 0.0, away, 1.0), 0.0)[:, None]
        return np.asarray(bent @ np.array(self.matrix).reshape(2, 2).T + (self.cx_px, self.cy_px))

    def _height(self, turn: Array) -> Array:
        return np.asarray(np.polynomial.polynomial.polyval(turn, np.array(self.polynomial)))

    def _angle(self, height: Array) -> Array:
        """The angle (n,) in quarter turns whose polynomial is `height`; NaN where there is none on the growing part."""
        ladder = self._height(_ANGLES)
        grows = int(np.argmax(np.append(np.diff(ladder), -1.0) <= 0.0))  # the first step that no longer climbs
        turn = np.interp(height, ladder[: grows + 1], _ANGLES[: grows + 1])
        slope = np.polynomial.polynomial.polyder(np.array(self.polynomial))
        with np.errstate(all="ignore"):
            for _ in range(8):
                turn = turn - (self._height(turn) - height) / np.polynomial.polynomial.polyval(turn, slope)
            good = np.abs(self._height(turn) - height) < 1e-12
            good &= (turn >= 0.0) & (turn <= _ANGLES[grows])
        return np.where(good, turn, np.nan)
