"""How the alignment of single-lens bands compares with the usual ways, on one real or generated exposure.

Run: `python bench/align.py FOLDER`. Prints one JSON line a way: ours, a plain shift (phase correlation) and a full-size
homography (ECC), taken in turn; best of three. Judged by displacement left, found by template search that none of the
three uses. Figures are ratios and pixels of this run on this machine.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from geodata.bands.align import align, reference_of, resample
from geodata.bands.capture import read_pixels
from geodata.bands.grouping import group
from geodata.bands.radiometry import to_signal
from geodata.bands.tiles import edges

Image = NDArray[np.float32]
ROUNDS = 3


def ours(still: Image, moving: Image) -> Image:
    bands = {"rededge": still, "nir": moving}
    return np.asarray(resample(bands, align(bands))[0][1])


def shifted(still: Image, moving: Image) -> Image:
    window = cv2.createHanningWindow(still.shape[::-1], cv2.CV_32F)
    (dx, dy), _ = cv2.phaseCorrelate(edges(still), edges(moving), window)
    return moved(moving, np.array([[1, 0, dx], [0, 1, dy], [0, 0, 1]], np.float32))


def homography(still: Image, moving: Image) -> Image:
    a, b = edges(still), edges(moving)
    (dx, dy), _ = cv2.phaseCorrelate(a, b, cv2.createHanningWindow(a.shape[::-1], cv2.CV_32F))
    begin = np.array([[1, 0, dx], [0, 1, dy], [0, 0, 1]], np.float32)
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 80, 1e-5)
    everywhere = np.full(b.shape, 255, np.uint8)
    _, found = cv2.findTransformECC(a, b, begin, cv2.MOTION_HOMOGRAPHY, stop, everywhere, 5)
    return moved(moving, np.asarray(found, np.float32))


def moved(band: Image, matrix: NDArray[np.float32]) -> Image:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpPerspective(band, matrix, band.shape[::-1], flags=flags), np.float32)


def left_px(still: Image, band: Image, reach: int = 12, side: int = 48) -> NDArray[np.float64]:
    """Displacement left at patches, to a fraction of a pixel by a parabola through the best score."""
    a, b = edges(still), edges(band)
    off = []
    for top in range(60, a.shape[0] - 60 - side, side):
        for left in range(60, a.shape[1] - 60 - side, side):
            patch = a[top : top + side, left : left + side]
            around = b[top - reach : top + side + reach, left - reach : left + side + reach]
            if patch.std() < 0.05 or not np.isfinite(around).all():
                continue
            score = np.asarray(cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED))
            row, column = np.unravel_index(int(score.argmax()), score.shape)
            if score[row, column] < 0.5 or not (0 < row < 2 * reach and 0 < column < 2 * reach):
                continue
            y = row - reach + peak(score[row - 1 : row + 2, column])
            x = column - reach + peak(score[row, column - 1 : column + 2])
            off.append(float(np.hypot(x, y)))
    return np.array(off)


def peak(three: NDArray[Any]) -> float:
    low, middle, high = (float(value) for value in three)
    bend = low - 2 * middle + high
    return 0.0 if abs(bend) < 1e-9 else (low - high) / (2 * bend)


def main(folder: Path) -> None:
    captures = group(sorted(folder.glob("*.[tT][iI][fF]*"))).captures
    if not captures:
        sys.exit("这个文件夹里没有单波段文件。")
    signals = {str(tags.name): to_signal(read_pixels(tags.path), tags).array for tags in captures[0].files if tags.name}
    reference = reference_of(list(signals))
    ways: dict[str, Callable[[Image, Image], Image]] = {"ours": ours, "shift": shifted, "homography": homography}
    spent: dict[str, list[float]] = {way: [0.0] * ROUNDS for way in ways}
    off: dict[str, list[NDArray[np.float64]]] = {way: [] for way in ways}
    for turn in range(ROUNDS):
        for name in (name for name in signals if name != reference):
            for way, run in ways.items():
                began = time.process_time()
                band = run(signals[reference], signals[name])
                spent[way][turn] += time.process_time() - began
                if turn == 0:
                    off[way].append(left_px(signals[reference], band))
    best = {way: min(times) for way, times in spent.items()}
    for way in ways:
        left = np.concatenate(off[way])
        facts = {
            "bench": "align", "case": way, "ours": round(best["ours"], 3), "peer": round(best[way], 3),
            "ratio": round(best[way] / best["ours"], 2), "unit": "CPU s", "n": len(signals) - 1,
            "left_px_median": round(float(np.median(left)), 2), "left_px_p90": round(float(np.percentile(left, 90)), 2),
            "patches": len(left),
        }  # fmt: skip
        print(json.dumps(facts))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("用法：python bench/align.py 文件夹")
    main(Path(sys.argv[1]))
