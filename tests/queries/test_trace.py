"""Where sewage may come from: ranked outfalls with what this house knows of them, within a second."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.features import rasterize
from shapely.geometry import Polygon, mapping, shape
from sqlalchemy import select

from geodata.bands.raster import open_raster
from geodata.place import Place
from patrol import models as m
from patrol.actions import flights
from patrol.actions.flights import things
from patrol.actions.flights.found import Found
from patrol.actions.flights.plumes import with_heads
from patrol.queries.trace import of_issue, start_of, weights
from patrol.station import SYSTEM, Station
from tests.walk import Town


def sewage(station: Station, chainage_m: float, offset_m: float = 0.0) -> m.Issue:
    town = Town(station)
    return town.issue(town.report("grid", "sewage", position=town.at(chainage_m, offset_m)).issue.number)


def test_outfalls_are_ranked_and_their_history_weighs(station: Station) -> None:
    outfall = max(station.place.outfalls, key=lambda each: each.chainage_m or 0)
    assert outfall.chainage_m is not None
    here = sewage(station, outfall.chainage_m + 5)
    with station.look() as look:
        began = time.perf_counter()
        first = of_issue(look, here)
        assert time.perf_counter() - began < 1.0
    assert first[0]["probability"] == max(each["probability"] for each in first)
    assert sum(each["probability"] for each in first) == pytest.approx(1.0, abs=0.01)
    mine = next(each for each in first if each["code"] == outfall.code)
    station.clock.at -= timedelta(days=100)  # type: ignore[attr-defined]  # the settable clock
    with station.work(SYSTEM) as work:  # three issues of this year at the same outfall, one of long ago
        for days in (10, 20, 30, 400):
            lon, lat = outfall.lon, outfall.lat
            row = m.Issue(**{**_bare(here), "number": f"TH-OLD-{days}", "lon": lon, "lat": lat,
                             "found_at": here.found_at - timedelta(days=days)})  # fmt: skip
            work.session.add(row)
    station.clock.at += timedelta(days=100)  # type: ignore[attr-defined]
    with station.look() as look:
        assert weights(look, here)[outfall.code] == 4.0
        again = next(each for each in of_issue(look, here) if each["code"] == outfall.code)
    assert again["probability"] > mine["probability"] and "多发" in again["why"]


def _bare(issue: m.Issue) -> dict[str, object]:
    kept = {column.key: getattr(issue, column.key) for column in m.Issue.__table__.columns}
    return {name: value for name, value in kept.items() if name != "id"}


def test_other_kinds_and_places_without_a_river_have_none(station: Station) -> None:
    town = Town(station)
    debris = town.issue(town.report(chainage_m=700).issue.number)
    with station.look() as look:
        assert of_issue(look, debris) == [] and start_of(look, debris) is None


@pytest.fixture
def plume_file(tmp_path: Path) -> tuple[Path, dict[str, object], tuple[float, float]]:
    """A raster of the river with dark water along the left bank from chainage 1240 on; its outline and its head."""
    place = Place.open("taihugang")
    river = place.river
    assert river is not None
    edge = 0.0
    while place.holds(*river.point_at(1240, edge, "left")):
        edge += 0.5
    here = [river.point_at(along, side, "left") for along, side in
            [(at, edge + 2) for at in range(1240, 1301, 5)] + [(at, max(0.0, edge - 8)) for at in range(1300, 1239, -5)]]  # fmt: skip
    seen = Polygon([river.point_at(at, 60, bank) for at in (1150, 1400) for bank in ("left", "right")]).envelope
    west, south, east, north = seen.bounds
    step_x, step_y = 0.3 / 96_100, 0.3 / 110_900  # about 0.3 m here
    size = (round((north - south) / step_y), round((east - west) / step_x))
    transform = Affine(step_x, 0, west, 0, -step_y, north)
    dice = np.random.default_rng(5)
    bands = {name: dice.normal(level, 40, size) for name, level in
             (("blue", 800), ("green", 1000), ("red", 700), ("rededge", 500), ("nir", 300))}  # fmt: skip
    dark = rasterize([Polygon(here)], size, transform=transform).astype(bool)
    bands["green"][dark] -= 300
    with rasterio.open(tmp_path / "plume.tif", "w", driver="GTiff", width=size[1], height=size[0], count=5,
                       dtype="uint16", crs="EPSG:4326", transform=transform, nodata=0) as out:  # fmt: skip
        for number, (name, values) in enumerate(bands.items(), 1):
            out.write(np.clip(values, 1, 65535).astype(np.uint16), number)
            out.set_band_description(number, name)
        out.scales = (1e-4,) * 5
    return tmp_path / "plume.tif", mapping(Polygon(here)), river.point_at(1240, max(0.0, edge - 3), "left")


def test_the_head_of_a_plume_is_where_tracing_begins(
    station: Station, plume_file: tuple[Path, dict[str, object], tuple[float, float]]
) -> None:
    path, outline, _ = plume_file
    lon, lat = shape(outline).representative_point().coords[0]
    seen = Found("sewage", 0.9, "rules:test", lon, lat, [[0.04, 0], [0, 0.04]], 0.5, outline=outline)
    other = Found("aquatic_bloom", 0.9, "rules:test", lon, lat, [[0.04, 0], [0, 0.04]], 0.5, outline=outline)
    found, untouched = with_heads(open_raster(path), station.place, [seen, other])
    assert untouched == other
    plume = found.facts["plume"]
    away = station.place.river.chainage_of(plume["lon"], plume["lat"]).chainage_m - 1240  # type: ignore[union-attr]  # it has one
    assert abs(away) <= 2 + plume["head_error_m"] and plume["head_seen"] and plume["bank"] == "left"

    issue = sewage(station, 1270, 20.0)
    with station.work(SYSTEM) as work:
        flight = flights.open_flight(work, flights.Plan(round_no=1))
        frame = flights.take(work, flight, flights.arrive_bytes(path.read_bytes(), "plume.tif"))
        (thing,) = things.keep(work, flight, frame, [found])
        sighting = work.session.scalars(select(m.Sighting).where(m.Sighting.issue_id == issue.id)).first()
        assert sighting is not None
        thing.state, thing.sighting_id = "reported", sighting.id
    with station.look() as look:
        start = start_of(look, issue)
        ranked = of_issue(look, issue)
    assert start is not None and start["is_head"] and start["error_m"] == plume["head_error_m"]
    assert ranked and ranked[0]["probability"] > 0
