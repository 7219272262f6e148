"""The one worker of one machine: broker in memory, threads for processes, alive as long as its parent."""

from __future__ import annotations

import signal

from patrol.serve import watch_parent
from patrol.settings import Settings
from worker import crew, pulse


def run_embedded(settings: Settings, parent: int = 0) -> int:
    """Work until SIGTERM or until the parent is gone; returns the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the supervisor, which ends us in order
    watch_parent(parent, lambda: pulse.leave(0))
    return crew.work(settings, embedded=True)
