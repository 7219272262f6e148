"""A GCJ-02 position sent as WGS-84: asked about with both places, never moved silently; outside the area: held."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from geodata.crs import distance_m, from_wgs84
from patrol import models as m
from patrol.station import Station
from tests.forms import multipart
from tests.web.api_town import Api


@pytest.fixture
def api(station: Station) -> Api:
    return Api(station)


def shifted(api: Api, chainage_m: float = 1240) -> tuple[dict[str, Any], tuple[float, float]]:
    """A place on the river as a map program would give it, said to be WGS-84; and where it really is."""
    real = api.town.at(chainage_m)
    lon, lat = from_wgs84(real["lon"], real["lat"], "gcj02")
    assert 550 < distance_m(real["lon"], real["lat"], lon, lat) < 700
    return {"lon": round(lon, 7), "lat": round(lat, 7), "crs": "wgs84", "accuracy_m": 10.0}, (real["lon"], real["lat"])


def kept(api: Api) -> list[m.Sighting]:
    with api.station.look() as look:
        return list(look.session.query(m.Sighting).order_by(m.Sighting.id))


def page(api: Api, position: dict[str, Any], **more: str) -> Any:
    flat = {f"position.{name}": str(value) for name, value in position.items()}
    sent = multipart({"client_id": str(uuid.uuid4()), "kind": "sewage", "words": "黑水", **flat, **more}, [])
    return api.app.test_client().post("/report", **sent)


@pytest.mark.parametrize("chainage_m", [100, 700, 1240, 2000, 2800])
def test_the_page_asks_with_both_places_and_keeps_nothing(api: Api, chainage_m: float) -> None:
    position, _ = shifted(api, chainage_m)
    answer = page(api, position)
    text = answer.get_data(as_text=True)
    assert answer.status_code == 422 and kept(api) == []
    assert "是哪一处" in text and f"K{int(chainage_m) // 1000}+" in text and 'name="read_as" value="gcj02"' in text
    assert "黑水" in text  # nothing of what was written is lost


def test_only_the_reporters_own_answer_moves_it(api: Api) -> None:
    position, (lon, lat) = shifted(api)
    assert page(api, position, read_as="gcj02").status_code == 201
    assert page(api, position, read_as="wgs84").status_code == 201
    moved, left = kept(api)
    assert distance_m(moved.lon or 0, moved.lat or 0, lon, lat) < 1 and moved.given and moved.given["crs"] == "gcj02"
    assert (left.lon, left.lat) == (position["lon"], position["lat"]) and left.why != "maybe_gcj02"


@pytest.mark.parametrize("role", [None, "grid", "volunteer"])
def test_a_program_is_told_and_the_report_waits_where_it_was_put(api: Api, role: str | None) -> None:
    position, _ = shifted(api)
    answer = api.report(role, position=position)
    assert answer.status_code == 201
    question = answer.json["question"]
    assert question["code"] == "maybe_gcj02" and "K1+240" in question["as_gcj02"] and 550 < question["apart_m"] < 700
    row = kept(api)[0]
    assert (row.state, row.why) == ("waiting", "maybe_gcj02") and (row.lon, row.lat) == (
        position["lon"],
        position["lat"],
    )
    assert "maybe_gcj02" in row.warnings


def test_a_position_on_the_river_or_declared_gcj02_asks_nothing(api: Api) -> None:
    position, _ = shifted(api)
    assert "question" not in api.report(position=api.town.at(1240)).json
    assert "question" not in api.report(position={**position, "crs": "gcj02"}).json
    assert [row.state for row in kept(api)] == ["joined", "joined"]


def test_outside_the_area_is_held_with_a_place_to_go(api: Api) -> None:
    answer = page(api, {"lon": 113.4, "lat": 30.9, "crs": "wgs84"})
    text = answer.get_data(as_text=True)
    assert answer.status_code == 201 and "12345" in text and "data-elsewhere hidden" not in text
    assert [(row.state, row.why) for row in kept(api)] == [("waiting", "out_of_area")]
