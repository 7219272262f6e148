"""One worker process put together: Celery's pool and consumer, and beside them beat, ear and pulse."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Sequence
from typing import Any

import structlog
from billiard import pool as processes  # type: ignore[import-untyped]
from celery import bootsteps
from celery.beat import EmbeddedService, Scheduler
from celery.signals import setup_logging, worker_shutting_down
from celery.worker.consumer import Consumer
from kombu.exceptions import OperationalError
from sqlalchemy.exc import SQLAlchemyError

from patrol.errors import Misconfigured
from patrol.settings import Settings
from worker import hands, logs, pulse, tasks
from worker.alone import arrive
from worker.app import QUEUES, TICKS, app, close_station, configure, note, queue_names, station
from worker.ears import ear

GROWN_PROCESSES = 4
log = structlog.get_logger("patrol.worker")


class Beside(bootsteps.StartStopStep):  # type: ignore[misc]  # celery has no types
    """The threads beside the pool. They start after it has forked and do not wait for the broker."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **_: Any) -> None:
        self._presence: int | None = None
        self._beat: Any = None
        self._ear: Any = None

    def start(self, worker: Any) -> None:
        opened = station()
        self._presence = arrive(opened)
        for name in TICKS:
            note(name)
        tasks.beat.apply()
        self._pulse = pulse.Pulse(worker.concurrency)
        self._pulse.start()
        self._beat = EmbeddedService(app, thread=True, scheduler_cls=Scheduler)
        self._beat.start()
        self._ear = ear(opened.settings, self._wake, hands.leaving)
        self._ear.start()
        log.info("working", worker=hands.name(), pool=type(worker.pool).__module__.rpartition(".")[2])

    def stop(self, worker: Any) -> None:
        hands.leaving.set()
        if self._beat is not None:
            self._beat.service.stop()  # its thread may be waiting for a broker: not waited for
        if self._ear is not None:
            self._ear.join(timeout=2)
        if self._presence is not None:
            os.close(self._presence)
            self._presence = None

    terminate = stop

    def _wake(self) -> None:
        try:
            tasks.deliver.apply_async()
        except OperationalError:
            self._pulse.hurry()


class Listener(Consumer):  # type: ignore[misc]
    """Celery's consumer, without the 28 queues it would declare on RabbitMQ for delayed tasks."""

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc]
        default_steps = [
            step for step in Consumer.Blueprint.default_steps if not str(step).endswith(":DelayedDelivery")
        ]


app.steps["worker"].add(Beside)
# A child that ends waits, by default 30 s, until its parent has read every result. Nobody needs one here.
processes.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = 20


@setup_logging.connect  # type: ignore[untyped-decorator]
def _logs_are_ours(**_: Any) -> None:
    """Celery leaves the handlers alone."""


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _leave(**_: Any) -> None:
    hands.leaving.set()


def run_worker(settings: Settings, queues: Sequence[str] = ()) -> int:
    """A worker alone, on the broker of the settings: processes that have time limits and are renewed."""
    memory = settings.broker_url.startswith("memory:")
    return work(settings, embedded=memory, queues=queues)


def work(settings: Settings, *, embedded: bool, queues: Sequence[str] = ()) -> int:
    """Work until told to stop; returns the exit code."""
    logs.set_up(settings.log_level)
    configure(settings, embedded=embedded)
    groups = check(settings)
    hands.name()
    # threads: one for each robot that may be slow, and some for time itself
    pool = ("threads", max(16, groups + 8)) if embedded else ("prefork", GROWN_PROCESSES)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "You're running the worker with superuser privileges")
        worker = app.Worker(
            hostname=f"patrol@{hands.name()}", pool=pool[0], concurrency=pool[1],
            queues=queue_names(settings, list(queues or QUEUES)), quiet=True, loglevel="WARNING",
            without_gossip=True, without_mingle=True, without_heartbeat=True, consumer_cls=Listener,
        )  # fmt: skip
        try:
            worker.start()
        finally:
            with contextlib.suppress(SQLAlchemyError):
                close_station()
    return int(worker.exitcode or 0)


def check(settings: Settings) -> int:
    """Refuse to start on settings that cannot work; returns how many groups have a robot."""
    opened = station()
    try:
        with opened.engine.connect() as connection:
            ready = opened.engine.dialect.has_table(connection, "errand")
        if not ready:
            raise Misconfigured("数据库里还没有表，请先运行 patrol migrate。")
        return len(opened.robots.groups) if opened.place else 0
    finally:
        close_station()  # nothing open is carried into a forked child
