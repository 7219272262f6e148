"""The attitude in DJI's EXIF MakerNote, the only place where some older aircraft write it.

The block is an undocumented directory of floats; the numbering is the one ExifTool publishes, checked
against the XMP of the same frames. Other vendors' notes are not read.
"""

from __future__ import annotations

import struct

MARK = b"DJI\x00"
_FLOAT, _WORDS = 11, 2
_CAMERA_PITCH, _CAMERA_YAW, _CAMERA_ROLL = 9, 10, 11
_MOST_ENTRIES = 200


def camera_angles(note: bytes) -> tuple[float, float, float] | None:
    """Yaw, pitch and roll of the camera in degrees (north-east-down, ZYX), or None when the block has none.

    Parameters: `note`, the raw MakerNote. Both byte orders are tried: a program that saves the file again may
    turn the EXIF around the block, but not the block. Zeros throughout, angles out of range and anything that
    is not DJI's directory give None; nothing raises.

    >>> entry = lambda tag, value: struct.pack("<HHIf", tag, 11, 1, value)
    >>> note = struct.pack("<HHHI", 4, 1, 2, 4) + MARK + entry(9, -89.5) + entry(10, 44.0) + entry(11, 0.5)
    >>> camera_angles(note)
    (44.0, -89.5, 0.5)
    """
    return _read(note, "<") or _read(note, ">")


def _read(note: bytes, order: str) -> tuple[float, float, float] | None:
    try:
        (count,) = struct.unpack_from(order + "H", note, 0)
        entries = [
            struct.unpack_from(order + "HHI4s", note, 2 + 12 * index) for index in range(min(count, _MOST_ENTRIES))
        ]
    except struct.error:
        return None
    if not any(tag == 1 and kind == _WORDS and value == MARK for tag, kind, _, value in entries):
        return None
    floats: dict[int, float] = {
        tag: struct.unpack(order + "f", value)[0] for tag, kind, size, value in entries if kind == _FLOAT and size == 1
    }
    try:
        yaw, pitch, roll = (floats[tag] for tag in (_CAMERA_YAW, _CAMERA_PITCH, _CAMERA_ROLL))
    except KeyError:
        return None
    plausible = abs(yaw) <= 360.0 and abs(pitch) <= 180.0 and abs(roll) <= 360.0  # false for NaN, too
    if not plausible or (yaw, pitch, roll) == (0.0, 0.0, 0.0):
        return None
    return tuple(round(angle, 4) for angle in (yaw, pitch, roll))  # type: ignore[return-value]  # three in, three out
