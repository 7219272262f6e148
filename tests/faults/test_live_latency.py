"""From a frame's arrival over HTTP to the robot's receipt: how long, stage by stage, and exactly once.

The house is the real one: `patrol serve` with its embedded worker, and a robot that answers over HTTP. What is
asserted at any load is what must never depend on it (once, none where it is allowed, times kept); the seconds are
printed beside the machine's load and asserted where it leaves a core free.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import func, select

from patrol import models as m
from patrol.actions import people
from patrol.gateways.modelshelf import shelf
from patrol.queries import timings
from patrol.station import SYSTEM
from tests.aerial import flown, water
from tests.faults import share
from tests.faults.house import House, pause, serving, until
from tests.geodata.detector_models import save, spots
from tests.robotserver import RobotServer

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]

WIDE, HIGH = 5472, 3648
WITHIN_S = 1.0


@contextmanager
def flying(environ: dict[str, str], tmp_path: Path) -> Iterator[tuple[House, RobotServer, dict[str, str]]]:
    """A served house with a model, a robot for each of three groups (one server), and a drone's token."""
    with RobotServer() as robot:
        robots = tmp_path / "robots.toml"
        robots.write_text("".join(
            f'[[robot]]\ngroup = "{group}"\nbrand = "wecom"\nurl = "{robot.url("wecom", group)}"\n'
            for group in ("office", "fishing", "chiefs")
        ))  # fmt: skip
        folder = shelf(Path(environ["PATROL_DATA"]))
        folder.mkdir(parents=True)
        save(folder, spots())
        more = {"PATROL_ROBOTS_FILE": str(robots), "PATROL_ROBOT_HOSTS": robot.host, "PATROL_ROBOT_PACE": "6000",
                "PATROL_ALL_DAY": "1"}  # fmt: skip
        with serving(environ, **more) as house:
            until(house.working, 60)
            with house.station.work(SYSTEM) as work:
                token = people.add_token(work, "无人机平台", "drone")
            yield house, robot, {"Authorization": f"Bearer {token}"}


def send(house: House, who: dict[str, str], data: bytes, **part: dict[str, Any]) -> requests.Response:
    """POST one frame with its `mark` or `live` part."""
    ((name, said),) = part.items()
    files = {name: (None, json.dumps(said), "application/json"), "photo": ("f.jpg", data, "image/jpeg")}
    return requests.post(f"{house.url}/api/v1/frames", headers=who, files=files, timeout=60)


