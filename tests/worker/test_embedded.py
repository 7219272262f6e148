"""The embedded worker as it runs on one machine: a real process, woken, ticking, killed."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select

from patrol import models as m
from patrol.settings import Settings
from patrol.station import SYSTEM, Station, wall_clock
from tests.walk import Town
from tests.worker.conftest import CHECKOUT, PATIENCE_S, House, Process, heard, until


def test_a_commit_reaches_the_robot_within_a_second(house: House) -> None:
    house.embedded()
    waits = []
    for number in range(8):
        words = f"第{number}件"
        house.owe(words)
        begun = time.monotonic()
        until(lambda words=words: heard(house.office, words), what=words)
        waits.append(time.monotonic() - begun)
    assert sorted(waits)[len(waits) // 2] < 0.5
    assert max(waits) < 2.0, "on a busy machine; without a wake-up half of them would wait for the tick"
    until(house.all_done)


def test_a_storm_of_wake_ups_is_one(house: House) -> None:
    house.embedded()
    for _ in range(2000):
        house.station.wake()
    house.owe("风暴之后")
    begun = time.monotonic()
    until(lambda: heard(house.office, "风暴之后"))
    assert time.monotonic() - begun < 2.0


def test_a_silent_robot_holds_up_neither_another_group_nor_time(house: House) -> None:
    house.fishing.next(*["silence"] * 5)
    house.embedded()
    house.owe("疑似偷捕", "fishing_clue")
    begun = time.monotonic()
    until(lambda: heard(house.office, "疑似偷捕"), 2.0)
    until(lambda: house.fishing.calls)
    house.owe("另一件")
    until(lambda: heard(house.office, "另一件"), 2.0)
    fired = due_soon(house)
    assert 0 <= fired < 2.5
    assert time.monotonic() - begun < 10, "the silent call is still open"


def test_a_ladder_fires_once_and_in_time_and_workers_are_seen(house: House) -> None:
    house.embedded()
    assert 0 <= due_soon(house) < 2.5
    until(lambda: house.beats(), 8.0)
    first = house.beats()[0].at
    until(lambda: max(beat.at for beat in house.beats()) > first, 8.0)


def test_kill_and_restart_lose_nothing(house: House) -> None:
    house.office.faults, house.office.kinds = 0.3, ("reset_after", "reset")
    for number in range(3):
        worker = house.embedded()
        for each in range(4):
            house.owe(f"件{number}之{each}。")
        calls = house.office.calls
        until(lambda calls=calls: house.office.calls > calls)
        worker.kill()
    house.office.faults = 0.0
    house.embedded()
    until(house.all_done)
    for errand in house.errands():
        words = str(errand.facts["words"])
        said = [each.content for each in house.office.accepted if words in each.content]
        assert len(said) >= 1
        assert errand.pushes >= len(said)
        for again in said[1:]:
            assert "次推送" in again, "a duplicate that does not say that it is one"


def test_a_restart_releases_what_the_dead_one_held_at_once(house: House) -> None:
    house.office.next("silence")
    worker = house.embedded()
    house.owe("被带走的")
    until(lambda: house.office.calls == 1)
    assert [errand.state for errand in house.errands()] == ["claimed"]
    worker.kill()
    again = house.embedded()
    assert again.facts("alone")["released"] == 1
    until(lambda: heard(house.office, "第 2 次推送"), 3.0)


def test_two_workers_settle_each_errand_once(house: House) -> None:
    """The second is not alone and leaves the first one's claims in peace."""
    house.embedded()
    second = house.python("worker", "--embedded")
    if house.station.settings.is_sqlite:
        second.facts("not_alone")
    second.facts("working")
    for number in range(40):
        house.owe(f"双{number}号。", "fishing_clue")
    until(house.all_done)
    assert {errand.pushes for errand in house.errands()} == {1}
    for number in range(40):
        assert heard(house.office, f"双{number}号。") == 1
        assert heard(house.fishing, f"双{number}号。") == 1


