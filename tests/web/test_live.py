"""The doors of live frames, timings, fishing events, tracing and effects: what they take, refuse and show to whom."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from patrol import models as m
from patrol.actions.delivery import run_jobs
from patrol.gateways.modelshelf import shelf
from patrol.station import Station
from tests.aerial import flown, water
from tests.geodata.detector_models import save, spots
from tests.web.api_town import Api, codes, form, problem

BOAT = water(640, 480, [("boat", 0.53, 0.53, 0.12)])


@pytest.fixture
def api(station: Station) -> Api:
    folder = shelf(station.settings.data)
    folder.mkdir(parents=True)
    save(folder, spots())
    return Api(station)


def frame(api: Api, note: str = "") -> bytes:
    assert api.station.place.river is not None
    lon, lat = api.station.place.river.point_at(1240)
    return flown(BOAT, lon, lat, api.station.now(), note=note)


def test_a_live_frame_is_taken_once_and_becomes_an_event_that_is_acknowledged(api: Api) -> None:
    said = {"client_id": str(uuid.uuid4()), "flight": "F-1", "drone": "M3E",
            "seen_at": api.station.now().isoformat()}  # fmt: skip
    first = api.call("POST", "/api/v1/frames", "drone", **form({"live": said}, [frame(api)]))
    assert first.status_code == 202 and set(first.json) == {"frame", "flight"}
    again = api.call("POST", "/api/v1/frames", "drone", **form({"live": said}, [frame(api)]))
    assert (again.status_code, again.json) == (200, first.json)
    other_id = {**said, "client_id": str(uuid.uuid4())}
    same = api.call("POST", "/api/v1/frames", "drone", **form({"live": other_id}, [frame(api)]))
    assert same.json == first.json, "the same bytes are the same frame"
    problem(api.call("POST", "/api/v1/frames", "drone", **form({"live": said}, [frame(api, "x")])), 409)
    run_jobs(api.station)
    seconds = api.get(f"/api/v1/flights/{first.json['flight']}/timings", "drone").json
    assert seconds["spread"]["look"]["count"] == 1 and seconds["frames"][0]["seconds"]["told"] is not None
    (episode,) = api.get("/api/v1/episodes?open=true", "operator").json["episodes"]
    assert episode["kinds"] == ["boat"] and episode["clue_state"] == "waiting" and episode["frame"]
    api.station.clock.forward(seconds=30)  # type: ignore[attr-defined]  # the settable clock
    path = f"/api/v1/episodes/{episode['episode']}/acknowledge"
    assert api.post(path, None, "grid").json["acknowledged_after_s"] == 30.0
    assert api.post(path, None, "office").json["acknowledged_after_s"] == 30.0, "the first one counts"
    assert api.get("/api/v1/episodes?open=true", "office").json["episodes"] == []
    shown = api.get(f"/api/v1/flights/{episode['flight']}/frames/{episode['frame']}.jpg?size=320", "office")
    assert shown.status_code == 200 and shown.data.startswith(b"\xff\xd8")
    done = api.call("POST", f"/api/v1/flights/{first.json['flight']}/finish", "drone")
    assert done.status_code == 200
    run_jobs(api.station)
    assert api.get(f"/api/v1/flights/{first.json['flight']}/progress", "drone").json["state"] == "settled"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({}, "missing"),
        ({"client_id": "x"}, ""),
        ({"client_id": str(uuid.UUID(int=7, version=4)), "height": 3}, "unknown_field"),
        ({"client_id": str(uuid.UUID(int=7, version=4)), "seen_at": "2026-11-23T09:00:00"}, ""),
        ({"client_id": str(uuid.UUID(int=7, version=4)), "zone": "Mars/Base"}, "zone"),
    ],
)
def test_wrong_live_parts_are_refused_and_nothing_is_kept(api: Api, said: dict[str, object], code: str) -> None:
    before = api.kept()
    body = problem(api.call("POST", "/api/v1/frames", "drone", **form({"live": said}, [frame(api)])), 422)
    assert not code or code in codes(body), body
    assert api.kept() == before


def test_what_is_neither_mark_nor_live_is_named(api: Api) -> None:
    for parts in ({}, {"mark": {}, "live": {}}, {"other": {}}):
        answer = api.call("POST", "/api/v1/frames", "drone", **form(parts, [frame(api)]))
        assert answer.status_code == 422
    said = {"client_id": str(uuid.uuid4()), "seen_at": (api.station.now() + timedelta(hours=1)).isoformat()}
    assert "in_future" in codes(
        problem(api.call("POST", "/api/v1/frames", "drone", **form({"live": said}, [frame(api)])), 422)
    )
    said = {"client_id": str(uuid.uuid4())}
    assert "unknown_file" in codes(
        problem(api.call("POST", "/api/v1/frames", "drone", **form({"live": said}, [b"<?php echo 1;"])), 422)
    )
    assert api.count(m.Flight) == 0


def test_trace_and_effects_are_for_the_office_side(api: Api) -> None:
    number = api.town.report("grid", "sewage").issue.number
    found = api.get(f"/api/v1/issues/{number}/trace", "office").json
    assert found["start"]["is_head"] is False and found["candidates"]
    assert abs(sum(each["probability"] for each in found["candidates"]) - 1) < 0.01
    assert api.get(f"/api/v1/issues/{number}/effects", "inspector").json["effects"] == []
    for role in ("unit", "grid", "drone"):
        assert api.get(f"/api/v1/issues/{number}/trace", role).status_code == 403
