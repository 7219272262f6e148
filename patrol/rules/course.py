"""The course of one clock instance: its marks, when it ran, and when it was or will be used up.

Pure functions over marks and a calendar, exact to the microsecond. Nothing here reads the wall
clock, knows which clock it is, or decides what a late clock is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from patrol.rules.calendar import Calendar, Frame
from patrol.rules.limits import Limit
from patrol.rules.marks import Mark

_FAR = datetime(9000, 1, 1, tzinfo=UTC)  # open end: later than any time, and safe to convert
_ZERO = timedelta(0)


@dataclass(frozen=True)
class Stretch:
    """A half-open piece of the course in which the clock ran and its limit did not change."""

    begin: datetime
    end: datetime
    frame: Frame
    limit: timedelta
    used_before: timedelta
    used_after: timedelta | None  # None: it has no end yet


@dataclass(frozen=True)
class Course:
    """Marks made ready for questions. Build it with `course()`."""

    calendar: Calendar
    start: Mark
    begins_at: datetime
    stop: Mark | None
    pauses: tuple[tuple[datetime, datetime], ...]
    changes: tuple[Mark, ...]

    @cached_property
    def base(self) -> Limit:
        """The base limit in force after every rebase."""
        rebased = [mark for mark in self.changes if mark.kind == "rebase"]
        return _limit_of(rebased[-1] if rebased else self.start)

    @property
    def frame(self) -> Frame:
        return self.base.frame

    @property
    def extensions(self) -> tuple[Limit, ...]:
        """Extensions in force: those in the frame the clock now has (a rebase to another drops them)."""
        return _extensions(self.changes, self.frame)

    @cached_property
    def limit(self) -> timedelta:
        """Base and extensions together."""
        return _total(self.base, self.extensions, self.calendar)

    @cached_property
    def first_due_at(self) -> datetime:
        """The due as it was at the start: no pause, no extension. It never moves."""
        span = _span_of(_limit_of(self.start), self.calendar)
        return self.calendar.after(self.begins_at, span, self.start_frame)

    @property
    def start_frame(self) -> Frame:
        return _limit_of(self.start).frame

    @cached_property
    def runs(self) -> list[tuple[datetime, datetime]]:
        """When the clock ran: from its start to its stop, without the pauses."""
        end = self.stop.at if self.stop else _FAR
        runs: list[tuple[datetime, datetime]] = []
        begin = self.begins_at
        for paused, resumed in self.pauses:
            if paused >= end:
                break
            if paused > begin:
                runs.append((begin, paused))
            begin = max(begin, resumed)
        if begin < end:
            runs.append((begin, end))
        return runs

    def paused_at(self, at: datetime) -> bool:
        return any(paused <= at < resumed for paused, resumed in self.pauses)

    def resumes_at(self, at: datetime) -> datetime | None:
        """When the pause around `at` ends by itself; None when it ends only by an act."""
        for paused, resumed in self.pauses:
            if paused <= at < resumed:
                return None if resumed == _FAR else resumed
        return None

    def used(self, at: datetime) -> timedelta:
        """Time of the clock's frame used up to `at`; paused time counts nothing."""
        return self._used(at, self.frame)

    def due_at(self) -> datetime | None:
        """When base and extensions are used up; None while an open pause keeps that moment open."""
        rebased = [mark.at for mark in self.changes if mark.kind == "rebase"]
        due = self._crossing(self.frame, self.limit)
        if due is not None and rebased and due < rebased[-1]:
            # A limit cannot have run out before it was set.
            return self.calendar.opening(rebased[-1], self.frame)
        return due

    def overran(self, end: datetime) -> bool:
        """Whether the clock was ever past its due up to `end` (the stop, or now).

        An extension asked for before the due counts from the old due, however late it was granted;
        one asked for at or after the due moves the due but does not undo the lateness.
        """
        for number, mark in enumerate(self.changes):
            due = self._upto(number).due_at()
            asked_at = (mark.asked_at or mark.at) if mark.kind == "extend" else mark.at
            if due is not None and due <= asked_at:
                return True
        due = self.due_at()
        return due is not None and due < end

    def crossing(self, threshold: Callable[[timedelta], timedelta]) -> datetime | None:
        """First moment at which used time reached threshold(limit in force at that moment).

        This is what a watcher who never slept would have seen, so it does not depend on when it is
        asked: an extension granted later does not move it.
        """
        for stretch in self._stretches:
            wanted = threshold(stretch.limit)
            if stretch.used_after is not None and wanted > stretch.used_after:
                continue
            missing = wanted - stretch.used_before
            if missing <= _ZERO:
                moment = self.calendar.opening(stretch.begin, stretch.frame)
            else:
                moment = self.calendar.after(stretch.begin, missing, stretch.frame)
            if moment <= stretch.end:
                return moment
        return None

    def paused_between(self, a: datetime, b: datetime) -> timedelta:
        """Wall time of the pauses inside [a, b)."""
        spans = (min(resumed, b) - max(paused, a) for paused, resumed in self.pauses)
        return sum((span for span in spans if span > _ZERO), _ZERO)

    @cached_property
    def _stretches(self) -> list[Stretch]:
        stretches: list[Stretch] = []
        cuts = [mark.at for mark in self.changes]
        frame, used = self.start_frame, _ZERO
        for begin, end in self.runs:
            inner = sorted({cut for cut in cuts if begin < cut < end})
            for low, high in zip([begin, *inner], [*inner, end], strict=True):
                so_far = self._upto(sum(cut <= low for cut in cuts)) if cuts else self
                if so_far.frame != frame:
                    frame, used = so_far.frame, self._used(low, so_far.frame)
                after = None if high == _FAR else used + self.calendar.span(low, high, frame)
                stretches.append(Stretch(low, high, frame, so_far.limit, used, after))
                used = after or used
        return stretches

    def _upto(self, count: int) -> Course:
        return Course(self.calendar, self.start, self.begins_at, self.stop, self.pauses, self.changes[:count])

    def _used(self, at: datetime, frame: Frame) -> timedelta:
        spans = (self.calendar.span(begin, min(end, at), frame) for begin, end in self.runs)
        return sum(spans, _ZERO)

    def _crossing(self, frame: Frame, target: timedelta) -> datetime | None:
        missing = target
        end = self.begins_at
        for begin, end in self.runs:
            span = self.calendar.span(begin, end, frame) if end != _FAR else None
            if span is None or span >= missing:
                return self.calendar.after(begin, missing, frame)
            missing -= span
        if self.stop is not None and not self.paused_at(end):
            # Stopped before it was used up: the due it would have met.
            return self.calendar.after(max(end, self.begins_at), missing, frame)
        return None


