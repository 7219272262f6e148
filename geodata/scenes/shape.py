"""Shapes of a scene in metres of a plane (x right, y down): the reach of a river and the outlines of things on it.

Geometry only; it must not know of colours, kinds or files.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import LineString, Polygon

Rng = np.random.Generator
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Reach:
    """A meandering reach that crosses a square plane: (s, t) are metres along and across, before turning.

    `waves` and `width_waves` are (amplitude m, length m, phase). `turned` swaps x and y; `backward` says that the
    water flows against s. Banks are named by their sign in t: -1 and +1.
    """

    size_m: float
    middle_m: float
    half_m: float
    waves: tuple[tuple[float, float, float], ...]
    width_waves: tuple[tuple[float, float, float], ...]
    turned: bool
    backward: bool

    def centre_m(self, s: Any) -> Any:
        """Where the middle of the water is across, at `s`."""
        return self.middle_m + _sum(self.waves, s)

    def half_width_m(self, s: Any) -> Any:
        """Half of the width of the water at `s`."""
        return self.half_m + _sum(self.width_waves, s)

    def steepness(self, s: Any) -> Any:
        """Cosine of the angle between the river and the axis of s: turns distances across into true ones."""
        slope = sum(2 * math.pi * a / length * np.cos(2 * math.pi * s / length + p) for a, length, p in self.waves)
        return 1.0 / np.sqrt(1.0 + np.square(slope))

    def inside_m(self, s: Any, t: Any) -> Any:
        """Metres from the nearer waterline, positive in the water."""
        return (self.half_width_m(s) - np.abs(t - self.centre_m(s))) * self.steepness(s)

    def off_bank_m(self, s: Any, t: Any, bank: int) -> Any:
        """Metres from the waterline of one bank (-1 or +1), positive in the water."""
        return (self.half_width_m(s) - bank * (t - self.centre_m(s))) * self.steepness(s)

    def at(self, s: float, off_m: float, bank: int) -> tuple[float, float]:
        """The plane point (x, y) at `s`, `off_m` metres into the water from a bank (negative: on land)."""
        t = self.centre_m(s) + bank * (self.half_width_m(s) - off_m / self.steepness(s))
        return self.plane(s, float(t))

    def plane(self, s: float, t: float) -> tuple[float, float]:
        """From along and across to x and y."""
        return (t, s) if self.turned else (s, t)

    def strip(self, start_m: float, end_m: float, first_m: float, second_m: float, bank: int) -> Polygon:
        """The ground between two distances from a bank (positive in the water), from one `s` to another."""
        along = np.linspace(start_m, end_m, max(8, int((end_m - start_m) / 0.5)))
        there = [self.at(float(s), first_m, bank) for s in along]
        back = [self.at(float(s), second_m, bank) for s in along[::-1]]
        return Polygon(there + back).buffer(0)

    def water(self, wider_m: tuple[float, float] = (0.0, 0.0), margin_m: float = 0.0) -> Polygon:
        """The water surface, wider by so much on the banks -1 and +1, `margin_m` beyond both ends of the plane."""
        along = np.linspace(-margin_m, self.size_m + margin_m, int(self.size_m + 2 * margin_m) + 2)
        first = [self.at(float(s), -wider_m[0], -1) for s in along]
        second = [self.at(float(s), -wider_m[1], 1) for s in along[::-1]]
        return Polygon(first + second)

    def line(self, margin_m: float = 0.0) -> LineString:
        """The centreline, from upstream to downstream."""
        along = np.linspace(-margin_m, self.size_m + margin_m, int(self.size_m + 2 * margin_m) + 2)
        points = [self.plane(float(s), float(self.centre_m(s))) for s in along]
        return LineString(points[::-1] if self.backward else points)


@dataclass(frozen=True)
class Plume:
    """A discharge at a bank, carried downstream: advection and diffusion with the bank as a mirror.

    `start_m` is the outfall's s; `width_m` the first sigma across; `spread` square metres of sigma² a metre;
    `decay_m` the length over which it thins by e; `strength` the share of discharge at the outfall.
    """

    start_m: float
    bank: int
    width_m: float
    spread: float
    decay_m: float
    strength: float

    def share(self, reach: Reach, s: NDArray[Any], t: NDArray[Any]) -> NDArray[Any]:
        """Share of discharge in the water, 0 to 1, for s and t of any one shape."""
        down = (self.start_m - s) if reach.backward else (s - self.start_m)
        carried = np.maximum(down, 0.0)
        sigma2 = self.width_m**2 + self.spread * carried
        off = np.maximum(reach.off_bank_m(s, t, self.bank), 0.0)
        across = np.exp(-np.square(off) / (2.0 * sigma2))
        along = self.width_m / np.sqrt(sigma2) * np.exp(-carried / self.decay_m)
        # Right at the outfall it fills up within half a metre, also a little upstream.
        begin = 1.0 / (1.0 + np.exp(-np.clip(down / 0.15, -60.0, 60.0)))
        return np.asarray(self.strength * across * along * begin)


def _sum(waves: tuple[tuple[float, float, float], ...], s: Any) -> Any:
    return sum((a * np.sin(2 * math.pi * s / length + phase) for a, length, phase in waves), np.zeros_like(s, float))


def reach(rng: Rng, size_m: float) -> Reach:
    """A reach that keeps inside a square plane of `size_m` and leaves land on both sides."""
    scale = min(size_m, 90.0)
    amplitude = rng.uniform(0.04, 0.08) * scale
    long_m, short_m = rng.uniform(0.9, 1.5) * size_m, rng.uniform(0.4, 0.6) * size_m
    return Reach(
        size_m=size_m,
        middle_m=size_m / 2 + rng.uniform(-0.04, 0.04) * size_m,
        half_m=rng.uniform(0.15, 0.21) * scale,
        waves=(
            (amplitude, long_m, rng.uniform(0, 2 * math.pi)),
            (0.2 * amplitude, short_m, rng.uniform(0, 2 * math.pi)),
        ),
        width_waves=((0.012 * scale, rng.uniform(0.3, 0.5) * size_m, rng.uniform(0, 2 * math.pi)),),
        turned=bool(rng.random() < 0.5),
        backward=bool(rng.random() < 0.5),
    )


def blob(rng: Rng, x: float, y: float, radius_m: float, longer: float = 1.0, rough: float = 0.15) -> Polygon:
    """A closed wavy outline round (x, y) with the area of a circle of that radius, `longer` times as long as wide."""
    angle = np.linspace(0, 2 * math.pi, 72, endpoint=False)
    wobble = np.ones_like(angle)
    for order in range(2, 8):
        wobble += rough / order**0.7 * rng.normal() * np.cos(order * angle + rng.uniform(0, 2 * math.pi))
    wobble = np.clip(wobble, 0.35, None)
    wobble /= math.sqrt(float(np.mean(wobble**2)))
    stretch, turn = math.sqrt(longer), rng.uniform(0, math.pi)
    u, v = radius_m * wobble * np.cos(angle) * stretch, radius_m * wobble * np.sin(angle) / stretch
    points = np.column_stack([x + u * math.cos(turn) - v * math.sin(turn), y + u * math.sin(turn) + v * math.cos(turn)])
    return Polygon(points).buffer(0)


def string(rng: Rng, x: float, y: float, length_m: float, width_m: float) -> Polygon:
    """A wavy string, as debris gathers along a line of the current."""
    along = np.linspace(-0.5, 0.5, 24)
    across = 0.08 * np.sin(2 * math.pi * along * rng.uniform(0.6, 1.6) + rng.uniform(0, 2 * math.pi))
    turn = rng.uniform(0, math.pi)
    px = x + length_m * (along * math.cos(turn) - across * math.sin(turn))
    py = y + length_m * (along * math.sin(turn) + across * math.cos(turn))
    return LineString(np.column_stack([px, py])).buffer(width_m / 2)


def hull(x: float, y: float, length_m: float, width_m: float, turn: float) -> Polygon:
    """A boat from above: straight stern, pointed bow."""
    corners = np.array([[-0.5, -0.5], [0.25, -0.5], [0.42, -0.3], [0.5, 0.0], [0.42, 0.3], [0.25, 0.5], [-0.5, 0.5]])
    return _turned(corners * [length_m, width_m], x, y, turn)


def box(x: float, y: float, length_m: float, width_m: float, turn: float) -> Polygon:
    """A rectangle turned by `turn` radians."""
    corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    return _turned(corners * [length_m, width_m], x, y, turn)


def _turned(corners: Array, x: float, y: float, turn: float) -> Polygon:
    u, v = corners[:, 0], corners[:, 1]
    return Polygon(
        np.column_stack([x + u * math.cos(turn) - v * math.sin(turn), y + u * math.sin(turn) + v * math.cos(turn)])
    )
