"""Frames pushed from the air: exactly once under duplicates and disorder, landed by silence, timed stage by stage."""

from __future__ import annotations

import random
import uuid
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from patrol import models as m
from patrol.actions import flights
from patrol.actions.delivery import run_jobs
from patrol.actions.flights import live
from patrol.errors import BadInput
from patrol.queries import timings
from patrol.rules.flights import LIVE_QUIET
from patrol.station import SYSTEM, Actor, Station
from tests.aerial import flown, water
from tests.walk import Town

BARE = water(320, 240)


def frame_of(station: Station, number: int) -> bytes:
    assert station.place.river is not None
    lon, lat = station.place.river.point_at(500 + number % 1000)
    return flown(BARE, lon, lat, station.now(), note=str(number))


def pushed(station: Station, who: Actor, data: bytes, **said: object) -> tuple[str, str]:
    with station.work(who) as work:
        frame, flight = live.push(work, flights.arrive_bytes(data, "f.jpg"), live.Said(**said))  # type: ignore[arg-type]  # checked where it is used
        return frame.ref, flight.ref


def test_the_first_frame_opens_the_flight_and_silence_lands_it(station: Station) -> None:
    drone = Town(station).person("drone")
    first, flight = pushed(station, drone, frame_of(station, 1), flight="A")
    assert pushed(station, drone, frame_of(station, 1), flight="A") == (first, flight)
    run_jobs(station)
    station.clock.forward(minutes=9)  # type: ignore[attr-defined]  # the settable clock
    _, again = pushed(station, drone, frame_of(station, 2), flight="A")
    assert again == flight and live.land_quiet(station) == 0
    run_jobs(station)
    station.clock.at += LIVE_QUIET  # type: ignore[attr-defined]
    assert live.land_quiet(station) == 1 and live.land_quiet(station) == 0
    run_jobs(station)
    with station.look() as look:
        row = flights.find(look, flight)
        assert (row.state, row.live, row.quiet_at) == ("settled", True, None)
        read = look.session.scalars(select(m.Frame).where(m.Frame.flight_id == row.id)).all()
        assert [each.state for each in read] == ["read", "read"] and all("look" in each.facts for each in read)
        found = timings.of_flight(look, flight)
    assert all(found["spread"][stage]["count"] == 2 for stage in ("wait", "look", "keep"))
    _, later = pushed(station, drone, frame_of(station, 3), flight="A")
    assert later != flight, "what comes after the landing is another flight"


def test_a_landing_that_overtakes_the_reading_still_settles(station: Station) -> None:
    drone = Town(station).person("drone")
    _, ref = pushed(station, drone, frame_of(station, 1), flight="B")
    with station.work(drone) as work:
        assert flights.finish(work, flights.find(work, ref)).state == "reading"
    run_jobs(station)
    with station.look() as look:
        assert flights.find(look, ref).state == "settled"


def test_platforms_and_their_flights_are_kept_apart(station: Station) -> None:
    town = Town(station)
    one, other = town.person("drone"), town.person("drone", name="另一平台")
    refs = {pushed(station, who, frame_of(station, 7), flight=key)[1] for who in (one, other) for key in ("A", "B")}
    assert len(refs) == 4


def test_a_full_flight_goes_on_in_the_next(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("patrol.actions.flights.receive.MOST_FILES", 2)
    drone = Town(station).person("drone")
    refs = [pushed(station, drone, frame_of(station, number), flight="A")[1] for number in range(5)]
    assert refs[0] == refs[1] != refs[2] == refs[3] != refs[4]


def test_logs_and_clocks_from_the_future_are_refused(station: Station) -> None:
    drone = Town(station).person("drone")
    with pytest.raises(BadInput) as refused:
        _log(station, drone)
    assert refused.value.faults[0].code == "not_a_frame"
    with pytest.raises(BadInput) as refused:
        pushed(station, drone, frame_of(station, 1), seen_at=station.now() + timedelta(minutes=6))
    assert refused.value.faults[0].code == "in_future"
    with station.look() as look:
        assert look.session.scalar(select(func.count(m.Flight.id))) == 0


def _log(station: Station, drone: Actor) -> None:
    with station.work(drone) as work:
        live.push(work, flights.arrive_bytes(b"<gpx/>", "a.gpx"), live.Said())


@given(seed=st.integers(0, 10_000))
@settings(max_examples=3)
def test_any_order_with_any_doubles_is_each_frame_once(station: Station, seed: int) -> None:
    dice, key = random.Random(seed), str(uuid.uuid4())
    drone = Town(station).person("drone")
    sent = [frame_of(station, seed * 100 + number) for number in range(12)]
    order = sent + dice.choices(sent, k=8)
    dice.shuffle(order)
    push = partial(pushed, station, drone, flight=key)
    answers = {data: {push(data)} for data in order}
    for data in dice.choices(order, k=10):
        answers[data].add(push(data))
    assert all(len(each) == 1 for each in answers.values()), "the same bytes, the same frame"
    run_jobs(station)
    with station.look(SYSTEM) as look:
        count = select(func.count(m.Frame.id)).join(m.Flight).where(m.Flight.live_key == key, m.Frame.state == "read")
        assert look.session.scalar(count) == len(sent)
