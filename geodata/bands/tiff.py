"""The bones of a TIFF file, read before any library opens it: is it one, is it whole, how large are its blocks.

It reads directories of tags only, never a pixel, and follows no reference out of the file.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from geodata.errors import GeoError

MAX_DIRECTORIES = 64
MAX_TAGS = 4096
MAX_BLOCKS = 4_000_000

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_WHOLE = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
_WIDTH, _HEIGHT, _COMPRESSION, _SAMPLES = 256, 257, 259, 277
_STRIPS, _STRIP_BYTES, _TILES, _TILE_BYTES = 273, 279, 324, 325


@dataclass(frozen=True)
class Bones:
    """What the first directory says: size in pixels, samples a pixel, whether blocks are compressed."""

    width_px: int
    height_px: int
    samples: int
    compressed: bool


def inspect_tiff(path: str | Path) -> tuple[Bones | None, list[GeoError]]:
    """The bones of a file and every fault found: `not_tiff`, `no_file`, `truncated`, `broken_tiff`.

    Every block that a directory names must lie inside the file; a block of offset 0 is a hole, which the format
    allows. Source: TIFF 6.0 and the BigTIFF design.

    >>> _, faults = inspect_tiff("no/such/file.tif")
    >>> faults[0].code
    'no_file'
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            return _walk(file, size)
    except OSError:
        return None, [GeoError("no_file", f"读不到影像文件“{path.name}”，请检查路径和权限。", "file")]


def _walk(file: BinaryIO, size: int) -> tuple[Bones | None, list[GeoError]]:
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
    magic = struct.unpack(order + "H", head[2:4])[0] if order and len(head) >= 8 else 0
    if magic not in (42, 43):
        return None, [
            GeoError(
                "not_tiff",
                "这不是 GeoTIFF 文件（按内容判断，不看扩展名）；请导出成 GeoTIFF，不收 VRT 等引用别处文件的格式。",
                "file",
            )
        ]
    big = magic == 43
    if big and (len(head) < 16 or struct.unpack(order + "HH", head[4:8]) != (8, 0)):
        return None, [_broken("文件头")]
    at = struct.unpack(order + "Q", head[8:16])[0] if big else struct.unpack(order + "I", head[4:8])[0]
    seen: set[int] = set()
    bones: Bones | None = None
    while at:
        if at in seen or len(seen) >= MAX_DIRECTORIES:
            return bones, [_broken("目录成环或过多")]
        seen.add(at)
        entries, at = _directory(file, size, at, order, big)
        if entries is None:
            return bones, [_truncated("目录在文件末尾之外")]
        fault = _blocks_fault(file, size, entries, order)
        if fault is not None:
            return bones, [fault]
        if bones is None:
            bones = _bones(file, size, entries, order)
            if bones is None:
                return None, [_broken("第一个目录没有宽和高")]
    return (bones, []) if bones is not None else (None, [_broken("没有图像目录")])


_Entry = tuple[int, int, bytes]


def _directory(file: BinaryIO, size: int, at: int, order: str, big: bool) -> tuple[dict[int, _Entry] | None, int]:
    count_size, entry_size, next_format = (8, 20, "Q") if big else (2, 12, "I")
    raw = _bytes(file, size, at, count_size)
    if raw is None:
        return None, 0
    count = struct.unpack(order + ("Q" if big else "H"), raw)[0]
    link = struct.calcsize("<" + next_format)
    body = _bytes(file, size, at + count_size, count * entry_size + link) if count <= MAX_TAGS else None
    if body is None:
        return None, 0
    entries: dict[int, _Entry] = {}
    for index in range(count):
        piece = body[index * entry_size : (index + 1) * entry_size]
        tag, kind = struct.unpack(order + "HH", piece[:4])
        number = struct.unpack(order + ("Q" if big else "I"), piece[4 : 12 if big else 8])[0]
        entries[tag] = (kind, number, piece[12 if big else 8 :])
    return entries, struct.unpack(order + next_format, body[-link:])[0]


def _blocks_fault(file: BinaryIO, size: int, entries: dict[int, _Entry], order: str) -> GeoError | None:
    """Whether every strip or tile of one directory lies inside the file."""
    for starts_tag, bytes_tag in ((_STRIPS, _STRIP_BYTES), (_TILES, _TILE_BYTES)):
        if starts_tag not in entries:
            continue
        starts = _numbers(file, size, entries[starts_tag], order)
        if starts is None:
            return _truncated("块的位置表不完整")
        lengths = np.zeros_like(starts)
        if bytes_tag in entries:
            found = _numbers(file, size, entries[bytes_tag], order)
            if found is None or found.size != starts.size:
                return _truncated("块的长度表不完整")
            lengths = found
        beyond = (starts > size) | (lengths > size) | (starts + np.minimum(lengths, np.uint64(size)) > size)
        if beyond.any():
            return _truncated(f"{int(beyond.sum())} 个数据块在文件末尾之外")
    return None


def _bones(file: BinaryIO, size: int, entries: dict[int, _Entry], order: str) -> Bones | None:
    def one(tag: int, absent: int) -> int:
        found = _numbers(file, size, entries[tag], order) if tag in entries else None
        return int(found[0]) if found is not None and found.size else absent

    width, height = one(_WIDTH, 0), one(_HEIGHT, 0)
    return Bones(width, height, one(_SAMPLES, 1), one(_COMPRESSION, 1) != 1) if width and height else None


def _numbers(file: BinaryIO, size: int, entry: _Entry, order: str) -> NDArray[np.uint64] | None:
    kind, count, inline = entry
    if kind not in _WHOLE or count > MAX_BLOCKS:
        return None
    length = _SIZES[kind] * count
    if length <= len(inline):
        raw: bytes | None = inline[:length]
    else:
        at = int.from_bytes(inline, "little" if order == "<" else "big")
        raw = _bytes(file, size, at, length)
    return None if raw is None else np.frombuffer(raw, order + _WHOLE[kind]).astype(np.uint64)


def _bytes(file: BinaryIO, size: int, at: int, length: int) -> bytes | None:
    if at + length > size:
        return None
    file.seek(at)
    raw = file.read(length)
    return raw if len(raw) == length else None


def _truncated(what: str) -> GeoError:
    return GeoError("truncated", f"影像文件不完整（{what}），可能没有传完；请重新导出或重新上传。", "file")


def _broken(what: str) -> GeoError:
    return GeoError("broken_tiff", f"影像文件损坏（{what}）；请重新导出成 GeoTIFF。", "file")
