"""Celery around a Station: what ticks how often, how the broker is treated, which station a process has.

No task has an eta or a countdown, no result is kept and no deadline hangs on a message: all of that is rows.
"""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from multiprocessing.sharedctypes import RawArray
from typing import Any

from celery import Celery
from celery.signals import task_postrun, worker_process_init, worker_process_shutdown
from kombu.entity import Queue

from patrol.settings import Settings
from patrol.station import Station


@dataclass(frozen=True)
class Tick:
    """A deed that time calls: how often, and in which queue."""

    every_s: float
    queue: str = "light"


#: task -> tick. A periodic job is a row here, a few lines in `tasks.py` and a deed.
TICKS: dict[str, Tick] = {
    "sweep": Tick(1),  # ladders, clues, suspensions
    "deliver": Tick(1),  # what is owed to groups and jobs; a wake-up calls it earlier
    "beat": Tick(5),  # a worker was seen
    "anchor": Tick(300),  # the deed itself keeps to its hour
    "tidy": Tick(600),
    "retain": Tick(3600),
}
QUEUES = ("light", "heavy")
#: task -> queue of those that nothing ticks
CALLED: dict[str, str] = {"deliver_group": "light", "work_jobs": "heavy"}

SOFT_LIMIT_S, HARD_LIMIT_S = 60, 90
TICK_LIVES_S = 10  # a tick that nobody took in time is worthless: the next one says the same
QUEUE_LIVES_S = 3600  # an unused queue goes by itself
POLL_S = 0.02  # how long a message waits in the memory broker
BROKER_WAIT_S = 2

app = Celery("patrol", set_as_current=True, include=["worker.tasks"])

# when each tick last ran, seen by this process and every child it forks
_row = {name: index for index, name in enumerate(TICKS)}
_ran_at_s = RawArray("d", len(TICKS))
_stations: dict[int, Station] = {}


def configure(settings: Settings, *, embedded: bool) -> None:
    """Set the app up for these settings."""
    broker = "memory://" if embedded else settings.broker_url
    scheme = broker.partition(":")[0]
    names = {queue: f"patrol-{_where(settings)}-{queue}" for queue in QUEUES}
    ticks = {name: names[tick.queue] for name, tick in TICKS.items()}
    called = {name: names[queue] for name, queue in CALLED.items()}
    app.conf.update(
        patrol_settings=settings,
        broker_url=broker,
        broker_connection_timeout=BROKER_WAIT_S,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_heartbeat=10,
        broker_transport_options=_transport_options(scheme),
        task_queues=[_queue(name, scheme) for name in names.values()],
        task_default_queue=names["light"],
        task_routes={f"patrol.{name}": {"queue": queue} for name, queue in (ticks | called).items()},
        task_create_missing_queues=False,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        result_backend=None,
        result_expires=None,
        task_soft_time_limit=SOFT_LIMIT_S,
        task_time_limit=HARD_LIMIT_S,
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0, "interval_max": 0},
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_max_tasks_per_child=500,
        worker_eta_task_limit=100,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        beat_enable_remote_control=False,
        beat_max_loop_interval=1,
        beat_schedule={
            name: {
                "task": f"patrol.{name}", "schedule": tick.every_s,
                "options": {"queue": ticks[name], "expires": max(TICK_LIVES_S, tick.every_s)},
            }
            for name, tick in TICKS.items()
        },
        enable_utc=True,
        timezone="UTC",
    )  # fmt: skip


def queue_names(settings: Settings, queues: tuple[str, ...] | list[str]) -> list[str]:
    """The broker's names of some of QUEUES."""
    return [f"patrol-{_where(settings)}-{queue}" for queue in queues]


def _where(settings: Settings) -> str:
    """Two Patrols on one broker must not take each other's ticks."""
    return hashlib.sha256(settings.database.encode()).hexdigest()[:8]


def _transport_options(scheme: str) -> dict[str, Any]:
    if scheme == "memory":
        return {"polling_interval": POLL_S}
    if scheme.startswith("redis"):
        # kombu restores what a killed worker held only every interval * throttle: by default 100 s
        return {
            "visibility_timeout": 120, "unacked_restore_interval": 5, "unacked_restore_throttle": 1,
            "socket_timeout": 10, "socket_connect_timeout": BROKER_WAIT_S, "socket_keepalive": True,
            "health_check_interval": 10,
        }  # fmt: skip
    return {"read_timeout": 10, "write_timeout": 10}


def _queue(name: str, scheme: str) -> Any:
    if not scheme.startswith(("amqp", "pyamqp")):
        return Queue(name)  # type: ignore[no-untyped-call]
    return Queue(  # type: ignore[no-untyped-call]
        name, durable=True, queue_arguments={"x-queue-type": "quorum"}, message_ttl=TICK_LIVES_S,
        expires=QUEUE_LIVES_S,
    )  # fmt: skip


def station() -> Station:
    """The open station of this process; a forked child opens its own."""
    here = os.getpid()
    if here not in _stations:
        _stations[here] = Station.open(app.conf.patrol_settings, may_create=False)
    return _stations[here]


def close_station() -> None:
    """Give this process's connections back."""
    opened = _stations.pop(os.getpid(), None)
    if opened is not None:
        opened.close()


def age_s(tick: str) -> float:
    """Seconds since a tick last ran here, through Celery or without it."""
    return time.monotonic() - float(_ran_at_s[_row[tick]])


def note(tick: str) -> None:
    """This tick has just run (or the worker has just begun)."""
    _ran_at_s[_row[tick]] = time.monotonic()


@task_postrun.connect  # type: ignore[untyped-decorator]  # celery has no types
def _note_tick(sender: Any = None, **_: Any) -> None:
    name = sender.name.removeprefix("patrol.")
    if name in TICKS:
        note(name)


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _forget_inherited(**_: Any) -> None:
    """A forked child leaves its parent's connections alone."""
    for pid in list(_stations):
        if pid != os.getpid():
            _stations.pop(pid).engine.dispose(close=False)


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def _close_in_child(**_: Any) -> None:
    close_station()
