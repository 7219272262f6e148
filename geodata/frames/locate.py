"""One photograph and some of its pixels -> places on the ground, each with its method and honest error.

It joins the file's claims with the projection and says in words what was doubtful. It stores nothing,
fetches nothing and never fills a gap with a guess: without attitude it answers with the camera's place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geodata.errors import GeoError, GeoErrors
from geodata.frames import trust
from geodata.frames.answer import answer, at_camera, nowhere, place
from geodata.frames.camera import Camera, camera_for
from geodata.frames.ellipse import CHI2_90
from geodata.frames.height import height_over
from geodata.frames.laser import Anchor, Anchored, anchor_of
from geodata.frames.metadata import FrameMeta, Remark, read_frame
from geodata.frames.project import (
    MIN_DEPRESSION_DEG,
    Pose,
    footprint,
    ground_covariance,
    ground_points,
    to_lonlat,
)
from geodata.frames.spot import Spot
from geodata.frames.terrain import Terrain

Array = NDArray[np.float64]

METHODS = ("auto", "laser", "pose")
CENTRE_PX = 1.0
"""Pixels this near to the middle are what the laser points at."""
OBLIQUE_DEG = 60.0
"""Views flatter than this move by more than half of any error in the ground's level."""
LEAST_HEIGHT_M = 1.0


@dataclass
class _View:
    """What one question has to go on; remarks collect here as they come up."""

    meta: FrameMeta
    pixels: Array
    camera: Camera | None = None
    pose: Pose | None = None
    anchor: Anchor | None = None
    ground_z_m: float | None = None
    terrain: Terrain | None = None
    warnings: list[Remark] = field(default_factory=list)
    notes: list[Remark] = field(default_factory=list)

    @property
    def lens(self) -> Camera:
        """The camera, or a stand-in that is right for the very centre only."""
        meta = self.meta
        width, height = meta.width_px, meta.height_px
        return self.camera or Camera(width, height, float(width), float(width), width / 2, height / 2, "unknown", 0.0)

    @property
    def at_centre(self) -> NDArray[np.bool_]:
        middle = (self.meta.width_px / 2, self.meta.height_px / 2)
        return np.asarray((np.abs(self.pixels - middle) <= CENTRE_PX).all(axis=1))


@dataclass(frozen=True)
class _Fixes:
    """East-north offsets (n, 2) and covariances (n, 2, 2) from the camera; NaN where there is no answer."""

    offsets: Array
    covariances: Array
    outline: Array | None


def locate(
    photo: str | Path | bytes | FrameMeta,
    pixels: Sequence[tuple[float, float]] = (),
    method: str = "auto",
    ground_z_m: float | None = None,
    terrain: Terrain | None = None,
) -> dict[str, Any]:
    """Where on the ground the pixels of a photograph lie.

    Parameters: `photo`, a path, bytes or metadata read before; `pixels`, (x, y) from the upper left corner of
    the stored picture, the centre when empty; `method`, `auto`, `laser` or `pose` (`pose` never looks at the
    laser's fields); `ground_z_m`, the ground's level in metres **relative to the take-off point** (negative:
    below it), unknown when None; `terrain`, instead of a level, a grid of ground heights about the camera's place.

    Returns plain values ready for JSON: `camera` {lon, lat, ...}, `method` (`laser`, `pose`, `camera_only`,
    `none`), `warnings` and `notes` as [{code, sentence}], `points` one a pixel {pixel, lon, lat, ce90_m,
    method, ellipse, cov_en_m2}, `footprint` a GeoJSON Polygon or None. WGS-84, metres, degrees from north.

    Raises `GeoError` for a file that is no photograph, an unknown method, a pixel outside of the picture, a
    ground above the camera or two grounds at once. Source: DJI's north-east-down gimbal angles.

    >>> frame = FrameMeta(4000, 3000, "JPEG", lon=112.18, lat=30.35, relative_altitude_m=50.0,
    ...                   focal_35mm=24.0, gimbal_yaw_deg=0.0, gimbal_pitch_deg=-90.0, gimbal_roll_deg=0.0)
    >>> answer = locate(frame)
    >>> answer["method"], answer["points"][0]["pixel"], round(answer["points"][0]["lon"], 6)
    ('pose', [2000.0, 1500.0], 112.18)
    """
    meta = photo if isinstance(photo, FrameMeta) else read_frame(photo)
    if terrain is not None and ground_z_m is not None:
        raise GeoError("ground_twice", "地面高度和高程格网只能给一样。", where="ground_z_m")
    view = _View(meta, _checked(pixels, method, ground_z_m, meta), ground_z_m=ground_z_m, terrain=terrain)
    view.warnings.extend(meta.warnings)
    view.notes.extend(meta.notes)
    if meta.lon is None or meta.lat is None:
        view.warnings.append(("no_position", "照片里没有可用的坐标，无法定位；请在地图上标出位置。"))
        blank = [nowhere(pixel) for pixel in view.pixels]
        return answer(meta, None, "none", blank, None, view.warnings, view.notes)
    view.camera = camera_for(meta)
    view.pose = _pose(view)
    if method != "pose":
        view.anchor = _anchor(view, method)
    return _located(view, Spot(meta.lon, meta.lat), method)


