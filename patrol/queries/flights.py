"""What is known of rounds and flights: how far a reading has come, what was covered, what waits for review."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from patrol import models as m
from patrol.errors import Missing
from patrol.queries.words import shown
from patrol.rules import flights as law
from patrol.rules.calendar import SHANGHAI
from patrol.station import Work

LEAST_FOR_ETA = 3


def rounds(look: Work) -> list[dict[str, Any]]:
    """Every round, newest first, with its state, coverage and flights."""
    today = look.now.astimezone(SHANGHAI).date()
    flown = set(look.session.scalars(select(m.Flight.round_id).where(m.Flight.state == "settled")))
    areas: dict[int, list[m.Coverage]] = {}
    for row in look.session.scalars(select(m.Coverage).order_by(m.Coverage.area)):
        areas.setdefault(row.round_id, []).append(row)
    found = []
    for each in look.session.scalars(select(m.Round).order_by(m.Round.no.desc())):
        state = law.round_state(each.due_on, each.id in flown, today)
        found.append({
            "round": each.no, "due_on": each.due_on.isoformat() if each.due_on else None, "state": state,
            "coverage": [area_view(row) for row in areas.get(each.id, [])], "words": each.words,
        })  # fmt: skip
    return found


def overdue(look: Work) -> list[m.Round]:
    """Rounds past their due date with no settled flight: the desk shows them."""
    today = look.now.astimezone(SHANGHAI).date()
    flown = select(m.Flight.round_id).where(m.Flight.state == "settled")
    late = select(m.Round).where(m.Round.due_on < today, m.Round.id.not_in(flown)).order_by(m.Round.due_on)
    return list(look.session.scalars(late))


def last_flown(look: Work) -> int | None:
    """The newest round of which a flight has been read through: what a map can be laid with."""
    query = select(func.max(m.Round.no)).join(m.Flight, m.Flight.round_id == m.Round.id)
    return look.session.scalar(query.where(m.Flight.state == "settled"))


def area_view(row: m.Coverage) -> dict[str, Any]:
    """One key area's coverage, with its sentence; the percent never says 100 while a gap is left."""
    return {
        "area": row.area, "area_m2": round(row.area_m2, 1), "seen": row.seen, "seen_twice": row.seen_twice,
        "complete": row.complete, "percent": law.percent(row.seen, row.complete) if row.seen is not None else None,
        "gaps": row.gaps, "unflyable_m2": row.unflyable_m2, "words": row.words,
    }  # fmt: skip


def flights(look: Work, round_no: int | None = None, most: int = 200) -> list[dict[str, Any]]:
    """Flights, newest first, each with how far its reading has come."""
    query = select(m.Flight, m.Round.no).join(m.Round).order_by(m.Flight.id.desc()).limit(most)
    if round_no is not None:
        query = query.where(m.Round.no == round_no)
    return [_flight(look, flight, no) for flight, no in look.session.execute(query)]


def flight(look: Work, ref: str) -> dict[str, Any]:
    """One flight with its frames and what was found on it."""
    row = look.session.execute(select(m.Flight, m.Round.no).join(m.Round).where(m.Flight.ref == ref)).first()
    if row is None:
        raise Missing("没有这个航次。")
    frames = look.session.scalars(select(m.Frame).where(m.Frame.flight_id == row[0].id).order_by(m.Frame.id)).all()
    issues = look.session.scalars(
        select(m.Issue.number).join(m.Sighting, m.Sighting.issue_id == m.Issue.id)
        .where(m.Sighting.flight == ref).distinct().order_by(m.Issue.number)
    ).all()  # fmt: skip
    return {**_flight(look, row[0], row[1]), "frames": [frame_view(each) for each in frames], "issues": list(issues)}


def flight_state(look: Work, ref: str) -> dict[str, Any]:
    """State and progress of a flight, cheap enough to ask every second."""
    row = look.session.scalar(select(m.Flight).where(m.Flight.ref == ref))
    if row is None:
        raise Missing("没有这个航次。")
    return {"flight": ref, "state": row.state, **progress(look, row.id)}


def progress(look: Work, flight_id: int) -> dict[str, Any]:
    """Percent, counts and the seconds left, from the pace of the frames read so far."""
    per_state = select(m.Frame.state, func.count(m.Frame.id)).where(m.Frame.flight_id == flight_id)
    counts: dict[str, int] = {}
    for state, count in look.session.execute(per_state.group_by(m.Frame.state)):
        counts[state] = count
    total, left = sum(counts.values()), counts.get("due", 0)
    done = total - left
    first, last, read = look.session.execute(
        select(func.min(m.Frame.read_at), func.max(m.Frame.read_at), func.count(m.Frame.read_at)).where(
            m.Frame.flight_id == flight_id
        )
    ).one()
    return {
        "total": total, "done": done, "parked": counts.get("parked", 0),
        "percent": round(100 * done / total, 1) if total else 0.0, "eta_s": _eta_s(first, last, read, left),
    }  # fmt: skip


