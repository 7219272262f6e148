"""A worker of its own on a real broker. The broker is clock and pool; losing it costs only delay."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.worker.conftest import House, Process, heard, until
from tests.worker.proxy import Line
from tests.worker.test_embedded import due_soon

pytestmark = pytest.mark.services

BROKERS = {
    "rabbitmq": os.environ.get("PATROL_TEST_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672//"),
    "redis": os.environ.get("PATROL_TEST_REDIS_URL", "redis://127.0.0.1:6379/0"),
}


@pytest.fixture(params=BROKERS)
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    """A line to one of the brokers; `request.param` names it."""
    parts = urlsplit(BROKERS[request.param])
    with Line(parts.hostname or "127.0.0.1", parts.port or 0) as made:
        made.url = parts._replace(netloc=parts.netloc.rpartition("@")[0] + "@" * ("@" in parts.netloc)  # type: ignore[attr-defined]
                                  + f"127.0.0.1:{made.port}").geturl()  # fmt: skip
        yield made


def grown(house: House, line: Line) -> Process:
    return house.worker(PATROL_BROKER_URL=line.url)  # type: ignore[attr-defined]


def by_celery(worker: Process, line: Line) -> None:
    """Wait until ticks have come through the broker for a while without help."""

    def calm() -> bool:
        said = [text for text in worker.lines if '"ticking_' in text]
        return not said or "ticking_by_celery" in said[-1]

    before = line.passed_bytes
    until(lambda: line.passed_bytes > before + 4096, what="bytes over the broker")
    until(calm, 60.0, what="ticks by Celery")


def children(process: Process) -> list[int]:
    done = subprocess.run(["pgrep", "-P", str(process.popen.pid)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in done.stdout.split()]


def test_ticks_and_wake_ups_go_through_the_broker(house: House, line: Line) -> None:
    worker = grown(house, line)
    by_celery(worker, line)
    for number in range(5):
        house.owe(f"群发{number}。", "fishing_clue")
        begun = time.monotonic()
        until(lambda number=number: heard(house.office, f"群发{number}。") and heard(house.fishing, f"群发{number}。"))
        assert time.monotonic() - begun < 2.0
    assert 0 <= due_soon(house) < 3.0
    until(house.beats, 10.0)
    assert worker.terminate() == 0


def test_a_lost_broker_costs_only_delay(house: House, line: Line) -> None:
    worker = grown(house, line)
    by_celery(worker, line)
    line.cut()
    assert 0 <= due_soon(house) < 5.0
    house.owe("没有中间件", "fishing_clue")
    until(lambda: heard(house.office, "没有中间件") and heard(house.fishing, "没有中间件"), 5.0)
    worker.line("ticking_without_celery")
    line.join()
    by_celery(worker, line)
    house.owe("又有了")
    until(lambda: heard(house.office, "又有了"), 5.0)
    assert worker.popen.poll() is None


def test_a_worker_starts_without_its_broker(house: House, line: Line) -> None:
    line.cut()
    worker = grown(house, line)
    house.owe("先办再说")
    until(lambda: heard(house.office, "先办再说"), 8.0)
    line.join()
    by_celery(worker, line)


def test_two_workers_and_their_two_beats_settle_each_errand_once(house: House, line: Line) -> None:
    workers = [grown(house, line), grown(house, line)]
    for worker in workers:
        by_celery(worker, line)
    for number in range(30):
        house.owe(f"两班{number}号。", "fishing_clue")
    until(house.all_done)
    assert {errand.pushes for errand in house.errands()} == {1}
    assert 0 <= due_soon(house) < 3.0
    for number in range(30):
        assert heard(house.office, f"两班{number}号。") == 1


def test_killed_workers_and_children_lose_nothing(house: House, line: Line) -> None:
    for number in range(3):
        worker = grown(house, line)
        for each in range(4):
            house.owe(f"批{number}之{each}。")
        calls = house.office.calls
        until(lambda calls=calls: house.office.calls > calls)
        for child in children(worker)[:2]:
            os.kill(child, signal.SIGKILL)
        house.owe(f"批{number}之末。")
        worker.kill()
    grown(house, line)
    until(house.all_done, 60.0)
    for errand in house.errands():
        assert heard(house.office, str(errand.facts["words"])) >= 1


@pytest.mark.faults
def test_a_worker_deaf_to_a_broker_that_answers_makes_room_for_a_fresh_one(house: House, line: Line) -> None:
    worker = grown(house, line)
    by_celery(worker, line)
    line.stall()
    assert 0 <= due_soon(house) < 5.0
    assert worker.popen.wait(90) == 75
    assert worker.facts("deaf")["seconds"] >= 30
