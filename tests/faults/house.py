"""A whole Patrol as its users run it: `patrol serve` in its own processes on a temporary folder, with a killer."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import select

from patrol import models as m
from patrol.settings import Settings
from patrol.station import SYSTEM, Station
from tests.databases import migrated

_WAIT = threading.Event()


def pause(seconds: float) -> None:
    """Let other processes go on for a while; only drivers of real processes need it."""
    _WAIT.wait(seconds)


def until(check: Callable[[], Any], within_s: float, every_s: float = 0.05) -> Any:
    """The first truthy answer of `check`, asked again and again; an assertion when it never comes."""
    left = within_s
    while True:
        found = check()
        if found:
            return found
        assert left > 0, f"not within {within_s} s"
        pause(every_s)
        left -= every_s


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def offspring(pid: int) -> list[int]:
    """Every living descendant of a process."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    found = []
    for child in map(int, text.split()):
        found += [child, *offspring(child)]
    return found


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


@dataclass
class Life:
    """One worker process: when it was started, when its first beat says that it works, when it was gone."""

    pid: int
    born_at: datetime
    works_from: datetime | None = None
    gone_at: datetime | None = None


class Lives(threading.Thread):
    """Writes down every life of the worker of a house until it is told to end."""

    EVERY_S = 0.02

    def __init__(self, house: House) -> None:
        super().__init__(daemon=True)
        self.house, self.lives = house, list[Life]()
        self._ending = threading.Event()

    def run(self) -> None:
        while not self._ending.wait(self.EVERY_S):
            self._look()

    def end(self) -> list[Life]:
        self._ending.set()
        self.join()
        return self.lives

    def _look(self) -> None:
        now = self.house.station.now()
        pids = self.house.children("worker")
        for life in self.lives:
            if life.gone_at is None and life.pid not in pids:
                life.gone_at = now
        known = {life.pid for life in self.lives}
        self.lives += [Life(pid, now) for pid in pids if pid not in known]
        for life in self.lives:
            if life.works_from is None and life.gone_at is None:
                with self.house.station.look(SYSTEM) as look:
                    beat = select(m.Beat.at).where(m.Beat.worker.endswith(f":{life.pid}"))
                    life.works_from = look.session.scalar(beat)


class House:
    """A served Patrol. `station` looks into the same database from the test."""

    def __init__(self, environ: dict[str, str], **more: str) -> None:
        self.port = free_port()
        self.environ = {**os.environ, **environ, "PATROL_PORT": str(self.port), "PATROL_LOG_LEVEL": "error", **more}
        self.station = migrated(Station.open(Settings.read(self.environ)))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *options: str) -> None:
        log = (self.station.settings.data / "serve.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "patrol", "serve", *options], env=self.environ, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        log.close()
        until(self.ready, 60)

    def ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/health/ready", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def working(self) -> bool:
        try:
            return requests.get(f"{self.url}/health/work", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def children(self, word: str = "") -> list[int]:
        """Descendants of the supervisor whose command line holds a word."""
        assert self.process is not None
        return [pid for pid in offspring(self.process.pid) if word in command_of(pid)]

    def kill_one(self, dice: random.Random, word: str = "") -> str:
        """kill -9 one child at random; its name, or empty when there was none just then."""
        pids = self.children(word)
        if not pids:
            return ""
        pid = dice.choice(pids)
        name = command_of(pid)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return ""
        return name

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def told(self) -> str:
        return (self.station.settings.data / "serve.log").read_text(errors="replace")


@contextmanager
def serving(environ: dict[str, str], *options: str, **more: str) -> Iterator[House]:
    """A house that is stopped at the end, whatever happened."""
    house = House(environ, **more)
    try:
        house.start(*options)
        yield house
    finally:
        house.stop()
        house.station.close()
