"""Clock rows: start, mark, stop, and what they read as. The marks are the truth, `patrol.rules.clocks` reads them.

Every effect a row of STEPS names (`stop:push`, `start:rectify`, ...) is carried out here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from typing import Any

from sqlalchemy import Select, select

from patrol import models as m
from patrol.rules import clocks as law
from patrol.rules.calendar import SHANGHAI
from patrol.rules.clocks import CLOCKS, Limit, Mark, Reading
from patrol.rules.problems import PROBLEMS
from patrol.station import Work

LIVE = ("running", "paused")


def marks_of(clock: m.Clock) -> list[Mark]:
    return [Mark.from_json(raw) for raw in clock.marks]


def reading(work: Work, clock: m.Clock, now: datetime | None = None) -> Reading:
    """What the clock says at `now`, by the calendar it runs on."""
    return law.read(marks_of(clock), work.calendar_of(clock.calendar), now or work.now)


def of(work: Work, issue: m.Issue) -> list[m.Clock]:
    """Every clock instance of an issue, oldest first."""
    return list(work.session.scalars(select(m.Clock).where(m.Clock.issue_id == issue.id).order_by(m.Clock.id)))


def live(work: Work, issue: m.Issue, name: str) -> m.Clock | None:
    """The instance of a clock that still runs or is paused."""
    return work.session.scalar(_newest(issue, name).where(m.Clock.state.in_(LIVE)))


def last(work: Work, issue: m.Issue, name: str) -> m.Clock | None:
    """The newest instance of a clock, whatever its state."""
    return work.session.scalar(_newest(issue, name))


def _newest(issue: m.Issue, name: str) -> Select[m.Clock]:
    clocks = select(m.Clock).where(m.Clock.issue_id == issue.id, m.Clock.name == name)
    return clocks.order_by(m.Clock.instance.desc(), m.Clock.id).limit(1)


def start(
    work: Work,
    name: str,
    *,
    issue: m.Issue | None = None,
    sighting: m.Sighting | None = None,
    request: m.Request | None = None,
    at: datetime | None = None,
    limit: Limit | None = None,
    urgent: bool = True,
    why: str = "",
) -> m.Clock:
    """A new instance of a clock; it follows the last one of the same name, which keeps its end state."""
    begin = CLOCKS[name].start(at or work.now, urgent=urgent, limit=limit, all_hours=work.settings.all_day, why=why)
    before = last(work, issue, name) if issue is not None else None
    clock = m.Clock(
        issue_id=issue.id if issue else None, sighting_id=sighting.id if sighting else None,
        request_id=request.id if request else None, name=name, instance=before.instance + 1 if before else 1,
        follows_id=before.id if before else None, marks=[begin.to_json()], opens=begin.opens, policy=law.POLICY,
        calendar=work.calendar.version, state="running",
        fired=0, grace=False, exempt=False, estimated=False,
    )  # fmt: skip
    work.session.add(clock)
    _refresh(work, clock)
    work.session.flush()
    return clock


def mark(work: Work, clock: m.Clock, *marks: Mark) -> None:
    """Append marks and let the row say what it now reads as."""
    clock.marks = [*clock.marks, *(each.to_json() for each in marks)]
    _refresh(work, clock)


def stop(
    work: Work, clock: m.Clock, end: law.End = "done", *, at: datetime | None = None,
    claimed_at: datetime | None = None, why: str = "",
) -> None:  # fmt: skip
    """End an instance. `claimed_at` is the phone's own time of a step made offline (law 10)."""
    mark(work, clock, Mark("stop", at or work.now, end=end, claimed_at=claimed_at, why=why))


def refresh_all(work: Work, rows: Iterable[m.Clock]) -> None:
    for clock in rows:
        _refresh(work, clock)


def climbed(work: Work, clock: m.Clock, marks: list[Mark]) -> None:
    """Rungs were told: time alone moves nothing but the next of them, unless a pause of its own has ended."""
    if any(each.kind == "pause" for each in marks):
        _refresh(work, clock)
    else:
        clock.next_at = law.next_due(marks, work.calendar_of(clock.calendar), clock.fired)


