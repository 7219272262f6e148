"""The shape of a located frame: plain values ready for JSON, nothing computed but rounding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geodata.frames import trust
from geodata.frames.camera import Camera
from geodata.frames.ellipse import CHI2_90, ce90_m, ellipse_of
from geodata.frames.metadata import FrameMeta, Remark
from geodata.frames.spot import Spot

Array = NDArray[np.float64]


def place(pixel: Array, spot: Spot, covariance: Array, method: str) -> dict[str, Any]:
    """One located pixel: its place, circle, ellipse and covariance over east and north."""
    ellipse = ellipse_of(covariance)
    return {
        "pixel": pixel.tolist(),
        "lon": round(spot.lon, 9),
        "lat": round(spot.lat, 9),
        "ce90_m": round(ce90_m(covariance), 3),
        "method": method,
        "ellipse": {
            "probability": 0.9,
            "semi_major_m": round(ellipse.semi_major_m, 3),
            "semi_minor_m": round(ellipse.semi_minor_m, 3),
            "azimuth_deg": round(ellipse.azimuth_deg, 2),
        },
        "cov_en_m2": np.round(covariance, 6).tolist(),
    }


def at_camera(meta: FrameMeta, pixel: Array) -> dict[str, Any]:
    """A pixel of which only the camera's place is known; the frame must have one."""
    if meta.lon is None or meta.lat is None:
        return nowhere(pixel)
    radius = trust.camera_only_ce90_m(meta)
    return place(pixel, Spot(meta.lon, meta.lat), np.eye(2) * (radius**2 / CHI2_90), "camera_only")


def nowhere(pixel: Array) -> dict[str, Any]:
    """A pixel without a place on the ground."""
    nothing = ("lon", "lat", "ce90_m", "ellipse", "cov_en_m2")
    return {"pixel": pixel.tolist(), "method": "none", **dict.fromkeys(nothing)}


def answer(
    meta: FrameMeta,
    camera: Camera | None,
    method: str,
    points: list[dict[str, Any]],
    outline: dict[str, Any] | None,
    warnings: Sequence[Remark],
    notes: Sequence[Remark],
) -> dict[str, Any]:
    """The whole answer about one frame."""
    known = meta.lon is not None
    return {
        "camera": {
            "lon": None if meta.lon is None else round(meta.lon, 9),
            "lat": None if meta.lat is None else round(meta.lat, 9),
            "ce90_m": round(trust.camera_ce90_m(meta), 3) if known else None,
            "relative_altitude_m": meta.relative_altitude_m,
            "absolute_altitude_m": meta.absolute_altitude_m,
            "yaw_deg": meta.gimbal_yaw_deg,
            "pitch_deg": meta.gimbal_pitch_deg,
            "roll_deg": meta.gimbal_roll_deg,
            "make": meta.make,
            "model": meta.model,
            "width_px": meta.width_px,
            "height_px": meta.height_px,
            "focal_px": None if camera is None else round(camera.fx_px, 3),
            "focal_source": None if camera is None else camera.source,
            "taken_at": None if meta.taken_at is None else meta.taken_at.isoformat(),
            "taken_local": meta.taken_local,
        },
        "method": method,
        "warnings": [{"code": code, "sentence": sentence} for code, sentence in warnings],
        "notes": [{"code": code, "sentence": sentence} for code, sentence in notes],
        "points": points,
        "footprint": outline,
    }
