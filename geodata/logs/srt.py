"""DJI's video subtitles (.SRT) into rows: one a cue, whatever dialect the drone speaks.

Three families are known: bracketed `[latitude: ..]` (also misspelt `longtitude`, with or without gimbal angles, in
or out of HTML font tags), calls `GPS(a,b,c)` with a pair in either order, and compact lines with `F.PRY` and
`G.PRY`. A whole number in third place of a GPS call counts satellites and is not taken for a height. It finds no
zone: subtitles never carry one.
"""

from __future__ import annotations

import re
from typing import Literal

import numpy as np

from geodata.errors import GeoError
from geodata.logs.clock import reading
from geodata.logs.digits import Bytes, Keys, numbers_at, padded
from geodata.logs.rows import Floats, LineRemark, Rows, Whole

Order = Literal["lon,lat", "lat,lon"]
NEAR_DEG = 2.0

# Possessive: subtitles are long and a number never needs a second look.
_N = r"([-+]?\d++(?:\.\d++)?+)"
_CALL = re.compile(r"gps\s*\(\s*" + _N + r"\s*,\s*" + _N)
_THIRD = re.compile(r"gps\s*\(\s*[-+.\d]+\s*,\s*[-+.\d]+\s*,\s*([-+]?\d+\.\d+)")
_ABOVE_START = re.compile(r"(?:barometer\s*[:(]|\bhb\s*:|[\s,]h(?=\s))\s*" + _N)
_PRY = r"\.pry\s*\(\s*" + _N + r"[^,)]{0,4},\s*" + _N + r"[^,)]{0,4},\s*" + _N
_GIMBAL_PRY = re.compile(r"\bg" + _PRY)
_FLIGHT_PRY = re.compile(r"\bf" + _PRY)
_KEYS = {
    "rel_alt_m": b"rel_alt",
    "abs_alt_m": b"abs_alt",
    "gimbal_yaw_deg": b"gb_yaw",
    "gimbal_pitch_deg": b"gb_pitch",
    "gimbal_roll_deg": b"gb_roll",
    "heading_deg": b"drone_yaw",
}
_BRACKET = re.compile(r"latitude\s*:\s*" + _N)
_CUE = re.compile(r"(\d{1,3}):(\d\d):(\d\d)[,.:](\d{1,3})\s*$")
_STAMP = re.compile(r"\d{4}[-./]\d{1,2}[-./]\d{1,2}[ t]\d{1,2}:\d\d:\d\d(?:[.,]\d{1,3})?")
_FPV = re.compile(r'<font size="28">[^\[]{0,120}:\d\d\.\d{3}\s')
_SAMPLE = 262_144

_STAMP_DIGITS = (0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18)


def looks_like(data: bytes) -> bool:
    """Whether the start of a file speaks like subtitles of a drone.

    >>> looks_like(b"1\\n00:00:00,000 --> 00:00:01,000\\nGPS(112.18,30.35,16)"), looks_like(b"lat,lon\\n30,112")
    (True, False)
    """
    head = data[:65536].lower().decode("latin-1")
    return "-->" in head or bool(_CALL.search(head) or _BRACKET.search(head))


