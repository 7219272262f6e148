"""What the desk says of the sky before anything else: rounds past their day, fishing nobody has answered yet, and how
old the newest live frame is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from patrol import models as m
from patrol.queries import episodes
from patrol.queries.flights import overdue
from patrol.queries.words import on_river, shown
from patrol.rules.calendar import SHANGHAI
from patrol.station import Work

MOST_UNANSWERED = 5
LIVE_HOURS = 12  # an older live frame is no news


def rounds_due(look: Work) -> list[dict[str, Any]]:
    """Rounds that should have been flown, the longest overdue first."""
    today = look.now.astimezone(SHANGHAI).date()
    return [
        {"round": row.no, "due_on": row.due_on.isoformat(), "days": (today - row.due_on).days}
        for row in overdue(look)
        if row.due_on is not None
    ]


def unanswered(look: Work) -> list[dict[str, Any]]:
    """Fishing events in scope that were warned of and that nobody has acknowledged, newest first."""
    return [
        {
            **row,
            "place": on_river(look, row["lon"], row["lat"]),
            "age_s": _age_s(look, datetime.fromisoformat(row["warned_at"])),
        }
        for row in episodes.listing(look, only_open=True)[:MOST_UNANSWERED]
    ]


def latest_live(look: Work) -> dict[str, Any] | None:
    """The newest frame a live flight has sent, with its age in seconds; None when there was none lately."""
    since = look.now - timedelta(hours=LIVE_HOURS)
    row = look.session.execute(
        select(m.Frame, m.Flight.ref)
        .join(m.Flight)
        .where(m.Flight.live, m.Frame.kind.in_(("photo", "raster", "stack")), m.Frame.received_at >= since)
        .order_by(m.Frame.id.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    frame, flight = row
    at = frame.taken_at or frame.received_at
    return {
        "flight": flight, "frame": frame.ref, "at": shown(at), "age_s": _age_s(look, at),
        "state": frame.state, "src": f"/api/v1/flights/{flight}/frames/{frame.ref}.jpg?size=640",
    }  # fmt: skip


def _age_s(look: Work, at: datetime | None) -> int:
    return max(0, int((look.now - at).total_seconds())) if at is not None else 0
