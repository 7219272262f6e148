"""Things that wait for a person's eyes: what recognition found, what it rests on, and what became of it.

A thing waits while nobody was told of it (`new`), or while the clue it became waits.
"""

from __future__ import annotations

import math
from typing import Any

from sqlalchemy import ColumnElement, func, select

from patrol import models as m
from patrol.errors import Missing
from patrol.queries.flights import detections
from patrol.queries.words import on_river, person_name, shown
from patrol.rules import flights as law
from patrol.rules.calendar import SHANGHAI
from patrol.rules.lifecycle import DISCARD_REASONS
from patrol.rules.problems import PROBLEMS
from patrol.station import Work

MOST = 200
SAME_WITHIN_M = 200.0  # other waiting things of the kind and round that are offered for joining
MOST_NEAR = 6


def waiting(look: Work, most: int = MOST) -> list[dict[str, Any]]:
    """Waiting things: fishing first (it moves away), then the surest first."""
    query = (
        _join(select(m.Thing, m.Round.no, m.Sighting))
        .where(_waits())
        .order_by((m.Thing.kind == "illegal_fishing").desc(), m.Thing.score.desc(), m.Thing.id)
        .limit(most)
    )
    return [_row(look, thing, no, sighting) for thing, no, sighting in look.session.execute(query)]


def count(look: Work) -> int:
    return look.session.scalar(_join(select(func.count(m.Thing.id))).where(_waits())) or 0


def one(look: Work, ref: str) -> dict[str, Any]:
    """One thing with every detection of it, what may be the same, and who settled it when somebody did."""
    found = look.session.execute(_join(select(m.Thing, m.Round.no, m.Sighting)).where(m.Thing.ref == ref)).first()
    if found is None:
        raise Missing("没有这个疑点。")
    thing, no, sighting = found
    issue = look.session.get(m.Issue, sighting.issue_id) if sighting and sighting.issue_id else None
    into = look.session.get(m.Thing, thing.merged_into) if thing.merged_into else None
    return {
        **_row(look, thing, no, sighting), "waits": _still(thing, sighting), "detections": _seen(look, thing),
        "near": _near(look, thing), "clue": sighting.ref if sighting else None, "issue": issue.number if issue else None,
        "into": into.ref if into else None, "settled": _settled(look, thing, sighting, issue),
        "first_at": shown(thing.first_at), "last_at": shown(thing.last_at),
    }  # fmt: skip


def _join(query: Any) -> Any:
    return query.join(m.Round, m.Round.id == m.Thing.round_id).outerjoin(
        m.Sighting, m.Sighting.id == m.Thing.sighting_id
    )


def _waits() -> ColumnElement[bool]:
    told = (m.Thing.state == "reported") & (m.Sighting.state == "waiting")
    return (m.Thing.state == "new") | told


def _still(thing: m.Thing, sighting: m.Sighting | None) -> bool:
    return thing.state == "new" or (thing.state == "reported" and sighting is not None and sighting.state == "waiting")


def _row(look: Work, thing: m.Thing, no: int, sighting: m.Sighting | None) -> dict[str, Any]:
    return {
        "thing": thing.ref, "kind": thing.kind, "kind_zh": PROBLEMS[thing.kind].zh, "score": round(thing.score, 3),
        "frames": thing.frames, "round": no, "state": thing.state, "state_zh": law.THING_STATES[thing.state],
        "why": thing.why, "area_m2": thing.area_m2, "ce90_m": thing.ce90_m, "lon": thing.lon, "lat": thing.lat,
        "place": on_river(look, thing.lon, thing.lat),
        "at": thing.last_at.astimezone(SHANGHAI).strftime("%m-%d %H:%M"), "told": sighting is not None,
    }  # fmt: skip


def _seen(look: Work, thing: m.Thing) -> list[dict[str, Any]]:
    """Every detection of a thing, the surest first, with the frame and the flight that showed it."""
    return sorted(detections(look, thing_id=thing.id), key=lambda each: -each["score"])


def _near(look: Work, thing: m.Thing) -> list[dict[str, Any]]:
    """Other waiting things of the same kind and round close by, nearest first."""
    query = _join(select(m.Thing)).where(
        _waits(), m.Thing.id != thing.id, m.Thing.kind == thing.kind, m.Thing.round_id == thing.round_id
    )
    near = [(_away_m(thing, other), other) for other in look.session.scalars(query)]
    return [
        {"thing": other.ref, "distance_m": round(away), "score": round(other.score, 2), "frames": other.frames,
         "area_m2": other.area_m2}
        for away, other in sorted(near, key=lambda pair: pair[0])[:MOST_NEAR] if away <= SAME_WITHIN_M
    ]  # fmt: skip


def _away_m(one: m.Thing, other: m.Thing) -> float:
    east = (other.lon - one.lon) * 111_320 * math.cos(math.radians(one.lat))
    return math.hypot(east, (other.lat - one.lat) * 110_850)


def _settled(look: Work, thing: m.Thing, sighting: m.Sighting | None, issue: m.Issue | None) -> dict[str, Any] | None:
    """Who settled a thing, when and how; None while it waits."""
    if _still(thing, sighting):
        return None
    subjects = [f"thing:{thing.id}", *([f"clue:{sighting.id}"] if sighting else [])]
    events = ("thing_dismissed", "thing_merged", "clue_confirmed", "clue_joined", "clue_discarded")
    line = look.session.scalars(
        select(m.Trail)
        .where(m.Trail.subject.in_(subjects), m.Trail.event.in_(events))
        .order_by(m.Trail.id.desc())
        .limit(1)
    ).first()
    person = thing.reviewer_id or (line.person_id if line else None)
    at = line.at if line else None
    return {
        "who": person_name(look, person) or "系统", "what": _what(thing, issue),
        "at": at.astimezone(SHANGHAI).strftime("%m-%d %H:%M") if at else "",
    }  # fmt: skip


def _what(thing: m.Thing, issue: m.Issue | None) -> str:
    if thing.state == "merged":
        return "并入了另一个疑点。"
    if thing.state == "dismissed":
        return f"排除了：{DISCARD_REASONS.get(thing.why, '系统判为误报')}。"
    return f"认定属实，成了 {issue.number}。" if issue else "已经定过了。"
