"""Who does a task: Celery's pool, or a thread here while Celery cannot. And whether we are leaving."""

from __future__ import annotations

import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from celery import current_task

ASIDE_THREADS = 8

#: Set when the worker is told to stop: nothing new is begun, what is half said is cut between two messages.
leaving = threading.Event()

_aside = ThreadPoolExecutor(ASIDE_THREADS, thread_name_prefix="aside")
_name: list[str] = []


def name() -> str:
    """What this worker is called in the table of beats; its forked children go by the same name."""
    if not _name:
        _name.append(f"{socket.gethostname()[:48]}:{os.getpid()}")
    return _name[0]


def hand(task: Any, *args: Any) -> None:
    """Give a task to the pool, or to a thread here when the caller itself runs without Celery."""
    if current_task and current_task.request.is_eager:
        _aside.submit(task.apply, args)
    else:
        task.apply_async(args)
