"""Tie points: the same ground seen in two overlapping frames, by their pixels alone.

It knows nothing of positions except to leave out pairs that cannot overlap, judges no pose, and keeps of
each picture only its described points (about 0.3 MB), never the pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pillow_heif import HeifImageFile
from shapely import STRtree
from shapely.geometry import MultiPoint

from geodata.errors import GeoError
from geodata.frames.tags import DECODER_FAULTS, open_tags

Array = NDArray[np.float64]

LONG_SIDE_PX = 1000
"""Pictures are looked at this small: a quarter of a 4000 pixel frame, where a match is still good to a pixel."""
POINTS = 2400
CELLS = (10, 6)
DETECTED = 9000
CONTRAST = 0.015
"""Half of the detector's default, because a road gives weak points and a tree gives strong ones."""

RATIO = 0.8
LEAST_MATCHES = 12
MOST_MATCHES = 400
GEOMETRY_PX = 3.0
"""How far, in the small picture, a match may lie from the plane common to its pair."""


@dataclass(frozen=True)
class Features:
    """Points (n, 2) in pixels of the stored picture, and what surrounds each, bytes (n, 128)."""

    points_px: Array
    marks: NDArray[np.uint8]
    width_px: int
    height_px: int


@dataclass(frozen=True)
class Ties:
    """The same ground in frames `first` and `second` (indices): pixels (n, 2) of the one and of the other."""

    first: int
    second: int
    first_px: Array
    second_px: Array


def features_of(photo: str | Path | bytes) -> Features:
    """Describe one picture's points, spread over it so that one tree does not take them all.

    Raises `GeoError` as `open_tags` does, for what is no photograph or is broken. Pixels are those of the
    stored picture: an orientation mark is not obeyed. Source: SIFT (Lowe 2004) as OpenCV has it.

    >>> features_of(b"not a photograph")
    Traceback (most recent call last):
        ...
    geodata.errors.GeoError: 不是能识别的照片；请上传 JPEG、PNG、WebP、TIFF 或 HEIC 原图。
    """
    data = photo if isinstance(photo, bytes) else _read(Path(photo))
    tags = open_tags(data)
    grey = _small(data)
    return features_in(grey, tags.width_px, tags.height_px)


def features_in(grey: NDArray[np.uint8], width_px: int, height_px: int) -> Features:
    """Described points of a grey picture (rows, columns) that stands for one of `width_px` by `height_px`."""
    finder = cv2.SIFT.create(nfeatures=DETECTED, contrastThreshold=CONTRAST)
    keys = finder.detect(grey, None)
    if not keys:
        return Features(np.zeros((0, 2)), np.zeros((0, 128), np.uint8), width_px, height_px)
    # The order of the finder's own list is not promised; this one is.
    keys = sorted(keys, key=lambda key: (-key.response, key.pt, key.angle))
    rows, columns = grey.shape[:2]
    room: dict[tuple[int, int], int] = {}
    kept = []
    for key in keys:
        cell = (int(key.pt[0] * CELLS[0] / columns), int(key.pt[1] * CELLS[1] / rows))
        if room.get(cell, 0) < POINTS // (CELLS[0] * CELLS[1]):
            room[cell] = room.get(cell, 0) + 1
            kept.append(key)
    keys, marks = finder.compute(grey, kept)
    # The middle of a small pixel is the middle of the block of stored pixels it was made of.
    points = (np.array([key.pt for key in keys]) + 0.5) * (width_px / columns, height_px / rows)
    return Features(points, np.clip(marks, 0, 255).astype(np.uint8), width_px, height_px)


def pairs_of(outlines: Mapping[int, Array], slack_m: Mapping[int, float], least: float = 0.1) -> list[tuple[int, int]]:
    """Pairs of frames that may share a tenth (`least`) of the smaller one's ground, in order, the lower index first.

    `outlines`: points (n, 2), metres in one plane, whose hull is what a frame may see; `slack_m`: by how much
    it may lie off.

    >>> square = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]])
    >>> pairs_of({0: square, 1: square + 5.0, 7: square + 50.0}, {0: 1.0, 1: 1.0, 7: 1.0})
    [(0, 1)]
    """
    order = sorted(outlines)
    shapes = [MultiPoint(outlines[index]).convex_hull.buffer(slack_m[index]) for index in order]
    tree = STRtree(shapes)
    found = []
    for at, one in enumerate(shapes):
        for near in sorted(tree.query(one, predicate="intersects").tolist()):
            other = shapes[near]
            if near > at and one.intersection(other).area >= least * min(one.area, other.area):
                found.append((order[at], order[near]))
    return found


