"""The clocks: one row a limit, and the reading of one clock instance at one moment.

A reading is a pure function of the marks, this policy, the calendar and `now`. Workers only pass on
what it says. This file must not read the wall clock, store anything or speak to anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from patrol.rules.calendar import Calendar, Frame
from patrol.rules.course import Course, course
from patrol.rules.ladder import LADDER, PRESSES_FROM, Rung, next_due, rung_moments, rungs_due
from patrol.rules.limits import Limit, Unit, reopen_limit, send_back_grace, shorter, within_twice
from patrol.rules.marks import End, Mark, MarkKind
from patrol.rules.timewords import say_amount, say_due, say_left, say_side

__all__ = [
    "CLOCKS",
    "LADDER",
    "OFFLINE_GRACE",
    "POLICY",
    "PRESSES_FROM",
    "Clock",
    "End",
    "Limit",
    "Mark",
    "MarkKind",
    "Move",
    "Reading",
    "Rung",
    "Status",
    "Unit",
    "met_within_grace",
    "move_to",
    "next_due",
    "push_start",
    "read",
    "reopen_limit",
    "rungs_due",
    "say_amount",
    "say_due",
    "say_left",
    "say_side",
    "send_back_grace",
    "shorter",
    "within_twice",
]

# Change it with any change to CLOCKS, LADDER or the graces; it is stored with each start mark's
# trail line. Running clocks keep the limit and opening their start mark carries.
POLICY = "2026-11"

Status = Literal["not_started", "running", "soon", "late", "paused", "met", "met_late", "missed", "cancelled"]

OFFLINE_GRACE = timedelta(minutes=30)
PUSH_LATE_AFTER = timedelta(minutes=20)
CAPTURE_OLDEST = timedelta(hours=24)

_S = timedelta(seconds=1)
_ZERO = timedelta(0)


@dataclass(frozen=True)
class Clock:
    """A row of CLOCKS. `limit` None: by kind of problem. `hurries`: it waits for duty hours unless urgent."""

    name: str
    zh: str
    limit: Limit | None
    hurries: bool = False

    def opens(self, *, urgent: bool, all_hours: bool = False) -> Frame | None:
        """The frame whose opening a start outside it waits for; after that the clock runs on."""
        return "duty" if self.hurries and not urgent and not all_hours else None

    def start(
        self,
        at: datetime,
        *,
        urgent: bool,
        limit: Limit | None = None,
        all_hours: bool = False,
        why: str = "",
    ) -> Mark:
        """The start mark of a new instance; it carries limit and opening, so policy changes pass it by."""
        chosen = limit or self.limit
        if chosen is None:
            raise ValueError(f"the limit of {self.name} comes from the kind of problem")
        return Mark("start", at, chosen, why, opens=self.opens(urgent=urgent, all_hours=all_hours))


CLOCKS: dict[str, Clock] = {
    clock.name: clock
    for clock in (
        Clock("review", "研判", Limit(30, "duty_minutes")),
        Clock("check", "核实", Limit(2, "duty_hours")),
        Clock("push", "推送", Limit(1, "hours"), hurries=True),
        Clock("receive", "签收", Limit(30, "minutes"), hurries=True),
        Clock("on_site", "到场", Limit(2, "hours"), hurries=True),
        Clock("rectify", "整改", None),
        Clock("decide_office", "审批", Limit(2, "duty_hours")),
        Clock("decide_other", "审批", Limit(1, "working_days")),
        Clock("accept", "验收", Limit(1, "working_days")),
        Clock("close", "销号", Limit(1, "working_days")),
        Clock("ingest", "回传", Limit(1, "hours")),
    )
}


@dataclass(frozen=True)
class Reading:
    """What one clock says at one moment. `used_s` and `left_s` are in the limit's own frame.

    status      of the moment; a paused clock is `paused` whatever it was before
    due_at      None before a start and while a pause holds it, unless it had already passed
    first_due_at  the due of the start, without pauses and extensions; it never moves
    late_s      wall time past the due without the pauses since, 0 when not past it
    was_late    it was ever past its due; this never becomes False again, save by `offline`
    offline     met through the grace for steps made without network (按时，离线补传)
    estimated   the due rests on a day whose year is not confirmed
    next_at     the next ladder moment after now
    """

    status: Status
    used_s: int
    left_s: int
    limit_s: int
    due_at: datetime | None
    first_due_at: datetime | None
    late_s: int
    share: float
    estimated: bool
    next_at: datetime | None
    unit: Unit
    day_s: int
    begins_at: datetime | None = None
    resumes_at: datetime | None = None
    extended: int = 0
    was_late: bool = False
    offline: bool = False


def read(marks: Iterable[Mark], calendar: Calendar, now: datetime, *, opens: Frame | None = None) -> Reading:
    """The clock's reading at `now`; marks later than now are not yet known.

    `opens` is for start marks that do not carry their own opening.
    """
    known = course(marks, calendar, now, opens=opens)
    if known is None:
        return _NOT_STARTED
    end = known.stop.at if known.stop else now
    used, limit = known.used(end), known.limit
    due_at = known.due_at()
    paused = known.stop is None and known.paused_at(now)
    past = due_at is not None and (due_at < end or (due_at == end and known.stop is None))
    if paused and not past:
        due_at = None
    offline = _offline(known.stop, due_at)
    was_late = (past or known.overran(end)) and not offline
    used_s, limit_s = used // _S, limit // _S
    late = end - due_at - known.paused_between(due_at, end) if past and due_at is not None else _ZERO
    return Reading(
        status=_status(known, now, used, past=past, paused=paused, was_late=was_late),
        used_s=used_s,
        left_s=limit_s - used_s,
        limit_s=limit_s,
        due_at=due_at,
        first_due_at=known.first_due_at,
        late_s=max(late, _ZERO) // _S,
        share=used / limit,
        estimated=_estimated(known, due_at),
        next_at=next((at for _, at in rung_moments(known) if at > now), None),
        unit=known.base.unit,
        day_s=calendar.working_day_s,
        begins_at=known.begins_at,
        resumes_at=known.resumes_at(now) if paused else None,
        extended=len(known.extensions),
        was_late=was_late,
        offline=offline,
    )


_NOT_STARTED = Reading("not_started", 0, 0, 0, None, None, 0, 0.0, False, None, "hours", 0)


def _status(known: Course, now: datetime, used: timedelta, *, past: bool, paused: bool, was_late: bool) -> Status:
    if known.stop is not None:
        if known.stop.end == "done":
            return "met_late" if was_late else "met"
        return "missed" if known.stop.end == "closed" and was_late else "cancelled"
    if paused:
        return "paused"
    if now < known.begins_at:
        return "not_started"
    if past:
        return "late"
    return "soon" if used >= LADDER[0].threshold(known.limit) else "running"


def _estimated(known: Course, due_at: datetime | None) -> bool:
    if due_at is None or known.frame != "working":
        return False
    return known.calendar.rests_on_estimate(known.begins_at, due_at)


def _offline(stop: Mark | None, due_at: datetime | None) -> bool:
    if stop is None or stop.end != "done" or stop.claimed_at is None or due_at is None:
        return False
    return stop.at > due_at and met_within_grace(stop.at, stop.claimed_at, due_at)


def met_within_grace(received_at: datetime, claimed_at: datetime, due_at: datetime) -> bool:
    """Whether a step made offline counts inside the limit.

    The phone's claim must lie before the due and before the receipt, and the step must have come
    in within the grace. Nothing else ever uses the claim.
    """
    return claimed_at <= due_at and claimed_at <= received_at <= due_at + OFFLINE_GRACE


@dataclass(frozen=True)
class PushStart:
    """Where `push` starts: for the figure, and for the ladder. `late_link`: the flight shows 回传迟."""

    figure_at: datetime
    ladder_at: datetime
    late_link: bool


def push_start(captured_at: datetime | None, received_at: datetime, *, own_flight: bool) -> PushStart:
    """Start of `push`: the frame's capture where that is plausible, else its receipt.

    When the frame came more than 20 minutes after capture the figure counts from capture and the
    ladder from receipt: nobody is pressed for minutes the frame spent in the aircraft.
    """
    if captured_at is None or not own_flight or not received_at - CAPTURE_OLDEST <= captured_at <= received_at:
        return PushStart(received_at, received_at, False)
    late_link = received_at - captured_at > PUSH_LATE_AFTER
    return PushStart(captured_at, received_at if late_link else captured_at, late_link)


@dataclass(frozen=True)
class Move:
    """Whether a running clock takes over a new calendar, and what that does to its due."""

    adopts: bool
    old_due_at: datetime | None
    new_due_at: datetime | None

    @property
    def moved(self) -> bool:
        return self.adopts and self.old_due_at != self.new_due_at


def move_to(marks: Sequence[Mark], old: Calendar, new: Calendar, now: datetime) -> Move:
    """What a newly imported or confirmed calendar does to a clock that runs on the old one.

    Only dues that rest on an estimated day and have not passed may move. A clock whose due stays
    where it was, or that is paused, takes the new calendar as well; an ended or late one keeps the old.
    """
    before, after = read(marks, old, now), read(marks, new, now)
    dues = before.due_at, after.due_at
    if before.status == "paused":
        return Move(not before.was_late, *dues)
    if before.status not in ("not_started", "running", "soon"):
        return Move(False, *dues)
    return Move(before.estimated or before.due_at == after.due_at, *dues)
