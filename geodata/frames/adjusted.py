"""What an adjustment found: corrected poses, their errors, a report on every pair, and who was left out.

Plain values and the ground points that follow from them; `adjust.py` makes them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geodata.frames.camera import Camera
from geodata.frames.project import Pose, Sigma, footprint, ground_covariance, ground_points, to_lonlat
from geodata.frames.solve import corrected, slopes

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Framed:
    """One frame as its file states it: place (WGS-84 degrees), camera, pose over the ground, expected errors."""

    name: str
    lon: float
    lat: float
    camera: Camera
    pose: Pose
    sigma: Sigma


@dataclass(frozen=True)
class Correction:
    """What a frame's stated pose lacks: metres, degrees clockwise, percent of its height over the ground.

    `slope_percent`: by how much the ground seems to rise to the east and north, a camera's small tilt included.
    `turned_deg`: how far the stored picture was turned clockwise, 0, 90, 180 or 270. `covariance` (6, 6) over
    east, north (m), yaw (radians), height (share), slopes (rise per metre) says how far from the truth it may be; `relative`, how
    far from agreeing with the other frames (an error that moves them all as one is not in it). `pose` is the corrected one, its origin at the place the file states; it leaves the slope out,
    `Adjustment.ground` does not.
    """

    name: str
    east_m: float
    north_m: float
    yaw_deg: float
    height_percent: float
    slope_percent: tuple[float, float]
    turned_deg: int
    pose: Pose
    covariance: Array
    relative: Array


@dataclass(frozen=True)
class PairReport:
    """Gaps between two frames' ideas of the same ground, metres: as stated by the files, and after.

    `after` is measured only on matches the fit did not use: the odd ones after a fit on the even, and the
    other way round.
    """

    first: str
    second: str
    matches: int
    before_m: float
    before_p90_m: float
    after_m: float
    after_p90_m: float


@dataclass(frozen=True)
class LeftOut:
    """A frame that stays as its file states it, with a stable code and the reason in words."""

    name: str
    code: str
    sentence: str


@dataclass(frozen=True)
class Adjustment:
    """All corrections, the report on every pair used, the turned pictures and the frames left out, by name.

    `before_m`, `after_m`: median and 90th percentile over all matches, `after_m` on matches not used in the
    fit; None without pairs. `spread_m`: one axis of one match after the fit.
    """

    frames: tuple[Framed, ...]
    corrections: tuple[Correction, ...]
    pairs: tuple[PairReport, ...]
    left_out: tuple[LeftOut, ...]
    before_m: tuple[float, float] | None
    after_m: tuple[float, float] | None
    spread_m: float | None

    @property
    def turned(self) -> tuple[str, ...]:
        """Names of the pictures found turned."""
        return tuple(correction.name for correction in self.corrections if correction.turned_deg)

    @property
    def matches(self) -> int:
        """Matches used, over all pairs."""
        return sum(pair.matches for pair in self.pairs)

    def of(self, name: str) -> Correction | None:
        """The correction of a frame, or None when it was left out."""
        return next((correction for correction in self.corrections if correction.name == name), None)

    def ground(self, name: str, pixels: ArrayLike, relative: bool = False) -> tuple[Array, Array]:
        """Ground points (n, 2), lon and lat, of a frame's pixels (n, 2), and covariances (n, 2, 2), m².

        `relative`: the error against other frames of the same adjustment (for telling whether two of them
        saw one thing), not against the earth. Raises `KeyError` for a frame that was left out.
        """
        correction = self.of(name)
        if correction is None:
            raise KeyError(name)
        return _ground(self._frame(name), correction, pixels, self.spread_m if relative else None)

    def outline(self, name: str) -> Array | None:
        """Footprint (n, 2), lon and lat, counter-clockwise, of a frame; None when it was left out or sees no ground."""
        correction = self.of(name)
        if correction is None:
            return None
        frame = self._frame(name)
        offsets = footprint(frame.camera, replace(correction.pose, east_m=0.0, north_m=0.0))
        return None if offsets is None else _lonlat(frame, correction, offsets)

    def _frame(self, name: str) -> Framed:
        return next(frame for frame in self.frames if frame.name == name)


def _ground(frame: Framed, correction: Correction, pixels: ArrayLike, spread_m: float | None) -> tuple[Array, Array]:
    """`spread_m` given: error against the other frames; None: against the earth."""
    plain = replace(correction.pose, east_m=0.0, north_m=0.0)
    offsets = ground_points(frame.camera, plain, pixels)
    height = np.array([plain.height_m])
    moves = slopes(height, offsets, _slope_only(correction))
    if spread_m is not None:
        covariances = moves @ correction.relative @ moves.transpose(0, 2, 1) + np.eye(2) * spread_m**2
    else:
        # Place, yaw, height, focal length and level are in the fit; of tilt only what bends the view.
        rest = replace(frame.sigma, plane_m=0.0, height_m=0.0, yaw_deg=0.0, focal=0.0, ground_m=0.0)
        covariances = moves @ correction.covariance @ moves.transpose(0, 2, 1)
        covariances = covariances + ground_covariance(frame.camera, plain, rest, pixels)
    return _lonlat(frame, correction, offsets), np.asarray(covariances)


def _lonlat(frame: Framed, correction: Correction, offsets: Array) -> Array:
    """Lon and lat (n, 2) of offsets (n, 2) as the corrected pose sees them on level ground."""
    here = np.array([[correction.east_m, correction.north_m]])
    bent = corrected(here, np.array([correction.pose.height_m]), offsets, _slope_only(correction))
    return to_lonlat(frame.lon, frame.lat, bent)


def _slope_only(correction: Correction) -> Array:
    """The part of a correction that a pose cannot hold."""
    east, north = correction.slope_percent
    return np.array([[0.0, 0.0, 0.0, 0.0, east / 100, north / 100]])
