"""The supervisor of one machine: web and worker as child processes by name, restarted when dead or stuck.

It judges the worker by what `/health/work` says (the age of the oldest due row, when a worker was last seen)
and the web by whether it answers at all. It never imports the worker, and runs no deed.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import importlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from patrol.errors import Misconfigured
from patrol.queries import health
from patrol.settings import Settings
from patrol.station import Station

STEP_S = 0.2
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0
WORKED_PAUSE_S = 1.0  # never longer for a child that did its work before it died: clocks tick while nobody looks
STABLE_S = 30  # a child that lived so long starts again from the shortest pause
ASK_EVERY_S = 5
DEAF_S = 30  # a web that answered once and then nothing for so long is stuck
GRACE_S = 45  # a worker is not called stuck before this age, doubled after each time it was
STOP_WITHIN_S = 15
PORTS_TRIED = 50
MISCONFIGURED = 2
BUSY = (errno.EADDRINUSE,)
ANSWER_WITHIN_S = 3
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}
log = structlog.get_logger("patrol.serve")


def watch_parent(parent: int, leave: Callable[[], object], *, every_s: float = 0.5) -> None:
    """Call `leave` once this process is no longer a child of `parent` (0: of whoever it is now)."""
    parent = parent or os.getppid()

    def watch() -> None:
        pause = threading.Event()
        while os.getppid() == parent:
            pause.wait(every_s)
        leave()

    threading.Thread(target=watch, name="parent", daemon=True).start()


@dataclass
class Child:
    """One supervised process with everything it has started."""

    name: str
    command: list[str]
    environ: dict[str, str]
    quiet: bool = False
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    start_after_s: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    grace_s: float = GRACE_S
    worked: bool = False  # it has answered, or was seen at work, in this life
    heard_s: float = 0.0
    asked_s: float = 0.0

    @property
    def age_s(self) -> float:
        return time.monotonic() - self.started_s

    def start(self) -> None:
        # a session of its own: Ctrl-C reaches only the supervisor, and what is left of it can be swept up
        out = subprocess.DEVNULL if self.quiet else None
        self.process = subprocess.Popen(
            self.command, env=self.environ, stdin=subprocess.DEVNULL, stdout=out, start_new_session=True
        )
        self.started_s = self.heard_s = time.monotonic()
        self.worked = False
        log.info("started", child=self.name, pid=self.process.pid)

    def tell(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def sweep_up(self) -> None:
        """End whatever the process left behind in its session."""
        if self.process is not None and hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def stop(self, within_s: float) -> None:
        """End it warmly, then by force."""
        self.tell(signal.SIGTERM)
        if self.process is not None:
            try:
                self.process.wait(within_s)
            except subprocess.TimeoutExpired:
                log.warning("killed", child=self.name, pid=self.process.pid)
                self.process.kill()
                self.process.wait()
            self.sweep_up()


@dataclass
class Supervisor:
    """Keeps the children running until it is told to stop."""

    settings: Settings
    station: Station
    children: list[Child]
    stopping: threading.Event = field(default_factory=threading.Event)
    announced: bool = False

    def run(self) -> int:
        for child in self.children:
            child.start()
        code = 0
        while not self.stopping.wait(STEP_S):
            for child in self.children:
                ended = self._look_after(child)
                if ended == MISCONFIGURED:  # its own sentence is on the terminal; a new start would repeat it
                    code = MISCONFIGURED
                    self.stopping.set()
        self._stop_all()
        return code

    def _look_after(self, child: Child) -> int | None:
        """Start a dead child again after its pause, end a stuck one; returns the code of one that ended."""
        now_s = time.monotonic()
        if child.process is None:
            if now_s >= child.start_after_s:
                child.start()
            return None
        code = child.process.poll()
        if code is not None:
            child.sweep_up()
            longest_s = WORKED_PAUSE_S if self._has_worked(child) else LONGEST_PAUSE_S
            pause_s = FIRST_PAUSE_S if child.age_s > STABLE_S else min(child.pause_s, longest_s)
            log.error("died", child=child.name, code=code, again_in_s=pause_s)
            child.process, child.start_after_s = None, now_s + pause_s
            child.pause_s = min(2 * pause_s, longest_s)
            return code
        if now_s - child.asked_s >= (ASK_EVERY_S if child.worked or child.name != "web" else STEP_S):
            child.asked_s = now_s
            if self._is_stuck(child):
                child.stop(STOP_WITHIN_S)
        return None

    def _is_stuck(self, child: Child) -> bool:
        return self._web_is_stuck(child) if child.name == "web" else self._worker_is_stuck(child)

    def _web_is_stuck(self, child: Child) -> bool:
        if answers(self.settings):
            child.heard_s, child.worked = time.monotonic(), True
            if not self.announced:
                self.announced = True
                say(f"巡护已打开：{self.settings.address}  （按 Ctrl-C 停止）")
            return False
        return time.monotonic() - child.heard_s > DEAF_S + (0 if child.worked else GRACE_S)

    def _worker_is_stuck(self, child: Child) -> bool:
        if child.age_s < child.grace_s:
            return False
        try:
            with self.station.look() as look:
                told = health.work(look)
        except SQLAlchemyError as error:  # the database is away: no fault of the worker's
            log.warning("cannot_judge", error=type(error).__name__)
            return False
        if told["working"]:
            return False
        log.error("stuck", child=child.name, oldest_due_s=told["oldest_due_s"], seen_s=told["worker_seen_s"])
        child.grace_s *= 2
        return True

    def _has_worked(self, child: Child) -> bool:
        """Whether a child that has just died did its work before: the web answered, a worker showed itself."""
        if child.worked or child.name == "web":
            return child.worked
        try:
            with self.station.look() as look:
                seen_s = health.work(look)["worker_seen_s"]
        except SQLAlchemyError:
            return False
        return seen_s is not None and bool(seen_s < child.age_s)

    def _stop_all(self) -> None:
        until_s = time.monotonic() + STOP_WITHIN_S
        for child in self.children:
            child.tell(signal.SIGTERM)
        for child in self.children:
            child.stop(max(0.1, until_s - time.monotonic()))


def serve(settings: Settings, with_worker: bool = True) -> int:
    """Web and worker until Ctrl-C or SIGTERM; returns the exit code."""
    settings = on_free_port(settings)
    station = Station.open(settings, may_create=False)
    try:
        groups = len(station.robots.groups)  # a bad robots file is said here, not by a child that keeps dying
        log.debug("robots", groups=groups)
        me, environ = str(os.getpid()), child_environ(settings)
        children = [Child("web", [sys.executable, "-m", "patrol.serve", me], environ)]
        if with_worker:
            command = [sys.executable, "-m", "worker", "--embedded", "--parent", me]
            children.append(Child("worker", command, environ, quiet=True))
        supervisor = Supervisor(settings, station, children)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: supervisor.stopping.set())
        return supervisor.run()
    finally:
        station.close()


def say(sentence: str) -> None:
    """A sentence for whoever sits at the terminal."""
    print(sentence, flush=True)


def on_free_port(settings: Settings) -> Settings:
    """The settings with a port that can be had: the wanted one, or the next free one, said aloud."""
    wanted = settings.port
    for port in range(wanted, min(wanted + PORTS_TRIED, 65536)) if wanted else [0]:
        with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((settings.host, port))
            except PermissionError:
                raise Misconfigured(f"端口 {port} 不许普通用户使用，请换 1024 以上的端口。") from None
            except OSError as error:
                if error.errno not in BUSY:
                    raise Misconfigured(f"在 {settings.host} 上开不了端口：{error.strerror}。") from error
                continue
            got = int(trial.getsockname()[1])
        if wanted and got != wanted:
            say(f"端口 {wanted} 已被占用，改用 {got}。")
        return replace(settings, port=got)
    raise Misconfigured(f"端口 {wanted} 起的 {PORTS_TRIED} 个都被占用，请用 PATROL_PORT 另指定。")


def child_environ(settings: Settings) -> dict[str, str]:
    """This process's environment, with whatever knob was set otherwise than there."""
    environ = dict(os.environ)
    by_itself = Settings.read(environ)
    for knob in fields(Settings):
        value = getattr(settings, knob.name)
        if value != getattr(by_itself, knob.name):
            environ.pop(f"PATROL_{knob.name.upper()}_FILE", None)
            environ[f"PATROL_{knob.name.upper()}"] = str(int(value) if isinstance(value, bool) else value)
    return environ


def answers(settings: Settings) -> bool:
    """Whether the web answers a request at all."""
    near = ANYWHERE.get(settings.host, settings.host)
    line = http.client.HTTPConnection(near, settings.port, timeout=ANSWER_WITHIN_S)
    try:
        line.request("GET", "/health/live")
        return line.getresponse().status > 0
    except (OSError, http.client.HTTPException):
        return False
    finally:
        line.close()


def run_web(parent: int) -> None:
    """The web child: one server process with threads, so that SQLite has one writer here."""
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    settings = Settings.read()
    server = Granian(
        "patrol.web.wsgi:app", address=settings.host, port=settings.port, interface=Interfaces.WSGI,
        workers=1, blocking_threads=settings.sse_streams + 16, websockets=False, log_level=LogLevels.error,
        workers_kill_timeout=5,
    )  # fmt: skip
    watch_parent(parent, lambda: os.kill(os.getpid(), signal.SIGTERM))
    server.serve(target_loader=load_app, wrap_loader=False)


def load_app() -> Any:
    """The WSGI app, in the server process; it does not outlive the one that spawned it."""
    watch_parent(0, lambda: os._exit(1))
    return importlib.import_module("patrol.web.wsgi").app


if __name__ == "__main__":
    run_web(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