def ties_of(features: Mapping[int, Features], pairs: Sequence[tuple[int, int]]) -> list[Ties]:
    """The matches of each pair that agree on one plane; pairs with fewer than `LEAST_MATCHES` are left out.

    A match must be mutual, clearly better than its second best, and lie within `GEOMETRY_PX` of the
    homography most matches share. The same files give the same matches.
    """
    found = []
    for first, second in pairs:
        ties = _tied(features[first], features[second])
        if ties is not None:
            found.append(Ties(first, second, *ties))
    return found


def _tied(one: Features, other: Features) -> tuple[Array, Array] | None:
    marks_one, marks_other = one.marks.astype(np.float32), other.marks.astype(np.float32)
    if min(len(marks_one), len(marks_other)) < LEAST_MATCHES:
        return None
    # Squared distances of all to all.
    apart = np.einsum("ij,ij->i", marks_one, marks_one)[:, None] - 2.0 * (marks_one @ marks_other.T)
    apart += np.einsum("ij,ij->i", marks_other, marks_other)
    rows = np.arange(len(marks_one))
    best = apart.argmin(axis=1)
    nearest = apart[rows, best]
    apart[rows, best] = np.inf
    clear = np.flatnonzero(nearest < RATIO**2 * apart.min(axis=1))
    apart[rows, best] = nearest
    # Mutual: only the few columns that passed are searched, down which memory is slow to walk.
    kept = clear[apart[:, best[clear]].argmin(axis=0) == clear]
    if len(kept) < LEAST_MATCHES:
        return None
    here, there = one.points_px[kept], other.points_px[best[kept]]
    step = max(other.width_px, other.height_px) / LONG_SIDE_PX
    _, agreeing = cv2.findHomography(here, there, cv2.RANSAC, GEOMETRY_PX * step, maxIters=5000, confidence=0.999)
    if agreeing is None:
        return None
    same = np.flatnonzero(agreeing.ravel())
    if len(same) < LEAST_MATCHES:
        return None
    # Evenly thinned in the order of their strength.
    same = same[np.unique(np.linspace(0, len(same) - 1, min(len(same), MOST_MATCHES)).astype(int))]
    return here[same], there[same]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as fault:
        raise GeoError("no_file", f"读不到照片文件“{path.name}”，请检查路径和权限。") from fault


def _small(data: bytes) -> NDArray[np.uint8]:
    """The picture in grey, its longer side about `LONG_SIDE_PX`, contrast stretched when it is not 8 bit."""
    try:
        image: Image.Image
        if data[4:8] == b"ftyp":
            image = HeifImageFile(BytesIO(data))  # type: ignore[no-untyped-call]  # pillow_heif has no types
            image = Image.frombytes(image.mode, image.size, image.tobytes())
        else:
            image = Image.open(BytesIO(data))
        shrink = LONG_SIDE_PX / max(image.size)
        size = (max(1, round(image.width * shrink)), max(1, round(image.height * shrink)))
        image.draft("L", size)  # a JPEG decodes at a fraction of its size in a fraction of the time
        if image.mode.startswith(("I", "F")):
            deep = np.asarray(image, dtype=np.float32)
            low, high = (float(value) for value in np.percentile(deep, (1, 99)))
            image = Image.fromarray(np.clip((deep - low) / max(high - low, 1e-9) * 255, 0, 255).astype(np.uint8))
        grey = image.convert("L")
        return np.asarray(grey if grey.size == size else grey.resize(size, Image.Resampling.BOX))
    except DECODER_FAULTS as fault:
        raise GeoError("broken_photo", "照片文件已损坏，读不出画面；请重新导出后再试。") from fault
