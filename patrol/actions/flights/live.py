"""Frames pushed while the drone is in the air: each joins its platform's live flight and is read at once.

A live flight opens with its first frame and has landed when its platform says so or falls silent. The same bytes
twice are one frame, whatever order they come in. Nothing is decoded here: that is the worker's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from patrol import models as m
from patrol.actions.flights.receive import Arrived, finish, take
from patrol.actions.flights.register import Plan, open_flight
from patrol.errors import BadInput, Fault
from patrol.rules.flights import IN_FUTURE, LIVE_QUIET
from patrol.station import SYSTEM, Station, Work


@dataclass(frozen=True)
class Said:
    """What the platform says of a frame. `flight` is its own name for the flight; `zone` that of the camera's clock."""

    flight: str = ""
    drone: str = ""
    seen_at: datetime | None = None
    zone: str = ""

    @property
    def key(self) -> str:
        return (self.flight or self.drone).strip()[:64]


def push(work: Work, file: Arrived, said: Said) -> tuple[m.Frame, m.Flight]:
    """Take one pushed frame in and owe its reading at once; the same bytes again are the frame they were.

    Raises BadInput for a log, for a moment in the future and for a zone that does not exist.
    """
    if file.kind == "log":
        raise BadInput(Fault("/photo", "not_a_frame", "实时推送只收照片和影像；飞行日志请随航次上传。"))
    if said.seen_at is not None and said.seen_at > work.now + IN_FUTURE:
        raise BadInput(Fault("/live/seen_at", "in_future", "看到的时间在将来，请核对平台的钟。"))
    work.only_one(f"live:{work.actor.person_id}:{said.key}")
    before = _before(work, file, said)
    if before is not None:
        return before
    flight = _open(work, said)
    try:
        frame = take(work, flight, file)
    except BadInput as full:
        if full.faults[0].code != "too_many":
            raise
        finish(work, flight)
        flight = _begun(work, said)
        frame = take(work, flight, file)
    flight.quiet_at = work.now + LIVE_QUIET
    if said.seen_at is not None:
        frame.facts = {"seen_at": said.seen_at.isoformat()}
    work.tell("live_frame", subject=f"flight:{flight.id}", frame=frame.id, sha256=frame.sha256)
    return frame, flight


def land_quiet(station: Station) -> int:
    """Land the live flights that have fallen silent; returns how many. Cheap when there is none."""
    with station.look(SYSTEM) as look:
        first = look.session.scalar(select(func.min(m.Flight.quiet_at)))
        if first is None or first > look.now:
            return 0
    landed = 0
    with station.work(SYSTEM) as work:
        silent = select(m.Flight).where(m.Flight.quiet_at <= work.now).order_by(m.Flight.id)
        for flight in work.session.scalars(silent).all():
            # the lock a pushed frame takes: whoever came first, the other sees it
            work.only_one(f"live:{flight.person_id}:{flight.live_key}")
            work.session.refresh(flight)
            if flight.quiet_at is not None and flight.quiet_at <= work.now:
                finish(work, flight)
                landed += 1
    return landed


def _before(work: Work, file: Arrived, said: Said) -> tuple[m.Frame, m.Flight] | None:
    """The frame these bytes already are, if the platform pushed them under this name lately."""
    since = work.now - timedelta(days=1)
    row = work.session.execute(
        select(m.Frame, m.Flight).join(m.Flight, m.Flight.id == m.Frame.flight_id).where(
            m.Frame.sha256 == file.sha256, m.Frame.received_at > since, m.Flight.live,
            m.Flight.person_id == work.actor.person_id, m.Flight.live_key == said.key,
        ).order_by(m.Frame.id).limit(1)
    ).first()  # fmt: skip
    return (row[0], row[1]) if row is not None else None


def _open(work: Work, said: Said) -> m.Flight:
    """The platform's live flight of this name that is still in the air, or a new one."""
    return work.session.scalar(
        select(m.Flight).where(
            m.Flight.quiet_at.is_not(None), m.Flight.state == "receiving", m.Flight.live_key == said.key,
            m.Flight.person_id == work.actor.person_id,
        ).order_by(m.Flight.id.desc()).limit(1)
    ) or _begun(work, said)  # fmt: skip


def _begun(work: Work, said: Said) -> m.Flight:
    flight = open_flight(work, Plan(drone=said.drone, zone=said.zone, live=True))
    flight.live_key = said.key
    return flight
