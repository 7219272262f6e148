"""Whether the work gets done: age of the oldest due row, when a worker was last seen, what is stuck."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from patrol import models as m
from patrol.station import Work

PATIENCE = timedelta(seconds=30)
PROBE = "web-probe"


def work(look: Work) -> dict[str, Any]:
    """What `/health/work` answers; the supervisor and the desk read the same."""
    seen = look.session.scalar(select(func.max(m.Beat.at)).where(m.Beat.worker != PROBE))
    # an import of a thousand frames may take its time; whether anybody works at it shows in the beat
    bulk = m.Errand.event != "frame_received"
    owed = select(func.min(m.Errand.due_at)).where(m.Errand.state == "due", bulk, _not_resting(look))
    errand = look.session.scalar(owed)
    clock = look.session.scalar(select(func.min(m.Clock.next_at)))
    stuck = look.session.scalar(select(func.count(m.Errand.id)).where(m.Errand.state == "stuck")) or 0
    oldest = min((at for at in (errand, clock) if at is not None and at <= look.now), default=None)
    late_s = (look.now - oldest).total_seconds() if oldest else 0.0
    alive = seen is not None and look.now - seen <= PATIENCE
    return {
        "working": alive and late_s <= PATIENCE.total_seconds(), "oldest_due_s": round(late_s, 1),
        "worker_seen_s": round((look.now - seen).total_seconds(), 1) if seen else None, "stuck": stuck,
    }  # fmt: skip


def _not_resting(look: Work) -> Any:
    """Errands of a group whose robot rests by the vendor's own word are not the worker's fault; nor is the pace."""
    resting = select(m.Channel.group).where((m.Channel.rests_until > look.now) | m.Channel.stopped)
    minute = look.now - timedelta(seconds=70)
    paced = (
        select(m.Send.group)
        .where(m.Send.at > minute)
        .group_by(m.Send.group)
        .having(func.count() >= max(1, look.settings.robot_pace // 2))
    )
    # a robot that is slow but being spoken to right now holds its group; that is work getting done
    held = select(m.Errand.group).where(
        m.Errand.state == "claimed", m.Errand.lease_until > look.now, m.Errand.group.is_not(None)
    )
    free = m.Errand.group.not_in(resting) & m.Errand.group.not_in(paced) & m.Errand.group.not_in(held)
    return m.Errand.group.is_(None) | free


def probe(work: Work) -> None:
    """A write that is kept: the web's own beat."""
    row = work.session.get(m.Beat, PROBE)
    if row is None:
        row = m.Beat(worker=PROBE, at=work.now)
        work.session.add(row)
    row.at = work.now
