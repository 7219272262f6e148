"""The clocks: the vectors of the domain page, and what each law says in one plain case."""

from __future__ import annotations

from datetime import datetime, time, timedelta

import pytest

from patrol.actions.calendar import seed_year
from patrol.rules.calendar import SHANGHAI, Calendar, Frame
from patrol.rules.clocks import (
    CLOCKS,
    LADDER,
    OFFLINE_GRACE,
    Limit,
    Mark,
    Reading,
    Unit,
    met_within_grace,
    next_due,
    push_start,
    read,
    rungs_due,
)

CALENDAR = Calendar(dict(seed_year(2026)), frozenset({2026}), version="a")
DAY = Limit(1, "working_days")


def at(day: int, hour: int, minute: int = 0, month: int = 11, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=SHANGHAI)


def start(day: int, hour: int, amount: float, unit: Unit, opens: Frame | None = None) -> Mark:
    return Mark("start", at(day, hour), Limit(amount, unit), opens=opens)


def pause(day: int, hour: int, minute: int = 0, **more: object) -> Mark:
    return Mark("pause", at(day, hour, minute), **more)  # type: ignore[arg-type]


def resume(day: int, hour: int, minute: int = 0, cause: str = "") -> Mark:
    return Mark("resume", at(day, hour, minute), cause=cause)


def extend(day: int, hour: int, limit: Limit, asked_at: datetime | None = None) -> Mark:
    return Mark("extend", at(day, hour), limit, asked_at=asked_at)


def reading(now: datetime, *marks: Mark, calendar: Calendar = CALENDAR) -> Reading:
    return read(marks, calendar, now)


def codes(now: datetime, *marks: Mark, fired: int = 0) -> list[tuple[str, datetime]]:
    return [(rung.code, due) for rung, due in rungs_due(marks, CALENDAR, now, fired)]


# --- vectors ----------------------------------------------------------------------------------------


def test_a_suspended_limit_keeps_its_working_hours() -> None:
    marks = (start(23, 9, 4, "working_hours"), pause(23, 10), resume(25, 10))
    now = reading(at(25, 10), *marks)
    assert now.due_at == at(25, 15)  # not 12-03
    assert (now.used_s, now.left_s, now.status) == (3600, 3 * 3600, "running")
    assert now.first_due_at == at(23, 15)


def test_an_extension_outlives_suspend_and_resume() -> None:
    more = extend(23, 10, Limit(4, "working_hours"))
    after = reading(at(25, 10), start(23, 9, 4, "working_hours"), more, pause(23, 11), resume(25, 9))
    assert after.due_at == at(25, 17)
    assert (after.limit_s, after.left_s, after.extended) == (8 * 3600, 5 * 3600, 1)
    assert after.first_due_at == at(23, 15)


def test_nothing_but_marks_restarts_the_ladder() -> None:
    """A comment makes no mark and cannot be one; the rungs already told are not told again."""
    marks = [start(23, 9, 1, "hours")]
    told = rungs_due(marks, CALENDAR, at(23, 11), 0)
    assert [rung.code for rung, _ in told] == ["amber", "red", "level1", "level2"]
    assert rungs_due(marks, CALENDAR, at(23, 11), len(told)) == []
    with pytest.raises(ValueError, match="comment"):
        Mark("comment", at(23, 11))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", CLOCKS)
def test_every_clock_climbs_assigned_or_not(name: str) -> None:
    """No clock asks for a unit: the ladder of an issue nobody was given climbs to the top."""
    clock = CLOCKS[name]
    marks = [clock.start(at(2, 9), urgent=False, limit=clock.limit or Limit(5, "working_days"))]
    reached = rungs_due(marks, CALENDAR, at(31, 23, month=12), 0)
    assert [rung for rung, _ in reached] == list(LADDER)
    assert all(rung.audience for rung, _ in reached)


def test_lunch_is_not_working_time_for_a_clock() -> None:
    now = reading(at(23, 13), start(23, 9, 4, "working_hours"))
    assert (now.used_s, now.due_at) == (3 * 3600, at(23, 15))
    assert reading(at(23, 14), start(23, 9, 4, "working_hours")).used_s == now.used_s


