"""Overlapping frames adjusted together: poses that agree on the ground they share, and what is wrong with some.

The ground is one plane. What overlaps cannot show (an error all frames share) stays in the covariance, and a
frame that cannot be tied to others is left as it was and named. It reads no file and changes no metadata.

Proven on one real flight (11 frames straight down from 40 m, lawn, road and trees) and on generated ones; oblique
frames, wrong positions and quarter turns only on generated or altered data, steep banks not at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from geodata.frames import trust
from geodata.frames.adjusted import Adjustment, Correction, Framed, LeftOut, PairReport
from geodata.frames.camera import camera_for
from geodata.frames.matches import LEAST_MATCHES, Ties
from geodata.frames.metadata import FrameMeta
from geodata.frames.project import Pose, ground_points, to_plane
from geodata.frames.solve import PARTS, Link, Solution, corrected, solve
from geodata.frames.turned import DISAGREES, evidence_of, groups_of, turned_pose, turns_of

Array = NDArray[np.float64]

COMMON_SHARE = 0.7
"""Of one frame's expected error in place and yaw this share is every frame's of the flight: same satellites,
same minutes, same mount. The rest, sqrt(1 - 0.7²) of 2 m, is 1.4 m along an axis."""
OWN_SCALE = 0.02
"""Ground under one frame may lie so much, of the height, off the level common to all."""
OWN_SLOPE, COMMON_SLOPE = 0.02, 0.03
"""Rise per metre of the ground under one frame against the others', and of the whole; river banks are steeper, but
a whole frame of bank is rare."""
STEEPEST_TANGENT = 4.0
"""Matches seen flatter than this (76 degrees off the vertical) say little and err much."""
LEAST_HEIGHT_M = 1.0


def framed(name: str, meta: FrameMeta, ground_z_m: float | None = None) -> Framed | LeftOut:
    """A frame ready for adjustment, or why it cannot be.

    `ground_z_m`: the ground's level over the take-off point, as in `locate`.

    >>> framed("a.jpg", FrameMeta(4000, 3000, "JPEG"))
    LeftOut(name='a.jpg', code='no_position', sentence='a.jpg 没有可用的坐标，不能参加平差。')
    """
    if meta.lon is None or meta.lat is None:
        return LeftOut(name, "no_position", f"{name} 没有可用的坐标，不能参加平差。")
    yaw, pitch, roll = meta.gimbal_yaw_deg, meta.gimbal_pitch_deg, meta.gimbal_roll_deg
    if yaw is None or pitch is None or roll is None or meta.relative_altitude_m is None:
        return LeftOut(name, "no_pose", f"{name} 没有云台姿态或相对高度，不能参加平差。")
    camera = camera_for(meta)
    if camera is None:
        return LeftOut(name, "no_focal", f"{name} 没有可用的焦距，不能参加平差。")
    height_m = meta.relative_altitude_m - (ground_z_m or 0.0)
    if height_m < LEAST_HEIGHT_M:
        return LeftOut(name, "too_low", f"{name} 的相机不高于地面，不能参加平差。")
    sigma = trust.pose_sigma(meta, camera, ground_z_m is not None)
    return Framed(name, meta.lon, meta.lat, camera, Pose(yaw, pitch, roll, height_m), sigma)


def adjust(frames: Sequence[Framed], ties: Sequence[Ties]) -> Adjustment:
    """Correct the poses of overlapping frames so that they agree on the ground they share.

    Parameters: `frames`, at least those that `ties` index. Each gets a correction of east, north, yaw,
    height and slope, held by what its metadata may err. Turned pictures are found first, from the matches alone. Returns `Adjustment`; raises nothing: what
    cannot be adjusted is in `left_out`. Source: Gauss-Newton on reweighted least squares, plane ground.
    """
    if not frames:
        return Adjustment((), (), (), (), None, None, None)
    lon, lat = (float(np.mean([getattr(frame, part) for frame in frames])) for part in ("lon", "lat"))
    places = to_plane(lon, lat, [(frame.lon, frame.lat) for frame in frames])
    own, shared = _expected(frames)
    rays = [
        (frames[tie.first].camera.rays(tie.first_px), frames[tie.second].camera.rays(tie.second_px)) for tie in ties
    ]
    here = [replace(frame.pose, east_m=x, north_m=y) for frame, (x, y) in zip(frames, places.tolist(), strict=True)]
    evidence = [
        evidence_of(
            tie.first,
            tie.second,
            pair,
            (here[tie.first], here[tie.second]),
            np.array([frames[index].sigma.plane_m for index in (tie.first, tie.second)]),
            own[[tie.first, tie.second], 2:4],
        )
        for tie, pair in zip(ties, rays, strict=True)
    ]
    turns = turns_of(len(frames), evidence)
    poses = [turned_pose(frame.pose, quarters) for frame, quarters in zip(frames, turns.quarters, strict=True)]
    links: list[Link] = []
    raw: list[Array] = []
    for tie, pair, told in zip(ties, rays, evidence, strict=True):
        agrees = told.costs[turns.quarters[tie.first], turns.quarters[tie.second]] < DISAGREES
        if not (agrees and turns.sure[tie.first] and turns.sure[tie.second]):
            continue
        link, stated = _link(tie, pair, poses, frames, places)
        if len(link.first_m) >= LEAST_MATCHES:
            links.append(link)
            raw.append(stated)
    heights = np.array([frame.pose.height_m for frame in frames])
    solution = solve(places, heights, links, own, shared)
    reports, before, after = _reports(frames, places, heights, links, raw, own, shared)
    tied = {index for link in links for index in (link.first, link.second)}
    corrections = _corrections(frames, places, poses, turns.quarters, solution, links)
    left = [_why(frame.name, index, ties, turns.sure[index]) for index, frame in enumerate(frames) if index not in tied]
    spread = solution.spread_m if links else None
    return Adjustment(tuple(frames), tuple(corrections), tuple(reports), tuple(left), before, after, spread)


def _expected(frames: Sequence[Framed]) -> tuple[Array, Array]:
    """Each frame's own 1 sigma (f, 6) of its correction, and its share in the common error (f, 6)."""
    own, shared = np.zeros((len(frames), PARTS)), np.zeros((len(frames), PARTS))
    rest = math.sqrt(1 - COMMON_SHARE**2)
    for index, frame in enumerate(frames):
        sigma, height_m = frame.sigma, frame.pose.height_m
        # A tilt that is not corrected for moves a frame's whole view, so its place must be free to answer.
        tilt = math.radians(max(sigma.pitch_deg, sigma.roll_deg))
        plane, yaw = math.hypot(sigma.plane_m, tilt * height_m), math.radians(sigma.yaw_deg)
        height = sigma.height_m / height_m
        slope = math.hypot(tilt, OWN_SLOPE)
        own[index] = (rest * plane, rest * plane, rest * yaw, math.hypot(rest * height, OWN_SCALE), slope, slope)
        level = math.hypot(sigma.ground_m / height_m, sigma.focal)
        shared[index, :4] = np.array([plane, plane, yaw, math.hypot(height, level / COMMON_SHARE)]) * COMMON_SHARE
        shared[index, 4:] = COMMON_SLOPE
    return own, shared


