"""How long a frame takes from its arrival to the group that hears of it, stage by stage, with p50 and p95.

The robot's receipt is the last stage: it stands on the errand that carried the card.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from patrol import models as m
from patrol.errors import Missing
from patrol.queries.words import shown
from patrol.station import Work

STAGES: dict[str, str] = {
    "wait": "等候", "look": "识别", "keep": "入库", "told": "到成线索", "pushed": "到机器人回执",
}  # fmt: skip
MOST = 5000
_CARDS = ("fishing_clue", "clue_waits", "reported")


def of_flight(look: Work, ref: str) -> dict[str, Any]:
    """The stages of a flight's frames that were read: each frame's, and p50 and p95 over all of them, in seconds."""
    flight = look.session.scalar(select(m.Flight).where(m.Flight.ref == ref))
    if flight is None:
        raise Missing("没有这个航次。")
    query = select(m.Frame).where(m.Frame.flight_id == flight.id, m.Frame.state == "read").order_by(m.Frame.id)
    frames = list(look.session.scalars(query.limit(MOST)))
    pushed, told = _pushed(look, flight)
    rows = [_row(frame, told.get(frame.sha256[:16]), pushed.get(frame.sha256[:16])) for frame in frames]
    return {
        "flight": ref, "stages": STAGES, "frames": rows,
        "spread": {stage: spread([row["seconds"][stage] for row in rows]) for stage in STAGES},
    }  # fmt: skip


def spread(values: Sequence[float | None]) -> dict[str, Any]:
    """Count, p50 and p95 of seconds; None where nothing was measured.

    >>> spread([1.0, None, 3.0, 2.0])
    {'count': 3, 'p50_s': 2.0, 'p95_s': 3.0}
    """
    known = sorted(value for value in values if value is not None)
    if not known:
        return {"count": 0, "p50_s": None, "p95_s": None}
    return {"count": len(known), **{f"p{share}_s": round(known[_rank(share, len(known))], 3) for share in (50, 95)}}


def _rank(percent: int, count: int) -> int:
    """The nearest rank: the least value that at least so many percent do not exceed."""
    return max(0, -(-percent * count // 100) - 1)


def _row(frame: m.Frame, told_at: datetime | None, pushed_at: datetime | None) -> dict[str, Any]:
    facts = frame.facts
    started = datetime.fromisoformat(facts["started_at"]) if "started_at" in facts else None
    return {
        "frame": frame.ref, "received_at": shown(frame.received_at), "told_at": shown(told_at),
        "pushed_at": shown(pushed_at),
        "seconds": {
            "wait": _since(frame.received_at, started), "look": facts.get("looked_s"), "keep": facts.get("kept_s"),
            "told": _since(frame.received_at, told_at), "pushed": _since(frame.received_at, pushed_at),
        },
    }  # fmt: skip


def _since(begun: datetime, ended: datetime | None) -> float | None:
    return round((ended - begun).total_seconds(), 4) if ended is not None else None


def _pushed(look: Work, flight: m.Flight) -> tuple[dict[str, datetime], dict[str, datetime]]:
    """First receipt of a card about what a frame showed, and when it became a sighting; by the frame's short digest."""
    query = select(m.Sighting.id, m.Sighting.frame, m.Sighting.received_at).where(m.Sighting.flight == flight.ref)
    frame_of: dict[int, str] = {}
    told: dict[str, datetime] = {}
    for number, frame, at in look.session.execute(query):
        if frame:
            frame_of[number], told[frame] = frame, min(at, told.get(frame, at))
    pushed: dict[str, datetime] = {}
    if not frame_of:
        return pushed, told
    errands = select(m.Errand.facts, m.Errand.done_at).where(
        m.Errand.event.in_(_CARDS), m.Errand.group.is_not(None), m.Errand.done_at.is_not(None),
        m.Errand.made_at >= flight.opened_at,
    )  # fmt: skip
    for facts, at in look.session.execute(errands):
        frame = frame_of.get(facts.get("sighting"))
        if frame is not None and at is not None:
            pushed[frame] = min(at, pushed.get(frame, at))
    return pushed, told