def read_srt(data: bytes, order: str | None = None, near: tuple[float, float] | None = None) -> Rows:
    """Rows of a subtitle file, one a cue; cues without a position keep NaN.

    `order` declares how `GPS(a,b)` is to be read (`lon,lat` or `lat,lon`); `near` is a WGS-84 place (lon, lat) it
    must lie by. Without either the values themselves decide where they can, else the habit of the dialect does,
    and a remark says so. Raises GeoError `not-a-log` or `bad-order`.

    >>> rows = read_srt(b"1\\n00:00:02,500 --> 00:00:03,500\\n[latitude: 30.35] [longtitude: 112.18] [altitude: 40.1]")
    >>> rows.dialect, float(rows.t_s[0]), float(rows.column("lon")[0]), float(rows.column("abs_alt_m")[0])
    ('bracket', 2.5, 112.18, 40.1)
    """
    if order not in (None, "lon,lat", "lat,lon"):
        raise GeoError("bad-order", "坐标顺序只能写 lon,lat（先经度）或 lat,lon（先纬度）。", "order")
    data = padded(data)
    text, buffer = data.decode("latin-1"), np.frombuffer(data, np.uint8)
    newlines = np.flatnonzero(buffer == 10)
    stamps_at, stamps_s, step_s = _stamps(text, buffer, newlines)
    cues = _arrows(buffer)
    timed = len(cues) > 0
    if not timed:
        cues = stamps_at
    if not len(cues):
        raise GeoError(
            "not-a-log", "字幕文件里没有时间行，不是无人机的 SRT 日志；请使用无人机存储卡里的原始 SRT。", "srt"
        )
    rows = Rows("srt", "", np.searchsorted(newlines, cues).astype(np.int64) + 1, {})
    rows.t_s = _cue_s(text, buffer, cues) if timed else None
    if len(stamps_at):
        rows.clock_s, rows.clock_step_s = _spread(cues, stamps_at, stamps_s[:, None])[:, 0], step_s
    _bracketed(rows, text, buffer, cues)
    if np.isnan(rows.columns["lat"]).any():
        _called(rows, text, cues, order, near)
    return rows


def _arrows(buffer: Bytes) -> Whole:
    """Byte positions of every `-->`."""
    heads = np.flatnonzero(buffer == 62)
    heads = heads[heads > 2]
    return np.asarray(heads[(buffer[heads - 1] == 45) & (buffer[heads - 2] == 45)] - 2, np.int64)


def _spread(cues: Whole, at: Whole, values: Floats) -> Floats:
    """Values found at byte positions, laid into the cues they stand in; the first one of a cue counts."""
    laid = np.full((len(cues), values.shape[1]), np.nan)
    cue = np.searchsorted(cues, at, "right") - 1
    inside = cue >= 0
    laid[cue[inside][::-1]] = values[inside][::-1]
    return laid


def _found(pattern: re.Pattern[str], text: str, cues: Whole) -> Floats:
    """All numbers a pattern catches, (cues, groups)."""
    at: list[int] = []
    flat: list[float] = []
    # One pass that keeps no match objects: a hundred thousand of them cost the collector more than the search.
    for hit in pattern.finditer(text):
        at.append(hit.start())
        flat.extend(map(float, hit.groups()))
    if not at:
        return np.full((len(cues), pattern.groups), np.nan)
    return _spread(cues, np.array(at, np.int64), np.array(flat).reshape(len(at), pattern.groups))


def _cue_s(text: str, buffer: Bytes, cues: Whole) -> Floats:
    """Start of each cue in seconds; almost all are `HH:MM:SS,mmm -->`, the rest go the slow way."""
    seconds = np.full(len(cues), np.nan)
    able = cues >= 13
    start = cues[able] - 13
    number = [buffer[start + place] - 48 for place in range(13)]
    usual = np.logical_and.reduce([number[place] <= 9 for place in (0, 1, 3, 4, 6, 7, 9, 10, 11)])
    usual &= (number[2] == 10) & (number[5] == 10)  # colons
    usual &= (buffer[start + 8] == 44) | (buffer[start + 8] == 46)
    usual &= buffer[start + 12] == 32
    weights = (36_000_000, 3_600_000, 0, 600_000, 60_000, 0, 10_000, 1000, 0, 100, 10, 1)
    ms = sum(digit.astype(np.int64) * weight for digit, weight in zip(number, weights, strict=False) if weight)
    seconds[able] = np.where(usual, ms / 1000.0, np.nan)
    for index in np.flatnonzero(np.isnan(seconds)):
        found = _CUE.search(text, max(0, int(cues[index]) - 20), int(cues[index]))
        if found:
            hours, minutes, whole, part = (int(group) for group in found.groups())
            seconds[index] = hours * 3600 + minutes * 60 + whole + part / 10 ** len(found[4])
    return seconds


