"""Adjusting overlapping frames: our solver beside scipy's on the same problem, and what it does to a real flight.

Run: `python bench/adjust.py [FOLDER]`. Prints one JSON line a case. The made-up flight has 18 frames as a lawn mower
flies them; the peer is `scipy.optimize.least_squares` with its numeric Jacobian and a soft loss, on the same gaps and
priors, once, as it takes a minute. FOLDER holds a real flight (its photographs need pose and overlap): gaps between
two frames' ideas of the same ground as stated, after (held out by odd and even matches), and for pairs left out of
the fit altogether.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from geodata.frames.adjust import adjust, framed
from geodata.frames.adjusted import Framed
from geodata.frames.matches import features_of, ties_of
from geodata.frames.metadata import read_frame
from geodata.frames.project import to_plane
from geodata.frames.solve import Link, corrected, solve
from geodata.frames.together import PHOTOS, candidate_pairs

RUNS = 5


def line(case: str, ours: float, peer: float | None, unit: str, n: int, note: str) -> None:
    ratio = None if peer is None else round(peer / ours, 2)
    shown = {"ours": round(ours, 4), "peer": None if peer is None else round(peer, 4)}
    print(json.dumps({"bench": "adjust", "case": case, **shown, "ratio": ratio, "unit": unit, "n": n, "note": note}))


def block(random: np.random.Generator) -> tuple[np.ndarray, list[Link], np.ndarray, np.ndarray]:
    """18 nadir frames in three lines, 60 matches a pair, with errors as consumer metadata have them."""
    truth = np.array([(column * 13.0, row * 20.0) for row, column in itertools.product(range(3), range(6))])
    errors = random.normal(0, 1, (18, 6)) * (1.4, 1.4, 0.025, 0.03, 0.0, 0.0)
    places = truth + errors[:, :2]
    links = []
    for one, other in itertools.combinations(range(18), 2):
        if np.abs(truth[one] - truth[other]).max() > 30.0:
            continue
        middle = (truth[one] + truth[other]) / 2
        ground = middle + random.uniform(-8, 8, (60, 2))
        sees = []
        for end in (one, other):
            away = ground - truth[end] + random.normal(0, 0.05, (60, 2))
            turn = errors[[end] * 60] * (0, 0, -1, -1, 0, 0)
            sees.append(corrected(np.zeros((60, 2)), np.full(60, 40.0), away, turn))
        slant = (np.sum((ground - truth[one]) ** 2, axis=1) + np.sum((ground - truth[other]) ** 2, axis=1)) / 1600
        links.append(Link(one, other, *sees, slant))
    own = np.tile((1.4, 1.4, 0.025, 0.03, 0.02, 0.02), (18, 1))
    return places, links, own, own


def peer(places: np.ndarray, links: list[Link], own: np.ndarray) -> None:
    first = np.concatenate([np.full(len(link.slant), link.first) for link in links])
    second = np.concatenate([np.full(len(link.slant), link.second) for link in links])
    one_m = np.concatenate([link.first_m for link in links])
    other_m = np.concatenate([link.second_m for link in links])

    height = np.full(len(first), 40.0)

    def residuals(flat: np.ndarray) -> np.ndarray:
        found = flat.reshape(-1, 6)
        gaps = corrected(places[first], height, one_m, found[first])
        gaps = gaps - corrected(places[second], height, other_m, found[second])
        return np.concatenate((gaps.ravel() / 0.1, (found / own).ravel()))

    least_squares(residuals, np.zeros(own.size), loss="soft_l1")


def seconds(call: object, *arguments: object) -> float:
    start = time.perf_counter()
    call(*arguments)  # type: ignore[operator]  # a function of ours
    return time.perf_counter() - start


def solver() -> None:
    places, links, own, shared = block(np.random.default_rng(18))
    ours = [seconds(solve, places, np.full(18, 40.0), links, own, shared) for _ in range(RUNS)]
    theirs = seconds(peer, places, links, own)
    note = f"18 frames, {len(links)} pairs, {sum(len(link.slant) for link in links)} matches; peer scipy least_squares"
    line("solve", min(ours), theirs, "s", RUNS, note)


def flight(folder: Path) -> None:
    photos = sorted(path for path in folder.iterdir() if path.suffix.lower() in PHOTOS)
    ready = [(frame, path) for path in photos if isinstance(frame := framed(path.name, read_frame(path)), Framed)]
    frames = [frame for frame, _ in ready]
    clock = [time.process_time()]
    seen = {index: features_of(path) for index, (_, path) in enumerate(ready)}
    clock.append(time.process_time())
    ties = ties_of(seen, candidate_pairs(frames))
    clock.append(time.process_time())
    found = adjust(frames, ties)
    clock.append(time.process_time())
    for case, start in (("features", 0), ("matches", 1), ("adjust with hold-out", 2)):
        line(case, clock[start + 1] - clock[start], None, "CPU s", len(frames), f"{folder.name}, {len(ties)} pairs")
    if found.before_m is None or found.after_m is None:
        return
    clean = [pair.before_m for pair in found.pairs if not {pair.first, pair.second} & set(found.turned)]
    turned = f"turned: {', '.join(found.turned) or 'none'}"
    line("median, held out", found.after_m[0], found.before_m[0], "m", found.matches, f"peer: as stated; {turned}")
    line("p90, held out", found.after_m[1], found.before_m[1], "m", found.matches, "peer: as stated")
    line("median of clean pairs as stated", float(np.median(clean)), None, "m", len(clean), "no turned picture in it")
    left, middles = [], []
    places = np.array([frame.lon for frame in frames]), np.array([frame.lat for frame in frames])
    for out in range(len(ties)):
        fitted = adjust(frames, [tie for index, tie in enumerate(ties) if index != out])
        tie = ties[out]
        ends = [
            fitted.ground(frames[end].name, px)[0] if fitted.of(frames[end].name) else None
            for end, px in ((tie.first, tie.first_px), (tie.second, tie.second_px))
        ]
        if ends[0] is not None and ends[1] is not None:
            lon, lat = float(places[0].mean()), float(places[1].mean())
            gaps = np.linalg.norm(to_plane(lon, lat, ends[0]) - to_plane(lon, lat, ends[1]), axis=1)
            left.append(gaps)
            middles.append(float(np.median(gaps)))
    whole = np.concatenate(left)
    note = f"p90 {np.percentile(whole, 90):.3f} m, worst pair's median {max(middles):.3f} m"
    line("median, whole pair left out", float(np.median(whole)), None, "m", len(whole), note)
    said = [np.sqrt(correction.relative[0, 0] + correction.relative[1, 1]) for correction in found.corrections]
    spread = float(found.spread_m or 0.0)
    line(
        "relative sigma said, one axis",
        float(np.median(said) / np.sqrt(2)),
        None,
        "m",
        len(said),
        f"spread {spread:.3f} m",
    )


if __name__ == "__main__":
    solver()
    if len(sys.argv) > 1:
        flight(Path(sys.argv[1]))
