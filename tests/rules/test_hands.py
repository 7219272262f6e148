"""The rules of rewards, points and series as pure functions."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrol.errors import Misconfigured
from patrol.rules import hands, observing, points, rewards
from patrol.rules.calendar import Calendar
from patrol.rules.observing import Seen
from patrol.settings import Settings

CLOSED = rewards.Facts("closed", ended_at=datetime(2026, 11, 23, 2, 0, tzinfo=UTC))


def test_the_window_is_five_and_thirty_working_days() -> None:
    window = rewards.window(datetime(2026, 11, 23, 2, 0, tzinfo=UTC), Calendar())  # Mon 10:00 in Shanghai
    assert window.tell_by == datetime(2026, 11, 30, 2, 0, tzinfo=UTC)
    assert window.apply_by == datetime(2027, 1, 4, 2, 0, tzinfo=UTC)
    assert window.open(window.apply_by) and window.estimated


def test_what_is_whole_lacks_nothing_and_each_lack_is_named() -> None:
    assert rewards.unmet(CLOSED) == []
    worst = rewards.Facts("forced", False, False, False, True, True, True)
    assert [merit.code for merit in rewards.unmet(worst)] == [merit.code for merit in rewards.MERITS]


@pytest.mark.parametrize("text", ["", "general:100", "general:0,large:5,major:9", "general:1,large:2,major:x", "a:1"])
def test_amounts_are_whole_or_the_start_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured):
        Settings.read({"PATROL_REWARD_AMOUNTS": text})


def test_amounts_are_read_for_every_grade() -> None:
    assert rewards.amounts_of(Settings().reward_amounts) == {"general": 100, "large": 500, "major": 2000}
    assert set(rewards.amounts_of(Settings().reward_amounts)) == set(rewards.GRADES)


def test_every_act_leads_from_and_to_states_that_exist() -> None:
    for row in rewards.ACTS.values():
        assert row.from_ <= set(rewards.STATES) and row.to in rewards.STATES and row.zh
    assert set(rewards.PUBLIC_STATES) == set(rewards.STATES)


@given(st.sampled_from(sorted(points.EARNINGS)), st.floats(0, 1000), st.integers(0, 200), st.integers(0, 200))
def test_earning_never_passes_the_day(rule: str, units: float, today: int, of_rule: int) -> None:
    got = points.earned(rule, units, today, of_rule)
    assert 0 <= got <= max(0, points.MOST_A_DAY - today) and got <= max(0, points.EARNINGS[rule].most_a_day - of_rule)


@given(st.lists(st.integers(-50, 50), max_size=5))
def test_only_what_sums_to_zero_is_balanced(amounts: list[int]) -> None:
    assert points.balanced(amounts) == (len(amounts) > 1 and 0 not in amounts and sum(amounts) == 0)


def test_hours_are_halves_rounded_down() -> None:
    assert [hands.hours(minutes) for minutes in (0, 29, 30, 89, 120)] == [0, 0, 0.5, 1.0, 2.0]


def seen(spot: str, year: int, month: int, *values: float) -> list[Seen]:
    return [Seen(spot, date(year, month, day + 1), value) for day, value in enumerate(values)]


def test_year_on_year_compares_the_same_months_at_the_same_spots() -> None:
    rows = [*seen("B1", 2025, 10, 20, 40), *seen("B1", 2026, 10, 33, 36), *seen("B2", 2025, 10, 50),
            *seen("B2", 2026, 10, 57.5), *seen("B2", 2026, 9, 900), *seen("B3", 2025, 10, 900)]  # fmt: skip
    told = observing.year_on_year(rows, 2026)
    assert (told.now, told.before, told.pairs, told.spots, told.months) == (46.0, 40.0, 2, 2, (10,))
    assert told.change == pytest.approx(0.15)


def test_nothing_to_compare_is_no_figure() -> None:
    told = observing.year_on_year(seen("B1", 2026, 10, 5), 2026)
    assert (told.change, told.pairs) == (None, 0)
    assert observing.year_on_year([*seen("B1", 2025, 1, 0), *seen("B1", 2026, 1, 9)], 2026).change is None


def test_months_after_the_last_are_left_out() -> None:
    rows = [*seen("B1", 2025, 12, 10), *seen("B1", 2026, 12, 20)]
    assert observing.year_on_year(rows, 2026, 11).pairs == 0


def test_monthly_is_in_the_order_of_time() -> None:
    rows = [*seen("B1", 2026, 2, 4), *seen("B2", 2026, 1, 2, 4)]
    assert observing.monthly(rows) == [("2026-01", 3.0, 2), ("2026-02", 4.0, 1)]
