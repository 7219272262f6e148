"""The flights of the sample week: a painted orthomosaic for each round, taken in, read and settled as any flight is.

Painted, and said to be: the pilot's line and the file's name carry 样例. What recognition makes of them is real.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from geodata.scenes.ortho import Lies, ortho
from patrol import models as m
from patrol.actions import flights
from patrol.actions.flights import reading, settle
from patrol.demo.walk import Walk
from patrol.demo.week import Story, Times
from patrol.rules.calendar import SHANGHAI

GROUND = 17  # one seed for all rounds: the same trees stand on the banks
PAINTED = {"floating_debris": 2.2, "aquatic_bloom": 4.0, "sewage": 3.5}
"""Kinds whose open issues the picture shows where they are, with about how many metres they reach."""
NOT_YET_CLEARED = ("reported", "assigned", "supervised")


@dataclass(frozen=True)
class Flown:
    """One flight: its round, the stretch, the light of the day, and what nobody reported before."""

    round_no: int
    first_m: float
    last_m: float
    light: float
    found: tuple[Lies, ...] = ()


FLOWN = (
    Flown(1, 0, 900, 1.0),
    Flown(2, 1180, 1980, 0.94),
    Flown(3, 1700, 2560, 1.06),
    Flown(4, 1180, 1980, 1.1, (Lies("bare_soil", 1620, "right", 43, 6.0),)),
    Flown(5, 0, 900, 0.9, (
        Lies("aquatic_bloom", 150, "right", 14, 4.5), Lies("floating_debris", 640, "right", 9, 2.4),
        Lies("bare_soil", 500, "right", 44, 7.0), Lies("solid_waste", 700, "left", 42, 3.0),
    )),
)  # fmt: skip


def stories(walk: Walk, t: Times) -> list[Story]:
    """Five rounds flown, each in its morning, and a sixth that is planned."""
    moments = {
        1: t.day(8, "09:32"), 2: t.day(6, "09:36"), 3: t.day(4, "09:27"), 4: t.day(2, "08:52"), 5: t.ago(24),
    }  # fmt: skip
    return [*(_flight(walk, flown, moments[flown.round_no]) for flown in FLOWN), _planned(walk, t)]


def _flight(walk: Walk, flown: Flown, at: datetime) -> Story:
    yield at
    due_on = at.astimezone(SHANGHAI).date()
    with walk.station.work(walk.people["office"]) as work:
        flights.open_round(work, flown.round_no, due_on, "定期巡航（样例）")
    with tempfile.TemporaryDirectory(prefix="patrol-sample-") as folder:
        name = f"样例正射_第{flown.round_no}轮_K{flown.first_m / 1000:.1f}-K{flown.last_m / 1000:.1f}.tif"
        path = Path(folder) / "ortho.tif"
        ortho(walk.station.place, flown.first_m, flown.last_m, [*flown.found, *_open_things(walk, flown)], path,
              seed=GROUND, light=flown.light)  # fmt: skip
        file = flights.arrive_file(walk.station, path, name)
    plan = flights.Plan(flown.round_no, drone="样例机 M3M", pilot="样例飞手", approval=f"样例-{due_on:%m%d}")
    with walk.station.work(walk.people["drone"]) as work:
        row = flights.open_flight(work, plan)
        frame_id = flights.take(work, row, file).id
        flight_id = flights.finish(work, row).id
    yield at + timedelta(seconds=40)
    reading.read_frame(walk.station, frame_id)
    settle.settle_flight(walk.station, flight_id)
    walk.on_each()


def _open_things(walk: Walk, flown: Flown) -> list[Lies]:
    """What lies on the water just now, where its issue is."""
    river = walk.station.place.river
    assert river is not None
    with walk.station.look() as look:
        issues = look.session.scalars(
            select(m.Issue).where(m.Issue.kind.in_(PAINTED), m.Issue.state.in_(NOT_YET_CLEARED), m.Issue.lon.is_not(None))
        ).all()  # fmt: skip
    found = []
    for issue in issues:
        assert issue.lon is not None and issue.lat is not None  # the query asks for it
        spot = river.chainage_of(issue.lon, issue.lat)
        if flown.first_m < spot.chainage_m < flown.last_m:
            found.append(Lies(issue.kind, spot.chainage_m, spot.bank, abs(spot.offset_m), PAINTED[issue.kind]))
    return found


def _planned(walk: Walk, t: Times) -> Story:
    """The next round stands in the register with its day and its flight, to be flown."""
    yield t.ago(20)
    due_on = (t.now + timedelta(days=2)).astimezone(SHANGHAI).date()
    with walk.station.work(walk.people["office"]) as work:
        flights.open_round(work, 6, due_on, "定期巡航（样例）")
        flights.open_flight(work, flights.Plan(6, drone="样例机 M3M", pilot="样例飞手", planned_on=due_on))
