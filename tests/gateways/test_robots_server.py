"""The local robot server itself: as a process, by its seed, and at the vendor's pace."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from patrol.errors import OutOfReach
from patrol.gateways.cards import Card, compose
from patrol.gateways.pace import Pace
from patrol.gateways.robots import BRANDS, WeCom
from tests.robotserver import RobotServer

NOW = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
CHECKOUT = Path(__file__).parents[2]


def outcomes(robot: WeCom, count: int) -> list[str]:
    found = []
    for number in range(count):
        (message,) = compose([Card(f"单 {number}", (), key=str(number))], "wecom")
        try:
            robot.send(message, now=NOW)
            found.append("ok")
        except OutOfReach as error:
            found.append(error.code)
    return found


def run(seed: int, log: Path) -> tuple[list[str], list[dict[str, str]]]:
    command = [
        sys.executable,
        "-m",
        "tests.robotserver",
        "--seed",
        str(seed),
        "--faults",
        "0.5",
        "--log",
        str(log),
    ]
    command += ["--kinds", "rate,busy,500,429,reset,reset_after,html,empty,redirect"]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            url = f"http://127.0.0.1:{port}/cgi-bin/webhook/send?key=key-0001"
            found = outcomes(WeCom("office", url, near=True), 40)
        finally:
            process.kill()  # what was accepted is on the disk all the same
    return found, [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def test_as_a_process_it_follows_its_seed_and_keeps_what_it_accepted(tmp_path: Path) -> None:
    first, log = run(5, tmp_path / "one.jsonl")
    again, log_again = run(5, tmp_path / "two.jsonl")
    other, _ = run(6, tmp_path / "three.jsonl")
    assert first == again and first != other
    assert [row["call"] for row in log] == [row["call"] for row in log_again]
    assert 8 < first.count("ok") < 32 and len(set(first)) > 4
    told = [number for number, outcome in enumerate(first, start=1) if outcome == "ok"]
    kept = {int(row["call"]): row["fault"] for row in log}
    assert [call for call, fault in kept.items() if fault is None] == told  # nothing falsely delivered
    assert all(first[call - 1] == "unreachable" for call, fault in kept.items() if fault)


def test_at_twenty_a_minute_a_paced_robot_is_never_refused_and_merging_keeps_up() -> None:
    """200 slips at once under a settable clock: few messages, no complaint, nothing lost."""
    now = NOW
    with RobotServer(per_minute=20, clock=lambda: now.timestamp()) as server:
        robot = WeCom("office", server.url("wecom"), near=True)
        pace = Pace(20)
        sent: list[datetime] = []
        cards = [Card(f"交办〔2026〕{n:04d}", ("类别：漂浮垃圾" * 8, "单位：城管" * 8), key=str(n)) for n in range(200)]
        for message in compose(cards, "wecom"):
            now += timedelta(seconds=pace.wait_s(now, sent))
            robot.send(message, now=now)
            sent.append(now)
        assert len(sent) > 20  # so the pace had work to do
        said = "".join(got.content for got in server.accepted)
        assert all(card.title in said for card in cards)
        # Unpaced, the same robot is told off: the server does count.
        with pytest.raises(OutOfReach) as caught:
            for _ in range(21):
                robot.send(compose(cards[:1], "wecom")[0], now=now)
        assert caught.value.code == "rate_limited"


def test_it_refuses_what_the_vendors_refuse() -> None:
    with RobotServer() as server:
        for brand, kind in BRANDS.items():
            robot = kind("office", server.url(brand), near=True)
            (message,) = compose([Card("单", ())], brand)
            for words in ("", "字" * 7000):
                wrong = type(message)(brand, words, ())
                with pytest.raises(OutOfReach) as caught:
                    robot.send(wrong, now=NOW)
                assert caught.value.code.startswith("vendor_")
        assert server.accepted == []
        with pytest.raises(ValueError):
            server.next("gremlin")