def _stamps(text: str, buffer: Bytes, newlines: Whole) -> tuple[Whole, Floats, float]:
    """Byte positions, readings (as if UTC) and step of the clock lines."""
    starts = np.concatenate(([0], newlines + 1))
    starts = starts[starts + 23 <= len(buffer)]
    # Lines are sifted by two bytes first: a window of every line would cost more than all the rest.
    starts = starts[(buffer[starts + 13] == 58) & (buffer[starts + 16] == 58) & (buffer[starts + 10] == 32)]
    # Bytes wrap round: what is no digit becomes more than nine.
    number = {place: buffer[starts + place] - 48 for place in (*_STAMP_DIGITS, 20, 21, 22)}
    whole = np.logical_and.reduce([number[place] <= 9 for place in _STAMP_DIGITS])
    starts = starts[whole]
    if not len(starts):
        return _slow_stamps(text)

    def joined(*places: int) -> Whole:
        total = np.zeros(len(starts), np.int64)
        for place in places:
            total = total * 10 + number[place][whole]
        return total

    year, month, day = joined(0, 1, 2, 3), joined(5, 6), joined(8, 9)
    sound = (year >= 1980) & (year <= 2200) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    months = (np.where(sound, year, 1980) - 1970) * 12 + np.where(sound, month, 1) - 1
    days = months.astype("M8[M]").astype("M8[D]").astype(np.int64) + day - 1
    of_day = joined(11, 12) * 3600 + joined(14, 15) * 60 + joined(17, 18)
    fine = (buffer[starts + 19] == 44) | (buffer[starts + 19] == 46)
    fine &= np.logical_and.reduce([number[place][whole] <= 9 for place in (20, 21, 22)])
    seconds = (days * 86400 + of_day) + np.where(fine, joined(20, 21, 22), 0) / 1000.0
    seconds[~sound] = np.nan
    return starts, seconds, 0.001 if fine.mean() > 0.5 else 1.0


def _slow_stamps(text: str) -> tuple[Whole, Floats, float]:
    """Clock readings that do not begin a line, or leave zeros out: the old one-a-second dialects."""
    at, seconds, step = [], [], 0.001
    for found in _STAMP.finditer(text):
        read = reading(found[0])
        if read:
            at.append(found.start())
            seconds.append(read[0])
            step = read[1]
    return np.array(at, np.int64), np.array(seconds, np.float64), step


def _bracketed(rows: Rows, text: str, buffer: Bytes, cues: Whole) -> None:
    """What stands behind `key:`, in whatever order the keys come."""
    keys = Keys(buffer)

    def values(key: bytes) -> Floats:
        at = keys.behind(key)
        return _spread(cues, at, numbers_at(buffer, at)[:, None])[:, 0]

    columns: dict[str, Floats] = rows.columns
    columns["lat"], columns["lon"] = values(b"latitude"), values(b"longitude")
    if np.isnan(columns["lon"]).any():
        columns["lon"] = np.where(np.isnan(columns["lon"]), values(b"longtitude"), columns["lon"])
    columns |= {name: found for name, key in _KEYS.items() if np.isfinite(found := values(key)).any()}
    if np.isfinite(columns["lat"]).any():
        rows.dialect = "bracket"
    if "abs_alt_m" not in columns and "rel_alt_m" not in columns:
        columns["abs_alt_m"] = values(b"altitude")
        told = np.isfinite(columns["abs_alt_m"]).any() and "gimbal_pitch_deg" not in columns
        if told and _FPV.search(text[:_SAMPLE]):
            columns["abs_alt_m"] *= 10.0
            rows.dialect = "fpv"
            rows.remarks.append(LineRemark("altitude_tenfold", "这种机型（DJI FPV）把高度写成十分之一，已乘以 10。"))


