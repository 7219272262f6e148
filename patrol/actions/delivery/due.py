"""Which errands are due and whose: claims, leases, what is stuck, and the little that is forgotten in time.

The database is the queue: what a worker does next follows from these rows alone. Must not call anybody.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, func, or_, select, update

from patrol import models as m
from patrol.gateways.pace import CALL_LIMIT_S
from patrol.station import Work

JOBS_AT_ONCE = 2
KEEP_SENDS = timedelta(hours=1)
KEEP_BEATS = timedelta(days=1)


def lease(work: Work) -> timedelta:
    """How long a claim holds: three of the slowest calls. So long does a killed worker keep its errands."""
    return timedelta(seconds=3 * max(CALL_LIMIT_S, work.settings.robot_wait_s))


def due_groups(work: Work) -> list[str | None]:
    """The groups (None: worker jobs) that have something due now and that nobody is serving."""
    due = work.session.scalars(select(m.Errand.group).where(claimable(work.now)).distinct())
    return [group for group in sorted(due, key=lambda group: group or "") if not served(work, group)]


def served(work: Work, group: str | None) -> bool:
    """Whether a live claim says that a worker is at it: one a robot, a few for jobs."""
    live = (m.Errand.state == "claimed", m.Errand.lease_until > work.now)
    if group is not None:
        one = select(m.Errand.id).where(m.Errand.group == group, *live).limit(1)
        return work.session.scalar(one) is not None
    jobs = select(func.count(m.Errand.id)).where(m.Errand.group.is_(None), *live)
    return (work.session.scalar(jobs) or 0) >= JOBS_AT_ONCE


def claimable(now: datetime) -> Any:
    lapsed = and_(m.Errand.state == "claimed", m.Errand.lease_until <= now)
    return or_(and_(m.Errand.state == "due", m.Errand.due_at <= now), lapsed)


def stick(work: Work, errand: m.Errand) -> None:
    errand.state = "stuck"
    if errand.handler == "card:stuck":
        return  # the alarm about a stuck errand does not raise one about itself
    issue = work.session.get(m.Issue, errand.issue_id) if errand.issue_id else None
    if issue is not None:
        work.session.refresh(issue, with_for_update=True)
    work.tell("errand_stuck", issue, errand=errand.id, group=errand.group, card=errand.handler,
              tries=errand.tries, why=errand.last_error)  # fmt: skip


def release_orphans(work: Work) -> int:
    """A lone worker has just started: whatever is still claimed was claimed by one that died."""
    rows = work.session.execute(
        update(m.Errand).where(m.Errand.state == "claimed").values(state="due", claim=None, lease_until=None)
    )
    return int(getattr(rows, "rowcount", 0))


def tidy(work: Work) -> None:
    """Forget sends that no pace looks at any more, and workers that are long gone."""
    work.session.execute(delete(m.Send).where(m.Send.at < work.now - KEEP_SENDS))
    work.session.execute(delete(m.Beat).where(m.Beat.at < work.now - KEEP_BEATS))


def beat(work: Work, worker: str) -> None:
    """A worker says that it is here."""
    row = work.session.get(m.Beat, worker)
    if row is None:
        row = m.Beat(worker=worker, at=work.now)
        work.session.add(row)
    row.at = work.now


def owed(work: Work) -> int:
    """How many errands are due now."""
    return work.session.scalar(select(func.count(m.Errand.id)).where(claimable(work.now))) or 0
