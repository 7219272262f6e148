"""When a photograph says it was taken; a zone that is not declared is not guessed, and no clock is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from geodata.frames.tags import Tags, number, words

STAMP = re.compile(r"(\d{4})[-:](\d\d)[-:](\d\d)[ T](\d\d):(\d\d):(\d\d)(\.\d+)?\s*(Z|[+-]\d\d:?\d\d)?")


@dataclass(frozen=True)
class Moment:
    """`local`: the camera's clock, ISO without zone; `at`: UTC-aware, only with a declared zone."""

    local: str | None = None
    at: datetime | None = None
    source: str = ""


def stamp(text: str) -> tuple[datetime, bool] | None:
    """An EXIF or XMP time as (aware datetime, zone was declared); undeclared, the digits stand in UTC.

    >>> stamp("2022-03-24T17:37:59+08:00")
    (datetime.datetime(2022, 3, 24, 9, 37, 59, tzinfo=datetime.timezone.utc), True)
    >>> stamp("0000:00:00 00:00:00") is None
    True
    """
    found = STAMP.match(text.strip())
    if not found:
        return None
    zone = found[8]
    offset = timedelta(0)
    if zone and zone != "Z":
        digits = zone[1:].replace(":", "")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        offset = -offset if zone[0] == "-" else offset
        if abs(offset) > timedelta(hours=14):
            return None
    try:
        at = datetime(*(int(found[i]) for i in range(1, 7)), tzinfo=timezone(offset))  # type: ignore[misc,arg-type]
        return at.astimezone(UTC), zone is not None
    except (ValueError, OverflowError):
        return None


def moment_of(tags: Tags) -> Moment:
    """The taking time: EXIF with its offset, XMP with a zone, UTC at exposure, GPS stamp, in this order."""
    original = tags.words(0x9003) or tags.words(0x9004) or tags.words(0x0132)
    plain = stamp(original)
    local = _digits(original) if plain else None
    zoned = stamp(f"{original}{tags.words(0x9011)}") if plain and tags.words(0x9011) else None
    if zoned and zoned[1]:
        return Moment(local, zoned[0], "exif_offset")
    created = stamp(tags.xmp.get("xmp:CreateDate", ""))
    if created and created[1]:
        return Moment(local or _digits(tags.xmp["xmp:CreateDate"]), created[0], "xmp")
    exposed = stamp(tags.xmp.get("dji:UTCAtExposure", ""))
    if exposed:
        return Moment(local, exposed[0], "utc_at_exposure")
    satellite = _gps_stamp(tags)
    return Moment(local, satellite, "gps" if satellite else "")


def _digits(text: str) -> str:
    """The camera's own digits in ISO form, without any zone."""
    found = STAMP.match(text.strip())
    return "{}-{}-{}T{}:{}:{}".format(*found.groups()[:6]) if found else ""


def _gps_stamp(tags: Tags) -> datetime | None:
    time = tags.gps.get(7)
    day = words(tags.gps.get(29)).replace("-", ":")
    if not day or not isinstance(time, tuple) or len(time) != 3:
        return None
    parts = [number(part) for part in time]
    hours, minutes, seconds = (int(part) if part is not None and 0 <= part < 61 else 99 for part in parts)
    found = stamp(f"{day} {hours:02d}:{minutes:02d}:{seconds:02d}")
    return found[0] if found else None
