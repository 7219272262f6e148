"""Clock rows as countdowns: every status has a picture, and what ticks carries the hours it runs in."""

from __future__ import annotations

from pathlib import Path

from patrol import models as m
from patrol.queries import clockwords
from patrol.queries.clockview import clock_view, header_views, most_urgent
from patrol.station import Station
from tests.walk import Town

ICONS = (Path(__file__).parents[2] / "templates" / "assets" / "icons.svg").read_text(encoding="utf-8")


def rows_of(town: Town, number: str) -> list[dict[str, object]]:
    with town.station.look() as look:
        issue = look.session.query(m.Issue).filter_by(number=number).one()
        return [clockwords.full(look, clock) for clock in clockwords.of_issues(look, [issue.id])[issue.id]]


def test_header_has_five_cells_in_order_with_known_pictures(station: Station) -> None:
    town = Town(station)
    number = town.to_supervised()
    views = header_views(rows_of(town, number))
    assert [view["zh"] for view in views] == ["推送", "签收", "到场", "整改", "验收"]
    for view in views:
        assert f'id="time-{view["status"]}"' in ICONS
    by_name = {view["name"]: view for view in views}
    assert by_name["on_site"]["status"] == "met"
    assert by_name["accept"]["status"] == "not_started"


def test_working_clock_ticks_only_in_its_hours_and_late_counts_by_the_wall(station: Station) -> None:
    town = Town(station)
    number = town.to_supervised()
    station.clock.forward(hours=3, minutes=30)  # type: ignore[attr-defined]  # 12:30, the noon break
    rectify = next(view for view in header_views(rows_of(town, number)) if view["name"] == "rectify")
    assert rectify["unit"] == "work_hour" and rectify["left_s"] == 5 * 3600
    assert rectify["runs_from"].startswith("2026-11-23T14:00") and rectify["runs_until"].startswith("2026-11-23T17:00")
    assert rectify["estimated"] and rectify["due"] == "11-24 11:00"  # no calendar was imported here
    station.clock.forward(days=2)  # type: ignore[attr-defined]
    urgent = most_urgent(rows_of(town, number))
    assert urgent is not None and urgent["status"] == "late" and urgent["left_s"] < 0


def test_every_status_of_a_reading_is_drawn(station: Station) -> None:
    town = Town(station)
    row = rows_of(town, town.report().issue.number)[0]
    for status in ("not_started", "running", "soon", "late", "paused", "met", "met_late", "missed", "cancelled",
                   "not_needed", "exempt"):  # fmt: skip
        view = clock_view({**row, "status": status})
        assert f'id="time-{view["status"]}"' in ICONS


def test_an_extension_keeps_the_old_due_in_sight(station: Station) -> None:
    town = Town(station)
    number = town.to_supervised()
    asked = town.step(number, "extend", town.person("unit", unit="water"), reason="水位高",
                      by={"amount": 4, "unit": "working_hours"})  # fmt: skip
    assert asked.request is not None
    town.approve(asked.request, town.person("office_head"))
    rectify = next(view for view in header_views(rows_of(town, number)) if view["name"] == "rectify")
    assert "延 1 次" in rectify["more"] and 0 < rectify["old_notch"] < 1


def test_pauses_are_told_with_their_reason(station: Station) -> None:
    town = Town(station)
    number = town.to_rectified()
    rectify = next(row for row in rows_of(town, number) if row["name"] == "rectify")
    assert rectify["status"] == "paused" and len(rectify["pauses"]) == 1 and rectify["pauses"][0]["until"] is None
