"""The rules of recognition as a checked value: read from one TOML file, every fault named at once, with a digest.

It knows what a rule may say, not what any picture holds; `geodata.bands.plan` binds it to the bands of one.
"""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geodata.bands.wavelengths import NAMES
from geodata.errors import GeoError, GeoErrors

FORMAT = 1
BUNDLED = Path(__file__).with_name("rules.toml")
KINDS = ("sewage", "floating_debris", "bare_soil", "aquatic_bloom", "solid_waste")
WHERE = ("water", "open_water", "bank", "both")
UNITS = ("value", "mad", "share")
SMOOTHING = ("none", "median3")
MEASURES = ("area_m2", "length_m", "width_m", "elongation", "fill", "bank_gap_m", "score", "variation")
BANDS = (*NAMES, "texture")
MAX_ROWS, MAX_TERMS = 32, 12
MAX_BYTES = 256 * 1024

_NUMBERS: dict[str, dict[str, tuple[float, float, float]]] = {  # table -> key -> usual, least, most
    "water": {
        "least_ndwi": (-0.05, -1.0, 1.0),
        "most_ndwi": (0.15, -1.0, 1.0),
        "sure_ndwi": (0.33, -1.0, 1.0),
        "greener": (4.0, 0.0, 100.0),
        "dark": (0.35, 0.0, 10.0),
        "least_area_m2": (60.0, 0.0, 1e9),
        "close_m": (2.0, 0.0, 100.0),
    },
    "bank": {"buffer_m": (30.0, 0.0, 1000.0), "shore_m": (0.0, 0.0, 100.0)},
    "background": {"lattice_m": (20.0, 0.5, 5000.0), "reach": (2.0, 0.0, 10.0), "least_mad": (0.35, 0.0, 10.0)},
}


@dataclass(frozen=True)
class Index:
    """A weighted sum of bands over another, or a height over a line; see the head of rules.toml."""

    name: str
    of: tuple[tuple[str, float], ...]
    over: tuple[tuple[str, float], ...]
    line: tuple[str, str, str] | None = None

    @property
    def bands(self) -> frozenset[str]:
        """Bands it cannot do without."""
        if self.line is not None:
            return frozenset(self.line)
        return frozenset(band for band, _ in (*self.of, *self.over))

    @property
    def ratio(self) -> bool:
        """Whether a common factor of all bands cancels."""
        return bool(self.over)


@dataclass(frozen=True)
class Term:
    """`index` must lie above or below `limit`, given in `unit`; `soft` in the same unit, positive."""

    index: str
    above: bool
    limit: float
    unit: str
    soft: float
    optional: bool = False


@dataclass(frozen=True)
class ObjectTerm:
    """`measure` (one of MEASURES or an index) of a whole object must lie above or below `limit`."""

    measure: str
    above: bool
    limit: float
    soft: float


@dataclass(frozen=True)
class Row:
    """One way to see one kind; areas in m², `join_m` is how far apart pixels of one object may lie.

    `to_bank_m`: an object of open water reaches the bank across so much of the strip along it. `cell_m`: the row looks
    at cells of this side instead of pixels.
    """

    name: str
    kind: str
    where: str
    terms: tuple[Term, ...]
    unless: tuple[tuple[Term, ...], ...]
    object_terms: tuple[ObjectTerm, ...]
    min_area_m2: float
    max_area_m2: float
    join_m: float
    otherwise: str
    instead_of: str
    to_bank_m: float = 0.0
    cell_m: float = 0.0


@dataclass(frozen=True)
class RuleSet:
    """Checked rules. `digest`: sha256 of their canonical content, which comments and order of keys do not change."""

    version: str
    smoothing: str
    water: Mapping[str, float]
    bank: Mapping[str, float]
    background: Mapping[str, float]
    indices: Mapping[str, Index]
    rows: tuple[Row, ...]
    digest: str = field(default="")

    def row(self, name: str) -> Row | None:
        """The row of that name, if any."""
        return next((row for row in self.rows if row.name == name), None)


def read_rules(path: str | Path | None = None) -> RuleSet:
    """The rules of a file, or the bundled ones.

    Raises `GeoError` (`no_rules`, `bad_rules`) or `GeoErrors` with every fault.

    >>> sorted({row.kind for row in read_rules().rows}) == sorted(KINDS)
    True
    """
    path = BUNDLED if path is None else Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise GeoError("bad_rules", f"规则文件“{path.name}”超过 {MAX_BYTES // 1024} kB，不像规则文件。", "file")
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise GeoError("bad_rules", f"规则文件“{path.name}”不是 UTF-8 编码，请另存为 UTF-8。", "file") from error
    except OSError as error:
        raise GeoError("no_rules", f"读不到规则文件“{path.name}”，请检查路径和权限。", "file") from error
    try:
        papers = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise GeoError("bad_rules", f"规则文件“{path.name}”写法有误（{error}）。", "file") from error
    return rules_of(papers)