def test_no_rung_of_a_working_limit_falls_outside_hours() -> None:
    for unit, amount in (("working_hours", 8), ("working_days", 5), ("working_hours", 0.5)):
        for hour in (0, 9, 11, 12, 16, 20):
            for _, due in codes(at(31, 23, month=12), start(23, hour, amount, unit)):  # type: ignore[arg-type]
                assert CALENDAR.is_workday(due.astimezone(SHANGHAI).date())
                assert time(9) <= due.astimezone(SHANGHAI).time() <= time(17)


def test_a_limit_over_a_hundred_hours() -> None:
    now = reading(at(23, 10), start(23, 9, 200, "hours"))
    assert (now.due_at, now.left_s) == (at(1, 17, month=12), 199 * 3600)
    assert reading(at(23, 10), start(23, 9, 120, "working_hours")).due_at == at(18, 17, month=12)


def test_a_new_policy_keeps_the_pause_already_spent() -> None:
    paused = (start(23, 9, 4, "working_hours"), pause(23, 10), resume(25, 10))
    rebased = Mark("rebase", at(25, 11), Limit(8, "working_hours"))
    now = reading(at(25, 11), *paused, rebased)
    assert (now.used_s, now.left_s, now.limit_s) == (2 * 3600, 6 * 3600, 8 * 3600)
    assert now.due_at == at(26, 11)


# --- starting ---------------------------------------------------------------------------------------


def test_a_start_outside_hours_waits_for_the_opening() -> None:
    saturday = reading(at(21, 12), start(21, 10, 1, "working_days"))
    assert (saturday.status, saturday.begins_at, saturday.due_at) == ("not_started", at(23, 9), at(23, 17))
    assert reading(at(23, 9), start(21, 10, 1, "working_days")).status == "running"
    assert reading(at(23, 9)).status == "not_started"


def test_a_working_day_is_not_24_hours() -> None:
    assert reading(at(23, 10), start(23, 9, 1, "working_days")).due_at == at(23, 17)
    assert reading(at(23, 11), start(23, 11, 1, "working_days")).due_at == at(24, 11)


def test_push_of_an_urgent_kind_runs_at_night_others_open_with_duty() -> None:
    night = at(23, 23, 30)
    urgent = CLOCKS["push"].start(night, urgent=True)
    calm = CLOCKS["push"].start(night, urgent=False)
    assert read([urgent], CALENDAR, night).due_at == at(24, 0, 30)
    assert read([calm], CALENDAR, night).due_at == at(24, 8)
    assert read([calm], CALENDAR, at(24, 6)).status == "not_started"
    evening = CLOCKS["push"].start(at(23, 20, 30), urgent=False)
    assert read([evening], CALENDAR, night).due_at == at(23, 21, 30)  # once open it runs on
    switched = CLOCKS["push"].start(night, urgent=False, all_hours=True)
    assert read([switched], CALENDAR, night).due_at == at(24, 0, 30)
    assert read([Mark("start", night, Limit(1, "hours"))], CALENDAR, night, opens="duty").due_at == at(24, 8)


def test_default_limits_stand_in_one_table() -> None:
    limits = {name: clock.limit and clock.limit.zh for name, clock in CLOCKS.items()}
    assert limits == {
        "review": "值班 30 分钟",
        "check": "值班 2 小时",
        "push": "1 小时",
        "receive": "30 分钟",
        "on_site": "2 小时",
        "rectify": None,
        "decide_office": "值班 2 小时",
        "decide_other": "1 工作日",
        "accept": "1 工作日",
        "close": "1 工作日",
        "ingest": "1 小时",
    }
    assert {name for name, clock in CLOCKS.items() if clock.hurries} == {"push", "receive", "on_site"}
    with pytest.raises(ValueError, match="kind of problem"):
        CLOCKS["rectify"].start(at(23, 9), urgent=False)


