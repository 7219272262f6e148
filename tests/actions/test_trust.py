"""A platform's scores count for what its clues were worth here: measured, kept with each sighting, fading in."""

from __future__ import annotations

from datetime import timedelta

import pytest

from patrol.actions import clues, trust
from patrol.queries import clues as told
from patrol.rules.flights import MEASURED_FROM
from patrol.station import Actor, Station
from tests.walk import Town


def reviewed(town: Town, drone: Actor, office: Actor, number: int, reason: str | None) -> None:
    """One weak clue of a platform, confirmed (no reason) or discarded, each at a place of its own."""
    sighting = town.report("drone", chainage_m=100 + 90 * number, actor=drone, score=0.5).sighting
    with town.station.work(office) as work:
        if reason is None:
            clues.confirm(work, sighting.ref)
        else:
            clues.discard(work, sighting.ref, reason)


def test_wrong_clues_raise_what_a_platform_must_bring(station: Station) -> None:
    town = Town(station)
    poor, good, office = town.person("drone"), town.person("drone", name="另一平台"), town.person("office")
    assert town.report("drone", chainage_m=50, actor=poor, score=0.85).issue is not None
    for number in range(10):
        reviewed(town, poor, office, number, "false_detection")
    for number in range(10, 14):
        reviewed(town, good, office, number, None)
    reviewed(town, good, office, 15, "already_handled")  # no fault of the machine's
    with station.look() as look:
        assert trust.measured(look, "drone", poor.person_id, "floating_debris") == pytest.approx(
            MEASURED_FROM / (MEASURED_FROM + 10), abs=1e-4
        )
        assert trust.measured(look, "drone", good.person_id, "floating_debris") == 1.0
        assert trust.measured(look, "drone", poor.person_id, "sewage") == 1.0
        assert trust.measured(look, "drone", None, "floating_debris") == 1.0
    weak = town.report("drone", chainage_m=2600, actor=poor, score=0.95)
    strong = town.report("drone", chainage_m=2750, actor=good, score=0.95)
    assert weak.issue is not None and weak.sighting.trust == 0.5  # opened as given, but worth half to the rules
    assert trust.worth(weak.sighting) == pytest.approx(0.475)
    assert strong.issue is not None and strong.sighting.trust == 1.0
    with station.look(office) as look:
        assert told.detail(look, weak.sighting)["trust"] == 0.5


def test_what_was_long_ago_is_forgotten(station: Station) -> None:
    town = Town(station)
    drone, office = town.person("drone"), town.person("office")
    for number in range(5):
        reviewed(town, drone, office, number, "glint_or_shadow")
    station.clock.at += trust.LOOKED_BACK + timedelta(days=1)  # type: ignore[attr-defined]  # the settable clock
    with station.look() as look:
        assert trust.measured(look, "drone", drone.person_id, "floating_debris") == 1.0
