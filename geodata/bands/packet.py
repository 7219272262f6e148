"""The XMP packet of a band file: found by its marks, parsed without trust, read by name.

It knows the spellings of XMP, not what a value means (`bandtags.py` does).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree

from geodata.errors import GeoError
from geodata.frames.tags import MAX_BYTES, MAX_XMP_BYTES, number

Packet = Mapping[str, tuple[str, ...]]

_SPACES = (
    ("pix4d.com/camera", "camera"),
    ("micasense.com/micasense", "micasense"),
    ("micasense.com/dls", "dls"),
    ("dji.com/drone-dji", "dji"),
    ("sensefly", "sensefly"),
)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


def packet_values(packet: bytes) -> dict[str, tuple[str, ...]]:
    """Values of an XMP packet as `prefix:Name` -> texts; attributes, elements and sequences alike.

    A packet that cannot be parsed, or that declares entities, has no values.

    >>> space = b'xmlns:Camera="http://pix4d.com/camera/1.0/" xmlns:r="r"'
    >>> packet_values(b'<x ' + space + b'><Camera:BandName><r:Seq><r:li>Red</r:li></r:Seq></Camera:BandName></x>')
    {'camera:BandName': ('Red',)}
    """
    if not packet or len(packet) > MAX_XMP_BYTES:
        return {}
    try:
        root = ElementTree.fromstring(packet, forbid_dtd=True)
    except (ParseError, ValueError, LookupError):
        return {}
    values: dict[str, tuple[str, ...]] = {}
    for element in root.iter():
        for name, text in element.attrib.items():
            if text.strip() and _key(name):
                values.setdefault(_key(name), (text.strip(),))
        key = _key(str(element.tag))
        texts = _texts(element) if key else ()
        if texts:
            values.setdefault(key, texts)
    return values


def _texts(element: Element) -> tuple[str, ...]:
    return tuple(text.strip() for text in element.itertext() if text.strip())


def _key(name: str) -> str:
    space, _, local = name[1:].partition("}") if name.startswith("{") else ("", "", name)
    return next((f"{prefix}:{local}" for mark, prefix in _SPACES if mark in space.lower()), "")


def packet_of(path: Path) -> bytes:
    """The XMP packet by its marks: it may stand anywhere in a TIFF."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return b""
        data = path.read_bytes()
    except OSError as fault:
        raise GeoError("no_file", f"读不到照片文件“{path.name}”，请检查路径和权限。") from fault
    for opening, closing in ((b"<x:xmpmeta", b"</x:xmpmeta>"), (b"<rdf:RDF", b"</rdf:RDF>")):
        start = data.find(opening)
        end = data.find(closing, start)
        if 0 <= start < end:
            return data[start : end + len(closing)]
    return b""


def first(xmp: Packet, *keys: str) -> str:
    """The first text of the first of these names that the packet has, or an empty one."""
    return next((xmp[key][0] for key in keys if key in xmp), "")


def numbers(xmp: Packet, *keys: str) -> tuple[float, ...]:
    """All numbers in the texts of the first of these names that the packet has."""
    texts = next((xmp[key] for key in keys if key in xmp), ())
    return tuple(float(found) for text in texts for found in _NUMBER.findall(text) if math.isfinite(float(found)))


def value(xmp: Packet, *keys: str) -> float | None:
    """The one number of the first of these names that holds one, or None."""
    return next((number(xmp[key][0]) for key in keys if key in xmp and number(xmp[key][0]) is not None), None)
