"""The camera behind a frame, pin-hole or fisheye, and how far its focal length may be trusted.

It turns pixels into rays of the camera's own axes; it knows neither attitude nor ground.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geodata.frames.fisheye import Fisheye
from geodata.frames.lens import Dewarp
from geodata.frames.metadata import FrameMeta

Array = NDArray[np.float64]

DIAGONAL_35MM = math.hypot(36.0, 24.0)
PLAUSIBLE_FOCAL = (0.25, 40.0)  # focal length over picture width: 127 down to 1.4 degrees of view


@dataclass(frozen=True)
class Sensor:
    """Light-sensitive area of one still camera, millimetres; `exact` when other lenses share its name."""

    width_mm: float
    height_mm: float
    exact: bool = False


# From the vendors' data sheets. A model that carries DewarpData or CalibratedFocalLength needs no row.
_COMPACT = Sensor(6.17, 4.63)
_ONE_INCH = Sensor(13.2, 8.8)
_THERMAL_640 = Sensor(7.68, 6.144, exact=True)  # 640 x 512 at 12 micrometres
SENSORS = {
    "FC300S": _COMPACT,
    "FC300X": _COMPACT,
    "FC330": _COMPACT,
    "FC220": _COMPACT,
    "FC6310": _ONE_INCH,
    "FC6310S": _ONE_INCH,
    "L1D-20c": _ONE_INCH,
    "ZH20T": _THERMAL_640,
    "M30T": _THERMAL_640,
    "M3T": _THERMAL_640,
    "M3TD": _THERMAL_640,
    "M4T": _THERMAL_640,
    "H30T": Sensor(15.36, 12.288, exact=True),  # 1280 x 1024 at 12 micrometres
}


@dataclass(frozen=True)
class Camera:
    """Pin-hole with Brown distortion, in pixels of the decoded picture; (0, 0) is its upper left corner.

    `distortion`: k1, k2, p1, p2, k3 and optionally k4, k5, k6 (rational), empty when none is to be applied.
    `source`: `dewarp`, `fisheye`, `perspective`, `calibrated_focal`, `sensor_table` or `focal_35mm`.
    `focal_sigma`: relative, 1 sigma. `fisheye`: the lens that takes the place of both models, in the same pixels.
    """

    width_px: int
    height_px: int
    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    source: str
    focal_sigma: float
    distortion: tuple[float, ...] = ()
    fisheye: Fisheye | None = None

    def rays(self, pixels: ArrayLike) -> Array:
        """Normalised image coordinates (n, 2), distortion taken out: x right, y down, at depth 1.

        Rows are NaN where the lens model cannot be inverted (far outside of its calibration).

        >>> Camera(4000, 2250, 2000.0, 2000.0, 2000.0, 1125.0, "dewarp", 0.003).rays([[3000, 1125]]).tolist()
        [[0.5, 0.0]]
        """
        points = np.asarray(pixels, dtype=np.float64).reshape(-1, 2)
        if self.fisheye is not None:
            return self.fisheye.rays(points)
        plain = (points - (self.cx_px, self.cy_px)) / (self.fx_px, self.fy_px)
        return undistort(plain, self.distortion) if any(self.distortion) else plain


def camera_for(meta: FrameMeta) -> Camera | None:
    """The camera of a frame, by the most trusted source it offers, or None when it offers none.

    Order: DewarpData, a rig's own calibration, CalibratedFocalLength, sensor table by model, 35 mm equivalent by the diagonal of
    the uncropped sensor. All are scaled from the size EXIF speaks of to the decoder's.
    """
    width, height = meta.width_px, meta.height_px
    scale = _scale(meta)
    nominal = _focal_35mm(meta)
    if meta.dewarp is not None and _plausible(meta.dewarp.fx_px * scale, width, nominal):
        return _calibrated(meta, meta.dewarp, scale, "dewarp", 0.003)
    if meta.fisheye is not None and _plausible(meta.fisheye.focal_px[0] * scale, width, nominal):
        lens = meta.fisheye.scaled(scale)
        fx, fy = lens.focal_px
        return Camera(width, height, fx, fy, lens.cx_px, lens.cy_px, "fisheye", 0.005, fisheye=lens)
    if meta.perspective is not None and _plausible(meta.perspective.fx_px * scale, width, nominal):
        return _calibrated(meta, meta.perspective, scale, "perspective", 0.005)
    calibrated = meta.calibrated_focal_px
    # Some thermal cameras write micrometres into this pixel field, hence the check against the nominal one.
    if calibrated is not None and _plausible(calibrated * scale, width, nominal):
        return _centred(width, height, calibrated * scale, "calibrated_focal", 0.01)
    zoom = _zoom(meta)
    table = _focal_table(meta)
    if table is not None and _plausible(table, width, None):
        return _centred(width, height, table, "sensor_table", 0.1 if zoom != 1.0 else 0.015)
    if nominal is not None and _plausible(nominal, width, None):
        return _centred(width, height, nominal, "focal_35mm", 0.1 if zoom != 1.0 else 0.04)
    return None


def undistort(plain: Array, distortion: tuple[float, ...]) -> Array:
    """Ideal normalised coordinates (n, 2) of distorted ones, by Newton steps on the Brown model.

    Rows that do not converge to 1e-9, or lie beyond the fold of the polynomial, become NaN, so that a
    point is refused rather than misplaced.
    """
    ideal = plain.copy()
    with np.errstate(all="ignore"):
        for _ in range(30):
            error = distort(ideal, distortion) - plain
            dx, dy, determinant = _slopes(ideal, distortion)
            ideal = ideal - np.stack(
                (
                    (error[:, 0] * dy[:, 1] - error[:, 1] * dy[:, 0]) / determinant,
                    (error[:, 1] * dx[:, 0] - error[:, 0] * dx[:, 1]) / determinant,
                ),
                axis=1,
            )
        good = np.abs(distort(ideal, distortion) - plain).max(axis=1) < 1e-9
        # A true root is reached from the centre without the picture folding over.
        for part in np.linspace(0.125, 1.0, 8):
            good &= _slopes(ideal * part, distortion)[2] > 0
    ideal[~good] = np.nan
    return ideal


def _slopes(ideal: Array, distortion: tuple[float, ...]) -> tuple[Array, Array, Array]:
    """Derivatives of `distort` along x and along y, (n, 2) each, and their determinant (n,)."""
    step = 1e-7
    dx, dy = (
        (distort(ideal + move, distortion) - distort(ideal - move, distortion)) / (2 * step)
        for move in np.array([[step, 0.0], [0.0, step]])
    )
    return dx, dy, dx[:, 0] * dy[:, 1] - dx[:, 1] * dy[:, 0]


def distort(ideal: Array, distortion: tuple[float, ...]) -> Array:
    """Distorted normalised coordinates (n, 2) of ideal ones: k1, k2, p1, p2, k3, k4, k5, k6."""
    k1, k2, p1, p2, k3, k4, k5, k6 = (*distortion, *(0.0,) * (8 - len(distortion)))
    x, y = ideal[:, 0], ideal[:, 1]
    r2 = x * x + y * y
    radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    return np.stack(
        (
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
        ),
        axis=1,
    )


def _centred(width: int, height: int, focal: float, source: str, sigma: float) -> Camera:
    return Camera(width, height, focal, focal, width / 2, height / 2, source, sigma)


def _calibrated(meta: FrameMeta, lens: Dewarp, scale: float, source: str, sigma: float) -> Camera:
    width, height = meta.width_px, meta.height_px
    return Camera(
        width,
        height,
        lens.fx_px * scale,
        lens.fy_px * scale,
        width / 2 + lens.cx_px * scale,
        height / 2 + lens.cy_px * scale,
        source,
        sigma,
        () if lens.applied else lens.coefficients,
    )


def _plausible(focal_px: float, width: int, nominal: float | None) -> bool:
    near_nominal = nominal is None or 0.5 < focal_px / nominal < 2.0
    return PLAUSIBLE_FOCAL[0] < focal_px / width < PLAUSIBLE_FOCAL[1] and near_nominal


def _scale(meta: FrameMeta) -> float:
    """Decoded pixels over the pixels EXIF speaks of, by the longer side (a turned file swaps them)."""
    claimed = max(meta.exif_width_px or 0, meta.exif_height_px or 0)
    return max(meta.width_px, meta.height_px) / claimed if claimed else 1.0


def _zoom(meta: FrameMeta) -> float:
    """EXIF's digital zoom; DJI writes the base lens's focal length beside it, so it multiplies."""
    return meta.zoom if meta.zoom is not None and 1.0 <= meta.zoom <= 200.0 else 1.0


def _focal_table(meta: FrameMeta) -> float | None:
    sensor = SENSORS.get(meta.model)
    if sensor is None or meta.focal_mm is None:
        return None
    long, short = max(meta.width_px, meta.height_px), min(meta.width_px, meta.height_px)
    aspect = sensor.width_mm / sensor.height_mm
    if sensor.exact and abs(long / short / aspect - 1) > 0.01:
        return None
    # A wide picture cuts rows and keeps the sensor's width; a squarer one cuts columns.
    ratio = long / sensor.width_mm if long / short >= aspect * 0.995 else short / sensor.height_mm
    return meta.focal_mm * ratio * _zoom(meta)


def _focal_35mm(meta: FrameMeta) -> float | None:
    """By the diagonal of the uncropped sensor: a picture wider than 1.7 is a cut 4:3 one."""
    if meta.focal_35mm is None:
        return None
    long, short = max(meta.width_px, meta.height_px), min(meta.width_px, meta.height_px)
    diagonal = long * 1.25 if long / short > 1.7 else math.hypot(long, short)
    return meta.focal_35mm / DIAGONAL_35MM * diagonal * _zoom(meta)
