"""Drafts made without a network while the browser is killed again and again, then sent through a storm: nothing is
lost, nothing is there twice, and every photo is the one that was taken, byte for byte."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from patrol import models as m
from patrol.station import Station
from patrol.web import access
from patrol.web.app import create_app
from tests.chromium import PROGRAM, QUIET, answering
from tests.conftest import SetClock
from tests.faults import FULL
from tests.faults.house import until
from tests.faults.storm import Storm
from tests.walk import Town, picture
from tests.web.test_phone import Phone, Street

DRAFTS, KILLS = (20, 200) if FULL else (5, 10)
EACH = 3
KEPT = """() => new Promise((good) => { const ask = indexedDB.open("patrol-phone"); ask.onsuccess = () => {
  const all = ask.result.transaction("draft").objectStore("draft").getAll();
  all.onsuccess = () => { ask.result.close(); good(all.result.map((d) => [d.fields.words, d.state, d.photos.map((p) => p.sha256)])); }; }; })"""


@pytest.fixture
def clock() -> SetClock:
    return SetClock(datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1))


class Handset:
    """One phone with its own memory: opened, killed without warning, opened again."""

    def __init__(self, play: Any, folder: Path, town: Town, phone: Phone, url: str) -> None:
        self.play, self.folder, self.phone, self.url = play, folder, phone, url
        self.at = town.at(1240)
        self.pid = 0

    @contextmanager
    def opened(self) -> Iterator[Any]:
        context = self.play.chromium.launch_persistent_context(
            str(self.folder), executable_path=PROGRAM, args=QUIET, viewport={"width": 390, "height": 844}, locale="zh-CN",
            permissions=["geolocation"],
            geolocation={"longitude": self.at["lon"], "latitude": self.at["lat"], "accuracy": 8},
        )  # fmt: skip
        cookie = self.phone.client.get_cookie(access.COOKIE, domain="localhost")
        context.add_cookies([{"name": access.COOKIE, "value": cookie.value, "url": self.url}])
        self.pid = self._main_process()
        try:
            yield context.pages[0]
        finally:
            with suppress(Exception):  # a killed browser cannot be closed
                context.close()

    def _main_process(self) -> int:
        """The browser of this very folder, which this test started."""
        for one in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                words = (one / "cmdline").read_bytes().split(b"\0")
                if f"--user-data-dir={self.folder}".encode() in words and not any(
                    w.startswith(b"--type=") for w in words
                ):
                    return int(one.name)
        raise AssertionError("no browser of ours")

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


class Maker:
    """Makes the drafts in order, and checks after each kill that what the page had said is kept."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url, self.made, self.said = url, 0, 0
        self.files = []
        for number in range(DRAFTS * EACH):
            path = folder / f"{number}.jpg"
            path.write_bytes(picture(700 + number))
            self.files.append(path)
        self.digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in self.files]

    def words(self, number: int) -> str:
        return f"第{number}件"

    def mine(self, number: int) -> list[str]:
        return self.digests[number * EACH : (number + 1) * EACH]

    def go_on(self, tab: Any) -> None:
        tab.goto(f"{self.url}/phone/report")
        while self.made < DRAFTS:
            kept = {words: (state, digests) for words, state, digests in tab.evaluate(KEPT)}
            for done in range(self.made):
                assert kept[self.words(done)][1] == self.mine(done), done
            state, digests = kept.get(self.words(self.made), ("", []))
            if state not in ("", "writing"):
                assert digests == self.mine(self.made)
                self.made, self.said = self.made + 1, 0
                continue
            assert len(digests) >= self.said, (self.made, digests, self.said)
            tab.goto(f"{self.url}/phone/report")
            tab.fill("textarea[name=words]", self.words(self.made))
            tab.check("input[name=kind][value=sewage]", force=True)
            if digests:
                tab.locator(f"[data-shots] .photo img >> nth={len(digests) - 1}").wait_for()
            for number in range(len(digests), EACH):
                tab.set_input_files("#f-photo", str(self.files[self.made * EACH + number]))
                tab.locator(f"[data-saved='{number + 1}']").wait_for()
                self.said = number + 1
            tab.locator("[data-place].is-fixed").wait_for()
            tab.click(".act-foot button")
            tab.locator("text=已存在手机里").wait_for()
            self.made, self.said = self.made + 1, 0


@pytest.mark.browser
@pytest.mark.faults
@pytest.mark.timeout(3600 if FULL else 600)
def test_nothing_is_lost_or_doubled_by_kills_and_storms(station: Station, tmp_path: Path) -> None:
    if not PROGRAM:
        pytest.skip("no Chromium here: apt install chromium")
    from playwright.sync_api import Error, sync_playwright

    town, rng = Town(station), random.Random(20261130)
    phone = Street(town).phone("grid")
    app = create_app(station)
    with (
        answering(app) as house,
        sync_playwright() as play,
        Storm("127.0.0.1", int(house.rpartition(":")[2]), seed=7) as line,
    ):
        url = f"http://127.0.0.1:{line.port}"
        handset = Handset(play, tmp_path / "profile", town, phone, url)
        maker = Maker(tmp_path, url)
        with handset.opened() as tab:
            tab.goto(f"{url}/phone")
            tab.locator("html[data-kept=yes]").wait_for(state="attached", timeout=120_000)
        line.cut()
        kills = 0

        def once(work: Any, most_s: float) -> None:
            nonlocal kills
            with handset.opened() as tab:
                killer = threading.Timer(rng.uniform(0.2, most_s), handset.kill)
                killer.start()
                try:
                    work(tab)
                except Error:
                    kills += 1  # the page, or the whole browser, was gone in the middle of something
                finally:
                    killer.cancel()

        while kills < KILLS // 2:
            once(maker.go_on, 12)
            if maker.made == DRAFTS:
                break
        with handset.opened() as tab:
            maker.go_on(tab)
        line.join()
        line.stormy = True

        def deliver(tab: Any) -> None:
            tab.goto(f"{url}/phone/outbox")
            while True:
                tab.click("[data-retry]")
                tab.wait_for_timeout(200)

        while kills < KILLS:
            once(deliver, 6)
        line.stormy = False
        with handset.opened() as tab:
            tab.goto(f"{url}/phone/outbox")

            def empty() -> bool:
                tab.click("[data-retry]")
                return bool(tab.evaluate(KEPT) == [])

            until(empty, 120, every_s=0.5)
        assert line.refused and line.cut_off

    with station.look() as look:
        sightings = {row.words: row.id for row in look.session.query(m.Sighting)}
        assert look.session.query(m.Sighting).count() == DRAFTS
        assert set(sightings) == {maker.words(number) for number in range(DRAFTS)}
        assert look.session.query(m.Photo).count() == DRAFTS * EACH
        for number in range(DRAFTS):
            rows = (
                look.session.query(m.Photo).filter_by(sighting_id=sightings[maker.words(number)]).order_by(m.Photo.id)
            )
            assert [row.sha256 for row in rows] == maker.mine(number)
            assert all(hashlib.sha256(station.store.get(row.sha256)).hexdigest() == row.sha256 for row in rows)
        assert {row.state for row in look.session.query(m.Parcel)} == {"done"}