def _eta_s(first: datetime | None, last: datetime | None, read: int, left: int) -> float | None:
    if not left:
        return 0.0
    if first is None or last is None or read < LEAST_FOR_ETA:
        return None
    return round((last - first).total_seconds() / (read - 1) * left, 1)


def _flight(look: Work, row: m.Flight, no: int) -> dict[str, Any]:
    things = select(m.Detection.thing_id).join(m.Frame).where(m.Frame.flight_id == row.id).distinct()
    late_s = (row.received_at - row.landed_at).total_seconds() if row.received_at and row.landed_at else None
    return {
        "flight": row.ref, "round": no, "source": row.source, "state": row.state, "approval": row.approval,
        "drone": row.drone, "pilot": row.pilot, "zone": row.zone,
        "planned_on": row.planned_on.isoformat() if row.planned_on else None, "opened_at": shown(row.opened_at),
        "received_at": shown(row.received_at), "landed_at": shown(row.landed_at), "settled_at": shown(row.settled_at),
        "late": late_s is not None and late_s > law.INGEST_LATE_M * 60, "warnings": row.warnings,
        "progress": progress(look, row.id),
        "things": look.session.scalar(select(func.count()).select_from(things.subquery())) or 0,
    }  # fmt: skip


def frame_view(row: m.Frame) -> dict[str, Any]:
    """One frame as lists and the map show it."""
    return {
        "frame": row.ref, "name": row.name, "kind": row.kind, "state": row.state, "error": row.error,
        "sha256": row.sha256, "bytes": row.bytes, "taken_at": shown(row.taken_at), "taken_words": row.taken_words,
        "lon": row.lon, "lat": row.lat, "method": row.method, "footprint": row.footprint,
        "ce90_m": row.footprint_ce90_m, "faults": row.faults, "facts": row.facts,
    }  # fmt: skip


def detection_on(look: Work, frame: m.Frame, ref: str) -> m.Detection:
    """One detection of a frame."""
    row = look.session.scalar(select(m.Detection).where(m.Detection.ref == ref, m.Detection.frame_id == frame.id))
    if row is None:
        raise Missing("这张航片上没有这个识别。")
    return row


def detections(look: Work, flight_ref: str | None = None, thing_id: int | None = None) -> list[dict[str, Any]]:
    """Everything recognised on a flight, or of a thing, with the thing (or the fishing event) each belongs to and the
    clue or issue that became."""
    query = (
        select(m.Detection, m.Thing, m.Frame.ref, m.Flight.ref, m.Sighting, m.Issue.number, m.Episode.ref)
        .join(m.Frame, m.Frame.id == m.Detection.frame_id)
        .join(m.Flight, m.Flight.id == m.Frame.flight_id)
        .outerjoin(m.Thing, m.Thing.id == m.Detection.thing_id)
        .outerjoin(m.Episode, m.Episode.id == m.Detection.episode_id)
        .outerjoin(m.Sighting, m.Sighting.id == func.coalesce(m.Thing.sighting_id, m.Episode.sighting_id))
        .outerjoin(m.Issue, m.Issue.id == m.Sighting.issue_id)
        .order_by(m.Detection.id)
    )
    if flight_ref is not None:
        query = query.where(m.Flight.ref == flight_ref)
    if thing_id is not None:
        query = query.where(m.Thing.id == thing_id)
    return [
        {
            "detection": each.ref, "thing": thing.ref if thing else None, "flight": flown, "frame": frame,
            "kind": each.kind, "score": round(each.score, 4),
            "by": each.by, "lon": each.lon, "lat": each.lat, "ce90_m": each.ce90_m, "outline": each.outline,
            "area_m2": each.area_m2, "box": each.box, "facts": each.facts, "warnings": each.warnings,
            "thing_state": thing.state if thing else None, "frames": thing.frames if thing else 1, "episode": event,
            "clue": sighting.ref if sighting else None,
            "clue_state": sighting.state if sighting else None, "issue": number,
        }
        for each, thing, frame, flown, sighting, number, event in look.session.execute(query)
    ]  # fmt: skip
