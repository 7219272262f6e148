"""Worker jobs: errands that go to no group. One that raises is parked by the ladder, shown and told."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

import structlog
from sqlalchemy import select

from patrol import models as m
from patrol.actions import slips
from patrol.actions.delivery.due import claimable, lease, served, stick
from patrol.errors import PatrolError
from patrol.gateways.pace import MAX_TRIES, RETRY_LADDER_S
from patrol.station import SYSTEM, Station

JOB_TRIES = min(MAX_TRIES, 5)
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


def run_jobs(station: Station) -> int:
    """Run the worker jobs that are due, one at a time."""
    done = 0
    while (errand := _claim_job(station)) is not None:
        run_errand(station, errand)
        done += 1
    return done


def _claim_job(station: Station) -> m.Errand | None:
    with station.work(SYSTEM) as work:
        if served(work, None):
            return None
        due = select(m.Errand).where(m.Errand.group.is_(None), claimable(work.now))
        query = due.order_by(m.Errand.id).limit(1)
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
    try:
        JOBS[name](station, errand)
        error = ""
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
        else:
            row.state, row.last_error = "due", error[:500]
            row.due_at = work.now + timedelta(seconds=RETRY_LADDER_S[row.tries])
