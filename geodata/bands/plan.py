"""Rules bound to the bands of one picture: flat arrays that a loop over pixels can follow.

It decides which rows of the rules can be used here and says which kinds cannot be seen; it looks at no pixel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geodata.bands.ruleset import KINDS, Index, Row, RuleSet, Term
from geodata.bands.stack import in_chinese
from geodata.bands.wavelengths import NAMES

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
U8 = NDArray[np.uint8]

WATER, BANK, OPEN = 1, 2, 4
"""Bits of a pixel's zone: open water is WATER | OPEN, the strip of water along the bank only WATER."""
ZONES = {"water": WATER, "open_water": OPEN, "bank": BANK, "both": WATER | BANK}
KIND_ZH = {
    "sewage": "污水直排",
    "floating_debris": "漂浮物",
    "bare_soil": "裸土",
    "aquatic_bloom": "水葫芦和藻华",
    "solid_waste": "岸坡固废",
}
_USUAL_NM = {"blue": 475.0, "green": 560.0, "red": 665.0, "rededge": 725.0, "nir": 840.0}


class Signals(NamedTuple):
    """How numbers of the file become bands: `scale`, `offset` (n,); `texture` the band it is taken of, or -1."""

    scale: F32
    offset: F32
    texture: int
    smooth: bool
    quantum: np.float32
    green: int
    red: int


class Features(NamedTuple):
    """Indices as weights (k, n + 1) of the bands and the texture; `ratio` (k,) says where `den` divides."""

    num: F32
    den: F32
    ratio: U8


class Rules(NamedTuple):
    """Rows and their terms, flat. `slot` is a term's place among the relative ones, or -1 for a fixed limit."""

    zone: U8
    terms: I32  # (rows + 1,)
    unless: I32  # (rows + 1,) into `groups`
    groups: I32  # (groups + 1,) into the terms behind `terms[-1]`
    feature: I32
    above: U8
    slot: I32
    limit: F32
    soft: F32


class Levels(NamedTuple):
    """Relative limits on a coarse grid (slots, gy, gx) and where each row and column lies in it.

    `first` (gx + 1,): the first column of each stretch between two lattice lines.
    """

    limit: F32
    soft: F32
    row: I32
    row_part: F32
    column: I32
    column_part: F32
    first: I32


@dataclass(frozen=True)
class Plan:
    """What to do with each pixel of one picture. `bands`: places in the source; `names`: their canonical names."""

    bands: tuple[int, ...]
    names: tuple[str, ...]
    rows: tuple[Row, ...]
    indices: tuple[str, ...]
    signals: Signals
    features: Features
    rules: Rules
    relative: tuple[Term, ...]  # by slot
    missing: Mapping[str, tuple[str, ...]]  # kind that cannot be seen -> the bands it lacks

    def warnings(self) -> list[str]:
        """What cannot be seen in this picture and why, as sentences."""
        said = []
        for kind, bands in self.missing.items():
            why = "缺少" + "、".join(in_chinese(band) for band in bands) + "波段" if bands else "影像不是反射率"
            said.append(f"{why}，本次不识别{KIND_ZH[kind]}。")
        return said


def bind(
    rules: RuleSet,
    names: Sequence[str | None],
    wavelengths_nm: Sequence[float | None],
    scales: Sequence[float],
    offsets: Sequence[float],
    reflectance: bool,
) -> Plan:
    """The plan for a picture whose bands have these names; without reflectance only terms that ratios carry.

    >>> from geodata.bands.ruleset import read_rules
    >>> names = ("green", "red", "rededge", "nir")
    >>> plan = bind(read_rules(), names, (None,) * 4, (1.0,) * 4, (0.0,) * 4, True)
    >>> "soil_without_blue" in [row.name for row in plan.rows], dict(plan.missing)
    (True, {})
    """
    held = [name for name in NAMES if name in names]
    known = frozenset((*held, "texture"))
    usable = {row.name: terms for row in rules.rows if (terms := _usable(row, rules, known, reflectance)) is not None}
    chosen = [row for row in rules.rows if row.name in usable and row.instead_of not in usable]
    seen = {row.kind for row in chosen}
    missing = {
        kind: _lacking(kind, rules, known)
        for kind in KINDS
        if kind not in seen and any(r.kind == kind for r in rules.rows)
    }
    bands = tuple(list(names).index(name) for name in held)
    waves = {name: wavelengths_nm[band] or _USUAL_NM[name] for name, band in zip(held, bands, strict=True)}
    wanted = [name for name, index in rules.indices.items() if index.bands <= known]
    flat = _flat(chosen, usable, wanted)
    uses_texture = any("texture" in rules.indices[name].bands for name in wanted)
    signals = Signals(
        np.array([scales[band] for band in bands], np.float32),
        np.array([offsets[band] for band in bands], np.float32),
        held.index("red") if uses_texture else -1,
        rules.smoothing != "none",
        np.float32(65536.0 if reflectance else 1.0),
        held.index("green"),
        held.index("red"),
    )
    return Plan(
        bands, tuple(held), tuple(chosen), tuple(wanted), signals, _features(rules.indices, wanted, held, waves),
        flat[0], flat[1], missing,
    )  # fmt: skip