def test_push_starts_at_capture_where_that_is_plausible() -> None:
    received = at(23, 10)
    quick = push_start(at(23, 9, 50), received, own_flight=True)
    assert (quick.figure_at, quick.ladder_at, quick.late_link) == (at(23, 9, 50), at(23, 9, 50), False)
    edge = push_start(at(23, 9, 40), received, own_flight=True)
    assert (edge.ladder_at, edge.late_link) == (at(23, 9, 40), False)  # more than 20 minutes, not 20
    slow = push_start(at(23, 9, 39), received, own_flight=True)
    assert (slow.figure_at, slow.ladder_at, slow.late_link) == (at(23, 9, 39), received, True)
    for captured, own in ((at(22, 9, 59), True), (at(23, 10, 1), True), (at(23, 9), False), (None, True)):
        told = push_start(captured, received, own_flight=own)
        assert (told.figure_at, told.ladder_at, told.late_link) == (received, received, False)


# --- pausing ----------------------------------------------------------------------------------------


def test_a_paused_clock_neither_colours_nor_counts() -> None:
    marks = (start(23, 9, 10, "hours"), pause(23, 18))
    assert reading(at(23, 17, 59), *marks).status == "soon"
    for now in (at(23, 18), at(24, 18), at(30, 9)):
        seen = reading(now, *marks)
        assert (seen.status, seen.used_s, seen.left_s) == ("paused", 9 * 3600, 3600)
        assert (seen.due_at, seen.late_s, seen.next_at) == (None, 0, None)
    assert [code for code, _ in codes(at(30, 9), *marks)] == ["amber"]


def test_a_pause_with_a_review_date_ends_by_itself() -> None:
    marks = (start(23, 9, 2, "hours"), pause(23, 10, until=at(25, 8), cause="suspend"))
    held = reading(at(24, 8), *marks)
    assert (held.status, held.resumes_at, held.due_at, held.next_at) == (
        "paused", at(25, 8), None, at(25, 8, 36),
    )  # fmt: skip
    assert reading(at(25, 8), *marks).due_at == at(25, 9)
    assert next_due(marks, CALENDAR, 1) == at(25, 9)
    # Renewed: one instant ends the old and begins the new.
    renewed = (*marks, resume(24, 9, cause="suspend"), pause(24, 9, until=at(27, 8), cause="suspend"))
    assert reading(at(25, 9), *renewed).resumes_at == at(27, 8)
    # Ended early by an act.
    assert reading(at(24, 9), *marks, resume(24, 9, cause="suspend")).due_at == at(24, 10)


def test_a_resume_ends_only_its_own_cause() -> None:
    marks = (start(23, 9, 9, "hours"), pause(23, 10, cause="suspend"), pause(23, 11, cause="submit"))
    assert reading(at(23, 13), *marks, resume(23, 12, cause="submit")).status == "paused"
    both = (*marks, resume(23, 12, cause="submit"), resume(23, 14, cause="suspend"))
    assert reading(at(23, 15), *both).used_s == 2 * 3600
    assert reading(at(23, 15), *marks, resume(23, 12, cause="other")).status == "paused"


def test_paused_while_late_stays_late_and_grows_no_later() -> None:
    marks = (start(23, 9, 1, "hours"), pause(23, 10, 42))
    seen = reading(at(25, 9), *marks)
    assert (seen.status, seen.was_late, seen.late_s, seen.due_at) == ("paused", True, 42 * 60, at(23, 10))
    again = reading(at(25, 9, 10), *marks, resume(25, 9))
    assert (again.status, again.late_s, again.due_at) == ("late", 52 * 60, at(23, 10))
    done = reading(at(26, 9), *marks, Mark("stop", at(25, 9)))
    assert (done.status, done.late_s) == ("met_late", 42 * 60)


def test_a_pause_or_extension_at_the_very_due_comes_too_late_for_it() -> None:
    clock = start(23, 9, 1, "hours")
    for second in (pause(23, 10), extend(23, 10, Limit(1, "hours"))):
        assert codes(at(23, 10), clock, second) == [("amber", at(23, 9, 48)), ("red", at(23, 10))]
        assert reading(at(23, 11), clock, second).was_late


