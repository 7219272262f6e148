"""Walks along the river as stretches of bank: how many metres of which grid's bank were walked, each metre once.

Knows chainage and banks only, never the points of a track: where a person stood is not kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from geodata.errors import GeoError
from geodata.river import Bank

if TYPE_CHECKING:
    from geodata.place import Place

CELL_M = 10.0
OFF_BANK_M = 25.0  # where a grid is asked for, beside the water's middle
BANKS: tuple[Bank, ...] = ("left", "right")
Stretch = tuple[str, float, float]  # bank, from, to; metres of chainage
MOST_TIMES = 21


def read_plan(about: Mapping[str, Any], grids: Iterable[str], faults: list[GeoError]) -> dict[str, int]:
    """How often a week each grid's banks are to be walked, from `[patrols]` of place.toml; no plan is 0."""
    said = about.get("patrols", {})
    plan, known = {}, set(grids)
    named = said.get("grids", {}) if isinstance(said, dict) else {}
    for code in sorted(known | set(named)):
        times = named.get(code, said.get("times_a_week", 0)) if isinstance(said, dict) else None
        if code not in known:
            faults.append(GeoError("unknown-grid", f"[patrols.grids] 里的网格“{code}”不存在。", "place.toml"))
        elif not isinstance(times, int) or isinstance(times, bool) or not 0 <= times <= MOST_TIMES:
            faults.append(GeoError("bad-plan", f"巡河每周次数要写 0 到 {MOST_TIMES} 的整数。", "place.toml"))
        else:
            plan[code] = times
    return plan


@lru_cache(maxsize=8)
def _cells(place: Place) -> Mapping[tuple[str, int], str]:
    """The grid of every ten metres of each bank."""
    river = place.river
    if river is None:
        return {}
    found: dict[tuple[str, int], str] = {}
    for index in range(int(river.length_m // CELL_M)):
        for bank in BANKS:
            grid = place.grid_of(*river.point_at((index + 0.5) * CELL_M, OFF_BANK_M, bank))
            if grid is not None:
                found[bank, index] = grid.code
    return found


def bank_lengths(place: Place) -> dict[str, float]:
    """Metres of bank in each grid, both sides counted."""
    lengths: dict[str, float] = {}
    for code in _cells(place).values():
        lengths[code] = lengths.get(code, 0.0) + CELL_M
    return lengths


def walked(place: Place, stretches: Iterable[Stretch]) -> dict[str, float]:
    """Metres of each grid's bank that the stretches cover; walked twice counts once.

    >>> from geodata.place import Place
    >>> place = Place.open("taihugang")
    >>> sum(walked(place, [("left", 100, 300), ("left", 250, 200)]).values())
    200.0
    """
    cells = _cells(place)
    seen = set()
    for bank, from_m, to_m in stretches:
        low, high = min(from_m, to_m), max(from_m, to_m)
        first, last = int((low + CELL_M / 2) // CELL_M), int((high - CELL_M / 2) // CELL_M)
        seen |= {(bank, index) for index in range(max(0, first), last + 1)}
    lengths: dict[str, float] = {}
    for cell in seen:
        if cell in cells:
            lengths[cells[cell]] = lengths.get(cells[cell], 0.0) + CELL_M
    return lengths
