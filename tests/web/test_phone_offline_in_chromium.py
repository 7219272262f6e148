"""The phone without a network, in Chromium: pages open, drafts are kept and sent, taps are few, and a stale step waits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from patrol import models as m
from patrol.station import Station
from tests.walk import Town, picture
from tests.web.test_phone import Street
from tests.web.test_phone_in_chromium import SMALL_TARGETS, address, clock, open_tab

__all__ = ["address", "clock", "open_tab"]  # fixtures of the phone's other browser tests


def shot_file(folder: Path, seed: int) -> str:
    path = folder / f"{seed}.jpg"
    path.write_bytes(picture(seed))
    return str(path)


def ready(tab: Any) -> None:
    """The worker stands and what is kept for later is kept."""
    tab.locator("html[data-kept=yes]").wait_for(state="attached", timeout=60_000)


def test_tasks_open_and_a_check_in_and_a_report_wait_without_a_network(
    station: Station, address: str, open_tab: Callable[..., Any], tmp_path: Path
) -> None:
    town = Town(station)
    number = town.to_assigned()
    tab = open_tab(Street(town).phone("grid"), town)
    tab.goto(f"{address}/phone")
    ready(tab)
    tab.context.set_offline(True)
    tab.goto(f"{address}/phone")
    assert number and "漂浮物" in tab.inner_text(".issue-card")
    tab.locator("[data-offline]").wait_for()
    assert "没有网络" in tab.inner_text("[data-offline]")

    tab.click("text=去现场")
    tab.locator(".fix-pill[data-tone=ok]").wait_for()
    tab.set_input_files("#f-photo", shot_file(tmp_path, 51))
    tab.locator("[data-shots] .photo img").wait_for()
    tab.check("input[name=finding][value=true]", force=True)
    tab.click(".act-foot button")
    tab.locator("text=已存在手机里").wait_for()

    tab.goto(f"{address}/phone/report")
    tab.set_input_files("#f-photo", shot_file(tmp_path, 52))
    tab.check("input[name=kind][value=sewage]", force=True)
    tab.locator("[data-place].is-fixed").wait_for()
    tab.click(".act-foot button")
    tab.locator("text=已存在手机里").wait_for()

    tab.goto(f"{address}/phone/outbox")
    tab.locator(".outbox-card >> nth=1").wait_for()
    assert tab.inner_text("h1") == "待传 2 件"
    assert [line.split("，")[0] for line in tab.locator(".outbox-state").all_inner_texts()] == ["等网络", "等网络"]
    assert tab.evaluate(SMALL_TARGETS) == []
    assert town.issue(number).half1 is None

    tab.context.set_offline(False)
    tab.locator("text=都传完了").wait_for(timeout=30_000)
    assert town.issue(number).half1 == "true"
    with station.look() as look:
        assert sorted(photo.stage for photo in look.session.query(m.Photo)) == ["before", "report"]
        assert look.session.query(m.Sighting).filter_by(kind="sewage").count() == 1


def test_a_page_that_dies_while_writing_loses_no_photo(
    station: Station, address: str, open_tab: Callable[..., Any], tmp_path: Path
) -> None:
    town = Town(station)
    tab = open_tab(Street(town).phone("grid"), town)
    tab.goto(f"{address}/phone/report")
    tab.set_input_files("#f-photo", shot_file(tmp_path, 53))
    tab.locator("[data-saved='1']").wait_for()
    other = tab.context.new_page()  # a new tab has no memory but the phone's
    other.goto(f"{address}/phone/report")
    other.locator("[data-shots] .photo img").wait_for()
    other.goto(f"{address}/phone/outbox")
    other.locator("[data-at=writing]").wait_for()
    assert "写到一半" in other.inner_text(".outbox-card")


def test_a_stale_step_waits_for_the_person(
    station: Station, address: str, open_tab: Callable[..., Any], tmp_path: Path
) -> None:
    town = Town(station)
    number = town.to_assigned()
    street = Street(town)
    tab = open_tab(street.phone("grid"), town)
    tab.goto(f"{address}/phone/issues/{number}?step=supervise")
    tab.set_input_files("#f-photo", shot_file(tmp_path, 54))
    tab.check("input[name=finding][value=true]", force=True)
    tab.locator(".fix-pill[data-tone=ok]").wait_for()
    station.clock.forward(minutes=1)  # type: ignore[attr-defined]  # the settable clock
    assert street.phone("unit", unit="water").take(number, "receive", {}).status_code == 200
    tab.click(".act-foot button")
    tab.locator("[data-told] .notice").wait_for()
    assert "别人刚改过" in tab.inner_text("[data-told]")
    tab.goto(f"{address}/phone/outbox")
    tab.locator("[data-at=stale]").wait_for()
    assert "签收" in tab.inner_text("[data-more]")
    tab.click("text=照样提交")
    tab.locator("text=都传完了").wait_for()
    assert town.issue(number).half1 == "true"
