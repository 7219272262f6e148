"""`make screenshots`: every page of the sample week at 390 and 1280 px, into docs/screenshots.

Loads the sample into a temporary folder, serves it, signs in as each role and photographs. A page that is
missing, that overflows sideways or that writes an error to its console is named, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from sqlalchemy import select

from patrol import models as m
from patrol import serve
from patrol.demo import load
from patrol.settings import Settings
from patrol.station import Station
from tests.faults.house import until

OUT = Path(__file__).parents[2] / "docs" / "screenshots"
WIDTHS = {390: 844, 1280: 800}
TALLEST_PX = 2400
MOST_BYTES = 250_000
CHROMIUM = os.environ.get("PATROL_CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--lang=zh-CN",
    "--disable-gpu",
    "--disable-background-networking",
    "--force-color-profile=srgb",
]


@dataclass(frozen=True)
class Shot:
    """One page: file name, path with {holes}, who looks, and what to do before the picture."""

    name: str
    path: str
    login: str = ""
    act: str = ""


SHOTS = (
    Shot("home", "/"),
    Shot("report", "/report"),
    Shot("tips", "/tips"),
    Shot("tips-status", "/tips", act="look_up"),
    Shot("check", "/check?slip={slip}&code={code}"),
    Shot("map", "/map"),
    Shot("signin", "/signin"),
    Shot("phone", "/phone", "grid"),
    Shot("phone-issue", "/phone/issues/{on_site}", "grid"),
    Shot("phone-report", "/phone/report", "grid"),
    Shot("phone-me", "/phone/me", "grid"),
    Shot("phone-unit", "/phone", "water"),
    Shot("phone-unit-issue", "/phone/issues/{late}", "water"),
    Shot("desk", "/desk", "office"),
    Shot("desk-clue", "/desk/clues/{clue}", "office"),
    Shot("desk-issues", "/desk/issues", "office"),
    Shot("desk-issue", "/desk/issues/{late}", "office"),
    Shot("desk-issue-closed", "/desk/issues/{closed}", "office"),
    Shot("desk-assign", "/desk/issues/{reported}", "office"),
    Shot("desk-requests", "/desk/requests", "head"),
    Shot("desk-deliveries", "/desk/deliveries", "office"),
    Shot("desk-people", "/desk/people", "head"),
    Shot("desk-chief", "/desk", "chief"),
    Shot("desk-flights", "/desk/flights", "office"),
    Shot("desk-review", "/desk/review", "office"),
    Shot("hotline", "/hotline", "operator"),
    Shot("keys", "/keys", "reward"),
    Shot("callbacks", "/callbacks", "operator"),
    Shot("map-office", "/map", "office"),
    Shot("not-found", "/desk/issues/TH-2000-9999", "office"),
)


def holes(station: Station) -> dict[str, str]:
    """The issues, clue and slip that pages are about."""
    with station.look() as look:

        def number(*where: object) -> str:
            query = select(m.Issue.number).where(*where).order_by(m.Issue.id.desc())  # type: ignore[arg-type]
            return str(look.session.scalars(query).first())

        late = select(m.Clock.issue_id).where(m.Clock.name == "rectify", m.Clock.due_at <= look.now)
        slip = look.session.scalars(select(m.Slip).where(m.Slip.superseded_by.is_(None)).order_by(m.Slip.id)).first()
        clue = look.session.scalars(select(m.Sighting.ref).where(m.Sighting.why == "unsure")).first()
        return {
            "late": number(m.Issue.id.in_(late), m.Issue.state == "supervised"),
            "closed": number(m.Issue.state == "closed", m.Issue.kind == "floating_debris"),
            "reported": number(m.Issue.state == "reported", m.Issue.kind == "bare_soil"),
            "on_site": number(m.Issue.state == "assigned", m.Issue.half1.is_(None)),
            "clue": str(clue), "slip": slip.number if slip else "", "code": slip.check_code if slip else "",
        }  # fmt: skip


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """The station as a person would start it; its address."""
    environ = os.environ | {
        "PATROL_DATA": str(settings.data), "PATROL_PORT": str(settings.port), "PATROL_LOG_LEVEL": "warning",
    }  # fmt: skip
    process = subprocess.Popen([sys.executable, "-m", "patrol", "serve"], env=environ, stdout=subprocess.DEVNULL)
    try:
        until(lambda: _answers(settings.address), 60)
        yield settings.address
    finally:
        process.terminate()
        process.wait(30)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health/live", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


class Camera:
    """One browser, one context a login and width, and what was found wrong."""

    def __init__(self, browser: Browser, address: str, passwords: dict[str, str], receipt: str) -> None:
        self.browser, self.address, self.passwords, self.receipt = browser, address, passwords, receipt
        self.contexts: dict[tuple[str, int], BrowserContext] = {}
        self.faults: list[str] = []

    def context(self, login: str, width: int) -> BrowserContext:
        if (login, width) not in self.contexts:
            made = self.browser.new_context(
                viewport={"width": width, "height": WIDTHS[width]}, locale="zh-CN", timezone_id="Asia/Shanghai",
                reduced_motion="reduce", color_scheme="light",
            )  # fmt: skip
            if login:
                page = made.new_page()
                page.goto(f"{self.address}/signin")
                page.fill("input[name=login]", login)
                page.fill("input[name=password]", self.passwords[login])
                page.click("form[action='/signin'] button[type=submit]")
                page.wait_for_url(lambda url: "/signin" not in url, timeout=15_000)
                page.close()
            self.contexts[login, width] = made
        return self.contexts[login, width]

    def take(self, shot: Shot, width: int, path: str) -> Path:
        page = self.context(shot.login, width).new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda asked: self._only_ours(shot, asked.url))
        answer = page.goto(self.address + path, wait_until="load")
        if answer is None or (answer.status != 200) != (shot.name == "not-found"):
            self.faults.append(f"{shot.name}: {answer.status if answer else 'no answer'} for {path}")
        if shot.act:
            ACTS[shot.act](page, self)
        page.evaluate("document.fonts.ready")
        page.wait_for_timeout(700)  # the map draws its issues after it has loaded
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            self.faults.append(f"{shot.name} at {width}: {wide} px too wide")
        self.faults += [f"{shot.name} at {width}: {text[:200]}" for text in said if shot.name != "not-found"]
        tall = min(TALLEST_PX, int(page.evaluate("document.documentElement.scrollHeight")))
        page.set_viewport_size({"width": width, "height": max(WIDTHS[width], tall)})
        page.wait_for_timeout(200)
        drawn = page.screenshot(animations="disabled", caret="hide")
        page.close()
        file = OUT / f"{shot.name}-{width}.png"
        file.write_bytes(_small(drawn))
        return file

    def _only_ours(self, shot: Shot, url: str) -> None:
        if not url.startswith((self.address, "data:", "blob:")):
            self.faults.append(f"{shot.name}: asks {url[:120]}")


def _look_up(page: Page, camera: Camera) -> None:
    page.fill("input[name=code]", camera.receipt)
    page.click("form button[type=submit]")
    page.wait_for_load_state("load")


ACTS: dict[str, Callable[[Page, Camera], None]] = {"look_up": _look_up}


def _small(png: bytes) -> bytes:
    """Fewer colours until the file is small enough to be kept in the project."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    for colours in (256, 128, 64, 32):
        out = io.BytesIO()
        image.quantize(colours, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
        if out.tell() <= MOST_BYTES:
            break
    return out.getvalue()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only these pages")
    wanted = set(parser.parse_args(arguments).names)
    shots = [shot for shot in SHOTS if not wanted or shot.name in wanted]
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="patrol-pictures-") as folder:
        settings = Settings.read({"PATROL_DATA": f"{folder}/data", "PATROL_FREE_DISK_MB": "1"})
        settings = serve.on_free_port(replace(settings, port=0))
        loaded = load.load(settings)
        station = Station.open(settings, may_create=False)
        about = holes(station)
        station.close()
        passwords = {key.part.login: key.secret for key in loaded.keys}
        with served(settings) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            camera = Camera(browser, address, passwords, loaded.receipts[0])
            for shot in shots:
                for width in WIDTHS:
                    file = camera.take(shot, width, shot.path.format(**about))
                    print(f"{file.relative_to(OUT.parents[1])}  {file.stat().st_size // 1000} kB", flush=True)
            browser.close()
    for fault in dict.fromkeys(camera.faults):
        print(fault, file=sys.stderr)
    return 1 if camera.faults else 0


if __name__ == "__main__":
    sys.exit(main())
