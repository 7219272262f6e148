"""The one file of interest out of a KMZ: DJI's waylines.wpml, else template.kml, else the first KML.

Read in memory under limits; no path of the archive reaches the disk and no byte count in it is believed.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import PurePosixPath

from geodata.errors import GeoError

MAX_ENTRIES = 2000
MAX_UNPACKED_BYTES = 32 * 1024 * 1024
MAX_RATIO = 200
_RATIO_MATTERS_BYTES = 1024 * 1024
_CHUNK = 256 * 1024
_END = b"PK\x05\x06"


def open_kmz(data: bytes) -> bytes:
    """The KML or WPML inside. Raises GeoError `bad-zip`, `zip-bomb` or `not-a-log`.

    >>> open_kmz(b"PK\\x03\\x04 not really")
    Traceback (most recent call last):
        ...
    geodata.errors.GeoError: KMZ 已损坏或不完整，请重新导出。
    """
    tail = data[-65_557:]
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < 22:
        raise GeoError("bad-zip", "KMZ 已损坏或不完整，请重新导出。", "kmz")
    if int.from_bytes(tail[at + 10 : at + 12], "little") > MAX_ENTRIES:
        raise GeoError("zip-bomb", f"KMZ 里的文件超过 {MAX_ENTRIES} 个，不收。", "kmz")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as zipped:
            return _read(zipped, _chosen(zipped))
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, ValueError, OSError, zlib.error) as error:
        raise GeoError("bad-zip", "KMZ 已损坏、加了密码或压缩方式不认识，请重新导出。", "kmz") from error


def _chosen(zipped: zipfile.ZipFile) -> zipfile.ZipInfo:
    entries = [entry for entry in zipped.infolist()[: MAX_ENTRIES + 1] if not entry.is_dir()]
    if len(entries) > MAX_ENTRIES:
        raise GeoError("zip-bomb", f"KMZ 里的文件超过 {MAX_ENTRIES} 个，不收。", "kmz")
    ranked = sorted((rank, number) for number, entry in enumerate(entries) if (rank := _rank(entry.filename)) < 9)
    if not ranked:
        raise GeoError("not-a-log", "KMZ 里没有 KML，也没有航线（waylines.wpml）。", "kmz")
    return entries[ranked[0][1]]


def _rank(name: str) -> int:
    path = PurePosixPath(name.lower())
    if "__macosx" in path.parts:
        return 9
    if path.suffix == ".wpml":
        return 0
    if path.suffix != ".kml":
        return 9
    return {"template.kml": 1, "doc.kml": 2}.get(path.name, 3)


def _read(zipped: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    parts: list[bytes] = []
    size = 0
    with zipped.open(entry) as source:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > MAX_UNPACKED_BYTES or (
                size > _RATIO_MATTERS_BYTES and size > MAX_RATIO * max(1, entry.compress_size)
            ):
                raise GeoError("zip-bomb", "KMZ 展开后过大或压缩比异常，不收。", "kmz")
            parts.append(chunk)
    return b"".join(parts)
