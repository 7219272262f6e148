"""One frame is read: the worker's job. Looked at with no transaction open, then kept and told in one.

Of a live frame people hear first; what its pixels say of its quality is looked at afterwards. A file that cannot be read is parked with its reason and the flight goes on; one that breaks the worker again and
again is parked by the ladder of errands.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

from sqlalchemy import func, select

from geodata.errors import GeoError, GeoErrors
from patrol import models as m
from patrol.actions import photos
from patrol.actions.flights import fishing, look, things
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
    started_at, began = station.now(), time.perf_counter()
    try:
        reading, sighted = _look(station, frame, flight, members)
        stages = {"started_at": started_at.isoformat(), "looked_s": round(time.perf_counter() - began, 4)}
        try:
            kept = _keep(station, frame_id, reading, sighted, None, stages)
        except fishing.WantsPicture:  # only what opens an event needs its picture examined
            shot = photos.take_in(station, station.store.get(frame.sha256))
            kept = _keep(station, frame_id, reading, sighted, shot, stages)
    except (GeoError, BadInput, Malformed, TooMuch) as refused:
        return park(station, frame_id, _sentence(refused))
    if reading.found:
        tell_due(station, flight.id, _touched(station, frame_id))
    if flight.live and kept.kind == "photo":
        _look_again(station, kept)
    return kept


def _keep(
    station: Station, frame_id: int, reading: look.Reading, sighted: fishing.Sighted, shot: photos.Shot | None,
    stages: dict[str, Any],
) -> m.Frame:  # fmt: skip
    """What was read and seen, kept in one transaction; an event of fishing is told in it."""
    began = time.perf_counter()
    with station.work(SYSTEM) as work:
        kept = work.session.get_one(m.Frame, frame_id, with_for_update=True, populate_existing=True)
        if kept.state != "due":
            return kept
        flight = work.session.get_one(m.Flight, kept.flight_id)
        keep_reading(kept, reading)
        kept.state, kept.read_at = "read", work.now
        things.keep(work, flight, kept, [each for each in reading.found if each.kind in PROBLEMS])
        fishing.keep(work, flight, kept, sighted, shot)
        work.session.flush()
        kept.facts = {**kept.facts, **sighted.facts, **stages, "kept_s": round(time.perf_counter() - began, 4)}
        fishing.warn(work, flight, sighted.warning)
        ended(work, kept)
        return kept


def _look_again(station: Station, frame: m.Frame) -> None:
    """The quality of a live frame's picture, once people have heard of what it shows."""
    with station.store.lend(frame.sha256) as path:
        quality = look.quality_of(path)
    with station.work(SYSTEM) as work:
        row = work.session.get_one(m.Frame, frame.id, with_for_update=True, populate_existing=True)
        row.facts = {**row.facts, **quality}


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


def _look(
    station: Station, frame: m.Frame, flight: m.Flight, members: list[m.Frame]
) -> tuple[look.Reading, fishing.Sighted]:
    nothing = fishing.Sighted()
    if frame.kind == "stack":
        with ExitStack() as lent:
            paths = [(lent.enter_context(station.store.lend(each.sha256)), each.name) for each in members]
            return look.look_at_stack(paths, station.place), nothing
    with station.store.lend(frame.sha256) as path:
        if frame.kind == "log":
            return look.look_at_log(path, station.place, flight.zone), nothing
        reading = look.look_at(path, frame.kind, station.place, flight.zone, pixels_too=not flight.live)
        if reading.kind != "photo" or flight.source != "drone" or reading.meta is None:
            return reading, nothing
        return reading, fishing.look(station, path, reading.meta)


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