def _link(
    tie: Ties, rays: tuple[Array, Array], poses: Sequence[Pose], frames: Sequence[Framed], places: Array
) -> tuple[Link, Array]:
    """The pair as the solver wants it, and its gaps as the files state them, turned pictures and all."""
    ends = (tie.first, tie.second)
    pixels = (tie.first_px, tie.second_px)
    offsets = [ground_points(frames[end].camera, poses[end], px) for end, px in zip(ends, pixels, strict=True)]
    stated = [ground_points(frames[end].camera, frames[end].pose, px) for end, px in zip(ends, pixels, strict=True)]
    slant = np.zeros(len(rays[0]))
    for end, offset in zip(ends, offsets, strict=True):
        slant = slant + np.sum(offset**2, axis=1) / poses[end].height_m ** 2
    # Rows without a place have NaN here, and compare as not small enough.
    good = slant < STEEPEST_TANGENT**2
    gaps = np.linalg.norm(stated[0] + places[tie.first] - stated[1] - places[tie.second], axis=1)[good]
    return Link(tie.first, tie.second, offsets[0][good], offsets[1][good], slant[good]), gaps


def _reports(
    frames: Sequence[Framed],
    places: Array,
    heights: Array,
    links: Sequence[Link],
    raw: Sequence[Array],
    own: Array,
    shared: Array,
) -> tuple[list[PairReport], tuple[float, float] | None, tuple[float, float] | None]:
    """Every pair before, and after by fits that did not see the matches they are judged on."""
    if not links:
        return [], None, None
    after = [np.full(len(link.slant), np.nan) for link in links]
    for fold in (0, 1):
        fitted = solve(places, heights, [_part(link, fold) for link in links], own, shared).corrections
        for link, gaps in zip(links, after, strict=True):
            judged = _part(link, 1 - fold)
            one, other = (
                corrected(places[[end]], heights[[end]], offsets, fitted[[end]])
                for end, offsets in ((judged.first, judged.first_m), (judged.second, judged.second_m))
            )
            gaps[1 - fold :: 2] = np.linalg.norm(one - other, axis=1)
    reports = [
        PairReport(
            frames[link.first].name, frames[link.second].name, len(gaps), *_middle_and_p90(was), *_middle_and_p90(gaps)
        )
        for link, was, gaps in zip(links, raw, after, strict=True)
    ]
    return reports, _middle_and_p90(np.concatenate(raw)), _middle_and_p90(np.concatenate(after))


