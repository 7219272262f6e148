"""The laws of the clock algebra as properties over drawn histories."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from patrol.actions.calendar import seed_year
from patrol.rules.calendar import Calendar, Frame
from patrol.rules.clocks import CLOCKS, LADDER, Limit, Mark, Unit, next_due, read, rungs_due
from patrol.rules.limits import UNITS

CALENDAR = Calendar(dict([*seed_year(2026), *seed_year(2027)]), frozenset({2026}))
# A month that holds the National Day week and its make-up days.
ZERO = datetime(2026, 9, 17, 22, tzinfo=UTC)
SPAN_S = 30 * 86400
SAMPLES: dict[Unit, tuple[float, ...]] = {
    "minutes": (1, 30, 90),
    "hours": (1, 24, 2.5, 130),
    "duty_minutes": (30, 45),
    "duty_hours": (2, 20),
    "working_hours": (0.5, 4, 8, 110),
    "working_days": (1, 2, 3, 5),
}
BEYOND = ZERO + timedelta(days=400)

moments = st.integers(0, SPAN_S * 10**6).map(lambda us: ZERO + timedelta(microseconds=us))
# Round times meet each other and the edges of working hours often; that is where the errors live.
round_moments = st.integers(0, SPAN_S // 1800).map(lambda slots: ZERO + timedelta(minutes=30 * slots))
times = st.one_of(moments, round_moments)
causes = st.sampled_from(("", "suspend", "submit"))
opens = st.sampled_from((None, "duty", "working"))


@st.composite
def limits(draw: st.DrawFn, frame: Frame | None = None) -> Limit:
    unit = draw(st.sampled_from([u for u in UNITS if frame is None or Limit(1, u).frame == frame]))
    return Limit(draw(st.sampled_from(SAMPLES[unit])), unit)


@st.composite
def pauses(draw: st.DrawFn, at: st.SearchStrategy[datetime] = times) -> list[Mark]:
    begin, end = sorted((draw(at), draw(at)))
    cause = draw(causes)
    if draw(st.booleans()):
        return [Mark("pause", begin, cause=cause), Mark("resume", end, cause=cause)]
    return [Mark("pause", begin, cause=cause, until=draw(st.one_of(st.none(), st.just(end))))]


@st.composite
def starts(draw: st.DrawFn) -> Mark:
    return Mark("start", draw(times), draw(limits()), opens=draw(opens))


def frame_of(start: Mark) -> Frame:
    assert start.limit is not None
    return start.limit.frame


@st.composite
def histories(draw: st.DrawFn, *, stops: bool = True, extends: bool = True) -> list[Mark]:
    """A start, some pauses, extensions in its frame, perhaps a stop, in no particular order."""
    start = draw(starts())
    marks = [start]
    for group in draw(st.lists(pauses(), max_size=3)):
        marks += group
    if extends:
        for at in draw(st.lists(times, max_size=2)):
            asked_at = draw(st.one_of(st.none(), times.filter(lambda t, at=at: t <= at)))
            marks.append(Mark("extend", at, draw(limits(frame_of(start))), asked_at=asked_at))
    if stops and draw(st.booleans()):
        end = draw(st.sampled_from(("done", "closed", "cancelled")))
        marks.append(Mark("stop", draw(times), end=end))  # type: ignore[arg-type]
    return marks


# --- law 1: pure, and the same whenever it is asked ---------------------------------------------------


@given(histories(), times)
def test_marks_survive_as_json(marks: list[Mark], now: datetime) -> None:
    again = [Mark.from_json(mark.to_json()) for mark in marks]
    assert again == marks and read(again, CALENDAR, now) == read(marks, CALENDAR, now)


@given(histories(), times)
def test_what_has_not_happened_yet_is_not_known(marks: list[Mark], now: datetime) -> None:
    known = [mark for mark in marks if mark.at <= now]
    assert read(marks, CALENDAR, now) == read(known, CALENDAR, now)
    assert rungs_due(marks, CALENDAR, now, 0) == rungs_due(known, CALENDAR, now, 0)


@given(histories(stops=False), times, st.lists(times, min_size=1, max_size=4))
def test_nothing_after_the_stop_changes_how_it_ended(
    marks: list[Mark], stop_at: datetime, later: list[datetime]
) -> None:
    ended = [*marks, Mark("stop", stop_at)]
    more = [Mark("resume" if i % 2 else "pause", at) for i, at in enumerate(later) if at > stop_at]
    extra = [Mark("stop", at, end="cancelled") for at in later if at > stop_at]
    if marks[0].at > stop_at:
        return  # a stop before the start stops nothing
    assert read([*ended, *more, *extra], CALENDAR, BEYOND) == read(ended, CALENDAR, BEYOND)


# --- law 2: used + remaining = limit + extensions; used never falls -----------------------------------


@given(histories(), times)
def test_used_and_left_are_limit_and_extensions(marks: list[Mark], now: datetime) -> None:
    seen = read(marks, CALENDAR, now)
    start = marks[0]
    assert start.limit is not None
    if start.at > now:
        assert (seen.used_s, seen.left_s, seen.limit_s) == (0, 0, 0)
        return
    stop_at = min((m.at for m in marks if m.kind == "stop" and start.at <= m.at <= now), default=now)
    added = sum(m.limit.seconds(CALENDAR) for m in marks if m.kind == "extend" and m.limit and m.at <= stop_at)
    assert seen.used_s + seen.left_s == seen.limit_s == start.limit.seconds(CALENDAR) + added


@given(histories(), times, times)
def test_used_never_falls(marks: list[Mark], a: datetime, b: datetime) -> None:
    a, b = sorted((a, b))
    assert read(marks, CALENDAR, a).used_s <= read(marks, CALENDAR, b).used_s


@given(starts(), pauses(), times)
def test_paused_time_counts_nothing_in_its_own_unit(start: Mark, pair: list[Mark], now: datetime) -> None:
    """Used is what an uninterrupted clock would have used outside the pause."""
    free = read([start], CALENDAR, now)
    if free.begins_at is None or len(pair) < 2:
        return
    begin, end = (max(mark.at, free.begins_at) for mark in pair)
    lost = CALENDAR.span(min(begin, now), min(end, now), frame_of(start))
    whole = CALENDAR.span(free.begins_at, now, frame_of(start))
    assert read([start, *pair], CALENDAR, now).used_s == (whole - lost) // timedelta(seconds=1)


@given(histories(stops=False))
def test_at_its_due_a_clock_is_used_up_and_not_before(marks: list[Mark]) -> None:
    seen = read(marks, CALENDAR, BEYOND)
    if seen.due_at is None:
        assert seen.status == "paused"
        return
    settled = [m for m in marks if m.kind != "extend"]
    whole = [Mark("extend", marks[0].at, m.limit) for m in marks if m.kind == "extend"]
    upfront = [settled[0], *whole, *settled[1:]]
    assert read(upfront, CALENDAR, BEYOND).due_at == seen.due_at
    assert read(upfront, CALENDAR, seen.due_at).left_s == 0
    before = read(upfront, CALENDAR, seen.due_at - timedelta(seconds=1))
    assert before.status in ("not_started", "running", "soon", "paused") and before.left_s >= 0


# --- law 3: identity, commuting, union ----------------------------------------------------------------


@given(histories(), times, causes, times)
def test_suspend_and_resume_at_one_instant_is_identity(
    marks: list[Mark], at: datetime, cause: str, now: datetime
) -> None:
    blink = [Mark("pause", at, cause="blink" + cause), Mark("resume", at, cause="blink" + cause)]
    assert read([*marks, *blink], CALENDAR, now) == read(marks, CALENDAR, now)
    assert rungs_due([*marks, *blink], CALENDAR, now, 0) == rungs_due(marks, CALENDAR, now, 0)


@given(starts(), st.lists(pauses(), max_size=3), times, times, st.data())
def test_extending_commutes_with_suspending(
    start: Mark, groups: list[list[Mark]], one: datetime, two: datetime, data: st.DataObject
) -> None:
    """Whether it was granted before, during or after the pauses: the same due, the same left."""
    extension = data.draw(limits(frame_of(start)))
    paused = [mark for group in groups for mark in group]
    asked = min(one, two, start.at)
    first, second = (
        read([start, *paused, Mark("extend", at, extension, asked_at=asked)], CALENDAR, BEYOND)
        for at in (max(one, start.at), max(two, start.at))
    )
    assert first == second


@given(starts(), st.lists(pauses(), min_size=1, max_size=4), times)
def test_suspends_together_are_their_union(start: Mark, groups: list[list[Mark]], now: datetime) -> None:
    spans: list[tuple[datetime, datetime]] = []
    for number, group in enumerate(groups):
        end = group[1].at if len(group) == 2 else group[0].until or BEYOND
        spans.append((group[0].at, end))
        groups[number] = [
            Mark(mark.kind, mark.at, cause=str(number), until=mark.until) for mark in group
        ]  # causes of their own, so that no resume ends another's pause
    union: list[list[datetime]] = []
    for begin, end in sorted(spans):
        if union and begin <= union[-1][1]:
            union[-1][1] = max(union[-1][1], end)
        else:
            union.append([begin, end])
    merged = [m for begin, end in union for m in (Mark("pause", begin), Mark("resume", end))]
    apart = [mark for group in groups for mark in group]
    seen, wanted = read([start, *apart], CALENDAR, now), read([start, *merged], CALENDAR, now)
    assert (seen.used_s, seen.due_at, seen.status) == (wanted.used_s, wanted.due_at, wanted.status)


@given(starts(), st.lists(st.tuples(times, times).map(sorted), min_size=1, max_size=4), times)
def test_overlapping_suspends_of_one_cause_are_their_union_too(
    start: Mark, spans: list[list[datetime]], now: datetime
) -> None:
    marks = [m for a, b in spans for m in (Mark("pause", a), Mark("resume", b))]
    apart = [
        m for i, (a, b) in enumerate(spans) for m in (Mark("pause", a, cause=str(i)), Mark("resume", b, cause=str(i)))
    ]
    assert read([start, *marks], CALENDAR, BEYOND) == read([start, *apart], CALENDAR, BEYOND)


# --- law 6: the ladder --------------------------------------------------------------------------------


def watch(marks: Sequence[Mark], wakings: Sequence[datetime]) -> list[tuple[str, datetime]]:
    """A worker that wakes at these times, tells what is owed and remembers how many it told."""
    told: list[tuple[str, datetime]] = []
    for now in sorted(wakings):
        for rung, due in rungs_due(marks, CALENDAR, now, len(told)):
            assert due <= now  # never early
            told.append((rung.code, due))
    return told


@settings(max_examples=200)
@given(histories(), st.lists(times, max_size=12))
def test_the_same_rungs_go_out_however_often_the_worker_woke(marks: list[Mark], wakings: list[datetime]) -> None:
    """One that slept throughout catches up exactly, each once, stamped with the time it was due."""
    awake = watch(marks, [*wakings, BEYOND])
    asleep = watch(marks, [BEYOND])
    assert awake == asleep
    assert [code for code, _ in awake] == [rung.code for rung in LADDER][: len(awake)]
    assert [due for _, due in awake] == sorted(due for _, due in awake)


@given(histories(), times)
def test_next_due_is_the_stamp_the_rung_will_carry(marks: list[Mark], now: datetime) -> None:
    everything = rungs_due(marks, CALENDAR, BEYOND, 0)
    for fired in range(len(LADDER) + 1):
        expected = everything[fired][1] if fired < len(everything) else None
        due = next_due(marks, CALENDAR, fired)
        assert due == expected or (expected is None and due is not None and due > BEYOND)


@given(histories(extends=False, stops=False))
def test_red_falls_due_with_the_due(marks: list[Mark]) -> None:
    seen = read(marks, CALENDAR, BEYOND)
    red = [due for rung, due in rungs_due(marks, CALENDAR, BEYOND, 0) if rung.code == "red"]
    assert red == ([] if seen.due_at is None else [seen.due_at])


@given(histories(extends=False), times)
def test_amber_and_soon_begin_together(marks: list[Mark], now: datetime) -> None:
    seen = read(marks, CALENDAR, now)
    told = [rung.code for rung, _ in rungs_due(marks, CALENDAR, now, 0)]
    if seen.status in ("running", "not_started"):
        assert told == []
    if seen.status == "soon":
        assert told == ["amber"]
    if seen.status == "late":
        assert told[:2] == ["amber", "red"]


# --- laws 7 and 9 ---------------------------------------------------------------------------------------


@given(histories(), times)
def test_a_paused_clock_shows_no_colour_and_does_not_count(marks: list[Mark], now: datetime) -> None:
    seen = read(marks, CALENDAR, now)
    if seen.status != "paused":
        return
    assert seen.due_at is None or seen.was_late
    later = [m for m in marks if m.at <= now]
    until = min((m.until for m in later if m.until and m.until > now), default=BEYOND)
    again = read(later, CALENDAR, until - timedelta(microseconds=1))
    assert (again.used_s, again.late_s, again.status) == (seen.used_s, seen.late_s, "paused")


@given(histories(), times, times)
def test_late_stays_late(marks: list[Mark], a: datetime, b: datetime) -> None:
    """Unless an extension asked for before the due was granted after it."""
    a, b = sorted((a, b))
    unfair = [m for m in marks if m.kind != "extend" or m.asked_at is None or m.asked_at == m.at]
    if read(unfair, CALENDAR, a).was_late:
        seen = read(unfair, CALENDAR, b)
        assert seen.was_late and seen.status != "met"


@given(histories())
def test_the_first_due_never_moves(marks: list[Mark]) -> None:
    alone = read(marks[:1], CALENDAR, marks[0].at).first_due_at
    assert alone is not None and read(marks, CALENDAR, BEYOND).first_due_at == alone


@given(st.sampled_from(sorted(CLOCKS)), times, st.booleans(), st.booleans())
def test_urgent_or_switched_clocks_start_at_once(name: str, at: datetime, urgent: bool, all_hours: bool) -> None:
    limit = CLOCKS[name].limit or Limit(24, "hours")
    mark = CLOCKS[name].start(at, urgent=urgent, all_hours=all_hours, limit=limit)
    begins_at = read([mark], CALENDAR, at).begins_at
    waits = CLOCKS[name].hurries and not urgent and not all_hours
    assert begins_at == CALENDAR.opening(at, "duty" if waits else limit.frame)
