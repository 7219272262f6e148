"""The gallery in Chromium under the pages' own policy: nothing refused or foreign, keys work, clocks turn."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.chromium import turning

ASSETS = Path(__file__).parents[2] / "templates" / "assets"
PAGES = ("components", "issue", "inbox", "phone", "public")
DAY_S = 21600
POLICY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; "
    "img-src 'self' blob: data:; connect-src 'self'; font-src 'self'; manifest-src 'self'; "
    "worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class Doors(BaseHTTPRequestHandler):
    """Serves the gallery and the assets the way the product does, with the same policy."""

    page: Callable[[str], str]
    policy: str

    def log_message(self, format: str, *args: object) -> None:
        return

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path.startswith("/assets/"):
            file = ASSETS / path.removeprefix("/assets/")
            if not file.is_file():
                self.send_error(404)
                return
            kind = "text/javascript" if file.suffix == ".js" else mimetypes.guess_type(file.name)[0]
            self.answer(file.read_bytes(), str(kind))
        else:
            self.answer(type(self).page(path.strip("/")).encode(), "text/html; charset=utf-8")

    def answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", self.policy)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def address(gallery_page: Callable[[str], str], gallery_nonce: str) -> Iterator[str]:
    Doors.page = staticmethod(gallery_page)
    Doors.policy = POLICY.replace("{nonce}", gallery_nonce)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Doors)
    with turning(server):
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_gallery_runs_clean_in_chromium(chromium: Any, address: str, name: str, width: int) -> None:
    tab = chromium.new_page(viewport={"width": width, "height": 900})
    said: list[str] = []
    tab.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    tab.on("pageerror", lambda fault: said.append(str(fault)))
    tab.on("requestfailed", lambda request: said.append(request.url))
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(f"{address}/{name}", wait_until="networkidle")
    assert said == []
    assert [url for url in asked if not url.startswith((address, "data:"))] == []
    assert tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert tab.evaluate("[...document.querySelectorAll('.icon')].some(i => i.getBBox().width > 0)")
    tab.close()


def test_scripts_say_the_same_words_as_templates(
    chromium: Any, address: str, left_words: list[tuple[int, str, str]]
) -> None:
    tab = chromium.new_page()
    tab.goto(f"{address}/phone")
    script = """async ([rows, day]) => {
        const {leftWords} = await import('/assets/js/countdown.js');
        return rows.map(([left, unit]) => leftWords(left, unit, day)); }"""
    got = tab.evaluate(script, [[list(row[:2]) for row in left_words], DAY_S])
    assert got == [row[2] for row in left_words]
    tab.close()


def test_a_clock_turns_amber_then_red_and_speaks_once_each(chromium: Any, address: str) -> None:
    tab = chromium.new_page()
    tab.goto(f"{address}/phone")
    script = """async () => {
        const {tick} = await import('/assets/js/countdown.js');
        const clock = document.querySelector('.issue-card:last-of-type [data-clock]');
        const at = Date.parse('2026-11-23T10:00:00+08:00');
        clock.dataset.at = new Date(at).toISOString();
        clock.dataset.dueAt = new Date(at + 25500e3).toISOString();
        const seen = [];
        for (const after of [0, 20000, 20001, 25500, 28050]) {
            tick(clock, at + after * 1000);
            seen.push([clock.dataset.status, clock.querySelector('.clock-value').textContent]);
        }
        const live = [...document.querySelectorAll('#live p')].map((p) => p.textContent);
        return {seen, live, card: clock.closest('.issue-card').className};
    }"""
    got = tab.evaluate(script)
    assert [status for status, _ in got["seen"]] == ["running", "soon", "soon", "late", "late"]
    assert got["seen"][-1][1] == "超 42 分"
    assert got["live"] == ["整改快到期，剩 1 时 31 分", "整改超期了"]
    assert "is-late" in got["card"]
    tab.close()


def test_pressing_the_button_names_every_missing_thing_and_focuses_the_first(chromium: Any, address: str) -> None:
    tab = chromium.new_page()
    tab.goto(f"{address}/components")
    tab.click("#step-assign button[type=submit]")
    assert tab.locator("#step-assign .missing-block li").all_inner_texts() == [
        "还没填：责任单位",
        "还没填：已看过",
    ]
    assert tab.evaluate("document.activeElement.id") == "f-unit"
    tab.close()


def test_size_and_theme_are_kept_on_the_device(chromium: Any, address: str) -> None:
    tab = chromium.new_page()
    tab.goto(f"{address}/components")
    tab.click("[data-set-theme=dark]")
    tab.click("[data-set-size=large]")
    tab.reload()
    root = tab.locator("html")
    assert root.get_attribute("data-theme") == "dark"
    assert root.get_attribute("data-size") == "large"
    assert tab.get_attribute("[data-set-theme=dark]", "aria-pressed") == "true"
    tab.close()


def test_arrow_keys_walk_the_strip_and_move_its_stretch(chromium: Any, address: str) -> None:
    tab = chromium.new_page()
    tab.goto(f"{address}/components")
    tab.focus("#strip .mark[tabindex='0']")
    tab.keyboard.press("ArrowRight")
    assert tab.evaluate("document.activeElement.dataset.m") == "610"
    tab.focus("#strip .handle >> nth=0")
    tab.keyboard.press("PageDown")
    assert tab.get_attribute("#strip .handle >> nth=0", "aria-valuetext") == "K1+540"
    tab.close()
