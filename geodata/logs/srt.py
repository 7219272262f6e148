"""DJI's video subtitles (.SRT) into rows: one a cue, whatever dialect the drone speaks.

Three families are known: bracketed `[latitude: ..]` (also misspelt `longtitude`, with or without gimbal angles, in
or out of HTML font tags), calls `GPS(a,b,c)` with a pair in either order, and compact lines with `F.PRY` and
`G.PRY`. A whole number in third place of a GPS call counts satellites and is not taken for a height. It finds no
zone: subtitles never carry one.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from geodata.errors import GeoError
from geodata.logs.clock import reading
from geodata.logs.rows import Floats, LineRemark, Rows, Whole

Order = Literal["lon,lat", "lat,lon"]
NEAR_DEG = 2.0

# Possessive: subtitles are long and a number never needs a second look.
_N = r"([-+]?\d++(?:\.\d++)?+)"
_BRACKET = re.compile(r"latitude\s*:\s*" + _N + r"\s*\]\s*\[\s*longt?itude\s*:\s*" + _N)
_WHOLE = re.compile(_BRACKET.pattern + r"\s*\]\s*\[\s*rel_alt\s*:\s*" + _N + r"\s*\]?\s*\[?\s*abs_alt\s*:\s*" + _N)
_TURNED = re.compile(r"longt?itude\s*:\s*" + _N + r"\s*\]\s*\[\s*latitude\s*:\s*" + _N)
_CALL = re.compile(r"gps\s*\(\s*" + _N + r"\s*,\s*" + _N)
_THIRD = re.compile(r"gps\s*\(\s*[-+.\d]+\s*,\s*[-+.\d]+\s*,\s*([-+]?\d+\.\d+)")
_BOTH_HEIGHTS = re.compile(r"rel_alt\s*:\s*" + _N + r"\s*\]?\s*\[?\s*abs_alt\s*:\s*" + _N)
_ALTITUDE = re.compile(r"\[\s*altitude\s*:\s*" + _N)
_ABOVE_START = re.compile(r"(?:barometer\s*[:(]|\bhb\s*:|[\s,]h(?=\s))\s*" + _N)
_GIMBAL = re.compile(
    r"gb_yaw\s*:\s*" + _N + r"\s*\]?\s*\[?\s*gb_pitch\s*:\s*" + _N + r"\s*\]?\s*\[?\s*gb_roll\s*:\s*" + _N
)
_PRY = r"\.pry\s*\(\s*" + _N + r"[^,)]{0,4},\s*" + _N + r"[^,)]{0,4},\s*" + _N
_GIMBAL_PRY = re.compile(r"\bg" + _PRY)
_FLIGHT_PRY = re.compile(r"\bf" + _PRY)
_DRONE_YAW = re.compile(r"drone_yaw\s*:\s*" + _N)
_ARROW = re.compile(r"-->")
_CUE = re.compile(r"(\d{1,3}):(\d\d):(\d\d)[,.:](\d{1,3})\s*$")
_STAMP = re.compile(r"\d{4}[-./]\d{1,2}[-./]\d{1,2}[ t]\d{1,2}:\d\d:\d\d(?:[.,]\d{1,3})?")
_FPV = re.compile(r'<font size="28">[^\[]{0,120}:\d\d\.\d{3}\s')

Bytes = NDArray[np.uint8]


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
    data = data.lower()
    text, buffer = data.decode("latin-1"), np.frombuffer(data, np.uint8)
    newlines = np.flatnonzero(buffer == 10)
    stamps_at, stamps_s, step_s = _stamps(text, buffer, newlines)
    cues = np.array([found.start() for found in _ARROW.finditer(text)], np.int64)
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
        clock = _spread(cues, stamps_at, stamps_s[:, None])[:, 0]
        rows.clock_s, rows.clock_step_s = clock, step_s
    if not _all_at_once(rows, text, cues):
        _positions(rows, text, cues, order, near)
        _heights(rows, text, cues)
    _angles(rows, text, cues)
    return rows


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
    field = buffer[cues[able, None] - 13 + np.arange(13)].astype(np.int64)
    number = field - 48
    usual = (number[:, (0, 1, 3, 4, 6, 7, 9, 10, 11)] >= 0).all(1) & (
        number[:, (0, 1, 3, 4, 6, 7, 9, 10, 11)] <= 9
    ).all(1)
    usual &= (
        (field[:, 2] == 58) & (field[:, 5] == 58) & (field[:, 12] == 32) & ((field[:, 8] == 44) | (field[:, 8] == 46))
    )
    weights = np.array([36000, 3600, 0, 600, 60, 0, 10, 1, 0, 0.1, 0.01, 0.001, 0])
    seconds[able] = np.where(usual, np.round(number @ weights, 3), np.nan)
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
    window = buffer[starts[:, None] + np.arange(23)].astype(np.int64)
    number = window - 48
    places = (0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18)
    whole = ((number[:, places] >= 0) & (number[:, places] <= 9)).all(1)
    starts, number, window = starts[whole], number[whole], window[whole]
    if not len(starts):
        return _slow_stamps(text)
    year = number[:, :4] @ np.array([1000, 100, 10, 1])
    month, day = number[:, 5] * 10 + number[:, 6], number[:, 8] * 10 + number[:, 9]
    sound = (year >= 1970) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    days = (
        (np.where(sound, year, 1970) - 1970).astype("M8[Y]").astype("M8[M]") + (np.where(sound, month, 1) - 1)
    ).astype("M8[D]").astype(np.int64) + (day - 1)
    of_day = number[:, (11, 12, 14, 15, 17, 18)] @ np.array([36000, 3600, 600, 60, 10, 1])
    part = number[:, 20:23]
    fine = ((window[:, 19] == 44) | (window[:, 19] == 46)) & ((part >= 0) & (part <= 9)).all(1)
    seconds = days * 86400.0 + of_day + np.where(fine, part @ np.array([0.1, 0.01, 0.001]), 0.0)
    seconds[~sound] = np.nan
    return starts, np.round(seconds, 3), 0.001 if fine.mean() > 0.5 else 1.0


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


def _all_at_once(rows: Rows, text: str, cues: Whole) -> bool:
    """The newest dialect in one pass, when every cue is whole; a file with any other cue is read with care."""
    if not _WHOLE.search(text[:65536]):
        return False
    found = _found(_WHOLE, text, cues)
    if np.isnan(found).any():
        return False
    rows.dialect = "bracket"
    for name, values in zip(("lat", "lon", "rel_alt_m", "abs_alt_m"), found.T, strict=True):
        rows.columns[name] = values
    return True


def _positions(rows: Rows, text: str, cues: Whole, order: str | None, near: tuple[float, float] | None) -> None:
    lat, lon = _found(_BRACKET, text, cues).T
    rows.dialect = "bracket" if np.isfinite(lat).any() else ""
    if np.isnan(lat).any():
        turned = _found(_TURNED, text, cues)
        lon, lat = np.where(np.isnan(lat), turned[:, 0], lon), np.where(np.isnan(lat), turned[:, 1], lat)
        rows.dialect = "bracket" if np.isfinite(lat).any() else ""
    if np.isnan(lat).any():
        first, second = _found(_CALL, text, cues).T
        if np.isfinite(first).any():
            flavour = _flavour(text)
            rows.order, rows.order_by = _order(first, second, order, near, flavour)
            if rows.order_by == "dialect":
                rows.remarks.append(_assumed(rows))
            call_lon, call_lat = (first, second) if rows.order == "lon,lat" else (second, first)
            lon, lat = np.where(np.isnan(lat), call_lon, lon), np.where(np.isnan(lat), call_lat, lat)
            rows.dialect = f"{rows.dialect}+{flavour}" if rows.dialect else flavour
    rows.columns["lon"], rows.columns["lat"] = lon, lat


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


def _heights(rows: Rows, text: str, cues: Whole) -> None:
    sample = text[:262144]
    columns = rows.columns
    if _BOTH_HEIGHTS.search(sample):
        columns["rel_alt_m"], columns["abs_alt_m"] = _found(_BOTH_HEIGHTS, text, cues).T
    elif _ALTITUDE.search(sample):
        columns["abs_alt_m"] = _found(_ALTITUDE, text, cues)[:, 0]
        if _FPV.search(sample):
            columns["abs_alt_m"] *= 10.0
            rows.dialect = "fpv"
            rows.remarks.append(LineRemark("altitude_tenfold", "这种机型（DJI FPV）把高度写成十分之一，已乘以 10。"))
    if rows.order:
        columns["rel_alt_m"] = _found(_ABOVE_START, text, cues)[:, 0]
        third = _found(_THIRD, text, cues)[:, 0]
        if np.nanmax(np.abs(third), initial=0.0) > 0:
            columns["abs_alt_m"] = third


def _angles(rows: Rows, text: str, cues: Whole) -> None:
    sample = text[:262144]
    columns: dict[str, Any] = rows.columns
    if _GIMBAL.search(sample):
        found = _found(_GIMBAL, text, cues)
        columns["gimbal_yaw_deg"], columns["gimbal_pitch_deg"], columns["gimbal_roll_deg"] = found.T
    elif _GIMBAL_PRY.search(sample):
        found = _found(_GIMBAL_PRY, text, cues)
        columns["gimbal_pitch_deg"], columns["gimbal_roll_deg"], columns["gimbal_yaw_deg"] = found.T
    if _FLIGHT_PRY.search(sample):
        columns["heading_deg"] = _found(_FLIGHT_PRY, text, cues)[:, 2]
    elif _DRONE_YAW.search(sample):
        columns["heading_deg"] = _found(_DRONE_YAW, text, cues)[:, 0]
