"""What wakes a worker before its tick: a loopback datagram (SQLite) or NOTIFY (PostgreSQL).

A wake-up may be lost, late, doubled or come in storms; it never carries anything. Must not run a deed itself.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import structlog
from sqlalchemy.engine import make_url

from patrol.settings import Settings
from worker.alone import PRESENT

PORT_FILE = "worker.port"
LOOK_UP_S = 0.5  # how often an ear looks whether it is time to go
CALM_S = 0.02  # wake-ups of one storm within this time are one
RECONNECT_S = 1.0
log = structlog.get_logger("patrol.worker")


def ear(settings: Settings, wake: Callable[[], None], leaving: threading.Event) -> threading.Thread:
    """The ear for this database, not yet started."""
    if settings.is_sqlite:
        return Datagrams(settings.data / PORT_FILE, wake, leaving)
    return Notices(settings.database, wake, leaving)


class Datagrams(threading.Thread):
    """Listens on a free loopback port, whose number stands in a file while we listen."""

    def __init__(self, port_file: Path, wake: Callable[[], None], leaving: threading.Event) -> None:
        super().__init__(name="ear", daemon=True)
        self._file, self._wake, self._leaving = port_file, wake, leaving
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(LOOK_UP_S)
        self._port = str(self._socket.getsockname()[1])

    def run(self) -> None:
        part = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        part.write_text(self._port)
        part.replace(self._file)
        try:
            while not self._leaving.is_set():
                with contextlib.suppress(TimeoutError):
                    self._socket.recv(16)
                    self._leaving.wait(CALM_S)
                    self._drain()
                    self._wake()
        finally:
            self.close()

    def close(self) -> None:
        """Take the file away, unless a later worker has put its own there."""
        with contextlib.suppress(OSError):
            if self._file.read_text() == self._port:
                self._file.unlink()
        self._socket.close()

    def _drain(self) -> None:
        self._socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(16)
        self._socket.settimeout(LOOK_UP_S)


class Notices(threading.Thread):
    """LISTEN on a connection of its own, which also holds the sign that a worker is present."""

    def __init__(self, database: str, wake: Callable[[], None], leaving: threading.Event) -> None:
        super().__init__(name="ear", daemon=True)
        self._url = plain_url(database)
        self._wake, self._leaving = wake, leaving

    def run(self) -> None:
        while not self._leaving.is_set():
            try:
                with psycopg.connect(self._url, autocommit=True) as connection:
                    connection.execute("SELECT pg_advisory_lock_shared(%s)", [PRESENT])
                    connection.execute("LISTEN patrol")
                    self._wake()  # whatever was said while nobody listened
                    self._hear(connection)
            except psycopg.Error as error:
                log.warning("ear_lost", error=type(error).__name__)
                self._leaving.wait(RECONNECT_S)

    def _hear(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        while not self._leaving.is_set():
            if any(True for _ in connection.notifies(timeout=LOOK_UP_S, stop_after=1)):
                self._leaving.wait(CALM_S)
                for _ in connection.notifies(timeout=0):
                    pass
                self._wake()


def plain_url(database: str) -> str:
    """A SQLAlchemy address as libpq reads it."""
    return make_url(database).set(drivername="postgresql").render_as_string(hide_password=False)
