"""Fishing events: what was seen, who was warned when, and how long it took until somebody took notice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from patrol import models as m
from patrol.queries.words import person_name, shown
from patrol.rules.rights import sees_fishing, view_of
from patrol.station import Work

LATELY = timedelta(days=30)
MOST = 500


def listing(look: Work, *, only_open: bool = False) -> list[dict[str, Any]]:
    """The events of the last thirty days in scope, newest first; only those nobody has taken notice of, if asked."""
    query = (
        select(m.Episode, m.Sighting)
        .outerjoin(m.Sighting, m.Sighting.id == m.Episode.sighting_id)
        .where(m.Episode.warned_at.is_not(None), m.Episode.last_at > look.now - LATELY)
        .order_by(m.Episode.id.desc())
        .limit(MOST)
    )
    if only_open:
        query = query.where(m.Episode.acknowledged_at.is_(None))
    return [
        view(look, episode)
        for episode, sighting in look.session.execute(query)
        if sees_fishing(look.actor.roles, look.actor.grids, sighting.grid if sighting else None)
    ]


def view(look: Work, row: m.Episode) -> dict[str, Any]:
    """One event as lists and the banner show it."""
    sighting = look.session.get(m.Sighting, row.sighting_id) if row.sighting_id else None
    frame = _best_frame(look, row)
    after_s = (row.acknowledged_at - row.warned_at).total_seconds() if row.acknowledged_at and row.warned_at else None
    full = view_of(look.actor.roles) == "full"
    return {
        "episode": row.ref, "zone": row.zone, "kinds": row.state.get("kinds", []), "why": row.state.get("why", ""),
        "certain": row.state.get("certain", False), "score": row.state.get("score"), "lon": row.lon, "lat": row.lat,
        "ce90_m": row.state.get("ce90_m"), "frames": row.frames, "first_at": shown(row.first_at),
        "last_at": shown(row.last_at), "warned_at": shown(row.warned_at),
        "acknowledged_at": shown(row.acknowledged_at), "acknowledged_after_s": after_s,
        "acknowledged_by": person_name(look, row.acknowledged_by) if full else None,
        "clue": sighting.ref if sighting else None, "clue_state": sighting.state if sighting else None,
        "issue": _number(look, sighting), "flight": frame[0] if frame else None, "frame": frame[1] if frame else None,
        "detection": frame[2] if frame else None,
    }  # fmt: skip


def _best_frame(look: Work, row: m.Episode) -> tuple[str, str, str] | None:
    """Flight, frame and detection that show it best."""
    found = look.session.execute(
        select(m.Flight.ref, m.Frame.ref, m.Detection.ref)
        .join(m.Frame, m.Frame.flight_id == m.Flight.id)
        .join(m.Detection, m.Detection.frame_id == m.Frame.id)
        .where(m.Detection.episode_id == row.id)
        .order_by(m.Detection.score.desc(), m.Detection.id)
        .limit(1)
    ).first()
    return (found[0], found[1], found[2]) if found is not None else None


def _number(look: Work, sighting: m.Sighting | None) -> str | None:
    issue = look.session.get(m.Issue, sighting.issue_id) if sighting and sighting.issue_id else None
    return issue.number if issue else None
