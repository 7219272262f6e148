"""Tables (CSV) of flight apps and photo lists into rows: columns by their names, units from their headers.

Known are AirData, PhantomHelp and DJI's decrypted records, Litchi, exiftool lists, and plain tables in English or
Chinese. A column whose meaning is open (a bare `altitude`) is left out with a remark, never guessed.
"""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import dataclass

import numpy as np

from geodata.errors import GeoError
from geodata.logs.clock import reading
from geodata.logs.dms import degrees
from geodata.logs.points import number
from geodata.logs.rows import MAX_ROWS, Floats, LineRemark, Rows

_UNIT = re.compile(r"[\[(（]\s*([^\])）]*)\s*[\])）]\s*$")
_FEET = 0.3048
_HEADER_LINES = 12

# Canonical column <- header without unit, spaces, case, dots, dashes and underscores.
_NAMES = {
    "lat": "latitude lat gpslatitude osdlatitude aircraftlatitude dronelatitude positionlatitude 纬度 wgs84纬度 y",
    "lon": "longitude lon lng long gpslongitude osdlongitude aircraftlongitude dronelongitude longtitude"
    " gpslongtitude positionlongitude 经度 wgs84经度 x",
    "rel_alt_m": "heightabovetakeoff relativealtitude relalt osdheight height relheight 相对高度 相对起飞点高度 飞行高度 航高",
    "abs_alt_m": "altitudeabovesealevel absolutealtitude absalt osdaltitude gpsaltitude ellipsoidheight elevation"
    " altitudemsl asl 绝对高度 海拔 海拔高度 椭球高",
    "gimbal_yaw_deg": "gimbalyawdegree gimbalyaw gimbalheading cameraheading 云台偏航 云台偏航角 云台航向",
    "gimbal_pitch_deg": "gimbalpitchdegree gimbalpitch camerapitch 云台俯仰 云台俯仰角",
    "gimbal_roll_deg": "gimbalrolldegree gimbalroll cameraroll 云台横滚 云台横滚角",
    "heading_deg": "flightyawdegree compassheading heading osdyaw aircraftheading yaw course 航向 航向角 机头朝向",
    "elapsed": "time offsettime osdflytime flytime elapsedtime elapsed seconds timestart 飞行时间 时长",
    "utc": "datetimeutc utctime timeutc gpsdatetime gpstime utc datetimeutciso",
    "clock": "datetimeoriginal datetime customupdatetime datetimelocal createdate localtime timestamp capturetime"
    " createtime 时间 拍摄时间 日期时间 采集时间",
    "day": "date customdate day 日期",
    "name": "filename file sourcefile image imagename label photo name 文件名 照片 照片名 文件",
    "open": "altitude alt 高度 高程",
}
_BY_NAME = {name: column for column, names in _NAMES.items() for name in names.split()}


@dataclass(frozen=True)
class _Header:
    line: int
    names: tuple[str, ...]
    columns: dict[str, int]
    units: dict[str, str]


def read_table(data: bytes) -> Rows:
    """Rows of a CSV log (comma, semicolon, tab or bar). Raises GeoError `not-a-log`, `no-positions`, `too-much`.

    >>> rows = read_table("时间;经度;纬度;相对高度(m)\\n2026-05-01 09:00:00;112,18;30,35;60".encode("gb18030"))
    >>> float(rows.column("lon")[0]), float(rows.column("rel_alt_m")[0]), rows.clock_zone
    (112.18, 60.0, '')
    """
    text = _decoded(data)
    lines = text.splitlines()
    header = next((found for at in range(min(len(lines), _HEADER_LINES)) if (found := _header(lines[at], at))), None)
    if header is None:
        raise GeoError(
            "not-a-log",
            "表格里找不到经度、纬度两列：表头要写明 longitude/latitude 或 经度/纬度；也可导出 GPX、KML 再试。",
            "csv",
        )
    delimiter = _delimiter(lines[header.line - 1])
    body = "\n".join(lines[header.line :]).replace("\0", "")
    cells: list[list[str]] = []
    line_of: list[int] = []
    reader = csv.reader(io.StringIO(body), delimiter=delimiter)
    remarks: list[LineRemark] = []
    try:
        for cell in reader:
            if any(part.strip() for part in cell):
                cells.append(cell)
                line_of.append(header.line + reader.line_num)
            if len(cells) > MAX_ROWS:
                raise GeoError("too-much", f"表格超过 {MAX_ROWS} 行，请按架次分开导出。", "csv")
    except csv.Error:
        at = header.line + reader.line_num
        remarks.append(LineRemark("truncated", f"表格在第 {at} 行写法有误，之后的内容没有采用。", at))
    if not cells:
        raise GeoError("no-positions", "表格只有表头，没有数据行。", "csv")
    rows = Rows("csv", _dialect(header), np.array(line_of, np.int64), {}, remarks=remarks)
    _fill_columns(rows, header, cells)
    _fill_times(rows, header, cells)
    if "name" in header.columns:
        rows.names = tuple(re.split(r"[\\/]", name)[-1] for name in _texts(header, cells, "name"))
    return rows


