"""A wide made-up river for measuring speed and memory: five bands, uint16, tiled, written row of tiles by row of tiles.

Not a scene to score recognition on (that is `geodata.scenes`): plain spectra, mild noise, some 600 objects at 8,000
pixels a side, sharp borders. The same seed and side give the same file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.windows import Window

TILE = 512
BANDS = ("blue", "green", "red", "rededge", "nir")
SPECTRA = {  # blue, green, red, red edge, near infrared; 1e-4 reflectance
    "land": (300, 700, 450, 2200, 4200),
    "water": (480, 620, 400, 300, 180),
    "debris": (1900, 2100, 2200, 2300, 2400),
    "bloom": (350, 800, 400, 2400, 4000),
    "sewage": (260, 300, 270, 250, 150),
    "soil": (900, 1300, 1900, 2300, 2600),
    "waste": (1700, 1800, 1900, 2000, 2100),
}
NOISE = 0.04


def write_picture(path: Path, side_px: int, seed: int = 7) -> int:
    """Writes the picture; returns how many objects were painted."""
    rng = np.random.default_rng(seed)
    objects = _objects(rng, side_px)
    profile = {
        "driver": "GTiff", "width": side_px, "height": side_px, "count": 5, "dtype": "uint16", "tiled": True,
        "blockxsize": TILE, "blockysize": TILE, "interleave": "band", "crs": "EPSG:32649", "BIGTIFF": "IF_SAFER",
        "transform": Affine(0.05, 0, 613000.0, 0, -0.05, 3359000.0),
    }  # fmt: skip
    spectra = {name: np.array(values, np.float32) for name, values in SPECTRA.items()}
    with rasterio.open(path, "w", **profile) as out:
        out.scales, out.offsets = (1e-4,) * 5, (0.0,) * 5
        out.descriptions = BANDS
        for y0 in range(0, side_px, TILE):
            height = min(TILE, side_px - y0)
            codes = _codes(objects, side_px, y0, height)
            values = np.empty((5, height, side_px), np.uint16)
            table = np.stack([spectra[name] for name in SPECTRA])
            heap = codes == list(SPECTRA).index("waste")
            for b in range(5):
                # Cheap noise with about the right spread; what is measured is not its shape.
                grain = rng.integers(-128, 128, codes.shape, dtype=np.int16).astype(np.float32) * (NOISE * 1.73 / 128)
                grain[heap] *= 12.0
                values[b] = np.clip(table[:, b][codes] * (1.0 + grain), 1, 65535)
            out.write(values, window=Window(0, y0, side_px, height))
    return len(objects)


def _middle(x: np.ndarray, side_px: int) -> np.ndarray:
    return side_px * (0.5 + 0.08 * np.sin(x / side_px * 9.0))


def _objects(rng: np.random.Generator, side_px: int) -> list[tuple[str, float, float, float, float]]:
    """Kind, centre and radii of ellipses on a lattice, each where its kind belongs."""
    found: list[tuple[str, float, float, float, float]] = []
    step = 250
    for gy in range(side_px // step):
        for gx in range(side_px // step):
            x, y = (gx + rng.uniform(0.35, 0.65)) * step, (gy + rng.uniform(0.35, 0.65)) * step
            off = abs(y - float(_middle(np.array(x), side_px))) - 0.3 * side_px
            if off < -320:
                kind = ("debris", "bloom", "debris", "")[int(rng.integers(4))]
            elif 70 < off < 500:
                kind = ("soil", "waste", "", "")[int(rng.integers(4))]
            else:
                kind = ""
            radius = {"debris": (4, 25), "bloom": (10, 60), "soil": (20, 60), "waste": (15, 50)}.get(kind)
            if radius:
                found.append((kind, x, y, rng.uniform(*radius), rng.uniform(*radius)))
    for x in np.arange(400, side_px - 400, 1500):  # plumes that hug the bank
        y = float(_middle(np.array(x), side_px)) - 0.3 * side_px + 60
        found.append(("sewage", float(x), y, rng.uniform(150, 350), rng.uniform(55, 70)))
    return found


def _codes(objects: list[tuple[str, float, float, float, float]], side_px: int, y0: int, height: int) -> np.ndarray:
    names = list(SPECTRA)
    x, y = np.arange(side_px) + 0.5, np.arange(y0, y0 + height) + 0.5
    wet = np.abs(y[:, None] - _middle(x, side_px)[None, :]) < 0.3 * side_px
    codes = wet.astype(np.uint8)  # 0 land, 1 water
    for kind, cx, cy, rx, ry in objects:
        if cy + ry < y0 or cy - ry > y0 + height:
            continue
        left, right = max(int(cx - rx), 0), min(int(cx + rx) + 1, side_px)
        inside = ((x[left:right] - cx) / rx)[None, :] ** 2 + ((y - cy) / ry)[:, None] ** 2 <= 1.0
        if kind == "sewage":
            inside &= wet[:, left:right]
        codes[:, left:right][inside] = names.index(kind)
    return codes
