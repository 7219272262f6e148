"""How hard a generated scene is: every figure in one place, fixed before any rule was tuned.

The same figures stand in docs/recognition.md; a test compares. Harder is allowed later, easier is not.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Difficulty:
    """Figures of one scene; shares and reflectances are 0 to 1, lengths metres.

    >>> Difficulty().noise >= 0.08 and Difficulty().glint >= 0.05
    True
    """

    noise: float = 0.08  # multiplicative, one sigma, for each pixel and band by itself
    read_noise: float = 0.002  # additive, one sigma, reflectance
    gain: float = 0.10  # a frame is brighter or darker as a whole by up to this
    blur_px: float = 0.7  # the lens: sigma of its spot
    gradient: float = 0.30  # light falls by up to this from the middle to either side, in a direction of its own
    gradient_tint: float = 0.03  # and the bands do so unlike each other by this
    haze: float = 0.03  # most path light in the blue band; falls to 0.15 of it in the near infrared
    glint: float = 0.05  # share of the water's pixels with sun glint, elsewhere in every frame
    glint_light: float = 0.12  # mean light a glint adds, the same in all bands
    cloud: float = 0.4  # chance of a cloud shadow over part of the scene
    cloud_light: tuple[float, float] = (0.5, 0.75)  # what is left under it
    mixed_border: float = 0.25  # at least this share of the pixels along an object's outline hold two materials
    smallest_px: int = 4  # debris starts at this many pixels a side
    cover: tuple[float, float] = (0.75, 1.0)  # debris and mats let this much of the water through or not
    waterline_m: float = 0.5  # the official water surface is wrong by up to this on each bank
    shallow_m: float = 1.2  # the bottom shines through along the bank
    reed: float = 0.35  # share of the waterline with reed that stands up to 0.8 m in the water
    trees_per_ha: float = 16.0
    roofs_per_ha: float = 3.5
    boats: tuple[int, int] = (0, 2)
    bridge: float = 0.6  # chance of a bridge
    path: float = 0.8  # chance of a paved path along a bank
    visible: float = 0.25  # a plume ends where this share of the discharge is left
    contrast: float = 1.4  # discharge and river differ by this factor in their most unlike band, or nobody sees it
    offset_px: float = 1.0  # a frame lies this far off its stated place
    shift_px: int = 24  # and its corner lies this far from the first frame's


DIFFICULTY = Difficulty()
