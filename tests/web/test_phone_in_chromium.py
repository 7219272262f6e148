"""The phone's pages in Chromium with a mocked position: fix, camera, one send, drafts; and targets large enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from patrol.station import Station
from patrol.web import access
from patrol.web.app import create_app
from tests.chromium import answering
from tests.conftest import SetClock
from tests.walk import Town, picture
from tests.web.test_phone import Phone, Street

SMALL_TARGETS = """() => [...document.querySelectorAll('a, button, input:not([type=hidden]):not(.sr), select, textarea, summary, label.chip, label.pick, label.btn')]
  .filter((e) => e.checkVisibility() && !e.closest('.strip, .sr, .skip, p, .timeline, .pairs') && !e.matches('.skip, .chip input, .pick input, .check input'))
  .map((e) => [e.tagName, e.textContent.trim().slice(0, 12), e.getBoundingClientRect()])
  .filter(([, , r]) => r.width > 0 && (r.height < 43.5 || r.width < 43.5)).map(([t, w, r]) => `${t} ${w} ${r.width}x${r.height}`)"""


@pytest.fixture
def clock() -> SetClock:
    """As the browser's own clock stands, or its countdowns and the server's would differ."""
    return SetClock(datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1))


@pytest.fixture
def address(station: Station) -> Iterator[str]:
    with answering(create_app(station)) as found:
        yield found


@pytest.fixture
def open_tab(chromium: Any, address: str) -> Iterator[Callable[..., Any]]:
    """A tab of one person, standing somewhere, with every complaint of the browser collected."""
    contexts = []

    def opened(phone: Phone, town: Town, chainage_m: float = 1250, accuracy_m: float = 8, width: int = 390) -> Any:
        at = town.at(chainage_m)
        context = chromium.new_context(
            viewport={"width": width, "height": 844}, permissions=["geolocation"], locale="zh-CN",
            geolocation={"longitude": at["lon"], "latitude": at["lat"], "accuracy": accuracy_m},
        )  # fmt: skip
        contexts.append(context)
        cookie = phone.client.get_cookie(access.COOKIE, domain="localhost")
        context.add_cookies([{"name": access.COOKIE, "value": cookie.value, "url": address}])
        tab = context.new_page()
        tab.said = []
        tab.on("console", lambda line: tab.said.append(line.text) if line.type in ("error", "warning") else None)
        tab.on("pageerror", lambda fault: tab.said.append(str(fault)))
        return tab

    yield opened
    for context in contexts:
        context.close()


def test_a_check_in_is_measured_photographed_and_sent(
    station: Station, address: str, open_tab: Callable[..., Any], tmp_path: Path
) -> None:
    town = Town(station)
    number = town.to_assigned()
    tab = open_tab(Street(town).phone("grid"), town)
    tab.goto(f"{address}/phone")
    tab.locator("[data-far]").wait_for()
    assert "距你" in tab.inner_text(".issue-card .place")
    tab.click("text=去现场")
    tab.locator(".fix-pill[data-tone=ok]").wait_for()
    assert "已到现场" in tab.inner_text(".fix-pill") and "精度 ±8 米" in tab.inner_text(".fix-pill")
    tab.click(".act-foot button")  # nothing filled in yet: everything is named
    assert tab.locator(".missing-block li").count() == 2
    box, foot = tab.locator(".missing-block").bounding_box(), tab.locator(".act-foot").bounding_box()
    assert box["y"] > 60 and box["y"] + box["height"] <= foot["y"]  # in sight, above the button
    tab.click(".missing-block a >> nth=1")
    assert tab.evaluate("document.activeElement.name") == "finding"
    shot = tmp_path / "before.jpg"
    shot.write_bytes(picture(21))
    tab.set_input_files("#f-photo", str(shot))
    tab.locator("[data-shots] .photo img").wait_for()
    tab.check("input[name=finding][value=true]", force=True)
    tab.fill("textarea[name=words]", "约 20 平方米")
    assert tab.said == []
    tab.click(".act-foot button")
    tab.wait_for_url("**/phone?did=*")
    assert f"{number} 已提交核实" in tab.inner_text(".banner-ok")
    assert town.issue(number).half1 == "true"


def test_a_draft_survives_a_reload_and_a_poor_fix_is_red(
    station: Station, address: str, open_tab: Callable[..., Any]
) -> None:
    town = Town(station)
    number = town.to_assigned()
    tab = open_tab(Street(town).phone("grid"), town, accuracy_m=140)
    tab.goto(f"{address}/phone/issues/{number}")
    tab.locator(".fix-pill[data-tone=late]").wait_for()
    assert not tab.locator("textarea[name=reason]").is_visible()
    tab.check("input[name=finding][value=false]", force=True)
    tab.click(".act-foot button")  # not true: a reason and two photos, all of it named
    assert [line.split("：")[0] for line in tab.locator(".missing-block li").all_inner_texts()] == [
        "不属实要 2 张现场照片，还差 2 张。", "缺原因",
    ]  # fmt: skip
    tab.fill("textarea[name=words]", "写到一半")
    tab.reload()
    expect(tab.locator("textarea[name=words]")).to_have_value("写到一半")  # its modules run after the load
    assert tab.said == []


@pytest.mark.parametrize("width", [390, 1280])
def test_targets_are_large_enough_and_nothing_scrolls_sideways(
    station: Station, address: str, open_tab: Callable[..., Any], width: int
) -> None:
    town = Town(station)
    number = town.to_supervised()
    town.report("tip", chainage_m=600)
    street = Street(town)
    for phone, paths in (
        (street.phone("grid"), ("/phone", f"/phone/issues/{number}?step=progress", "/phone/report", "/phone/me")),
        (street.phone("unit", unit="water"), ("/phone", f"/phone/issues/{number}", f"/phone/issues/{number}?step=extend",
                                              f"/phone/issues/{number}?step=suspend")),
    ):  # fmt: skip
        tab = open_tab(phone, town, width=width)
        for path in paths:
            tab.goto(address + path, wait_until="networkidle")
            assert tab.evaluate(SMALL_TARGETS) == [], path
            assert tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
        assert tab.said == []