def _checked(pixels: Sequence[tuple[float, float]], method: str, ground_z_m: float | None, meta: FrameMeta) -> Array:
    """The pixels as (n, 2), or every fault of the question at once."""
    faults: list[GeoError] = []
    if method not in METHODS:
        faults.append(GeoError("method", f"定位方法只能是 {'、'.join(METHODS)}。", where="method"))
    if ground_z_m is not None and not (math.isfinite(ground_z_m) and abs(ground_z_m) < 9000):
        faults.append(GeoError("ground_z", "地面高度要填离起飞点的高差（米），低于起飞点为负。", where="ground_z_m"))
    for index, (x, y) in enumerate(pixels):
        inside = math.isfinite(x) and math.isfinite(y)
        if not (inside and 0 <= x <= meta.width_px and 0 <= y <= meta.height_px):
            faults.append(
                GeoError(
                    "pixel_outside",
                    f"像素 ({x:g}, {y:g}) 不在照片内；照片是 {meta.width_px}×{meta.height_px}，左上角为 (0, 0)。",
                    where=f"pixels[{index}]",
                )
            )
    if faults:
        raise faults[0] if len(faults) == 1 else GeoErrors(faults)
    found = [(float(x), float(y)) for x, y in pixels] or [(meta.width_px / 2, meta.height_px / 2)]
    return np.array(found)


def _pose(view: _View) -> Pose | None:
    meta = view.meta
    yaw, pitch, roll = meta.gimbal_yaw_deg, meta.gimbal_pitch_deg, meta.gimbal_roll_deg
    if yaw is None or pitch is None or roll is None:
        view.warnings.append(("no_pose", "照片没有云台姿态，不知道镜头朝哪里，只能给出相机所在位置。"))
        return None
    standing = height_over(meta, view.terrain, trust.is_rtk(meta))
    height = standing.height_m
    if height is None:
        view.warnings.extend([standing.remark] if standing.remark else [])
        return None
    if view.terrain is not None:
        return _over(view, view.terrain, Pose(yaw, pitch, roll, height))
    if view.ground_z_m is not None and height - view.ground_z_m < LEAST_HEIGHT_M:
        raise GeoError(
            "ground_above_camera",
            f"给定的地面高度 {view.ground_z_m:g} 米不低于相机（高出起飞点 {height:g} 米）；"
            "地面高度按离起飞点的高差填写，低于起飞点为负。",
            where="ground_z_m",
        )
    if height - (view.ground_z_m or 0.0) < LEAST_HEIGHT_M:
        view.warnings.append(("too_low", "相机不高于起飞点，无法推算地面位置，只能给出相机所在位置；请给出地面高度。"))
        return None
    return Pose(yaw, pitch, roll, height)


def _over(view: _View, terrain: Terrain, pose: Pose) -> Pose | None:
    """The pose when its camera is over the grid and above its ground, otherwise None and why."""
    below = float(terrain.height_at([(0.0, 0.0)])[0])
    if math.isnan(below):
        view.warnings.append(("outside_terrain", "相机不在高程格网范围内，无法推算地面位置，只能给出相机所在位置。"))
        return None
    if pose.height_m - below < LEAST_HEIGHT_M:
        view.warnings.append(("too_low", "相机不高于脚下的地面，高度与高程格网对不上，只能给出相机所在位置。"))
        return None
    return pose


def _anchor(view: _View, method: str) -> Anchor | None:
    anchor, reason = anchor_of(view.meta)
    if reason == "implausible":
        view.warnings.append(("laser_implausible", "照片里的激光测距结果与相机位置对不上，没有采用。"))
    elif reason == "not_normal" and method == "auto":
        view.notes.append(("laser_not_normal", "激光测距当时没有有效结果，没有采用。"))
    elif reason and method == "laser":
        view.warnings.append(("no_laser", "照片没有有效的激光测距结果；请改用云台姿态定位。"))
    return anchor


