"""Rules of the tests' own, so that tuning the bundled ones changes no test of the engine."""

from __future__ import annotations

import tomllib
from typing import Any

from geodata.bands.ruleset import RuleSet, rules_of

TEXT = """
format = 1
version = "test"
smoothing = "median3"
[bank]
buffer_m = 8.0
[index]
ndvi = { of = { nir = 1, red = -1 }, over = { nir = 1, red = 1 } }
ndwi = { of = { green = 1, nir = -1 }, over = { green = 1, nir = 1 } }
red_over_green = { of = { red = 1 }, over = { green = 1 } }
nir = { of = { nir = 1 } }
red = { of = { red = 1 } }
height = { height_of = "rededge", from = "red", to = "nir" }
texture = { of = { texture = 1 }, over = { red = 1 } }
[[kind]]
name = "bloom"
kind = "aquatic_bloom"
where = "water"
min_area_m2 = 0.2
terms = [
  { index = "ndvi", above = 0.4, soft = 0.2 },
  { index = "nir", above = 6.0, unit = "mad", soft = 6.0 },
]
[[kind]]
name = "debris"
kind = "floating_debris"
where = "water"
min_area_m2 = 0.1
terms = [
  { index = "nir", above = 3.0, unit = "share", soft = 1.0 },
  { index = "red", above = 5.0, unit = "mad", soft = 5.0 },
  { index = "ndvi", below = 0.3, soft = 0.15 },
]
unless = [[{ index = "texture", above = 50.0 }, { index = "height", above = 0.5 }]]
[[kind]]
name = "soil"
kind = "bare_soil"
where = "bank"
min_area_m2 = 1.0
terms = [
  { index = "ndvi", above = -0.05, below = 0.3, soft = 0.08 },
  { index = "red_over_green", above = 1.1, soft = 0.15 },
  { index = "red", above = 0.05, soft = 0.05, optional = true },
]
"""


def papers() -> dict[str, Any]:
    """The rules as TOML gives them, to be changed at will."""
    return tomllib.loads(TEXT)


def rules(**changed: Any) -> RuleSet:
    """The rules, with top-level entries replaced."""
    return rules_of(papers() | changed)
