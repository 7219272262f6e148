"""Seeded sequences of frames in which boats and persons come, stay, drift, drop out and go: with the truth.

Positions err as a flight's do (an offset all its frames share, and a jitter of each); the detector misses,
and now and then sees a thing that is not there, with a low score. The generator knows the rules only through
the place's water: what is forbidden it states itself.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from geodata.episodes import Sight
from geodata.place import Place

HERE = ZoneInfo("Asia/Shanghai")
CLOSED_DAY = datetime(2026, 4, 10, 9, 0, tzinfo=HERE)
OPEN_DAY = datetime(2026, 9, 10, 9, 0, tzinfo=HERE)
SPRING_BAN = '[[closed]]\nname = "春季禁渔"\nfrom = "03-01"\nto = "06-30"\n[reach_m]\nboat = 3\nperson = 10\n'
QUIET_S = 900.0

KINDS_OF_SCENE = (
    "boat stays", "boat drifts", "angler", "angler in a boat", "three anglers", "two boats far apart",
    "leaves and returns soon", "returns after the quiet gap", "boat outside the water", "walker far from the bank",
    "out of season", "ghosts only", "season begins while it stays", "seen only now and then", "empty",
)  # fmt: skip


@dataclass
class Sequence:
    """One watch over a stretch: frames in order of time, and how many events there truly are."""

    name: str
    events: int
    frames: list[tuple[datetime, list[Sight]]] = field(default_factory=list)


@dataclass(frozen=True)
class _Actor:
    kind: str
    at: tuple[float, float]
    drift_m_s: tuple[float, float] = (0.0, 0.0)
    spans: tuple[tuple[float, float], ...] = ((0.0, math.inf),)


def sequences(place: Place, count: int, seed: int) -> list[Sequence]:
    """`count` sequences, the kinds in turn, every number from `seed`."""
    return [_sequence(place, KINDS_OF_SCENE[index % len(KINDS_OF_SCENE)], random.Random(seed * 1000 + index))
            for index in range(count)]  # fmt: skip


def _sequence(place: Place, name: str, dice: random.Random) -> Sequence:
    assert place.river is not None
    forward = place.frame.forward
    length_m = place.river.length_m
    along = dice.uniform(400, length_m - 1000)
    middle = forward(*place.river.point_at(along))
    ahead = forward(*place.river.point_at(along + 10))
    flow = ((ahead[0] - middle[0]) / 10, (ahead[1] - middle[1]) / 10)
    across = (-flow[1], flow[0])

    def beside(metres: float) -> tuple[float, float]:
        return middle[0] + across[0] * metres, middle[1] + across[1] * metres

    def edge() -> float:
        """How far across the water ends."""
        reach = 0.0
        while place.holds(*place.frame.inverse(*beside(reach))):
            reach += 0.5
        return reach

    start, seconds, step_s, miss, events = CLOSED_DAY, 240.0, 1.0, 0.3, 1
    actors: list[_Actor] = []
    if name == "boat stays":
        actors = [_Actor("boat", middle)]
    elif name == "boat drifts":
        actors = [_Actor("boat", middle, (flow[0] * 1.2, flow[1] * 1.2))]
    elif name == "angler":
        actors = [_Actor("person", beside(edge() + 1))]
    elif name == "angler in a boat":
        actors = [_Actor("boat", middle), _Actor("person", beside(1.0))]
    elif name == "three anglers":
        bank = beside(edge() + 1)
        actors = [_Actor("person", (bank[0] + flow[0] * m, bank[1] + flow[1] * m)) for m in (0, 9, 18)]
    elif name == "two boats far apart":
        far = forward(*place.river.point_at(along + 450))
        actors, events = [_Actor("boat", middle), _Actor("boat", far)], 2
    elif name == "leaves and returns soon":
        actors = [_Actor("boat", middle, spans=((0, 60), (360, 420)))]
        seconds = 420
    elif name == "returns after the quiet gap":
        actors, events = [_Actor("boat", middle, spans=((0, 60), (60 + QUIET_S + 120, 1200)))], 2
        seconds, step_s = 1200, 2.0
    elif name == "boat outside the water":
        actors, events = [_Actor("boat", beside(edge() + 3 + 12))], 0  # on a trailer, beyond what it errs
    elif name == "walker far from the bank":
        path = beside(edge() + 10 + 14)
        ends = [(path[0] + flow[0] * metres, path[1] + flow[1] * metres) for metres in range(0, 241, 5)]
        # The river may bend towards the walker; where it does, the walker stands instead.
        bends = any(place.holds(*place.frame.inverse(*end), 10 + 12) for end in ends)
        actors, events = [_Actor("person", path, (0.0, 0.0) if bends else flow)], 0
    elif name == "out of season":
        actors, events, start = [_Actor("boat", middle), _Actor("person", beside(2.0))], 0, OPEN_DAY
    elif name == "ghosts only":
        events = 0
    elif name == "season begins while it stays":
        actors, start = [_Actor("boat", middle)], datetime(2026, 2, 28, 23, 58, tzinfo=HERE)
    elif name == "seen only now and then":
        actors, miss, seconds, step_s = [_Actor("boat", middle)], 0.85, 600, 2.0
    else:
        events = 0
    return _filmed(Sequence(name, events), place, actors, start, seconds, step_s, miss, name == "ghosts only", dice)


def _filmed(
    made: Sequence, place: Place, actors: list[_Actor], start: datetime, seconds: float, step_s: float,
    miss: float, ghosts: bool, dice: random.Random,
) -> Sequence:  # fmt: skip
    ce90_m = dice.uniform(3.0, 6.0)
    sigma_m = ce90_m / math.sqrt(4.605)
    shared = (dice.gauss(0, sigma_m * 0.7), dice.gauss(0, sigma_m * 0.7))
    west, south, east, north = place.bounds
    time_s = 0.0
    while time_s <= seconds:
        sights = []
        for actor in actors:
            if not any(begin <= time_s <= end for begin, end in actor.spans) or dice.random() < miss:
                continue
            x_m = actor.at[0] + actor.drift_m_s[0] * time_s + shared[0] + dice.gauss(0, sigma_m * 0.7)
            y_m = actor.at[1] + actor.drift_m_s[1] * time_s + shared[1] + dice.gauss(0, sigma_m * 0.7)
            lon, lat = place.frame.inverse(x_m, y_m)
            sights.append(Sight(actor.kind, lon, lat, ce90_m, dice.uniform(0.3, 0.9)))
        if ghosts and dice.random() < 0.02:  # each somewhere else, as false finds in single frames are
            spot = dice.uniform(west, east), dice.uniform(south, north)
            sights.append(Sight("person", *spot, ce90_m, dice.uniform(0.3, 0.45)))
        made.frames.append((start + timedelta(seconds=time_s), sights))
        time_s += step_s
    return made
