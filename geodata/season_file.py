"""What `fishing.toml` says: stretches of the year and of the day, for zones and kinds. Read, checked, not judged.

Every fault of the file is named at once, like those of a place's other papers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from geodata.errors import GeoError
from geodata.unit import fault

FILE = "fishing.toml"
KINDS: Mapping[str, str] = MappingProxyType({"boat": "船", "person": "人"})
EVERYWHERE = "*"
KEYS = frozenset({"title", "basis", "timezone", "reach_m", "closed", "exempt"})
_WINDOW_KEYS = frozenset({"name", "kinds", "zones", "from", "to", "hours", "since", "until"})
_MOST_REACH_M = 200.0
_DAY = re.compile(r"(\d\d)-(\d\d)")
_HOURS = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")


@dataclass(frozen=True)
class Window:
    """A stretch of the year and of the day, for some zones and kinds. Minutes of the day; both days included."""

    name: str
    zones: frozenset[str]
    kinds: frozenset[str]
    first: tuple[int, int]
    last: tuple[int, int]
    hours: tuple[tuple[int, int], ...]
    since: date | None = None
    until: date | None = None

    def holds(self, at: datetime) -> bool:
        """Whether a moment of local time is inside. Hours past midnight belong to the day they began on."""
        minute = at.hour * 60 + at.minute + at.second / 60
        for start, end in self.hours:
            if start < end:
                if start <= minute < end and self._on(at.date()):
                    return True
            elif (minute >= start and self._on(at.date())) or (
                minute < end and self._on(at.date() - timedelta(days=1))
            ):
                return True
        return False

    def _on(self, day: date) -> bool:
        if (self.since and day < self.since) or (self.until and day > self.until):
            return False
        here = (day.month, day.day)
        if self.first <= self.last:
            return self.first <= here <= self.last
        return here >= self.first or here <= self.last


def read_windows(told: Mapping[str, Any], key: str, codes: set[str], faults: list[GeoError]) -> tuple[Window, ...]:
    """The `[[closed]]` or `[[exempt]]` rows; adds every fault."""
    rows = told.get(key, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        faults.append(fault(FILE, "bad-toml", f"{key} 应写成 [[{key}]]。"))
        return ()
    found = (_window(row, f"{FILE} 第 {number} 个 {key}", codes, faults) for number, row in enumerate(rows, start=1))
    return tuple(window for window in found if window is not None)


def _window(row: Mapping[str, Any], where: str, codes: set[str], faults: list[GeoError]) -> Window | None:
    known = len(faults)

    def wrong(code: str, sentence: str) -> None:
        faults.append(fault(where, code, sentence))

    def words(key: str, allowed: set[str], default: list[str]) -> frozenset[str]:
        given = row.get(key, default)
        if not isinstance(given, list) or not given or not set(map(str, given)) <= allowed:
            wrong("bad-value", f"{key} 要写成列表，可选 {'、'.join(sorted(allowed))}。")
            return frozenset()
        return frozenset(map(str, given))

    def day(key: str) -> tuple[int, int]:
        match = _DAY.fullmatch(str(row.get(key, "")))
        try:
            month, number = (int(part) for part in match.groups()) if match else (0, 0)
            date(2024, month, number)  # a leap year, so that 02-29 can be written
        except ValueError:
            wrong("bad-day", f"{key} 要写成 月-日，如 03-01。")
            return 1, 1
        return month, number

    def years(key: str) -> date | None:
        given = row.get(key)
        if given is not None and type(given) is not date:
            wrong("bad-day", f"{key} 要写成 2021-01-01 这样的日期，不加引号。")
            return None
        return given

    if unknown := sorted(set(row) - _WINDOW_KEYS):
        wrong("unknown-key", f"没有 {'、'.join(unknown)} 这样的项，请核对拼写。")
    name = row.get("name")
    if not isinstance(name, str) or not name.strip():
        wrong("missing-property", "缺少 name。")
    spans = []
    given = row.get("hours", ["00:00-24:00"])
    for text in given if isinstance(given, list) and given else [None]:
        span = _span(str(text))
        if span is None:
            wrong("bad-hours", "hours 要写成列表，每项如 18:00-06:00；全天写 00:00-24:00。")
        else:
            spans.append(span)
    zones, kinds = words("zones", codes, [EVERYWHERE]), words("kinds", set(KINDS), list(KINDS))
    window = Window(str(name), zones, kinds, day("from"), day("to"), tuple(spans), years("since"), years("until"))
    return window if len(faults) == known else None


def _span(text: str) -> tuple[int, int] | None:
    match = _HOURS.fullmatch(text)
    if match is None:
        return None
    h0, m0, h1, m1 = (int(part) for part in match.groups())
    start, end = h0 * 60 + m0, h1 * 60 + m1
    good = m0 < 60 and m1 < 60 and start < 1440 and 0 <= end <= 1440 and start != end
    return (start, end) if good else None


def read_reach(given: Any, faults: list[GeoError]) -> dict[str, float]:
    """How far from a zone's edge each kind counts, in metres; adds every fault."""
    reach = {"boat": 3.0, "person": 10.0}
    if not isinstance(given, dict) or not set(given) <= set(KINDS):
        faults.append(fault(FILE, "bad-value", f"reach_m 只能有 {'、'.join(KINDS)}。"))
        return reach
    for kind, metres in given.items():
        if type(metres) not in (int, float) or not 0 <= metres <= _MOST_REACH_M:
            faults.append(fault(FILE, "bad-value", f"reach_m 的 {kind} 要在 0 到 {_MOST_REACH_M:.0f} 米之间。"))
        else:
            reach[kind] = float(metres)
    return reach


def read_clock(name: Any, faults: list[GeoError]) -> tzinfo | None:
    """The time zone of a name, or None with a fault added."""
    try:
        return ZoneInfo(str(name))
    except (OSError, ValueError, LookupError):
        faults.append(fault(FILE, "bad-zone", f"timezone “{str(name)[:40]}”不是时区，要写成 Asia/Shanghai 这样。"))
        return None