def _usable(row: Row, rules: RuleSet, known: frozenset[str], reflectance: bool) -> tuple[list[Term], ...] | None:
    """The row's terms and its `unless` lists as far as they can be asked here, or None when the row cannot."""

    def can(term: Term) -> bool:
        index = rules.indices[term.index]
        return index.bands <= known and (reflectance or index.ratio or term.unit != "value")

    if not all(can(term) or term.optional for term in row.terms):
        return None
    if not all(term.measure not in rules.indices or _measurable(rules, term.measure, known, reflectance)
               for term in row.object_terms):  # fmt: skip
        return None
    terms = [term for term in row.terms if can(term)]
    groups = [list(group) for group in row.unless if all(can(term) for term in group)]
    return (terms, *groups) if terms else None


def _measurable(rules: RuleSet, name: str, known: frozenset[str], reflectance: bool) -> bool:
    return rules.indices[name].bands <= known and (reflectance or rules.indices[name].ratio)


def _lacking(kind: str, rules: RuleSet, known: frozenset[str]) -> tuple[str, ...]:
    """The fewest bands that would let a kind be seen."""
    wants = []
    for row in rules.rows:
        if row.kind == kind:
            asked = [rules.indices[term.index].bands for term in row.terms if not term.optional]
            wants.append(frozenset().union(*asked) - known)
    best = min(wants, key=len, default=frozenset())
    return tuple(name for name in NAMES if name in best)


def _flat(
    chosen: Sequence[Row], usable: Mapping[str, tuple[list[Term], ...]], wanted: Sequence[str]
) -> tuple[Rules, tuple[Term, ...]]:
    terms: list[Term] = []
    starts, unless, groups = [0], [0], []
    for row in chosen:
        terms += usable[row.name][0]
        starts.append(len(terms))
    for row in chosen:
        for group in usable[row.name][1:]:
            groups.append(len(terms))
            terms += group
        unless.append(len(groups))
    groups.append(len(terms))
    relative = [term for term in terms if term.unit != "value"]
    slots = iter(range(len(relative)))
    flat = Rules(
        np.array([ZONES[row.where] for row in chosen], np.uint8),
        np.array(starts, np.int32),
        np.array(unless, np.int32),
        np.array(groups, np.int32),
        np.array([wanted.index(term.index) for term in terms], np.int32),
        np.array([term.above for term in terms], np.uint8),
        np.array([next(slots) if term.unit != "value" else -1 for term in terms], np.int32),
        np.array([term.limit for term in terms], np.float32),
        np.array([term.soft for term in terms], np.float32),
    )
    return flat, tuple(relative)


def _features(
    indices: Mapping[str, Index], wanted: Sequence[str], held: Sequence[str], waves: Mapping[str, float]
) -> Features:
    places = {name: place for place, name in enumerate((*held, "texture"))}
    num = np.zeros((len(wanted), len(held) + 1), np.float32)
    den = np.zeros_like(num)
    for k, name in enumerate(wanted):
        index = indices[name]
        if index.line is not None:
            top, left, right = index.line
            part = (waves[top] - waves[left]) / (waves[right] - waves[left])
            for band, weight in ((top, 1.0), (left, part - 1.0), (right, -part)):
                num[k, places[band]] = weight
        for band, weight in index.of:
            num[k, places[band]] = weight
        for band, weight in index.over:
            den[k, places[band]] = weight
    return Features(num, den, np.array([indices[name].ratio for name in wanted], np.uint8))