def test_a_resume_ends_the_oldest_pause_of_its_cause() -> None:
    marks = (start(23, 9, 9, "hours"), pause(23, 10, until=at(23, 12)), pause(23, 11), resume(23, 11, 30))
    assert reading(at(23, 13), *marks).status == "paused"
    assert reading(at(23, 15), *marks, resume(23, 14)).used_s == 2 * 3600


def test_a_stop_before_the_start_stops_nothing() -> None:
    assert reading(at(23, 10), Mark("stop", at(23, 8)), start(23, 9, 2, "hours")).status == "running"


def test_a_pause_before_the_start_only_delays_it() -> None:
    marks = (pause(23, 8), start(23, 9, 1, "hours"), resume(23, 10))
    assert reading(at(23, 9, 30), *marks).status == "paused"
    assert reading(at(23, 10, 30), *marks).due_at == at(23, 11)


# --- extending and being late -----------------------------------------------------------------------


def test_an_extension_asked_before_the_due_counts_from_the_old_due() -> None:
    clock = start(23, 9, 8, "working_hours")  # due 24th 11:00
    granted = extend(24, 16, Limit(4, "working_hours"), asked_at=at(24, 10))
    assert reading(at(24, 15), clock, granted).status == "late"  # not yet granted
    after = reading(at(24, 16), clock, granted)
    assert (after.status, after.due_at, after.was_late) == ("soon", at(24, 17), False)
    assert reading(at(25, 10), clock, granted, Mark("stop", at(24, 17))).status == "met"
    assert reading(at(25, 10), clock).due_at == at(24, 11)  # refused: late from the old due


@pytest.mark.parametrize("asked_at", [None, at(24, 11), at(24, 12)])
def test_an_extension_asked_at_or_after_the_due_cannot_undo_lateness(asked_at: datetime | None) -> None:
    clock = start(23, 9, 8, "working_hours")
    more = extend(24, 15, Limit(8, "working_hours"), asked_at=asked_at)
    seen = reading(at(24, 16), clock, more)
    assert (seen.status, seen.due_at, seen.was_late) == ("running", at(25, 15), True)
    assert reading(at(25, 9), clock, more, Mark("stop", at(24, 16))).status == "met_late"


def test_an_extension_must_be_in_the_clocks_own_unit() -> None:
    with pytest.raises(ValueError, match="own unit"):
        reading(at(24, 9), start(23, 9, 8, "working_hours"), extend(23, 10, Limit(24, "hours")))
    mixed = reading(at(24, 9), start(23, 9, 8, "working_hours"), extend(23, 10, DAY))
    assert mixed.limit_s == 14 * 3600


def test_a_change_of_kind_takes_another_limit_from_the_same_start() -> None:
    clock = start(23, 9, 24, "hours")
    shorter_now = Mark("rebase", at(23, 15), Limit(4, "working_hours"))
    seen = reading(at(23, 15), clock, shorter_now)
    assert (seen.due_at, seen.used_s, seen.status) == (at(23, 15), 4 * 3600, "late")
    already_over = Mark("rebase", at(23, 20), Limit(4, "working_hours"))
    over = reading(at(23, 21), clock, already_over)
    assert over.due_at == at(24, 9)  # not before the limit was set, and not at night
    assert codes(at(24, 9), clock, already_over) == [(code, at(24, 9)) for code in ("amber", "red", "level1")]
    longer = reading(at(25, 9), start(23, 9, 1, "hours"), Mark("rebase", at(23, 11), Limit(72, "hours")))
    assert (longer.status, longer.was_late) == ("running", True)  # late stays late


@pytest.mark.parametrize(
    ("stop_at", "end", "status", "late_s"),
    [
        (at(23, 10), "done", "met", 0),
        (at(23, 11), "done", "met", 0),
        (at(23, 11, 1), "done", "met_late", 60),
        (at(23, 10), "closed", "cancelled", 0),
        (at(23, 12), "closed", "missed", 3600),
        (at(23, 12), "cancelled", "cancelled", 3600),
    ],
)
def test_how_a_clock_ends(stop_at: datetime, end: str, status: str, late_s: int) -> None:
    stopped = Mark("stop", stop_at, end=end)  # type: ignore[arg-type]
    seen = reading(at(30, 9), start(23, 9, 2, "hours"), stopped, pause(24, 9), resume(25, 9))
    assert (seen.status, seen.late_s, seen.next_at) == (status, late_s, None)
    assert seen.due_at == at(23, 11)


