"""Limits: an amount with its own unit, and the rules that make one limit out of another.

A limit keeps its unit for life: what is left after a pause is left in that unit. This file must
not know clocks, marks or issues.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast, get_args

from patrol.rules.calendar import Calendar, Frame

Unit = Literal["minutes", "hours", "duty_minutes", "duty_hours", "working_hours", "working_days"]

UNITS: tuple[Unit, ...] = get_args(Unit)
_FRAME: dict[Unit, Frame] = {
    "minutes": "continuous",
    "hours": "continuous",
    "duty_minutes": "duty",
    "duty_hours": "duty",
    "working_hours": "working",
    "working_days": "working",
}
_ZH: dict[Unit, str] = {
    "minutes": "{} 分钟",
    "hours": "{} 小时",
    "duty_minutes": "值班 {} 分钟",
    "duty_hours": "值班 {} 小时",
    "working_hours": "{} 工作时",
    "working_days": "{} 工作日",
}
# Ten years of anything: far beyond every real limit, and it keeps dates inside what they can hold.
_LONGEST: dict[Unit, int] = {
    "minutes": 5_260_000,
    "hours": 87_660,
    "duty_minutes": 3_000_000,
    "duty_hours": 50_000,
    "working_hours": 20_000,
    "working_days": 2_500,
}


@dataclass(frozen=True)
class Limit:
    """`Limit(8, "working_hours")`: how much time, and which time counts."""

    amount: int | float
    unit: Unit

    def __post_init__(self) -> None:
        if self.unit not in _FRAME:
            raise ValueError(f"unknown unit of a limit: {self.unit!r}")
        if isinstance(self.amount, bool) or not isinstance(self.amount, int | float):
            raise ValueError(f"a limit needs a number: {self.amount!r}")
        if not math.isfinite(self.amount) or not 0 < self.amount <= _LONGEST[self.unit]:
            raise ValueError(f"a limit must be above 0 and under ten years: {self.amount} {self.unit}")
        if isinstance(self.amount, float) and self.amount.is_integer():
            object.__setattr__(self, "amount", int(self.amount))

    @property
    def frame(self) -> Frame:
        return _FRAME[self.unit]

    @property
    def zh(self) -> str:
        """For people: 8 工作时, 2 工作日, 24 小时, 值班 30 分钟."""
        return _ZH[self.unit].format(f"{self.amount:g}" if self.amount < 1e5 else self.amount)

    def seconds(self, calendar: Calendar) -> int:
        """Seconds of the limit's own frame; a working day is that calendar's working day."""
        if self.unit in ("minutes", "duty_minutes"):
            return round(self.amount * 60)
        if self.unit == "working_days":
            return round(self.amount * calendar.working_day_s)
        return round(self.amount * 3600)

    def halves(self) -> Limit:
        """Half of it, in the same unit."""
        return Limit(self.amount / 2, self.unit)

    def due(self, start: datetime, calendar: Calendar) -> datetime:
        """When it ends if it starts then: outside hours it starts at the next opening."""
        return calendar.add(calendar.opening(start, self.frame), self.seconds(calendar), self.frame)

    def to_json(self) -> dict[str, object]:
        return {"amount": self.amount, "unit": self.unit}

    @classmethod
    def from_json(cls, raw: Mapping[str, object]) -> Limit:
        return cls(cast("int | float", raw["amount"]), cast(Unit, raw["unit"]))


def shorter(a: Limit, b: Limit, calendar: Calendar, start: datetime) -> Limit:
    """The limit that ends first; `a` when they end together.

    In one frame that is the smaller amount. Between frames (4 working hours or 24 hours?) only the
    day decides, so the two ends from `start` are compared.
    """
    if a.frame == b.frame:
        return a if a.seconds(calendar) <= b.seconds(calendar) else b
    return a if a.due(start, calendar) <= b.due(start, calendar) else b


SEND_BACK_CAP = Limit(24, "hours")


def send_back_grace(limit: Limit, calendar: Calendar, at: datetime) -> Limit:
    """Limit of the new instance when work is sent back with nothing left: min(half, 24 h)."""
    return shorter(limit.halves(), SEND_BACK_CAP, calendar, at)


def reopen_limit(limit: Limit) -> Limit:
    """Limit of the new instance of a reopened issue: half of the first one, in its own unit."""
    return limit.halves()


def within_twice(limit: Limit, extensions: list[Limit], calendar: Calendar) -> bool:
    """Whether limit and extensions together stay within twice the limit (domain: `extend`)."""
    total = limit.seconds(calendar) + sum(extension.seconds(calendar) for extension in extensions)
    return total <= 2 * limit.seconds(calendar)
