"""Errands: what is owed to the outside, run at least once, each idempotent. Only this room speaks to robots.

An errand runs in three parts: claim (lease, tries + 1), the outside call with no transaction open, then done
or due again by the ladder, and at its end `stuck`: shown and told. `push` stops only by an acknowledgement.
A group with a live claim is being served: one run a group at a time, whatever the number of workers.
"""

from __future__ import annotations

from patrol.actions.delivery.byhand import handed_over, replay
from patrol.actions.delivery.due import beat, due_groups, owed, release_orphans, tidy
from patrol.actions.delivery.jobs import JOBS, run_errand, run_jobs
from patrol.actions.delivery.robots import run_group
from patrol.station import SYSTEM, Station

__all__ = [
    "JOBS", "beat", "due_groups", "handed_over", "owed", "release_orphans", "replay", "run_due", "run_errand",
    "run_group", "run_jobs", "tidy",
]  # fmt: skip


def run_due(station: Station) -> int:
    """Run everything that is due and may go now; returns how many errands were tried."""
    with station.look(SYSTEM) as look:
        groups = due_groups(look)
    tried = 0
    for group in groups:
        tried += run_jobs(station) if group is None else run_group(station, group)
    return tried
