"""Real drone frames over a lake shore: its place imported, each frame a sighting, the loop taken to a slip."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from geodata.intake import import_layer
from patrol.actions import people
from patrol.settings import Settings
from patrol.station import ANYONE, Station
from patrol.web.app import create_app
from tests.conftest import SetClock
from tests.databases import migrated
from tests.forms import multipart

SHORE = [[-91.9975, 46.8405], [-91.9905, 46.8405], [-91.9905, 46.8450], [-91.9975, 46.8450], [-91.9975, 46.8405]]
UNITS = """
[[unit]]
code = "park"
name = "湖岸管理所"
reach = "account"

[[dispatch]]
kind = "floating_debris"
grid = "*"
unit = "park"
"""


@pytest.fixture
def shore(environ: dict[str, str], clock: SetClock, tmp_path: Path) -> Iterator[Station]:
    """A station on a place that has nothing but the water of that lake shore and one unit."""
    drawn = tmp_path / "shore.geojson"
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [SHORE]}}
    drawn.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    place = tmp_path / "place"
    import_layer(drawn, "water", "wgs84", place)
    (place / "units.toml").write_text(UNITS, encoding="utf-8")
    station = migrated(Station.open(Settings.read({**environ, "PATROL_PLACE": str(place)}), clock=clock))
    yield station
    station.close()


def bearer(station: Station, name: str, role: str) -> dict[str, str]:
    with station.work(ANYONE) as work:
        return {"Authorization": "Bearer " + people.add_token(work, name, role)}


def test_frames_of_a_lake_shore_become_issues_and_a_slip(shore: Station, data_files: Path) -> None:
    client = create_app(shore).test_client()
    drone, office = bearer(shore, "无人机", "drone"), bearer(shore, "环保办甲", "office")
    numbers = {}
    for frame in sorted((data_files / "drone_rgb" / "brighton_beach").glob("*.JPG")):
        mark = {"kind": "floating_debris", "score": 0.93, "box": [1900, 1050, 2100, 1200], "round": 1}
        form = multipart({"mark": mark}, [frame.read_bytes()])
        answer = client.post("/api/v1/frames", headers=drone, **form)
        assert answer.status_code == 201, answer.json
        numbers[frame.name] = answer.json["issue"]
        edited = "edited" in [warning["code"] for warning in answer.json["located"]["warnings"]]
        assert edited == (frame.name in ("DJI_0026.JPG", "DJI_0027.JPG", "DJI_0028.JPG"))
    # frames flown 14 m apart show different spots; those within one reach joined
    assert len(numbers) == 11 and 2 <= len(set(numbers.values())) <= 11
    number = numbers["DJI_0018.JPG"]
    issue = client.get(f"/api/v1/issues/{number}", headers=office)
    assert issue.json["position"]["method"] == "frame:pose" and issue.json["position"]["accuracy_m"] < 30
    done = client.post(f"/api/v1/issues/{number}/steps/assign", json={"lead_unit": "park", "duplicate_answered": True},
                       headers={**office, "If-Match": issue.headers["ETag"]})  # fmt: skip
    assert done.status_code == 200, done.json
    slip = done.json["slips"][0]
    paper = client.get(slip["pdf"], headers=office)
    assert paper.status_code == 200 and paper.data.startswith(b"%PDF")
    assert client.get(slip["pdf"], headers=office).data == paper.data
