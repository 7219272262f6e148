"""Two pictures for a swipe view: the same ground, the same pixels, the same colours for the same light."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from geodata.effect.canvas import F32, Canvas, Mask

MOST_PX = 2_000_000
QUALITY = 85
UNSEEN = 200
"""Grey of what a picture does not show."""


@dataclass(frozen=True)
class Pair:
    """JPEG bytes of both rounds and their common bounds: west, south, east, north, WGS-84."""

    before: bytes = field(repr=False)
    after: bytes = field(repr=False)
    bounds: tuple[float, float, float, float]
    width_px: int
    height_px: int
    colours: tuple[str, str, str]


def pair(before: F32, after: F32, valid: tuple[Mask, Mask], names: tuple[str, ...], canvas: Canvas) -> Pair:
    """Both rounds drawn with one colour scale, taken over the pixels of both.

    `before`, `after` (n, h, w) registered, in one light; red, green and blue where there are, otherwise
    near infrared, red and green, otherwise the first band as grey.
    """
    colours = _colours(names)
    chosen = [names.index(name) for name in colours]
    images = [part[chosen] for part in (before, after)]
    lows, highs = [], []
    for at in range(3):
        parts = [image[at][mask] for image, mask in zip(images, valid, strict=True) if mask.any()]
        spread = np.concatenate(parts) if parts else np.zeros(1, np.float32)
        low, high = np.percentile(spread, (1, 99))
        lows.append(float(low))
        highs.append(max(float(high), float(low) + 1e-6))
    drawn = [_jpeg(image, mask, lows, highs) for image, mask in zip(images, valid, strict=True)]
    width, height = _size(canvas)
    return Pair(drawn[0], drawn[1], canvas.bounds, width, height, colours)


def _colours(names: tuple[str, ...]) -> tuple[str, str, str]:
    for three in (("red", "green", "blue"), ("nir", "red", "green")):
        if set(three) <= set(names):
            return three
    return names[0], names[0], names[0]


def _size(canvas: Canvas) -> tuple[int, int]:
    scale = min(1.0, (MOST_PX / (canvas.width_px * canvas.height_px)) ** 0.5)
    return max(1, int(canvas.width_px * scale)), max(1, int(canvas.height_px * scale))


def _jpeg(image: F32, mask: Mask, lows: list[float], highs: list[float]) -> bytes:
    low, high = (np.array(part, np.float32)[:, None, None] for part in (lows, highs))
    bright = np.clip((image - low) / (high - low), 0, 1) ** 0.8 * 255
    drawn = np.where(mask, bright, UNSEEN).astype(np.uint8).transpose(1, 2, 0)[:, :, ::-1]
    scale = min(1.0, (MOST_PX / mask.size) ** 0.5)
    if scale < 1.0:
        size = (max(1, int(mask.shape[1] * scale)), max(1, int(mask.shape[0] * scale)))
        drawn = np.asarray(cv2.resize(drawn, size, interpolation=cv2.INTER_AREA))
    _, encoded = cv2.imencode(".jpg", np.ascontiguousarray(drawn), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    data: NDArray[np.generic] = np.asarray(encoded)
    return bytes(data.tobytes())
