"""Worker jobs: errands that go to no group. One that raises is parked by the ladder, shown and told."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import timedelta

import structlog
from sqlalchemy import select

from patrol import models as m
from patrol.actions import slips
from patrol.actions.delivery.due import claimable, lease, served, stick
from patrol.actions.flights import effects, reading, settle
from patrol.errors import PatrolError
from patrol.gateways.pace import MAX_TRIES, RETRY_LADDER_S
from patrol.station import SYSTEM, Station

JOB_TRIES = min(MAX_TRIES, 5)
RUN_S = 30.0  # one run of a worker: well under its own time limit; the next tick goes on
log = structlog.get_logger("patrol.delivery")

JOBS: dict[str, Callable[[Station, m.Errand], None]] = {}


def _job(name: str) -> Callable[[Callable[[Station, m.Errand], None]], Callable[[Station, m.Errand], None]]:
    def keep(run: Callable[[Station, m.Errand], None]) -> Callable[[Station, m.Errand], None]:
        JOBS[name] = run
        return run

    return keep


@_job("print")
def _print(station: Station, errand: m.Errand) -> None:
    if errand.slip_id is not None:
        slips.print_slip(station, errand.slip_id)


@_job("read_frame")
def _read_frame(station: Station, errand: m.Errand) -> None:
    reading.read_frame(station, int(errand.facts["frame"]))


@_job("settle_flight")
def _settle_flight(station: Station, errand: m.Errand) -> None:
    settle.settle_flight(station, int(errand.facts["flight"]))


@_job("plan_effects")
def _plan_effects(station: Station, errand: m.Errand) -> None:
    effects.plan_effects(station, int(errand.facts["flight"]))


@_job("reckon_effect")
def _reckon_effect(station: Station, errand: m.Errand) -> None:
    facts = errand.facts
    effects.reckon_effect(station, int(facts["about"]), int(facts["before"]), int(facts["after"]))


def run_jobs(station: Station, budget_s: float = RUN_S) -> int:
    """Run the worker jobs that are due, one at a time, until none is left or `budget_s` seconds are used."""
    done, until = 0, time.monotonic() + budget_s
    while time.monotonic() < until and (errand := _claim_job(station)) is not None:
        run_errand(station, errand)
        done += 1
    return done


def _claim_job(station: Station) -> m.Errand | None:
    with station.work(SYSTEM) as work:
        if served(work, None):
            return None
        due = select(m.Errand).where(m.Errand.group.is_(None), claimable(work.now))
        query = due.order_by(m.Errand.urgent.desc(), m.Errand.id).limit(1)
        if work.dialect == "postgresql":
            query = query.with_for_update(skip_locked=True)
        errand = work.session.scalar(query)
        if errand is None:
            return None
        errand.state, errand.claim = "claimed", str(uuid.uuid4())
        errand.lease_until = work.now + 2 * lease(work)
        errand.tries += 1
        return errand


def run_errand(station: Station, errand: m.Errand) -> None:
    """Run one claimed job. Whatever it raises parks the errand by the ladder; the others go on."""
    name = errand.handler.removeprefix("job:")
    error = ""
    try:
        if errand.tries > JOB_TRIES:  # it took its workers with it each time
            error = "worker_lost"
        else:
            JOBS[name](station, errand)
    except PatrolError as refused:
        error = refused.sentence
    except Exception as crash:  # one poisoned errand must not stop the rest; it is parked, shown and told
        log.exception("errand_failed", errand=errand.id, handler=errand.handler)
        error = f"{type(crash).__name__}"
    with station.work(SYSTEM) as work:
        row = work.session.get(m.Errand, errand.id)
        if row is None or row.claim != errand.claim:
            return
        row.claim = row.lease_until = None
        if not error:
            row.state, row.done_at, row.last_error = "done", work.now, ""
        elif row.tries >= JOB_TRIES:
            row.last_error = error[:500]
            stick(work, row)
            if name == "read_frame":
                reading.give_up(work, int(row.facts["frame"]), error)
        else:
            row.state, row.last_error = "due", error[:500]
            row.due_at = work.now + timedelta(seconds=RETRY_LADDER_S[row.tries])
