"""The clues of the sample week: one of each sort waits, one was thrown out, one expired."""

from __future__ import annotations

from datetime import timedelta

from patrol.demo.walk import Walk
from patrol.demo.week import Story, Times


def stories(walk: Walk, t: Times) -> list[Story]:
    return [
        _unsure(walk, t), _glint(walk, t), _expired(walk, t), _fishing(walk, t), _relapse(walk, t),
        _from_people(walk, t),
    ]  # fmt: skip


def _unsure(walk: Walk, t: Times) -> Story:
    yield t.ago(17)
    walk.drone("aquatic_bloom", 300, "left", 5, score=0.62)


def _glint(walk: Walk, t: Times) -> Story:
    """The machine took the sun for scum: thrown out, and the spot remembered against machines only."""
    yield t.day(4, "09:50")
    ref = walk.drone("sewage", 1700, "right", 3, score=0.58).sighting.ref
    yield t.day(4, "10:02")
    walk.discard(ref, "office", "glint_or_shadow")


def _expired(walk: Walk, t: Times) -> Story:
    yield t.now - timedelta(hours=78)
    walk.drone("bare_soil", 100, "left", 4, score=0.55)


def _fishing(walk: Walk, t: Times) -> Story:
    yield t.ago(5)
    walk.drone("illegal_fishing", 2680, "left", 5, score=0.91)


def _relapse(walk: Walk, t: Times) -> Story:
    """Near a place that was closed days ago: nobody joins it by themselves."""
    yield t.ago(14)
    walk.drone("floating_debris", 790, "left", 5)


def _from_people(walk: Walk, t: Times) -> Story:
    """A person's report is never refused: too far, too vague or too many, it waits for the office."""
    yield t.ago(19)
    river = walk.station.place.river
    assert river is not None
    lon, lat = river.point_at(1500.0)
    away = {"lon": round(lon, 6), "lat": round(lat + 0.012, 6), "crs": "wgs84", "accuracy_m": 10.0}
    walk.says("tip", "solid_waste", "村口水塘边倒了一车渣土", photo=True, position=away)
    yield t.ago(12)
    vague = {"lon": round(lon, 6), "lat": round(lat, 6), "crs": "wgs84", "accuracy_m": 1500.0}
    walk.says("tip", "sewage", "河水发黑，具体哪里说不清", position=vague)
    yield t.ago(11)
    walk.says(
        "hotline",
        "floating_debris",
        "来电：泵站旁边漂着塑料袋",
        by="operator",
        position=walk.at(2020, "right"),
    )
    yield t.ago(8)
    walk.says("tip", "other", "又有人在河边烧烤", position=walk.at(560, "left"), hold="too_many")
