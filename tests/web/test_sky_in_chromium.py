"""The pages of the sky in Chromium: pictures on the map, the slider of rounds, review by keyboard, files in pieces."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask

from patrol.actions import flights
from patrol.queries import flights as ask
from patrol.queries import review
from patrol.settings import Settings
from patrol.station import ANYONE, SYSTEM, Station
from patrol.web import sky_pages
from patrol.web.access import COOKIE
from patrol.web.app import create_app
from tests.chromium import answering
from tests.conftest import SetClock
from tests.databases import migrated
from tests.walk import Town, picture
from tests.web.deskroom import Desk
from tests.web.skyroom import fly, reach

CUT = "net::ERR_FAILED"  # what the browser says of a line that a test cuts


@pytest.fixture
def station(environ: dict[str, str], clock: SetClock) -> Iterator[Station]:
    opened = migrated(Station.open(Settings.read(environ | {"PATROL_PLACE": str(reach()[1])}), clock=clock))
    yield opened
    opened.close()


@pytest.fixture
def app(station: Station) -> Flask:
    return create_app(station)


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    with answering(app) as found:
        yield found


@pytest.fixture(params=[1280, 390])
def width(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def tab(chromium: Any, station: Station, app: Flask, address: str, width: int) -> Iterator[Any]:
    """The office's tab; every complaint of the browser, and every other host it asks, is a fault."""
    cookie = Desk(Town(station), app, "office", name="环保办丙").client.get_cookie(COOKIE, domain="localhost")
    assert cookie is not None
    faults: list[str] = []
    context = chromium.new_context(viewport={"width": width, "height": 844}, locale="zh-CN")
    context.add_cookies([{"name": COOKIE, "value": cookie.value, "url": address}])
    page = context.new_page()
    page.on("pageerror", lambda fault: faults.append(str(fault)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" and CUT not in said.text else None)
    page.on(
        "request", lambda asked: None if asked.url.startswith((address, "blob:", "data:")) else faults.append(asked.url)
    )
    yield page
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    context.close()
    assert faults == []


def corners_on_screen(tab: Any) -> list[list[float]]:
    """Where the first laid picture's corners fall, by its own matrix; and where the map says they belong."""
    found = tab.evaluate("""() => {
        const img = document.querySelector("img.laid.is-placed");
        const m = new DOMMatrix(getComputedStyle(img).transform);
        return [[0, 0], [img.naturalWidth, 0], [img.naturalWidth, img.naturalHeight], [0, img.naturalHeight]].map(([x, y]) => {
            const p = m.transformPoint(new DOMPoint(x, y));
            return [p.x / p.w, p.y / p.w];
        });
    }""")
    return [[float(part) for part in point] for point in found]


def test_pictures_lie_by_their_corners_and_rounds_follow_the_slider(
    station: Station, tab: Any, address: str, width: int
) -> None:
    ref = fly(station, [reach()[0]])
    raster = reach()[0].with_name("again.tif")
    raster.write_bytes(reach()[0].read_bytes() + b"\0")  # the same ground in another round
    fly(station, [raster], flights.Plan(round_no=2))
    tab.goto(f"{address}/desk/flights/{ref}")
    tab.locator("img.laid.is-placed").wait_for()
    assert tab.inner_text("[data-laid]") == "铺了 1 张"
    with station.look(SYSTEM) as look:
        frame = ask.flight(look, ref)["frames"][0]["frame"]
    said = tab.evaluate(
        "path => fetch(path).then(answer => answer.json())", f"/api/v1/flights/{ref}/frames/{frame}/views"
    )
    wanted = tab.evaluate("""corners => corners.map(([lon, lat]) => {
        const p = window.patrolMap.map.latLngToLayerPoint([lat, lon]);
        return [p.x, p.y];
    })""", said["corners"])  # fmt: skip
    assert np.allclose(corners_on_screen(tab), wanted, atol=0.02)
    tab.click("[data-views] button[data-view=ndwi]")
    tab.locator("img.laid[src$='view=ndwi'].is-placed").wait_for()
    assert "同一把色尺" in tab.inner_text("[data-view-note]")
    assert tab.locator("path.layer-gap").count() >= 1
    tab.click("[data-layer=gaps]")
    assert tab.locator("path.layer-gap").count() == 0
    tab.goto(f"{address}/desk/rounds/1")
    before = tab.locator("img.laid.is-placed").get_attribute("src")
    tab.locator("[data-slider]").press("ArrowRight")
    tab.locator(f"img.laid.is-placed:not([src='{before}'])").wait_for()
    assert tab.inner_text("[data-round-title]") == "第 2 轮" and tab.url.endswith("/desk/rounds/2")
    assert tab.locator("[data-later]").is_disabled()


def test_review_by_keyboard_alone(station: Station, tab: Any, address: str, width: int) -> None:
    if width < 1000:
        pytest.skip("hands, not keys, at this width")
    fly(station, [reach()[0]])
    with station.look(SYSTEM) as look:
        order = [row["thing"] for row in review.waiting(look)]
    assert len(order) >= 2
    tab.goto(f"{address}/desk/review")
    tab.keyboard.press("j")
    tab.wait_for_url(re.compile(order[1]))
    tab.keyboard.press("k")
    tab.wait_for_url(re.compile(order[0]))
    first = tab.get_attribute("[data-shown]", "src")
    tab.keyboard.press("b")
    assert tab.get_attribute("[data-shown]", "src") != first
    assert tab.locator(".crop-marks").is_visible()
    tab.keyboard.press("o")
    assert not tab.locator(".crop-marks").is_visible()
    tab.keyboard.press("n")
    tab.locator("button.reason").first.wait_for()
    with tab.expect_navigation():
        tab.keyboard.press("2")
    assert order[1] in tab.url and "已排除" in tab.inner_text(".banner-ok")
    with tab.expect_navigation():
        tab.keyboard.press("y")
    assert "属实" in tab.inner_text(".banner-ok")
    with station.look(SYSTEM) as look:
        assert review.one(look, order[0])["settled"]["what"] == "排除了：反光或阴影。"
        assert review.one(look, order[1])["issue"]
        assert order[0] not in {row["thing"] for row in review.waiting(look)}


def test_files_go_on_where_a_closed_page_left_them(
    station: Station, tab: Any, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sky_pages, "LARGE_BYTES", 100_000)
    small, large = tmp_path / "small.jpg", tmp_path / "large.jpg"
    small.write_bytes(picture(1))
    large.write_bytes(picture(2, (640, 480)) + b"\0" * 300_000)
    with station.work(ANYONE) as work:
        ref = flights.open_flight(work, flights.Plan(round_no=1)).ref
    page = f"{address}/desk/flights/{ref}"
    tab.goto(page)
    # the page is closed while the first piece is on its way
    tab.route("**/uploads/*?offset=*", lambda route: route.abort())
    tab.set_input_files("[data-files]", [str(large)])
    tab.locator("[data-upload-list] [data-kind=soon]").wait_for()
    tab.unroute("**/uploads/*?offset=*")
    tab.once("dialog", lambda asked: asked.accept())
    tab.goto(page)
    assert "large.jpg" in tab.inner_text("[data-half]")
    with station.look(SYSTEM) as look:
        assert ask.flight(look, ref)["frames"] == []
    tab.set_input_files("[data-files]", [str(small), str(large)])
    tab.locator("[data-upload-sum]", has_text="都收到了").wait_for()
    with station.look(SYSTEM) as look:
        names = {one["name"]: one["bytes"] for one in ask.flight(look, ref)["frames"]}
    assert names == {"small.jpg": small.stat().st_size, "large.jpg": large.stat().st_size}
    tab.goto(page)
    tab.set_input_files("[data-files]", [str(small)])
    tab.locator("[data-upload-list]", has_text="已在这里").wait_for()
    with tab.expect_navigation():
        tab.click("[data-finish] button")
    assert "文件收齐了" in tab.inner_text(".banner-ok")
