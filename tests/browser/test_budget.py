"""The first visit to pages in the hand: at most 300 kB over the line. How soon a page is ready for a finger on a phone a
quarter as fast as this machine, behind a slow 4G line, is printed: it depends on what else the machine does."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from patrol.actions import people
from patrol.station import ANYONE
from patrol.web.access import COOKIE
from tests.faults.house import House, serving
from tests.walk import Town

MOST_BYTES = 300_000
SLOWER = 4
LATENCY_MS, DOWN_BYTES_S, UP_BYTES_S = 150, 1_600_000 / 8, 750_000 / 8  # what Lighthouse calls slow 4G
PAGES = (
    "/",
    "/report",
    "/tips",
    "/check",
    "/map",
    "/signin",
    "/phone",
    "/phone/report",
    "/phone/me",
    "/phone/issues/{issue}",
)
READY = """() => {
  const [page] = performance.getEntriesByType('navigation');
  return page.domContentLoadedEventEnd / 1000;  // every script of the page has run
}"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    data: Path = tmp_path_factory.mktemp("budget") / "data"
    with serving({"PATROL_DATA": str(data), "PATROL_FREE_DISK_MB": "1"}) as served:
        yield served


@pytest.fixture(scope="module")
def visit(house: House) -> dict[str, str]:
    """A grid worker's session and the issue that waits for him."""
    secret = uuid.uuid4().hex
    issue = Town(house.station).to_assigned()
    with house.station.work(ANYONE) as work:
        people.add_account(work, "grid", secret, ["grid"], name="网格员")
        return {"session": people.sign_in(work, "grid", secret) or "", "issue": issue}


def first_visit(chromium: Any, house: House, visit: dict[str, str], path: str) -> tuple[float, float]:
    """Bytes over the line and seconds until the page is ready, of a visit with nothing kept from before."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, locale="zh-CN")
    if path.startswith("/phone"):
        context.add_cookies([{"name": COOKIE, "value": visit["session"], "url": house.url}])
    page = context.new_page()
    line = context.new_cdp_session(page)
    got: dict[str, float] = {}
    line.on("Network.loadingFinished", lambda told: got.__setitem__(told["requestId"], told["encodedDataLength"]))
    line.send("Network.enable")
    line.send("Network.setCacheDisabled", {"cacheDisabled": True})
    line.send("Network.emulateNetworkConditions", {
        "offline": False, "latency": LATENCY_MS, "downloadThroughput": DOWN_BYTES_S, "uploadThroughput": UP_BYTES_S,
    })  # fmt: skip
    line.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    answer = page.goto(house.url + path.format(**visit), wait_until="networkidle")
    assert answer is not None and answer.status == 200
    size, ready_s = sum(got.values()), float(page.evaluate(READY))
    context.close()
    print(f"\n{path}: {size / 1000:.0f} kB in {len(got)} answers, ready after {ready_s:.2f} s", end="")
    return size, ready_s


@pytest.mark.parametrize("path", PAGES)
def test_a_first_visit_is_small(chromium: Any, house: House, visit: dict[str, str], path: str) -> None:
    size, _ = first_visit(chromium, house, visit, path)
    assert size <= MOST_BYTES
