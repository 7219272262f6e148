"""Faults of a batch of frames, found from what each row says and from how the rows fit together.

A fault is a reason to leave a frame out or to look at it again, told in words; nothing is deleted or mended.
File names are never read for hints. What only pixels show comes in as a `Look`.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from geodata.frames.flock import strays
from geodata.frames.look import Look
from geodata.frames.metadata import FrameMeta
from geodata.frames.resaved import FIRMWARE
from geodata.frames.spot import Spot

HORIZON_DEG = 10.0
"""An axis flatter than this below the horizon shows no ground that could be placed."""
SAME_PLACE_M, SAME_HEIGHT_M = 1.0, 1.0
SOFT_PX, SOFTER_PX = 2.5, 0.8
"""Blur that is too much in any batch, and how much softer than its batch a frame with clear edges may be."""
CLEAR_EDGE_LEVELS = 5.0
"""Edges this steep are outlines of things; fainter ones, as of a river bed, may be soft in a sharp frame."""
JUDGES = 5
MAJORITY = 0.6

UNUSABLE = frozenset(
    {"no_position", "bad_position", "far_away", "no_gimbal", "gimbal_up", "gimbal_horizon", "blurred", "lens_cap"}
)
"""Faults with which a frame covers nothing; `edited`, `turned` and `duplicate` ones need a person or a choice."""


@dataclass(frozen=True)
class FrameRow:
    """One frame as a table knows it: degrees as written, even impossible ones, metres; None where it is silent.

    `taken_at` only has to be comparable within the batch; `view` tells apart what is taken at the same moment on
    purpose (band or lens); `digest` is that of the content; `marks` are codes of `FrameMeta.warnings`.
    """

    name: str
    taken_at: datetime | None = None
    lon: float | None = None
    lat: float | None = None
    altitude_m: float | None = None
    pitch_deg: float | None = None
    yaw_deg: float | None = None
    view: str = ""
    digest: str = ""
    model: str = ""
    software: str = ""
    marks: tuple[str, ...] = ()
    look: Look | None = None


@dataclass(frozen=True)
class Fault:
    """`index` of the row, a stable `code` and a Chinese sentence."""

    index: int
    code: str
    sentence: str


def row_of(meta: FrameMeta, name: str, digest: str = "", look: Look | None = None) -> FrameRow:
    """The row of a frame that was read."""
    local = datetime.fromisoformat(meta.taken_local).replace(tzinfo=UTC) if meta.taken_local else None
    view = meta.band_name or f"{meta.image_source} {meta.width_px}x{meta.height_px}"
    return FrameRow(
        name=name,
        taken_at=meta.taken_at or local,
        lon=meta.lon,
        lat=meta.lat,
        altitude_m=meta.absolute_altitude_m,
        pitch_deg=meta.gimbal_pitch_deg,
        yaw_deg=meta.gimbal_yaw_deg,
        view=view,
        digest=digest,
        model=meta.model,
        software=meta.software,
        marks=tuple(code for code, _ in meta.warnings),
        look=look,
    )


def find_faults(rows: Sequence[FrameRow], near: tuple[float, float, float] | None = None) -> list[Fault]:
    """All faults of a batch, by row and code.

    Parameters: `rows`; `near`, longitude, latitude and radius in metres within which the frames are expected.
    Codes: `no_position`, `bad_position`, `far_away`, `no_gimbal`, `gimbal_up`, `gimbal_horizon`, `edited`,
    `turned`, `lens_cap`, `blurred`, `duplicate`. Raises nothing.

    >>> rows = [FrameRow("a", lon=112.18, lat=30.35, pitch_deg=-90.0), FrameRow("b", lon=325.0, lat=250.0)]
    >>> [(fault.index, fault.code) for fault in find_faults(rows)]
    [(1, 'bad_position'), (1, 'no_gimbal')]
    """
    found: list[Fault] = []
    for index, row in enumerate(rows):
        found.extend(Fault(index, code, sentence) for code, sentence in _alone(row))
    placed = [index for index, row in enumerate(rows) if _place_fault(row) == ""]
    found.extend(_far(rows, placed, near))
    found.extend(_foreign(rows))
    found.extend(_soft(rows))
    found.extend(_twice(rows, placed, Counter(fault.index for fault in found)))
    seen: dict[tuple[int, str], Fault] = {}
    for fault in found:
        seen.setdefault((fault.index, fault.code), fault)
    return sorted(seen.values(), key=lambda fault: (fault.index, fault.code))


def _alone(row: FrameRow) -> Iterable[tuple[str, str]]:
    """What one row shows by itself."""
    place = _place_fault(row)
    if place == "none":
        yield "no_position", "没有坐标，无法定位。"
    elif place:
        yield "bad_position", f"坐标不可信（{place}），不采用。"
    if row.pitch_deg is None or not math.isfinite(row.pitch_deg):
        yield "no_gimbal", "没有云台姿态，不知道镜头朝哪里。"
    else:
        below = math.degrees(math.asin(math.sin(math.radians(-row.pitch_deg))))
        if below < -HORIZON_DEG / 2:
            yield "gimbal_up", f"镜头朝天（俯仰 {row.pitch_deg:g}°），看不到地面。"
        elif below < HORIZON_DEG:
            yield "gimbal_horizon", f"镜头朝向地平线（俯仰 {row.pitch_deg:g}°），地面位置不可用。"
    if "edited" in row.marks:
        yield "edited", "被其他软件重新保存过，画面可能被旋转或裁剪，位置不可直接采信。"
    if "turned" in row.marks:
        yield "turned", "带有旋转标记，像素坐标按文件中存储的方向计。"
    if row.look is not None and row.look.covered:
        yield "lens_cap", "画面全黑或只有一种色调，像是没有摘镜头盖。"


def _place_fault(row: FrameRow) -> str:
    """Empty for a usable place, `none` for no place, otherwise what is wrong with it."""
    if row.lon is None or row.lat is None:
        told = {"gps_implausible", "gps_invalid"} & set(row.marks) or (row.lon is None) != (row.lat is None)
        return "照片自己标明无效或数值不成立" if told else "none"
    if not (math.isfinite(row.lon) and math.isfinite(row.lat)):
        return "不是数"
    return Spot.fault(row.lon, row.lat)


def _far(rows: Sequence[FrameRow], placed: list[int], near: tuple[float, float, float] | None) -> Iterable[Fault]:
    """Frames far from the rest of the batch, or from where they are expected."""
    places = [(rows[index].lon or 0.0, rows[index].lat or 0.0) for index in placed]
    moments = [_seconds(rows[index].taken_at) for index in placed]
    for position, away_m in strays(places, moments):
        yield Fault(placed[position], "far_away", f"离同一批其他照片 {away_m / 1000:.1f} 公里，不像是这次飞行的照片。")
    if near is None:
        return
    centre = Spot(near[0], near[1])
    for index, (lon, lat) in zip(placed, places, strict=True):
        away_m = centre.distance_m(Spot(lon, lat))
        if away_m > near[2]:
            yield Fault(index, "far_away", f"离应在的地方 {away_m / 1000:.1f} 公里。")


def _seconds(moment: datetime | None) -> float:
    """Seconds that may be subtracted within a batch; a time without a zone stands in UTC only for that."""
    if moment is None:
        return math.nan
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _foreign(rows: Sequence[FrameRow]) -> Iterable[Fault]:
    """Frames whose software is neither that of most frames of the same camera nor any firmware's number."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        if row.model and row.software:
            groups[row.model].append(index)
    for members in groups.values():
        usual, count = Counter(rows[index].software for index in members).most_common(1)[0]
        if len(members) < JUDGES or count < MAJORITY * len(members):
            continue
        for index in members:
            software = rows[index].software
            if software != usual and not FIRMWARE.fullmatch(software):
                yield Fault(index, "edited", f"保存软件是 {software[:60]}，与同一相机的其他照片不同，可能被改动过。")


