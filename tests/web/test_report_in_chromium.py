"""The public report in Chromium: with and without a script, one question a page, a failed send, the receipt's way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from patrol import models as m
from patrol.station import Station
from patrol.web import limits
from patrol.web.app import create_app
from tests.chromium import answering
from tests.walk import Town, picture


@pytest.fixture
def address(station: Station) -> Iterator[str]:
    limits.reset()
    with answering(create_app(station)) as found:
        yield found


@pytest.fixture
def open_tab(chromium: Any, station: Station, address: str) -> Iterator[Callable[..., Any]]:
    """Phones standing at K1+240; no complaint, no foreign host and no cookie but the device's is let pass."""
    at = Town(station).at(1240)
    tabs = []

    def opened(*, script: bool = True, located: bool = True, touch: bool = False, agent: str | None = None) -> Any:
        context = chromium.new_context(
            viewport={"width": 390, "height": 844}, locale="zh-CN", java_script_enabled=script, has_touch=touch, user_agent=agent,
            permissions=["geolocation"] if located else [],
            geolocation={"longitude": at["lon"], "latitude": at["lat"], "accuracy": 12},
        )  # fmt: skip
        page = context.new_page()
        page.said, page.asked = [], []
        page.on("console", lambda line: page.said.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda fault: page.said.append(str(fault)))
        page.on("request", lambda sent: page.asked.append(sent.url))
        tabs.append(page)
        return page

    yield opened
    for page in tabs:
        # a refusal that is shown on the page is noted by the browser, too
        assert [line for line in page.said if not line.startswith("Failed to load resource")] == []
        assert all(url.startswith((address, "data:", "blob:")) for url in page.asked)
        # one cookie at most: a random word to count the device by, for the report page alone, gone with the browser
        assert {(c["name"], c["path"], c["httpOnly"], c["expires"]) for c in page.context.cookies()} <= {
            ("patrol_device", "/report", True, -1)
        }
        page.context.close()


def sightings(station: Station) -> list[m.Sighting]:
    with station.look() as look:
        return list(look.session.query(m.Sighting).order_by(m.Sighting.id))


def code_of(page: Any) -> str:
    return str(page.inner_text(".receipt .code")).replace(" ", "")


def test_a_photo_a_place_a_kind_and_it_is_in(
    station: Station, address: str, open_tab: Callable[..., Any], tmp_path: Path
) -> None:
    page = open_tab()
    page.goto(f"{address}/report")
    page.get_by_text("约 K1+240").wait_for()  # leave was given before: the fix comes by itself
    assert "精度 ±12 米" in page.inner_text("[data-where-note]")
    page.click("[data-main]")
    assert page.inner_text(".missing-block li") == "还没选：看到了什么"
    shot = tmp_path / "shot.jpg"
    shot.write_bytes(picture(77))
    page.set_input_files("#f-photo", str(shot))
    page.locator("[data-shots] .photo img").wait_for()
    page.check("input[name=kind][value=floating_debris]", force=True)
    page.click("[data-main]")
    page.locator(".receipt").wait_for()
    code = code_of(page)
    assert len(code) == 16 and page.get_attribute("[data-qr]", "src").startswith("data:image/svg+xml")
    assert code not in page.url and not any(code in url for url in page.asked if not url.startswith("data:"))
    kept = sightings(station)
    assert len(kept) == 1 and kept[0].accuracy_m == 12 and abs(kept[0].chainage_m - 1240) < 3
    page.goto(f"{address}/tips#{code}")  # what the QR holds
    page.locator(".verdict").wait_for()
    assert "收到了" in page.inner_text(".verdict h2") and code not in page.url


def test_it_works_without_a_script(station: Station, address: str, open_tab: Callable[..., Any]) -> None:
    page = open_tab(script=False, located=False)
    page.goto(f"{address}/report")
    page.click("[data-main]")
    assert "还没选：看到了什么" in page.inner_text(".missing-block")
    page.fill("#f-place_words", "K0+905 右岸")
    page.check("input[name=kind][value=sewage]", force=True)
    page.click("[data-main]")
    assert len(code_of(page)) == 16
    (kept,) = sightings(station)
    assert kept.bank == "right" and abs(kept.chainage_m - 905) < 3
    page.goto(f"{address}/tips")
    page.fill("#f-code", "0000000000000000")
    page.click("button[type=submit]")
    assert "没有这个查询码" in page.inner_text("main")


def test_a_send_that_failed_is_sent_again_as_it_was(
    station: Station, address: str, open_tab: Callable[..., Any]
) -> None:
    page = open_tab(located=False)
    page.goto(f"{address}/report")
    page.fill("#f-place_words", "3号排口旁边")
    page.check("input[name=kind][value=other]", force=True)
    page.fill("#f-words", "水很臭")
    page.context.set_offline(True)
    page.click("[data-main]")
    page.get_by_text("没有网络，写的和拍的都还在").wait_for()
    assert page.input_value("#f-words") == "水很臭" and sightings(station) == []
    page.context.set_offline(False)
    page.click("[data-main]")
    page.locator(".receipt").wait_for()
    assert [row.words for row in sightings(station)] == ["水很臭"]


TAPS = """addEventListener("pointerdown", (event) => { if (event.isTrusted) sessionStorage.taps = Number(sessionStorage.taps ?? 0) + 1; }, true);"""


def taps(page: Any) -> int:
    return int(page.evaluate("Number(sessionStorage.taps ?? 0)"))


