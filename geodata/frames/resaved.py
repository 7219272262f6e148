"""Tell-tales that another program saved a camera's file again; it names them and judges nothing else.

A viewer that turns a picture leaves position and gimbal angles as they were, so the computed ground
point is silently tens of metres off; only the file's own traces show it.
"""

from __future__ import annotations

import re

from geodata.frames.moment import stamp
from geodata.frames.tags import Tags

FIRMWARE = re.compile(r"v?\d{1,3}(\.\d{1,5}){1,4}", re.IGNORECASE)
EDITORS = re.compile(
    r"photo\s?viewer|photoshop|lightroom|gimp|picasa|snapseed|acdsee|paint|irfanview|xnview|faststone|affinity"
    r"|imagemagick|exiftool|darktable|capture one|luminar|pixelmator|polarr|canva|windows"
    r"|美图|美颜|醒图|看图|画图",
    re.IGNORECASE,
)
TOLERANCE_S = 60.0


def marks_of_resaving(tags: Tags) -> list[str]:
    """Short Chinese phrases, one a tell-tale; empty for a file as its camera wrote it.

    >>> marks_of_resaving(Tags(1, 1, "JPEG", False, exif={0x010F: "DJI", 0x0131: "v01.23.4920"}))
    []
    >>> marks_of_resaving(Tags(1, 1, "JPEG", False, exif={0x010F: "DJI", 0x0131: "Picasa"}))
    ['保存软件是 Picasa']
    """
    marks: list[str] = []
    dji = tags.words(0x010F).upper() == "DJI" or any(key.startswith("dji:") for key in tags.xmp)
    software = tags.words(0x0131)
    if software and _foreign(software, dji):
        marks.append(f"保存软件是 {software[:60]}")
    creator = tags.xmp.get("xmp:CreatorTool", "")
    if creator and creator != software and _foreign(creator, dji):
        marks.append(f"处理软件是 {creator[:60]}")
    # The camera writes Exif first and no JFIF header; only programs that write JPEG anew put one in.
    if dji and tags.jfif:
        marks.append("文件头带有相机不写的 JFIF 标记")
    modified, original = stamp(tags.words(0x0132)), stamp(tags.words(0x9003))
    if modified and original and abs((modified[0] - original[0]).total_seconds()) > TOLERANCE_S:
        marks.append("修改时间与拍摄时间不同")
    return marks


def _foreign(software: str, dji: bool) -> bool:
    """Not the camera's own: a known editor, or on a DJI file anything but a firmware number."""
    return bool(EDITORS.search(software)) or (dji and not FIRMWARE.fullmatch(software))