def _decoded(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("gb18030", "replace")


def _delimiter(line: str) -> str:
    return max(",;\t|", key=line.count)


def _header(line: str, at: int) -> _Header | None:
    """The header in a line, when it names both coordinates."""
    names = tuple(cell.strip().strip("\"'") for cell in line.lstrip("#").split(_delimiter(line)))
    columns: dict[str, int] = {}
    units: dict[str, str] = {}
    for index, name in enumerate(names):
        unit = _UNIT.search(name)
        bare = re.sub(r"[\s._\-/]+", "", (name[: unit.start()] if unit else name).lower())
        said = unit[1].strip().lower() if unit else ""
        column = _BY_NAME.get(f"{bare}{said}") or _BY_NAME.get(bare)
        if column and column not in columns and said != "raw":
            columns[column], units[column] = index, said
    return _Header(at + 1, names, columns, units) if {"lon", "lat"} <= columns.keys() else None


def _dialect(header: _Header) -> str:
    joined = " ".join(header.names).lower()
    if "custom.updatetime" in joined or "osd.latitude" in joined:
        return "flight-record"
    if "height_above_takeoff" in joined or "time(millisecond)" in joined:
        return "airdata"
    return "exif-list" if "sourcefile" in joined or "datetimeoriginal" in joined else "plain"


def _texts(header: _Header, cells: list[list[str]], column: str) -> list[str]:
    at = header.columns[column]
    return [cell[at].strip() if at < len(cell) else "" for cell in cells]


def _fill_columns(rows: Rows, header: _Header, cells: list[list[str]]) -> None:
    for axis in ("lon", "lat"):
        rows.columns[axis] = np.array(
            [degrees(text, axis) if text else math.nan for text in _texts(header, cells, axis)]
        )
    for column in ("rel_alt_m", "abs_alt_m", "gimbal_yaw_deg", "gimbal_pitch_deg", "gimbal_roll_deg", "heading_deg"):
        if column in header.columns:
            values = np.array([number(text) for text in _texts(header, cells, column)])
            feet = header.units[column] in ("ft", "feet", "foot", "英尺")
            rows.columns[column] = values * _FEET if feet else values
    if "open" in header.columns and not {"rel_alt_m", "abs_alt_m"} & header.columns.keys():
        name = header.names[header.columns["open"]]
        rows.remarks.append(
            LineRemark(
                "height_open",
                f"“{name}”没有说明是离起飞点的高度还是海拔，没有采用；请把列名改为“相对高度”或“海拔”。",
                header.line,
            )
        )


def _fill_times(rows: Rows, header: _Header, cells: list[list[str]]) -> None:
    source = next((name for name in ("utc", "clock", "day") if name in header.columns), "")
    if "elapsed" in header.columns:
        _elapsed(rows, header, cells)
    if not source:
        return
    days = _texts(header, cells, "day") if "day" in header.columns and source != "day" else [""] * len(cells)
    texts = _texts(header, cells, source)
    if source == "day" and rows.t_s is None and "elapsed" in header.columns:
        days, texts = texts, _texts(header, cells, "elapsed")  # a `date` beside a `time` of day
    read = [_moment(text, day) for text, day in zip(texts, days, strict=True)]
    known = [moment for moment in read if moment]
    if not known:
        rows.remarks.append(
            LineRemark("time_unreadable", "时间一列读不懂（例如 04/05/2024 分不清月和日），没有采用。", header.line)
        )
        return
    rows.clock_s = np.array([moment[0] if moment else math.nan for moment in read])
    rows.clock_step_s = min(moment[1] for moment in known)
    if source == "utc" or all(moment[2] for moment in known):
        rows.clock_zone = "UTC"


def _moment(text: str, day: str) -> tuple[float, float, bool] | None:
    """A clock cell; ten or thirteen digits are Unix time, which is UTC by its definition."""
    if re.fullmatch(r"\d{10}(?:\.\d+)?|\d{13}", text):
        whole = float(text)
        return (whole / 1000.0, 0.001, True) if len(text) == 13 else (whole, 0.001 if "." in text else 1.0, True)
    return (reading(text) or reading(text, day)) if text else None


def _elapsed(rows: Rows, header: _Header, cells: list[list[str]]) -> None:
    """Seconds from a counter column; a column of clock times under such a name is taken for the clock it is."""
    texts = _texts(header, cells, "elapsed")
    unit = header.units["elapsed"]
    values: Floats = np.array([number(text) for text in texts])
    finite = values[np.isfinite(values)]
    if len(finite) and float(np.max(finite)) > 1e9:
        read = [_moment(text, "") for text in texts]
        rows.clock_s = np.array([moment[0] if moment else math.nan for moment in read])
        rows.clock_zone = "UTC"
    elif len(finite):
        rows.t_s = values / 1000.0 if unit.startswith(("ms", "milli", "毫秒")) else values
    elif any(reading(text) for text in texts[:20]):
        read = [_moment(text, "") for text in texts]
        rows.clock_s = np.array([moment[0] if moment else math.nan for moment in read])
        zoned = [moment[2] for moment in read if moment]
        rows.clock_zone = "UTC" if all(zoned) else ""
        rows.clock_step_s = min(moment[1] for moment in read if moment)
