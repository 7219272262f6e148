"""Walks along the river (巡河): a patrol a phone kept as stretches of bank, taken in and measured once.

Only what was walked between start and stop comes here, and no points. Times and stretches are claims: what looks like
a drive or does not add up is kept with a warning, never counted silently and never refused.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from geodata import walks
from patrol import models as m
from patrol.errors import BadInput, Clash, Fault, Refused
from patrol.station import Work

FASTEST_M_S = 3.5  # a run; more is a ride
OLDEST = timedelta(days=30)
LONGEST = timedelta(hours=16)
AHEAD = timedelta(minutes=5)


@dataclass(frozen=True)
class Stretch:
    """A piece of one bank walked without a gap."""

    bank: str
    from_m: float
    to_m: float
    seconds: float

    @property
    def metres(self) -> float:
        return abs(self.to_m - self.from_m)


@dataclass(frozen=True)
class Walked:
    """What a phone says of one patrol."""

    client_id: str
    started_at: datetime
    stopped_at: datetime
    stretches: Sequence[Stretch]
    gaps: Sequence[tuple[float, str]]  # seconds, why


def take(work: Work, said: Walked) -> m.Walk:
    """The walk as it is kept; the same one again is the same row."""
    if work.actor.person_id is None:
        raise Refused("先登录才能记巡河。")
    work.only_one(f"walk:{work.actor.person_id}:{said.client_id}")
    before = work.session.scalar(
        select(m.Walk).where(m.Walk.person_id == work.actor.person_id, m.Walk.client_id == said.client_id)
    )
    stretches = [
        {"bank": one.bank, "from_m": round(one.from_m, 1), "to_m": round(one.to_m, 1), "seconds": round(one.seconds)}
        for one in said.stretches
    ]
    if before is not None:
        if before.stretches != stretches or before.started_at != said.started_at:
            raise Clash()
        return before
    _check(work, said)
    row = m.Walk(
        ref=str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)), client_id=said.client_id,
        person_id=work.actor.person_id, started_at=said.started_at, stopped_at=said.stopped_at, received_at=work.now,
        stretches=stretches, gaps=[{"seconds": round(seconds), "why": why} for seconds, why in said.gaps],
        metres=round(sum(one.metres for one in said.stretches), 1),
        by_grid=walks.walked(work.place, [(one.bank, one.from_m, one.to_m) for one in counted(said.stretches)]),
        warnings=_warnings(said),
    )  # fmt: skip
    work.session.add(row)
    work.session.flush()
    work.tell("walked", subject=f"walk:{row.id}", metres=row.metres, grids=row.by_grid, warnings=row.warnings)
    return row


def counted(stretches: Sequence[Stretch]) -> list[Stretch]:
    """The stretches at a walker's pace: a ride along the river is no patrol."""
    return [one for one in stretches if one.metres <= FASTEST_M_S * max(one.seconds, 1.0)]


def _check(work: Work, said: Walked) -> None:
    length_m = work.place.river.length_m if work.place.river is not None else 0.0
    faults = []
    if said.stopped_at < said.started_at or said.stopped_at - said.started_at > LONGEST:
        faults.append(Fault("/stopped_at", "times", "结束要在开始之后，一次巡河不超过 16 小时。"))
    if said.started_at > work.now + AHEAD or said.started_at < work.now - OLDEST:
        faults.append(Fault("/started_at", "times", "开始时间要在最近 30 天内，请核对手机的钟。"))
    for index, one in enumerate(said.stretches):
        if not (0 <= one.from_m <= length_m + 1 and 0 <= one.to_m <= length_m + 1):
            faults.append(Fault(f"/stretches/{index}", "chainage", f"桩号要在 0 到 {length_m:.0f} 米之间。"))
    if faults:
        raise BadInput(faults)


def _warnings(said: Walked) -> list[str]:
    warnings = []
    if len(counted(said.stretches)) < len(said.stretches):
        warnings.append("too_fast")
    whole_s = (said.stopped_at - said.started_at).total_seconds()
    if sum(one.seconds for one in said.stretches) > whole_s + 60:
        warnings.append("times_do_not_add_up")
    return warnings


def as_json(row: m.Walk) -> dict[str, Any]:
    """A walk as its person and the office see it."""
    return {
        "walk": row.ref, "started_at": row.started_at.isoformat(), "stopped_at": row.stopped_at.isoformat(),
        "metres": row.metres, "by_grid": row.by_grid, "stretches": row.stretches, "breaks": row.gaps,
        "warnings": row.warnings,
    }  # fmt: skip
