"""Whether a worker that starts is the only one: then whatever is still claimed was claimed by one that died.

Every worker shows its presence by a shared lock that the kernel, or PostgreSQL, takes back with its process.
"""

from __future__ import annotations

import os
from pathlib import Path

import structlog
from sqlalchemy import text

from patrol.actions import delivery
from patrol.station import SYSTEM, Station

try:
    import fcntl
except ImportError:  # Windows has none: there a machine has the one worker its supervisor keeps
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = "worker.lock"
PRESENT = 0x70617472  # the advisory lock's number: "patr"
log = structlog.get_logger("patrol.worker")


def arrive(station: Station) -> int | None:
    """Release a dead worker's claims if we are alone; on SQLite, stay present by the descriptor."""
    if station.settings.is_sqlite:
        return _arrive_by_file(station, station.settings.data / LOCK_FILE)
    with station.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # the ear's connection shows our own presence from now on
        if connection.scalar(text("SELECT pg_try_advisory_lock(:n)"), {"n": PRESENT}):
            try:
                _release(station)
            finally:
                connection.scalar(text("SELECT pg_advisory_unlock(:n)"), {"n": PRESENT})
    return None


def _arrive_by_file(station: Station, path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    if fcntl is None:
        _release(station)
        return descriptor
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        log.info("not_alone")
    else:
        _release(station)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def _release(station: Station) -> None:
    with station.work(SYSTEM) as work:
        released = delivery.release_orphans(work)
    log.info("alone", released=released)