def _part(link: Link, fold: int) -> Link:
    some = slice(fold, None, 2)
    return Link(link.first, link.second, link.first_m[some], link.second_m[some], link.slant[some])


def _middle_and_p90(gaps: Array) -> tuple[float, float]:
    seen = gaps[np.isfinite(gaps)]
    return (float(np.median(seen)), float(np.percentile(seen, 90))) if len(seen) else (math.nan, math.nan)


def _corrections(
    frames: Sequence[Framed],
    places: Array,
    poses: Sequence[Pose],
    quarters: Sequence[int],
    solution: Solution,
    links: Sequence[Link],
) -> list[Correction]:
    found = []
    for group in groups_of(len(frames), [(link.first, link.second) for link in links]):
        if len(group) == 1:
            continue
        rows = np.array([index * PARTS + part for index in group for part in range(PARTS)])
        block = solution.covariance[np.ix_(rows, rows)]
        alone = _without_block_moves(places[group], np.array([poses[index].height_m for index in group]))
        against = alone @ block @ alone.T
        for at, index in enumerate(group):
            own = slice(at * PARTS, (at + 1) * PARTS)
            east, north, yaw, scale, *slope = solution.corrections[index].tolist()
            pose = poses[index]
            found.append(
                Correction(
                    frames[index].name,
                    east,
                    north,
                    math.degrees(yaw),
                    scale * 100,
                    (slope[0] * 100, slope[1] * 100),
                    quarters[index] * 90,
                    replace(
                        pose,
                        yaw_deg=pose.yaw_deg + math.degrees(yaw),
                        height_m=pose.height_m * (1 + scale),
                        east_m=east,
                        north_m=north,
                    ),
                    block[own, own],
                    against[own, own],
                )
            )
    order = {frame.name: index for index, frame in enumerate(frames)}
    return sorted(found, key=lambda correction: order[correction.name])


def _without_block_moves(places: Array, heights_m: Array) -> Array:
    """Matrix (6f, 6f) that takes out of a group's errors what moves, turns or stretches all of it as one.

    Such an error carries the same ground along in every frame, so that frames do not disagree by it.
    """
    count = len(places)
    east, north = (places - places.mean(axis=0)).T
    moves = np.zeros((count, PARTS, 4))
    moves[:, 0, 0] = moves[:, 1, 1] = moves[:, 2, 2] = moves[:, 3, 3] = 1.0
    moves[:, 0, 2], moves[:, 1, 2] = north, -east
    moves[:, 0, 3], moves[:, 1, 3] = east, north
    flat = moves.reshape(count * PARTS, 4)
    # An angle or a stretch weighs by how far it moves what a frame sees, at half its height from the middle.
    arm = (0.5 * heights_m) ** 2
    weight = np.column_stack((np.ones((count, 2)), arm, arm, arm / 4, arm / 4)).ravel()
    return np.asarray(np.eye(len(flat)) - flat @ np.linalg.solve((flat.T * weight) @ flat, flat.T * weight))


def _why(name: str, index: int, ties: Sequence[Ties], sure: bool) -> LeftOut:
    if not sure:
        return LeftOut(
            name, "turned_unsure", f"{name} 或与它重叠的照片被旋转过，分不清是哪一张，没有参加平差；请用原始文件。"
        )
    if any(index in (tie.first, tie.second) for tie in ties):
        return LeftOut(name, "disagrees", f"{name} 与重叠照片对不上，它的坐标或姿态可能有误，没有参加平差；请核实。")
    return LeftOut(name, "no_matches", f"{name} 与其他照片没有足够的同名点（如全是水面），仍为卫星定位精度。")
