"""From a pixel to the ground: a local east-north-up plane, a flat ground or a grid, and the error that comes with it.

Gimbal angles are DJI's: north-east-down, turned about Z (yaw), Y (pitch), X (roll), in this order; pitch
-90 looks straight down. It reads no file and fetches no terrain; the ground is the one it is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geodata.frames.camera import Camera
from geodata.frames.spot import ELLIPSOID
from geodata.frames.terrain import Terrain

Array = NDArray[np.float64]

MIN_DEPRESSION_DEG = 2.0
"""Flatter rays hit the ground too far off to mean anything; they count as looking at the horizon."""


@dataclass(frozen=True)
class Pose:
    """Camera over the origin of the local plane: degrees (NED, ZYX), height over the ground's zero.

    `lean_deg` is for error models: a small turn about the level direction of `yaw_deg`, right side down. It says
    what roll cannot when the camera looks straight down, where roll and yaw are one axis.
    """

    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    height_m: float
    east_m: float = 0.0
    north_m: float = 0.0
    lean_deg: float = 0.0

    @property
    def depression_deg(self) -> float:
        """How far below the horizon the optical axis points.

        >>> round(Pose(0.0, -120.0, 0.0, 40.0).depression_deg, 9)
        60.0
        """
        return math.degrees(math.asin(math.sin(math.radians(-self.pitch_deg))))


@dataclass(frozen=True)
class Sigma:
    """One-sigma errors; `ground_m` of the ground's level, which grows by `relief` per metre of distance.

    Of the attitude: `yaw_deg` about the vertical, `pitch_deg` and `roll_deg` about the level axes across and
    along the direction of `Pose.yaw_deg`. At a level camera these are its pitch and roll; looking down they are
    its two tilts. A sensor that finds the vertical by gravity errs in this way.
    """

    plane_m: float
    height_m: float
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    focal: float
    ground_m: float
    relief: float = 0.0


def axes(yaw_deg: float, pitch_deg: float, roll_deg: float) -> Array:
    """Camera axes as rows (right, down, forward) in east-north-up coordinates, shape (3, 3).

    >>> (np.round(axes(90.0, -90.0, 0.0)) + 0.0).tolist()
    [[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]]
    """
    yaw, pitch, roll = (math.radians(angle) for angle in (yaw_deg, pitch_deg, roll_deg))
    sy, cy, sp, cp = math.sin(yaw), math.cos(yaw), math.sin(pitch), math.cos(pitch)
    forward = np.array([sy * cp, cy * cp, sp])
    right = np.array([cy, -sy, 0.0])
    down = np.cross(forward, right)
    cr, sr = math.cos(roll), math.sin(roll)
    return np.stack((cr * right + sr * down, cr * down - sr * right, forward))


def leaned(frame: Array, pose: Pose) -> Array:
    """Camera axes (3, 3) turned by the pose's `lean_deg` about the level direction of its yaw."""
    if pose.lean_deg == 0.0:
        return frame
    yaw, lean = math.radians(pose.yaw_deg), math.radians(pose.lean_deg)
    ahead = np.array([math.sin(yaw), math.cos(yaw), 0.0])
    along = np.outer(frame @ ahead, ahead)
    return np.asarray(along + (frame - along) * math.cos(lean) + np.cross(ahead, frame) * math.sin(lean))


def hits(
    plain: Array, pose: Pose, ground_z_m: float = 0.0, stretch: float = 1.0, terrain: Terrain | None = None
) -> Array:
    """Ground points (n, 2), east and north in metres, of normalised image coordinates (n, 2).

    The ground is the level `ground_z_m`, or `terrain` lifted by it. Rows are NaN where the ray does not go down
    by `MIN_DEPRESSION_DEG`, the camera is not above the ground, or the terrain's grid does not reach.
    `stretch` multiplies the focal length (for the error model).
    """
    count = len(plain)
    turned = leaned(axes(pose.yaw_deg, pose.pitch_deg, pose.roll_deg), pose)
    rays = np.column_stack((plain / stretch, np.ones(count))) @ turned
    drop = pose.height_m - ground_z_m
    fall = -rays[:, 2]
    with np.errstate(invalid="ignore"):
        falls = fall > np.linalg.norm(rays, axis=1) * math.sin(math.radians(MIN_DEPRESSION_DEG))
    if terrain is not None:
        return terrain.meet((pose.east_m, pose.north_m, drop), np.where(falls[:, None], rays, np.nan))
    with np.errstate(divide="ignore", invalid="ignore"):
        sees = falls & (drop > 0)
        along = np.where(sees, drop / np.where(sees, fall, 1.0), np.nan)
    return np.asarray(rays[:, :2] * along[:, None] + (pose.east_m, pose.north_m))


def ground_points(
    camera: Camera, pose: Pose, pixels: ArrayLike, ground_z_m: float = 0.0, terrain: Terrain | None = None
) -> Array:
    """Ground points (n, 2), east and north in metres from the pose's origin, of pixels (n, 2).

    Pixels count from the upper left corner of the picture. Rows are NaN at and above the horizon, and where a
    `terrain` is given and its grid does not reach.

    >>> camera = Camera(4000, 3000, 2000.0, 2000.0, 2000.0, 1500.0, "dewarp", 0.003)
    >>> np.round(ground_points(camera, Pose(0.0, -90.0, 0.0, 40.0), [[3000, 1500], [2000, 500]]), 6).tolist()
    [[20.0, 0.0], [0.0, 20.0]]
    """
    return hits(camera.rays(pixels), pose, ground_z_m, terrain=terrain)


