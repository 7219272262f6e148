"""Single values out of a drone platform's JSON, whatever type they come in; what is none is None, never a guess."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_ZONED = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)")
_UNKEPT = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL refuses the first, UTF-8 the rest


def number(value: Any) -> float | None:
    """A finite number, written as one or as text; None for everything else.

    >>> number("-91.40"), number(22), number(True), number("nan")
    (-91.4, 22.0, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value) if not isinstance(value, str) or len(value) <= 40 else math.nan
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def position(data: Mapping[str, Any]) -> tuple[float, float] | None:
    """Longitude and latitude, nested in `shoot_position` or flat; None for none, and for 0, 0, which is no fix.

    >>> position({"shoot_position": {"lat": "30.35", "lng": 112.18}}), position({"latitude": 0, "longitude": 0})
    ((112.18, 30.35), None)
    """
    nested = mapping(data.get("shoot_position"))
    lat = number(nested.get("lat", data.get("latitude")))
    lon = number(nested.get("lng", data.get("longitude")))
    if lat is None or lon is None or abs(lat) > 90 or abs(lon) > 180 or (lat == 0 and lon == 0):
        return None
    return lon, lat


def moment(words: str) -> datetime | None:
    """A moment only where its zone is named; a bare local time stays words.

    >>> moment("2026-05-10T16:04:20+08:00").hour, moment("2026-05-10 16:04:20")
    (8, None)
    """
    if not _ZONED.fullmatch(words):
        return None
    try:
        return datetime.fromisoformat(words).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def moment_of_ms(value: Any) -> datetime | None:
    """The moment of a 13-digit timestamp; None for what cannot be one."""
    ms = number(value)
    if ms is None or not 1e12 <= ms < 1e13:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC)


def flag(value: Any, *, default: bool) -> bool:
    if isinstance(value, bool):
        return value
    known = {"true": True, "1": True, "false": False, "0": False}
    return known.get(str(value).lower(), default) if isinstance(value, int | str) else default


def text(value: Any, most: int, *, whole: bool = False) -> str:
    """Printable text of at most `most` characters; `whole` gives nothing rather than a part or an altered one."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18:
        value = str(value)
    if not isinstance(value, str):
        return ""
    kept = "".join(c for c in value if c.isprintable())
    if whole and (kept != value or len(value) > most):
        return ""
    return kept[:most].strip()


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def count(value: Any) -> int | None:
    found = number(value)
    return int(found) if found is not None and 0 <= found <= 100_000 else None


def sound(value: Any, depth: int = 0) -> bool:
    """Whether every text can be kept in a database, at a depth that JSON can be written back from."""
    if depth > 32:
        return False
    if isinstance(value, str):
        return not _UNKEPT.search(value)
    if isinstance(value, dict):
        return all(sound(key, depth) and sound(each, depth + 1) for key, each in value.items())
    if isinstance(value, list):
        return all(sound(each, depth + 1) for each in value)
    return not isinstance(value, float) or math.isfinite(value)
