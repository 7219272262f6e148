"""A flight ends: bands of one exposure become captures, logs fill in positions, doubtful frames are named, what was
seen once is told, and the round's coverage is reckoned anew.

Every part can run again and comes to the same: a killed worker leaves nothing half done.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime

from shapely.geometry import mapping, shape
from sqlalchemy import delete, select

from geodata.coverage import Footprint, Unflyable, coverage
from geodata.frames.look import Look
from geodata.frames.quality import FrameRow, find_faults
from geodata.place import KeyArea
from patrol import models as m
from patrol.actions.flights.fromlogs import from_logs
from patrol.actions.flights.look import groups_of
from patrol.actions.flights.reading import keep_reading
from patrol.actions.flights.register import hold, new_ref
from patrol.actions.flights.telling import tell_due
from patrol.station import SYSTEM, Station, Work

LEFT_OUT = {
    "edited": "edited", "turned": "edited", "gimbal_up": "horizon", "gimbal_horizon": "horizon", "blurred": "blurred",
    "lens_cap": "blurred", "far_away": "pose", "bad_position": "pose", "no_position": "pose", "no_gimbal": "pose",
}  # fmt: skip
"""Fault of a frame -> why its footprint proves nothing, as `geodata.coverage` counts it."""


def settle_flight(station: Station, flight_id: int) -> None:
    """The job at the end of a flight: captures first (they are read as frames are), then everything else."""
    captures = _captures(station, flight_id)
    placed = {} if captures else from_logs(station, flight_id)
    if not captures:
        tell_due(station, flight_id, over=True)
    with station.work(SYSTEM) as work:
        flight = hold(work, flight_id)
        if flight.state != "reading":
            return
        for members in captures:
            _open_capture(work, flight, members)
        if captures:
            return  # they are read as frames are; the last of them owes the settling again
        frames = _frames(work, flight)
        for frame in frames:
            if frame.id in placed:
                keep_reading(frame, placed[frame.id])
        _name_faults(frames)
        flight.landed_at = max((each.taken_at for each in frames if each.taken_at), default=None)
        flight.state, flight.settled_at = "settled", work.now
        reckon(work, flight.round_id)
        work.tell("flight_settled", subject=f"flight:{flight.id}", flight=flight.id, ref=flight.ref, frames=len(frames),
                  parked=sum(each.state == "parked" for each in frames))  # fmt: skip


def reckon(work: Work, round_id: int) -> list[m.Coverage]:
    """The coverage of a round's key areas from all its frames, kept anew."""
    work.only_one(f"coverage:{round_id}")
    of_round = work.session.get_one(m.Round, round_id)
    rows = work.session.scalars(
        select(m.Frame).join(m.Flight).where(
            m.Flight.round_id == round_id, m.Frame.state == "read", m.Frame.footprint.is_not(None)
        )
    ).all()  # fmt: skip
    refused = work.session.scalars(
        select(m.Unflyable).where(m.Unflyable.round_id.is_(None) | (m.Unflyable.round_id == round_id))
    )
    found = coverage(
        _areas(work), [_footprint(each) for each in rows],
        [Unflyable(shape(each.outline), each.reason) for each in refused],
    )  # fmt: skip
    work.session.execute(delete(m.Coverage).where(m.Coverage.round_id == round_id))
    kept = [
        m.Coverage(
            round_id=round_id, area=each.code, area_m2=each.area_m2, seen=each.seen_share, complete=each.complete,
            seen_twice=each.seen_twice_share, unflyable_m2=sum(part.area_m2 for part in each.barred), at=work.now,
            gaps=[{"outline": mapping(gap.polygon), "area_m2": round(gap.area_m2, 1)} for gap in each.gaps],
            words=each.sentence,
        )
        for each in found
    ]  # fmt: skip
    work.session.add_all(kept)
    of_round.settled_at = work.now
    work.tell("round_reckoned", subject=f"round:{of_round.no}", complete=all(each.complete for each in kept),
              seen={each.area: each.seen for each in kept})  # fmt: skip
    return kept


def _areas(work: Work) -> Sequence[KeyArea]:
    """What a round must cover: the key areas, or the whole water where a place names none."""
    return work.place.key_areas or (KeyArea("water", "全部水面", work.place.water),)


def _footprint(frame: m.Frame) -> Footprint:
    why = next((LEFT_OUT[fault["code"]] for fault in frame.faults if fault["code"] in LEFT_OUT), "")
    return Footprint(frame.name, shape(frame.footprint), frame.footprint_ce90_m, why)


def _frames(work: Work, flight: m.Flight) -> list[m.Frame]:
    return list(work.session.scalars(select(m.Frame).where(m.Frame.flight_id == flight.id).order_by(m.Frame.id)))


def _captures(station: Station, flight_id: int) -> list[list[int]]:
    """Frames of single bands that belong to one exposure and were not put together yet, by id."""
    with station.look(SYSTEM) as look, ExitStack() as lent:
        flight = look.session.get_one(m.Flight, flight_id)
        frames = _frames(look, flight)
        done = {each for frame in frames if frame.kind == "stack" for each in frame.facts["members"]}
        bands = [each for each in frames if each.kind == "band" and each.state == "read" and each.id not in done]
        paths = {lent.enter_context(station.store.lend(each.sha256)): each for each in bands}
        return [
            [paths[path].id for path in group] for group in groups_of((path, each.name) for path, each in paths.items())
        ]


def _open_capture(work: Work, flight: m.Flight, ids: Sequence[int]) -> None:
    members = work.session.scalars(select(m.Frame).where(m.Frame.id.in_(ids)).order_by(m.Frame.id)).all()
    digest = hashlib.sha256("".join(sorted(each.sha256 for each in members)).encode()).hexdigest()
    stack = m.Frame(
        ref=new_ref(), flight_id=flight.id, sha256=digest, name=f"{members[0].name} 等 {len(members)} 个波段"[:160],
        bytes=0, kind="stack", state="due", received_at=members[0].received_at, faults=[], facts={"members": list(ids)},
    )  # fmt: skip
    work.session.add(stack)
    work.session.flush()
    work.tell("frame_received", subject=f"flight:{flight.id}", frame=stack.id, members=list(ids))


def _name_faults(frames: Sequence[m.Frame]) -> None:
    """What only shows beside the other frames of a flight: duplicates, far-away positions, missing attitudes."""
    rows = [each for each in frames if each.kind == "photo" and each.state == "read"]
    for fault in find_faults([_row(each) for each in rows]):
        frame = rows[fault.index]
        if fault.code not in {known["code"] for known in frame.faults}:
            frame.faults = [*frame.faults, {"code": fault.code, "sentence": fault.sentence}]


def _row(frame: m.Frame) -> FrameRow:
    pose, facts = frame.pose or {}, frame.facts
    return FrameRow(
        name=frame.name, taken_at=frame.taken_at or _clock(frame.taken_words), lon=frame.lon, lat=frame.lat,
        altitude_m=pose.get("relative_altitude_m"), pitch_deg=pose.get("pitch_deg"), yaw_deg=pose.get("yaw_deg"),
        view=f"{facts.get('width_px')}x{facts.get('height_px')}", digest=frame.sha256, model=facts.get("model", ""),
        marks=tuple(fault["code"] for fault in frame.faults), look=Look(**facts["look"]) if "look" in facts else None,
    )  # fmt: skip


def _clock(words: str | None) -> datetime | None:
    """The camera clock's words as a moment that is only compared within the flight."""
    return datetime.fromisoformat(words).replace(tzinfo=UTC) if words else None
