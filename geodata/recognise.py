"""What a multispectral picture shows: five kinds of problem as outlines with score, area and statistics.

Two passes: the water round about on a coarse lattice, then every pixel once, in windows, on two threads; memory does
not grow with the picture. Everything found is a clue for a person to verify: optics prove neither sewage nor waste,
and how good the rules are in the field is unproven until there are local labels (docs/recognition.md).
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
import shapely
from shapely.geometry import mapping

from geodata.bands import classify, classify_plain
from geodata.bands.background import Background, levels_of, measure
from geodata.bands.cells import SIDE as LEAST_FACTOR
from geodata.bands.cells import Cells
from geodata.bands.components import Component, Labeller
from geodata.bands.describe import Detection, describe
from geodata.bands.grid import Grid, frame_at, pixel_areas_m2
from geodata.bands.persist import persist
from geodata.bands.plan import Plan, bind
from geodata.bands.raster import Held, Source, open_raster
from geodata.bands.ruleset import RuleSet, read_rules
from geodata.bands.shore import to_bank
from geodata.bands.stack import Stack
from geodata.bands.stream import Cancelled, Filled, Stream, Window
from geodata.bands.water import Zone, zone_by_index, zone_of_place
from geodata.bands.zone import Spans
from geodata.crs import LocalXY
from geodata.errors import GeoError
from geodata.place import Place

__all__ = ["Cancelled", "Detection", "Recognised", "persist", "recognise", "recognise_stack"]

ROOM = 4
"""A window has room for runs on one pixel in so many; more is noise, not objects."""
LEAST_CELLS = 8
"""Cells a side under which a picture is looked at by pixels only."""
PLAUSIBLE_REFLECTANCE = 2.0
"""Numbers of a float picture without scale are taken for reflectance when nearly all lie below."""


@dataclass(frozen=True)
class Recognised:
    """What one picture showed. `pixels` of the whole picture; `seen`: the ground it covers (shapely, WGS-84).

    `water_area_m2`: water with usable pixels. `bands`: canonical names used. `warnings`: Chinese sentences.
    """

    detections: tuple[Detection, ...]
    water_area_m2: float
    pixels: int
    seconds: float
    peak_rss_mb: float
    bands: tuple[str, ...]
    warnings: tuple[str, ...]
    rules_hash: str
    rules_version: str
    seen: Any = field(repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Plain values ready for JSON."""
        return {
            "detections": [one.as_dict() for one in self.detections],
            "water_area_m2": round(self.water_area_m2, 2),
            "pixels": self.pixels,
            "seconds": round(self.seconds, 3),
            "peak_rss_mb": round(self.peak_rss_mb, 1),
            "bands": list(self.bands),
            "warnings": list(self.warnings),
            "rules": {"version": self.rules_version, "sha256": self.rules_hash},
        }


def recognise(
    raster: str | Path | Source,
    place: Place | str | Path | None = None,
    rules: RuleSet | str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancel: Callable[[], bool] | None = None,
    *,
    window_px: tuple[int, int] | None = None,
    plain: bool = False,
) -> Recognised:
    """Recognise one raster.

    Parameters: `raster`, a GeoTIFF (see `geodata.bands.raster.open_raster`) or an opened one; `place`, whose water and
    bank count, or None: then the water is found by NDWI and a warning says so; `rules`, a rules file or None for the
    bundled one; `progress(done, total)` in pixels; `cancel()` true stops. `window_px` (rows, columns) changes how
    the work is cut up and `plain` takes the way without numba: neither changes the answer.

    Raises `GeoError` or `GeoErrors` as `open_raster` and `read_rules` do, `no_pixels`, `too_speckled`; `Cancelled`.
    Source: formulas and limits in geodata/bands/rules.toml. Their quality is measured on generated scenes only.
    """
    began = time.perf_counter()
    rules = rules if isinstance(rules, RuleSet) else read_rules(rules)
    source = open_raster(raster) if isinstance(raster, str | Path) else raster
    place = place if isinstance(place, Place) or place is None else Place.open(place)
    coarse, fine = _by_cells(source, rules)
    told = _Job(source, place, fine, progress, cancel, window_px, plain).run() if fine.rows or not coarse else None
    for factor, some in coarse.items():
        wide = _Job(Cells(source, factor), place, some, None, cancel, None, plain).run()
        told = wide if told is None else _joined(told, wide)
    assert told is not None  # one of the two had rows
    pixels = source.height_px * source.width_px
    return replace(told, pixels=pixels, seconds=time.perf_counter() - began, peak_rss_mb=_peak_rss_mb())


