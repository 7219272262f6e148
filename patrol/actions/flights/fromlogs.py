"""Frames without a position take it from the flight's log, where clocks or names allow; the rest say why not."""

from __future__ import annotations

from contextlib import ExitStack

from sqlalchemy import select

from geodata.errors import GeoError
from geodata.frames.metadata import read_frame
from geodata.logs import read_log
from geodata.logs.fill import fill
from patrol import models as m
from patrol.actions.flights.look import Reading, look_at_frame
from patrol.station import SYSTEM, Station


def from_logs(station: Station, flight_id: int) -> dict[int, Reading]:
    """New readings of the frames of a flight that a log could place, by frame id."""
    with station.look(SYSTEM) as look:
        flight = look.session.get_one(m.Flight, flight_id)
        rows = look.session.scalars(
            select(m.Frame).where(m.Frame.flight_id == flight_id, m.Frame.state == "read").order_by(m.Frame.id)
        ).all()
    lost = [each for each in rows if each.kind == "photo" and each.lon is None]
    logs = [each for each in rows if each.kind == "log"]
    placed: dict[int, Reading] = {}
    if not lost or not logs:
        return placed
    west, south, east, north = station.place.bounds
    with ExitStack() as lent:
        metas = [read_frame(lent.enter_context(station.store.lend(each.sha256))) for each in lost]
        for log in logs:
            track = read_log(
                lent.enter_context(station.store.lend(log.sha256)), flight.zone or None,
                near=((west + east) / 2, (south + north) / 2),
            )  # fmt: skip
            try:
                filled = fill(metas, track, [each.name for each in lost])
            except GeoError:
                continue  # a planned route: it places nothing
            for frame, each in zip(lost, filled, strict=True):
                if each.method == "log" and frame.id not in placed:
                    placed[frame.id] = look_at_frame(each.meta, "photo", flight.zone)
    return placed