def rules_of(papers: Mapping[str, Any]) -> RuleSet:
    """The rules of a table as TOML gives it. Raises as `read_rules` does.

    >>> rules_of({"format": 2})
    Traceback (most recent call last):
        ...
    geodata.errors.GeoErrors: format：应是 1；version：应是一段文字；kind：一条规则也没有
    """
    read = _Reading()
    if papers.get("format") != FORMAT:
        read.fault("format", f"应是 {FORMAT}")
    version = read.text(papers, "version", "version")
    smoothing = str(papers.get("smoothing", "median3"))
    if smoothing not in SMOOTHING:
        read.fault("smoothing", f"应是 {'、'.join(SMOOTHING)} 之一")
    read.strangers(papers, ("format", "version", "smoothing", "index", "kind", *_NUMBERS), "")
    tables = {name: read.numbers(papers, name) for name in _NUMBERS}
    indices = read.indices(papers.get("index", {}))
    rows = read.rows(papers.get("kind", []), indices)
    if read.faults:
        raise GeoErrors(read.faults)
    canonical = json.dumps(papers, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return RuleSet(
        version, smoothing, tables["water"], tables["bank"], tables["background"], indices, tuple(rows), digest
    )


class _Reading:
    """One reading of a rules file; faults collect in the order they are found."""

    def __init__(self) -> None:
        self.faults: list[GeoError] = []

    def fault(self, where: str, what: str) -> None:
        self.faults.append(GeoError("bad_rules", f"{where}：{what}", where))

    def strangers(self, table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
        for key in table:
            if key not in known:
                self.fault(f"{where}{key}", "不认识这一项，请删去或改正拼写")

    def text(self, table: Mapping[str, Any], key: str, where: str) -> str:
        value = table.get(key)
        if not isinstance(value, str) or not value.strip():
            self.fault(where, "应是一段文字")
            return ""
        return value.strip()

    def number(self, table: Mapping[str, Any], key: str, usual: float, least: float, most: float, where: str) -> float:
        value = table.get(key, usual)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self.fault(where, "应是一个数")
            return usual
        if not least <= value <= most:
            self.fault(where, f"应在 {least:g} 到 {most:g} 之间")
            return usual
        return float(value)

    def numbers(self, papers: Mapping[str, Any], name: str) -> dict[str, float]:
        table = papers.get(name, {})
        if not isinstance(table, dict):
            self.fault(name, "应是一张表")
            table = {}
        known = _NUMBERS[name]
        self.strangers(table, tuple(known), f"{name}.")
        return {key: self.number(table, key, *known[key], f"{name}.{key}") for key in known}

    def indices(self, table: Any) -> dict[str, Index]:
        if not isinstance(table, dict):
            self.fault("index", "应是一张表")
            return {}
        found: dict[str, Index] = {}
        for name, body in table.items():
            where = f"index.{name}"
            if not isinstance(body, dict):
                self.fault(where, "应是一张表")
                continue
            if name in MEASURES:
                self.fault(where, "与对象的量度重名，请换个名字")
            if "height_of" in body:
                self.strangers(body, ("height_of", "from", "to"), f"{where}.")
                line = tuple(str(body.get(key, "")) for key in ("height_of", "from", "to"))
                if not set(line) <= set(NAMES) or len(set(line)) != 3:
                    self.fault(where, f"height_of、from、to 应是 {'、'.join(NAMES)} 中不同的三个")
                    continue
                found[name] = Index(name, (), (), (line[0], line[1], line[2]))
                continue
            self.strangers(body, ("of", "over"), f"{where}.")
            of, over = self._weights(body.get("of"), where, True), self._weights(body.get("over"), where, False)
            if of is not None and over is not None:
                found[name] = Index(name, of, over)
        return found

    def _weights(self, table: Any, where: str, wanted: bool) -> tuple[tuple[str, float], ...] | None:
        if table is None and not wanted:
            return ()
        if not isinstance(table, dict) or not table:
            self.fault(where, "要写 of = { 波段 = 权重 }")
            return None
        pairs = []
        for band, weight in table.items():
            if band not in BANDS:
                self.fault(where, f"没有波段 {band}；可用的有 {'、'.join(BANDS)}（没有短波红外）")
                return None
            pairs.append((band, self.number({band: weight}, band, 1.0, -1e6, 1e6, f"{where}.{band}")))
        return tuple(sorted(pairs, key=lambda pair: BANDS.index(pair[0])))

    def rows(self, table: Any, indices: Mapping[str, Index]) -> list[Row]:
        if not isinstance(table, list) or not table:
            self.fault("kind", "一条规则也没有")
            return []
        if len(table) > MAX_ROWS:
            self.fault("kind", f"规则多于 {MAX_ROWS} 条")
            return []
        rows = []
        for number, body in enumerate(table, start=1):
            if isinstance(body, dict):
                rows.append(self._row(body, f"kind 第 {number} 条", indices))
            else:
                self.fault(f"kind 第 {number} 条", "应是一张表")
        names = [row.name for row in rows]
        for row in rows:
            where = f"规则 {row.name}"
            if names.count(row.name) > 1:
                self.fault(where, "名称重复")
            for key, other in (("instead_of", row.instead_of), ("otherwise", row.otherwise)):
                if other and (other not in names or other == row.name):
                    self.fault(where, f"{key} 指的 {other} 不是别的规则")
        return rows

    def _row(self, body: Mapping[str, Any], where: str, indices: Mapping[str, Index]) -> Row:
        name = self.text(body, "name", f"{where} 的 name")
        where = f"规则 {name}" if name else where
        self.strangers(
            body,
            ("name", "kind", "where", "terms", "unless", "object", "min_area_m2", "max_area_m2", "join_m",
             "otherwise", "instead_of", "to_bank_m", "cell_m"),
            f"{where} 的 ",
        )  # fmt: skip
        kind = body.get("kind")
        if kind not in KINDS:
            self.fault(f"{where} 的 kind", f"应是 {'、'.join(KINDS)} 之一")
        place = body.get("where")
        if place not in WHERE:
            self.fault(f"{where} 的 where", f"应是 {'、'.join(WHERE)} 之一")
        least = self.number(body, "min_area_m2", 1.0, 0.0, 1e9, f"{where} 的 min_area_m2")
        most = self.number(body, "max_area_m2", 1e12, 0.0, 1e12, f"{where} 的 max_area_m2")
        if most <= least:
            self.fault(f"{where} 的 max_area_m2", "应大于 min_area_m2")
        unless = body.get("unless", [])
        return Row(
            name, str(kind), str(place),
            tuple(self.terms(body.get("terms"), where, indices, wanted=True)),
            tuple(tuple(self.terms(part, f"{where} 的 unless", indices, wanted=True))
                  for part in (unless if isinstance(unless, list) else [None])),
            tuple(self.object_terms(body.get("object", []), where, indices)),
            least, most, self.number(body, "join_m", 0.0, 0.0, 50.0, f"{where} 的 join_m"),
            str(body.get("otherwise", "")), str(body.get("instead_of", "")),
            self.number(body, "to_bank_m", 0.0, 0.0, 50.0, f"{where} 的 to_bank_m"),
            self.number(body, "cell_m", 0.0, 0.0, 50.0, f"{where} 的 cell_m"),
        )  # fmt: skip

    def terms(self, table: Any, where: str, indices: Mapping[str, Index], wanted: bool) -> list[Term]:
        if not isinstance(table, list) or (wanted and not table) or len(table) > MAX_TERMS:
            self.fault(where, f"terms 应是 1 到 {MAX_TERMS} 个条件")
            return []
        found: list[Term] = []
        for number, body in enumerate(table, start=1):
            here = f"{where} 第 {number} 个条件"
            if not isinstance(body, dict):
                self.fault(here, "应是一张表")
                continue
            self.strangers(body, ("index", "above", "below", "unit", "soft", "optional"), f"{here} 的 ")
            index, unit = body.get("index"), body.get("unit", "value")
            if index not in indices:
                self.fault(here, f"没有指数 {index}；index 表里有 {'、'.join(indices) or '无'}")
            if unit not in UNITS:
                self.fault(here, f"unit 应是 {'、'.join(UNITS)} 之一")
            soft = self.number(body, "soft", 1.0, 1e-9, 1e9, f"{here} 的 soft")
            sides = [side for side in ("above", "below") if side in body]
            if not sides:
                self.fault(here, "要写 above 或 below")
            for side in sides:
                limit = self.number(body, side, 0.0, -1e9, 1e9, f"{here} 的 {side}")
                found.append(Term(str(index), side == "above", limit, str(unit), soft, body.get("optional") is True))
        return found

    def object_terms(self, table: Any, where: str, indices: Mapping[str, Index]) -> list[ObjectTerm]:
        if not isinstance(table, list) or len(table) > MAX_TERMS:
            self.fault(where, f"object 应是至多 {MAX_TERMS} 个条件")
            return []
        found: list[ObjectTerm] = []
        for number, body in enumerate(table, start=1):
            here = f"{where} 对象第 {number} 个条件"
            if not isinstance(body, dict):
                self.fault(here, "应是一张表")
                continue
            self.strangers(body, ("measure", "above", "below", "soft"), f"{here} 的 ")
            measure = body.get("measure")
            if measure not in MEASURES and measure not in indices:
                self.fault(here, f"没有量度 {measure}；可用 {'、'.join(MEASURES)} 或 index 表里的指数")
            soft = self.number(body, "soft", 1.0, 1e-9, 1e9, f"{here} 的 soft")
            sides = [side for side in ("above", "below") if side in body]
            if not sides:
                self.fault(here, "要写 above 或 below")
            for side in sides:
                limit = self.number(body, side, 0.0, -1e9, 1e9, f"{here} 的 {side}")
                found.append(ObjectTerm(str(measure), side == "above", limit, soft))
        return found