def busy() -> float:
    """How many processes wait for each core of this machine."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)


def told(title: str, spreads: dict[str, dict[str, Any]]) -> None:
    print(f"\n{title} (load a core {busy():.1f}, {os.cpu_count()} cores)")
    for stage, each in spreads.items():
        if each["count"]:
            print(f"  {stage:8} n={each['count']:4}  p50 {each['p50_s']:.3f} s  p95 {each['p95_s']:.3f} s")


def in_time(p95_s: float) -> None:
    """The promise is for two cores of our own: where others want them too, it stretches with the queue for a core."""
    assert p95_s <= WITHIN_S * max(1.0, 2 * busy()), f"p95 {p95_s} s at {busy():.1f} processes a core"


def test_a_marked_20_mp_frame_reaches_the_robot(environ: dict[str, str], tmp_path: Path) -> None:
    count = max(5, share(40))
    base = water(WIDE, HIGH)
    stages: dict[str, list[float | None]] = {"decode": [], "locate": [], "keep": [], "answer": [], "pushed": []}
    with flying(environ, tmp_path) as (house, robot, who):
        river = house.station.place.river
        assert river is not None
        for number in range(count):
            lon, lat = river.point_at(60 + number * 2700 / count)
            data = flown(base, lon, lat, datetime.now(UTC), note=str(number))
            mark = {"client_id": str(uuid.uuid4()), "kind": "floating_debris", "score": 0.95,
                    "box": [WIDE / 2 - 90, HIGH / 2 - 60, WIDE / 2 + 90, HIGH / 2 + 60]}  # fmt: skip
            heard, began = len(robot.accepted), time.monotonic()
            answer = send(house, who, data, mark=mark)
            stages["answer"].append(time.monotonic() - began)
            assert answer.status_code == 201 and answer.json()["issue"], answer.text
            until(lambda heard=heard: len(robot.accepted) > heard, 60, 0.01)
            if number:  # the first one also loads the decoder and the projection
                stages["pushed"].append(time.monotonic() - began)
            for each in answer.headers["Server-Timing"].split(", "):
                name, _, took = each.partition(";dur=")
                stages[name].append(float(took) / 1000)
        with house.station.look() as look:
            assert look.session.scalar(select(func.count(m.Issue.id))) == count
            assert look.session.scalar(select(func.count(m.Photo.id)).where(m.Photo.stage == "frame")) == count
    spreads = {stage: timings.spread(values) for stage, values in stages.items()}
    told(f"20 MP frame with a mark, {len(base) / 1e6:.1f} MB: HTTP to issue to robot", spreads)
    in_time(spreads["pushed"]["p95_s"])


def test_fishing_reaches_the_robot_once_and_only_where_it_is_forbidden(environ: dict[str, str], tmp_path: Path) -> None:
    place = tmp_path / "place"
    count = max(6, share(50))
    drawn = {kind: water(WIDE, HIGH, [(kind, 0.53, 0.53, 0.12)]) for kind in ("boat", "person")}
    _place_with_season(place)
    with flying({**environ, "PATROL_PLACE": str(place)}, tmp_path) as (house, robot, who):
        river = house.station.place.river
        assert river is not None
        wanted, refs, spans = 0, [], []
        for number in range(count):
            kind, zone = ("boat", "person")[number % 2], ("in", "off the water", "in an open stretch")[number % 3]
            # events stand apart by 200 m or by more than the quiet gap, on the clocks of their cameras
            along = 100 + wanted % 7 * 200 if zone != "in an open stretch" else 1700 + number * 1000 / count
            at = datetime.now(UTC) - timedelta(minutes=95 - wanted // 7 * 25)
            lon, lat = river.point_at(along, 160.0 if zone == "off the water" else 0.0)
            until(lambda: not _owed(house), 120)  # a drone sends so large a frame every few seconds, not in a burst
            heard, began = len(robot.accepted), time.monotonic()
            for again in range(2):
                data = flown(drawn[kind], lon, lat, at + timedelta(seconds=2 * again), note=f"{number}.{again}")
                said = {"client_id": str(uuid.uuid4()), "flight": f"S{number}"}
                answer = send(house, who, data, live=said)
                assert answer.status_code == 202, answer.text
                if zone == "in" and not again:
                    until(lambda heard=heard: len(robot.accepted) > heard, 60, 0.01)
                    spans.append(time.monotonic() - began)
            refs.append(answer.json()["flight"])
            wanted += zone == "in"
        until(lambda: not _due(house), 120)
        with house.station.look() as look:
            episodes = list(look.session.scalars(select(m.Episode)))
            sightings = list(look.session.scalars(select(m.Sighting)))
            stages = [timings.of_flight(look, ref)["frames"] for ref in refs]
        assert len(episodes) == len(sightings) == wanted, "one warning an event, none where it is allowed"
        assert all(each.warned_at and each.sighting_id for each in episodes)
        assert {each.frames for each in episodes} == {2}
        with house.station.work(SYSTEM) as work:
            token = people.add_token(work, "热线", "operator")
        path = f"{house.url}/api/v1/episodes/{episodes[0].ref}/acknowledge"
        done = requests.post(path, headers={"Authorization": f"Bearer {token}"}, timeout=20).json()
        assert done["acknowledged_after_s"] > 0
        cards = [each.content for each in robot.accepted if "疑似" in each.content and "非法捕捞" in each.content]
        assert len(cards) >= wanted
    rows = [row["seconds"] for each in stages for row in each]
    spreads = {stage: timings.spread([row[stage] for row in rows]) for stage in timings.STAGES}
    spreads["http to robot"] = timings.spread(spans[1:] or spans)
    told(f"fishing, {count} sequences of 20 MP frames, {wanted} forbidden", spreads)
    print("  the model here is drawn for the test: precision and recall of the bundled one in the field are unproven")
    in_time(spreads["http to robot"]["p95_s"])


def _place_with_season(folder: Path) -> None:
    """The bundled place, with its first 1,500 m forbidden all year and the rest open this month."""
    import shutil

    from shapely.geometry import Polygon, mapping

    from geodata.place import Place

    bundled = Place.open("taihugang")
    shutil.copytree(bundled.folder, folder)
    assert bundled.river is not None
    river = bundled.river

    def stretch(first: int, last: int) -> Polygon:
        sides = [(at, "left") for at in range(first, last + 1, 20)] + [
            (at, "right") for at in range(last, first - 1, -20)
        ]
        return Polygon([river.point_at(at, 60, side) for at, side in sides]).buffer(0)  # type: ignore[arg-type]  # banks

    zones = {"shut": stretch(0, 1500), "open": stretch(1600, 2880)}
    features = [
        {"type": "Feature", "properties": {"code": code, "name": code},
         "geometry": mapping(max(getattr(shape, "geoms", [shape]), key=lambda part: part.area))}
        for code, shape in zones.items()
    ]  # fmt: skip
    (folder / "fishing_zones.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    day = datetime.now(UTC)
    ended, begun = day - timedelta(days=40), day - timedelta(days=70)
    (folder / "fishing.toml").write_text(
        'title = "试验"\n[[closed]]\nname = "全年"\nfrom = "01-01"\nto = "12-31"\nzones = ["shut"]\n'
        f'[[closed]]\nname = "已过"\nfrom = "{begun:%m-%d}"\nto = "{ended:%m-%d}"\nzones = ["open"]\n',
        encoding="utf-8",
    )


def _owed(house: House) -> int:
    with house.station.look() as look:
        query = select(func.count(m.Errand.id)).where(m.Errand.handler == "job:read_frame", m.Errand.state != "done")
        return look.session.scalar(query) or 0


def _due(house: House) -> int:
    with house.station.look() as look:
        query = select(func.count(m.Frame.id)).where(m.Frame.state == "due")
        return look.session.scalar(query) or 0


def test_a_thousand_live_frames_in_disorder_are_each_once(environ: dict[str, str], tmp_path: Path) -> None:
    count, dice = max(60, share(1000)), random.Random(11)
    small = water(320, 240)
    with flying(environ, tmp_path) as (house, _, who):
        river = house.station.place.river
        assert river is not None
        sent = []
        for number in range(count):
            lon, lat = river.point_at(dice.uniform(10, 2890))
            said = {"client_id": str(uuid.UUID(int=dice.getrandbits(128), version=4)), "flight": "F"}
            sent.append((said, flown(small, lon, lat, datetime.now(UTC), note=str(number))))
        order = [*range(count), *dice.choices(range(count), k=count // 10)]
        order = [each for _, each in sorted((index + dice.uniform(0, 30), each) for index, each in enumerate(order))]
        answers: dict[int, set[str]] = {number: set() for number in range(count)}
        lock, began = threading.Lock(), time.monotonic()

        def push(mine: list[tuple[int, int]]) -> None:
            for at, number in mine:
                pause(max(0.0, began + at / 10 - time.monotonic()))  # ten a second
                said, data = sent[number]
                answer = send(house, who, data, live=said)
                with lock:
                    answers[number].add(answer.json()["frame"] if answer.status_code in (200, 202) else answer.text)

        turns = list(enumerate(order))
        threads = [threading.Thread(target=push, args=(turns[lane::4],)) for lane in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - began
        assert all(len(refs) == 1 for refs in answers.values()), "a repeat gets the first answer"
        until(lambda: not _due(house), 180)
        with house.station.look() as look:
            frames = look.session.execute(select(m.Frame.state, func.count(m.Frame.id)).group_by(m.Frame.state)).all()
            flights = list(look.session.scalars(select(m.Flight)))
            spreads = timings.of_flight(look, flights[0].ref)["spread"]
        assert [tuple(row) for row in frames] == [("read", count)]
        assert len(flights) == 1
    told(f"{count} live frames, {len(order)} requests in {took:.0f} s: each once", spreads)
