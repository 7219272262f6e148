"""Patrols along the river: kept as stretches, measured once, rides not counted, the week's plan by grid."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from patrol import models as m
from patrol.station import Station
from tests.conftest import SetClock
from tests.web.api_town import Api, problem


@pytest.fixture
def api(station: Station) -> Api:
    return Api(station)


def patrol(api: Api, stretches: list[tuple[str, float, float, float]], **more: Any) -> dict[str, Any]:
    now = api.station.now()
    return {
        "client_id": str(uuid.uuid4()), "started_at": (now - timedelta(hours=1)).isoformat(), "stopped_at": now.isoformat(),
        "stretches": [dict(zip(("bank", "from_m", "to_m", "seconds"), one, strict=True)) for one in stretches], **more,
    }  # fmt: skip


def test_a_walk_is_measured_once_and_counts_for_its_grids(api: Api, clock: SetClock) -> None:
    body = patrol(api, [("left", 100, 500, 400), ("right", 500, 300, 250), ("left", 480, 600, 120)])
    first = api.post("/api/v1/patrols", body, "grid")
    assert first.status_code == 201, first.text
    assert (first.json["metres"], first.json["warnings"]) == (720.0, [])
    assert sum(first.json["by_grid"].values()) == 700  # 20 m walked twice
    assert api.post("/api/v1/patrols", body, "grid").json == first.json
    problem(api.post("/api/v1/patrols", body | {"stretches": body["stretches"][:1]}, "grid"), 409)
    week = {row["grid"]: row for row in api.get("/api/v1/patrols", "office").json["grids"]}
    assert sum(row["walked_m"] for row in week.values()) == 700
    assert week["G1"]["planned_m"] == 2 * week["G1"]["bank_m"] and 0 < week["G1"]["share"] < 1
    with api.station.look() as look:
        (row,) = look.session.query(m.Walk)
        assert not {"lon", "lat", "points"} & {key for one in row.stretches for key in one}
    clock.forward(minutes=60 * 24 * 7)
    assert all(row["walked_m"] == 0 for row in api.get("/api/v1/patrols", "office").json["grids"])


def test_a_ride_is_kept_but_not_counted_and_nonsense_is_refused(api: Api) -> None:
    ride = api.post("/api/v1/patrols", patrol(api, [("left", 0, 2000, 300), ("right", 100, 200, 100)]), "grid").json
    assert ride["warnings"] == ["too_fast"] and sum(ride["by_grid"].values()) == 100
    late = api.station.now() + timedelta(days=2)
    bad = patrol(api, [("left", 0, 99_000, 300)]) | {"started_at": late.isoformat()}
    answer = problem(api.post("/api/v1/patrols", bad, "grid"), 422)
    assert {fault["pointer"] for fault in answer["errors"]} == {"/stopped_at", "/started_at", "/stretches/0"}