def test_stopped_while_waiting_for_its_opening_is_met() -> None:
    clock = CLOCKS["push"].start(at(23, 23), urgent=False)
    seen = reading(at(24, 12), clock, Mark("stop", at(24, 1)))
    assert (seen.status, seen.used_s, seen.due_at) == ("met", 0, at(24, 8))


# --- offline grace ----------------------------------------------------------------------------------


def test_a_step_made_offline_counts_when_it_comes_within_the_grace() -> None:
    clock = start(23, 9, 2, "hours")
    late_post = Mark("stop", at(23, 11, 30), claimed_at=at(23, 10, 50))
    seen = reading(at(23, 12), clock, late_post)
    assert (seen.status, seen.offline, seen.was_late) == ("met", True, False)
    # The red that fired stays what it was.
    assert codes(at(23, 12), clock, late_post) == [("amber", at(23, 10, 36)), ("red", at(23, 11))]
    for refused in (
        Mark("stop", at(23, 11, 31), claimed_at=at(23, 10, 50)),  # too late even so
        Mark("stop", at(23, 11, 30), claimed_at=at(23, 11, 1)),  # claims to be late itself
        Mark("stop", at(23, 11, 30)),  # claims nothing
    ):
        assert reading(at(23, 12), clock, refused).status == "met_late"
    assert not met_within_grace(at(23, 10), at(23, 10, 1), at(23, 11))  # a claim from the future
    assert timedelta(minutes=30) == OFFLINE_GRACE


# --- the ladder -------------------------------------------------------------------------------------


def test_the_ladder_of_one_hour() -> None:
    assert codes(at(24, 9), start(23, 9, 1, "hours")) == [
        ("amber", at(23, 9, 48)),
        ("red", at(23, 10)),
        ("level1", at(23, 10, 30)),
        ("level2", at(23, 11)),
        ("level3", at(23, 12)),
    ]


def test_the_ladder_of_three_working_days() -> None:
    assert codes(at(31, 9, month=12), start(23, 9, 3, "working_days")) == [
        ("amber", at(25, 11, 24)),
        ("red", at(25, 17)),
        ("level1", at(26, 15)),
        ("level2", at(27, 17)),
        ("level3", at(1, 17, month=12)),
    ]


def test_a_stop_at_the_due_fires_no_red_and_one_later_does() -> None:
    clock = start(23, 9, 1, "hours")
    assert [code for code, _ in codes(at(23, 23), clock, Mark("stop", at(23, 10)))] == ["amber"]
    late = codes(at(23, 23), clock, Mark("stop", at(23, 10, 20)))
    assert late == [("amber", at(23, 9, 48)), ("red", at(23, 10))]


def test_a_dead_day_is_caught_up_even_when_an_extension_came_meanwhile() -> None:
    clock, more = start(23, 9, 10, "hours"), extend(23, 18, Limit(5, "hours"))
    assert codes(at(23, 17), clock) == [("amber", at(23, 17))]
    assert codes(at(24, 9), clock, more)[:2] == [("amber", at(23, 17)), ("red", at(24, 0))]


def test_next_due_follows_what_was_fired() -> None:
    marks = [start(23, 9, 1, "hours")]
    assert [next_due(marks, CALENDAR, fired) for fired in range(6)] == [
        at(23, 9, 48), at(23, 10), at(23, 10, 30), at(23, 11), at(23, 12), None,
    ]  # fmt: skip
    assert next_due([], CALENDAR, 0) is None
    assert reading(at(23, 9, 48), *marks).next_at == at(23, 10)
    assert next_due([start(23, 23, 1, "hours")], CALENDAR, 0, opens="duty") == at(24, 7, 48)
