"""Who must rectify in a place: the units of `units.toml` and which of them a kind in a grid is proposed to.

A kind of problem is only a word here. It reads; it decides nothing.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from geodata.errors import GeoError

Reach = Literal["account", "robot", "paper"]
REACHES: dict[str, str] = {"account": "账号", "robot": "群机器人", "paper": "纸质"}


@dataclass(frozen=True)
class Unit:
    """责任单位: must rectify; `reach` says how a slip gets to it; `is_office` marks the 环保办 itself."""

    code: str
    name: str
    reach: Reach
    is_office: bool = False


def fault(where: str, code: str, sentence: str) -> GeoError:
    """A fault of a place's own papers; `where` names file and row."""
    return GeoError(code, f"{where}：{sentence}", where, severity="error")


def read_toml(path: Path, faults: list[GeoError]) -> dict[str, Any]:
    """A TOML file's table; empty, with a fault added, when it cannot be read."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except UnicodeDecodeError:
        faults.append(fault(path.name, "bad-toml", "不是 UTF-8 编码，请另存为 UTF-8。"))
    except tomllib.TOMLDecodeError as error:
        faults.append(fault(path.name, "bad-toml", f"写法有误（{error}）。"))
    return {}


def read_units(papers: dict[str, Any], faults: list[GeoError]) -> dict[str, Unit]:
    """The `[[unit]]` rows by code; adds every fault."""
    units: dict[str, Unit] = {}
    for number, row in enumerate(_rows(papers, "unit", faults), start=1):
        where = f"units.toml 第 {number} 个 unit"
        code, name, reach = row.get("code"), row.get("name"), row.get("reach")
        if not (isinstance(code, str) and code and isinstance(name, str) and name):
            faults.append(fault(where, "missing-property", "缺少 code 或 name。"))
            continue
        if reach not in REACHES:
            faults.append(fault(where, "bad-reach", f"reach 应是 {'、'.join(REACHES)} 之一。"))
            continue
        if code in units:
            faults.append(fault(where, "duplicate-code", f"编号 {code} 重复。"))
        units[code] = Unit(code, name, cast(Reach, reach), row.get("is_office") is True)
    if sum(unit.is_office for unit in units.values()) > 1:
        faults.append(fault("units.toml", "two-offices", "只能有一个单位写 is_office = true。"))
    return units


def read_dispatch(
    papers: dict[str, Any], units: dict[str, Unit], grids: set[str], faults: list[GeoError]
) -> dict[tuple[str, str], str]:
    """The `[[dispatch]]` rows as (kind, grid or "*") -> unit code; adds every fault."""
    dispatch: dict[tuple[str, str], str] = {}
    for number, row in enumerate(_rows(papers, "dispatch", faults), start=1):
        where = f"units.toml 第 {number} 个 dispatch"
        kind, grid, unit = row.get("kind"), row.get("grid", "*"), row.get("unit")
        if not isinstance(kind, str) or not kind:
            faults.append(fault(where, "missing-property", "缺少 kind。"))
            continue
        if unit not in units:
            faults.append(fault(where, "unknown-unit", f"没有编号为 {unit!r} 的单位。"))
            continue
        if grid != "*" and grid not in grids:
            faults.append(fault(where, "unknown-grid", f"没有编号为 {grid!r} 的网格。"))
            continue
        if (kind, grid) in dispatch:
            faults.append(fault(where, "duplicate-code", f"{kind} × {grid} 写了两次。"))
        dispatch[(kind, str(grid))] = str(unit)
    return dispatch


def _rows(papers: dict[str, Any], key: str, faults: list[GeoError]) -> list[dict[str, Any]]:
    rows = papers.get(key, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        faults.append(fault("units.toml", "bad-toml", f"{key} 应写成 [[{key}]]。"))
        return []
    return rows