def _by_cells(source: Source, rules: RuleSet) -> tuple[dict[int, RuleSet], RuleSet]:
    """The rows that look at cells, by pixels a side of their cells, and the rules with all other rows."""
    if not any(row.cell_m > 0 for row in rules.rows):
        return {}, rules
    width, height = source.width_px, source.height_px
    frame = frame_at(source.grid, width, height)
    pixel_m = float(np.median(pixel_areas_m2(source.grid, _inner_points(width, height), frame))) ** 0.5
    factors: dict[str, int] = {}
    for row in rules.rows:
        factor = round(row.cell_m / pixel_m) if pixel_m > 0 else 0
        # A picture that is coarse itself needs no cells, and one of a few cells only would tell nothing.
        if factor >= LEAST_FACTOR and min(width, height) // factor >= LEAST_CELLS:
            factors[row.name] = factor
    coarse = {
        factor: replace(rules, rows=tuple(row for row in rules.rows if factors.get(row.name) == factor))
        for factor in sorted(set(factors.values()))
    }
    return coarse, replace(rules, rows=tuple(row for row in rules.rows if row.name not in factors))


def _joined(told: Recognised, wide: Recognised) -> Recognised:
    """One answer from the pass over pixels and the pass over cells."""
    return replace(
        told,
        detections=(*told.detections, *wide.detections),
        warnings=tuple(dict.fromkeys((*told.warnings, *wide.warnings))),
    )


def recognise_stack(
    stack: Stack,
    grid: Grid,
    place: Place | str | Path | None = None,
    rules: RuleSet | str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancel: Callable[[], bool] | None = None,
    *,
    window_px: tuple[int, int] | None = None,
    plain: bool = False,
) -> Recognised:
    """Recognise an aligned stack in memory, placed by a grid: a geotransform or a frame's camera and pose.

    As `recognise`; refuses bands that are not aligned (`not_aligned`) or too few (`missing_bands`).
    """
    return recognise(Held(stack, grid), place, rules, progress, cancel, window_px=window_px, plain=plain)