def course(
    marks: Iterable[Mark], calendar: Calendar, until: datetime | None = None, *, opens: Frame | None = None
) -> Course | None:
    """The course of the marks made up to `until` (all, when None); None before there is a start.

    Marks are taken in order of time, and in the order given where times are equal. What follows the
    first stop changes nothing: an ended instance keeps its end.
    """
    ordered = sorted((mark for mark in marks if until is None or mark.at <= until), key=lambda m: m.at)
    start = next((mark for mark in ordered if mark.kind == "start"), None)
    if start is None:
        return None
    stop = next((mark for mark in ordered if mark.kind == "stop" and mark.at >= start.at), None)
    last = stop.at if stop else None
    limit = _limit_of(start)
    begins_at = start.at
    deferred = start.opens or opens
    if deferred is not None:
        begins_at = calendar.opening(begins_at, deferred)
    begins_at = calendar.opening(begins_at, limit.frame)
    living = [mark for mark in ordered if last is None or mark.at <= last]
    changes = tuple(mark for mark in living if mark.kind in ("extend", "rebase"))
    _check_frames(limit, changes)
    return Course(calendar, start, begins_at, stop, tuple(_pauses(living)), changes)


def _pauses(ordered: Sequence[Mark]) -> list[tuple[datetime, datetime]]:
    """The union of all pauses as sorted, disjoint, non-empty half-open intervals."""
    open_since: dict[str, list[tuple[datetime, datetime]]] = {}
    spans: list[tuple[datetime, datetime]] = []
    for mark in ordered:
        if mark.kind not in ("pause", "resume"):
            continue
        waiting = open_since.setdefault(mark.cause, [])
        for over in [span for span in waiting if span[1] <= mark.at]:
            waiting.remove(over)
            spans.append(over)
        if mark.kind == "pause":
            waiting.append((mark.at, mark.until or _FAR))
        elif waiting:
            spans.append((waiting.pop(0)[0], mark.at))
    for waiting in open_since.values():
        spans.extend(waiting)
    union: list[tuple[datetime, datetime]] = []
    for begin, end in sorted(span for span in spans if span[0] < span[1]):
        if union and begin <= union[-1][1]:
            union[-1] = (union[-1][0], max(union[-1][1], end))
        else:
            union.append((begin, end))
    return union


def _check_frames(base: Limit, changes: Iterable[Mark]) -> None:
    frame = base.frame
    for mark in changes:
        limit = _limit_of(mark)
        if mark.kind == "rebase":
            frame = limit.frame
        elif limit.frame != frame:
            raise ValueError(f"an extension must be in the clock's own unit: {limit.zh} on {base.zh}")


def _limit_of(mark: Mark) -> Limit:
    if mark.limit is None:
        raise ValueError(f"a {mark.kind} mark has no limit")
    return mark.limit


def _span_of(limit: Limit, calendar: Calendar) -> timedelta:
    return timedelta(seconds=limit.seconds(calendar))


def _extensions(changes: Iterable[Mark], frame: Frame) -> tuple[Limit, ...]:
    limits = (mark.limit for mark in changes if mark.kind == "extend")
    return tuple(limit for limit in limits if limit is not None and limit.frame == frame)


def _total(base: Limit, extensions: Iterable[Limit], calendar: Calendar) -> timedelta:
    return _span_of(base, calendar) + sum((_span_of(more, calendar) for more in extensions), _ZERO)
