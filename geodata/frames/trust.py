"""How far each kind of metadata may be believed: the one table of error sizes behind every ellipse.

Figures come from measured public flights; they describe consumer and RTK drones, not one instrument.
"""

from __future__ import annotations

import math

from geodata.frames.camera import Camera
from geodata.frames.ellipse import CHI2_90
from geodata.frames.height import TAKEOFF_M, height_over
from geodata.frames.metadata import FrameMeta
from geodata.frames.project import Sigma
from geodata.frames.terrain import Terrain

RTK_FIXED = 50

# Even a centimetre fix was seen 8.6 m off along the track (exposure timing), hence no less than half a metre.
PLANE_RTK_M, PLANE_FLOAT_M, PLANE_GNSS_M = 0.5, 1.0, 2.0
# A camera that tags by itself lags by 5 to 18 m on a moving drone.
PLANE_OTHER_M = 8.0
# Take-off points stand 3 to 8 m above a river, and once 14 m below the target; terrain adds with distance.
GROUND_UNKNOWN_M, RELIEF_UNKNOWN = 5.0, 0.1
GROUND_GIVEN_M, RELIEF_GIVEN = 0.5, 0.02
LASER_M, LASER_RATIO = 0.5, 0.002
# A gimbal levels itself; a rig fixed to the aircraft tells its own sensor's angles, and its compass sits by motors.
YAW_RTK_DEG, YAW_GIMBAL_DEG, YAW_RIG_DEG = 1.0, 2.0, 5.0
TILT_GIMBAL_DEG, TILT_RIG_DEG = 0.5, 2.0
# Nothing is known of what the camera looks at: within 60 degrees of straight down, or this far.
REACH_UNKNOWN_M, REACH_PHONE_M = 60.0, 10.0


def is_rtk(meta: FrameMeta) -> bool:
    """Whether the frame's position is a fixed RTK solution."""
    return meta.rtk_flag == RTK_FIXED


def plane_sigma_m(meta: FrameMeta) -> float:
    """One-sigma error of the camera's position along each axis, metres."""
    if meta.horizontal_error_m is not None:
        return max(meta.horizontal_error_m / 1.51, 1.0)  # a 68 % radius in two dimensions
    if is_rtk(meta):
        return max(meta.rtk_std_lon_m or 0.0, meta.rtk_std_lat_m or 0.0, PLANE_RTK_M)
    if meta.rtk_flag is not None and 17 <= meta.rtk_flag <= 49:
        return max(meta.rtk_std_lon_m or 0.0, meta.rtk_std_lat_m or 0.0, PLANE_FLOAT_M)
    if meta.plane_accuracy_m is not None:
        return max(meta.plane_accuracy_m, PLANE_GNSS_M)  # a rig's own statement, of the fix and not of the moment
    return PLANE_GNSS_M if meta.relative_altitude_m is not None else PLANE_OTHER_M


def pose_sigma(meta: FrameMeta, camera: Camera, ground_given: bool, terrain: Terrain | None = None) -> Sigma:
    """Errors of a pose; without a given ground level the ground's own error dominates oblique views."""
    rig = meta.provenance.get("attitude") == "camera_xmp"
    yaw = YAW_RIG_DEG if rig else YAW_RTK_DEG if is_rtk(meta) else YAW_GIMBAL_DEG
    tilt = TILT_RIG_DEG if rig else TILT_GIMBAL_DEG
    height = height_over(meta, terrain, is_rtk(meta))
    ground, relief = (GROUND_GIVEN_M, RELIEF_GIVEN) if ground_given else (GROUND_UNKNOWN_M, RELIEF_UNKNOWN)
    if terrain is not None:
        # The grid knows the relief; what is left is its own error.
        ground, relief = max(terrain.sigma_m, 0.1), 0.0
    return Sigma(plane_sigma_m(meta), height.sigma_m or TAKEOFF_M, yaw, tilt, tilt, camera.focal_sigma, ground, relief)


def camera_ce90_m(meta: FrameMeta) -> float:
    """90 % radius of the camera's own position, metres."""
    return math.sqrt(CHI2_90) * plane_sigma_m(meta)


def camera_only_ce90_m(meta: FrameMeta) -> float:
    """90 % radius, about the camera, for what it shows when its attitude is unknown, metres."""
    if meta.horizontal_error_m is not None:
        reach = REACH_PHONE_M
    elif meta.relative_altitude_m is not None and meta.relative_altitude_m > 0:
        reach = max(1.7 * meta.relative_altitude_m, 20.0)
    else:
        reach = REACH_UNKNOWN_M
    return math.hypot(camera_ce90_m(meta), reach)