def ground_covariance(
    camera: Camera,
    pose: Pose,
    sigma: Sigma,
    pixels: ArrayLike,
    ground_z_m: float = 0.0,
    terrain: Terrain | None = None,
) -> Array:
    """Covariances (n, 2, 2) of `ground_points`, square metres, by linear propagation.

    Numeric Jacobian over east, north, height, heading, two tilts, focal length and ground level. On a terrain the
    differences are taken over one sigma, so that a slope counts and a single facet does not.
    """
    plain = camera.rays(pixels)

    def hit(change: Array) -> Array:
        moved = Pose(
            pose.yaw_deg + change[3],
            pose.pitch_deg + change[4],
            pose.roll_deg,
            pose.height_m + change[2],
            pose.east_m + change[0],
            pose.north_m + change[1],
            pose.lean_deg + change[5],
        )
        return hits(plain, moved, ground_z_m + change[7], 1.0 + change[6], terrain)

    centre = hit(np.zeros(8))
    reach = np.hypot(centre[:, 0] - pose.east_m, centre[:, 1] - pose.north_m)
    plane, tilts = (sigma.plane_m, sigma.plane_m, sigma.height_m), (sigma.yaw_deg, sigma.pitch_deg, sigma.roll_deg)
    spread = np.tile([*plane, *tilts, sigma.focal, 0.0], (len(plain), 1))
    spread[:, 7] = np.hypot(sigma.ground_m, sigma.relief * reach)
    steps = np.array([1e-3, 1e-3, 1e-3, 1e-4, 1e-4, 1e-4, 1e-6, 1e-3])
    fine = propagate(hit, steps, spread)
    if terrain is None:
        return fine
    wide = propagate(hit, np.maximum(steps, [*plane, *tilts, sigma.focal, sigma.ground_m]), spread)
    return np.where(np.isfinite(wide), wide, fine)  # a sigma away the ray may miss the grid


def propagate(point: Callable[[Array], Array], steps: Array, spread: Array) -> Array:
    """Covariances (n, 2, 2) of `point(change)` (n, 2) for independent errors `spread` (n, k) of k inputs."""
    columns = []
    for index, step in enumerate(steps):
        change = np.zeros(len(steps))
        change[index] = step
        columns.append((point(change) - point(-change)) / (2 * step))
    scaled = np.stack(columns, axis=2) * spread[:, None, :]
    return np.asarray(scaled @ scaled.transpose(0, 2, 1))


def footprint(
    camera: Camera, pose: Pose, ground_z_m: float = 0.0, per_side: int = 12, terrain: Terrain | None = None
) -> Array | None:
    """Outline of the seen ground (n, 2), east and north in metres, counter-clockwise; None when it sees none.

    Where the frame looks over the horizon, or beyond a terrain's grid, the outline is cut at the last ray that
    still counts. Ground hidden behind a rise within the outline is not cut out of it.
    """
    side = np.linspace(0.0, 1.0, per_side, endpoint=False)
    zero, one = np.zeros(per_side), np.ones(per_side)
    border = np.concatenate(
        [np.stack(pair, axis=1) for pair in ((side, zero), (one, side), (1 - side, one), (zero, 1 - side))]
    ) * (camera.width_px, camera.height_px)
    whole = ground_points(camera, pose, border, ground_z_m, terrain)
    seen = np.isfinite(whole[:, 0])
    after = np.roll(np.arange(len(border)), -1)
    changes = np.flatnonzero(seen != seen[after])
    good = np.where(seen[changes, None], border[changes], border[after[changes]])
    bad = np.where(seen[changes, None], border[after[changes]], border[changes])
    for _ in range(30):
        middle = (good + bad) / 2
        lands = np.isfinite(ground_points(camera, pose, middle, ground_z_m, terrain)[:, :1])
        good, bad = np.where(lands, middle, good), np.where(lands, bad, middle)
    order = np.concatenate((np.flatnonzero(seen).astype(np.float64), changes + 0.5))
    points = np.concatenate((whole[seen], ground_points(camera, pose, good, ground_z_m, terrain)))[np.argsort(order)]
    if len(points) < 3:
        return None
    x, y = points[:, 0], points[:, 1]
    turn = float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))
    return points if turn > 0 else np.asarray(points[::-1])


def to_lonlat(lon: float, lat: float, points: Array) -> Array:
    """Longitude and latitude (n, 2), degrees, of east-north offsets (n, 2) in metres from (lon, lat).

    >>> np.round(to_lonlat(112.18, 30.35, np.array([[0.0, 0.0], [960.0, 0.0]])), 4).tolist()
    [[112.18, 30.35], [112.19, 30.35]]
    """
    count = len(points)
    away = np.hypot(points[:, 0], points[:, 1])
    azimuth = np.degrees(np.arctan2(points[:, 0], points[:, 1]))
    lons, lats, _ = ELLIPSOID.fwd(np.full(count, lon), np.full(count, lat), azimuth, away)
    return np.column_stack((lons, lats))


def to_plane(lon: float, lat: float, places: ArrayLike) -> Array:
    """East-north offsets (n, 2) in metres from (lon, lat) of longitude-latitude pairs (n, 2)."""
    pairs = np.asarray(places, dtype=np.float64).reshape(-1, 2)
    count = len(pairs)
    azimuth, _, away = ELLIPSOID.inv(np.full(count, lon), np.full(count, lat), pairs[:, 0], pairs[:, 1])
    turned = np.radians(azimuth)
    return np.column_stack((np.sin(turned) * away, np.cos(turned) * away))
