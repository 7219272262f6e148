"""Every figure is what a second reckoning says that shares no code: from the trail of a whole week, and by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from statistics import median

import pytest
from sqlalchemy import select

from patrol import models as m
from patrol.actions import clues, followup, tips
from patrol.demo import load
from patrol.queries import figure_series, figures
from patrol.rules.figures import FIGURES, Period
from patrol.settings import Settings
from patrol.station import Station, Work
from tests.conftest import SetClock
from tests.walk import Town

NOW = datetime(2026, 11, 27, 8, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Work]:
    """A look at one loaded sample week, two weeks after its end, so that everything has come due."""
    folder = tmp_path_factory.mktemp("figures")
    settings = Settings.read({"PATROL_DATA": str(folder / "data"), "PATROL_FREE_DISK_MB": "1"})
    load.load(settings, now=NOW)
    clock = SetClock(NOW)
    station = Station.open(settings, clock=clock, may_create=False)
    clock.forward(days=14)
    while followup.sweep(station):
        pass
    with station.look() as look:
        yield look
    station.close()


@pytest.fixture
def period(week: Work) -> Period:
    today = week.now.date()
    return Period(today - timedelta(days=60), today)


def lines(look: Work, *events: str) -> list[m.Trail]:
    query = select(m.Trail).where(m.Trail.event.in_(events)).order_by(m.Trail.id)
    return list(look.session.scalars(query))


def pair(look: Work, code: str, period: Period) -> tuple[int, int]:
    said = figures.figure(look, code, period)
    return said["numerator"], said["denominator"]


def test_every_row_is_counted_somewhere() -> None:
    assert set(figures._MEMBERS) | {"coverage"} == set(FIGURES)


def test_ends_and_rework_are_what_the_trail_says(week: Work, period: Period) -> None:
    ends = {line.issue_id: line for line in lines(week, "closed", "forced", "reopened")}
    closed = {issue: line for issue, line in ends.items() if line.event == "closed"}
    opened = {line.issue_id: line.at for line in lines(week, "reported")}
    gone = {
        line.issue_id
        for line in lines(week, "merged", "dismissed", "transferred")
        if line.facts and "child" not in line.facts  # the parent's own line of a merge
    }
    came_back = {line.issue_id for line in lines(week, "unmerged", "reopened")}
    counted = set(opened) - (gone - came_back)
    assert closed and pair(week, "closed", period)[1] == len(counted)
    minutes = [(line.at - opened[issue]).total_seconds() / 60 for issue, line in closed.items()]
    assert figures.figure(week, "close_time", period)["value"] == pytest.approx(median(minutes), abs=0.1)
    back, good = len(lines(week, "sent_back")), len(lines(week, "verified"))
    assert back and pair(week, "rework", period) == (back, back + good)
    looked = [line.facts["finding"] for line in lines(week, "looked_back") if line.facts]
    assert pair(week, "relapse", period) == (looked.count("relapse"), len(looked))


def test_lateness_is_what_the_ladder_told(week: Work, period: Period) -> None:
    """Every limit that was passed had a red line in the trail, at its due and of its instance."""
    red = {line.facts["clock_id"] for line in lines(week, "red") if line.facts}
    for name, code in (("push", "push"), ("on_site", "on_site"), ("rectify", "rectify")):
        missed = {int(one.key.partition(":")[2]) for one in figures.members(week, code, period) if not one.met}
        told = {
            clock.id
            for clock in week.session.scalars(select(m.Clock).where(m.Clock.name == name, m.Clock.id.in_(red)))
            if clock.state in ("running", "met_late", "missed")
        }
        assert missed == told, code
    assert figures.members(week, "rectify", period) and pair(week, "late_all", period)[0] > 0


def test_a_late_issue_is_not_closed_on_time(week: Work, period: Period) -> None:
    red = {
        line.issue_id
        for line in lines(week, "red")
        if line.facts and line.facts["clock"] in ("rectify", "accept", "close")
    }
    for member in figures.members(week, "closed_on_time", period):
        assert member.met == (int(member.key.partition(":")[2]) not in red)


def test_series_hold_what_the_figures_hold(week: Work, period: Period) -> None:
    times = figure_series.close_times(week, period)
    assert sum(row["count"] for row in times) == pair(week, "closed_on_time", period)[1]
    heat = figure_series.heat(week, period)
    placed = week.session.scalars(
        select(m.Issue.id).where(m.Issue.chainage_m.is_not(None), m.Issue.state.not_in(("merged", "dismissed")))
    )
    assert sum(row["sum"] for row in heat["rows"]) == len(placed.all()) and heat["stretches"] == 29
    weeks = figure_series.weeks(week, period)
    merged = select(m.Issue.id).where(m.Issue.state != "merged")
    assert len(weeks) == figure_series.WEEKS and sum(row["opened"] for row in weeks) == len(
        week.session.scalars(merged).all()
    )
    units = {row["unit"]: row for row in figure_series.units(week, period)}
    assert sum(row["due"] for row in units.values()) == pair(week, "rectify", period)[1]


def test_nothing_in_an_empty_period_is_a_dash_not_a_nought(week: Work) -> None:
    long_ago = Period(NOW.date() - timedelta(days=900), NOW.date() - timedelta(days=870))
    for row in figures.every(week, long_ago):
        assert row["value"] is None or row["figure"] == "waiting", row


# --- by hand, on both databases ------------------------------------------------------------------------------------


def test_a_push_confirmed_late_counts_against_and_handled_here_stands_apart(station: Station, clock: SetClock) -> None:
    town = Town(station)
    number = town.to_assigned()
    clock.forward(minutes=90)
    while followup.sweep(station):
        pass
    town.step(number, "confirm_push", town.person("chief"))
    prompt = town.to_assigned(chainage_m=2000)
    town.step(prompt, "confirm_push", town.person("chief"))
    here = town.report(chainage_m=400).issue.number
    grid = town.person("grid")
    town.photo(here, "before", grid, chainage_m=400)
    clock.forward(minutes=4)
    town.photo(here, "after", grid, chainage_m=400)
    town.step(here, "handle_here", grid, position=town.at(400))
    with station.look() as look:
        said = figures.figure(look, "push", Period.usual(look.now), issues=True)
    assert (said["numerator"], said["denominator"]) == (1, 2)
    assert said["parts"] == {"chief": 2, "apart:here": 1}
    assert {(one["issue"], one["met"], one["part"]) for one in said["issues"]} == {
        (number, False, "chief"), (prompt, True, "chief"), (here, True, "apart:here"),
    }  # fmt: skip


def test_what_waits_for_acceptance_when_its_limit_comes_is_rectified_and_not_late(
    station: Station, clock: SetClock
) -> None:
    town = Town(station)
    number = town.to_rectified()
    clock.forward(days=3)
    with station.look() as look:
        period = Period.usual(look.now)
        assert pair(look, "rectified", period) == (1, 1)
        assert pair(look, "rectify", period) == (0, 0)
        assert pair(look, "late", period) == (0, 0)
    town.photo(number, "accept", town.person("office"), seed=77)
    town.step(number, "verify", town.person("office"), checklist=town.checklist(number))
    with station.look() as look:
        period = Period(look.now.date() - timedelta(days=9), look.now.date() + timedelta(days=9))
        assert pair(look, "rectify", period) == (1, 1)


def test_reporters_answers_are_counted_over_those_who_could_be_asked(station: Station, clock: SetClock) -> None:
    town = Town(station)
    codes = []
    for chainage_m in (600, 1240, 1900):
        outcome = town.report("tip", chainage_m=chainage_m, words="水面有垃圾")
        assert outcome.issue is not None and outcome.receipt_code is not None
        codes.append(outcome.receipt_code)
        number = outcome.issue.number
        town.step(number, "waive_check", town.person("office"), reason="照片清楚")
        office = town.person("office")
        town.photo(number, "check", office, chainage_m=chainage_m)
        asked = town.step(number, "dismiss", office, reason_code="not_found", reason="现场没有")
        assert asked.request is not None
        town.approve(asked.request, town.person("chief"))
    with station.work(tips.REPORTER) as work:
        tips.rate(work, codes[0], 5, True)
        tips.rate(work, codes[1], 2, False)
    with station.look() as look:
        period = Period.usual(look.now)
        assert pair(look, "answered", period) == (2, 3)
        assert pair(look, "solved", period) == (1, 2)
        assert pair(look, "satisfied", period) == (1, 2)
        assert pair(look, "missed", period) == (0, 0)  # dismissed ones were no problems


def test_what_machines_said_is_judged_by_people(station: Station, clock: SetClock) -> None:
    town = Town(station)
    drone, office = town.person("drone"), town.person("office")
    sure = town.report("drone", actor=drone, chainage_m=300)
    weak = [town.report("drone", actor=drone, chainage_m=at, score=0.5) for at in (900, 1500)]
    with station.work(office) as work:
        clues.confirm(work, weak[0].sighting.ref)
    with station.work(office) as work:
        clues.discard(work, weak[1].sighting.ref, "false_detection")
    with station.look() as look:
        period = Period.usual(look.now)
        assert sure.issue is not None
        assert pair(look, "precision", period) == (1, 2)  # nobody has been at the sure one yet
        assert pair(look, "filed", period) == (2, 3)
        assert pair(look, "waiting", period) == (0, 0)
        assert pair(look, "missed", period) == (0, 2)
