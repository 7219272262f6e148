"""Pace and ladder, under a clock that is set and not waited for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrol.errors import OutOfReach
from patrol.gateways.pace import CALL_LIMIT_S, MAX_TRIES, RETRY_LADDER_S, Pace, retry_in_s

START = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)


def seconds(amount: float) -> timedelta:
    return timedelta(seconds=amount)


@given(
    per_minute=st.integers(1, 30),
    gaps_s=st.lists(st.floats(0, 40), min_size=1, max_size=120),
    delays_s=st.lists(st.floats(0, CALL_LIMIT_S), min_size=120, max_size=120),
)
def test_the_vendor_never_counts_one_too_many_in_a_minute(
    per_minute: int, gaps_s: list[float], delays_s: list[float]
) -> None:
    """Whenever asked, and however late within the call's limit each message is counted."""
    pace = Pace(per_minute)
    now = START
    sent: list[datetime] = []
    for gap_s in gaps_s:
        now += seconds(gap_s)
        if pace.allow(now, sent):
            sent.append(now)
    counted = sorted(at + seconds(delay_s) for at, delay_s in zip(sent, delays_s, strict=False))
    for at in counted:
        assert sum(at <= other < at + seconds(60) for other in counted) <= per_minute


@given(per_minute=st.integers(1, 30), ago_s=st.lists(st.floats(0, 200), max_size=60))
def test_the_wait_is_exactly_as_long_as_needed(per_minute: int, ago_s: list[float]) -> None:
    pace = Pace(per_minute)
    sent = [START - seconds(amount) for amount in ago_s]
    wait_s = pace.wait_s(START, sent)
    assert 0 <= wait_s <= pace.window_s
    assert pace.allow(START, sent) == (wait_s == 0)
    assert pace.allow(START + seconds(wait_s), sent)
    if wait_s > 0.001:
        assert not pace.allow(START + seconds(wait_s - 0.001), sent)


def test_a_message_counted_late_is_allowed_for() -> None:
    twenty = [START] * 20  # the vendor may have counted them as late as START + 10 s
    assert not Pace(20).allow(START + seconds(61), twenty)
    assert Pace(20).allow(START + seconds(60 + CALL_LIMIT_S), twenty)


def test_two_hundred_messages_take_ten_windows() -> None:
    pace, now = Pace(20), START
    sent: list[datetime] = []
    while len(sent) < 200:
        now += seconds(pace.wait_s(now, sent))
        sent.append(now)
    assert (sent[-1] - START).total_seconds() == 9 * pace.window_s
    assert sent[19] == START  # the first twenty at once


def test_after_a_complaint_the_pace_halves_for_ten_minutes() -> None:
    pace = Pace(20)
    ten = [START] * 10
    now = START + seconds(1)
    assert pace.allow(now, ten)
    assert not pace.allow(now, ten, limited_at=START)
    assert pace.allow(now, ten, limited_at=START - seconds(601))
    assert Pace(1).allow(now, [], limited_at=START)


def test_a_clock_set_back_does_not_silence_a_robot() -> None:
    tomorrow = [START + timedelta(days=1)] * 50
    assert Pace(20).allow(START, tomorrow)
    assert Pace(20).allow(START, [], limited_at=START + timedelta(days=1))
    with pytest.raises(ValueError):
        Pace(0)


def test_the_ladder_climbs_and_ends_in_time() -> None:
    assert list(RETRY_LADDER_S) == sorted(RETRY_LADDER_S)
    assert len(RETRY_LADDER_S) + 1 == MAX_TRIES
    # Stuck and told before half of the hour that `push` gives, slow calls included.
    assert sum(RETRY_LADDER_S) + MAX_TRIES * CALL_LIMIT_S <= 30 * 60


def test_what_comes_after_a_failure() -> None:
    def out(wait_s: int | None = None, stop: bool = False) -> OutOfReach:
        return OutOfReach("没有送达。", "busy", wait_s=wait_s, stop=stop)

    assert [retry_in_s(tries, out()) for tries in range(1, MAX_TRIES)] == list(RETRY_LADDER_S)
    assert retry_in_s(MAX_TRIES, out()) is None
    assert retry_in_s(1, out(wait_s=60)) == 60
    assert retry_in_s(MAX_TRIES - 1, out(wait_s=60)) == RETRY_LADDER_S[-1]
    assert retry_in_s(1, out(stop=True)) is None
    assert retry_in_s(1, OutOfReach()) == RETRY_LADDER_S[0]
    with pytest.raises(ValueError):
        retry_in_s(0, out())
