"""Flights over HTTP: opened, sent whole and in pieces, finished, watched, looked at, reviewed."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from geodata.scenes.folder import write
from geodata.scenes.scene import scene
from patrol.actions.delivery import run_jobs
from patrol.settings import Settings
from patrol.station import Station
from tests.conftest import SetClock
from tests.databases import migrated
from tests.web.api_town import Api, problem

PIECE = 300_000


@pytest.fixture(scope="module")
def river(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A generated reach with its own place folder and one five-band picture of it."""
    written = write(scene(5, "tune", size_px=500), tmp_path_factory.mktemp("scene"))
    with (written.place / "units.toml").open("a", encoding="utf-8") as units:
        units.write('\n[[unit]]\ncode = "water"\nname = "水利"\nreach = "account"\n')
    return written


@pytest.fixture
def station(environ: dict[str, str], clock: SetClock, river: Any) -> Any:
    opened = migrated(Station.open(Settings.read(environ | {"PATROL_PLACE": str(river.place)}), clock=clock))
    yield opened
    opened.close()


@pytest.fixture
def api(station: Station) -> Api:
    return Api(station)


def piecewise(api: Api, ref: str, data: bytes, name: str) -> dict[str, Any]:
    """Send a file in pieces, once from a wrong place and once again after a lost answer, as real senders do."""
    sha256 = hashlib.sha256(data).hexdigest()
    opened = api.post(
        f"/api/v1/flights/{ref}/uploads", {"name": name, "bytes": len(data), "sha256": sha256}, "drone"
    ).json
    path, answer = f"/api/v1/flights/{ref}/uploads/{opened['upload']}", opened
    raw = {"content_type": "application/octet-stream", "token": api.token("drone")}
    while answer["offset"] < len(data):
        at = answer["offset"]
        answer = api.call("PUT", f"{path}?offset={at}", data=data[at : at + PIECE], **raw).json
        if at == 0 and answer["offset"] < len(data):
            assert api.call("PUT", f"{path}?offset=0", data=data[:PIECE], **raw).status_code == 409
            assert api.get(path, "drone").json["offset"] == answer["offset"]
    return answer


def settled(api: Api, ref: str) -> dict[str, Any]:
    for _ in range(20):
        run_jobs(api.station)
        now = api.get(f"/api/v1/flights/{ref}/progress", "office").json
        if now["state"] == "settled":
            return now
    raise AssertionError(now)


def test_a_raster_in_pieces_becomes_things_to_review(api: Api, river: Any) -> None:
    opened = api.post("/api/v1/flights", {"round": 2, "approval": "JZ-2026-11", "pilot": "飞手甲"}, "drone")
    assert opened.status_code == 201 and opened.json["state"] == "receiving"
    ref = opened.json["flight"]
    assert piecewise(api, ref, river.raster.read_bytes(), "scene.tif")["state"] == "whole"
    assert api.call("POST", f"/api/v1/flights/{ref}/finish", token=api.token("drone")).json["total"] == 1
    assert settled(api, ref)["parked"] == 0
    found = api.get(f"/api/v1/flights/{ref}", "office").json
    frame = found["frames"][0]
    assert frame["kind"] == "raster" and frame["facts"]["bands"] == ["blue", "green", "red", "rededge", "nir"]
    assert api.get("/api/v1/rounds", "chief").json["rounds"][0]["coverage"][0]["area"] == "water"
    for view in ("auto", "false", "ndwi", "band:nir"):
        shown = api.get(f"/api/v1/flights/{ref}/frames/{frame['frame']}.jpg?size=200&view={view}", "office")
        assert shown.data.startswith(b"\xff\xd8\xff"), shown.text
    problem(api.get(f"/api/v1/flights/{ref}/frames/{frame['frame']}.jpg?view=mndwi", "office"), 422)
    detections = api.get(f"/api/v1/flights/{ref}/detections", "office").json["detections"]
    assert detections and all(each["by"].startswith("rules:") and each["ce90_m"] > 0 for each in detections)


