"""Comparing two rounds, and finding plumes and their sources, beside the plainest way of doing each.

Run: `python bench/effect.py [--runs N]`. One JSON line a case, best of N, ours and the peer in turn in one process.
Everything is generated from seeds, so no data are needed; CPU seconds, because they bear other work on the machine.

- `compare`: registration, light, measuring, verdict and pair for 1,000 x 1,000 pixels of five bands. Peer: phase
  correlation at full scale and a difference image, which registers shifts only and judges nothing.
- `plume`: one 600 m reach of a winding river at 0.2 m. Peer: a global threshold and connected components on the whole
  picture, which finds no head.
- `trace`: candidates of one clue among 300 registered mouths. Peer: distances from the clue to each of them, sorted.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # in place of this folder, whose files have the names of modules

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import scipy.ndimage  # noqa: E402
import shapely  # noqa: E402
from pyproj import Transformer  # noqa: E402

from geodata.crs import distance_m  # noqa: E402
from geodata.effect.compare import compare  # noqa: E402
from geodata.effect.picture import held  # noqa: E402
from geodata.plume import find_plumes  # noqa: E402
from geodata.plume_reach import grid_pixels  # noqa: E402
from geodata.river import River  # noqa: E402
from geodata.sources import Clue, trace  # noqa: E402

UTM = "EPSG:32649"
EAST, NORTH = 612_000.0, 3_358_000.0
NAMES = ("blue", "green", "red", "rededge", "nir")


def best(ours: Callable[[], Any], peer: Callable[[], Any], runs: int) -> tuple[float, float]:
    """Least CPU seconds of each, in turn."""
    spent: list[list[float]] = [[], []]
    for _ in range(runs):
        for number, way in enumerate((ours, peer)):
            start = time.process_time()
            way()
            spent[number].append(time.process_time() - start)
    return min(spent[0]), min(spent[1])


def tell(case: str, ours: float, peer: float, n: int, note: str) -> None:
    print(
        json.dumps(
            {
                "bench": "effect", "case": case, "ours": round(ours, 4), "peer": round(peer, 4),
                "ratio": round(ours / max(peer, 1e-9), 2), "unit": "cpu_s", "n": n, "note": note,
            },
            ensure_ascii=False,
        ),
        flush=True,
    )  # fmt: skip


def two_rounds() -> tuple[Any, Any, Any, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(11)
    small = draw.uniform(0.1, 0.5, (125, 125)).astype(np.float32)
    base = cv2.resize(small, (1000, 1000), interpolation=cv2.INTER_NEAREST)
    first = np.stack([base * share for share in (0.3, 0.45, 0.5, 0.8, 1.0)])
    first += draw.normal(0, 0.01, first.shape)
    second = np.roll(first, (7, -11), axis=(1, 2)) * 1.1
    first[:, 480:530, 480:540] = np.array([0.02, 0.5, 0.05, 0.6, 0.7])[:, None, None]
    transform = (0.1, 0.0, EAST, 0.0, -0.1, NORTH)
    to_degrees = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True)
    outline = shapely.Polygon(
        [to_degrees.transform(EAST + x, NORTH - y) for x, y in ((48, 48), (54, 48), (54, 53), (48, 53))]
    )
    return held(first, NAMES, transform, UTM), held(second, NAMES, transform, UTM), outline, first, second


def reach() -> tuple[np.ndarray, np.ndarray, Any, River]:
    draw = np.random.default_rng(12)
    along = np.arange(0.0, 600.0, 5.0)
    to_degrees = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True)
    river = River.along(
        shapely.LineString(np.column_stack(to_degrees.transform(EAST + along, NORTH - 60 + 18 * np.sin(along / 70))))
    )
    columns, rows = np.meshgrid(np.arange(0.1, 600, 0.2), np.arange(0.1, 120, 0.2))
    off = (60 - rows) - 18 * np.sin(columns / 70)
    water = np.abs(off) < 25
    down = columns - 220
    spread = np.sqrt(1.5 + 0.15 * np.maximum(down, 0))
    index = np.where(down > 0, 4 * np.exp(-np.maximum(down, 0) / 150 - 0.5 * ((25 - off) / spread) ** 2), 0.0)
    index = (index + draw.normal(0, 1, index.shape)).astype(np.float32)
    return index, water, grid_pixels((0.2, 0, EAST, 0, -0.2, NORTH), UTM), river


@dataclass(frozen=True)
class Mouth:
    code: str
    name: str
    lon: float
    lat: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs

    first, second, outline, a, b = two_rounds()
    grey = [part.mean(axis=0).astype(np.float64) for part in (a, b)]
    told = compare(first, second, outline)
    ours, peer = best(
        lambda: compare(first, second, outline),
        lambda: (cv2.phaseCorrelate(grey[0], grey[1]), np.abs(b - a).mean(axis=0) > 0.2),
        runs,
    )
    residual = told.registration.residual_px if told.registration else float("nan")
    tell("compare", ours, peer, 1_000_000, f"{told.verdict}, residual {residual:.2f} px; peer registers shifts only")

    index, water, pixel_of, river = reach()
    plumes = find_plumes(index, water, pixel_of, river)
    blurred = index - np.median(index[water])
    ours, peer = best(
        lambda: find_plumes(index, water, pixel_of, river),
        lambda: scipy.ndimage.label((cv2.GaussianBlur(blurred, (0, 0), 5) > 0.5) & water),
        runs,
    )
    where = ", ".join(f"K {plume.chainage_m:.1f} ± {plume.head_error_m:.1f} m" for plume in plumes)
    tell("plume", ours, peer, index.size, f"heads: {where or 'none'}; peer finds no head")

    mouths = [Mouth(f"P{at}", "", *river.point_at(2.0 * at, 24.0, "left" if at % 2 else "right")) for at in range(300)]
    clue = Clue(*river.point_at(400.0, 22.0), 3.0, "left", True)
    ours, peer = best(
        lambda: trace(clue, river, mouths),
        lambda: sorted((distance_m(clue.lon, clue.lat, one.lon, one.lat), one.code) for one in mouths),
        runs,
    )
    tell(
        "trace",
        ours,
        peer,
        len(mouths),
        f"{len(trace(clue, river, mouths))} candidates; peer knows no bank and no odds",
    )


if __name__ == "__main__":
    main()
