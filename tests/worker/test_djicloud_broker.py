"""`patrol dji` as a real process on a real MQTT broker: nothing is lost while it is down, nothing is done twice."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from sqlalchemy import func, select

from patrol import models as m
from patrol.gateways import djicloud as dji
from patrol.settings import Settings
from patrol.station import Station, wall_clock
from tests.databases import migrated
from tests.gateways import djimessages as say
from tests.worker.conftest import PATIENCE_S, Process, until
from tests.worker.proxy import Line

pytestmark = pytest.mark.services
BROKER = urlsplit(os.environ.get("PATROL_TEST_MQTT_URL", "mqtt://127.0.0.1:1883"))


class Dock:
    """A dock's side of the broker: it publishes, and keeps the answers it hears."""

    def __init__(self, sn: str) -> None:
        self.sn, self.answers = sn, []
        self._news = threading.Condition()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        ready = threading.Event()
        self._client.on_connect = lambda client, *_: client.subscribe([(f"{room}/product/{sn}/{kind}_reply", 1)
                                                                       for room, kind in (("sys", "status"), ("thing", "events"))])  # fmt: skip
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.on_message = self._heard
        self._client.connect(BROKER.hostname or "127.0.0.1", BROKER.port or 1883)
        self._client.loop_start()
        assert ready.wait(PATIENCE_S)

    def _heard(self, _: Any, __: object, message: MQTTMessage) -> None:
        with self._news:
            self.answers.append(json.loads(message.payload))
            self._news.notify_all()

    def say(self, message: dict[str, Any] | bytes, kind: str = "events", *, qos: int = 1) -> None:
        room = "sys" if kind == "status" else "thing"
        payload = message if isinstance(message, bytes) else say.packed(message)
        self._client.publish(f"{room}/product/{self.sn}/{kind}", payload, qos=qos).wait_for_publish(PATIENCE_S)

    def results(self, tid: str, times: int = 1, within_s: float = PATIENCE_S) -> list[int]:
        """The results of the answers to one message, once there are `times` of them."""

        def found() -> list[int]:
            return [each["data"]["result"] for each in self.answers if each["tid"] == tid]

        with self._news:
            assert self._news.wait_for(lambda: len(found()) >= times, within_s), (tid, self.answers)
            return found()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Listener:
    """An installation, its folder of media, and `patrol dji` as a process that may be killed."""

    def __init__(self, environ: dict[str, str], tmp_path: Path, sn: str) -> None:
        self.folder = tmp_path / "media"
        self.folder.mkdir()
        self.environ = environ | {
            "PATROL_DJI_BROKER": f"mqtt://dock:geheimwort@{BROKER.hostname}:{BROKER.port or 1883}", "PATROL_DJI_GATEWAYS": sn,
            "PATROL_DJI_MEDIA": str(self.folder),
        }  # fmt: skip
        self.station = migrated(Station.open(Settings.read(self.environ), clock=wall_clock))
        self.processes: list[Process] = []

    def start(self, **environ: str) -> Process:
        process = Process([sys.executable, "-m", "patrol", "dji"], self.environ | environ)
        self.processes.append(process)
        process.line("listening")
        return process

    def count(self, kind: Any, *where: Any) -> int:
        with self.station.look() as look:
            return look.session.scalar(select(func.count()).select_from(kind).where(*where)) or 0


@pytest.fixture
def dock() -> Iterator[Dock]:
    made = Dock("DOCK" + uuid.uuid4().hex[:10])
    yield made
    made.close()


@pytest.fixture
def listener(environ: dict[str, str], tmp_path: Path, dock: Dock) -> Iterator[Listener]:
    made = Listener(environ, tmp_path, dock.sn)
    yield made
    for process in made.processes:
        process.kill()
    made.station.close()


def photo(listener: Listener, key: str) -> None:
    path = listener.folder / key
    path.write_bytes(b"\xff\xd8\xff\xe0" + key.encode())
    os.utime(path, (1_700_000_000, 1_700_000_000))


def test_a_dock_is_heard_answered_and_its_files_taken_in(listener: Listener, dock: Dock) -> None:
    process = listener.start()
    drone = "DRONE" + uuid.uuid4().hex[:8]
    dock.say(say.topo(drone), "status")
    assert dock.results("topo-1") == [dji.DONE]
    assert listener.count(m.Drone, m.Drone.sn == drone) == 1, "the answer comes after the commit"
    dock.say(say.progress("in_progress"))
    dock.say(say.hms())
    photo(listener, "a.jpg")
    dock.say(say.uploaded("a.jpg", expected=1))
    assert dock.results("up-a.jpg") == [dji.DONE]
    dock.say(b'{"tid":"half","bid":"half","method":"x"')
    assert dock.results("half") == [dji.REFUSED]
    dock.say(b'{"tid":"big","bid":"big","x":"' + b"x" * dji.MOST_BYTES + b'"}')
    assert dock.results("big") == [dji.REFUSED]
    until(lambda: listener.count(m.Frame) == 1, what="the file is a frame")
    dock.say(say.progress("ok", media=1))
    until(lambda: listener.count(m.Flight, m.Flight.state == "reading") == 1, what="the flight has landed")
    assert process.terminate() == 0
    assert not [line for line in process.lines if "geheimwort" in line or "Traceback" in line]
    with listener.station.look() as look:
        assert look.session.get_one(m.Watch, "dji").state["heard"]["hms"] == 1


def test_nothing_is_lost_while_we_are_down_and_nothing_is_done_twice(listener: Listener, dock: Dock) -> None:
    first = listener.start()
    dock.say(say.topo("DRONE1"), "status")
    assert dock.results("topo-1") == [dji.DONE]
    keys = [f"k{number:02d}.jpg" for number in range(40)]
    for key in keys[:20]:
        dock.say(say.uploaded(key))
    first.kill()  # in the middle of them
    for key in [*keys[20:], *keys[20:25]]:
        dock.say(say.uploaded(key))
    again = listener.start()
    for key in keys:
        assert set(dock.results("up-" + key)) == {dji.DONE}
    for key in keys[20:25]:
        assert dock.results("up-" + key, 2)[:2] == [dji.DONE, dji.DONE], "a repeat is answered again"
    assert listener.count(m.Media) == 40 == listener.count(m.Answer, m.Answer.client_key.startswith("dji:")) - 1
    assert again.terminate() == 0


def test_a_cut_line_comes_back(listener: Listener, dock: Dock) -> None:
    with Line(BROKER.hostname or "127.0.0.1", BROKER.port or 1883) as line:
        process = listener.start(PATROL_DJI_BROKER=f"mqtt://127.0.0.1:{line.port}")
        line.cut()
        process.line("disconnected")
        dock.say(say.uploaded("while-cut.jpg"))
        line.join()
        process.line("listening", 2)
        assert set(dock.results("up-while-cut.jpg")) == {dji.DONE}
        assert listener.count(m.Media) == 1


def test_a_second_listener_is_told_that_there_is_one(listener: Listener, dock: Dock) -> None:
    first = listener.start()
    second = Process([sys.executable, "-m", "patrol", "dji"], listener.environ)
    listener.processes.append(second)
    assert second.popen.wait(PATIENCE_S) == 1
    second.line("一套巡护只开一个")
    dock.say(say.uploaded("one.jpg"))
    assert dock.results("up-one.jpg") == [dji.DONE]
    first.popen.send_signal(signal.SIGINT)
    assert first.popen.wait(PATIENCE_S) == 0
