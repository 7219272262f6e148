"""What a photo's own EXIF says about when and where it was taken: claims, never facts.

Anybody can write anything into EXIF, and cameras do. Every value is checked for what is possible at all; one
that is not becomes None and a warning code. Nothing here decodes pixels or decides what a claim is worth.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from PIL import Image

# What Pillow's EXIF reader is known to raise on broken blocks; the rest of the photo may still be good.
BROKEN_EXIF = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    EOFError,
    struct.error,
)

_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_ORIENTATION = 0x0112
# Preferred first: the shutter, then the digitiser, then the file's own date (which an editor may have moved).
_TIMES = ((_EXIF_IFD, 0x9003, 0x9011), (_EXIF_IFD, 0x9004, 0x9012), (0, 0x0132, 0x9010))
_TIME_TEXT = re.compile(r"(\d{4}):(\d\d):(\d\d)[ T](\d\d):(\d\d):(\d\d)")
_ZONE_TEXT = re.compile(r"([+-])(\d\d):(\d\d)")
_OLDEST_YEAR = 2000  # camera clocks that were never set start before it
_WORST_ACCURACY_M = 100_000.0


@dataclass
class Claims:
    """The claims of one photo and the codes of what was wrong with them."""

    orientation: int = 1
    taken_at: str | None = None
    taken_zone: str | None = None
    lon: float | None = None
    lat: float | None = None
    accuracy_m: float | None = None
    warnings: list[str] = field(default_factory=list)


def read_claims(read_exif: Callable[[], Image.Exif]) -> Claims:
    """Read the claims of a photo whose EXIF block `read_exif` returns; never raises on a broken one."""
    claims = Claims()
    try:
        exif = read_exif()
        blocks: dict[int, dict[int, Any]] = {0: dict(exif)}
    except BROKEN_EXIF:
        claims.warnings.append("exif_unreadable")
        return claims
    for ifd in (_EXIF_IFD, _GPS_IFD):
        try:
            blocks[ifd] = dict(exif.get_ifd(ifd))
        except BROKEN_EXIF:
            blocks[ifd] = {}
            claims.warnings.append("exif_unreadable" if ifd == _EXIF_IFD else "position_invalid")
    turned = blocks[0].get(_ORIENTATION, 1)
    if isinstance(turned, int) and 1 <= turned <= 8:
        claims.orientation = turned
    _read_time(blocks, claims)
    _read_position(blocks[_GPS_IFD], claims)
    claims.warnings = list(dict.fromkeys(claims.warnings))
    return claims


def _read_time(blocks: dict[int, dict[int, Any]], claims: Claims) -> None:
    for ifd, tag, zone_tag in _TIMES:
        text = blocks[ifd].get(tag)
        if not isinstance(text, str) or not text.strip(" \0:0-"):
            if text is not None:
                claims.warnings.append("time_invalid")
            continue
        found = _TIME_TEXT.fullmatch(text.strip(" \0"))
        try:
            moment = datetime(*(int(part) for part in found.groups())) if found else None  # type: ignore[arg-type]
        except ValueError:
            moment = None
        if moment is None or moment.year < _OLDEST_YEAR:
            claims.warnings.append("time_invalid")
            continue
        claims.taken_at = moment.isoformat()
        claims.taken_zone = _zone(blocks[_EXIF_IFD].get(zone_tag))
        if ifd == 0:
            claims.warnings.append("time_of_file")
        return


def _zone(text: Any) -> str | None:
    found = _ZONE_TEXT.fullmatch(text.strip(" \0")) if isinstance(text, str) else None
    if not found:
        return None
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return found[0] if offset <= timedelta(hours=14) and int(found[3]) < 60 else None


def _read_position(gps: dict[int, Any], claims: Claims) -> None:
    if not {1, 2, 3, 4} & gps.keys():
        return
    lat = _degrees(gps.get(2), gps.get(1), "N", "S", 90.0)
    lon = _degrees(gps.get(4), gps.get(3), "E", "W", 180.0)
    # 0, 0 is what receivers write before they have a fix.
    if lat is None or lon is None or (lat == 0.0 and lon == 0.0):
        claims.warnings.append("position_invalid")
        return
    claims.lon, claims.lat = lon, lat
    if 31 in gps:
        accuracy_m = _number(gps[31])
        if accuracy_m is not None and 0.0 < accuracy_m <= _WORST_ACCURACY_M:
            claims.accuracy_m = accuracy_m
        else:
            claims.warnings.append("accuracy_invalid")


def _degrees(parts: Any, reference: Any, plus: str, minus: str, limit: float) -> float | None:
    """Turn degrees, minutes, seconds and a letter into signed degrees; None where any of it is impossible."""
    if isinstance(reference, bytes):
        reference = reference.decode("ascii", "replace")
    letter = reference.strip(" \0").upper() if isinstance(reference, str) else ""
    if letter not in (plus, minus) or not isinstance(parts, tuple) or len(parts) != 3:
        return None
    numbers = [_number(part) for part in parts]
    if any(number is None or number < 0.0 for number in numbers):
        return None
    degrees, minutes, seconds = (number or 0.0 for number in numbers)
    # 60 itself is what rounding cameras write.
    if minutes > 60.0 or seconds > 60.0:
        return None
    value = degrees + minutes / 60.0 + seconds / 3600.0
    if value > limit:
        return None
    return round(-value if letter == minus else value, 9)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return number if math.isfinite(number) else None
