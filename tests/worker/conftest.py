"""A house on the real clock with robots at hand, and workers as real processes that tests may kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from patrol import models as m
from patrol.settings import Settings
from patrol.station import SYSTEM, Station, wall_clock
from tests.databases import migrated
from tests.robotserver import RobotServer

CHECKOUT = Path(__file__).parents[2]
PATIENCE_S = 100.0  # costs nothing where all is well; a dozen Pythons may be starting on two cores


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for whole processes may be patient, one after the other."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(6 * PATIENCE_S))


def until(true: Callable[[], Any], within_s: float = PATIENCE_S, what: str = "") -> Any:
    """The first true value of `true`, or a failure once the time is up."""
    pause, end_s = threading.Event(), time.monotonic() + within_s
    while not (value := true()):
        assert time.monotonic() < end_s, f"not within {within_s} s: {what or true}"
        pause.wait(0.02)
    return value


@dataclass
class Process:
    """A child process in a session of its own, whose lines are read as they come."""

    command: list[str]
    environ: dict[str, str]
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._news = threading.Condition()
        self.start()

    def start(self) -> None:
        self.popen = subprocess.Popen(
            self.command, env=os.environ | self.environ, cwd=CHECKOUT, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8",
            start_new_session=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, args=(self.popen,), daemon=True)
        self._reader.start()

    def _read(self, popen: subprocess.Popen[str]) -> None:
        assert popen.stdout is not None
        for line in popen.stdout:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()

    def line(self, words: str, times: int = 1, within_s: float = PATIENCE_S) -> str:
        """The newest line that holds `words`, once there are `times` of them."""

        def found() -> list[str]:
            return [line for line in self.lines if words in line]

        with self._news:
            assert self._news.wait_for(lambda: len(found()) >= times, within_s), (words, self.lines)
            return found()[-1]

    def facts(self, event: str, times: int = 1, within_s: float = PATIENCE_S) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.line(f'"event": "{event}"', times, within_s))
        return said

    def kill(self) -> None:
        """kill -9 of the process and of whatever it has forked."""
        if self.popen.poll() is None:
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.close()

    def terminate(self, within_s: float = PATIENCE_S) -> int:
        self.popen.terminate()
        code = self.popen.wait(within_s)
        self.close()
        return code

    def close(self) -> None:
        self.popen.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        if self.popen.stdout is not None:
            self.popen.stdout.close()


@dataclass
class House:
    """A migrated data folder, its environment, and the robots of two groups."""

    environ: dict[str, str]
    station: Station
    office: RobotServer
    fishing: RobotServer
    processes: list[Process] = field(default_factory=list)

    def python(self, *arguments: str, **environ: str) -> Process:
        process = Process([sys.executable, "-m", *arguments], self.environ | environ)
        self.processes.append(process)
        return process

    def worker(self, *arguments: str, **environ: str) -> Process:
        process = self.python("worker", *arguments, **environ)
        process.facts("working")
        return process

    def embedded(self) -> Process:
        return self.worker("--embedded")

    def owe(self, words: str, event: str = "anchored") -> None:
        """Owe a card: `anchored` to the office, `fishing_clue` to fishing and office."""
        with self.station.work(SYSTEM) as work:
            work.tell(event, subject="test", words=words)

    def errands(self) -> list[m.Errand]:
        with self.station.look() as look:
            return list(look.session.scalars(select(m.Errand).order_by(m.Errand.id)))

    def all_done(self) -> bool:
        return all(errand.state == "done" for errand in self.errands())

    def beats(self) -> list[m.Beat]:
        with self.station.look() as look:
            return list(look.session.scalars(select(m.Beat)))


def heard(robot: RobotServer, words: str) -> int:
    """How many messages with these words have reached the group."""
    return sum(words in said.content for said in list(robot.accepted))


@pytest.fixture
def house(environ: dict[str, str], tmp_path: Path) -> Iterator[House]:
    with RobotServer() as office, RobotServer() as fishing:
        robots = tmp_path / "robots.toml"
        robots.write_text(
            "".join(
                f'[[robot]]\ngroup = "{group}"\nbrand = "wecom"\nurl = "{server.url("wecom")}"\n'
                for group, server in (("office", office), ("fishing", fishing))
            )
        )
        environ |= {
            "PATROL_ROBOTS_FILE": str(robots), "PATROL_ROBOT_HOSTS": f"{office.host},{fishing.host}",
            "PATROL_ROBOT_PACE": "6000", "PATROL_ALL_DAY": "1",
        }  # fmt: skip
        station = migrated(Station.open(Settings.read(environ), clock=wall_clock))
        made = House(environ, station, office, fishing)
        yield made
        for process in made.processes:
            process.kill()
        station.close()
