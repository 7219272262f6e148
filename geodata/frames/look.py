"""What one picture's pixels say of themselves: too soft, too dark, too flat. It judges no content.

Softness is read off edges, not off the amount of detail, so that smooth water is not taken for blur: along each
strong edge the slope is measured after two known blurs, and their ratio tells the edge's own width whatever its
contrast. Where a picture has too few edges, or all run one way as ripples do, there is no answer instead of a
bad one. The width of the softest direction counts, for a moving camera blurs one direction only.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geodata.errors import GeoError
from geodata.frames.tags import DECODER_FAULTS, open_tags

Gray = NDArray[np.uint8]

TILE_PX = 512
TILES = (3, 4)  # rows and columns of tiles that are looked at, whatever the picture's size
_FINE, _COARSE = 1.0, 2.0  # the two blurs, pixels
_LEAST_SLOPE = 1.5  # grey levels a pixel at the coarse blur; below it an edge is noise or haze
_STEEP_SLOPE = 2.5  # the steeper edges of a picture must reach this, or there is nothing to judge by
_LEAST_EDGES = 100  # a direction
_DIRECTIONS = 4
_MARGIN_PX = 8
FLAT_LEVELS, DARK_LEVEL = 8.0, 32.0


@dataclass(frozen=True)
class Look:
    """Of one picture: `softness_px`, the blur (1 sigma) of its edges, None when it has too few to tell.

    `edge_levels` is the slope of its steeper edges, grey levels a pixel: faint ones (a river bed seen through
    water) may be soft by nature. `bright_level` is the 99th percentile of grey, 0 to 255; `spread_levels` the distance from the 1st to it.
    """

    softness_px: float | None
    bright_level: float
    spread_levels: float
    edge_levels: float = 0.0

    @property
    def covered(self) -> bool:
        """Whether nothing but darkness or one even tone came through, as behind a lens cap."""
        return self.bright_level <= DARK_LEVEL or self.spread_levels <= FLAT_LEVELS


def look_at(picture: str | Path | bytes) -> Look:
    """Look at one photograph, given as a path or as bytes.

    Raises `GeoError` as `read_frame` does. Memory: one decoded grey picture. Source: the ratio of gradient
    magnitudes of a blurred step edge; measured on frames blurred by known amounts (tests), not in the field.
    """
    data = picture if isinstance(picture, bytes) else None
    tags = open_tags(picture)  # refuses what is too large before anything is decoded
    raw = data if data is not None else Path(str(picture)).read_bytes()
    return look(_gray(raw, tags.format))


def look(gray: Gray) -> Look:
    """The same of a grey picture (rows, columns), 8 bit.

    >>> look(np.full((600, 600), 7, np.uint8))
    Look(softness_px=None, bright_level=7.0, spread_levels=0.0, edge_levels=0.0)
    >>> chess = np.kron(np.indices((20, 20)).sum(axis=0) % 2, np.ones((30, 30))).astype(np.uint8) * 200
    >>> look(chess).covered
    False
    """
    low, high = (float(value) for value in np.percentile(gray[::4, ::4], (1.0, 99.0)))
    softness, slope = softness_of(gray)
    return Look(softness, high, high - low, slope)


def softness_of(gray: Gray) -> tuple[float | None, float]:
    """Blur (1 sigma, pixels) of the edges of the softest direction, and the slope of the steeper edges.

    The blur is None when there are too few edges to tell. Sharpened
    pictures read 0; above about 3.5 the reading saturates, since then few edges are left.
    """
    widths: list[NDArray[np.float32]] = []
    turns: list[NDArray[np.float32]] = []
    slopes: list[NDArray[np.float32]] = []
    for tile in _tiles(gray):
        found = _edges(tile)
        for held, part in zip((widths, turns, slopes), found, strict=True):
            held.append(part)
    width, turn, slope = (np.concatenate(parts) for parts in (widths, turns, slopes))
    steep = float(np.percentile(slope, 90)) if len(slope) else 0.0
    if len(width) < 3 * _LEAST_EDGES or steep < _STEEP_SLOPE:
        return None, steep
    direction = np.floor(turn / np.pi * _DIRECTIONS + 0.5).astype(np.int64) % _DIRECTIONS
    medians = [float(np.median(part)) for k in range(_DIRECTIONS) if len(part := width[direction == k]) >= _LEAST_EDGES]
    return (max(medians) if len(medians) >= 3 else None), steep


def _tiles(gray: Gray) -> list[Gray]:
    """Up to 3 x 4 tiles spread over the picture, so that a huge one costs no more than a small one."""
    starts = []
    for side, most in zip(gray.shape, TILES, strict=True):
        count = min(most, max(1, side // TILE_PX))
        starts.append(np.linspace(0, max(side - TILE_PX, 0), count).astype(int))
    return [gray[top : top + TILE_PX, left : left + TILE_PX] for top in starts[0] for left in starts[1]]


def _edges(tile: Gray) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Own blur, direction (radians) and slope of the edges of a tile, one value an edge pixel."""
    plain = tile.astype(np.float32)
    if min(plain.shape) <= 4 * _MARGIN_PX:
        empty = np.empty(0, np.float32)
        return empty, empty, empty
    fine = np.hypot(*_slopes(plain, _FINE))
    across, down = _slopes(plain, _COARSE)
    coarse = np.hypot(across, down)
    # Noise of the picture by its calmest blocks: what it alone does to the coarse slope is 0.2 / sigma squared.
    rough = np.abs(cv2.Laplacian(plain, cv2.CV_32F))
    rows, columns = (side // 32 * 32 for side in rough.shape)
    blocks = rough[:rows, :columns].reshape(rows // 32, 32, -1, 32).mean(axis=(1, 3))
    noise = float(np.percentile(blocks, 5)) / (0.8 * np.sqrt(20.0))
    good = coarse > max(_LEAST_SLOPE, 8.0 * noise * 0.2 / _COARSE**2)
    good &= coarse >= cv2.dilate(coarse, np.ones((5, 5), np.uint8)) * 0.98  # the crest of the edge only
    good[:_MARGIN_PX], good[-_MARGIN_PX:], good[:, :_MARGIN_PX], good[:, -_MARGIN_PX:] = (False,) * 4
    # A step of blur s shows the slope 1 / hypot(s, blur) after each blur, hence s from the ratio of the two.
    ratio = np.clip(coarse[good] / np.maximum(fine[good], 1e-6), 0.3, 0.9999) ** 2
    own = np.sqrt(np.maximum((ratio * _COARSE**2 - _FINE**2) / (1.0 - ratio), 0.0))
    return own, np.arctan2(down[good], across[good]) % np.float32(np.pi), coarse[good]


def _slopes(plain: NDArray[np.float32], blur: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    soft = cv2.GaussianBlur(plain, (0, 0), blur)
    across = cv2.Sobel(soft, cv2.CV_32F, 1, 0, ksize=1) / np.float32(2.0)
    return across, cv2.Sobel(soft, cv2.CV_32F, 0, 1, ksize=1) / np.float32(2.0)


def _gray(data: bytes, kind: str) -> Gray:
    """The decoded picture in 8-bit grey; deeper ones are scaled from the least usual depth that holds them."""
    try:
        found = None
        if kind not in ("HEIF", "TIFF"):
            found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
        if found is None:
            found = _slowly(data)
    except (cv2.error, *DECODER_FAULTS) as fault:
        raise GeoError("broken_photo", "照片文件已损坏，读不出画面；请重新导出后上传。") from fault
    if found.dtype == np.uint8:
        return np.asarray(found)
    plain = np.nan_to_num(found.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    most = float(plain.max(initial=0.0))
    white = next((limit for limit in (1.0, 255.0, 1023.0, 4095.0, 16383.0, 65535.0) if most <= limit), most)
    return np.asarray(np.clip(plain * (255.0 / white), 0, 255).astype(np.uint8))


def _slowly(data: bytes) -> NDArray[Any]:
    """By Pillow, for what OpenCV does not read, or not without complaining aloud about every odd tag."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with _opened(data) as image:
            deep = image.mode in ("I", "F") or image.mode.startswith("I;16")
            return np.asarray(image if deep else image.convert("L"))


def _opened(data: bytes) -> Image.Image:
    if data[4:8] == b"ftyp":
        from pillow_heif import HeifImageFile  # only here: most pictures never need it

        heif: Image.Image = HeifImageFile(BytesIO(data))  # type: ignore[no-untyped-call]  # pillow_heif has no types
        return heif
    return Image.open(BytesIO(data))