def _called(rows: Rows, text: str, cues: Whole, order: str | None, near: tuple[float, float] | None) -> None:
    """What stands in `GPS(..)`, `H 45.6m`, `BAROMETER:..` and `G.PRY (..)`, for cues without brackets."""
    first, second = _found(_CALL, text, cues).T
    if not np.isfinite(first).any():
        return
    flavour = _flavour(text)
    rows.order, rows.order_by = _order(first, second, order, near, flavour)
    if rows.order_by == "dialect":
        rows.remarks.append(_assumed(rows))
    rows.dialect = f"{rows.dialect}+{flavour}" if rows.dialect else flavour
    columns = rows.columns
    pair = (first, second) if rows.order == "lon,lat" else (second, first)
    lacking = np.isnan(columns["lat"])
    for name, values in zip(("lon", "lat"), pair, strict=True):
        columns[name] = np.where(lacking, values, columns[name])
    third = _found(_THIRD, text, cues)[:, 0]
    found = {"rel_alt_m": _found(_ABOVE_START, text, cues)[:, 0]}
    if np.nanmax(np.abs(third), initial=0.0) > 0:
        found["abs_alt_m"] = third
    if _GIMBAL_PRY.search(text[:_SAMPLE]):
        angles = _found(_GIMBAL_PRY, text, cues)
        found["gimbal_pitch_deg"], found["gimbal_roll_deg"], found["gimbal_yaw_deg"] = angles.T
    if _FLIGHT_PRY.search(text[:_SAMPLE]):
        found["heading_deg"] = _found(_FLIGHT_PRY, text, cues)[:, 2]
    for name, values in found.items():  # spliced videos speak two dialects: what brackets said stands
        columns[name] = np.where(np.isnan(values), rows.column(name), values)


def _flavour(text: str) -> str:
    """Which of the calling dialects: compact (`F/2.8, SS 30`), with units (`0.0M`), or the old one with HOME."""
    head = text[:65536]
    if "d " in head and re.search(r"f/\d", head):
        return "gps-compact"
    return "gps-units" if re.search(r"gps\s*\([^)]*\d\s*m\s*\)", head) else "gps-call"


def _order(
    first: Floats, second: Floats, declared: str | None, near: tuple[float, float] | None, flavour: str
) -> tuple[Order, str]:
    """How a pair is to be read, and by what that was decided: declared, range, place or dialect."""
    a, b = np.abs(first[np.isfinite(first)]), np.abs(second[np.isfinite(second)])
    lon_first, lat_first = bool((a > 90).mean() > 0.5), bool((b > 90).mean() > 0.5)
    if declared:
        if (declared == "lat,lon" and lon_first) or (declared == "lon,lat" and lat_first):
            raise GeoError("bad-order", f"按声明的顺序 {declared} 读，纬度会超出 ±90°；请改成另一种顺序。", "order")
        return ("lon,lat" if declared == "lon,lat" else "lat,lon"), "declared"
    if lon_first or lat_first:
        return ("lon,lat" if lon_first else "lat,lon"), "range"
    if near is not None:
        x, y = float(np.nanmedian(first)), float(np.nanmedian(second))
        straight = max(abs(x - near[0]), abs(y - near[1])) < NEAR_DEG
        swapped = max(abs(y - near[0]), abs(x - near[1])) < NEAR_DEG
        if straight != swapped:
            return ("lon,lat" if straight else "lat,lon"), "place"
    return ("lat,lon" if flavour == "gps-units" else "lon,lat"), "dialect"


def _assumed(rows: Rows) -> LineRemark:
    words = "先经度后纬度" if rows.order == "lon,lat" else "先纬度后经度"
    return LineRemark(
        "order_assumed",
        f"GPS(…) 里两个数的先后从数值上看不出来，按这种机型的习惯{words}读；请核对位置，不对时声明 order。",
        int(rows.line[0]),
    )