def _refresh(work: Work, clock: m.Clock) -> None:
    marks = marks_of(clock)
    calendar = work.calendar_of(clock.calendar)
    # a start or stop may be stamped later than now only by its own claim; read at the later of the two
    now = max([work.now, *(each.at for each in marks)])
    said = law.read(marks, calendar, now)
    ended = {"met": "met", "met_late": "met_late", "missed": "missed", "cancelled": "cancelled"}
    clock.state = "paused" if said.status == "paused" else ended.get(said.status, "running")
    clock.due_at = said.due_at
    clock.first_due_at = said.first_due_at
    clock.estimated = said.estimated
    clock.grace = said.offline
    # a pause that ends by itself has a next moment too
    clock.next_at = law.next_due(marks, calendar, clock.fired) if clock.state in LIVE else None


def twin(work: Work, clock: m.Clock, issue: m.Issue) -> m.Clock:
    """The same clock on another issue, as far as it has come: a split off issue wins no time.

    What it waited for on the old issue (acceptance, a merge, its end) ends here and now; a suspension goes on.
    """
    marks = marks_of(clock)
    kept = [each for each in marks if each.kind != "stop"]
    ended = next((each for each in marks if each.kind == "stop"), None)
    if ended is not None:
        kept += [Mark("pause", ended.at, cause="split"), Mark("resume", work.now, cause="split")]
    kept += [Mark("resume", work.now, cause=cause) for cause in ("accept", "merge")]
    new = start(work, clock.name, issue=issue, limit=first_limit(clock))
    new.marks, new.calendar, new.fired = [each.to_json() for each in kept], clock.calendar, clock.fired
    _refresh(work, new)
    return new


def start_push(work: Work, issue: m.Issue, captured_at: datetime | None = None, why: str = "") -> None:
    """Start `push` once a round: from the frame's capture where plausible, else now."""
    rows = [clock for clock in of(work, issue) if clock.name == "push"]
    if any(clock.state in LIVE for clock in rows) or len(rows) >= _push_rounds(issue):
        return
    begin = law.push_start(captured_at, work.now, own_flight=captured_at is not None)
    start(work, "push", issue=issue, at=begin.ladder_at, urgent=PROBLEMS[issue.kind].urgent, why=why)
    if begin.late_link:
        issue.flags = {**issue.flags, "late_link": begin.figure_at.isoformat()}


def _push_rounds(issue: m.Issue) -> int:
    return 1 + int(issue.flags.get("reopened", 0))


def apply(
    work: Work, issue: m.Issue, effects: Sequence[str], *, claimed_at: datetime | None = None, **given: Any
) -> None:
    """Carry out the clock effects of one row of STEPS, in order."""
    for effect in effects:
        verb, _, name = effect.partition(":")
        _EFFECTS[verb](work, issue, name, claimed_at, given)


def _stop(work: Work, issue: m.Issue, name: str, claimed_at: datetime | None, given: dict[str, Any]) -> None:
    if clock := live(work, issue, name):
        stop(work, clock, claimed_at=claimed_at)


def _cancel(work: Work, issue: m.Issue, name: str, claimed_at: datetime | None, given: dict[str, Any]) -> None:
    if clock := live(work, issue, name):
        stop(work, clock, "cancelled")


def _not_needed(work: Work, issue: m.Issue, name: str, claimed_at: datetime | None, given: dict[str, Any]) -> None:
    if clock := live(work, issue, name):
        stop(work, clock, "cancelled", why="不需要")
        clock.state = "not_needed"


def _start(work: Work, issue: m.Issue, name: str, claimed_at: datetime | None, given: dict[str, Any]) -> None:
    kind = PROBLEMS[issue.kind]
    if name == "push":
        start_push(work, issue)
        return
    limit = {"on_site": kind.on_site, "rectify": given.get("limit") or kind.rectify}.get(name)
    clock = start(work, name, issue=issue, limit=limit, urgent=kind.urgent)
    if name == "rectify" and (by := issue.flags.get("due_by")):
        # merged into this issue before it was dispatched: what was late there does not start anew here
        left = work.calendar.between(work.now, datetime.fromisoformat(by), first_limit(clock).frame)
        if left < reading(work, clock).left_s:
            mark(work, clock, Mark("rebase", work.now, limit=in_frame(clock, max(60, left)), why="并案取早"))
        issue.flags = {key: value for key, value in issue.flags.items() if key != "due_by"}
    if name == "on_site" and issue.half1:
        # a check with a photo inside the fence already served as half 1
        stop(work, clock, at=work.now, why="核实时已到场")


