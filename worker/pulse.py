"""The pulse beside Celery: what Celery has not done in time is done here, by the database alone.

A lost broker, a deaf consumer or a pool full of slow work therefore cost only delay. The pulse never touches
the broker, but asks now and then whether one can be reached that no longer sends us anything: then the worker
leaves, and whoever supervises it starts a fresh one.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from typing import Any

import structlog
from celery.signals import task_received
from celery.worker import state

from worker import hands, tasks
from worker.app import TICKS, age_s, app

STEP_S = 0.5
PATIENCE = 1.5  # times a tick's period
DEAF_S = 30
ASK_EVERY_S = 5
LEAVE_WITHIN_S = 10
DEAF_EXIT = 75  # try again: not a fault of the settings
log = structlog.get_logger("patrol.worker")


class Pulse(threading.Thread):
    """Looks twice a second whether every tick has run."""

    def __init__(self, concurrency: int) -> None:
        super().__init__(name="pulse", daemon=True)
        self._concurrency = concurrency
        self._hurry = threading.Event()
        self._alone = False
        self._heard_s = self._reached_s = self._asked_s = time.monotonic()
        task_received.connect(self._hear)

    def hurry(self) -> None:
        """Deliver now, without Celery."""
        self._hurry.set()

    def run(self) -> None:
        tasks.sweep.apply()  # what fell due while no worker lived does not wait for the first tick
        while not hands.leaving.is_set():
            if self._hurry.wait(STEP_S) and not hands.leaving.is_set():
                self._hurry.clear()
                tasks.deliver.apply()
            self._tick()
            self._watch()

    def _tick(self) -> None:
        overdue = [name for name, tick in TICKS.items() if age_s(name) > PATIENCE * tick.every_s]
        if bool(overdue) != self._alone:
            self._alone = bool(overdue)
            log.info("ticking_without_celery" if overdue else "ticking_by_celery", ticks=overdue)
        for name in overdue:
            if not hands.leaving.is_set():
                getattr(tasks, name).apply()  # eager: Celery's own machinery contains and logs what it raises

    def _hear(self, **_: Any) -> None:
        self._heard_s = time.monotonic()

    def _watch(self) -> None:
        now_s = time.monotonic()
        if now_s - self._heard_s < ASK_EVERY_S or now_s - self._asked_s < ASK_EVERY_S:
            return
        self._asked_s = now_s
        if not _reachable():
            self._reached_s = time.monotonic()
        elif now_s - max(self._heard_s, self._reached_s) > DEAF_S and not self._busy():
            log.error("deaf", seconds=round(now_s - self._heard_s))
            leave(DEAF_EXIT)

    def _busy(self) -> bool:
        """Whether the pool has no room: then it is not the consumer's fault that nothing is heard."""
        return len(state.active_requests) >= self._concurrency


def leave(code: int) -> None:
    """End this worker, warmly if it still can."""
    hands.leaving.set()
    state.should_stop = code
    last = threading.Timer(LEAVE_WITHIN_S, os._exit, (code or 1,))
    last.daemon = True
    last.start()


def _reachable() -> bool:
    """Whether the broker's port answers."""
    broker = app.connection_for_read()
    if broker.transport_cls == "memory":
        return True
    with (
        contextlib.suppress(OSError),
        socket.create_connection(
            (broker.hostname, broker.port or broker.transport.default_connection_params["port"]), 1
        ),
    ):
        return True
    return False