def _soft(rows: Sequence[FrameRow]) -> Iterable[Fault]:
    """Frames too soft by themselves, or clearly softer than the batch; those without edges are not judged."""
    judged = [
        (index, row.look.softness_px, row.look.edge_levels)
        for index, row in enumerate(rows)
        if row.look is not None and row.look.softness_px is not None and not row.look.covered
    ]
    limit = SOFT_PX
    clear = np.array([softness for _, softness, edge in judged if edge >= CLEAR_EDGE_LEVELS])
    if len(clear) >= JUDGES:
        usual = float(np.median(clear))
        spread = 1.4826 * float(np.median(np.abs(clear - usual)))
        limit = min(limit, usual + max(SOFTER_PX, 4.0 * spread))
    for index, softness, edge in judged:
        most = limit if edge >= CLEAR_EDGE_LEVELS else SOFT_PX
        if softness > most:
            yield Fault(index, "blurred", f"画面模糊（边缘宽约 {softness:.1f} 像素，限 {most:.1f}）。")


def _twice(rows: Sequence[FrameRow], placed: list[int], faults: Counter[int]) -> Iterable[Fault]:
    """All but the best row of each set with the same content, or the same view at the same moment and place."""
    groups: dict[object, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        if row.digest:
            groups[row.digest].append(index)
    for index in placed:
        row = rows[index]
        if row.taken_at is not None:
            groups[(row.taken_at, row.view, row.model)].append(index)
    for members in groups.values():
        kept: list[int] = []
        for index in sorted(members, key=lambda member: (faults[member], member)):
            twin = next((other for other in kept if _same(rows[index], rows[other])), None)
            if twin is None:
                kept.append(index)
            else:
                yield Fault(index, "duplicate", f"与 {rows[twin].name} 重复（同一内容，或同一时刻同一地点）。")


def _same(one: FrameRow, other: FrameRow) -> bool:
    if one.digest and one.digest == other.digest:
        return True
    if None in (one.lon, one.lat, other.lon, other.lat) or one.pitch_deg != other.pitch_deg:
        return False
    heights = [row.altitude_m for row in (one, other) if row.altitude_m is not None]
    if len(heights) == 2 and abs(heights[0] - heights[1]) > SAME_HEIGHT_M:
        return False
    places = [Spot(row.lon or 0.0, row.lat or 0.0) for row in (one, other)]
    return places[0].distance_m(places[1]) <= SAME_PLACE_M
