"""Many at once: the same thing reported together is one issue, and two officers never close one issue twice."""

from __future__ import annotations

import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import cos, radians
from typing import Any

import pytest
from sqlalchemy import func, select

from patrol import models as m
from patrol.actions import people
from patrol.station import ANYONE, Station
from patrol.web import limits
from patrol.web.app import create_app
from tests.faults import share
from tests.walk import Town

PLACES, AT_ONCE = 40, 8


def together(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run the calls in threads that all start at the same moment."""
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        gate.wait(timeout=30)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [done.result(timeout=60) for done in [pool.submit(run, call) for call in calls]]


def bearer(station: Station, name: str, role: str) -> dict[str, str]:
    with station.work(ANYONE) as work:
        return {"Authorization": "Bearer " + people.add_token(work, name, role)}


def jittered(town: Town, chainage_m: float, dice: random.Random) -> dict[str, Any]:
    """A position at most 10 m from the place."""
    at = town.at(chainage_m, accuracy_m=None)
    angle, reach_m = dice.uniform(0, 6.2832), dice.uniform(0, 10) / 111_320
    return {"lon": at["lon"] + reach_m * cos(angle) / cos(radians(at["lat"])),
            "lat": at["lat"] + reach_m * cos(angle - 1.5708), "crs": "wgs84"}  # fmt: skip


@pytest.fixture(autouse=True)
def fresh_limits() -> None:
    limits.reset()


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(share(20)))
def test_forty_places_reported_eight_times_at_once_are_forty_issues(station: Station, seed: int) -> None:
    dice, town = random.Random(seed), Town(station)
    app, grid = create_app(station), bearer(station, "网格员", "grid")
    town.station.place.river.length_m  # noqa: B018  # opened before the threads start
    for index in range(PLACES):
        chainage_m = 35 + index * 71.0  # 40 places, 71 m apart along the 2.9 km

        def post(chainage_m: float = chainage_m) -> int:
            body = {
                "client_id": str(uuid.uuid4()),
                "kind": "floating_debris",
                "position": jittered(town, chainage_m, dice),
            }
            return app.test_client().post("/api/v1/reports", json=body, headers=grid).status_code

        assert together([post] * AT_ONCE) == [201] * AT_ONCE
    with station.look() as look:
        sightings = look.session.execute(select(m.Sighting.issue_id, func.count()).group_by(m.Sighting.issue_id)).all()
    assert Counter(count for _, count in sightings) == {AT_ONCE: PLACES}


@pytest.mark.faults
def test_eight_reports_of_two_kinds_at_one_place_are_two_issues(station: Station) -> None:
    dice, town = random.Random(7), Town(station)
    app, grid = create_app(station), bearer(station, "网格员", "grid")

    def post(kind: str) -> int:
        body = {"client_id": str(uuid.uuid4()), "kind": kind, "position": jittered(town, 1240, dice)}
        return app.test_client().post("/api/v1/reports", json=body, headers=grid).status_code

    kinds = ["sewage", "floating_debris"] * 4
    assert together([lambda kind=kind: post(kind) for kind in kinds]) == [201] * 8
    with station.look() as look:
        assert sorted(look.session.scalars(select(m.Issue.kind))) == ["floating_debris", "sewage"]


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_two_officers_closing_at_once_one_wins(station: Station) -> None:
    town = Town(station)
    app = create_app(station)
    heads = [bearer(station, name, "office_head") for name in ("环保办主任", "环保办副主任")]
    trials = share(500)
    outcomes: Counter[tuple[int, ...]] = Counter()
    for trial in range(trials):
        number = town.to_verified(chainage_m=1240)
        version = str(town.issue(number).version)

        def close(who: dict[str, str], number: str = number, version: str = version) -> int:
            path = f"/api/v1/issues/{number}/steps/close"
            return app.test_client().post(path, json={}, headers={**who, "If-Match": version}).status_code

        outcomes[tuple(sorted(together([lambda who=who: close(who) for who in heads])))] += 1
        station.clock.forward(days=91)  # type: ignore[attr-defined]  # the next one at this place is no relapse
        assert outcomes == {(200, 412): trial + 1}
    with station.look() as look:
        closures = look.session.scalar(select(func.count(m.Slip.id)).where(m.Slip.kind == "closure"))
    assert closures == trials
