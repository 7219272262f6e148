"""Two rounds of one place for the tests: crops of real frames, and generated scenes, with known changes."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import scipy.ndimage
import shapely
from pyproj import Transformer

from geodata.effect.picture import Picture, held

UTM = "EPSG:32615"
TO_DEGREES = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True)
EAST, NORTH, GSD_M = 576_000.0, 5_188_000.0, 0.02
SIDE_PX = 520
FRAMES = ("DJI_0018", "DJI_0019", "DJI_0020", "DJI_0021", "DJI_0022", "DJI_0023", "DJI_0031", "DJI_0032")
VERDICTS = ("resolved", "reduced", "unchanged", "worse", "not_observed")
UNSEEN = ("gap", "cloud", "shadow", "beyond", "elsewhere", "water only")
COLOURS = ((60, 120, 40), (225, 225, 215), (35, 35, 40), (190, 90, 40), (60, 90, 170), (120, 160, 60))


@dataclass
class Rounds:
    before: Picture
    after: Picture
    outline: shapely.Polygon
    verdict: str
    why: str
    truth: np.ndarray
    """Pixels of the earlier picture -> the same place in the later one, (3, 3)."""


@functools.lru_cache(maxsize=8)
def half_size(path: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_2), cv2.COLOR_BGR2RGB)


def crop(folder: Path, draw: np.random.Generator) -> np.ndarray:
    """A square of a real frame with something on the ground to see, (h, w, 3)."""
    name = FRAMES[int(draw.integers(len(FRAMES)))]
    image = half_size(folder / f"{name}.JPG")
    for _ in range(30):
        y, x = (int(draw.integers(0, size - SIDE_PX)) for size in image.shape[:2])
        part = image[y : y + SIDE_PX, x : x + SIDE_PX].astype(np.float32)
        grey = part.mean(axis=2)
        if np.median(np.abs(cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), 1.5), cv2.CV_32F))) > 1.2:
            return part
    return part


def blob(draw: np.random.Generator, centre: tuple[float, float], radius_px: float, scale: float) -> np.ndarray:
    """A rough patch, (h, w) 0 … 1 with soft edges; the same draw with another scale is the same shape, grown."""
    y, x = np.mgrid[0:SIDE_PX, 0:SIDE_PX].astype(np.float32)
    angle = np.arctan2(y - centre[1], x - centre[0])
    rough = 1.0 + sum(draw.uniform(0, 0.18) * np.cos(n * angle + draw.uniform(0, 6.3)) for n in (2, 3, 5))
    away = np.hypot(x - centre[0], (y - centre[1]) * draw.uniform(0.8, 1.3))
    return np.clip((radius_px * scale * rough - away) / 2.0 + 0.5, 0, 1)


def real_rounds(folder: Path, seed: int) -> Rounds:
    """A real crop with a patch painted in, and the crop again: moved, turned, in other light, the patch changed."""
    draw = np.random.default_rng([seed, 31])
    ground = crop(folder, draw)
    verdict = VERDICTS[seed % len(VERDICTS)]
    why = UNSEEN[(seed // len(VERDICTS)) % len(UNSEEN)] if verdict == "not_observed" else ""
    area = {"reduced": draw.uniform(0.3, 0.6), "worse": draw.uniform(1.7, 2.5), "resolved": 0.0}.get(verdict, 1.0)
    centre = tuple(float(value) for value in draw.uniform(0.35 * SIDE_PX, 0.65 * SIDE_PX, 2))
    radius = float(draw.uniform(12, 36))
    state = int(draw.integers(1 << 30))
    here = ground[int(centre[1]), int(centre[0])]
    colours = [colour for colour in COLOURS if np.abs(np.array(colour) - here).max() > 60]
    colour = np.array(colours[int(draw.integers(len(colours)))], np.float32)
    texture = scipy.ndimage.gaussian_filter(draw.normal(size=ground.shape[:2]), 1.5)
    texture *= draw.uniform(0.04, 0.12) / texture.std()

    def painted(scale: float) -> np.ndarray:
        if scale == 0.0:
            return ground.copy()
        mask = blob(np.random.default_rng(state), centre, radius, math.sqrt(scale))[:, :, None]
        return ground * (1 - mask) + mask * colour * (1 + texture[:, :, None])

    first, second = painted(1.0), painted(area)
    outline_px = blob(np.random.default_rng(state), centre, radius, 1.0) > 0.5
    if why == "elsewhere":
        second = crop(folder, np.random.default_rng([seed, 77]))[::-1]
    if why == "water only":
        second = np.full_like(second, 90) + draw.normal(0, 6, second.shape)
    wide = scipy.ndimage.binary_dilation(outline_px, iterations=int(draw.integers(4, 40)))
    soft = cv2.GaussianBlur(wide.astype(np.float32), (0, 0), 2.0)[:, :, None]
    if why == "cloud":
        second = second * (1 - soft) + soft * draw.uniform(232, 250)
    if why == "shadow":
        second = second * (1 - soft * draw.uniform(0.6, 0.75))
    turn, shift = draw.uniform(-1.2, 1.2), draw.uniform(-20, 20, 2)
    motion = cv2.getRotationMatrix2D((SIDE_PX / 2, SIDE_PX / 2), turn, draw.uniform(0.995, 1.005))
    motion[:, 2] += shift
    moved = cv2.warpAffine(second.astype(np.float32), motion, (SIDE_PX, SIDE_PX), borderValue=(-999,) * 3)
    valid = moved.min(axis=2) > -1
    if why == "gap":
        hole = scipy.ndimage.binary_dilation(outline_px, iterations=3).astype(np.float32)
        valid &= cv2.warpAffine(hole, motion, (SIDE_PX, SIDE_PX)) < 0.3
    gain, offset = draw.uniform(0.8, 1.2) * draw.uniform(0.96, 1.04, 3), draw.uniform(-6, 6)
    noisy = [part + draw.normal(0, 3, part.shape) for part in (first, moved * gain + offset)]
    stored = [cv2.imdecode(cv2.imencode(".jpg", np.clip(part, 0, 255).astype(np.uint8))[1], 1) for part in noisy]
    transform = (GSD_M, 0.0, EAST, 0.0, -GSD_M, NORTH)
    bands = [part.transpose(2, 0, 1).astype(np.float32) for part in stored]
    later = transform
    if why == "beyond":
        keep = max(60, int(centre[0] - radius * 1.4 - 40))
        bands[1], valid = bands[1][:, :, :keep], valid[:, :keep]
    names = ("red", "green", "blue")
    return Rounds(
        held(bands[0], names, transform, UTM),
        held(bands[1], names, later, UTM, valid),
        _outline(outline_px, transform),
        verdict,
        why,
        np.vstack((motion, [0.0, 0.0, 1.0])),
    )


def _outline(mask: np.ndarray, transform: tuple[float, ...]) -> shapely.Polygon:
    ring = max(cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=len)[:, 0, :]
    lon, lat = TO_DEGREES.transform(
        transform[2] + (ring[:, 0] + 0.5) * transform[0], transform[5] + (ring[:, 1] + 0.5) * transform[4]
    )
    return shapely.Polygon(np.column_stack((lon, lat))).buffer(0)
