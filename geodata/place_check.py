"""Checks a place folder whole: faults that stop it from opening, then warnings that a person should look at.

It changes nothing and repairs nothing.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import shapely

from geodata.errors import GeoError
from geodata.place import Place, locate, read_place

# Below this a sliver is drawing noise, not a disputed strip.
SLIVER_M2 = 5.0
WATER_SLIVER_M2 = 25.0


def check(folder: str | Path) -> list[GeoError]:
    """Everything wrong or doubtful in a place folder, at once; `facts["severity"]` is `error` or `warning`.

    Warnings are only looked for in a place that opens. Raises GeoError `no-place` for a folder that is none.

    >>> check("taihugang")
    []
    """
    place, faults = read_place(locate(folder))
    return faults if place is None else _warnings(place)


def _warn(code: str, where: str, sentence: str) -> GeoError:
    return GeoError(code, f"{where}：{sentence}", where, severity="warning")


def _metres(place: Place, shape: Any) -> Any:
    return shapely.transform(shape, place.frame.forward, interleaved=False)


def _at(place: Place, shape_m: Any) -> str:
    spot = shape_m.representative_point()
    lon, lat = place.frame.inverse(spot.x, spot.y)
    return f"({lon:.6f}, {lat:.6f})"


def _warnings(place: Place) -> list[GeoError]:
    found: list[GeoError] = []
    water_m = _metres(place, place.water)
    grids = [(grid.code, _metres(place, grid.polygon)) for grid in place.grids]
    for (code_a, a), (code_b, b) in itertools.combinations(grids, 2):
        shared = a.intersection(b)
        if shared.area > SLIVER_M2:
            found.append(
                _warn(
                    "overlap",
                    "grids",
                    f"{code_a} 与 {code_b} 重叠 {shared.area:.0f} 平方米，在 {_at(place, shared)} 附近。",
                )
            )
    if grids:
        covered = shapely.union_all([shape for _, shape in grids])
        bare = water_m.difference(covered)
        if bare.area > WATER_SLIVER_M2:
            found.append(
                _warn(
                    "gap",
                    "grids",
                    f"水面有 {bare.area:.0f} 平方米不属于任何网格，在 {_at(place, bare)} 附近。",
                )
            )
    areas = [(area.code, _metres(place, area.polygon)) for area in place.key_areas]
    for (code_a, a), (code_b, b) in itertools.combinations(areas, 2):
        shared = a.intersection(b)
        if shared.area > SLIVER_M2:
            found.append(
                _warn(
                    "overlap",
                    "key_areas",
                    f"{code_a} 与 {code_b} 重叠 {shared.area:.0f} 平方米，在 {_at(place, shared)} 附近。",
                )
            )
    found += [
        _warn("far-off", "key_areas", f"{code} 离水面 {shape.distance(water_m):.0f} 米，请确认。")
        for code, shape in areas
        if shape.distance(water_m) > 300
    ]
    if place.river is not None:
        dry_m = place.river.line_m.difference(_metres(place, place.water).buffer(1.0)).length
        if dry_m > 10:
            found.append(_warn("dry-line", "centreline", f"有 {dry_m:.0f} 米不在水面内，请确认中心线与水面相配。"))
    for outfall in place.outfalls:
        if not place.holds(outfall.lon, outfall.lat, 100.0):
            found.append(_warn("far-off", "outfalls", f"{outfall.code} 离水面超过 100 米，请确认。"))
    blank = [key for key in ("office", "slip_prefix", "hotline") if "请填写" in getattr(place, key)]
    if blank:
        found.append(_warn("not-filled", "place.toml", f"还没填写：{'、'.join(blank)}。"))
    if place.units and place.office_unit is None:
        found.append(_warn("no-office", "units.toml", "没有单位写 is_office = true，环保办自办的问题将无法回避。"))
    if not place.units:
        found.append(_warn("no-units", "units.toml", "没有责任单位，交办前请先填写。"))
    return found
