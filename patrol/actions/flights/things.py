"""From detections to things, and from things to people: one thing over many frames is one clue, told once.

A detection is the same thing as one before it when their error ellipses allow it; two detections of one frame never
are. A thing is told when it is sure from one frame, seen by two, or when its flight has no more frames; what comes
of it then is `report()`'s to decide, as for every other sighting.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from sqlalchemy import and_, or_, select

from geodata.associate import Things
from geodata.frames.ellipse import ce90_m, ellipse_of
from geodata.things import Seen, Thing
from patrol import models as m
from patrol.actions import clues, report, siting
from patrol.actions.flights.found import Found
from patrol.actions.flights.register import new_ref
from patrol.actions.followup import stop_review
from patrol.actions.photos import Shot
from patrol.actions.report import Draft
from patrol.actions.ruleassign import assign_by_rule
from patrol.errors import BadInput
from patrol.rules import flights as law
from patrol.rules import recurrence
from patrol.rules.problems import PROBLEMS
from patrol.station import Work

REACH_M = 60.0
MOST_RANGES = 200  # of cells in one question; past it the whole round is read


def keep(work: Work, flight: m.Flight, frame: m.Frame, found: Sequence[Found]) -> list[m.Thing]:
    """The detections of one frame, each joined to a thing of its round or opening one; returns the things touched."""
    if not found:
        return []
    at = frame.taken_at or frame.received_at
    work.only_one(f"things:{flight.round_id}")
    near = _near(work, flight.round_id, found)
    known = Things(_as_thing(row, seen) for row, seen in near.values())
    numbers = known.add([_as_seen(each) for each in found], str(frame.id), at)
    grown = {thing.id: thing for thing in known.all()}
    rows: dict[int, m.Thing] = {}
    for each, number in zip(found, numbers, strict=True):
        rows[number] = near[number][0] if number in near else _opened(work, flight, each, at)
        _take(work, rows[number], grown[number], at)
    work.session.flush()
    for each, number in zip(found, numbers, strict=True):
        work.session.add(_detection(frame, rows[number], each, at))
    work.session.flush()
    return list(rows.values())


def tell(work: Work, flight: m.Flight, thing: m.Thing, shot: Shot | None, *, over: bool = False) -> m.Sighting | None:
    """Tell people of a thing when the law says so; a clue that has grown sure is confirmed by its score."""
    if thing.state == "new" and law.may_tell(thing.score, thing.frames, over=over):
        try:
            return _reported(work, flight, thing, shot)
        except BadInput as refused:  # not on our river: nobody's clue
            thing.state, thing.why = "dismissed", refused.faults[0].code[:32]
            return None
    if thing.state == "reported" and thing.sighting_id is not None:
        sighting = work.session.get(m.Sighting, thing.sighting_id)
        trusted = 1.0 if sighting is None or sighting.trust is None else sighting.trust
        sure = thing.score * trusted >= PROBLEMS[thing.kind].confirm_score
        if sighting is not None and sighting.state == "waiting" and sighting.why == "unsure" and sure:
            _grown_sure(work, thing, sighting)
        return sighting
    return None


def dismiss(work: Work, ref: str, reason: str, words: str = "") -> m.Thing:
    """A person says a thing is nothing. The place and kind are remembered against machines for a while."""
    thing = find(work, ref)
    if thing.state == "reported" and thing.sighting_id is not None:
        sighting = work.session.get_one(m.Sighting, thing.sighting_id)
        clues.discard(work, sighting.ref, reason, words)
    thing.state, thing.why, thing.reviewer_id = "dismissed", reason, work.actor.person_id
    work.tell("thing_dismissed", subject=f"thing:{thing.id}", ref=thing.ref, kind=thing.kind, reason=reason)
    return thing


def confirm(work: Work, ref: str, kind: str | None = None) -> clues.Settled:
    """A person says a thing is real: its clue is confirmed, after being told first if nobody had heard of it."""
    thing = find(work, ref)
    flight = work.session.scalars(
        select(m.Flight).where(m.Flight.round_id == thing.round_id).order_by(m.Flight.id.desc()).limit(1)
    ).one()
    if thing.state == "new":
        tell_anyway(work, flight, thing)
    sighting = work.session.get_one(m.Sighting, thing.sighting_id or 0)
    thing.reviewer_id = work.actor.person_id
    if sighting.state != "waiting":
        issue = work.session.get(m.Issue, sighting.issue_id) if sighting.issue_id else None
        return clues.Settled(sighting, issue, issue is not None)
    return clues.confirm(work, sighting.ref, kind)


def merge(work: Work, ref: str, into: str) -> m.Thing:
    """A person says two things are one: the first ends, its detections follow."""
    thing, other = find(work, ref), find(work, into)
    if thing.id == other.id or thing.kind != other.kind or thing.round_id != other.round_id:
        raise BadInput("只能把同一轮、同一种类的两个疑点并为一个。")
    for row in work.session.scalars(select(m.Detection).where(m.Detection.thing_id == thing.id)):
        row.thing_id = other.id
    other.frames += thing.frames
    other.score = max(other.score, thing.score)
    thing.state, thing.merged_into, thing.reviewer_id = "merged", other.id, work.actor.person_id
    if thing.sighting_id is not None and other.sighting_id is not None:
        mine, theirs = (work.session.get_one(m.Sighting, each) for each in (thing.sighting_id, other.sighting_id))
        if mine.state == "waiting" and theirs.issue_id is not None:
            clues.join(work, mine.ref, work.session.get_one(m.Issue, theirs.issue_id).number)
        elif mine.state == "waiting":
            clues.discard(work, mine.ref, "already_handled", "与另一个疑点是同一处")
    work.tell("thing_merged", subject=f"thing:{thing.id}", ref=thing.ref, into=other.ref)
    return other


def find(work: Work, ref: str) -> m.Thing:
    thing = work.session.scalar(select(m.Thing).where(m.Thing.ref == ref))
    if thing is None or thing.state in ("merged", "dismissed"):
        raise BadInput("没有这个疑点，或已有人处理过。")
    return thing


def tell_anyway(work: Work, flight: m.Flight, thing: m.Thing, shot: Shot | None = None) -> m.Sighting:
    """Tell of a thing whatever its score: a person asked for it."""
    return _reported(work, flight, thing, shot)


def _reported(work: Work, flight: m.Flight, thing: m.Thing, shot: Shot | None) -> m.Sighting:
    covariance = np.array(thing.cov_en_m2)
    ellipse = ellipse_of(covariance)
    frame = work.session.scalars(
        select(m.Frame)
        .join(m.Detection)
        .where(m.Detection.thing_id == thing.id)
        .order_by(m.Detection.score.desc(), m.Detection.id)
        .limit(1)
    ).one()
    of_round = work.session.get_one(m.Round, thing.round_id)
    outcome = report.report(work, Draft(
        channel=flight.source, kind=thing.kind, client_id=thing.ref,
        position={"lon": thing.lon, "lat": thing.lat, "crs": "wgs84", "accuracy_m": thing.ce90_m},
        method=f"frame:{frame.method or 'none'}",
        ellipse={"probability": 0.9, "semi_major_m": round(ellipse.semi_major_m, 3),
                 "semi_minor_m": round(ellipse.semi_minor_m, 3), "azimuth_deg": round(ellipse.azimuth_deg, 2)},
        outline=thing.outline, area_m2=thing.area_m2, score=thing.score, seen_at=frame.taken_at or frame.received_at,
        flight=flight.ref, frame=frame.sha256[:16], round_no=of_round.no, shots=(shot,) if shot else (),
        warnings=tuple(fault["code"] for fault in frame.faults),
    ))  # fmt: skip
    thing.state, thing.sighting_id = "reported", outcome.sighting.id
    if outcome.sighting.state == "discarded":
        thing.state, thing.why = "dismissed", outcome.sighting.why
    if outcome.issue is not None:
        assign_by_rule(work, outcome.issue, outcome.sighting)
    work.tell("thing_told", subject=f"thing:{thing.id}", sighting=outcome.sighting.ref, score=round(thing.score, 3),
              frames=thing.frames, issue=outcome.issue.number if outcome.issue else None)  # fmt: skip
    return outcome.sighting


def _grown_sure(work: Work, thing: m.Thing, sighting: m.Sighting) -> None:
    """More frames made a waiting clue certain: it goes the way it would have gone with that score at once."""
    stop_review(work, sighting)
    sighting.score = thing.score
    work.only_one(f"join:{sighting.kind}")
    found = report.match(work, sighting)
    if found is not None and found.verdict == "relapse":
        return  # a relapse is a person's to confirm, whatever the score
    issue, joined = report.settle(work, sighting, found)
    work.tell("clue_confirmed", subject=f"clue:{sighting.id}", issue=issue.number, joined=joined, kind=sighting.kind,
              by="score", score=round(thing.score, 3))  # fmt: skip
    if not joined:
        assign_by_rule(work, issue, sighting)


def _near(work: Work, round_id: int, found: Sequence[Found]) -> dict[int, tuple[m.Thing, list[tuple[int, float]]]]:
    """Things of the round that any of these could be, with the frames that saw each and their scores."""
    latitude0 = siting.latitude0(work)
    ranges = {pair for each in found for pair in recurrence.cells_around(each.lon, each.lat, latitude0, REACH_M)}
    query = select(m.Thing).where(m.Thing.round_id == round_id, m.Thing.state.in_(("new", "reported")))
    if len(ranges) <= MOST_RANGES:
        query = query.where(or_(*(and_(m.Thing.cell >= first, m.Thing.cell <= last) for first, last in sorted(ranges))))
    rows = work.session.scalars(query.order_by(m.Thing.id))
    near: dict[int, tuple[m.Thing, list[tuple[int, float]]]] = {row.id: (row, []) for row in rows}
    seen = select(m.Detection).join(m.Thing).where(m.Thing.round_id == round_id).order_by(m.Detection.id)
    for each in work.session.scalars(seen):
        if each.thing_id in near:
            near[each.thing_id][1].append((each.frame_id, each.score))
    return near


def _opened(work: Work, flight: m.Flight, each: Found, at: datetime) -> m.Thing:
    thing = m.Thing(
        ref=new_ref(), round_id=flight.round_id, kind=each.kind, state="new", lon=each.lon, lat=each.lat,
        cov_en_m2=each.cov_en_m2, ce90_m=each.ce90_m, outline=each.outline, area_m2=each.area_m2, score=each.score,
        cell=recurrence.cell_of(each.lon, each.lat, siting.latitude0(work)), frames=1, first_at=at, last_at=at,
    )  # fmt: skip
    work.session.add(thing)
    return thing


def _take(work: Work, row: m.Thing, grown: Thing, at: datetime) -> None:
    """What all its frames together say of a thing."""
    covariance = np.asarray(grown.cov_en_m2)
    row.lon, row.lat, row.score, row.frames = round(grown.lon, 8), round(grown.lat, 8), grown.score, grown.n
    row.cov_en_m2, row.ce90_m = covariance.tolist(), round(ce90_m(covariance), 3)
    row.cell = recurrence.cell_of(row.lon, row.lat, siting.latitude0(work))
    row.outline = dict(grown.outline) if grown.outline is not None else None
    row.area_m2 = grown.area_m2
    if row.state == "new":  # what people were told of keeps its kind
        row.kind = grown.kind
    row.first_at, row.last_at = min(row.first_at, at), max(row.last_at, at)


def _as_thing(row: m.Thing, seen: Sequence[tuple[int, float]]) -> Thing:
    frames, scores = tuple(str(frame_id) for frame_id, _ in seen), tuple(score for _, score in seen)
    return Thing(row.id, row.kind, row.lon, row.lat, np.array(row.cov_en_m2), frames, scores, row.outline, row.area_m2,
                 row.first_at, row.last_at)  # fmt: skip


def _as_seen(each: Found) -> Seen:
    return Seen(each.kind, each.lon, each.lat, np.array(each.cov_en_m2), each.score, each.outline, each.area_m2)


def _detection(frame: m.Frame, thing: m.Thing, each: Found, at: datetime) -> m.Detection:
    return m.Detection(
        ref=new_ref(), frame_id=frame.id, thing_id=thing.id, kind=each.kind, score=each.score, by=each.by, box=each.box,
        lon=each.lon, lat=each.lat, cov_en_m2=each.cov_en_m2, ce90_m=each.ce90_m, outline=each.outline,
        area_m2=each.area_m2, facts=each.facts, warnings=list(each.warnings), at=at,
    )  # fmt: skip