def _located(view: _View, here: Spot, method: str) -> dict[str, Any]:
    meta = view.meta
    fixes, labels = _fixes(view, method)
    places = to_lonlat(here.lon, here.lat, np.where(np.isnan(fixes.offsets), 0.0, fixes.offsets))
    points: list[dict[str, Any]] = []
    for index, pixel in enumerate(view.pixels):
        if labels[index] == "camera_only":
            points.append(at_camera(meta, pixel))
        elif not np.isfinite(fixes.covariances[index]).all():
            points.append(nowhere(pixel))
            remark = ("above_horizon", "有像素看向地平线或天空，没有地面位置。")
            if view.terrain is not None:
                remark = ("no_ground", "有像素看向地平线、天空或高程格网以外，没有地面位置。")
            if remark not in view.warnings:
                view.warnings.append(remark)
        else:
            spot = Spot(float(places[index, 0]), float(places[index, 1]))
            if labels[index] == "laser" and view.anchor is not None:
                spot = Spot(view.anchor.laser.lon, view.anchor.laser.lat)
            points.append(place(pixel, spot, fixes.covariances[index], labels[index]))
    outline = None
    if fixes.outline is not None:
        ring = to_lonlat(here.lon, here.lat, np.vstack((fixes.outline, fixes.outline[:1])))
        outline = {"type": "Polygon", "coordinates": [np.round(ring, 9).tolist()]}
    located_by = {point["method"] for point in points}
    if view.anchor is not None and located_by - {"camera_only", "none"}:
        whole = "laser"
    else:
        whole = next((name for name in ("pose", "camera_only") if name in located_by), "none")
    return answer(meta, view.camera, whole, points, outline, view.warnings, view.notes)


def _fixes(view: _View, method: str) -> tuple[_Fixes, list[str]]:
    """Offsets by the best means at hand, and each pixel's method."""
    count = len(view.pixels)
    centre = view.at_centre
    nothing = _Fixes(np.zeros((count, 2)), np.zeros((count, 2, 2)), None)
    flat = view.pose is None or view.pose.depression_deg < MIN_DEPRESSION_DEG
    if view.pose is None or (view.anchor is None and method == "laser") or (view.anchor is not None and flat):
        if view.anchor is None:
            return nothing, ["camera_only"] * count
        # Without a view down onto the target's level only the target itself can be placed.
        spread = np.eye(2) * (trust.plane_sigma_m(view.meta) ** 2 + (0.04 * view.anchor.distance_m) ** 2)
        here = np.tile((view.anchor.east_m, view.anchor.north_m), (count, 1))
        fixes = _Fixes(here, np.tile(spread, (count, 1, 1)), None)
        return fixes, ["laser" if yes else "camera_only" for yes in centre]
    lens = view.lens
    known = view.ground_z_m is not None or view.anchor is not None
    sigma = trust.pose_sigma(view.meta, lens, known, view.terrain)
    if view.anchor is not None:
        anchored = Anchored(view.anchor, lens, view.pose, sigma)
        found = anchored.points(view.pixels), anchored.covariance(view.pixels)
        outline = anchored.outline()
    else:
        level = view.ground_z_m or 0.0
        found = (
            ground_points(lens, view.pose, view.pixels, level, view.terrain),
            ground_covariance(lens, view.pose, sigma, view.pixels, level, view.terrain),
        )
        outline = footprint(lens, view.pose, level, terrain=view.terrain)
        _remark_on_level(view)
    labels = ["pose" if view.anchor is None or not yes else "laser" for yes in centre]
    if view.camera is None:
        labels = [label if yes else "camera_only" for label, yes in zip(labels, centre, strict=True)]
        view.warnings.append(("no_focal", "照片没有可用的焦距，只有画面中心能定位。"))
        outline = None
    elif view.camera.focal_sigma >= 0.05 and not centre.all():
        view.warnings.append(("focal_uncertain", "照片是变焦拍摄，焦距只能约略推算；离画面中心越远，位置越不准。"))
    widened = _widened(view, view.pose, *found) if view.meta.edited else found[1]
    return _Fixes(found[0], widened, outline), labels


def _widened(view: _View, pose: Pose, offsets: Array, covariances: Array) -> Array:
    """An edited picture may stand on its head: the ellipse must reach the point across the centre too."""
    size = np.array([view.meta.width_px, view.meta.height_px])
    level = view.ground_z_m or 0.0
    here = ground_points(view.lens, pose, view.pixels, level, view.terrain)
    across = ground_points(view.lens, pose, size - view.pixels, level, view.terrain)
    gap = np.linalg.norm(across - here, axis=1)
    gap = np.where(np.isnan(gap), 2 * np.linalg.norm(offsets, axis=1), gap)
    finite = np.where(np.isfinite(covariances), covariances, 0.0)
    plain = np.sqrt(np.linalg.eigvalsh(finite)[:, 1] * CHI2_90)
    round_ones = ((gap + plain) ** 2 / CHI2_90)[:, None, None] * np.eye(2)
    return np.where(np.isfinite(covariances), round_ones, np.nan)


def _remark_on_level(view: _View) -> None:
    """Say what the ground's level rests on: a warning where the view makes it matter."""
    if view.ground_z_m is not None or view.terrain is not None or view.pose is None:
        return
    if view.pose.depression_deg < OBLIQUE_DEG:
        view.warnings.append(
            (
                "ground_level_unknown",
                "镜头倾斜，而高度只是离起飞点的高度，地面高低不明；误差已相应放大，给出地面高度可以更准。",
            )
        )
    else:
        view.notes.append(("ground_at_takeoff", "按地面与起飞点同高推算；离画面中心越远，高差影响越大。"))
