"""What is said about a clock, state by state, as the look's table has it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrol.rules.calendar import SHANGHAI, Calendar
from patrol.rules.clocks import (
    Limit,
    Mark,
    Reading,
    Status,
    Unit,
    read,
    say_amount,
    say_due,
    say_left,
    say_side,
)

CALENDAR = Calendar(confirmed=frozenset({2026}))


def at(day: int, hour: int, minute: int = 0, month: int = 11, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=SHANGHAI)


def said(now: datetime, *marks: Mark) -> tuple[str, str]:
    seen = read(marks, CALENDAR, now)
    return say_left(seen), say_side(seen, now)


WORKING = Mark("start", at(23, 9), Limit(8, "working_hours"))
SUNDAY = Mark("start", at(22, 9), Limit(1, "working_days"))
FOUR_DAYS = Mark("start", at(23, 9), Limit(4, "working_days"))
TWO_HOURS = Mark("start", at(23, 9), Limit(2, "hours"))


@pytest.mark.parametrize(
    ("now", "marks", "left", "side"),
    [
        (at(23, 8), (), "未开始", ""),
        (at(22, 10), (SUNDAY,), "未开始", "11-23 17:00 前，工作时"),
        (at(23, 9, 55), (WORKING,), "剩 7 时 05 分", "11-24 11:00 前，工作时"),
        (at(23, 10), (WORKING,), "剩 7 时", "11-24 11:00 前，工作时"),
        (at(23, 10, 42), (TWO_HOURS,), "剩 18 分", "11:00 前"),
        (at(23, 10, 59) + timedelta(seconds=1), (TWO_HOURS,), "剩 不到 1 分", "11:00 前"),
        (at(23, 11, 42), (TWO_HOURS,), "超 42 分", "应于 11:00"),
        (at(23, 13, 41), (TWO_HOURS,), "超 2 时 41 分", "应于 11:00"),
        (at(25, 11), (TWO_HOURS,), "超 48 时", "应于 11-23 11:00"),
        (at(26, 12), (TWO_HOURS,), "超 3 天", "应于 11-23 11:00"),
        (
            at(25, 9),
            (FOUR_DAYS, Mark("pause", at(23, 17), until=at(20, 9, month=12))),
            "已停 剩 3 工作日",
            "挂账到 12-20",
        ),
        (at(25, 9), (TWO_HOURS, Mark("pause", at(23, 11, 42))), "已停 超 42 分", ""),
        (at(24, 9), (TWO_HOURS, Mark("stop", at(23, 9, 39))), "用 39 分", "按时"),
        (at(24, 9), (TWO_HOURS, Mark("stop", at(23, 11, 41))), "用 2 时 41 分", "曾超时"),
        (
            at(24, 9),
            (TWO_HOURS, Mark("stop", at(23, 11, 20), claimed_at=at(23, 10))),
            "用 2 时 20 分",
            "按时（离线补传）",
        ),
        (at(24, 9), (TWO_HOURS, Mark("stop", at(23, 12), end="closed")), "未按时办", "曾超时"),
        (at(24, 9), (TWO_HOURS, Mark("stop", at(23, 10), end="cancelled")), "已取消", ""),
        (
            at(24, 9),
            (WORKING, Mark("extend", at(23, 10), Limit(8, "working_hours"))),
            "剩 10 时",
            "原 11-24 11:00，延 1 次",
        ),
        (
            at(31, 9, month=12),
            (Mark("start", at(31, 9, month=12), Limit(3, "working_days")),),
            "剩 3 工作日",
            "≈ 2027-01-04，日历未定",
        ),
    ],
)  # fmt: skip
def test_each_state_in_words(now: datetime, marks: tuple[Mark, ...], left: str, side: str) -> None:
    assert said(now, *marks) == (left, side)


def test_an_appeal_upheld_is_said_and_lateness_not_rewritten() -> None:
    seen = read((TWO_HOURS, Mark("stop", at(23, 12))), CALENDAR, at(24, 9))
    assert say_side(seen, at(24, 9), exempt=True) == "曾超时（申诉通过，不计入考核）"
    assert seen.was_late and seen.status == "met_late"
    on_time = replace(seen, was_late=False, status="met")
    assert say_side(on_time, at(24, 9), exempt=True) == "按时"


@pytest.mark.parametrize(
    ("seconds", "unit", "words"),
    [
        (59, "hours", "不到 1 分"),
        (60, "minutes", "1 分"),
        (3600, "duty_hours", "1 时"),
        (100 * 3600 + 300, "hours", "100 时 05 分"),
        (6 * 3600, "working_days", "1 工作日"),
        (15 * 3600, "working_days", "2 工作日 3 时"),
        (6 * 3600 - 60, "working_days", "5 时 59 分"),
        (6 * 3600, "working_hours", "6 时"),
    ],
)
def test_amounts_in_their_own_unit(seconds: int, unit: Unit, words: str) -> None:
    assert say_amount(seconds, unit, 6 * 3600) == words


@pytest.mark.parametrize(
    ("due_at", "words"),
    [
        (at(23, 15, 26), "应于今天 15:26"),
        (at(24, 9, 30), "应于明天 09:30"),
        (at(25, 15), "应于 11-25 15:00"),
        (at(23, 8), "应于今天 08:00"),
        (at(22, 8), "应于 11-22 08:00"),
        (at(4, 17, month=1, year=2027), "应于 2027-01-04 17:00"),
    ],
)
def test_dues_in_words(due_at: datetime, words: str) -> None:
    assert say_due(due_at, at(23, 10)) == words


def test_an_estimated_due_says_so() -> None:
    assert say_due(at(18, 17, month=2, year=2027), at(23, 10), estimated=True) == "≈ 2027-02-18，日历未定"


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (Limit(8, "working_hours"), "8 工作时"),
        (Limit(2, "working_days"), "2 工作日"),
        (Limit(2.5, "working_days"), "2.5 工作日"),
        (Limit(24, "hours"), "24 小时"),
        (Limit(30, "minutes"), "30 分钟"),
        (Limit(30, "duty_minutes"), "值班 30 分钟"),
        (Limit(2.0, "duty_hours"), "值班 2 小时"),
    ],
)
def test_limits_in_words(limit: Limit, words: str) -> None:
    assert limit.zh == words


@given(
    st.sampled_from(get_args(Status)),
    st.integers(-(10**7), 10**7),
    st.integers(0, 10**7),
    st.booleans(),
)
def test_no_reading_is_without_words(status: str, left_s: int, late_s: int, estimated: bool) -> None:
    due_at = at(23, 11)
    seen = Reading(
        status, abs(left_s), left_s, 7200, due_at, due_at, late_s, 0.5, estimated, None, "hours", 21600  # type: ignore[arg-type]
    )  # fmt: skip
    words = say_left(seen) + say_side(seen, at(23, 10))
    assert words.strip() and "-" not in say_left(seen)
