"""The escalation ladder: which rung of which clock falls due when, and whose turn it is to hear.

One table for every clock, assigned or not. Pure: a rung's moment follows from the marks and the
calendar alone, so a worker that slept a day sends the same rungs, each once, stamped with the time
each was due. It must not send anything or know who the people behind an audience are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from patrol.rules.calendar import Calendar, Frame
from patrol.rules.course import Course, course
from patrol.rules.marks import Mark


@dataclass(frozen=True)
class Rung:
    """One step of the ladder.

    It falls due when used time reaches `percent` of the limit plus min(`delay_percent` of the
    limit, `delay_cap_s`), all in the clock's own frame: a limit in working hours is never pressed
    at midnight, and half an hour's limit climbs faster than five working days'.
    """

    code: str
    zh: str
    percent: int
    delay_percent: int
    delay_cap_s: int
    audience: tuple[str, ...]

    def threshold(self, limit: timedelta) -> timedelta:
        delay = min(limit * self.delay_percent / 100, timedelta(seconds=self.delay_cap_s))
        return limit * self.percent / 100 + delay


# Audiences: holder = whose turn it is (the office while nobody is assigned); duty = who the duty
# roster names when the rung falls due at night.
LADDER: tuple[Rung, ...] = (
    Rung("amber", "将到期", 80, 0, 0, ("holder",)),
    Rung("red", "超期", 100, 0, 0, ("holder", "office", "duty")),
    Rung("level1", "催办", 100, 50, 4 * 3600, ("holder", "office", "duty")),
    Rung("level2", "督办", 100, 100, 12 * 3600, ("holder", "office", "office_head", "chief")),
    Rung("level3", "上报", 100, 200, 24 * 3600, ("office_head", "chief", "inspector")),
)
AMBER, RED, LEVEL1, LEVEL2, LEVEL3 = range(len(LADDER))
PRESSES_FROM = LEVEL2  # the rung at which the ladder itself takes the step `press`


def rung_moments(known: Course, fired: int = 0) -> Iterator[tuple[Rung, datetime]]:
    """The rungs beyond the first `fired` with their moments, lowest first, moments never falling.

    An open pause hides the rest. A moment is worked out only when it is asked for.
    """
    for rung in LADDER[fired:]:
        at = known.crossing(rung.threshold)
        if at is None or (known.stop is not None and at >= known.stop.at):
            return
        yield rung, at


def rungs_due(
    marks: Iterable[Mark], calendar: Calendar, now: datetime, fired: int, *, opens: Frame | None = None
) -> list[tuple[Rung, datetime]]:
    """The rungs owed at `now` beyond the first `fired`, each with the time it was due."""
    known = course(marks, calendar, now, opens=opens)
    if known is None:
        return []
    return list(takewhile(lambda each: each[1] <= now, rung_moments(known, fired)))


def next_due(marks: Iterable[Mark], calendar: Calendar, fired: int, *, opens: Frame | None = None) -> datetime | None:
    """When the next rung beyond the first `fired` falls due (it may lie in the past).

    None when the ladder is climbed, the clock has ended or not begun, or an open pause holds it.
    """
    known = course(marks, calendar, opens=opens)
    return None if known is None else next((at for _, at in rung_moments(known, fired)), None)
