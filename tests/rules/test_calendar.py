"""The calendar: which days and hours count, and the arithmetic over them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrol.actions.calendar import seed_confirmed, seed_year
from patrol.rules.calendar import SHANGHAI, Calendar, DayKind, Frame

DAYS: dict[date, DayKind] = {day: kind for year in (2026, 2027) for day, kind in seed_year(year)}
CALENDAR = Calendar(DAYS, frozenset({2026}))
FRAMES: tuple[Frame, ...] = ("continuous", "duty", "working")


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=SHANGHAI)


moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 1), timezones=st.just(UTC))
frames = st.sampled_from(FRAMES)
seconds = st.integers(0, 40 * 86400)


# --- days -------------------------------------------------------------------------------------------


def test_spring_festival_2026_rests_nine_days_and_makes_up_two() -> None:
    rest = [date(2026, 2, 15) + timedelta(days=i) for i in range(9)]
    assert not any(CALENDAR.is_workday(day) for day in rest)
    assert CALENDAR.is_workday(date(2026, 2, 14)) and CALENDAR.is_workday(date(2026, 2, 28))  # Saturdays
    assert CALENDAR.is_workday(date(2026, 2, 13)) and CALENDAR.is_workday(date(2026, 2, 24))


def test_two_working_days_over_the_spring_festival() -> None:
    # Friday 13th 15:00: 2 h left that day, 6 h on the make-up Saturday, 4 h on Tuesday the 24th.
    due = CALENDAR.add(at(2026, 2, 13, 15), 2 * CALENDAR.working_day_s, "working")
    assert due == at(2026, 2, 24, 15)


def test_national_day_2026_with_its_make_up_days() -> None:
    rest = [date(2026, 10, 1) + timedelta(days=i) for i in range(7)]
    assert not any(CALENDAR.is_workday(day) for day in rest)
    assert CALENDAR.is_workday(date(2026, 9, 20)) and CALENDAR.is_workday(date(2026, 10, 10))
    assert CALENDAR.opening(at(2026, 9, 30, 17), "working") == at(2026, 10, 8, 9)
    assert CALENDAR.add(at(2026, 9, 30, 16), 3 * CALENDAR.working_day_s, "working") == at(2026, 10, 10, 16)


def test_2027_is_an_estimate_until_its_notice_is_imported() -> None:
    assert seed_confirmed(2026) and not seed_confirmed(2027)
    assert not CALENDAR.is_workday(date(2027, 10, 1))  # known by rule
    assert CALENDAR.rests_on_estimate(at(2026, 12, 25), at(2027, 1, 5))
    assert not CALENDAR.rests_on_estimate(at(2026, 11, 23), at(2026, 12, 25))
    confirmed = Calendar(DAYS, frozenset({2026, 2027}))
    assert not confirmed.rests_on_estimate(at(2026, 12, 25), at(2027, 1, 5))


def test_the_last_days_of_december_wait_for_next_years_notice() -> None:
    # The notice for 2019 made Saturday 2018-12-29 a working day.
    assert CALENDAR.rests_on_estimate(at(2026, 12, 28), at(2026, 12, 29))
    assert not CALENDAR.rests_on_estimate(at(2026, 12, 24), at(2026, 12, 28, 23, 59))


def test_a_working_day_is_its_hours() -> None:
    assert Calendar().working_day_s == 6 * 3600
    assert Calendar(work_hours=((time(8, 30), time(12)), (time(14, 30), time(18)))).working_day_s == 7 * 3600


# --- hours ------------------------------------------------------------------------------------------


def test_lunch_is_not_working_time() -> None:
    assert CALENDAR.between(at(2026, 11, 23, 11), at(2026, 11, 23, 15), "working") == 2 * 3600
    assert CALENDAR.add(at(2026, 11, 23, 11, 30), 3600, "working") == at(2026, 11, 23, 14, 30)
    assert CALENDAR.opening(at(2026, 11, 23, 12), "working") == at(2026, 11, 23, 14)


def test_midnight_neither_counts_nor_opens() -> None:
    assert CALENDAR.between(at(2026, 11, 23, 17), at(2026, 11, 24, 9), "working") == 0
    assert CALENDAR.opening(at(2026, 11, 24), "working") == at(2026, 11, 24, 9)
    assert CALENDAR.opening(at(2026, 11, 24), "duty") == at(2026, 11, 24, 7)
    assert CALENDAR.opening(at(2026, 11, 24), "continuous") == at(2026, 11, 24)
    assert CALENDAR.between(at(2026, 11, 23, 23), at(2026, 11, 24, 1), "continuous") == 7200


def test_a_span_ends_at_the_end_of_a_block_not_at_the_next_opening() -> None:
    assert CALENDAR.add(at(2026, 11, 23, 9), 3 * 3600, "working") == at(2026, 11, 23, 12)
    assert CALENDAR.add(at(2026, 11, 23, 9), 6 * 3600, "working") == at(2026, 11, 23, 17)


def test_duty_hours_run_on_weekends_and_holidays() -> None:
    assert CALENDAR.add(at(2026, 10, 3, 20, 30), 7200, "duty") == at(2026, 10, 4, 8, 30)
    assert CALENDAR.between(at(2026, 10, 1), at(2026, 10, 8), "duty") == 7 * 14 * 3600


def test_duty_round_the_clock_equals_continuous() -> None:
    always = Calendar(duty_hours=(time(0), time(0)))
    assert always.between(at(2026, 11, 23, 5), at(2026, 11, 25, 6), "duty") == 49 * 3600
    assert always.opening(at(2026, 11, 23, 3), "duty") == at(2026, 11, 23, 3)


def test_spans_over_a_hundred_hours() -> None:
    # 120 working hours are 20 working days; October 2026 has 18 left from the 8th on.
    assert CALENDAR.add(at(2026, 10, 8, 9), 120 * 3600, "working") == at(2026, 11, 3, 17)
    assert CALENDAR.add(at(2026, 10, 8, 9), 500 * 3600, "continuous") == at(2026, 10, 29, 5)


def test_answers_are_utc_and_questions_must_carry_a_zone() -> None:
    assert CALENDAR.add(at(2026, 11, 23, 9), 60, "working").tzinfo is UTC
    assert CALENDAR.opening(at(2026, 11, 23, 9), "duty").tzinfo is UTC
    with pytest.raises(ValueError, match="time zone"):
        CALENDAR.add(datetime(2026, 11, 23, 9), 60, "working")
    with pytest.raises(ValueError, match="negative"):
        CALENDAR.add(at(2026, 11, 23, 9), -1, "working")


@pytest.mark.parametrize(
    "hours",
    [(), ((time(9), time(9)),), ((time(12), time(9)),), ((time(9), time(13)), (time(12), time(17)))],
)
def test_hours_that_cannot_be_are_refused(hours: tuple[tuple[time, time], ...]) -> None:
    with pytest.raises(ValueError, match="hours"):
        Calendar(work_hours=hours)


# --- laws -------------------------------------------------------------------------------------------


@given(moments, seconds, frames)
def test_between_undoes_add(start: datetime, span: int, frame: Frame) -> None:
    assert CALENDAR.between(start, CALENDAR.add(start, span, frame), frame) == span


@given(moments, st.integers(1, 40 * 86400), frames)
def test_add_gives_the_first_such_moment(start: datetime, span: int, frame: Frame) -> None:
    end = CALENDAR.add(start, span, frame)
    assert CALENDAR.span(start, end - timedelta(microseconds=1), frame) < timedelta(seconds=span)


@given(moments, moments, moments, frames)
def test_spans_of_neighbours_add_up(a: datetime, b: datetime, c: datetime, frame: Frame) -> None:
    a, b, c = sorted((a, b, c))
    assert CALENDAR.span(a, b, frame) + CALENDAR.span(b, c, frame) == CALENDAR.span(a, c, frame)
    assert CALENDAR.span(a, c, frame) <= c - a
    assert CALENDAR.span(c, a, frame) == timedelta(0) or a == c


@given(moments, seconds, seconds, frames)
def test_adding_twice_is_adding_once(start: datetime, one: int, two: int, frame: Frame) -> None:
    assert CALENDAR.add(CALENDAR.add(start, one, frame), two, frame) == CALENDAR.add(start, one + two, frame)


@given(moments, frames)
def test_an_opening_is_inside_and_nothing_was_missed(moment: datetime, frame: Frame) -> None:
    opening = CALENDAR.opening(moment, frame)
    assert opening >= moment and CALENDAR.opening(opening, frame) == opening
    assert CALENDAR.span(moment, opening, frame) == timedelta(0)
    assert CALENDAR.span(opening, opening + timedelta(seconds=1), frame) == timedelta(seconds=1)


@given(st.integers(0, 3000), st.integers(0, 400), st.sampled_from(("duty", "working")))
def test_between_agrees_with_counting_slots(begin: int, length: int, frame: Frame) -> None:
    """An independent count, ten minutes at a time, around the National Day weeks."""
    slot = timedelta(minutes=10)
    start = at(2026, 9, 18) + begin * slot
    counted = 0
    for i in range(length):
        moment = start + i * slot
        hour, day = moment.hour, moment.date()
        if frame == "duty":
            counted += 7 <= hour < 21
        else:
            works = DAYS.get(day, "work" if day.weekday() < 5 else "off") == "work"
            counted += works and (9 <= hour < 12 or 14 <= hour < 17)
    assert CALENDAR.between(start, start + length * slot, frame) == counted * 600