def test_a_thing_is_confirmed_dismissed_and_stays_dismissed(api: Api, river: Any) -> None:
    ref = api.post("/api/v1/flights", {"round": 1}, "drone").json["flight"]
    piecewise(api, ref, river.raster.read_bytes(), "scene.tif")
    api.call("POST", f"/api/v1/flights/{ref}/finish", token=api.token("drone"))
    settled(api, ref)
    things = {each["thing"]: each for each in api.get(f"/api/v1/flights/{ref}/detections", "office").json["detections"]}
    waiting = [ref for ref, each in things.items() if each["clue_state"] == "waiting"]
    assert len(waiting) >= 2
    yes = api.post(f"/api/v1/things/{waiting[0]}/confirm", {}, "office").json
    assert yes["issue"]
    no = api.post(f"/api/v1/things/{waiting[1]}/dismiss", {"reason": "false_detection"}, "office").json
    assert no["state"] == "dismissed"
    problem(api.post(f"/api/v1/things/{waiting[1]}/dismiss", {"reason": "false_detection"}, "office"), 422)


def test_an_archive_is_unpacked_and_what_is_no_frame_is_passed_over(api: Api, data_files: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(data_files / "drone_rgb" / "brighton_beach" / "DJI_0018.JPG", "day/DJI_0018.JPG")
        archive.writestr("day/readme.txt", "words")
    ref = api.post("/api/v1/flights", {}, "drone").json["flight"]
    done = piecewise(api, ref, packed.getvalue(), "day.zip")
    assert len(done["frames"]) == 1
    assert [each["name"] for each in api.get(f"/api/v1/flights/{ref}", "office").json["frames"]] == ["DJI_0018.JPG"]


def test_a_wrong_digest_starts_the_file_again(api: Api) -> None:
    ref = api.post("/api/v1/flights", {}, "drone").json["flight"]
    said = {"name": "a.jpg", "bytes": 20, "sha256": "0" * 64}
    upload = api.post(f"/api/v1/flights/{ref}/uploads", said, "drone").json["upload"]
    path = f"/api/v1/flights/{ref}/uploads/{upload}"
    raw = {"content_type": "application/octet-stream", "token": api.token("drone")}
    problem(api.call("PUT", f"{path}?offset=0", data=b"\xff\xd8\xff" + b"x" * 17, **raw), 422)
    assert api.get(path, "drone").json["offset"] == 0
    problem(api.call("PUT", f"{path}?offset=0", data=b"x" * 21, **raw), 422)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"source": "balloon"}, "/source"), ({"zone": "Mars/Olympus"}, "/zone"), ({"planned_on": "23.11.2026"}, "/planned_on"),
     ({"round": 0}, "/round"), ({"wings": 2}, "/wings")],
)  # fmt: skip
def test_a_flight_that_makes_no_sense_is_told_where(api: Api, body: dict[str, Any], pointer: str) -> None:
    said = problem(api.post("/api/v1/flights", body, "drone"), 422)
    assert [fault["pointer"] for fault in said["errors"]] == [pointer]
    assert api.get("/api/v1/flights", "office").json["flights"] == []


def test_a_round_is_planned_moved_and_overdue(api: Api, clock: SetClock) -> None:
    assert api.post("/api/v1/rounds", {"due_on": "2026-11-24"}, "office").json == {"round": 1, "due_on": "2026-11-24"}
    assert api.get("/api/v1/rounds", "office").json["rounds"][0]["state"] == "planned"
    clock.forward(days=2)
    assert api.get("/api/v1/rounds", "office").json["rounds"][0]["state"] == "overdue"
    api.post("/api/v1/rounds", {"round": 1, "due_on": "2026-12-01"}, "office")
    assert api.get("/api/v1/rounds", "office").json["rounds"][0]["state"] == "planned"
