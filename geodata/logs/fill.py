"""Photographs without a position take it from the flight's log, each with its method and honest error.

Positions a photograph has of its own are never touched, a planned route places nothing, and times are only
compared where both have a zone or somebody declares that camera and log share one clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from geodata.errors import GeoError
from geodata.frames.metadata import FrameMeta
from geodata.logs.track import Track, TrackPoint

RADIUS_68 = 1.51
"""A 68 % radius in two dimensions, in standard deviations of one axis: what `horizontal_error_m` holds."""


@dataclass(frozen=True)
class Filled:
    """One photograph after the log was asked.

    `method`: `own` (it had a position), `log` (it has the log's now) or `none`. `sigma_m` is one standard
    deviation along each ground axis, for `log` only. `reason` says in words why there is still no position.
    """

    meta: FrameMeta
    method: Literal["own", "log", "none"]
    sigma_m: float | None = None
    point: TrackPoint | None = None
    reason: str = ""


def fill(
    frames: Sequence[FrameMeta], track: Track, names: Sequence[str] = (), same_clock: bool = False
) -> list[Filled]:
    """The same frames in the same order; those without a position have the log's where it can tell.

    Parameters: `names`, the frames' file names, for logs that list photographs; `same_clock` declares that the
    camera's clock and the log's are one, so that times without zone may be compared.

    Heights and gimbal angles are taken from the log only where the photograph has none. Raises GeoError
    `planned-not-flown` for a route that was only planned. Proven on generated flights and one public photo list.
    """
    if track.planned:
        raise GeoError("planned-not-flown", "这是航线规划，不是飞行记录，不能用来给照片定位；请导入飞行日志。", "log")
    listed = list(names) + [""] * (len(frames) - len(names))
    return [_filled(frame, track, name, same_clock) for frame, name in zip(frames, listed, strict=True)]


def _filled(frame: FrameMeta, track: Track, name: str, same_clock: bool) -> Filled:
    if frame.lon is not None and frame.lat is not None:
        return Filled(frame, "own")
    point = track.named(name) if name and track.names else None
    if point is None:
        moment = _moment(frame, track, same_clock)
        if isinstance(moment, str):
            return Filled(frame, "none", reason=moment)
        point = track.at(moment)
    if point is None:
        return Filled(frame, "none", reason="拍摄时刻不在日志的记录范围内，或正好落在日志的缺口里。")
    return Filled(_placed(frame, point), "log", point.sigma_m, point)


def _moment(frame: FrameMeta, track: Track, same_clock: bool) -> datetime | str:
    """The frame's moment in terms the track answers to, or why there is none."""
    if not track.timed:
        return "日志没有时间，对不上照片。"
    if frame.taken_at is not None and track.start_at is not None:
        return frame.taken_at
    if frame.taken_at is None and frame.taken_local is None:
        return "照片没有拍摄时间，对不上日志。"
    if track.start_clock is None:
        return "日志没有时钟（只有视频内的秒数），对不上照片的拍摄时间。"
    if same_clock and frame.taken_local is not None:
        return datetime.fromisoformat(frame.taken_local).replace(tzinfo=None)
    lacking = "日志的时间没有声明时区" if track.start_at is None else "照片的拍摄时间没有写明时区"
    return f"{lacking}，不能直接比较；请声明时区，或声明相机与日志用同一时钟。"


def _placed(frame: FrameMeta, point: TrackPoint) -> FrameMeta:
    provenance = {**frame.provenance, "position": "log"}
    changes: dict[str, float | None] = {}
    for own, logged in (("relative_altitude_m", point.rel_alt_m), ("absolute_altitude_m", point.abs_alt_m)):
        if getattr(frame, own) is None and logged is not None:
            changes[own] = logged
            provenance[own.removesuffix("_m")] = "log"
    angles = (point.gimbal_yaw_deg, point.gimbal_pitch_deg)
    if frame.gimbal_pitch_deg is None and None not in angles:
        changes |= {
            "gimbal_yaw_deg": angles[0],
            "gimbal_pitch_deg": angles[1],
            "gimbal_roll_deg": point.gimbal_roll_deg or 0.0,
        }
        provenance["attitude"] = "log"
    note = ("position_from_log", f"照片没有坐标，位置取自飞行日志（误差约 {point.sigma_m * RADIUS_68:.0f} 米）。")
    return replace(
        frame,
        lon=point.lon,
        lat=point.lat,
        horizontal_error_m=point.sigma_m * RADIUS_68,
        provenance=MappingProxyType(provenance),
        warnings=tuple(remark for remark in frame.warnings if remark[0] != "no_position"),
        notes=(*frame.notes, note),
        **changes,  # type: ignore[arg-type]  # only float fields are named above
    )
