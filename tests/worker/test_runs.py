"""What a worker runs, in this process and on a settable clock: runs for groups, sweeps, the hourly anchor."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from patrol import models as m
from patrol.actions import delivery, followup
from patrol.settings import Settings
from patrol.station import LADDER, SYSTEM, Station
from tests.conftest import SetClock
from tests.robotserver import RobotServer
from tests.walk import Town
from tests.worker.conftest import heard, until


@pytest.fixture
def robot() -> Iterator[RobotServer]:
    with RobotServer() as server:
        yield server


@pytest.fixture
def environ(environ: dict[str, str], robot: RobotServer, tmp_path: Path) -> dict[str, str]:
    file = tmp_path / "robots.toml"
    file.write_text(f'[[robot]]\ngroup = "office"\nbrand = "wecom"\nurl = "{robot.url("wecom")}"\n')
    return environ | {"PATROL_ROBOTS_FILE": str(file), "PATROL_ROBOT_HOSTS": robot.host}


def owe(station: Station, *words: str) -> None:
    with station.work(SYSTEM) as work:
        for each in words:
            work.tell("anchored", subject="test", words=each)


def long(word: str) -> str:
    """A card that fills a message of its own."""
    return word + "长" * 500


def errands(station: Station) -> list[m.Errand]:
    with station.look() as look:
        return list(look.session.scalars(select(m.Errand).order_by(m.Errand.id)))


def sends(station: Station) -> int:
    with station.look() as look:
        return look.session.scalar(select(func.count(m.Send.id))) or 0


def test_what_was_never_said_counts_neither_try_nor_push_nor_pace(
    station: Station, robot: RobotServer, clock: SetClock
) -> None:
    owe(station, long("甲"), long("乙"), long("丙"))
    robot.next(None, "500")
    assert delivery.run_group(station, "office") == 3
    assert [(each.state, each.tries, each.pushes) for each in errands(station)] == [
        ("done", 1, 1),
        ("due", 1, 1),
        ("due", 0, 0),
    ]
    assert sends(station) == 2
    clock.forward(seconds=1)
    assert delivery.run_group(station, "office") == 2
    assert [each.state for each in errands(station)] == ["done"] * 3
    assert "次推送" not in robot.accepted[-1].content, "the third was never said before"
    assert heard(robot, "第 2 次推送") == 1


def test_a_worker_that_leaves_stops_between_two_messages(station: Station, robot: RobotServer) -> None:
    owe(station, long("甲"), long("乙"))
    delivery.run_group(station, "office", stopping=lambda: True)
    assert [each.state for each in errands(station)] == ["done", "due"]
    assert delivery.run_group(station, "office") == 1
    assert heard(robot, "次推送") == 0


def test_a_slow_robot_is_left_before_the_lease_ends(station: Station, robot: RobotServer, clock: SetClock) -> None:
    """Otherwise another worker would say the rest again while this one still speaks."""
    owe(station, *(long(word) for word in "甲乙丙丁戊"))

    def slow() -> bool:
        clock.forward(seconds=9)
        return False

    delivery.run_group(station, "office", stopping=slow)
    assert [each.state for each in errands(station)] == ["done", "done", "done", "due", "due"]


def test_one_run_at_a_time_for_a_group(station: Station, robot: RobotServer, clock: SetClock) -> None:
    owe(station, "甲")
    robot.next("silence")
    first = threading.Thread(target=delivery.run_group, args=(station, "office"))
    first.start()
    until(lambda: robot.calls == 1)
    owe(station, "乙")
    assert delivery.run_group(station, "office") == 0
    with station.look() as look:
        assert "office" not in delivery.due_groups(look)
    clock.forward(seconds=31)  # the first one's lease is over: it counts as dead
    assert delivery.run_group(station, "office") == 2
    assert heard(robot, "第 2 次推送") == 1
    first.join(20)
    assert [each.state for each in errands(station)] == ["done", "done"]


def test_jobs_are_few_at_a_time(station: Station) -> None:
    with station.work(SYSTEM) as work:
        for _ in range(3):
            work.tell("corrected", subject="test")
        assert delivery.due_groups(work) == [None]
        live = select(m.Errand).where(m.Errand.group.is_(None)).order_by(m.Errand.id).limit(2)
        for errand in work.session.scalars(live):
            errand.state, errand.claim, errand.lease_until = "claimed", "x", work.now.replace(year=2100)
    with station.look() as look:
        assert delivery.due_groups(look) == []
    assert delivery.run_jobs(station) == 0


def test_two_sweeps_at_once_fire_each_rung_once(environ: dict[str, str], station: Station, clock: SetClock) -> None:
    town = Town(station)
    for number in range(12):
        town.report(chainage_m=100 + 200 * number)
        town.report("drone", chainage_m=150 + 200 * number, score=0.5, kind="sewage")
    clock.forward(hours=200)
    other = Station.open(Settings.read(environ), clock=clock)
    second = threading.Thread(target=followup.sweep, args=(other,))
    with station.work(LADDER) as work:
        assert followup.fire(work) and followup.expire_clues(work)
        second.start()
        second.join(1.5)  # it has met what the first has done but not yet committed
    second.join(60)
    followup.sweep(station)
    with station.look() as look:
        rungs = ("amber", "red", "level1", "level2", "level3")
        lines = look.session.scalars(select(m.Trail).where(m.Trail.event.in_(rungs))).all()
        told = [(line.subject, line.event, (line.facts or {})["clock_id"]) for line in lines]
        assert told and len(told) == len(set(told))
        expired = look.session.scalars(select(m.Trail.subject).where(m.Trail.event == "clue_expired")).all()
        assert len(expired) == len(set(expired))
        assert followup.sweep(station) == 0
    other.close()


def test_a_broken_clock_stops_no_other(station: Station, clock: SetClock) -> None:
    town = Town(station)
    numbers = [town.report(chainage_m=100 + 300 * number).issue.number for number in range(4)]
    with station.work(SYSTEM) as work:
        ids = [work.session.scalars(select(m.Issue.id).where(m.Issue.number == n)).one() for n in numbers]
        broken = work.session.scalars(select(m.Clock).where(m.Clock.issue_id == ids[1])).one()
        good, broken.marks = broken.marks, [{"kind": "no such mark"}]
    clock.forward(hours=200)

    def fired() -> set[int | None]:
        with station.look() as look:
            return set(look.session.scalars(select(m.Trail.issue_id).where(m.Trail.event == "red")))

    for _ in range(3):
        with pytest.raises((KeyError, ValueError)):
            followup.sweep(station)
    assert fired() == set(ids) - {ids[1]}
    with station.work(SYSTEM) as work:
        work.session.get_one(m.Clock, broken.id).marks = good
    followup.sweep(station)
    assert fired() == set(ids)
    assert followup.sweep(station) == 0


def test_a_sweep_with_nothing_due_waits_for_no_writer(environ: dict[str, str], station: Station) -> None:
    with station.work(SYSTEM) as work:
        work.number("held")
        other = Station.open(Settings.read(environ), clock=station.clock)
        done: list[int] = []
        thread = threading.Thread(target=lambda: done.append(followup.sweep(other)))
        thread.start()
        thread.join(5)
        assert done == [0]
        other.close()


def test_a_suspension_renewed_meanwhile_goes_on(station: Station, clock: SetClock) -> None:
    number = Town(station).report().issue.number
    with station.work(SYSTEM) as work:
        issue = work.session.scalars(select(m.Issue).where(m.Issue.number == number)).one()
        issue.suspended_until = work.now
    with station.work(SYSTEM) as work:
        assert followup.end_suspensions(work) == 1
        assert followup.end_suspensions(work) == 0
    with station.look() as look:
        assert look.session.scalar(select(func.count(m.Trail.id)).where(m.Trail.event == "resumed")) == 1


def test_heads_are_anchored_once_an_hour_and_only_what_moved(station: Station, clock: SetClock) -> None:
    town = Town(station)
    first, second = (town.report(chainage_m=at).issue for at in (300, 900))
    assert followup.anchor(station)
    assert not followup.anchor(station), "another worker's tick"
    clock.forward(minutes=61)
    assert not followup.anchor(station), "nothing has moved"
    with station.work(SYSTEM) as work:
        issue = work.session.get_one(m.Issue, second.id)
        work.tell("progressed", issue)
    assert followup.anchor(station)
    rows = [json.loads(row) for row in (station.settings.data / "anchors.jsonl").read_text().splitlines()]
    subjects = [row["subject"] for row in rows]
    assert subjects == [f"issue:{first.id}", f"issue:{second.id}", f"issue:{second.id}"]
    assert rows[-1]["head"] == town.issue(second.number).trail_head
    assert rows[-1]["seq"] > rows[-2]["seq"]


def test_workers_long_gone_are_forgotten(station: Station, clock: SetClock) -> None:
    for name in ("old:1", "new:2"):
        with station.work(SYSTEM) as work:
            delivery.beat(work, name)
        clock.forward(hours=20)
    with station.work(SYSTEM) as work:
        delivery.tidy(work)
        assert list(work.session.scalars(select(m.Beat.worker))) == ["new:2"]
