"""People are told of things: a few a transaction, each with a picture of its own, made before the transaction begins.

Safe to run again: a thing that was told is told no second time, one that was not is found by its state.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from patrol import models as m
from patrol.actions import photos
from patrol.actions.flights import things
from patrol.actions.flights.drape import crop, lying, window_of
from patrol.actions.flights.picture import members_of
from patrol.actions.photos import Shot
from patrol.errors import BadInput, Malformed, TooMuch
from patrol.rules import flights as law
from patrol.station import SYSTEM, Station, Work

AT_ONCE = 10
CROP_PX = 1024


def tell_due(station: Station, flight_id: int, only: Sequence[int] | None = None, *, over: bool = False) -> int:
    """Tell of every thing of a flight (or of `only` these) that the law says is due; returns how many were told."""
    with station.look(SYSTEM) as look:
        due = _due(look, flight_id, only, over)
    told = 0
    for start in range(0, len(due), AT_ONCE):
        shots = {thing_id: shot_of(station, thing_id) for thing_id in due[start : start + AT_ONCE]}
        with station.work(SYSTEM) as work:
            flight = work.session.get_one(m.Flight, flight_id)
            for thing_id, shot in shots.items():
                thing = work.session.get_one(m.Thing, thing_id, with_for_update=True, populate_existing=True)
                told += things.tell(work, flight, thing, shot, over=over) is not None
    return told


def shot_of(station: Station, thing_id: int) -> Shot | None:
    """The frame that shows a thing best, as evidence: a photo whole, of a file with bands the part around it."""
    with station.look(SYSTEM) as look:
        best = look.session.execute(
            select(m.Detection, m.Frame).join(m.Frame).where(m.Detection.thing_id == thing_id)
            .order_by(m.Detection.score.desc(), m.Detection.id).limit(1)
        ).first()  # fmt: skip
        if best is None:
            return None
        detection, frame = best
        members = members_of(look, frame)
    try:
        if frame.kind == "photo":
            return photos.take_in(station, station.store.get(frame.sha256))
        how = lying(station, frame)
        window = window_of(how, detection) if how is not None else None
        return photos.take_in(station, crop(station, frame, members, "auto", CROP_PX, window)) if window else None
    except (BadInput, Malformed, TooMuch):
        return None  # a thing without a picture is still a thing


def _due(look: Work, flight_id: int, only: Sequence[int] | None, over: bool) -> list[int]:
    query = select(m.Thing).where(
        m.Thing.state.in_(("new", "reported")), m.Thing.score >= law.LEAST_SCORE,
        m.Thing.id.in_(select(m.Detection.thing_id).join(m.Frame).where(m.Frame.flight_id == flight_id)),
    )  # fmt: skip
    if only is not None:
        query = query.where(m.Thing.id.in_(only))
    rows = look.session.scalars(query.order_by(m.Thing.id)).all()
    return [each.id for each in rows if each.state == "reported" or law.may_tell(each.score, each.frames, over=over)]
