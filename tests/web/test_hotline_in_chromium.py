"""The operator's form in Chromium: digits, the live strip, what is nearby, the words to read back, the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from patrol import models as m
from patrol.station import Station
from patrol.web.access import COOKIE
from patrol.web.app import create_app
from tests.chromium import answering
from tests.walk import Town
from tests.web.deskroom import Desk


@pytest.fixture
def app(station: Station) -> Flask:
    return create_app(station)


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    with answering(app) as found:
        yield found


@pytest.fixture
def tab(chromium: Any, station: Station, app: Flask, address: str) -> Iterator[Any]:
    """The operator's tab; every complaint of the browser is a fault."""
    operator = Desk(Town(station), app, "operator", name="话务员乙")
    cookie = operator.client.get_cookie(COOKIE, domain="localhost")
    assert cookie is not None
    faults: list[str] = []
    context = chromium.new_context(viewport={"width": 1366, "height": 900}, locale="zh-CN")
    context.add_cookies([{"name": COOKIE, "value": cookie.value, "url": address}])
    page = context.new_page()
    page.on("pageerror", lambda fault: faults.append(str(fault)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.goto(address + "/hotline")
    yield page
    context.close()
    assert faults == []


def test_a_call_by_keyboard_alone(tab: Any, station: Station) -> None:
    number = Town(station).report("grid", "sewage", 1240).issue.number
    assert tab.evaluate("document.activeElement.name") == "place_words"
    tab.keyboard.type("K1+240 左岸 5")
    assert tab.locator("[name=kind]:checked").count() == 0, "a digit in a field is text"
    assert tab.locator("[data-where-note]").inner_text() == "K1+240 左岸"
    assert float(
        tab.locator("[data-live-strip] .me").evaluate("e => e.parentElement.getAttribute('x')").rstrip("%")
    ) == (pytest.approx(100 * 1240 / 2900, abs=0.2))
    tab.keyboard.press("Tab")  # which bank
    tab.keyboard.press("Tab")  # what it is
    tab.keyboard.press("1")
    assert tab.locator("[name=kind]:checked").get_attribute("value") == "sewage"
    tab.locator("[data-dups] li").wait_for()
    assert (
        number in tab.locator("[data-dups]").inner_text() and "多半是同一件" in tab.locator("[data-dups]").inner_text()
    )
    tab.keyboard.press("Tab")
    tab.keyboard.type("一间屋大")
    said = tab.locator("[data-read-back]").inner_text()
    assert "K1+240 左岸" in said and "污水直排" in said and "一间屋大" in said
    with tab.expect_navigation():
        tab.keyboard.press("Enter")
    assert f"并入 {number}" in tab.locator(".hotline-code h2").inner_text()
    assert re.fullmatch(r"\w{4} \w{4} \w{4} \w{4}", tab.locator(".hotline-code .code").inner_text())


KEY_S = 0.28
"""What one key takes an average typist; the keystroke-level model of human-computer interaction says 0.2 to 0.28."""


class Keys:
    """A keyboard that counts; the mouse is taken away."""

    def __init__(self, tab: Any) -> None:
        self.tab, self.struck = tab, 0
        tab.evaluate(
            "for (const kind of ['mousedown', 'touchstart', 'pointerdown'])"
            " addEventListener(kind, () => { throw new Error('a pointer was used'); }, true)"
        )

    def type(self, words: str) -> None:
        self.tab.keyboard.type(words)
        self.struck += sum(3 if ord(letter) > 0x2E80 else 1 for letter in words)  # a Han letter by pinyin

    def press(self, *names: str) -> None:
        for name in names:
            self.tab.keyboard.press(name)
            self.struck += 1 + name.count("+")


def test_a_whole_call_takes_under_a_minute_of_keys(tab: Any, station: Station) -> None:
    number = Town(station).report("grid", "floating_debris", 1240).issue.number
    keys = Keys(tab)
    focused = "document.activeElement.name"
    keys.type("1240左")  # as people say it; the bank goes with it
    assert tab.locator("[data-where-note]").inner_text() == "K1+240 左岸"
    keys.press("Tab", "Tab", "2")
    assert tab.locator("[name=kind]:checked").get_attribute("value") == "floating_debris"
    tab.locator("[data-dups] li", has_text=number).wait_for()
    keys.press("Tab")
    assert tab.evaluate(focused) == "size"
    keys.type("半个篮球场")
    keys.press("Tab")
    keys.type("塑料瓶多，早上就有")
    said = tab.locator("[data-read-back]").inner_text()
    assert all(word in said for word in ("K1+240 左岸", "漂浮物", "半个篮球场", "塑料瓶多，早上就有"))
    with tab.expect_navigation():
        keys.press("Control+Enter")
    assert (
        "多半" not in tab.locator(".hotline-code").inner_text() and number in tab.locator(".hotline-code").inner_text()
    )
    assert re.fullmatch(r"\w{4} \w{4} \w{4} \w{4}", tab.locator(".hotline-code .code").inner_text())
    with tab.expect_navigation():
        keys.press("n")  # the next call
    assert tab.evaluate(focused) == "place_words"
    assert keys.struck * KEY_S < 60, f"{keys.struck} keys"
    with station.look() as look:
        row = look.session.scalars(select(m.Sighting).where(m.Sighting.channel == "hotline")).one()
    assert "半个篮球场" in row.words and "塑料瓶多" in row.words


def test_a_landmark_and_the_map_are_places_by_keyboard_too(tab: Any, station: Station) -> None:
    keys = Keys(tab)
    keys.type(station.place.outfalls[0].name)
    assert re.fullmatch(r"K\d\+\d{3} .岸", tab.locator("[data-where-note]").inner_text())
    tab.keyboard.press("Control+a")
    tab.keyboard.press("Delete")
    assert tab.locator("[name='position.lon']").input_value() == ""
    tab.locator(".leaflet-container path").first.wait_for(state="attached")
    tab.locator(".pickmap").focus()
    keys.press("ArrowRight", "ArrowRight", "Enter")
    assert tab.locator("[name='position.lon']").input_value()


def test_a_press_on_map_or_strip_is_a_place(tab: Any, station: Station) -> None:
    tab.locator("[data-live-strip] svg").first.click(position={"x": 300, "y": 10})
    assert re.fullmatch(r"K\d\+\d{3} 左岸", tab.locator("[name=place_words]").input_value())
    tab.locator("[name=place_words]").fill("")
    tab.locator(".leaflet-container path").first.wait_for(state="attached")
    tab.locator(".pickmap").click(position={"x": 120, "y": 120})
    lon = tab.locator("[name='position.lon']").input_value()
    assert lon
    tab.locator("[name=place_words]").fill("大桥底下")
    assert tab.locator("[name='position.lon']").input_value() == lon, "words that name no place keep the pressed one"
    tab.locator("[name=place_words]").fill("")
    tab.locator("label.pick").nth(4).click()
    with tab.expect_navigation():
        tab.locator("#hotline button[type=submit]").click()
    with station.look() as look:
        row = look.session.scalars(select(m.Sighting)).one()
    assert (row.kind, row.lon) == ("solid_waste", pytest.approx(float(lon), abs=1e-6))


def test_what_is_missing_is_named_and_focused(tab: Any) -> None:
    tab.locator("[name=place_words]").fill("K9+900")
    assert "超出本河段" in tab.locator("[data-where-note]").inner_text()
    tab.locator("[name=place_words]").fill("")
    tab.locator("#hotline button[type=submit]").click()
    assert tab.locator(".missing li").count() == 2
    assert tab.evaluate("document.activeElement.name") == "place_words"
