"""One photograph located with the help of the others of its flight: `locate` on a pose they agree on.

It chooses neighbours from a folder, has them matched and adjusted, and answers in `locate`'s own shape. The
folder's files are only read; one that cannot be used is named, never fatal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from geodata.errors import GeoError
from geodata.frames.adjust import adjust, framed
from geodata.frames.adjusted import Adjustment, Correction, Framed, LeftOut
from geodata.frames.answer import place
from geodata.frames.locate import locate
from geodata.frames.matches import Features, features_of, pairs_of, ties_of
from geodata.frames.metadata import FrameMeta, Remark, read_frame
from geodata.frames.project import footprint, to_lonlat, to_plane
from geodata.frames.spot import Spot
from geodata.frames.turned import turned_pose

PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".heic", ".heif")
MOST_FRAMES = 24
"""The photo and its nearest neighbours; more would take longer and hardly move the photo's own pose."""
SLACK = 2.0
"""Footprints may lie off by so many sigma of their place and still be tried as a pair."""
MOST_FILES = 5000
LEAST_DEPRESSION_DEG = 20.0


def locate_together(
    photo: str | Path,
    folder: str | Path,
    pixels: Sequence[tuple[float, float]] = (),
    ground_z_m: float | None = None,
) -> dict[str, Any]:
    """Where the pixels of a photograph lie, its pose adjusted against the overlapping photographs of a folder.

    Parameters: as `locate`; `folder` holds the other photographs (not searched deeper; the photo itself may
    be among them). Returns `locate`'s answer by the method `pose`, with an `adjustment`: `used`, `frames`,
    `pairs`, `matches`, `median_m` and `p90_m` {before, after} (after: on matches that were not used in the
    fit), `turned` (names of pictures a viewer has turned), `corrections`, `left_out`, `pair_report`. The
    answer's `camera` stays what the file states. Where the photo cannot be adjusted (no texture, no overlap,
    no pose) the answer is `locate`'s own, `used` is false and a warning says why.

    `ce90_m` follows from the fit's covariance, in which the error common to the flight remains: overlapping
    frames show how they err against each other, not where on earth all of them are.

    Raises `GeoError`: `no_folder`, `no_others`, `too_many_files`, and all of `locate`'s.
    """
    path, meta = Path(photo), read_frame(photo)
    plain = locate(meta, pixels, "pose", ground_z_m)
    files, broken = _others(path, Path(folder))
    this = path.name if path.name not in {file.name for file, _ in files} else f"{path.name}（本张）"
    subject = framed(this, meta, ground_z_m)
    if isinstance(subject, LeftOut):
        return _told(plain, Adjustment((), (), (), (subject, *broken), None, None, None), None, this)
    others, left = _usable(subject, files, ground_z_m)
    frames = [subject, *(frame for frame, _ in others)]
    found = adjust_photos(frames, [path, *(file for _, file in others)])
    found = replace(found, left_out=(*found.left_out, *left, *broken))
    correction = found.of(this)
    if correction is None:
        return _told(plain, found, None, this)
    answer = locate(_stated(meta, subject, correction), pixels, "pose", ground_z_m)
    answer["camera"] = plain["camera"]
    asked = np.array([point["pixel"] for point in answer["points"]])
    lonlat, covariances = found.ground(this, asked)
    answer["points"] = [
        place(pixel, Spot(*lonlat[index].tolist()), covariances[index], "pose") if point["method"] == "pose" else point
        for index, (pixel, point) in enumerate(zip(asked, answer["points"], strict=True))
    ]
    ring = found.outline(this)
    if ring is not None:
        answer["footprint"] = {"type": "Polygon", "coordinates": [np.round(np.vstack((ring, ring[:1])), 9).tolist()]}
    return _told(answer, found, correction, this)


def _others(photo: Path, folder: Path) -> tuple[list[tuple[Path, FrameMeta]], list[LeftOut]]:
    """The folder's photographs without the photo itself, and those that cannot be read."""
    try:
        listed = sorted(file for file in folder.iterdir() if file.suffix.lower() in PHOTOS and file.is_file())
    except (OSError, ValueError) as fault:
        raise GeoError("no_folder", f"读不到文件夹“{folder}”，请检查路径和权限。", where="folder") from fault
    if len(listed) > MOST_FILES:
        raise GeoError(
            "too_many_files",
            f"文件夹里有 {len(listed)} 张照片，最多 {MOST_FILES} 张；请只放同一架次的。",
            where="folder",
        )
    itself = hashlib.sha256(photo.read_bytes()).digest()
    size = photo.stat().st_size
    found, broken = [], []
    for file in listed:
        try:
            if file.stat().st_size == size and hashlib.sha256(file.read_bytes()).digest() == itself:
                continue
            found.append((file, read_frame(file)))
        except (GeoError, OSError) as fault:
            sentence = fault.sentence if isinstance(fault, GeoError) else "读不到文件，请检查权限。"
            broken.append(LeftOut(file.name, "unreadable", f"{file.name}：{sentence}"))
    if not found and not broken:
        raise GeoError(
            "no_others",
            f"文件夹“{folder.name}”里没有别的照片；请给出同一架次、有重叠的照片所在的文件夹。",
            where="folder",
        )
    return found, broken