@dataclass
class _Job:
    """One recognition under way."""

    source: Source
    place: Place | None
    rules: RuleSet
    progress: Callable[[int, int], None] | None
    cancel: Callable[[], bool] | None
    window_px: tuple[int, int] | None
    plain: bool
    warnings: list[str] = field(default_factory=list)

    def run(self) -> Recognised:
        source = self.source
        height, width = source.height_px, source.width_px
        frame = frame_at(source.grid, width, height)
        area_m2 = float(np.median(pixel_areas_m2(source.grid, _inner_points(width, height), frame)))
        if not area_m2 > 0:
            raise GeoError("no_position", "影像的像元没有大小；请检查地理变换。", "transform")
        pixel_m = area_m2**0.5
        self.warnings += source.warnings
        plan = bind(self.rules, source.names, source.wavelengths_nm, source.scales, source.offsets, self._reflectance())
        self.warnings += plan.warnings()
        zone = self._zone(plan, pixel_m)
        detections: tuple[Detection, ...] = ()
        water, judged = 0, 0
        if zone.spans.x0.size and plan.rows:
            background = measure(source, plan, self.rules, zone.spans, pixel_m)
            if plan.relative and not np.isfinite(background.median).all():
                self.warnings.append("水面太小或没有数据，比对不了周围水色，只用了不依赖它的规则。")
            found, water, judged = self._pass(plan, zone.spans, background, area_m2)
            described = describe(found, plan, self.rules, source.grid, frame, zone.spans, pixel_m)
            detections = to_bank(described, {row.name: row for row in plan.rows}, zone.shore, frame)
        if judged == 0:
            self._nothing_judged(zone, plan)
        return Recognised(
            detections, water * area_m2, width * height, 0.0, 0.0, plan.names, tuple(dict.fromkeys(self.warnings)),
            self.rules.digest, self.rules.version, seen_area(source.grid, width, height),
        )  # fmt: skip

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
        source = self.source
        if self.place is not None:
            bank_m = self.rules.bank["buffer_m"]
            return zone_of_place(
                self.place.water, source.grid, source.height_px, source.width_px, bank_m, self.rules.bank["shore_m"]
            )
        zone = zone_by_index(source, plan, self.rules, pixel_m)
        self.warnings.append("没有给出地点，水面是按影像的水体指数估计的，不如正式水面范围可靠。")
        return zone

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

    def _pass(
        self, plan: Plan, spans: Spans, background: Background, area_m2: float
    ) -> tuple[list[Component], int, int]:
        source = self.source
        height, width = source.height_px, source.width_px
        levels = levels_of(plan, background, height, width)
        scan = classify_plain.scan_window if self.plain else classify.scan_window
        columns = len(plan.bands) + 3
        pixel_m = area_m2**0.5
        # A tenth of slack, because the area of a pixel may change over the picture; describe() measures exactly.
        labeller = Labeller(
            np.array([1 + int(row.join_m / pixel_m) for row in plan.rows]),
            np.array([max(1.0, 0.9 * row.min_area_m2 / area_m2) for row in plan.rows]),
            columns,
        )

        def work(filled: Filled, store: dict[str, Any]) -> tuple[Any, Any, int, int]:
            window = filled.window
            inner = window.inner(height, width)
            room = max(64, (inner[1] - inner[0]) * (inner[3] - inner[2]) // ROOM)
            if "where" not in store or len(store["where"]) < room:
                # Only touched as far as there are runs, so this room costs memory only where it is needed.
                store["where"], store["sums"] = np.empty((room, 4), np.int32), np.empty((room, columns), np.int64)
            where, sums = store["where"][:room], store["sums"][:room]
            corner = (window.y0, window.x0)
            count, water, judged = scan(
                filled.numbers, filled.bad, filled.with_bad, corner, inner, plan.signals, plan.features,
                plan.rules, levels, spans, where, sums,
            )  # fmt: skip
            if count < 0:
                raise GeoError(
                    "too_speckled",
                    "影像几乎处处都像问题（噪声太大，或规则太松），没有继续；请检查影像和规则。",
                    "pixels",
                )
            return where[:count].copy(), sums[:count].copy(), int(water), int(judged)

        stream = Stream(source, plan.bands, work, _skipper(spans, height), self.cancel, self.window_px)
        found: list[Component] = []
        water, judged, done = 0, 0, 0
        if self.progress is not None:
            self.progress(0, height * width)
        with contextlib.closing(iter(stream)) as rows:
            for row, results in rows:
                upto = row[0].inner(height, width)[1]
                found += labeller.push(*_in_order(results, columns), upto)
                water += sum(result[2] for result in results)
                judged += sum(result[3] for result in results)
                done += (row[0].y1 - row[0].y0) * width
                if self.progress is not None:
                    self.progress(done, height * width)
        found += labeller.finish()
        found.sort(key=lambda one: (one.bounds[0], int(one.runs[0, classify.FROM]), one.kind))
        return found, water, judged


def _in_order(results: Sequence[Any], columns: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Runs of a row of windows by row and column; within a window they are so already."""
    if not results:
        return np.zeros((0, 4), np.int32), np.zeros((0, columns), np.int64)
    where = np.concatenate([result[0] for result in results])
    sums = np.concatenate([result[1] for result in results])
    order = np.argsort(where[:, classify.ROW], kind="stable")
    return where[order], sums[order]


def _skipper(spans: Spans, height_px: int) -> Callable[[Window], bool]:
    """Windows that neither hold nor neighbour any place where something may be need not be read."""

    def skip(window: Window) -> bool:
        rows = spans.row[max(window.y0 - 2, 0) : min(window.y1 + 2, height_px)]
        first, last = spans.start[rows.min()], spans.start[rows.max() + 1]
        near = (spans.x0[first:last] < window.x1 + 2) & (spans.x1[first:last] > window.x0 - 2)
        return not bool(near.any())

    return skip


def _inner_points(width: int, height: int) -> NDArray[np.float64]:
    steps = (np.arange(3) + 0.5) / 3
    x, y = np.meshgrid(steps * width, steps * height)
    return np.column_stack((x.ravel(), y.ravel()))


def seen_area(grid: Grid, width: int, height: int) -> Any:
    """The ground a picture covers, a shapely Polygon in WGS-84; only its border is followed, not its gaps."""
    side = np.linspace(0.0, 1.0, 9)[:-1]
    zero, one = np.zeros(8), np.ones(8)
    border = np.concatenate(
        [np.stack(pair, axis=1) for pair in ((side, zero), (one, side), (1 - side, one), (zero, 1 - side))]
    ) * (width, height)
    places = grid.to_lonlat(border)
    places = places[np.isfinite(places).all(axis=1)]
    return shapely.make_valid(shapely.Polygon(places)) if len(places) >= 3 else shapely.Polygon()


def as_geojson(recognised: Recognised) -> dict[str, Any]:
    """The detections as a GeoJSON FeatureCollection."""
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "geometry": mapping(one.outline),
                "properties": {key: value for key, value in one.as_dict().items() if key != "geometry"},
            }
            for one in recognised.detections
        ],
    }


def _peak_rss_mb() -> float:
    """Largest memory this process ever held, in MiB; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak) / (2**20 if sys.platform == "darwin" else 2**10)
