"""The map page: the public's cut and the staff's, the page's policy, and the map at work in Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from patrol.station import Station
from patrol.web.access import COOKIE
from patrol.web.app import create_app
from tests.chromium import answering
from tests.conftest import SetClock
from tests.walk import Town
from tests.web.deskroom import Desk

WORDS = "三号楼后面那个排口 <img src=x onerror=alert(1)>"


@pytest.fixture
def clock() -> SetClock:
    """As the browser's own clock stands."""
    return SetClock(datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1))


@pytest.fixture
def app(station: Station) -> Iterator[Flask]:
    made = create_app(station)
    made.testing = True
    yield made


@pytest.fixture
def river(station: Station) -> dict[str, str]:
    """One supervised issue, one that waits, and a fishing clue become an issue: only the first is public."""
    town = Town(station)
    return {
        "supervised": town.to_supervised(words=WORDS),
        "reported": town.report(kind="solid_waste", chainage_m=2310, words=WORDS).issue.number,  # type: ignore[union-attr]
        "fishing": town.report(kind="illegal_fishing", chainage_m=640).issue.number,  # type: ignore[union-attr]
    }


def test_the_public_sees_marks_and_no_more(app: Flask, river: dict[str, str]) -> None:
    answer = app.test_client().get("/map")
    page = answer.get_data(as_text=True)
    assert answer.status_code == 200 and "Set-Cookie" not in answer.headers
    listed = page[page.index("<tbody data-list>") : page.index("</tbody>")]
    assert listed.count("<tr>") == 1 and "K1+200" in listed and "K1+240" not in page
    for number in river.values():
        assert number not in page
    assert "三号楼" not in page and "illegal_fishing" not in page
    assert 'data-limit="late"' not in page  # the public has no time limits to filter by


def test_staff_see_numbers_and_places(station: Station, app: Flask, river: dict[str, str]) -> None:
    page = Desk(Town(station), app, "office", name="环保办丙").get("/map")
    listed = page[page.index("<tbody data-list>") : page.index("</tbody>")]
    assert listed.count("<tr>") == 3 and "K1+240 左岸" in listed
    assert all(f'href="/i/{number}"' in listed for number in river.values())


def test_the_page_keeps_to_its_policy(app: Flask, river: dict[str, str]) -> None:
    answer = app.test_client().get("/map")
    page = answer.get_data(as_text=True)
    nonce = re.search(r"script-src 'self' 'nonce-([^']+)'", answer.headers["Content-Security-Policy"])
    assert nonce
    opened = re.findall(r"<(?:script|style)\b[^>]*>", page)
    assert len(opened) >= 6 and all(f'nonce="{nonce[1]}"' in tag for tag in opened)
    assert not re.search(r"<[^>]+\s(?:style|on\w+)=", page)
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page)
    assert "示意图，非实测" in page


def test_an_unknown_query_is_refused(app: Flask) -> None:
    assert app.test_client().get("/map?bbox=1,2,3,4").status_code == 422


@pytest.fixture
def address(station: Station) -> Iterator[str]:
    with answering(create_app(station)) as found:
        yield found


@pytest.fixture
def tab(chromium: Any, address: str) -> Iterator[Any]:
    """A wide tab that remembers every complaint and every host it asked."""
    page = chromium.new_page(viewport={"width": 1280, "height": 800}, locale="zh-CN")
    page.said, page.asked = [], []
    page.on("console", lambda line: page.said.append(line.text) if line.type in ("error", "warning") else None)
    page.on("pageerror", lambda fault: page.said.append(str(fault)))
    page.on("request", lambda sent: page.asked.append(sent.url))
    yield page
    assert page.said == []
    assert all(url.startswith((address, "data:", "blob:")) for url in page.asked)
    page.close()


def test_the_public_map_draws_filters_and_lists(
    station: Station, river: dict[str, str], address: str, tab: Any
) -> None:
    Town(station, seed=2000).to_closed(kind="sewage")
    tab.goto(f"{address}/map")
    tab.locator(".leaflet-marker-pane svg").first.wait_for()
    assert tab.inner_text("[data-n-state=supervised]") == "1" and tab.inner_text("[data-n-state=closed]") == "1"
    # both stand on the mark K1+200: one ring, and its card names both without a number
    ring = tab.locator(".leaflet-marker-pane .ring")
    assert ring.count() == 1 and ring.get_attribute("aria-label") == "2 件：在整改 1，办完了 1"
    ring.click()
    card = tab.inner_text("[data-card]")
    assert "漂垃圾" in card and "排污水" in card and "TH-" not in card
    tab.uncheck("[data-state=closed]")
    tab.locator(".leaflet-marker-pane .pin").wait_for()
    assert tab.inner_text("[data-told]") == "显示 1 件，在办 1 件"
    assert tab.url.endswith("?state=supervised%2Crectified%2Cverified")
    assert tab.locator(".strip .mark").count() == 1
    tab.click("button[data-view=list]")
    assert tab.locator("[data-list] tr").count() == 1 and not tab.is_visible(".leaflet-marker-pane .pin")
    tab.click("[data-clear]")
    assert tab.locator("[data-list] tr").count() == 2


def test_the_staff_map_shows_lateness_and_opens_issues(
    station: Station, clock: SetClock, app: Flask, river: dict[str, str], address: str, tab: Any
) -> None:
    desk = Desk(Town(station), app, "office", name="环保办丁")
    clock.forward(hours=2)
    cookie = desk.client.get_cookie(COOKIE, domain="localhost")
    assert cookie is not None
    tab.context.add_cookies([{"name": COOKIE, "value": cookie.value, "url": address}])
    tab.goto(f"{address}/map?issue={river['reported']}")
    tab.locator("[data-card] a").wait_for()
    assert river["reported"] in tab.inner_text("[data-card]") and "超期" in tab.inner_text("[data-card]")
    assert tab.locator(".strip .mark.is-late").count() >= 1
    late = int(tab.inner_text("[data-n-limit=late]"))
    tab.click("[data-limit=late]")
    assert late >= 1 and tab.locator("[data-list] tr").count() == late
    tab.click("[data-card] a")
    tab.wait_for_url(f"**/desk/issues/{river['reported']}")
