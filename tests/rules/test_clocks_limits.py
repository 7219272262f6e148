"""Limits and what is made of them, marks that cannot be, and what a new calendar or policy does to clocks."""

from __future__ import annotations

from datetime import datetime

import pytest

from patrol.actions.calendar import seed_year
from patrol.rules.calendar import SHANGHAI, Calendar
from patrol.rules.clocks import (
    CLOCKS,
    Clock,
    Limit,
    Mark,
    Unit,
    move_to,
    read,
    reopen_limit,
    rungs_due,
    send_back_grace,
    shorter,
    within_twice,
)

CALENDAR = Calendar(dict(seed_year(2026)), frozenset({2026}), version="a")


def at(day: int, hour: int, minute: int = 0, month: int = 11, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=SHANGHAI)


def start(day: int, hour: int, amount: float, unit: Unit) -> Mark:
    return Mark("start", at(day, hour), Limit(amount, unit))


# --- limits -----------------------------------------------------------------------------------------


def test_grace_after_send_back_is_half_the_limit_or_a_day() -> None:
    assert send_back_grace(Limit(8, "working_hours"), CALENDAR, at(23, 9)) == Limit(4, "working_hours")
    assert send_back_grace(Limit(24, "hours"), CALENDAR, at(23, 9)) == Limit(12, "hours")
    assert send_back_grace(Limit(72, "hours"), CALENDAR, at(23, 9)) == Limit(24, "hours")
    assert send_back_grace(Limit(5, "working_days"), CALENDAR, at(23, 9)) == Limit(24, "hours")
    assert send_back_grace(Limit(2, "working_days"), CALENDAR, at(23, 9)) == Limit(1, "working_days")


def test_reopening_takes_half_in_the_same_unit() -> None:
    assert reopen_limit(Limit(5, "working_days")) == Limit(2.5, "working_days")
    assert reopen_limit(Limit(2, "hours")).zh == "1 小时"
    assert Limit(2.5, "working_days").seconds(CALENDAR) == 15 * 3600


def test_the_shorter_of_two_limits() -> None:
    assert shorter(Limit(90, "minutes"), Limit(2, "hours"), CALENDAR, at(23, 9)) == Limit(90, "minutes")
    # Between frames the day decides: over the weekend 24 hours end before 4 working hours.
    four, day = Limit(4, "working_hours"), Limit(24, "hours")
    assert shorter(four, day, CALENDAR, at(23, 9)) == four
    assert shorter(four, day, CALENDAR, at(27, 16)) == day


def test_extensions_stay_within_twice_the_limit() -> None:
    eight, four = Limit(8, "working_hours"), Limit(4, "working_hours")
    assert within_twice(eight, [four, four], CALENDAR)
    assert not within_twice(eight, [four, Limit(5, "working_hours")], CALENDAR)


@pytest.mark.parametrize("amount", [0, -1, float("nan"), float("inf"), 10**9, True, "8", None])
def test_amounts_that_cannot_be(amount: object) -> None:
    with pytest.raises(ValueError, match="limit"):
        Limit(amount, "hours")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unit"):
        Limit(1, "weeks")  # type: ignore[arg-type]


def test_marks_that_cannot_be() -> None:
    for bad in (
        {"kind": "start"},
        {"kind": "pause", "limit": Limit(1, "hours")},
        {"kind": "stop", "end": "lost"},
        {"kind": "pause", "at": datetime(2026, 11, 23, 9)},
        {"kind": "pause", "opens": "night"},
    ):
        with pytest.raises(ValueError, match="mark"):
            Mark(**{"at": at(23, 9), **bad})  # type: ignore[arg-type]


# --- calendars --------------------------------------------------------------------------------------


def test_a_changed_table_moves_no_running_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    mark = CLOCKS["push"].start(at(23, 23), urgent=False)
    before = read([mark], CALENDAR, at(24, 9)), rungs_due([mark], CALENDAR, at(24, 9), 0)
    monkeypatch.setitem(CLOCKS, "push", Clock("push", "推送", Limit(3, "hours")))
    assert CLOCKS["push"].start(at(23, 23), urgent=False) != mark
    assert (read([mark], CALENDAR, at(24, 9)), rungs_due([mark], CALENDAR, at(24, 9), 0)) == before


def test_a_due_resting_on_an_estimate_says_so_and_moves_on_import() -> None:
    estimate = Calendar(dict([*seed_year(2026), *seed_year(2027)]), frozenset({2026}), version="a")
    notice = {**estimate.days, at(4, 0, month=1, year=2027).date(): "off"}
    imported = Calendar(notice, frozenset({2026, 2027}), version="b")  # type: ignore[arg-type]
    marks = [Mark("start", at(30, 9, month=12), Limit(3, "working_days"))]
    now = at(31, 10, month=12)
    before = read(marks, estimate, now)
    assert before.estimated and before.due_at == at(4, 17, month=1, year=2027)
    move = move_to(marks, estimate, imported, now)
    assert move.moved and move.new_due_at == at(5, 17, month=1, year=2027)
    assert not read(marks, imported, now).estimated
    # It has passed: it stays late by the calendar it ran on.
    assert not move_to(marks, estimate, imported, at(5, 9, month=1, year=2027)).adopts


def test_an_import_moves_no_due_that_rests_on_known_days() -> None:
    changed = Calendar({**CALENDAR.days, at(24, 0).date(): "off"}, frozenset({2026}), version="b")
    marks = [start(23, 15, 1, "working_days")]
    move = move_to(marks, CALENDAR, changed, at(23, 16))
    assert (move.adopts, move.moved) == (False, False)
    assert move_to([start(23, 15, 1, "hours")], CALENDAR, changed, at(23, 15)).adopts  # nothing changes
    assert move_to([start(23, 9, 1, "working_days"), Mark("pause", at(23, 10))], CALENDAR, changed, at(23, 12)).adopts
    over = [start(23, 9, 1, "hours"), Mark("stop", at(23, 9, 30))]
    assert not move_to(over, CALENDAR, changed, at(23, 12)).adopts


def test_continuous_and_duty_limits_never_rest_on_an_estimate() -> None:
    for unit in ("hours", "duty_hours"):
        assert not read([start(23, 9, 2000, unit)], CALENDAR, at(23, 10)).estimated  # type: ignore[arg-type]
