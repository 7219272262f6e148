"""The worker: Celery as clock and pool around a Station. The database is the queue, a message only a wake-up.

    python -m worker              a worker alone, on the broker of the settings (grown)
    python -m worker --embedded   the one worker of one machine, broker in memory, started by `patrol serve`

Nothing in patrol imports this package. It must not decide anything: each task is a few lines around a deed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from patrol.settings import Settings


def run(settings: Settings, embedded: bool = False, queues: Sequence[str] = (), parent: int = 0) -> int:
    """Work until SIGTERM; returns the exit code. `parent`: leave when that process is gone."""
    from worker.crew import run_worker
    from worker.embedded import run_embedded

    return run_embedded(settings, parent) if embedded else run_worker(settings, queues)