def test_four_taps_and_it_is_in_two_of_them_for_a_photo(
    station: Station, address: str, open_tab: Callable[..., Any], tmp_path: Path
) -> None:
    page = open_tab(touch=True)
    page.add_init_script(TAPS)
    shot = tmp_path / "shot.jpg"
    shot.write_bytes(picture(78))
    page.goto(address)
    page.get_by_role("link", name="报告河道问题").tap()  # 1: open
    with page.expect_file_chooser() as camera:
        page.locator("[data-shoot] label").tap()  # 2: shoot; the shutter is the photo's second
    camera.value.set_files(str(shot))
    page.locator("[data-shots] .photo img").wait_for()
    page.get_by_text("约 K1+240").wait_for()
    page.locator("label.pick", has=page.locator("[value=floating_debris]")).tap()  # 3: what
    page.locator("[data-main]").tap()  # 4: send
    page.locator(".receipt").wait_for()
    assert taps(page) == 4
    (kept,) = sightings(station)
    assert kept.kind == "floating_debris"


def test_the_receipt_is_kept_on_the_phone_until_it_is_taken_off(
    station: Station, address: str, open_tab: Callable[..., Any]
) -> None:
    page = open_tab()
    page.goto(f"{address}/report?at=1300")
    assert "约 K1+300" in page.inner_text("[data-where-words]") and "桩号" in page.inner_text("[data-where-note]")
    page.check("input[name=kind][value=sewage]", force=True)
    page.click("[data-main]")
    page.locator(".receipt").wait_for()
    assert "存在这台手机里" in page.inner_text("[data-kept]")
    (kept,) = sightings(station)
    assert abs(kept.chainage_m - 1300) < 3
    page.goto(f"{address}/tips")
    page.locator("[data-mine] .btn.grow").click()
    page.locator(".verdict").wait_for()
    page.goto(f"{address}/tips")
    page.locator("[data-mine] .btn-icon").click()
    assert not page.is_visible("[data-mine]") and page.evaluate("localStorage.getItem('patrol.receipts')") == "[]"


def test_in_wechat_the_fix_is_shown_on_the_map_and_the_other_browser_named(
    station: Station, address: str, open_tab: Callable[..., Any]
) -> None:
    page = open_tab(agent="Mozilla/5.0 (Linux; Android 14) Chrome/120 Mobile Safari/537.36 MicroMessenger/8.0.50")
    page.goto(f"{address}/report")
    page.get_by_text("在浏览器打开").wait_for()
    page.get_by_text("微信定位，可能偏几百米").wait_for()
    page.locator(".pickmap path").first.wait_for(state="attached")
    page.check("input[name=kind][value=sewage]", force=True)
    page.click("[data-main]")
    page.locator(".receipt").wait_for()
    assert len(sightings(station)) == 1


def test_the_elder_page_asks_one_thing_at_a_time(station: Station, address: str, open_tab: Callable[..., Any]) -> None:
    page = open_tab(located=False)
    page.goto(f"{address}/report")
    page.click("button[data-set-size=elder] >> visible=true")
    questions = "[data-shoot], #f-kind, #where"

    def asked() -> list[str]:
        found = page.locator(questions).all()
        return [one.get_attribute("id") or "shoot" for one in found if one.is_visible()]

    assert asked() == ["shoot"] and page.inner_text("h1") == "第 1 步，共 3 步"
    page.click("[data-main]")
    assert asked() == ["f-kind"]
    page.click("[data-main]")  # nothing chosen: named, and no step further
    assert "还没选" in page.inner_text(".missing-block") and asked() == ["f-kind"]
    page.check("input[name=kind][value=aquatic_bloom]", force=True)
    small = page.evaluate(
        "() => [...document.querySelectorAll('main button, main a.btn, main label.pick')].filter((e) => e.checkVisibility())"
        ".filter((e) => e.getBoundingClientRect().height < 59.5).length"
    )
    assert small == 0
    page.click("[data-main]")
    assert asked() == ["where"] and page.inner_text("[data-main]") == "提交"
    page.click("[data-main]")
    assert "还没有位置" in page.inner_text(".missing-block")
    page.click("[data-turn-back]")
    assert asked() == ["f-kind"]
    page.click("[data-main]")
    page.fill("#f-place_words", "左岸 1240 米处")
    page.click("[data-main]")
    page.locator(".receipt").wait_for()
    assert [row.kind for row in sightings(station)] == ["aquatic_bloom"]


def test_who_cannot_choose_may_say_it(station: Station, address: str, open_tab: Callable[..., Any]) -> None:
    page = open_tab()
    page.goto(f"{address}/report")
    page.get_by_text("约 K1+240").wait_for()
    page.click("button[data-set-size=elder] >> visible=true")
    page.click("[data-main]")
    page.click("[data-speak]")
    assert page.evaluate("document.activeElement.name") == "words"  # the keyboard's own microphone writes here
    page.keyboard.type("水很臭")
    page.click("[data-main]")
    page.locator(".receipt").wait_for()
    assert [(row.kind, row.words) for row in sightings(station)] == [("other", "水很臭")]


def test_what_is_already_dealt_with_nearby_is_said_from_the_public_set_alone(
    station: Station, address: str, open_tab: Callable[..., Any]
) -> None:
    town = Town(station)
    town.to_supervised()
    town.report(kind="solid_waste", chainage_m=1250)  # waits, so the public must not learn of it
    page = open_tab()
    page.goto(f"{address}/report")
    page.get_by_text("约 K1+240").wait_for()
    with page.expect_response("**/api/v1/issues?*"):
        page.check("input[name=kind][value=solid_waste]", force=True)
    assert not page.is_visible("[data-near]")
    page.check("input[name=kind][value=floating_debris]", force=True)
    page.get_by_text("附近已有 1 件同类问题在办").wait_for()
