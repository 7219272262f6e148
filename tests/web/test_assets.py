"""Our files over the line: packed for whoever can unpack, whole for everybody else, nothing outside their folder."""

from __future__ import annotations

import gzip
from contextlib import closing
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from patrol.station import Station
from patrol.web.app import create_app

FOLDER = Path(__file__).parents[2] / "templates" / "assets"


@pytest.fixture
def client(station: Station) -> FlaskClient:
    return create_app(station).test_client()


@pytest.mark.parametrize("name", ["css/components.css", "js/report.js", "icons.svg"])
def test_packed_and_plain_are_the_same_file(client: FlaskClient, name: str) -> None:
    with closing(client.get(f"/assets/{name}")) as plain:
        assert plain.data == (FOLDER / name).read_bytes()
    packed = client.get(f"/assets/{name}", headers={"Accept-Encoding": "gzip, br"})
    whole = (FOLDER / name).read_bytes()
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip" and gzip.decompress(packed.data) == whole
    assert len(packed.data) < len(whole) / 2 and packed.mimetype == plain.mimetype
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert packed.headers["ETag"] != plain.headers["ETag"]
    again = {"Accept-Encoding": "gzip", "If-None-Match": packed.headers["ETag"]}
    assert client.get(f"/assets/{name}", headers=again).status_code == 304


@pytest.mark.parametrize("name", ["css/none.css", "../pages/home.html", "%2e%2e/pages/home.html", "css"])
def test_nothing_else_is_served(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/assets/{name}", headers={"Accept-Encoding": "gzip"})
    assert answer.status_code in (400, 404)


def test_a_picture_is_sent_as_it_is(client: FlaskClient) -> None:
    with closing(client.get("/assets/vendor/leaflet/images/layers.png", headers={"Accept-Encoding": "gzip"})) as answer:
        assert answer.data
    assert answer.status_code == 200 and "Content-Encoding" not in answer.headers