def test_slips_are_printed_and_a_raising_tick_stops_nothing(house: House) -> None:
    with house.station.work(SYSTEM) as work:
        work.session.add(
            m.Clock(name="push", instance=1, marks=[{"kind": "broken"}], policy="", calendar="0", state="running",
                    next_at=work.now)
        )  # fmt: skip
    worker = house.embedded()
    worker.line("patrol.sweep", times=2)
    number = Town(house.station).to_assigned(chainage_m=2200)
    until(lambda: heard(house.office, number))
    until(lambda: all(errand.state in ("done", "by_hand") for errand in house.errands()))
    printed = [errand for errand in house.errands() if errand.handler == "job:print"]
    assert printed and all(errand.state == "done" and errand.slip_id for errand in printed)
    assert 0 <= due_soon(house) < 4.0, "the broken clock holds up no other"
    assert all(line.startswith("{") for line in worker.lines), "one JSON line each, tracebacks too"


def test_sigterm_is_clean(house: House) -> None:
    worker = house.embedded()
    port_file = house.station.settings.data / "worker.port"
    if house.station.settings.is_sqlite:
        until(port_file.exists)
    assert worker.terminate() == 0
    assert not port_file.exists()
    assert not [line for line in worker.lines if "Traceback" in line or '"error"' in line]


def test_it_goes_with_its_parent(house: House) -> None:
    """A parent that is killed -9 takes the worker with it."""
    code = (
        "import subprocess, sys, os, threading;"
        "line = [sys.executable, '-m', 'worker', '--embedded', '--parent', str(os.getpid())];"
        "child = subprocess.Popen(line);"
        "print('child', child.pid, flush=True); threading.Event().wait()"
    )
    parent = Process([sys.executable, "-c", code], house.environ)
    house.processes.append(parent)
    child = int(parent.line("child ").split()[1])
    parent.facts("working")
    parent.popen.kill()
    until(lambda: not Path(f"/proc/{child}").exists(), 10.0)


def test_bad_settings_are_one_sentence_and_code_2(environ: dict[str, str], tmp_path: Path) -> None:
    robots = tmp_path / "robots.toml"
    robots.write_text("[[robot]]\ngroup = 'nobody'\n")
    station = Station.open(Settings.read(environ))
    for extra, words in (({}, "patrol migrate"), ({"PATROL_ROBOTS_FILE": str(robots)}, "机器人")):
        done = subprocess.run(
            [sys.executable, "-m", "worker", "--embedded"], env=environ | extra | {"PATH": ""}, cwd=CHECKOUT,
            capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert words in done.stderr and "Traceback" not in done.stderr
        station.migrate()
    station.close()


def due_soon(house: House, in_s: float = 1.5) -> float:
    """Make an issue whose first rung falls due in a moment; returns how late it was told, in seconds."""
    now = wall_clock()
    early = next_rung(house, now)
    moment = now + timedelta(seconds=in_s) - (early - now)
    due_at = next_rung(house, moment, chainage_m=400)
    assert due_at == now + timedelta(seconds=in_s)

    def told() -> list[m.Trail]:
        with house.station.look() as look:
            lines = look.session.scalars(select(m.Trail).where(m.Trail.event == "amber"))
            return [line for line in lines if line.facts and line.facts["due_at"] == due_at.isoformat()]

    lines = until(told, 10.0)
    assert len(lines) == 1
    with house.station.look() as look:
        again = select(func.count(m.Trail.id)).where(m.Trail.event == "amber", m.Trail.subject == lines[0].subject)
        assert look.session.scalar(again) == 1
    late_s: float = (lines[0].at - due_at).total_seconds()
    return late_s


def next_rung(house: House, at: object, chainage_m: float = 1240) -> object:
    """When the first rung of an issue reported at `at` falls due."""
    station = Station(house.station.settings, house.station.engine, house.station.store, house.station.keys)
    station.clock = lambda: at  # type: ignore[method-assign, assignment, return-value]
    number = Town(station).report(chainage_m=chainage_m).issue.number
    with station.look() as look:
        issue = look.session.scalars(select(m.Issue).where(m.Issue.number == number)).one()
        return look.session.scalar(select(func.min(m.Clock.next_at)).where(m.Clock.issue_id == issue.id))
