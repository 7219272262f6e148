"""What air, sun and camera do to a painted scene: blur, gain, uneven light, haze, glint, noise. Seeded per frame."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from geodata.scenes.difficulty import Difficulty

F32 = NDArray[np.float32]
HAZE_TINT = (1.0, 0.7, 0.45, 0.33, 0.15)  # path light falls with wavelength
_SPOT = (1.2, 0.6)  # glint specks are wider along the waves than across, px


def sense(surface: F32, open_water: F32, difficulty: Difficulty, rng: np.random.Generator) -> F32:
    """A frame: reflectance (5, h, w) as delivered, from the clean surface (5, h, w) and where water is open (h, w).

    Nothing is written into the arguments. The same generator state gives the same frame.
    """
    h, w = open_water.shape
    light = glint(open_water, difficulty, rng)
    ramp = _ramp(h, w, rng)
    gain = 1.0 + rng.uniform(-difficulty.gain, difficulty.gain)
    haze = rng.uniform(0.0, difficulty.haze)
    lean = _ramp(h, w, rng)
    frame = np.empty_like(surface)
    for band in range(len(surface)):
        tint = rng.uniform(-difficulty.gradient_tint, difficulty.gradient_tint)
        layer = np.asarray(surface[band] + light, dtype=np.float32)
        if difficulty.blur_px > 0:
            layer = np.asarray(cv2.GaussianBlur(layer, (0, 0), difficulty.blur_px), dtype=np.float32)
        layer *= np.float32(gain) * (1.0 + np.float32(difficulty.gradient + tint) * ramp)
        layer += np.float32(haze * HAZE_TINT[band]) * (1.0 + np.float32(0.5) * lean)
        if difficulty.noise > 0:
            layer *= 1.0 + np.float32(difficulty.noise) * rng.standard_normal((h, w), dtype=np.float32)
        if difficulty.read_noise > 0:
            layer += np.float32(difficulty.read_noise) * rng.standard_normal((h, w), dtype=np.float32)
        np.clip(layer, 0.0005, 1.5, out=frame[band])
    return frame


def glint(open_water: F32, difficulty: Difficulty, rng: np.random.Generator) -> F32:
    """Light (h, w) that the sun's mirror image adds on the stated share of the water, in specks of a few pixels."""
    h, w = open_water.shape
    if difficulty.glint <= 0:
        return np.zeros((h, w), np.float32)
    waves: NDArray[Any] = rng.standard_normal((h, w), dtype=np.float32)
    waves = cv2.GaussianBlur(waves, (0, 0), sigmaX=_SPOT[0], sigmaY=_SPOT[1])
    limit = np.quantile(waves[::7, ::5], 1.0 - difficulty.glint)
    strength = rng.exponential(difficulty.glint_light, (math.ceil(h / 4), math.ceil(w / 4))).astype(np.float32)
    strength = np.minimum(np.kron(strength, np.ones((4, 4), np.float32))[:h, :w] + np.float32(0.03), np.float32(0.6))
    return np.asarray(np.where(waves > limit, strength, np.float32(0)) * open_water, dtype=np.float32)


def _ramp(h: int, w: int, rng: np.random.Generator) -> F32:
    """A plane from -1 to 1 across the frame, in a random direction."""
    angle = rng.uniform(0, 2 * math.pi)
    x, y = math.cos(angle), math.sin(angle)
    across = np.linspace(-1, 1, w, dtype=np.float32)[None, :] * np.float32(x)
    down = np.linspace(-1, 1, h, dtype=np.float32)[:, None] * np.float32(y)
    return np.asarray((across + down) / np.float32(abs(x) + abs(y)), dtype=np.float32)
