"""When time counts: working hours, duty hours and the days of the statutory calendar.

Pure arithmetic over days that somebody else stored. It must not know where the days come from
(see `patrol.actions.calendar`), read the wall clock, or know what an issue is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Literal

Frame = Literal["continuous", "duty", "working"]
DayKind = Literal["work", "off"]
Hours = tuple[time, time]

# China has kept one offset without summer time since 1991, so a fixed offset is exact, makes day
# arithmetic safe and needs no time zone database on the office PC.
SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")

# A year's notice may move the last days of the year before (make-up work fell on 29, 30 and 31
# December in 2001, 2005, 2006 and 2011), so these days wait for next year's notice as well.
YEAR_END = (12, 29)

_DAY = timedelta(days=1)
_ZERO = timedelta(0)
_Block = tuple[timedelta, timedelta]


@dataclass(frozen=True)
class Calendar:
    """Days and hours of one calendar version. `days` overrides Monday to Friday.

    `confirmed` holds the years whose State Council notice was imported; every other year is
    estimated. Hours are half-open, an end of 00:00 means midnight at the day's end.
    """

    days: Mapping[date, DayKind] = field(default_factory=dict, hash=False)
    confirmed: frozenset[int] = frozenset()
    work_hours: tuple[Hours, ...] = ((time(9), time(12)), (time(14), time(17)))
    duty_hours: Hours = (time(7), time(21))
    version: str = "0"
    _work: tuple[_Block, ...] = field(init=False, repr=False, compare=False)
    _duty: tuple[_Block, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_work", _blocks(self.work_hours))
        object.__setattr__(self, "_duty", _blocks((self.duty_hours,)))

    @property
    def working_day_s(self) -> int:
        """Seconds of one 工作日: that day's working hours, not 24 h."""
        return int(sum((end - begin for begin, end in self._work), _ZERO).total_seconds())

    def is_workday(self, day: date) -> bool:
        """Whether people work on that day, make-up days (调休) and holidays included."""
        kind = self.days.get(day)
        return day.weekday() < 5 if kind is None else kind == "work"

    def add(self, start: datetime, seconds: int, frame: Frame) -> datetime:
        """The first moment at which `seconds` of the frame have passed since `start`."""
        return self.after(start, timedelta(seconds=seconds), frame)

    def between(self, a: datetime, b: datetime, frame: Frame) -> int:
        """Whole seconds of the frame in [a, b); 0 when b is not after a."""
        return self.span(a, b, frame) // timedelta(seconds=1)

    def after(self, start: datetime, span: timedelta, frame: Frame) -> datetime:
        """As `add`, to the microsecond."""
        if span < _ZERO:
            raise ValueError(f"a span cannot be negative: {span}")
        at = local(start)
        if frame == "continuous" or not span:
            return (at + span).astimezone(UTC)
        midnight = _midnight(at)
        while True:
            for begin, end in self._blocks_of(midnight.date(), frame):
                low, high = max(midnight + begin, at), midnight + end
                if high <= low:
                    continue
                if span <= high - low:
                    return (low + span).astimezone(UTC)
                span -= high - low
            midnight += _DAY

    def span(self, a: datetime, b: datetime, frame: Frame) -> timedelta:
        """As `between`, to the microsecond."""
        begin, end = local(a), local(b)
        if end <= begin:
            return _ZERO
        if frame == "continuous":
            return end - begin
        first, last = _midnight(begin), _midnight(end)
        if first == last:
            return self._within(first, begin, end, frame)
        total = self._within(first, begin, end, frame) + self._within(last, begin, end, frame)
        return total + self._whole_days(first.date() + _DAY, last.date(), frame)

    def opening(self, at: datetime, frame: Frame) -> datetime:
        """`at` itself when it lies inside the frame, else the frame's next opening."""
        moment = local(at)
        if frame == "continuous":
            return moment.astimezone(UTC)
        midnight = _midnight(moment)
        while True:
            for begin, end in self._blocks_of(midnight.date(), frame):
                if moment < midnight + end:
                    return max(moment, midnight + begin).astimezone(UTC)
            midnight += _DAY

    def rests_on_estimate(self, a: datetime, b: datetime) -> bool:
        """Whether any day from a's to b's (both included) waits for a notice not yet imported."""
        first, last = local(a).date(), local(b).date()
        if any(year not in self.confirmed for year in range(first.year, last.year + 1)):
            return True
        return (last.month, last.day) >= YEAR_END and last.year + 1 not in self.confirmed

    def _blocks_of(self, day: date, frame: Frame) -> tuple[_Block, ...]:
        if frame == "duty":
            return self._duty
        return self._work if self.is_workday(day) else ()

    def _within(self, midnight: datetime, a: datetime, b: datetime, frame: Frame) -> timedelta:
        total = _ZERO
        for begin, end in self._blocks_of(midnight.date(), frame):
            low, high = max(midnight + begin, a), min(midnight + end, b)
            if high > low:
                total += high - low
        return total

    def _whole_days(self, first: date, stop: date, frame: Frame) -> timedelta:
        count = max((stop - first).days, 0)
        if frame == "duty":
            begin, end = self._duty[0]
            return count * (end - begin)
        worked = sum(self.is_workday(first + timedelta(days=i)) for i in range(count))
        return timedelta(seconds=worked * self.working_day_s)


def local(at: datetime) -> datetime:
    """The same moment in Asia/Shanghai; a naive datetime is an error."""
    if at.tzinfo is None:
        raise ValueError("a datetime without a time zone cannot be placed")
    return at.astimezone(SHANGHAI)


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _blocks(hours: tuple[Hours, ...]) -> tuple[_Block, ...]:
    blocks: list[_Block] = []
    for opens, shuts in hours:
        begin, end = _since_midnight(opens), _since_midnight(shuts) or _DAY
        if end <= begin or (blocks and begin < blocks[-1][1]):
            raise ValueError(f"hours must be ordered and must not overlap: {hours}")
        blocks.append((begin, end))
    if not blocks:
        raise ValueError("a calendar needs at least one block of hours")
    return tuple(blocks)


def _since_midnight(at: time) -> timedelta:
    return timedelta(hours=at.hour, minutes=at.minute, seconds=at.second)
