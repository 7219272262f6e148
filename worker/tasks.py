"""Each task is a few lines around a deed. What raises is contained, logged and counted by Celery."""

from __future__ import annotations

from patrol.actions import delivery, followup, retention
from patrol.actions.flights import live
from patrol.station import SYSTEM
from worker import hands
from worker.app import app, station


@app.task(name="patrol.sweep")  # type: ignore[untyped-decorator]  # celery has no types
def sweep() -> None:
    """Ladders climb, clues expire, suspensions end; live flights that fell silent have landed."""
    followup.sweep(station())
    live.land_quiet(station())


@app.task(name="patrol.deliver")  # type: ignore[untyped-decorator]
def deliver() -> None:
    """Every group that is owed something gets a run of its own, so that a slow robot holds up nobody else."""
    with station().look(SYSTEM) as look:
        groups = delivery.due_groups(look)
    for group in groups:
        hands.hand(work_jobs) if group is None else hands.hand(deliver_group, group)


@app.task(name="patrol.deliver_group")  # type: ignore[untyped-decorator]
def deliver_group(group: str) -> None:
    """One run for one group; more that has come due meanwhile gets the next run at once."""
    if delivery.run_group(station(), group, hands.leaving.is_set) and not hands.leaving.is_set():
        hands.hand(deliver_group, group)


@app.task(name="patrol.work_jobs")  # type: ignore[untyped-decorator]
def work_jobs() -> None:
    """Slips to print, and whatever else a worker owes to itself."""
    delivery.run_jobs(station())


@app.task(name="patrol.beat")  # type: ignore[untyped-decorator]
def beat() -> None:
    """Liveness: a worker was seen."""
    with station().work(SYSTEM) as work:
        delivery.beat(work, hands.name())


@app.task(name="patrol.anchor")  # type: ignore[untyped-decorator]
def anchor() -> None:
    """Chain heads leave the house."""
    followup.anchor(station())


@app.task(name="patrol.tidy")  # type: ignore[untyped-decorator]
def tidy() -> None:
    """What nobody looks at any more is forgotten."""
    with station().work(SYSTEM) as work:
        delivery.tidy(work)


@app.task(name="patrol.retain")  # type: ignore[untyped-decorator]
def retain() -> None:
    """What informants gave is erased when its days are over."""
    retention.retain(station())
