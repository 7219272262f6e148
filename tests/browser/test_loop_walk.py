"""The loop in a real browser: a tip, a drone frame that joins it, assign, robot, check-in, confirm, submit, verify,
close, three papers. Every page is watched for other hosts and for refused content."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page

from patrol.actions import people
from patrol.demo.frame import drone_frame
from patrol.station import ANYONE
from tests.faults.house import House, serving, until
from tests.faults.test_robots_under_kills import robot_server, robots_file
from tests.walk import picture

PASSWORD = uuid.uuid4().hex
PEOPLE = {
    "office": ("环保办甲", ["office"], None), "office2": ("环保办乙", ["office"], None),
    "head": ("环保办主任", ["office_head"], None), "grid": ("网格员", ["grid"], None), "unit": ("水利员", ["unit"], "water"),
}  # fmt: skip
CHAINAGE_M = 1240.0


@pytest.fixture
def house(environ: dict[str, str], tmp_path: Path) -> Iterator[House]:
    with (
        robot_server(tmp_path) as (port, _),
        serving(environ, **robots_file(tmp_path, port, "chiefs", "office")) as served,
    ):
        with served.station.work(ANYONE) as work:
            for login, (name, roles, unit) in PEOPLE.items():
                people.add_account(work, login, PASSWORD, roles, name=name, unit=unit)
        until(served.working, 60)
        yield served


class Screens:
    """Pages of several people, each in a context of his own; complaints of any page end the test."""

    def __init__(self, browser: Browser, house: House) -> None:
        self.browser, self.house, self.complaints = browser, house, []  # type: ignore[var-annotated]
        self.lon, self.lat = house.station.place.river.point_at(CHAINAGE_M)
        self.open: list[BrowserContext] = []

    def page(self, width: int) -> Page:
        size = {"width": width, "height": 844 if width < 600 else 900}
        here = {"longitude": self.lon, "latitude": self.lat, "accuracy": 6}
        context = self.browser.new_context(viewport=size, geolocation=here, permissions=["geolocation"], locale="zh-CN")
        context.set_default_timeout(20_000)
        self.open.append(context)
        page = context.new_page()
        page.on("request", lambda request: self._watch(request.url))
        page.on("console", lambda said: self._heard(said.type, said.text))
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        return page

    def _watch(self, url: str) -> None:
        if not url.startswith((self.house.url, "data:", "blob:")):
            self.complaints.append(f"another host: {url}")

    def _heard(self, kind: str, text: str) -> None:
        if kind == "error" and ("Content Security Policy" in text or "Refused" in text):
            self.complaints.append(text)

    def signed_in(self, login: str, width: int) -> Page:
        page = self.page(width)
        page.goto(f"{self.house.url}/signin")
        page.fill("input[name=login]", login)
        page.fill("input[name=password]", PASSWORD)
        page.click("main button[type=submit], form button[type=submit]")
        page.wait_for_url(lambda url: "/signin" not in url)
        return page

    def photograph(self, folder: Path) -> None:
        """What each page showed when something went wrong."""
        for index, context in enumerate(self.open):
            for page in context.pages:
                page.screenshot(path=folder / f"failed-{index}.png", full_page=True)
        print(self.complaints)

    def close(self) -> None:
        for context in self.open:
            context.close()


def shot(folder: Path, seed: int) -> str:
    path = folder / f"{seed}.jpg"
    path.write_bytes(picture(seed, (800, 600)))
    return str(path)


def state_of(house: House, number: str, token: str) -> dict[str, Any]:
    answer = requests.get(
        f"{house.url}/api/v1/issues/{number}", headers={"Authorization": f"Bearer {token}"}, timeout=10
    )
    return answer.json()  # type: ignore[no-any-return]


@pytest.mark.timeout(300)
def test_the_loop_from_tip_to_three_papers(chromium: Browser, house: House, tmp_path: Path) -> None:
    screens = Screens(chromium, house)
    with house.station.work(ANYONE) as work:
        drone = people.add_token(work, "无人机", "drone")
        watcher = people.add_token(work, "督察员", "inspector")
    try:
        # a tip, from the public page on a phone
        tip = screens.page(390)
        tip.goto(f"{house.url}/report")
        tip.set_input_files("input[name=photo]", shot(tmp_path, 1))
        if tip.locator("[data-way=device]").is_visible():
            tip.click("[data-way=device]")
        until(lambda: tip.locator("input[name='position.lon']").input_value(), 20)
        tip.check("input[name=kind][value=sewage]", force=True)
        tip.fill("textarea[name=words]", "排口在冒黑水")
        tip.click(".act-foot button[type=submit]")
        tip.locator("text=/[0-9A-Z]{4}[- ][0-9A-Z]{4}[- ][0-9A-Z]{4}[- ][0-9A-Z]{4}/").first.wait_for()
        # a drone frame of the same place joins it
        frame, box = drone_frame("sewage", 3, lon=screens.lon, lat=screens.lat, taken_at=house.station.now())
        mark = {"kind": "sewage", "score": 0.96, "box": list(box), "round": 5}
        joined = requests.post(
            f"{house.url}/api/v1/frames", headers={"Authorization": f"Bearer {drone}"}, timeout=30,
            files={"mark": (None, json.dumps(mark), "application/json"), "photo": ("f.jpg", frame, "image/jpeg")},
        ).json()  # fmt: skip
        assert joined["joined"] is True, joined
        number = joined["issue"]
        # the office assigns it at the desk
        office = screens.signed_in("office", 1280)
        office.goto(f"{house.url}/desk/issues/{number}?step=assign")
        form = office.locator("form[action$='/steps/assign']")
        form.locator("[name=lead_unit]").select_option("water")
        form.locator("button[type=submit]").last.click()
        office.locator("text=已交办").first.wait_for()
        # the chiefs' robot acknowledges, and push stops by that alone
        until(lambda: _clock(house, number, watcher, "push") == "met", 20)
        # the grid worker checks in at the bank with a photo
        grid = screens.signed_in("grid", 390)
        grid.goto(f"{house.url}/phone/issues/{number}?step=supervise")
        form = grid.locator("form[action$='/steps/supervise']")
        form.locator("input[type=file]").first.set_input_files(shot(tmp_path, 2))
        form.locator("input[name=finding][value=true]").check(force=True)
        until(lambda: form.locator("input[name=lon]").first.input_value(), 20)
        grid.click(".act-foot button[type=submit]")
        until(lambda: state_of(house, number, watcher)["finding"] == "true", 20)
        # a second office person confirms: the supervision slip
        confirm = screens.signed_in("office2", 1280)
        confirm.goto(f"{house.url}/desk/issues/{number}?step=supervise")
        confirm.locator("form[action$='/steps/supervise'] button[type=submit]").last.click()
        until(lambda: state_of(house, number, watcher)["state"] == "supervised", 20)
        # the unit submits with an after photo
        unit = screens.signed_in("unit", 390)
        unit.goto(f"{house.url}/phone/issues/{number}?step=submit")
        unit.locator("form[action$='/steps/submit'] input[type=file]").first.set_input_files(shot(tmp_path, 3))
        unit.locator("form[action$='/steps/submit'] textarea").first.fill("排口已封堵")
        unit.click(".act-foot button[type=submit]")
        until(lambda: state_of(house, number, watcher)["state"] == "rectified", 20)
        # accepted by the office, closed by the head
        office.goto(f"{house.url}/desk/issues/{number}?step=verify")
        form = office.locator("form[action$='/steps/verify']")
        for item in form.locator("input[name=checklist]").all():
            item.check(force=True)
        if form.locator("input[type=file]").count():
            form.locator("input[type=file]").first.set_input_files(shot(tmp_path, 4))
        form.locator("button[type=submit]").last.click()
        until(lambda: state_of(house, number, watcher)["state"] == "verified", 20)
        head = screens.signed_in("head", 1280)
        head.goto(f"{house.url}/desk/issues/{number}?step=close")
        form = head.locator("form[action$='/steps/close']")
        form.locator("input[name=sure]").check(force=True)
        form.locator("button[type=submit]").last.click()
        until(lambda: state_of(house, number, watcher)["state"] == "closed", 20)
        # three papers, as PDF
        slips = state_of(house, number, watcher)["slips"]
        assert [slip["kind"] for slip in slips] == ["assignment", "supervision", "closure"]
        for slip in slips:
            paper = head.request.get(house.url + slip["pdf"])
            assert paper.status == 200 and paper.body().startswith(b"%PDF")
        # and the issue stands on the map
        the_map = screens.page(1280)
        the_map.goto(f"{house.url}/map")
        the_map.locator(".leaflet-container").wait_for()
        assert screens.complaints == []
    except BaseException:
        screens.photograph(tmp_path)
        raise
    finally:
        screens.close()


def _clock(house: House, number: str, token: str, name: str) -> str:
    clocks = [clock for clock in state_of(house, number, token)["clocks"] if clock["name"] == name]
    return str(clocks[-1]["status"]) if clocks else ""
