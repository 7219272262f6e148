"""Error ellipses of a place on the plane: from a 2x2 covariance to the words and numbers people use."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PROBABILITY = 0.9
CHI2_90 = -2.0 * math.log(1.0 - PROBABILITY)  # of two degrees of freedom: 4.605
_ANGLES = (np.arange(720) + 0.5) * math.pi / 720


@dataclass(frozen=True)
class Ellipse:
    """90 % error ellipse: half axes in metres, azimuth of the long one in degrees from north, 0 to 180."""

    semi_major_m: float
    semi_minor_m: float
    azimuth_deg: float


def ellipse_of(covariance: Array) -> Ellipse:
    """The 90 % ellipse of a covariance (2, 2) over east and north, square metres.

    >>> ellipse_of(np.array([[4.0, 0.0], [0.0, 1.0]]))
    Ellipse(semi_major_m=4.291932052578694, semi_minor_m=2.145966026289347, azimuth_deg=90.0)
    """
    values, vectors = np.linalg.eigh(covariance)
    minor, major = (math.sqrt(max(float(value), 0.0) * CHI2_90) for value in values)
    azimuth = math.degrees(math.atan2(float(vectors[0, 1]), float(vectors[1, 1]))) % 180.0
    return Ellipse(major, minor, azimuth)


def holds(covariance: Array, east_m: float, north_m: float) -> bool:
    """Whether an offset from the centre lies inside the 90 % ellipse.

    >>> holds(np.eye(2), 2.1, 0.0), holds(np.eye(2), 2.2, 0.0)
    (True, False)
    """
    offset = np.array([east_m, north_m])
    return bool(offset @ np.linalg.solve(covariance, offset) <= CHI2_90)


def ce90_m(covariance: Array) -> float:
    """Radius of the circle about the centre that holds 90 % of a normal distribution, metres.

    >>> round(ce90_m(np.eye(2)), 4), round(ce90_m(np.diag([1.0, 1e-12])), 2)
    (2.146, 1.64)
    """
    values = np.linalg.eigvalsh(covariance)
    long = math.sqrt(max(float(values[1]), 0.0))
    if long == 0.0:
        return 0.0
    # In units of the long axis; a floor on the short one keeps the integral smooth and changes 0.01 %.
    short = max(math.sqrt(max(float(values[0]), 0.0)) / long, 0.02)
    spread = np.cos(_ANGLES) ** 2 + np.sin(_ANGLES) ** 2 / short**2
    low, high = 1.0, 2.2
    for _ in range(40):
        middle = (low + high) / 2
        inside = float(np.mean((1 - np.exp(-middle * middle * spread / 2)) / spread)) / short
        low, high = (middle, high) if inside < PROBABILITY else (low, middle)
    return long * high
