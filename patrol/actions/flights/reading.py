"""One frame is read: the worker's job. Looked at with no transaction open, then kept and told in one.

A file that cannot be read is parked with its reason and the flight goes on; one that breaks the worker again and
again is parked by the ladder of errands.
"""

from __future__ import annotations

import time
from contextlib import ExitStack

from sqlalchemy import func, select

from geodata.errors import GeoError, GeoErrors
from patrol import models as m
from patrol.actions.flights import look, things
from patrol.actions.flights.register import hold
from patrol.actions.flights.telling import tell_due
from patrol.errors import BadInput, Malformed, PatrolError, TooMuch
from patrol.rules.problems import PROBLEMS
from patrol.station import SYSTEM, Station, Work


def read_frame(station: Station, frame_id: int) -> m.Frame | None:
    """Read one frame that is due; a second call for the same frame does nothing."""
    with station.look(SYSTEM) as looking:
        frame = looking.session.get(m.Frame, frame_id)
        flight = looking.session.get(m.Flight, frame.flight_id) if frame is not None else None
        members = _members(looking, frame) if frame is not None else []
    if frame is None or flight is None or frame.state not in ("due", "read"):
        return None
    if frame.state == "read":  # a worker died between keeping and telling
        tell_due(station, flight.id, _touched(station, frame_id))
        return frame
    began = time.perf_counter()
    try:
        reading = _look(station, frame, flight, members)
    except (GeoError, BadInput, Malformed, TooMuch) as refused:
        return park(station, frame_id, _sentence(refused))
    looked_s = time.perf_counter() - began
    with station.work(SYSTEM) as work:
        kept = work.session.get_one(m.Frame, frame_id, with_for_update=True, populate_existing=True)
        if kept.state != "due":
            return kept
        keep_reading(kept, reading)
        kept.facts = {**kept.facts, "looked_s": round(looked_s, 4)}
        kept.state, kept.read_at = "read", work.now
        things.keep(work, flight, kept, [each for each in reading.found if each.kind in PROBLEMS])
        ended(work, kept)
    if reading.found:
        tell_due(station, flight.id, _touched(station, frame_id))
    return kept


def park(station: Station, frame_id: int, why: str) -> m.Frame:
    """A frame that cannot be read is put aside with its reason, shown and counted; the others go on."""
    with station.work(SYSTEM) as work:
        return give_up(work, frame_id, why)


def give_up(work: Work, frame_id: int, why: str) -> m.Frame:
    """As `park`, inside somebody else's transaction."""
    frame = work.session.get_one(m.Frame, frame_id, with_for_update=True, populate_existing=True)
    if frame.state == "due":
        frame.state, frame.error, frame.read_at = "parked", why[:500], work.now
        work.tell("frame_parked", subject=f"flight:{frame.flight_id}", frame=frame.id, name=frame.name, why=why[:200])
        ended(work, frame)
    return frame


def ended(work: Work, frame: m.Frame) -> None:
    """A frame has come to its end; the last one of a flight owes the flight's settling."""
    flight = hold(work, frame.flight_id)
    work.session.flush()
    left = work.session.scalar(
        select(func.count(m.Frame.id)).where(m.Frame.flight_id == flight.id, m.Frame.state == "due")
    )
    if not left and flight.state == "reading":
        work.tell("flight_read", subject=f"flight:{flight.id}", flight=flight.id)


def _members(work: Work, frame: m.Frame) -> list[m.Frame]:
    ids = frame.facts.get("members", []) if frame.kind == "stack" else []
    return list(work.session.scalars(select(m.Frame).where(m.Frame.id.in_(ids)).order_by(m.Frame.id)))


def _look(station: Station, frame: m.Frame, flight: m.Flight, members: list[m.Frame]) -> look.Reading:
    if frame.kind == "stack":
        with ExitStack() as lent:
            paths = [(lent.enter_context(station.store.lend(each.sha256)), each.name) for each in members]
            return look.look_at_stack(paths, station.place)
    with station.store.lend(frame.sha256) as path:
        if frame.kind == "log":
            return look.look_at_log(path, station.place, flight.zone)
        return look.look_at(path, frame.kind, station.place, flight.zone)


def _touched(station: Station, frame_id: int) -> list[int]:
    with station.look(SYSTEM) as look:
        query = select(m.Detection.thing_id).where(m.Detection.frame_id == frame_id).distinct()
        return [each for each in look.session.scalars(query) if each is not None]


def keep_reading(frame: m.Frame, reading: look.Reading) -> None:
    """What a file says and shows, into the frame's columns."""
    frame.kind, frame.method, frame.pose = reading.kind, reading.method, reading.pose
    frame.taken_at, frame.taken_words = reading.taken_at, reading.taken_words
    frame.lon, frame.lat, frame.ce90_m = reading.lon, reading.lat, reading.ce90_m
    frame.footprint, frame.footprint_ce90_m = reading.footprint, reading.footprint_ce90_m
    frame.faults = [dict(each) for each in reading.faults]
    frame.facts = {**frame.facts, **reading.facts}


def _sentence(refused: GeoError | PatrolError) -> str:
    if isinstance(refused, GeoErrors):
        return "；".join(each.sentence for each in refused.faults)
    return refused.sentence
