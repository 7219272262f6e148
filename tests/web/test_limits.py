"""Limits of the open doors: by device, by where it comes from, the sum that lets in; and nobody is refused."""

from __future__ import annotations

import hashlib
import re
import time
from typing import Any

import pytest
from flask import Flask

from patrol import models as m
from patrol.errors import Misconfigured
from patrol.settings import Settings
from patrol.station import Station
from patrol.web import limits, puzzle
from patrol.web.app import create_app
from tests.web.api_town import Api

KEY = b"k" * 32


def report(words: str) -> dict[str, Any]:
    return {"kind": "sewage", "words": words}


def sent(app: Flask, words: str, *, client: Any = None, address: str = "198.51.100.7", **headers: str) -> int:
    client = client or app.test_client(use_cookies=False)
    answer = client.post("/api/v1/reports", json=report(words), headers=headers, environ_base={"REMOTE_ADDR": address})
    return int(answer.status_code)


def waiting(station: Station) -> list[str]:
    with station.look() as look:
        return [row.why for row in look.session.query(m.Sighting).order_by(m.Sighting.id)]


def solve(word: str, bits: int) -> str:
    number = 0
    while puzzle.leading_zeros(hashlib.sha256(f"{word}:{number}".encode()).digest()) < bits:
        number += 1
    return f"{word}:{number}"


@pytest.fixture
def app(environ: dict[str, str], station: Station) -> Flask:
    limits.reset()
    settings = Settings.read({**environ, "PATROL_REPORTS_HOURLY": "2", "PATROL_TRUSTED_PROXIES": "10.0.0.0/8"})
    return create_app(Station(settings, station.engine, station.store, station.keys, station.clock))


def test_what_is_over_the_limit_waits_and_is_never_refused(app: Flask, station: Station) -> None:
    assert [sent(app, f"第{n}次") for n in range(4)] == [201] * 4
    assert waiting(station)[:2] == ["", ""] and waiting(station)[2:] == ["too_many"] * 2
    assert sent(app, "别处", address="198.51.100.8") == 201 and waiting(station)[4] == ""


def test_a_sum_lets_in_once(app: Flask, station: Station) -> None:
    for n in range(2):
        sent(app, f"第{n}次")
    told = app.test_client().get("/report/sum", environ_base={"REMOTE_ADDR": "198.51.100.7"}).json
    assert told["bits"] >= puzzle.EASIEST_BITS
    answer = solve(told["word"], told["bits"])
    for _ in range(2):
        assert sent(app, "算了题", **{puzzle.HEADER: answer}) == 201
    assert waiting(station)[2:] == ["", "too_many"]
    assert app.test_client().get("/report/sum", environ_base={"REMOTE_ADDR": "198.51.100.9"}).json == {}


def test_devices_behind_one_address_are_counted_apart(app: Flask) -> None:
    place = app.extensions["patrol"]

    def held(client: Any) -> list[str]:
        found = []
        for _ in range(3):
            with client.application.test_request_context(
                "/report",
                headers={"Cookie": f"{limits.COOKIE}={cookie(client)}"},
                environ_base={"REMOTE_ADDR": "192.0.2.1"},
            ):
                found.append(limits.hold(place, True))
        return found

    assert held(phone(app)) == ["", "", "too_many"] == held(phone(app))
    for _ in range(4):
        held(phone(app))
    assert held(phone(app)) == ["too_many"] * 3  # a device costs nothing to make: the address is counted as well


def phone(app: Flask) -> Any:
    client = app.test_client()
    answer = client.get("/report")
    assert re.fullmatch(r"[^;]+; HttpOnly; Path=/report; SameSite=Strict", answer.headers["Set-Cookie"])
    return client


def cookie(client: Any) -> str:
    return str(client.get_cookie(limits.COOKIE, path=limits.COOKIE_PATH).value)


def test_a_made_up_device_is_none(app: Flask) -> None:
    good = cookie(phone(app))
    for bad in ("", "x", good[:-1] + ("0" if good[-1] != "0" else "1"), f"a-{int(time.time()) - 5}.x"):
        with app.test_request_context("/report", headers={"Cookie": f"{limits.COOKIE}={bad}"}):
            assert limits.device(app.extensions["patrol"]) == ""
    with app.test_request_context("/report", headers={"Cookie": f"{limits.COOKIE}={good}"}):
        assert limits.device(app.extensions["patrol"]) == good.rpartition(".")[0]


@pytest.mark.parametrize(
    ("remote", "forwarded", "found"),
    [
        ("198.51.100.7", "1.2.3.4", "198.51.100.7"),  # not our proxy: its word is not believed
        ("10.1.1.1", "1.2.3.4", "1.2.3.4"),
        ("10.1.1.1", "6.6.6.6, 1.2.3.4, 10.9.9.9", "1.2.3.4"),  # what the caller wrote in front is passed over
        ("10.1.1.1", "", "10.1.1.1"),
        ("10.1.1.1", "junk", "10.1.1.1"),
    ],
)
def test_behind_a_proxy_the_callers_own_address_counts(app: Flask, remote: str, forwarded: str, found: str) -> None:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    with app.test_request_context("/report", headers=headers, environ_base={"REMOTE_ADDR": remote}) as context:
        assert limits.address(context.request) == found


def test_a_badly_written_proxy_stops_the_start() -> None:
    with pytest.raises(Misconfigured, match="PATROL_TRUSTED_PROXIES"):
        Settings.read({"PATROL_TRUSTED_PROXIES": "10.0.0.0/8,nonsense"})


def test_only_our_fresh_and_solved_puzzles_count() -> None:
    now = time.time()
    made = puzzle.make(KEY, 0)
    good = solve(made.word, made.bits)
    assert puzzle.read(KEY, good, now) == made.word
    easier = made.word.replace(f"-{made.bits}-", "-1-")
    for bad in ("", "x", made.word, f"{made.word}:x", f"{easier}:1", good.replace(":", ":0x"), good + " "):
        assert puzzle.read(KEY, bad, now) is None, bad
    assert puzzle.read(b"z" * 32, good, now) is None and puzzle.read(KEY, good, now + puzzle.LASTS_S + 2) is None
    assert puzzle.make(KEY, 99).bits == puzzle.HARDEST_BITS


@pytest.mark.parametrize("on", [False, True])
def test_the_tip_page_says_whether_addresses_are_kept(environ: dict[str, str], station: Station, on: bool) -> None:
    from tests.web.tinyapp import logged

    settings = Settings.read({**environ, "PATROL_LOG_TIPS": "1" if on else "0"})
    app = create_app(Station(settings, station.engine, station.store, station.keys, station.clock))
    with logged() as log:
        for path in ("/report", "/tips"):
            page = app.test_client().get(path, environ_base={"REMOTE_ADDR": "203.0.113.9"},
                                         headers={"User-Agent": "MarkerPhone"}).get_data(as_text=True)  # fmt: skip
            assert ("记下这次访问的网络地址" in page) is on and ("不记您的网络地址" in page) is not on
    assert ("203.0.113.9" in log.getvalue()) is on and "MarkerPhone" not in log.getvalue()


def test_the_sum_is_for_everybody(station: Station) -> None:
    assert Api(station).get("/report/sum").json == {}
