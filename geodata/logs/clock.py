"""Clock readings in logs: the digits as written, and the zone somebody declares for them.

A zone is never guessed and no clock is read: digits without a zone stay digits.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from geodata.errors import GeoError

_EPOCH = datetime(1970, 1, 1)
_OFFSET = re.compile(r"(?:UTC|GMT)?\s*([+-])(\d{1,2})(?::?(\d\d))?", re.IGNORECASE)
_DAY = re.compile(r"(\d{4})[-:./年](\d{1,2})[-:./月](\d{1,2})日?")
_SLASHED = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})")
_HOUR = re.compile(r"(\d{1,2})[:时](\d{1,2})(?:[:分](\d{1,2})秒?(?:[.,](\d{1,9})(?:[.,]\d+)?)?)?\s*([AaPp]\.?[Mm]\.?)?")
_ZONE = re.compile(r"\s*(Z|UTC|GMT|[+-]\d\d:?\d\d)\s*$", re.IGNORECASE)


def zone_of(declared: str | tzinfo) -> tuple[tzinfo, str]:
    """A declared zone (`Asia/Shanghai`, `+08:00`, `UTC` or a tzinfo) and its name.

    Raises GeoError `unknown-zone`.

    >>> zone_of("+08:00")[1], zone_of("Asia/Shanghai")[1], zone_of("utc")[1]
    ('+08:00', 'Asia/Shanghai', 'UTC')
    """
    if isinstance(declared, tzinfo):
        return declared, str(declared)
    name = declared.strip()
    if name.upper() in ("UTC", "Z", "GMT"):
        return UTC, "UTC"
    found = _OFFSET.fullmatch(name)
    if found and int(found[2]) <= 14 and int(found[3] or 0) < 60:
        offset = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
        return timezone(-offset if found[1] == "-" else offset), f"{found[1]}{int(found[2]):02d}:{found[3] or '00'}"
    try:
        return ZoneInfo(name), name
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise GeoError(
            "unknown-zone", f"不认识时区“{name[:40]}”，请写 Asia/Shanghai、+08:00 或 UTC 这样的名称。", "zone"
        ) from error


def reading(text: str, day: str = "") -> tuple[float, float, bool] | None:
    """A clock reading as (seconds since 1970 as if in UTC, its step in seconds, whether a zone was written).

    With a zone the seconds are true UTC. `day` is a date column to go before a bare time of day. Dates may be
    year first, or day and month first only where the two cannot be mixed up (12-hour clocks write the month
    first). None when it is no reading.

    >>> reading("2017.8.5 14:11:51"), reading("2025-10-02T12:08:47.250Z")
    ((1501942311.0, 1.0, False), (1759406927.25, 0.001, True))
    >>> reading("04/05/2024 10:00:00") is None
    True
    """
    text = f"{day} {text}".strip() if day else text.strip()
    zoned = _ZONE.search(text)
    body = text[: zoned.start()] if zoned else text
    hour = _HOUR.search(body, max(body.find(" "), body.find("T"), 0))
    if not hour:
        return None
    when = _day(body[: hour.start()].rstrip(" T,"), hour[5] is not None)
    if when is None or not 1980 <= when[0] <= 2200:  # receivers count from 1980
        return None
    hours, half = int(hour[1]), (hour[5] or "").lower()[:1]
    if half:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if half == "p" else 0)
    try:
        at = datetime(*when, hours, int(hour[2]), int(hour[3] or 0))
    except ValueError:
        return None
    fraction = hour[4] or ""
    seconds = (at - _EPOCH).total_seconds() + (float(f"0.{fraction}") if fraction else 0.0)
    step = 10.0 ** -min(len(fraction), 3) if hour[3] else 60.0
    if not zoned:
        return seconds, step, False
    return seconds - _offset_s(zoned[1]), step, True


def _day(text: str, twelve_hours: bool) -> tuple[int, int, int] | None:
    found = _DAY.search(text)
    if found:
        return int(found[1]), int(found[2]), int(found[3])
    found = _SLASHED.search(text)
    if not found:
        return None
    first, second, year = int(found[1]), int(found[2]), int(found[3])
    if first > 12 >= second:
        return year, second, first
    return (year, first, second) if twelve_hours or second > 12 >= first or first == second else None


def _offset_s(text: str) -> float:
    found = _OFFSET.fullmatch(text)
    if not found:
        return 0.0
    seconds = int(found[2]) * 3600.0 + int(found[3] or 0) * 60.0
    return -seconds if found[1] == "-" else seconds


def digits(clock_s: float) -> datetime:
    """Seconds since 1970 as the digits a clock shows, without any zone.

    >>> digits(1501942311.0)
    datetime.datetime(2017, 8, 5, 14, 11, 51)
    """
    return _EPOCH + timedelta(seconds=clock_s)