def _start_half(work: Work, issue: m.Issue, name: str, claimed_at: datetime | None, given: dict[str, Any]) -> None:
    before = last(work, issue, name)
    base = _first_limit(before) if before else PROBLEMS[issue.kind].rectify
    start(work, name, issue=issue, limit=law.reopen_limit(base), urgent=PROBLEMS[issue.kind].urgent, why="重开")


def _pause(work: Work, issue: m.Issue, name: str, claimed_at: datetime | None, given: dict[str, Any]) -> None:
    if clock := live(work, issue, name):
        mark(work, clock, Mark("pause", work.now, cause=given["cause"], until=given.get("until")))


def _resume(work: Work, issue: m.Issue, name: str, claimed_at: datetime | None, given: dict[str, Any]) -> None:
    clock = live(work, issue, name)
    if clock is not None and clock.state == "paused":
        mark(work, clock, Mark("resume", work.now, cause=given["cause"]))


def _again(work: Work, issue: m.Issue, name: str, claimed_at: datetime | None, given: dict[str, Any]) -> None:
    """After send_back: go on with what was left; if nothing was, a new instance and the issue counts late."""
    clock = last(work, issue, name)
    if clock is None:
        # handled on the spot: there was no limit yet, and from now on there is work to do
        start(work, name, issue=issue, limit=PROBLEMS[issue.kind].rectify, urgent=PROBLEMS[issue.kind].urgent)
        return
    said = reading(work, clock)
    if said.left_s > 0 and clock.state not in LIVE:
        # it had ended (found gone, or accepted): an ended instance keeps its end, a new one gets what was left
        rest = in_frame(clock, said.left_s)
        start(work, name, issue=issue, limit=rest, urgent=PROBLEMS[issue.kind].urgent, why="验收退回")
        return
    if said.left_s > 0:
        mark(work, clock, Mark("resume", work.now, cause="accept"))
        return
    if clock.state in LIVE:
        stop(work, clock, "closed", why="退回时已无剩余")
    grace = law.send_back_grace(_first_limit(clock), work.calendar, work.now)
    start(work, name, issue=issue, limit=grace, urgent=PROBLEMS[issue.kind].urgent, why="验收退回")
    issue.flags = {**issue.flags, "overdue": True}


def _extend(work: Work, issue: m.Issue, name: str, claimed_at: datetime | None, given: dict[str, Any]) -> None:
    if clock := live(work, issue, name):
        mark(work, clock, Mark("extend", work.now, limit=given["by"], asked_at=given.get("asked_at")))


def _stop_all(work: Work, issue: m.Issue, name: str, claimed_at: datetime | None, given: dict[str, Any]) -> None:
    for clock in of(work, issue):
        if clock.state in LIVE:
            stop(work, clock, "closed")


def _freeze_all(work: Work, issue: m.Issue, name: str, claimed_at: datetime | None, given: dict[str, Any]) -> None:
    for clock in of(work, issue):
        if clock.state in LIVE:
            mark(work, clock, Mark("pause", work.now, cause="merge"))


def _thaw_all(work: Work, issue: m.Issue, name: str, claimed_at: datetime | None, given: dict[str, Any]) -> None:
    for clock in of(work, issue):
        if clock.state == "paused":
            mark(work, clock, Mark("resume", work.now, cause="merge"))


def _first_limit(clock: m.Clock) -> Limit:
    limit = next((each.limit for each in reversed(marks_of(clock)) if each.kind in ("start", "rebase")), None)
    if limit is None:
        raise ValueError(f"clock {clock.id} has no start")
    return limit


def in_frame(clock: m.Clock, seconds: float) -> Limit:
    """Seconds of a clock's own frame as a limit of that frame."""
    unit: law.Unit
    match first_limit(clock).frame:
        case "duty":
            unit = "duty_hours"
        case "working":
            unit = "working_hours"
        case _:
            unit = "hours"
    return Limit(seconds / 3600, unit)


def first_limit(clock: m.Clock) -> Limit:
    """The limit an instance began with (or was rebased to), without extensions."""
    return _first_limit(clock)


_EFFECTS = {
    "start": _start, "start_half": _start_half, "stop": _stop, "cancel": _cancel, "not_needed": _not_needed,
    "pause": _pause, "resume": _resume, "again": _again, "extend": _extend, "stop_all": _stop_all,
    "freeze_all": _freeze_all, "thaw_all": _thaw_all,
}  # fmt: skip
EFFECT_VERBS = frozenset(_EFFECTS)


def law_zone() -> tzinfo:
    """The zone in which years and days are counted: Asia/Shanghai."""
    return SHANGHAI
