"""Time: each rung once, stamped with the moment it was due, whoever slept; nothing but steps moves a clock."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from patrol import models as m
from patrol.actions import clocks, followup
from patrol.rules.ladder import LADDER
from tests.property.lawtown import LawTown
from tests.property.scenes import suspend

RUNGS = [rung.code for rung in LADDER]


def rungs(law: LawTown, number: str, clock: str) -> list[tuple[str, datetime]]:
    lines = [line for line in law.trail(number) if line.event in RUNGS and (line.facts or {})["clock"] == clock]
    return [(line.event, datetime.fromisoformat(line.facts["due_at"])) for line in lines if line.facts]


def expected(law: LawTown, number: str, clock: str) -> list[tuple[str, datetime]]:
    """Every rung of a clock by the law, had a watcher never slept."""
    with law.station.look() as look:
        row = clocks.last(look, law.issue(number), clock)
        assert row is not None
        return [(rung.code, at) for rung, at in clocks.law.rungs_due(clocks.marks_of(row), look.calendar, look.now, 0)]


def test_a_dead_fortnight_tells_the_same_rungs_each_once_with_the_time_it_was_due(law: LawTown) -> None:
    slept, watched = law.assigned(), law.assigned(chainage_m=1800)
    twin = law.clock.at
    for _ in range(14):
        law.forward(days=1)
    followup.sweep(law.station)
    for number in (slept, watched):
        for clock in ("push", "on_site", "rectify"):
            told = rungs(law, number, clock)
            assert told == expected(law, number, clock)
            assert [code for code, _ in told] == RUNGS
            assert all(twin < at <= law.clock.at for _, at in told)
    lines = len(law.trail(slept))
    assert followup.sweep(law.station) == 0
    assert len(law.trail(slept)) == lines


def test_a_worker_that_looks_every_ten_minutes_tells_nothing_else(law: LawTown) -> None:
    number = law.assigned()
    for _ in range(6 * 30):
        law.forward(minutes=10)
        followup.sweep(law.station)
    for clock in ("push", "on_site", "rectify"):
        assert rungs(law, number, clock) == expected(law, number, clock)
        assert [at for _, at in rungs(law, number, clock)] == sorted(at for _, at in rungs(law, number, clock))


def test_none_is_told_a_second_early(law: LawTown) -> None:
    number = law.assigned()
    for code, at in [(c, a) for c, a in expected_of(law, number, "on_site")]:
        law.clock.at = at - timedelta(seconds=1)
        followup.sweep(law.station)
        assert code not in [c for c, _ in rungs(law, number, "on_site")]
        law.clock.at = at
        followup.sweep(law.station)
        assert code in [c for c, _ in rungs(law, number, "on_site")]


def expected_of(law: LawTown, number: str, clock: str) -> list[tuple[str, datetime]]:
    with law.station.look() as look:
        row = clocks.last(look, law.issue(number), clock)
        assert row is not None
        marks, later = clocks.marks_of(row), look.now + timedelta(days=30)
        return [(rung.code, at) for rung, at in clocks.law.rungs_due(marks, look.calendar, later, 0)]


@pytest.mark.parametrize(("channel", "clock"), [("drone", "push"), ("tip", "check")])
def test_an_issue_without_a_unit_climbs_the_ladder_too(law: LawTown, channel: str, clock: str) -> None:
    number = law.reported(channel=channel)
    law.forward(days=3)
    followup.sweep(law.station)
    assert [code for code, _ in rungs(law, number, clock)] == RUNGS
    with law.station.look() as look:
        groups = {e.group for e in look.session.query(m.Errand).filter_by(event="level2")}
    assert "chiefs" in groups, "the office, without a group of its own here, sees it on the desk"
    assert law.issue(number).flags["pressed"]["by"] == "ladder"


def test_a_waiting_clue_climbs_as_well_and_its_rungs_hang_on_the_clue(law: LawTown) -> None:
    clue = law.report(channel="tip", hold="too_many").sighting
    law.forward(days=2)
    followup.sweep(law.station)
    with law.station.look() as look:
        query = select(m.Trail.event).where(m.Trail.subject == f"clue:{clue.id}").order_by(m.Trail.seq)
        assert [event for event in look.session.scalars(query) if event in RUNGS] == RUNGS


def test_comments_and_photos_and_requests_change_no_clock_and_restart_no_ladder(law: LawTown) -> None:
    number = law.supervised()
    law.forward(hours=9)
    followup.sweep(law.station)
    before = {name: (c.marks, c.due_at, c.fired, c.next_at) for name, c in law.clocks(number).items()}
    unit = law.role("unit")
    law.photo(number, "during", unit)
    law.step(number, "progress", unit, words="还在捞")
    law.step(number, "press", law.role("chief"), words="抓紧")
    law.report(channel="tip", words="还在那里")
    law.step(
        number,
        "dismiss" if law.issue(number).state == "reported" else "suspend",
        unit,
        reason="x",
        condition="works",
        review_on="2026-12-20",
        photos=[law.photo(number, "suspend", unit)],
    )
    assert {name: (c.marks, c.due_at, c.fired, c.next_at) for name, c in law.clocks(number).items()} == before


def test_a_paused_clock_is_silent_and_goes_on_where_it_was(law: LawTown) -> None:
    number = law.supervised()
    suspend(law, number, "2026-12-20")
    law.forward(days=20)
    followup.sweep(law.station)
    assert not rungs(law, number, "rectify")
    law.forward(days=40)
    followup.sweep(law.station)
    assert [code for code, _ in rungs(law, number, "rectify")] == RUNGS
    assert min(at for _, at in rungs(law, number, "rectify")) > datetime.fromisoformat("2026-12-19T16:00:00+00:00")


def test_no_working_hours_clock_calls_anybody_at_night(law: LawTown) -> None:
    number = law.supervised()
    law.forward(days=14)
    followup.sweep(law.station)
    for _, at in rungs(law, number, "rectify"):
        hour = at.astimezone(clocks.law_zone()).hour
        assert 9 <= hour <= 17, f"{at} is no working hour"


def test_urgent_kinds_run_at_night_and_others_wait_for_the_morning(law: LawTown) -> None:
    law.clock.at = law.clock.at.replace(hour=15)  # 23:00 in Shanghai
    urgent, calm = law.assigned(kind="sewage"), law.assigned(chainage_m=1800)
    assert law.clocks(urgent)["on_site"].due_at == law.clock.at + timedelta(hours=2)
    morning = law.clock.at.replace(hour=23)
    assert law.clocks(calm)["on_site"].due_at == morning + timedelta(hours=2)
    assert law.clocks(calm)["push"].due_at == morning + timedelta(hours=1)


def test_sweeping_tells_one_errand_a_hearer_and_rung(law: LawTown) -> None:
    law.assigned()
    law.forward(days=10)
    followup.sweep(law.station)
    followup.sweep(law.station)
    with law.station.look() as look:
        owed = Counter(
            (e.event, e.group, e.facts["clock_id"]) for e in look.session.query(m.Errand) if e.event in RUNGS
        )
    assert owed and set(owed.values()) == {1}
