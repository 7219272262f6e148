"""A folder of real frames becomes a flight: read, doubted, covered; twice is once; one bad file harms nobody."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import select

from patrol import models as m
from patrol.actions import flights
from patrol.actions.delivery import run_jobs
from patrol.actions.flights.folder import files_in
from patrol.errors import BadInput, WrongStep
from patrol.queries import flights as ask
from patrol.station import ANYONE, SYSTEM, Station


@pytest.fixture
def frames(data_files: Path, tmp_path: Path) -> Path:
    """Four clean lake-shore frames, one turned in a photo viewer, one file cut in half, one page of words."""
    folder = tmp_path / "flight"
    folder.mkdir()
    for name in ("DJI_0018.JPG", "DJI_0019.JPG", "DJI_0028.JPG"):
        shutil.copy(data_files / "drone_rgb" / "brighton_beach" / name, folder)
    whole = (data_files / "drone_rgb" / "brighton_beach" / "DJI_0020.JPG").read_bytes()
    (folder / "cut.JPG").write_bytes(whole[:3000])
    return folder


def brought(station: Station, folder: Path, plan: flights.Plan | None = None) -> str:
    with files_in(folder) as files:
        arrived = [flights.arrive_file(station, path, name) for path, name in files]
    with station.work(ANYONE) as work:
        row = flights.open_flight(work, plan or flights.Plan(round_no=3))
        for file in arrived:
            flights.take(work, row, file)
        return flights.finish(work, row).ref


def read_all(station: Station, ref: str) -> dict[str, object]:
    for _ in range(50):
        run_jobs(station)
        with station.look(SYSTEM) as look:
            now = ask.flight_state(look, ref)
        if now["state"] == "settled":
            return now
    raise AssertionError(now)


def test_frames_are_read_doubted_and_settled(station: Station, frames: Path) -> None:
    ref = brought(station, frames)
    now = read_all(station, ref)
    assert (now["total"], now["parked"], now["percent"], now["eta_s"]) == (4, 1, 100.0, 0.0)
    with station.look(SYSTEM) as look:
        found = ask.flight(look, ref)
        rounds = ask.rounds(look)
    by_name = {each["name"]: each for each in found["frames"]}
    assert by_name["cut.JPG"]["state"] == "parked" and by_name["cut.JPG"]["error"]
    assert by_name["DJI_0018.JPG"]["method"] == "pose" and by_name["DJI_0018.JPG"]["footprint"]["type"] == "Polygon"
    assert [name for name, each in by_name.items() if "edited" in {f["code"] for f in each["faults"]}] == [
        "DJI_0028.JPG"
    ]
    assert rounds[0]["round"] == 3 and rounds[0]["state"] == "flown"
    assert all(not area["complete"] and area["seen"] == 0 for area in rounds[0]["coverage"]), "the lake is elsewhere"


def test_the_same_files_again_are_the_same_flight(station: Station, frames: Path) -> None:
    first = brought(station, frames)
    read_all(station, first)
    assert brought(station, frames) == first
    with station.look(SYSTEM) as look:
        assert len(look.session.scalars(select(m.Flight).where(m.Flight.state == "settled")).all()) == 1
        assert len(look.session.scalars(select(m.Frame).where(m.Frame.state == "read")).all()) == 3


def test_a_cancelled_flight_reads_no_more_and_takes_no_more(station: Station, frames: Path) -> None:
    ref = brought(station, frames)
    with station.work(ANYONE) as work:
        flights.cancel(work, flights.find(work, ref))
    run_jobs(station)
    with station.look(SYSTEM) as look:
        assert {each["state"] for each in ask.flight(look, ref)["frames"]} == {"cancelled"}
    with station.work(ANYONE) as work, pytest.raises(WrongStep):
        flights.take(work, flights.find(work, ref), flights.arrive_bytes(b"\xff\xd8\xff" + b"x" * 50, "late.jpg"))


@pytest.mark.parametrize(
    ("data", "name", "code"),
    [
        (b"", "a.jpg", "empty"),
        (b"<?php echo 1;", "a.jpg", "unknown_file"),
        (b"MZ" + b"\0" * 99, "x.csv", "unknown_file"),
    ],
)
def test_what_no_flight_brings_is_refused_by_its_first_bytes(data: bytes, name: str, code: str) -> None:
    with pytest.raises(BadInput) as refused:
        flights.arrive_bytes(data, name)
    assert refused.value.faults[0].code == code
