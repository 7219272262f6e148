"""The laser range finder's target as the anchor of a frame: exact at the centre, a correction beside it.

The target's place rests on the aircraft's own position and gimbal, so its error is theirs, not the laser's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geodata.frames.camera import Camera
from geodata.frames.metadata import FrameMeta, Laser
from geodata.frames.project import Pose, Sigma, axes, footprint, hits, leaned, propagate, to_plane
from geodata.frames.trust import GROUND_GIVEN_M, LASER_M, LASER_RATIO

Array = NDArray[np.float64]

MAX_RANGE_M = 3000.0


@dataclass(frozen=True)
class Anchor:
    """A believed laser target: offset from the camera (east, north) and slant distance, metres."""

    laser: Laser
    east_m: float
    north_m: float
    distance_m: float


def anchor_of(meta: FrameMeta) -> tuple[Anchor | None, str]:
    """The frame's laser anchor, or None and the reason as a code: `absent`, `not_normal`, `implausible`."""
    laser = meta.laser
    if laser is None or meta.lon is None or meta.lat is None:
        return None, "absent"
    if laser.status.lower() != "normal":
        return None, "not_normal"
    east, north = (float(value) for value in to_plane(meta.lon, meta.lat, (laser.lon, laser.lat))[0])
    away = math.hypot(east, north)
    if laser.distance_m is None or laser.distance_m > MAX_RANGE_M or away > laser.distance_m * 1.05 + 5.0:
        return None, "implausible"
    return Anchor(laser, east, north, laser.distance_m), ""


@dataclass(frozen=True)
class Anchored:
    """Pose and laser together: the plane lies through the target, a shift takes the pose's centre onto it."""

    anchor: Anchor
    camera: Camera
    pose: Pose
    sigma: Sigma

    def points(self, pixels: Array) -> Array:
        """Ground points (n, 2), east and north in metres from the camera; the centre is the target itself."""
        return self._model(self.camera.rays(pixels), np.zeros(8)) + self._shift()

    def covariance(self, pixels: Array) -> Array:
        """Covariances (n, 2, 2), from errors of place, range, attitude, focal length and local relief."""
        plain = self.camera.rays(pixels)
        reach = np.linalg.norm(self.points(pixels) - (self.anchor.east_m, self.anchor.north_m), axis=1)
        sigma = self.sigma
        ranging = math.hypot(LASER_M, LASER_RATIO * self.anchor.distance_m)
        row = [sigma.plane_m, sigma.plane_m, ranging, sigma.yaw_deg, sigma.pitch_deg, sigma.roll_deg]
        spread = np.tile([*row, sigma.focal, 0.0], (len(plain), 1))
        spread[:, 7] = np.minimum(sigma.relief * reach, 3.0) + np.where(reach > 1.0, GROUND_GIVEN_M, 0.0)
        steps = np.array([1e-3, 1e-3, 1e-3, 1e-4, 1e-4, 1e-4, 1e-6, 1e-3])
        return propagate(lambda change: self._model(plain, change), steps, spread)

    def outline(self) -> Array | None:
        """Footprint (n, 2) in metres from the camera, or None."""
        found = footprint(self.camera, self._above(np.zeros(8)))
        return None if found is None else found + self._shift()

    def _above(self, change: Array) -> Pose:
        pitch = self.pose.pitch_deg + change[4]
        drop = (self.anchor.distance_m + change[2]) * math.sin(math.radians(-pitch))
        yaw = self.pose.yaw_deg + change[3]
        return Pose(yaw, pitch, self.pose.roll_deg, drop, float(change[0]), float(change[1]), float(change[5]))

    def _model(self, plain: Array, change: Array) -> Array:
        pose = self._above(change)
        stretch = 1.0 + float(change[6])
        centre = hits(np.zeros((1, 2)), pose)
        return self._target(pose, change) + hits(plain, pose, float(change[7]), stretch) - centre

    def _target(self, pose: Pose, change: Array) -> Array:
        forward = leaned(axes(pose.yaw_deg, pose.pitch_deg, pose.roll_deg), pose)[2]
        return np.asarray(forward[:2] * (self.anchor.distance_m + change[2]) + change[:2])

    def _shift(self) -> Array:
        still = np.zeros(8)
        return np.array([self.anchor.east_m, self.anchor.north_m]) - self._target(self._above(still), still)
