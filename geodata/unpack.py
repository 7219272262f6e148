"""Takes the few files we want out of a stranger's zip, under names of our own; everything is checked first.

No path from the archive ever reaches the disk, nothing is unpacked before the whole table of contents is
found sound, and no byte count in it is believed.
"""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path, PurePosixPath

from geodata.errors import GeoError, GeoErrors

MAX_ENTRIES = 200
MAX_CONTENTS_BYTES = 256 * 1024
MAX_UNPACKED_BYTES = 256 * 1024 * 1024
# A shapefile packs to a fifth; a thousandfold is a bomb, whatever its size.
MAX_RATIO = 200
_RATIO_MATTERS_BYTES = 4 * 1024 * 1024
_END = b"PK\x05\x06"
_WANTED = (".shp", ".shx", ".dbf", ".prj", ".cpg", ".kml")


def unpack(archive: Path, into: Path) -> Path:
    """Unpacks the one shapefile (or the one KML) of a zip as `into/layer.*`; returns the .shp or .kml.

    Raises GeoError `bad-zip`, or GeoErrors with every fault of the table of contents.
    """
    _check_end(archive)
    try:
        with zipfile.ZipFile(archive) as zipped:
            wanted = _choose(zipped)
            left = MAX_UNPACKED_BYTES
            for suffix, entry in wanted.items():
                left -= _copy(zipped, entry, into / f"layer{suffix}", left)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, ValueError) as error:
        raise GeoError("bad-zip", "压缩包已损坏或压缩方式不认识，请用普通 zip 重新打包。", "zip") from error
    return into / ("layer.shp" if ".shp" in wanted else "layer.kml")


def _check_end(archive: Path) -> None:
    """Bounds the table of contents before the zip reader loads it."""
    size = archive.stat().st_size
    with archive.open("rb") as file:
        file.seek(max(0, size - 65_557))
        tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < 22:
        raise GeoError("bad-zip", "压缩包不完整，请重新上传。", "zip")
    entries = int.from_bytes(tail[at + 10 : at + 12], "little")
    contents = int.from_bytes(tail[at + 12 : at + 16], "little")
    if entries > MAX_ENTRIES or contents > MAX_CONTENTS_BYTES:
        raise GeoError("bad-zip", f"压缩包里的文件超过 {MAX_ENTRIES} 个，请只打包一个图层。", "zip")


def _choose(zipped: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    faults: list[GeoError] = []
    found: dict[str, list[zipfile.ZipInfo]] = {}
    entries = zipped.infolist()
    if len(entries) > MAX_ENTRIES:
        raise GeoError("bad-zip", f"压缩包里的文件超过 {MAX_ENTRIES} 个，请只打包一个图层。", "zip")
    for number, entry in enumerate(entries, start=1):
        for sentence in _wrong_with(entry):
            faults.append(GeoError("bad-zip", f"压缩包里第 {number} 个文件{sentence}", f"zip {number}"))
        path = PurePosixPath(entry.filename)
        if not entry.is_dir() and "__MACOSX" not in path.parts and path.suffix.lower() in _WANTED:
            found.setdefault(path.suffix.lower(), []).append(entry)
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
        faults.append(GeoError("bad-zip", f"压缩包展开后超过 {MAX_UNPACKED_BYTES // 2**20} MB，请先裁剪。", "zip"))
    kind = ".shp" if ".shp" in found else ".kml"
    if kind not in found:
        faults.append(GeoError("unsupported", "压缩包里没有 Shapefile（.shp），也没有 KML。", "zip"))
    elif len(found[kind]) > 1:
        faults.append(GeoError("bad-zip", f"压缩包里有 {len(found[kind])} 个 {kind}，请只留一个图层。", "zip"))
    if faults:
        raise GeoErrors(faults)
    if kind == ".kml":
        return {kind: found[kind][0]}
    stem = str(PurePosixPath(found[kind][0].filename).with_suffix(""))
    return {
        suffix: entry
        for suffix, same in found.items()
        for entry in same
        if str(PurePosixPath(entry.filename).with_suffix("")) == stem
    }


def _wrong_with(entry: zipfile.ZipInfo) -> list[str]:
    wrong = []
    name = entry.filename
    if "\\" in name or ":" in name or name.startswith("/") or ".." in PurePosixPath(name).parts:
        wrong.append("的路径指向压缩包之外，不收。")
    if stat.S_ISLNK(entry.external_attr >> 16):
        wrong.append("是符号链接，不收。")
    if entry.flag_bits & 0x1:
        wrong.append("加了密码，请去掉密码重新打包。")
    if PurePosixPath(name).suffix.lower() in (".zip", ".7z", ".rar", ".gz", ".tar", ".kmz"):
        wrong.append("又是压缩包，请只打包一层。")
    if entry.file_size > _RATIO_MATTERS_BYTES and entry.file_size > MAX_RATIO * max(1, entry.compress_size):
        wrong.append("压缩比异常，不收。")
    return wrong


def _copy(zipped: zipfile.ZipFile, entry: zipfile.ZipInfo, to: Path, left: int) -> int:
    written = 0
    with zipped.open(entry) as source, to.open("wb") as out:
        while chunk := source.read(1024 * 1024):
            written += len(chunk)
            if written > left:
                raise GeoError("bad-zip", "压缩包展开后过大，请先裁剪。", "zip")
            out.write(chunk)
    return written
