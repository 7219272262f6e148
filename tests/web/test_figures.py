"""Doors and page of the figures: what the public gets, what a period may be, and a sheet nothing runs in."""

from __future__ import annotations

import csv
import io

from patrol.actions import people
from patrol.station import ANYONE, Station
from patrol.web.app import create_app
from tests.walk import Town
from tests.web.deskroom import Desk


def test_the_public_sees_public_figures_and_no_issue(station: Station) -> None:
    town = Town(station)
    town.to_closed()
    client = create_app(station).test_client()
    told = client.get("/api/v1/figures").get_json()
    assert {row["figure"] for row in told["figures"]} >= {"push", "on_site", "close_time"}
    assert "missed" not in {row["figure"] for row in told["figures"]}
    assert "issues" not in client.get("/api/v1/figures/closed").get_json()
    assert client.get("/api/v1/figures/precision").status_code == 404
    with station.work(ANYONE) as work:
        token = people.add_token(work, "环保办", "office")
    inside = client.get("/api/v1/figures/closed", headers={"Authorization": f"Bearer {token}"}).get_json()
    assert [one["met"] for one in inside["issues"]] == [True] and inside["value"] == 1.0


def test_a_period_that_is_none_is_told_whole(station: Station) -> None:
    client = create_app(station).test_client()
    for query, where in (
        ("from=gestern&to=2026-13-01", ["/from", "/to"]), ("from=2026-11-30&to=2026-11-01", ["/from"]),
        ("from=2001-01-01&to=2026-11-01", ["/from"]), ("from=0001-01-01", ["/from"]),
    ):  # fmt: skip
        answer = client.get(f"/api/v1/figures?{query}")
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.get_json()["errors"]] == where, query


def test_the_page_links_each_number_to_its_issues_and_its_sheet_is_text(station: Station) -> None:
    town = Town(station)
    number = town.to_closed()
    desk = Desk(town, create_app(station), "office", name="office")
    shown = desk.get("/desk/figures?open=closed")
    assert f"/desk/issues/{number}" in shown and "1 / 1" in shown and "100 %" in shown
    desk.get("/desk/figures?from=x", status=422)
    raw = desk.client.get("/desk/figures.csv").get_data()
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"))))
    assert rows[0][0] == "数字" and ["结案率", "1.0", "1", "1"] in [row[:4] for row in rows]
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)
