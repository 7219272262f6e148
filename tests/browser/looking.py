"""How a page of the sample is looked at: axe, targets under a finger, width, and what language its words are in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from sqlalchemy import select

from patrol import models as m
from patrol.actions import people
from patrol.demo import load
from patrol.settings import Settings
from patrol.station import ANYONE, Station
from patrol.web import limits
from patrol.web.access import COOKIE
from patrol.web.app import create_app
from tests.browser.sample import Shot, holes
from tests.chromium import answering

WIDTHS = {390: 844, 1280: 800}
MODES = ("normal", "elder", "dark")
AXE = Axe()

SMALL = """([least, wide]) => {
  const found = [];
  const controls = 'a[href], button, summary, select, textarea, input:not([type=hidden]), [role=button], [role=slider]';
  for (const one of document.querySelectorAll(controls)) {
    const label = one.matches('input[type=radio], input[type=checkbox]') ? one.closest('label') : null;
    const target = label ?? one;
    if (!target.checkVisibility({visibilityProperty: true}) || target.closest('.sr, .skip, [inert]')) continue;
    if (target.closest('.strip')) continue;  // a mark of the ruler has its equal in the list
    if (one.matches('a') && getComputedStyle(one).display === 'inline') {
      const words = [...one.parentElement.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
      if (words) continue;  // a link in a sentence is as tall as its line
    }
    const box = target.getBoundingClientRect();
    if (!box.width || !box.height || box.right <= 0 || box.bottom + scrollY <= 0) continue;
    if (box.height < least - .5 || box.width < wide - .5) {
      found.push(`${Math.round(box.width)}x${Math.round(box.height)} ${target.outerHTML.slice(0, 110)}`);
    }
  }
  return found;
}"""


@dataclass
class Sample:
    """The sample week, served in this process; a session for each login."""

    station: Station
    address: str
    logins: list[str]
    receipt: str
    about: dict[str, str]
    sessions: dict[str, str] = field(default_factory=dict)

    def session(self, login: str, secret: str) -> None:
        with self.station.work(ANYONE) as work:
            self.sessions[login] = people.sign_in(work, login, secret) or ""

    def open(self, chromium: Any, shot: Shot, width: int, lang: str = "zh-CN") -> Any:
        """A page in a context of its own, what it said to the console in `.said`."""
        limits.reset()
        context = chromium.new_context(
            viewport={"width": width, "height": WIDTHS[width]}, locale=lang, timezone_id="Asia/Shanghai",
            reduced_motion="reduce", color_scheme="light",
        )  # fmt: skip
        if shot.login:
            context.add_cookies([{"name": COOKIE, "value": self.sessions[shot.login], "url": self.address}])
        if lang == "en":
            context.add_cookies([{"name": "patrol_lang", "value": "en", "url": self.address}])
        page = context.new_page()
        page.said = []
        page.on("console", lambda line: page.said.append(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda fault: page.said.append(str(fault)))
        page.goto(self.address + shot.path.format(**self.about), wait_until="load")
        if shot.act == "look_up":
            page.fill("input[name=code]", self.receipt)
            page.click("form button[type=submit]")
            page.locator(".verdict").wait_for()
        page.wait_for_load_state("networkidle")
        return page


@contextmanager
def sampled(folder: Path) -> Iterator[Sample]:
    """The sample week in a folder: loaded where it is not there yet, served while the block runs."""
    settings = Settings.read({"PATROL_DATA": str(folder), "PATROL_FREE_DISK_MB": "1"})
    loaded = load.load(settings)
    station = Station.open(settings, may_create=False)
    try:
        with answering(create_app(station)) as address:
            told = Sample(station, address, [], loaded.receipts[0] if loaded.receipts else "", holes(station))
            for key in loaded.keys:
                if key.part.page:
                    told.session(key.part.login, key.secret)
            yield told
    finally:
        station.close()


def wear(page: Any, mode: str) -> None:
    """Put a page into a mode as its own switches do, and let it settle."""
    size, theme = ("elder" if mode == "elder" else "normal"), ("dark" if mode == "dark" else "light")
    page.evaluate(
        """([size, theme]) => { document.documentElement.dataset.size = size;
        document.documentElement.dataset.theme = theme; return new Promise(requestAnimationFrame); }""",
        [size, theme],
    )


def complaints(page: Any) -> list[str]:
    """What axe finds: rule, its sentence and the first elements of each."""
    found = AXE.run(page).response["violations"]
    return [
        f"{rule['id']}: {rule['help']}: " + " | ".join(node["html"][:140] + " " + json.dumps(
            [check["message"][:160] for check in node["any"][:1]], ensure_ascii=False) for node in rule["nodes"][:3])
        for rule in found
    ]  # fmt: skip


def small_targets(page: Any, shot: Shot, width: int, mode: str) -> list[str]:
    """Controls smaller than the mode asks for (look.md §2): phone 44, 长辈版 60, desk 28."""
    least = (60 if mode == "elder" else 44) if shot.hand else (44 if width < 600 else 28)
    return list(page.evaluate(SMALL, [least, least if shot.hand else 24]))


HAN = re.compile(r"[\u3400-\u9fff]+")
WORDS = """() => {
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const inside = walk.currentNode.parentElement;
    if (!inside.closest('script, style, template, [lang]:not(html)')) found.push(walk.currentNode.data);
  }
  for (const one of document.querySelectorAll('[aria-label], [placeholder], [title], [alt], [data-busy]')) {
    found.push(...['aria-label', 'placeholder', 'title', 'alt', 'data-busy'].map((name) => one.getAttribute(name) ?? ''));
  }
  return [document.title, ...found.filter((words) => /[\\u3400-\\u9fff]/.test(words))];
}"""


def data_words(station: Station) -> set[str]:
    """Runs of Han that are data: what people wrote, their names, the names of places, units and papers."""
    found: set[str] = set()
    with station.look() as look:
        for table in m.Base.metadata.sorted_tables:
            for row in look.session.execute(select(table)):
                found.update(run for value in row if isinstance(value, str | dict | list)
                             for run in HAN.findall(json.dumps(value, ensure_ascii=False)))  # fmt: skip
    place = station.place
    for file in place.folder.rglob("*"):
        if file.suffix in (".json", ".toml", ".geojson", ".csv"):
            found.update(HAN.findall(file.read_text("utf-8")))
    return found | {"左岸", "右岸", "号排口"}


def left_in_chinese(page: Any, data: set[str]) -> list[str]:
    """Words of an English page that are still Chinese and are not data."""
    runs = [(run, words.strip()) for words in page.evaluate(WORDS) for run in HAN.findall(words)]
    return sorted({f"{run} in “{words[:80]}”" for run, words in runs if run not in data})
