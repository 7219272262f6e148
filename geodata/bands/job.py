"""One recognition from first look to detections: water, background, the pass over pixels, then the pass over cells.

It puts the parts of this package in their order and says in words what could not be done; formulas and limits are
elsewhere, and nothing is kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geodata.bands import classify, classify_plain
from geodata.bands.background import levels_of, measure
from geodata.bands.cells import SIDE, Cells
from geodata.bands.components import Component, Labeller
from geodata.bands.describe import Detection, describe
from geodata.bands.grid import frame_at, pixel_areas_m2
from geodata.bands.plan import Levels, Plan, bind
from geodata.bands.raster import Source
from geodata.bands.ruleset import Row, RuleSet
from geodata.bands.shore import to_bank
from geodata.bands.stream import Filled, Stream, Window
from geodata.bands.water import Zone, zone_by_index, zone_of_cells, zone_of_place
from geodata.bands.zone import Spans
from geodata.crs import LocalXY
from geodata.errors import GeoError
from geodata.place import Place

ROOM = 4
"""A window has room for runs on one pixel in so many; more is noise, not objects."""
LEAST_CELLS = 8
"""Cells a side under which a picture is looked at by pixels only."""
PLAUSIBLE_REFLECTANCE = 2.0
"""Numbers of a float picture without scale are taken for reflectance when nearly all lie below."""


@dataclass
class Job:
    """One recognition; see `geodata.recognise.recognise` for what it is given. `warnings` and `bands` fill in `run`."""

    source: Source
    place: Place | None
    rules: RuleSet
    progress: Callable[[int, int], None] | None
    cancel: Callable[[], bool] | None
    window_px: tuple[int, int] | None
    plain: bool
    tolerance_px: float
    warnings: list[str] = field(default_factory=list)
    bands: tuple[str, ...] = ()

    def run(self) -> tuple[tuple[Detection, ...], float]:
        """Detections, and the m² of water with usable pixels."""
        source = self.source
        frame = frame_at(source.grid, source.width_px, source.height_px)
        areas = pixel_areas_m2(source.grid, _inner_points(source.width_px, source.height_px), frame)
        pixel_m2 = float(np.nanmedian(areas)) if np.isfinite(areas).any() else 0.0
        if not pixel_m2 > 0:
            raise GeoError("no_position", "影像的像元没有大小；请检查地理变换。", "transform")
        self.warnings += source.warnings
        reflectance = self._reflectance()
        whole = self._plan(self.rules, source, reflectance)
        self.bands = whole.names
        self.warnings += whole.warnings()
        factors = _factors(whole.rows, pixel_m2**0.5, min(source.height_px, source.width_px))
        fine = self._plan(_only(self.rules, whole, factors, 0), source, reflectance)
        zone = self._zone(fine, pixel_m2**0.5)
        with contextlib.ExitStack() as open_files:
            cells = {factor: Cells(source, factor, fine.bands) for factor in sorted(set(factors.values()))}
            for kept in cells.values():
                open_files.callback(kept.close)
            look = _Look(self, source, fine, zone, pixel_m2, frame)
            found, water, judged = look.run(tuple(cells.values()), self.progress)
            for factor, kept in cells.items():
                plan = self._plan(_only(self.rules, whole, factors, factor), kept, reflectance)
                found += _Look(self, kept, plan, self._zone_of(zone, kept), pixel_m2 * factor**2, frame).run((), None)[
                    0
                ]
        if judged == 0:
            self._nothing_judged(zone, fine)
        return tuple(found), water * pixel_m2

    def _plan(self, rules: RuleSet, source: Source, reflectance: bool) -> Plan:
        return bind(rules, source.names, source.wavelengths_nm, source.scales, source.offsets, reflectance)

    def _reflectance(self) -> bool:
        """As the file says; a float picture without scale is believed when its numbers look like it."""
        said = self.source.reflectance
        if said is None and self.source.dtype == "float32":
            bands = [k for k, name in enumerate(self.source.names) if name in ("green", "red", "nir")]
            factor = max(1, max(self.source.height_px, self.source.width_px) // 200)
            with self.source.opened() as reader:
                numbers, _ = reader.coarse(bands, factor)
            finite = numbers[np.isfinite(numbers)]
            said = finite.size > 0 and bool(np.quantile(finite, 0.99) < PLAUSIBLE_REFLECTANCE)
        if not said:
            self.warnings.append("影像没有换算成反射率，只用了不受亮度影响的比值规则。")
        return bool(said)

    def _zone(self, plan: Plan, pixel_m: float) -> Zone:
        if self.place is not None:
            return self._zone_of(None, self.source)
        self.warnings.append("没有给出地点，水面是按影像的水体指数估计的，不如正式水面范围可靠。")
        return zone_by_index(self.source, plan, self.rules, pixel_m)

    def _zone_of(self, zone: Zone | None, source: Source) -> Zone:
        """The place's zone for a source, or that found in the picture for its cells."""
        height, width = source.height_px, source.width_px
        if self.place is None and zone is not None and isinstance(source, Cells):
            return zone_of_cells(zone, source.factor, height, width)
        assert self.place is not None
        bank = self.rules.bank
        return zone_of_place(self.place.water, source.grid, height, width, bank["buffer_m"], bank["shore_m"])

    def _nothing_judged(self, zone: Zone, plan: Plan) -> None:
        source = self.source
        with source.opened() as reader:
            factor = max(1, max(source.height_px, source.width_px) // 1000)
            numbers, mask = reader.coarse(plan.bands, factor)
        usable = np.isfinite(numbers).all(axis=0)
        for place, band in enumerate(plan.bands):
            nothing = source.nodata[band]
            if nothing is not None:
                usable &= numbers[place] != nothing
        if mask is not None:
            usable &= mask != 0
        if not usable.any():
            raise GeoError("no_pixels", "影像里没有一个有效像元（全是空值）；请检查拼接结果后重新导出。", "pixels")
        if zone.found:
            self.warnings.append("影像里没有找到水面，没有可识别的范围。")
        else:
            self.warnings.append("影像没有覆盖到本地点水面和岸带的有效像元。")


def _factors(rows: Sequence[Row], pixel_m: float, side_px: int) -> dict[str, int]:
    """Pixels a side of the cells that rows look at; rows that look at pixels are left out."""
    found = {row.name: round(row.cell_m / pixel_m) for row in rows if row.cell_m > 0}
    # A picture that is coarse itself needs no cells, and one of a few cells only would tell nothing.
    return {name: factor for name, factor in found.items() if factor >= SIDE and side_px // factor >= LEAST_CELLS}


def _only(rules: RuleSet, plan: Plan, factors: dict[str, int], factor: int) -> RuleSet:
    """The rules with the usable rows that look at cells of `factor` pixels; 0: those that look at pixels."""
    return replace(rules, rows=tuple(row for row in plan.rows if factors.get(row.name, 0) == factor))


@dataclass
class _Look:
    """One pass over a source, of pixels or of cells."""

    job: Job
    source: Source
    plan: Plan
    zone: Zone
    pixel_m2: float
    frame: LocalXY

    def run(
        self, cells: Sequence[Cells], progress: Callable[[int, int], None] | None
    ) -> tuple[list[Detection], int, int]:
        """Detections, usable pixels of the water, and of water and bank; fills `cells` on the way."""
        plan, source, pixel_m = self.plan, self.source, self.pixel_m2**0.5
        if not self.zone.spans.x0.size:
            return [], 0, 0
        background = measure(source, plan, self.job.rules, self.zone.spans, pixel_m)
        if plan.relative and not np.isfinite(background.median).all():
            self.job.warnings.append("水面太小或没有数据，比对不了周围水色，只用了不依赖它的规则。")
        levels = levels_of(plan, background, source.height_px, source.width_px)
        found, water, judged = self._pass(levels, cells, progress)
        described = describe(
            found, plan, self.job.rules, source.grid, self.frame, self.zone.spans, pixel_m, self.job.tolerance_px
        )
        reached = to_bank(described, {row.name: row for row in plan.rows}, self.zone.shore, self.frame)
        return list(reached), water, judged

    def _pass(
        self, levels: Levels, cells: Sequence[Cells], progress: Callable[[int, int], None] | None
    ) -> tuple[list[Component], int, int]:
        source, plan, spans = self.source, self.plan, self.zone.spans
        height, width = source.height_px, source.width_px
        columns, pixel_m = len(plan.bands) + 3, self.pixel_m2**0.5
        reach = max((kept.spread for kept in cells), default=1)
        # A tenth of slack, because the area of a pixel may change over the picture; describe() measures exactly.
        labeller = Labeller(
            np.array([1 + int(row.join_m / pixel_m) for row in plan.rows]),
            np.array([max(1.0, 0.9 * row.min_area_m2 / self.pixel_m2) for row in plan.rows]),
            columns,
        )

        def work(filled: Filled, store: dict[str, Any]) -> tuple[Any, Any, int, int, Any]:
            window = filled.window
            inner = window.inner(height, width, reach)
            told = _scan(filled, inner, plan, levels, spans, store, self.job.plain)
            return *told, [kept.take(filled, inner) for kept in cells]

        side_px = self.job.window_px if source is self.job.source else None
        stream = Stream(source, plan.bands, work, _skipper(spans, height, reach), self.job.cancel, side_px, reach=reach)
        found: list[Component] = []
        water, judged, done = 0, 0, 0
        if progress is not None:
            progress(0, height * width)
        with contextlib.closing(stream.results()) as rows:
            for row, results in rows:
                upto = row[0].inner(height, width, reach)[1]
                found += labeller.push(*_in_order(results, columns), upto)
                water += sum(result[2] for result in results)
                judged += sum(result[3] for result in results)
                for k, kept in enumerate(cells):
                    kept.put([result[4][k] for result in results])
                done += (row[0].y1 - row[0].y0) * width
                if progress is not None:
                    progress(done, height * width)
        found += labeller.finish()
        found.sort(key=lambda one: (one.bounds[0], int(one.runs[0, classify.FROM]), one.kind))
        return found, water, judged


def _scan(
    filled: Filled,
    inner: tuple[int, int, int, int],
    plan: Plan,
    levels: Levels,
    spans: Spans,
    store: dict[str, Any],
    plain: bool,
) -> tuple[NDArray[np.int32], NDArray[np.int64], int, int]:
    """Runs of one window and their sums, usable pixels of the water, and of water and bank."""
    columns = len(plan.bands) + 3
    room = max(64, (inner[1] - inner[0]) * (inner[3] - inner[2]) // ROOM)
    if "where" not in store or len(store["where"]) < room:
        # Only touched as far as there are runs, so this room costs memory only where it is needed.
        store["where"], store["sums"] = np.empty((room, 4), np.int32), np.empty((room, columns), np.int64)
    where, sums = store["where"][:room], store["sums"][:room]
    corner = (filled.window.y0 - filled.margin + 2, filled.window.x0 - filled.margin + 2)
    scan = classify_plain.scan_window if plain else classify.scan_window
    count, water, judged = scan(
        filled.numbers, filled.bad, filled.with_bad, corner, inner, plan.signals, plan.features, plan.rules, levels,
        spans, where, sums,
    )  # fmt: skip
    if count < 0:
        raise GeoError(
            "too_speckled", "影像几乎处处都像问题（噪声太大，或规则太松），没有继续；请检查影像和规则。", "pixels"
        )
    return where[:count].copy(), sums[:count].copy(), int(water), int(judged)


def _in_order(results: Sequence[Any], columns: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Runs of a row of windows by row and column; within a window they are so already."""
    if not results:
        return np.zeros((0, 4), np.int32), np.zeros((0, columns), np.int64)
    where = np.concatenate([result[0] for result in results])
    sums = np.concatenate([result[1] for result in results])
    order = np.argsort(where[:, classify.ROW], kind="stable")
    return where[order], sums[order]


def _skipper(spans: Spans, height_px: int, reach: int) -> Callable[[Window], bool]:
    """Windows that neither hold nor neighbour any place where something may be need not be read."""
    wide = 2 * reach

    def skip(window: Window) -> bool:
        rows = spans.row[max(window.y0 - wide, 0) : min(window.y1 + wide, height_px)]
        first, last = spans.start[rows.min()], spans.start[rows.max() + 1]
        near = (spans.x0[first:last] < window.x1 + wide) & (spans.x1[first:last] > window.x0 - wide)
        return not bool(near.any())

    return skip


def _inner_points(width: int, height: int) -> NDArray[np.float64]:
    steps = (np.arange(3) + 0.5) / 3
    x, y = np.meshgrid(steps * width, steps * height)
    return np.column_stack((x.ravel(), y.ravel()))
