"""The supervisor: web and worker started, restarted, stopped, and never left behind."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from patrol.actions import delivery
from patrol.serve import Child, Supervisor, child_environ, on_free_port
from patrol.settings import Settings
from patrol.station import SYSTEM, Station
from tests.conftest import SetClock
from tests.worker.conftest import PATIENCE_S, House, Process, heard, until

SERVE = (
    "import sys; from patrol.serve import serve; from patrol.settings import Settings;sys.exit(serve(Settings.read()))"
)


def pids(house: House, *words: str) -> list[int]:
    """Live processes of this house whose command line holds all the words."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environ, line = (folder / "environ").read_bytes(), (folder / "cmdline").read_bytes().decode()
        except OSError:
            continue
        if house.environ["PATROL_DATA"].encode() in environ and line and all(word in line for word in words):
            found.append(int(folder.name))
    return sorted(found)


def serving(house: House, **environ: str) -> tuple[Process, int]:
    """A supervisor that has said its address, and the port in it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = Process([sys.executable, "-c", SERVE], house.environ | {"PATROL_PORT": str(port)} | environ)
    house.processes.append(process)
    said = process.line("巡护已打开")
    return process, int(said.split("//127.0.0.1:")[1].split()[0])


def get(port: int, path: str) -> tuple[int, Any]:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        line.request("GET", path)
        answer = line.getresponse()
        return answer.status, json.loads(answer.read())
    except OSError:
        return 0, None
    finally:
        line.close()


def test_one_interrupt_stops_everything(house: House) -> None:
    process, port = serving(house)
    assert get(port, "/health/live")[0] == 200
    until(lambda: get(port, "/health/work")[0] == 200, what="a worker seen")
    house.owe("由总管带起的 worker 送出")
    until(lambda: heard(house.office, "由总管带起"))
    process.popen.send_signal(signal.SIGINT)
    assert process.popen.wait(PATIENCE_S) == 0
    assert pids(house) == []


def test_killed_children_are_restarted(house: House) -> None:
    _, port = serving(house)
    for words in (["worker", "--embedded"], ["patrol.serve"], ["patrol.serve"]):
        old = until(lambda words=words: pids(house, "-m", *words), what=str(words))
        os.kill(old[-1], signal.SIGKILL)  # the last of the web's two is the one that answers
        until(lambda old=old, words=words: set(pids(house, "-m", *words)) - set(old))
        until(lambda: get(port, "/health/live")[0] == 200)
    house.owe("重启之后")
    until(lambda: heard(house.office, "重启之后"))
    main = pids(house, "-m", "patrol.serve")[0]
    os.kill(main, signal.SIGKILL)  # what is left of the web must not keep the port
    until(lambda: main not in pids(house, "-m", "patrol.serve") and get(port, "/health/live")[0] == 200)


def test_a_killed_supervisor_takes_its_children_along(house: House) -> None:
    process, port = serving(house)
    until(lambda: pids(house, "-m", "worker"))
    process.popen.kill()
    process.popen.wait(5)
    until(lambda: not pids(house), what="children gone")
    assert get(port, "/health/live")[0] == 0


def test_a_busy_port_is_said_aloud(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        wanted = taken.getsockname()[1]
        process, port = serving(house, PATROL_PORT=str(wanted))
        assert f"端口 {wanted} 已被占用，改用 {port}。" in process.lines
        assert get(port, "/health/live")[0] == 200
    until(lambda: pids(house, "-m", "worker"))
    worker = Path(f"/proc/{pids(house, '-m', 'worker')[0]}/environ").read_bytes().decode()
    assert f"PATROL_PORT={port}" in worker.split("\0"), "links on cards name the port that is open"


def test_a_worker_unseen_or_late_is_stuck(station: Station, clock: SetClock) -> None:
    child = Child("worker", [], {}, started_s=time.monotonic() - 100)
    supervisor = Supervisor(station.settings, station, [child])

    def stuck() -> bool:
        child.grace_s = 45
        return supervisor._is_stuck(child)

    assert stuck(), "no worker was ever seen"
    with station.work(SYSTEM) as work:
        delivery.beat(work, "here:1")
    assert not stuck()
    clock.forward(seconds=29)
    assert not stuck()
    clock.forward(seconds=2)
    assert stuck(), "not seen for 31 s"
    child.started_s = time.monotonic()
    assert not stuck(), "it has only just been started"


def supervisor_of(station: Station, code: str) -> tuple[Supervisor, Child]:
    child = Child("worker", [sys.executable, "-c", code], child_environ(station.settings))
    return Supervisor(station.settings, station, [child]), child


def pauses(supervisor: Supervisor, child: Child, times: int) -> list[float]:
    """What the supervisor would wait at the next death of a child, after each of so many."""
    found = []
    for _ in range(times):
        child.start()
        assert child.process is not None
        code = child.process.wait()
        assert supervisor._look_after(child) == code
        assert child.process is None and child.start_after_s > child.started_s
        found.append(child.pause_s)
    return found


def test_a_child_that_keeps_dying_is_started_ever_later(station: Station) -> None:
    supervisor, child = supervisor_of(station, "raise SystemExit(1)")
    assert pauses(supervisor, child, 7) == [0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


def test_a_child_that_worked_before_it_died_is_back_within_a_second(station: Station, clock: SetClock) -> None:
    supervisor, child = supervisor_of(station, "raise SystemExit(1)")
    with station.work(SYSTEM) as work:
        delivery.beat(work, "here:1")
    assert pauses(supervisor, child, 5) == [0.4, 0.8, 1.0, 1.0, 1.0]
    clock.forward(seconds=3600)  # an hour ago is not in this life
    assert pauses(supervisor, child, 4) == [2.0, 4.0, 8.0, 10.0]


def test_a_misconfigured_child_ends_it_all_with_code_2(station: Station) -> None:
    supervisor, _ = supervisor_of(station, "raise SystemExit(2)")
    assert supervisor.run() == 2


def test_a_child_that_will_not_end_is_killed(station: Station, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    code = (
        "import signal, pathlib; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"pathlib.Path({str(ready)!r}).touch(); signal.pause()"
    )
    _, child = supervisor_of(station, code)
    child.start()
    until(ready.exists)
    child.stop(0.3)
    assert child.process is not None and child.process.poll() == -signal.SIGKILL


def test_children_read_the_knobs_that_were_set_in_code(tmp_path: Path) -> None:
    settings = Settings.read({}, data=tmp_path, port=8765, all_day=True)
    environ = child_environ(settings)
    assert Settings.read(environ) == settings
    assert "PATROL_HOST" not in {name for name in environ if name not in os.environ}


def test_port_0_is_any_free_one(tmp_path: Path) -> None:
    assert on_free_port(Settings.read({}, data=tmp_path, port=0)).port > 0
