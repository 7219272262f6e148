"""Which way the camera looked, whichever way the file says it, as gimbal angles (north-east-down, ZYX).

DJI's XMP comes first, its MakerNote second, a rig's `Camera:` angles last. The aircraft's own attitude and
the light sensor's are never taken for the camera's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from geodata.frames.makernote import camera_angles
from geodata.frames.tags import Tags, within


@dataclass(frozen=True)
class Attitude:
    """Degrees; `source` is `xmp`, `makernote` or `camera_xmp`."""

    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    source: str


def attitude_of(tags: Tags) -> tuple[Attitude | None, bool]:
    """The camera's attitude or None, and whether the file states one that is incomplete or impossible."""
    stated = [name for name in ("Yaw", "Pitch", "Roll") if f"dji:Gimbal{name}Degree" in tags.xmp]
    if stated:
        yaw = within(tags.dji("GimbalYawDegree"), -360.0, 360.0)
        pitch = within(tags.dji("GimbalPitchDegree"), -180.0, 180.0)
        roll = within(tags.dji("GimbalRollDegree"), -360.0, 360.0) if "Roll" in stated else 0.0
        if yaw is None or pitch is None or roll is None:
            return None, True
        return Attitude(yaw, pitch, roll, "xmp"), False
    noted = camera_angles(tags.maker_note)
    if noted is not None:
        return Attitude(*noted, "makernote"), False
    rig = [tags.camera(name) for name in ("Yaw", "Pitch", "Roll")]
    if not any(f"Camera:{name}" in tags.xmp for name in ("Yaw", "Pitch", "Roll")):
        return None, False
    angles = [angle for angle in rig if angle is not None and abs(angle) <= 360.0]
    if len(angles) != 3:
        return None, True
    return Attitude(*gimbal_angles(*angles), "camera_xmp"), False


def gimbal_angles(yaw_deg: float, pitch_deg: float, roll_deg: float) -> tuple[float, float, float]:
    """Gimbal yaw, pitch and roll (degrees) of the angles that Pix4D's `Camera:` namespace defines.

    There all zero means: straight down, the picture's top to the north; pitch 90 looks ahead to where the
    top was, and roll turns about the top's direction, right side down. The body's axes are therefore top,
    right, optical axis, turned by yaw, pitch, roll about Z, Y, X; a gimbal's are optical axis, right, bottom.

    >>> [round(angle, 6) + 0.0 for angle in gimbal_angles(30.0, 0.0, 0.0)]
    [30.0, -90.0, 0.0]
    >>> [round(angle, 6) + 0.0 for angle in gimbal_angles(30.0, 25.0, 0.0)]
    [30.0, -65.0, 0.0]
    """
    cy, cp, cr = (math.cos(math.radians(angle)) for angle in (yaw_deg, pitch_deg, roll_deg))
    sy, sp, sr = (math.sin(math.radians(angle)) for angle in (yaw_deg, pitch_deg, roll_deg))
    # Columns two and three of Rz(yaw) Ry(pitch) Rx(roll), north-east-down.
    right = np.array([cy * sp * sr - sy * cr, sy * sp * sr + cy * cr, cp * sr])
    forward = np.array([cy * sp * cr + sy * sr, sy * sp * cr - cy * sr, cp * cr])
    level = math.hypot(forward[0], forward[1])
    if level < 1e-12:  # straight down or up: yaw and roll are one axis, so all of it is yaw
        return math.degrees(math.atan2(-right[0], right[1])), -90.0 if forward[2] > 0 else 90.0, 0.0
    yaw = math.atan2(forward[1], forward[0])
    flat = np.array([-math.sin(yaw), math.cos(yaw), 0.0])
    roll = math.atan2(float(right @ np.cross(forward, flat)), float(right @ flat))
    return math.degrees(yaw), math.degrees(math.atan2(-forward[2], level)), math.degrees(roll)
