"""kill -9 of web or worker at random, under load: nothing answered 201 is lost, chains stay whole."""

from __future__ import annotations

import json
import random
import threading
import uuid
from typing import Any

import pytest
import requests
from sqlalchemy import func, select

from patrol import models as m
from patrol.queries import tips, trail
from patrol.station import SYSTEM
from tests.faults import share
from tests.faults.house import House, pause, serving, until
from tests.walk import picture

WRITERS = 4


class Reporters:
    """Threads that report tips as fast as the house takes them, and remember what was answered 201."""

    def __init__(self, house: House, seed: int) -> None:
        self.house, self.seed = house, seed
        self.accepted: dict[str, str] = {}
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(index,)) for index in range(WRITERS)]
        for thread in self.threads:
            thread.start()

    def _run(self, index: int) -> None:
        dice = random.Random(self.seed * 100 + index)
        river = self.house.station.place.river
        photo = picture(index)
        while not self.ending.is_set():
            client_id = str(uuid.UUID(int=dice.getrandbits(128), version=4))
            lon, lat = river.point_at(dice.uniform(10, 2890))
            body = {"client_id": client_id, "kind": dice.choice(["sewage", "solid_waste", "floating_debris"]),
                    "words": "水面有东西", "position": {"lon": lon, "lat": lat, "crs": "wgs84", "accuracy_m": 8}}  # fmt: skip
            self._send(client_id, body, photo if dice.random() < 0.1 else None)

    def _send(self, client_id: str, body: dict[str, Any], photo: bytes | None) -> None:
        while not self.ending.is_set():
            try:
                if photo is None:
                    answer = requests.post(f"{self.house.url}/api/v1/reports", json=body, timeout=20)
                else:
                    files = {
                        "report": (None, json.dumps(body), "application/json"),
                        "photo": ("a.jpg", photo, "image/jpeg"),
                    }
                    answer = requests.post(f"{self.house.url}/api/v1/reports", files=files, timeout=20)
            except requests.RequestException:
                pause(0.05)  # the same id again: a repeat must give the same report
                continue
            assert answer.status_code in (200, 201), answer.text
            self.accepted[client_id] = answer.json()["receipt_code"]
            return

    def end(self) -> None:
        self.ending.set()
        for thread in self.threads:
            thread.join(timeout=60)


@pytest.mark.faults
@pytest.mark.timeout(3000)
def test_no_report_answered_201_is_lost_when_processes_are_killed(environ: dict[str, str]) -> None:
    dice, killed = random.Random(11), 0
    with serving(environ, PATROL_REPORTS_HOURLY="1000000") as house:
        load = Reporters(house, seed=11)
        try:
            while killed < share(200):
                pause(dice.uniform(0.05, 0.8))
                killed += bool(
                    house.kill_one(dice, dice.choice(["worker", "granian", "patrol.web"])) or house.kill_one(dice)
                )
                until(house.ready, 60)
        finally:
            load.end()
        until(house.ready, 60)
        with house.station.look(SYSTEM) as look:
            kept = look.session.scalar(select(func.count(m.Sighting.id)))
            report = trail.verify(look, trail.anchors_of(house.station.settings))
        assert report.ok, report.words
        assert len(load.accepted) >= killed, "there was hardly any load"
        for code in random.Random(3).sample(sorted(load.accepted.values()), min(60, len(load.accepted))):
            with house.station.look() as look:
                assert tips.status(look, code)["state"]
        # every acknowledged id is one sighting; the only others are the few whose answer was cut off
        assert len(load.accepted) <= kept <= len(load.accepted) + WRITERS
        print(f"kills {killed}, answered 201 {len(load.accepted)}, kept {kept}, lost 0")
