"""Fishing on photographs: looked for by a real model file, judged by place and season, told once an event."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import func, select

from patrol import models as m
from patrol.actions import clues, episodes, flights
from patrol.actions.delivery import run_jobs
from patrol.actions.flights import live
from patrol.actions.flights.picture import picture
from patrol.actions.photos import rendition
from patrol.errors import Missing
from patrol.gateways import pictures
from patrol.gateways.modelshelf import shelf
from patrol.queries import episodes as told
from patrol.queries import flights as ask
from patrol.station import SYSTEM, Actor, Station
from tests.aerial import flown, water
from tests.geodata.detector_models import save, spots
from tests.walk import Town

BOAT = water(640, 480, [("boat", 0.53, 0.53, 0.12)])
PERSON = water(640, 480, [("person", 0.53125, 0.53125, 0.042)])
BARE = water(640, 480)


@pytest.fixture
def watched(station: Station) -> Station:
    """A station with a model on its shelf that calls blue spots boats and red ones persons."""
    folder = shelf(station.settings.data)
    folder.mkdir(parents=True)
    save(folder, spots())
    return station


def fly(station: Station, picture: bytes, *, chainage_m: float = 1240, offset_m: float = 0.0, key: str = "A",
        who: Actor | None = None, at: datetime | None = None, note: str = "") -> str:  # fmt: skip
    """One pushed frame over the river, read; returns its ref."""
    assert station.place.river is not None
    lon, lat = station.place.river.point_at(chainage_m, offset_m, "left")
    at = at or station.now()
    data = flown(picture, lon, lat, at, note=f"{note}{at.isoformat()}")
    with station.work(who or SYSTEM) as work:
        frame, _ = live.push(work, flights.arrive_bytes(data, "f.jpg"), live.Said(flight=key))
    run_jobs(station)
    return frame.ref


def rows(station: Station, table: type[m.Base]) -> list[m.Base]:
    with station.look() as look:
        return list(look.session.scalars(select(table).order_by(table.id)))  # type: ignore[attr-defined]  # each has one


def test_one_event_is_one_clue_however_many_frames_show_it(watched: Station) -> None:
    for _ in range(6):
        fly(watched, BOAT)
        watched.clock.forward(seconds=20)  # type: ignore[attr-defined]  # the settable clock
    (sighting,) = rows(watched, m.Sighting)
    (episode,) = rows(watched, m.Episode)
    assert (sighting.kind, sighting.state, sighting.why) == ("illegal_fishing", "waiting", "fishing")
    assert episode.sighting_id == sighting.id and episode.warned_at is not None and episode.frames == 6
    assert [each.episode_id for each in rows(watched, m.Detection)] == [episode.id] * 6
    assert {errand.group for errand in rows(watched, m.Errand) if errand.event == "fishing_clue"} >= {"fishing"}
    with watched.look() as look:
        assert look.session.scalar(select(func.count(m.Trail.id)).where(m.Trail.event == "fishing_clue")) == 1
        photo = look.session.scalars(select(m.Photo)).one()
        assert photo.stage == "frame" and photo.sighting_id == sighting.id
        assert len(ask.detections(look, look.session.scalars(select(m.Flight.ref)).one())) == 6
    watched.clock.forward(minutes=16)  # type: ignore[attr-defined]
    fly(watched, BOAT)
    assert len(rows(watched, m.Episode)) == len(rows(watched, m.Sighting)) == 2, "after the quiet gap it is a new one"


def test_the_same_event_seen_by_two_platforms_is_told_once(watched: Station) -> None:
    town = Town(watched)
    fly(watched, BOAT, who=town.person("drone"))
    fly(watched, BOAT, who=town.person("drone", name="另一平台"), note="x")
    assert len(rows(watched, m.Sighting)) == 1 and len(rows(watched, m.Detection)) == 2


@pytest.mark.parametrize("offset_m", [120.0, 300.0])
def test_outside_the_water_nothing_is_told(watched: Station, offset_m: float) -> None:
    fly(watched, BOAT, offset_m=offset_m)
    assert not rows(watched, m.Episode) and not rows(watched, m.Sighting) and not rows(watched, m.Detection)


def test_an_old_frame_is_read_but_warns_nobody(watched: Station) -> None:
    assert watched.place.river is not None
    lon, lat = watched.place.river.point_at(1240)
    data = flown(BOAT, lon, lat, watched.now() - timedelta(days=2))
    with watched.work(SYSTEM) as work:
        flight = flights.open_flight(work, flights.Plan())
        flights.take(work, flight, flights.arrive_bytes(data, "old.jpg"))
        flights.finish(work, flight)
    run_jobs(watched)
    (frame,) = rows(watched, m.Frame)
    assert frame.state == "read" and frame.facts["seen"][0]["cls"] == "boat"
    assert not rows(watched, m.Episode) and not rows(watched, m.Sighting)


def test_without_a_model_the_flight_says_so_once_and_nothing_is_invented(station: Station) -> None:
    for _ in range(3):
        fly(station, BOAT)
        station.clock.forward(seconds=5)  # type: ignore[attr-defined]
    (flight,) = rows(station, m.Flight)
    assert [each["code"] for each in flight.warnings] == ["no_model"] and "patrol models install" in str(
        flight.warnings
    )
    assert not rows(station, m.Episode) and not rows(station, m.Detection)


def test_a_model_that_is_not_the_one_described_is_named(watched: Station) -> None:
    file = next(shelf(watched.settings.data).glob("*.onnx"))
    file.write_bytes(file.read_bytes() + b"x")
    fly(watched, BOAT)
    (flight,) = rows(watched, m.Flight)
    assert [each["code"] for each in flight.warnings] == ["bad_model"] and not rows(watched, m.Episode)


def test_a_worker_that_dies_before_it_commits_tells_it_once_after_all(
    watched: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    from patrol.actions.flights import reading

    dies = iter((True, False))
    ended = reading.ended

    def killed(work: object, frame: object) -> None:
        if next(dies, False):
            raise SystemExit(9)
        ended(work, frame)  # type: ignore[arg-type]

    monkeypatch.setattr(reading, "ended", killed)
    with pytest.raises(SystemExit):
        fly(watched, BOAT)
    assert not rows(watched, m.Sighting) and not rows(watched, m.Episode)
    watched.clock.forward(minutes=3)  # type: ignore[attr-defined]  # the lease has lapsed
    for _ in range(2):
        run_jobs(watched)
    assert len(rows(watched, m.Sighting)) == 1 and len(rows(watched, m.Detection)) == 1


def test_an_acknowledgement_is_timed_and_the_first_one_counts(watched: Station) -> None:
    town = Town(watched)
    fly(watched, BOAT)
    (episode,) = rows(watched, m.Episode)
    operator, unit = town.person("operator"), town.person("unit", unit="water")
    elsewhere = town.person("grid", grids=frozenset({"nowhere"}))
    for stranger in (unit, elsewhere):
        with watched.work(stranger) as work, pytest.raises(Missing):
            episodes.acknowledge(work, episode.ref)
    watched.clock.forward(seconds=42)  # type: ignore[attr-defined]
    for who in (operator, town.person("office")):
        with watched.work(who) as work:
            episodes.acknowledge(work, episode.ref)
        watched.clock.forward(seconds=10)  # type: ignore[attr-defined]
    with watched.look(operator) as look:
        (row,) = told.listing(look)
        assert not told.listing(look, only_open=True)
    assert row["acknowledged_after_s"] == 42.0 and row["acknowledged_by"] == operator.name
    with watched.look(elsewhere) as look:
        assert told.listing(look) == []


def test_reviewing_the_clue_is_taking_notice(watched: Station) -> None:
    office = Town(watched).person("office")
    fly(watched, BOAT)
    (sighting,) = rows(watched, m.Sighting)
    with watched.work(office) as work:
        settled = clues.confirm(work, sighting.ref)
    (episode,) = rows(watched, m.Episode)
    assert settled.issue is not None and episode.acknowledged_by == office.person_id


def test_no_picture_that_leaves_the_house_shows_a_head(watched: Station) -> None:
    ref = fly(watched, PERSON)
    (photo,) = rows(watched, m.Photo)
    with watched.look() as look:
        frame = look.session.scalars(select(m.Frame).where(m.Frame.ref == ref)).one()
    data = watched.store.get(photo.sha256)
    plain = reds(pictures.rendition(data, 640))
    (seen,) = frame.facts["seen"]
    left, top, right, bottom = (round(side * size) for side, size in zip(seen["shares"], (640, 480) * 2, strict=True))
    for shown in (rendition(watched, photo, 640), picture(watched, frame, [], "auto", 640)):
        moved = np.abs(reds(shown) - plain)
        assert moved[top:bottom, left:right].mean() > 15, "the head is not what it was"
        assert moved[: top - 60].mean() < 3 and moved[bottom + 60 :].mean() < 3, "and nothing else has changed"
        head = reds(shown)[top:bottom, left:right]
        assert np.abs(np.diff(head, axis=1)).max() < 0.5 * np.abs(np.diff(plain[top:bottom, left:right], axis=1)).max()


def test_an_empty_river_is_shown_as_it_is(watched: Station) -> None:
    ref = fly(watched, BARE)
    with watched.look() as look:
        frame = look.session.scalars(select(m.Frame).where(m.Frame.ref == ref)).one()
    assert "seen" not in frame.facts
    assert picture(watched, frame, [], "auto", 640) == pictures.rendition(watched.store.get(frame.sha256), 640)


def reds(jpeg: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(jpeg)) as opened:
        return np.asarray(opened.convert("RGB"), float)[:, :, 0]


def test_seen_boxes_lie_upright_in_the_picture(tmp_path: Path) -> None:
    from geodata.detector import Box
    from geodata.frames.metadata import FrameMeta
    from patrol.actions.flights.fishing import shares_of

    box = Box("person", 0.9, 10, 20, 30, 60)
    for orientation, transposed in ((1, None), (3, Image.Transpose.ROTATE_180), (6, Image.Transpose.ROTATE_270),
                                    (8, Image.Transpose.ROTATE_90), (5, Image.Transpose.TRANSPOSE),
                                    (7, Image.Transpose.TRANSVERSE)):  # fmt: skip
        stored = Image.new("L", (100, 80))
        stored.paste(255, (10, 20, 30, 60))
        upright = stored.transpose(transposed) if transposed is not None else stored
        left, top, right, bottom = upright.getbbox() or (0, 0, 0, 0)
        meta = FrameMeta(100, 80, "JPEG", orientation=orientation)
        wanted = [left / upright.width, top / upright.height, right / upright.width, bottom / upright.height]
        assert shares_of(box, meta) == pytest.approx(wanted)
