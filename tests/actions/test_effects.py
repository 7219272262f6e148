"""Two rounds over one river: what changed at an issue is reckoned once, shown, and moves nothing."""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path

import pytest
from shapely.geometry import mapping
from sqlalchemy import select

from geodata.place import Place
from geodata.scenes.folder import Written, write
from geodata.scenes.rounds import later
from geodata.scenes.scene import Truth, scene
from patrol import models as m
from patrol.actions import flights
from patrol.actions.delivery import run_jobs
from patrol.actions.flights import effects
from patrol.errors import Missing
from patrol.queries import effects as told
from patrol.station import SYSTEM, Station
from tests.walk import Town


@functools.cache
def two_rounds() -> tuple[Written, Written, Truth]:
    """A generated river as two rounds saw it, and the largest dry thing that the second no longer shows."""
    folder = Path(tempfile.mkdtemp(prefix="patrol-rounds-"))
    base = scene(3, "tune", size_px=600)
    after = later(base, verdicts=("resolved",))
    truth = max((each for each in base.truths if each.kind != "sewage"), key=lambda each: each.area_m2)
    return write(base, folder, "first"), write(after.scene, folder, "second"), truth


@pytest.fixture
def river(station: Station) -> tuple[Station, Path, Path, m.Issue]:
    """A station on a generated river, two rounds' rasters of it, and an issue where the first shows bare soil."""
    first, second, truth = two_rounds()
    station.place = Place.open(first.place)
    outline = mapping(truth.outline)
    lon, lat = truth.outline.representative_point().coords[0]
    town = Town(station)
    position = {"lon": lon, "lat": lat, "crs": "wgs84", "accuracy_m": 3.0}
    number = town.report("grid", truth.kind, chainage_m=10, position=position, outline=outline).issue.number
    return station, first.raster, second.raster, town.issue(number)


def flown(station: Station, raster: Path, round_no: int) -> m.Flight:
    with station.work(SYSTEM) as work:
        flight = flights.open_flight(work, flights.Plan(round_no=round_no))
        flights.take(work, flight, flights.arrive_file(station, raster, raster.name))
        ref = flights.finish(work, flight).ref
    for _ in range(6):
        run_jobs(station)
    with station.look() as look:
        row = flights.find(look, ref)
    assert row.state == "settled"
    return row


def test_an_issue_seen_again_is_compared_once_and_stays_as_it_is(river: tuple[Station, Path, Path, m.Issue]) -> None:
    station, first, second, issue = river
    flown(station, first, 1)
    with station.look() as look:
        assert told.of_issue(look, issue) == [], "one round compares with nothing"
    flight = flown(station, second, 2)
    with station.look() as look:
        (shown,) = told.of_issue(look, issue)
        row = look.session.scalars(select(m.Effect).where(m.Effect.issue_id == issue.id)).one()
        now = look.session.get_one(m.Issue, issue.id)
    assert shown["verdict"] in told.WORDS and shown["verdict"] not in ("worse", "unchanged")
    assert (shown["before_round"], shown["after_round"]) == (1, 2)
    assert (now.state, now.version) == (issue.state, issue.version), "a comparison is no step"
    if shown["before_url"]:
        assert station.store.get(row.before_sha256 or "").startswith(b"\xff\xd8") and len(shown["bounds"]) == 4
    assert effects.plan_effects(station, flight.id) == 0
    assert effects.reckon_effect(station, issue.id, row.before_id, row.after_id) is None
    with station.look() as look, pytest.raises(Missing):
        told.find(look, issue, "no such")


def test_what_a_later_round_did_not_show_is_never_called_resolved(
    river: tuple[Station, Path, Path, m.Issue], tmp_path: Path
) -> None:
    station, first, _, issue = river
    flight = flown(station, first, 1)
    with station.work(SYSTEM) as work:  # the same ground again, but the file has lost its place
        other = flights.open_flight(work, flights.Plan(round_no=2))
        broken = tmp_path / "broken.tif"
        shutil.copy(first, broken)
        broken.write_bytes(broken.read_bytes()[:-100] + b"x" * 100)
        frame = flights.take(work, other, flights.arrive_file(station, broken, "broken.tif"))
        old = work.session.scalars(select(m.Frame).where(m.Frame.flight_id == flight.id)).first()
        assert old is not None
        frame.kind, frame.state, frame.footprint = "raster", "read", {"type": "Polygon", "coordinates": [[
            [0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]]}  # fmt: skip
        ids = (old.id, frame.id)
    assert effects.plan_effects(station, other.id) == 0, "its footprint does not hold the issue"
    row = effects.reckon_effect(station, issue.id, *ids)
    assert row is not None and row.verdict != "resolved"