def _usable(
    subject: Framed, files: Sequence[tuple[Path, FrameMeta]], ground_z_m: float | None
) -> tuple[list[tuple[Framed, Path]], list[LeftOut]]:
    """The nearest frames that have a pose, and those that have none."""
    ready: list[tuple[Framed, Path]] = []
    left: list[LeftOut] = []
    for file, meta in files:
        frame = framed(file.name, meta, ground_z_m)
        if isinstance(frame, LeftOut):
            left.append(frame)
        else:
            ready.append((frame, file))
    here = Spot(subject.lon, subject.lat)
    nearest = sorted(ready, key=lambda pair: (here.distance_m(Spot(pair[0].lon, pair[0].lat)), pair[0].name))
    return sorted(nearest[: MOST_FRAMES - 1], key=lambda pair: pair[0].name), left


def adjust_photos(frames: Sequence[Framed], photos: Sequence[str | Path | bytes]) -> Adjustment:
    """Match and adjust frames by their pictures, one each, opened one after the other and only where they overlap.

    A picture that cannot be decoded is left out as `unreadable`; raises nothing.
    """
    pairs = candidate_pairs(frames)
    seen: dict[int, Features] = {}
    unreadable: list[LeftOut] = []
    for index in sorted({index for pair in pairs for index in pair}):
        try:
            seen[index] = features_of(photos[index])
        except GeoError as fault:
            unreadable.append(LeftOut(frames[index].name, "unreadable", f"{frames[index].name}：{fault.sentence}"))
    found = adjust(frames, ties_of(seen, [pair for pair in pairs if set(pair) <= set(seen)]))
    named = {left.name for left in unreadable}
    return replace(found, left_out=(*(left for left in found.left_out if left.name not in named), *unreadable))


def candidate_pairs(frames: Sequence[Framed]) -> list[tuple[int, int]]:
    """Pairs of frames (indices) that may show the same ground, whether or not their pictures were turned.

    A frame that sees no ground, or hardly looks down, is in no pair.
    """
    if not frames:
        return []
    places = to_plane(frames[0].lon, frames[0].lat, [(frame.lon, frame.lat) for frame in frames])
    outlines, slack = {}, {}
    for index, frame in enumerate(frames):
        ways = [footprint(frame.camera, turned_pose(frame.pose, quarters)) for quarters in (0, 2)]
        seen = [outline for outline in ways if outline is not None]
        if seen and frame.pose.depression_deg >= LEAST_DEPRESSION_DEG:
            outlines[index] = np.vstack(seen) + places[index]
            slack[index] = SLACK * frame.sigma.plane_m
    return pairs_of(outlines, slack)


def _stated(meta: FrameMeta, subject: Framed, correction: Correction) -> FrameMeta:
    """The metadata as they would read with the corrected pose; no laser, which rests on the old one."""
    lon, lat = to_lonlat(subject.lon, subject.lat, np.array([[correction.east_m, correction.north_m]]))[0].tolist()
    ground_m = (meta.relative_altitude_m or 0.0) - subject.pose.height_m
    return replace(
        meta,
        lon=lon,
        lat=lat,
        relative_altitude_m=correction.pose.height_m + ground_m,
        gimbal_yaw_deg=correction.pose.yaw_deg,
        gimbal_roll_deg=correction.pose.roll_deg,
        laser=None,
    )


def _told(answer: dict[str, Any], found: Adjustment, correction: Correction | None, name: str) -> dict[str, Any]:
    """The answer with its adjustment, and in words what is to be known about the photo itself."""
    remarks: list[Remark] = []
    if correction is None:
        why = next((left.sentence for left in found.left_out if left.name == name), "")
        remarks.append(("not_adjusted", f"没有平差，仍按照片自带的姿态定位。{why}"))
    elif correction.turned_deg:
        remarks.append(
            (
                "picture_turned",
                f"与重叠照片比对，这张照片的画面被顺时针旋转了 {correction.turned_deg}°，已按转回后的方向定位；"
                "像素坐标仍按文件中存储的方向计。",
            )
        )
    others = [turned for turned in found.turned if turned != name]
    if others:
        remarks.append(("others_turned", f"这些照片的画面被旋转过，已按转回后的方向参加平差：{'、'.join(others)}。"))
    answer["warnings"] = [
        *answer["warnings"], *({"code": code, "sentence": sentence} for code, sentence in remarks)
    ]  # fmt: skip
    answer["adjustment"] = {
        "used": correction is not None,
        "frames": len(found.corrections),
        "pairs": len(found.pairs),
        "matches": found.matches,
        "median_m": _figures(found, 0),
        "p90_m": _figures(found, 1),
        "turned": list(found.turned),
        "corrections": [_correction(each) for each in found.corrections],
        "left_out": [asdict(left) for left in found.left_out],
        "pair_report": [_rounded(asdict(pair)) for pair in found.pairs],
    }
    return answer


def _figures(found: Adjustment, which: int) -> dict[str, float | None]:
    return {
        "before": None if found.before_m is None else round(found.before_m[which], 3),
        "after": None if found.after_m is None else round(found.after_m[which], 3),
    }


def _correction(each: Correction) -> dict[str, Any]:
    sigma = np.sqrt(np.diag(each.covariance))
    against = np.sqrt(np.diag(each.relative))
    return _rounded(
        {
            "name": each.name,
            "east_m": each.east_m,
            "north_m": each.north_m,
            "yaw_deg": each.yaw_deg,
            "height_percent": each.height_percent,
            "slope_percent": [round(slope, 3) for slope in each.slope_percent],
            "turned_deg": each.turned_deg,
            "sigma_m": float(np.hypot(sigma[0], sigma[1]) / np.sqrt(2)),
            "relative_sigma_m": float(np.hypot(against[0], against[1]) / np.sqrt(2)),
        }
    )


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()}
