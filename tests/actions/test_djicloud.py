"""What a dock's messages do: a drone known, a flight opened and landed, a file awaited and taken in, each once."""

from __future__ import annotations

import json
import os
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from patrol import models as m
from patrol.actions import djicloud, djimedia
from patrol.actions.delivery import run_jobs
from patrol.actions.flights.live import land_quiet
from patrol.errors import OutOfReach
from patrol.gateways import djicloud as dji
from patrol.queries.drones import drones
from patrol.station import Station
from tests.conftest import SetClock
from tests.gateways import djimessages as say

EVENTS, STATUS = f"thing/product/{say.DOCK}/events", f"sys/product/{say.DOCK}/status"


@pytest.fixture
def ear(station: Station) -> djicloud.Ear:
    return djicloud.Ear(station, frozenset({say.DOCK}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "media"
    made.mkdir()
    return made


def heard(ear: djicloud.Ear, message: Any, topic: str = EVENTS) -> int | None:
    """The result the device is answered with; None for no answer."""
    answer = djicloud.hear(ear, topic, say.packed(message))
    if answer is None:
        return None
    assert answer.topic == topic + "_reply"
    body = json.loads(answer.payload)
    assert (body["tid"], body["bid"]) == (message["tid"], message["bid"])
    return int(body["data"]["result"])


def put(folder: Path, key: str, clock: SetClock, data: bytes | None = None, age_s: float = 60) -> Path:
    path = folder / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if data is not None else b"\xff\xd8\xff\xe0" + key.encode())
    at_s = clock().timestamp() - age_s
    os.utime(path, (at_s, at_s))
    return path


def rows(station: Station, kind: Any) -> list[Any]:
    with station.look() as look:
        return list(look.session.scalars(select(kind).order_by(*kind.__table__.primary_key.columns)))


def lines(station: Station, event: str) -> int:
    with station.look() as look:
        return look.session.scalar(select(func.count(m.Trail.id)).where(m.Trail.event == event)) or 0


def test_a_drone_becomes_known_once_and_its_place_leaves_no_trail(ear: djicloud.Ear, clock: SetClock) -> None:
    for tid in ("one", "one", "two"):
        assert heard(ear, say.topo(say.DRONE, tid=tid), STATUS) == dji.DONE
    for step in range(60):
        message = say.osd(112.18 + step * 1e-5, 30.35, at_ms=say.AT_MS + step * 2000)
        assert heard(ear, message, f"thing/product/{say.DRONE}/osd") is None
        clock.forward(seconds=2)
    (drone,) = rows(ear.station, m.Drone)
    assert (drone.sn, drone.gateway, drone.model, drone.online) == (say.DRONE, say.DOCK, "0-91-0", True)
    assert drone.above_takeoff_m == 60 and drone.lon == pytest.approx(112.18, abs=6e-4)
    assert ear.positions[say.DRONE].lon == pytest.approx(112.18 + 59e-5)
    with ear.station.look() as look:
        assert look.session.scalar(select(func.count(m.Trail.id))) == 1, "that it is known, and not one of 60 positions"
    assert heard(ear, say.topo(tid="three"), STATUS) == dji.DONE
    assert [each.online for each in rows(ear.station, m.Drone)] == [False]


def test_an_older_position_does_not_take_a_newer_ones_place(ear: djicloud.Ear, clock: SetClock) -> None:
    topic = f"thing/product/{say.DRONE}/osd"
    heard(ear, say.osd(112.2, 30.3, at_ms=say.AT_MS + 60_000), topic)
    clock.forward(minutes=1)
    heard(ear, say.osd(112.1, 30.1, at_ms=say.AT_MS), topic)
    clock.forward(minutes=1)
    heard(ear, say.osd(0, 0, at_ms=say.AT_MS + 120_000), topic)
    (drone,) = rows(ear.station, m.Drone)
    assert (drone.lon, drone.lat) == (112.2, 30.3)


def test_a_stranger_is_neither_heard_nor_answered(ear: djicloud.Ear) -> None:
    assert heard(ear, say.topo("DRONE9", dock="EVIL"), "sys/product/EVIL/status") is None
    assert heard(ear, say.uploaded("k.jpg"), "thing/product/EVIL/events") is None
    assert heard(ear, say.osd(112, 30, dock="EVIL"), "thing/product/DRONE9/osd") is None
    assert djicloud.hear(ear, "thing/product/EVIL/events", b'{"tid":"t","bid":"b"') is None
    assert not rows(ear.station, m.Drone) and not rows(ear.station, m.Media) and ear.heard["stranger"] == 3


def test_a_flight_opens_takes_its_files_and_lands_when_all_are_there(
    ear: djicloud.Ear, folder: Path, clock: SetClock
) -> None:
    station = ear.station
    heard(ear, say.topo(say.DRONE), STATUS)
    assert heard(ear, say.progress("sent")) == dji.DONE and not rows(station, m.Flight)
    assert heard(ear, say.progress("in_progress")) == dji.DONE
    (flight,) = rows(station, m.Flight)
    assert (flight.state, flight.live, flight.live_key, flight.drone) == ("receiving", True, say.FLIGHT, say.DRONE)
    assert heard(ear, say.progress("ok", media=2)) == dji.DONE
    clock.forward(minutes=20)
    assert land_quiet(station) == 0, "a flight without a file does not fall silent"
    for key in ("m/DJI_1.jpg", "m/DJI_2.jpg"):
        assert heard(ear, say.uploaded(key)) == dji.DONE
    assert djimedia.look_for(station, folder) == 0
    put(folder, "m/DJI_1.jpg", clock)
    clock.forward(seconds=10)
    assert djimedia.look_for(station, folder) == 1
    assert rows(station, m.Flight)[0].state == "receiving"
    put(folder, "m/DJI_2.jpg", clock)
    clock.forward(minutes=1)
    assert djimedia.look_for(station, folder) == 1
    (flight,) = rows(station, m.Flight)
    assert flight.state == "reading" and flight.landed_at is not None
    one, two = rows(station, m.Frame)
    assert (one.name, two.name) == ("DJI_1.jpg", "DJI_2.jpg")
    assert one.facts["said"]["relative_altitude_m"] == 41.124 and one.facts["seen_at"].startswith("2026-11-23T00:58:20")
    assert lines(station, "live_frame") == 2 and lines(station, "flight_received") == 1
    with station.look() as look:
        assert drones(look)["media"] == {"awaited": 0, "taken": 2, "refused": 0, "lost": 0}


@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_order_and_the_repeats_everything_is_done_once(
    ear: djicloud.Ear, folder: Path, clock: SetClock, seed: int
) -> None:
    keys = [f"m/DJI_{number}.jpg" for number in range(6)]
    messages: list[tuple[str, Any]] = [(EVENTS, say.uploaded(key, expected=6)) for key in keys]
    messages += [
        (EVENTS, say.progress("in_progress")),
        (EVENTS, say.progress("ok", media=6)),
        (STATUS, say.topo(say.DRONE)),
    ]
    messages = messages * 3
    random.Random(seed).shuffle(messages)
    for key in keys:
        put(folder, key, clock)
    for topic, message in messages:
        assert heard(ear, message, topic) == dji.DONE
        clock.forward(seconds=1)
        djimedia.look_for(ear.station, folder)
    (flight,) = rows(ear.station, m.Flight)
    assert flight.state == "reading"
    assert len(rows(ear.station, m.Frame)) == 6 == lines(ear.station, "live_frame")
    assert lines(ear.station, "drone_known") == 1 == lines(ear.station, "flight_opened")


def test_a_task_that_never_flew_leaves_no_open_flight(ear: djicloud.Ear, clock: SetClock) -> None:
    heard(ear, say.progress("in_progress"))
    heard(ear, say.progress("rejected"))
    heard(ear, say.progress("in_progress", tid="late"))
    assert [each.state for each in rows(ear.station, m.Flight)] == ["cancelled"]
    heard(ear, say.progress("in_progress", flight="other"))
    clock.forward(hours=7)
    djimedia.tidy(ear.station)
    last = rows(ear.station, m.Flight)[-1]
    assert last.state == "cancelled" and last.warnings[0]["code"] == "no_media"


def test_what_is_no_photograph_of_ours_is_named_and_left(
    ear: djicloud.Ear, folder: Path, clock: SetClock, tmp_path: Path
) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"\xff\xd8\xff secret")
    (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    for key in ("a.MP4", "../secret.jpg", "/etc/x.jpg", "c:\\x.jpg", "link.jpg", "bad.jpg", "empty.jpg"):
        assert heard(ear, say.uploaded(key)) == dji.DONE, "it was heard; that it is not taken is ours to show"
    heard(ear, say.changed(say.uploaded("small.jpg"), "data.file.ext.is_original", "false"))
    heard(ear, say.changed(say.uploaded("failed.jpg"), "data.result", 5))
    put(folder, "bad.jpg", clock, b"<?php")
    put(folder, "empty.jpg", clock, b"")
    for key in ("a.MP4", "small.jpg"):
        put(folder, key, clock)
    clock.forward(seconds=1)
    assert djimedia.look_for(ear.station, folder) == 0
    found = {each.object_key: each for each in rows(ear.station, m.Media)}
    assert found.pop("empty.jpg").state == "awaited", "it may still grow"
    assert {each.state for each in found.values()} == {"refused"} and "failed.jpg" not in found
    assert all(each.error.endswith("。") for each in found.values())
    assert not rows(ear.station, m.Frame)


def test_a_file_still_growing_is_waited_for_and_a_lost_one_given_up(
    ear: djicloud.Ear, folder: Path, clock: SetClock
) -> None:
    heard(ear, say.uploaded("a.jpg"))
    heard(ear, say.uploaded("b.jpg"))
    put(folder, "a.jpg", clock, age_s=0.5)
    assert djimedia.look_for(ear.station, folder) == 0
    clock.forward(minutes=1)
    assert djimedia.look_for(ear.station, folder) == 1
    looks = 0
    while rows(ear.station, m.Media)[1].state == "awaited":
        looks += 1
        clock.forward(minutes=11)
        djimedia.look_for(ear.station, folder)
    row = rows(ear.station, m.Media)[1]
    assert row.state == "lost" and lines(ear.station, "media_lost") == 1 and looks < 200
    assert clock() - row.at >= djimedia.GIVEN_UP_AFTER
    heard(ear, say.uploaded("b.jpg", tid="again"))
    put(folder, "b.jpg", clock)
    assert djimedia.look_for(ear.station, folder) == 1, "the platform said it anew"


def test_a_frame_is_read_and_its_flight_settles_in_silence(
    ear: djicloud.Ear, folder: Path, clock: SetClock, data_files: Path
) -> None:
    real = (data_files / "drone_rgb" / "brighton_beach" / "DJI_0018.JPG").read_bytes()
    heard(ear, say.uploaded("m/DJI_0018.JPG", flight=""))
    put(folder, "m/DJI_0018.JPG", clock, real)
    clock.forward(seconds=5)
    assert djimedia.look_for(ear.station, folder) == 1
    while run_jobs(ear.station):
        pass
    (frame,) = rows(ear.station, m.Frame)
    assert frame.state == "read" and frame.lon is not None and frame.facts["said"]["relative_altitude_m"] == 41.124
    clock.forward(minutes=31)
    assert land_quiet(ear.station) == 1
    while run_jobs(ear.station):
        pass
    assert [each.state for each in rows(ear.station, m.Flight)] == ["settled"]


def test_what_cannot_be_read_is_answered_with_an_error(ear: djicloud.Ear) -> None:
    for payload in (
        b'{"tid":"t","bid":"b","method":"hms"',
        b'{"tid":"t","bid":"b","x":"' + b"x" * dji.MOST_BYTES + b'"}',
    ):
        answer = djicloud.hear(ear, EVENTS, payload)
        assert answer is not None and json.loads(answer.payload)["data"]["result"] == dji.REFUSED
    assert heard(ear, say.changed(say.uploaded("k.jpg"), "data.file", None)) == dji.REFUSED
    assert heard(ear, say.changed(say.progress("ok"), "data.output.status", "dancing")) == dji.REFUSED
    assert djicloud.hear(ear, EVENTS, b"\xff") is None, "nothing to answer to"
    assert ear.heard["unread"] == 5


def test_hms_is_counted_and_nothing_else(ear: djicloud.Ear) -> None:
    for number in range(5):
        assert heard(ear, say.hms(f"h{number}")) is None
    assert heard(ear, say.changed(say.hms(), "need_reply", 1)) == dji.DONE
    djimedia.note(ear)
    with ear.station.look() as look:
        assert drones(look)["heard"] == {"hms": 6}
        assert (
            look.session.scalar(select(func.count(m.Trail.id)))
            == 0
            == look.session.scalar(select(func.count(m.Media.id)))
        )


def test_a_database_that_is_away_makes_no_answer(ear: djicloud.Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise OperationalError("INSERT", {}, Exception("locked"))

    with monkeypatch.context() as broken:
        broken.setitem(djicloud.ACTS, "file_upload_callback", away)
        with pytest.raises(OutOfReach):
            heard(ear, say.uploaded("k.jpg"))
    assert heard(ear, say.uploaded("k.jpg")) == dji.DONE and len(rows(ear.station, m.Media)) == 1


def test_old_answers_are_forgotten(ear: djicloud.Ear, clock: SetClock) -> None:
    heard(ear, say.uploaded("k.jpg"))
    djimedia.tidy(ear.station)
    assert len(rows(ear.station, m.Answer)) == 1
    clock.forward(seconds=djimedia.KEEP_ANSWERS / timedelta(seconds=1) + 1)
    djimedia.tidy(ear.station)
    assert not rows(ear.station, m.Answer)
