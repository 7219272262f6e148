"""Flight logs: DJI subtitles, GPX, KML, KMZ with waylines, and tables, all read into one Track.

`read_log` decides by what a file holds, not by its name. No zone, order or coordinate system is ever guessed in
silence; whatever can be read of a damaged file is kept, with remarks.
"""

from __future__ import annotations

import re
from datetime import tzinfo
from pathlib import Path

import numpy as np

from geodata.crs import CRS_NAMES, to_wgs84
from geodata.errors import GeoError
from geodata.logs.build import track_of
from geodata.logs.gpx import read_gpx
from geodata.logs.kml import read_kml_log
from geodata.logs.kmz import open_kmz
from geodata.logs.rows import LineRemark, Rows, slurp
from geodata.logs.srt import looks_like, read_srt
from geodata.logs.table import read_table
from geodata.logs.track import Track, TrackPoint

__all__ = ["LineRemark", "Track", "TrackPoint", "read_log", "read_log_bytes"]


def read_log(
    path: str | Path,
    zone: str | tzinfo | None = None,
    *,
    order: str | None = None,
    near: tuple[float, float] | None = None,
    crs: str = "wgs84",
    offset_s: float = 0.0,
) -> Track:
    """One flight's log.

    Parameters: `zone`, of a clock that does not name its own (`Asia/Shanghai`, `+08:00`; None leaves it
    undeclared); `order`, of `GPS(a,b)` pairs (`lon,lat` or `lat,lon`); `near`, a WGS-84 (lon, lat) the flight must
    be by, which may decide that order; `crs`, what the positions are in; `offset_s`, seconds by which the log's
    clock is behind the camera's.

    Returns a `Track`. Raises GeoError: `no-file`, `empty`, `too-much`, `not-a-log`, `bad-xml`, `bad-zip`,
    `zip-bomb`, `network-link`, `no-positions`, `bad-order`, `unknown-zone`, `unknown-crs`.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> log = Path(folder.name, "flight.csv")
    >>> _ = log.write_text("datetime(utc),latitude,longitude\\n2026-05-01 01:00:00,30.35,112.18\\n")
    >>> read_log(log).start_at.isoformat()
    '2026-05-01T01:00:00+00:00'
    >>> folder.cleanup()
    """
    return read_log_bytes(slurp(path), zone, order=order, near=near, crs=crs, offset_s=offset_s)


def read_log_bytes(
    data: bytes,
    zone: str | tzinfo | None = None,
    *,
    order: str | None = None,
    near: tuple[float, float] | None = None,
    crs: str = "wgs84",
    offset_s: float = 0.0,
) -> Track:
    """As `read_log`, from a file's bytes."""
    if crs not in CRS_NAMES:
        raise GeoError("unknown-crs", f"不认识坐标系“{crs[:40]}”，请写 {'、'.join(CRS_NAMES)} 之一。", "crs")
    rows = _rows(data, order, near)
    if crs not in ("wgs84", "cgcs2000"):
        _to_wgs84(rows, crs)
    track = track_of(rows, zone)
    return track.shifted(offset_s) if offset_s else track


def _rows(data: bytes, order: str | None, near: tuple[float, float] | None) -> Rows:
    if data[:4] == b"PK\x03\x04":
        return read_kml_log(open_kmz(data))
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = data.decode("utf-16", "replace").encode()
    start = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"<"):
        head = re.sub(rb"<[?!][^>]*>", b"", start)
        if re.search(rb"<(?:\w+:)?kml[\s>]", head):
            return read_kml_log(data)
        if re.search(rb"<(?:\w+:)?gpx[\s>]", head):
            return read_gpx(data)
    if looks_like(data):
        return read_srt(data, order, near)
    if start.startswith(b"<"):
        raise GeoError("not-a-log", "这个 XML 既不是 GPX 也不是 KML，不是飞行日志。", "log")
    if b"\0" in start or _mostly_binary(start):
        raise GeoError(
            "not-a-log",
            "这是二进制文件，不是能直接读的日志；大疆的 .txt/.DAT 飞行记录是加密的，请先导出为 CSV、GPX 或 KML。",
            "log",
        )
    return read_table(data)


def _mostly_binary(start: bytes) -> bool:
    control = sum(byte < 32 and byte not in b"\t\r\n\f" for byte in start)
    return control > 0.02 * len(start)


def _to_wgs84(rows: Rows, crs: str) -> None:
    lon, lat = rows.column("lon"), rows.column("lat")
    with np.errstate(invalid="ignore"):
        sound = np.flatnonzero((np.abs(lon) <= 180) & (np.abs(lat) <= 90) & (np.abs(lon) + np.abs(lat) > 1e-6))
    for at in sound:
        lon[at], lat[at] = to_wgs84(float(lon[at]), float(lat[at]), crs)
