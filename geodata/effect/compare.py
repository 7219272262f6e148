"""Before and after of one place: registered, in one light, measured and judged.

It joins the package's parts and turns what cannot be compared into `not_observed` with its reason. It stores
nothing and knows no issue; a verdict is a clue for the person who accepts the work.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy.ndimage
import shapely
import shapely.geometry

from geodata.crs import LocalXY, local_xy
from geodata.effect.canvas import F32, Canvas, Mask, in_metres
from geodata.effect.changes import Change, changes
from geodata.effect.measure import measure, surroundings
from geodata.effect.pair import Pair, pair
from geodata.effect.picture import Picture, open_picture
from geodata.effect.radiometry import Light, logs, normalise
from geodata.effect.registration import Registration, register
from geodata.effect.verdict import LEAST_SEEN, WORDS, Judged, Verdict, judge, unseen
from geodata.errors import GeoError

MOST_PX = 4_000_000
AROUND_M = 50.0
"""Ground beyond an outline that is looked at, to register by and to compare with."""
LEAST_R2 = 0.4
SURE_TILES = 20
FAIR_PX = 0.5
"""Residuals beyond this are told; two views of trees and walls do not fit better."""

Remark = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Effect:
    """What came of a comparison; areas in m², `ratio` after / before with its 90 % `interval`.

    `index_before`, `index_after`: 1 is the problem as it was, 0 its surroundings. `seen_share`: of the
    outline, by both rounds. `pair`: for a swipe view, None when the rounds could not be registered.
    """

    verdict: Verdict
    code: str
    reason: str
    tests: dict[str, bool]
    area_before_m2: float | None = None
    area_after_m2: float | None = None
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    index_before: float | None = None
    index_after: float | None = None
    index_mad: float | None = None
    seen_share: float | None = None
    gsd_m: float | None = None
    registration: Registration | None = None
    light: Light | None = None
    bands: tuple[str, ...] = ()
    taken: tuple[str, str] = ("", "")
    changes: tuple[Change, ...] = ()
    warnings: tuple[Remark, ...] = ()
    pair: Pair | None = field(default=None, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Plain values; the pictures of the pair are left out, their bounds and size stay."""
        fit, light, shown = self.registration, self.light, self.pair
        gsd = self.gsd_m or 0.0
        return {
            "verdict": self.verdict,
            "words": WORDS[self.verdict],
            "code": self.code,
            "reason": self.reason,
            "tests": self.tests,
            "area_m2": {"before": _round(self.area_before_m2), "after": _round(self.area_after_m2)},
            "ratio": _round(self.ratio),
            "interval": None if self.interval is None else [_round(value) for value in self.interval],
            "index": {
                "before": _round(self.index_before), "after": _round(self.index_after), "mad": _round(self.index_mad),
            },
            "seen_share": _round(self.seen_share),
            "gsd_m": _round(self.gsd_m, 4),
            "registration": None if fit is None else {
                "residual_px": round(fit.residual_px, 3), "p90_px": round(fit.p90_px, 3),
                "residual_m": round(fit.residual_px * gsd, 4), "shift_m": round(fit.shift_px * gsd, 3),
                "turn_deg": round(fit.turn_deg, 3), "tiles": fit.tiles,
            },
            "radiometry": None if light is None else {
                "gain": [_round(value, 4) for value in light.gain], "offset": [_round(value, 4) for value in light.offset],
                "r2": [_round(value) for value in light.r2], "pixels": light.pixels,
            },
            "bands": list(self.bands),
            "taken": {"before": self.taken[0], "after": self.taken[1]},
            "changes": [
                {"what": one.what, "area_m2": _round(one.area_m2), "geometry": one.outline} for one in self.changes
            ],
            "pair": None if shown is None else {
                "bounds": [round(value, 8) for value in shown.bounds], "width_px": shown.width_px,
                "height_px": shown.height_px, "colours": list(shown.colours),
            },
            "warnings": [{"code": code, "sentence": sentence} for code, sentence in self.warnings],
        }  # fmt: skip


def compare(
    before: str | Path | Picture,
    after: str | Path | Picture,
    outline: Any = None,
    water: Any = None,
    seen_again: bool | None = None,
) -> Effect:
    """What changed between two rounds, inside an outline or anywhere.

    Parameters: `before`, `after`, GeoTIFFs, photographs with pose, or `Picture`s; `outline`, the problem as a
    WGS-84 shape or GeoJSON; `water`, the official water surface (WGS-84 shape), so that nothing is registered
    on it; `seen_again`, whether the last round detected this class here (None: nobody looked).

    Without an outline the verdict is `reduced`, `worse` or `unchanged` by the patches that changed, never
    `resolved`: nobody said what the problem was.

    Raises GeoError for files that cannot be opened or placed, and `bad-outline`. Everything that merely
    cannot be seen is a verdict: `not_observed`. Proven on generated rounds and on real frames with changes
    painted in; that a person would agree in the field is not proven.

    >>> from geodata.effect.picture import held
    >>> ground = np.random.default_rng(1).uniform(80, 180, (3, 300, 300)).astype(np.float32)
    >>> ground = np.stack([scipy.ndimage.gaussian_filter(band, 2) for band in ground])
    >>> spot = shapely.box(112.1801, 30.3498, 112.18014, 30.34984)
    >>> far = held(ground, ("red", "green", "blue"), (1e-6, 0, 112.19, 0, -1e-6, 30.35), "EPSG:4326")
    >>> here = held(ground, ("red", "green", "blue"), (1e-6, 0, 112.18, 0, -1e-6, 30.35), "EPSG:4326")
    >>> compare(here, far, spot).verdict, compare(here, here).verdict
    ('not_observed', 'unchanged')
    """
    first, second = open_picture(before), open_picture(after)
    area = None if outline is None else shape_of(outline)
    base: dict[str, Any] = {"taken": (first.taken, second.taken), "warnings": _remarks(first, second)}
    common = first.outline.intersection(second.outline)
    if common.is_empty:
        return _from(unseen("apart", "两期画面拍的不是同一个地方"), base)
    middle = (area if area is not None else common).centroid
    frame = local_xy(middle.x, middle.y)
    area_m = None if area is None else in_metres(area, frame)
    if area_m is not None:
        for picture, word in ((first, "前一期"), (second, "后一期")):
            reach_m = shapely.transform(picture.outline, frame.forward, interleaved=False).buffer(picture.error_m)
            if not reach_m.contains(area_m.centroid) and reach_m.intersection(area_m).area < 0.5 * area_m.area:
                return _from(unseen("outside", f"{word}没有拍到这个轮廓"), base)
    canvas = _canvas(frame, first, second, area_m)
    base["gsd_m"] = canvas.gsd_m
    names = tuple(name for name in first.names if name in second.names) or _same_bands(first, second)
    if not names:
        return _from(unseen("bands", "两期影像没有相同的波段"), base)
    base["bands"] = names
    a, b = ((_pick(picture, names, picture.draw(canvas))) for picture in (first, second))
    inside = np.zeros(a[1].shape, dtype=bool) if area_m is None else canvas.mask(area_m, touched=True)
    if area_m is not None and a[1][inside].mean() < LEAST_SEEN:
        return _from(unseen("outside", f"前一期只拍到轮廓的 {a[1][inside].mean():.0%}"), base)
    land = [_land(part, names, canvas, water, frame) for part in (a, b)]
    still = [_still(part[1], ashore, inside, canvas) for part, ashore in zip((a, b), land, strict=True)]
    try:
        fit = register(_grey(a[0], names), _grey(b[0], names), still[0], still[1], _reach_px(first, second, canvas))
    except GeoError as error:
        return _from(unseen(error.code, error.sentence.rstrip("。")), base)
    return _compared(a, fit.bring(*b), still, fit, inside, canvas, seen_again, land[0], base)


def shape_of(outline: Any) -> Any:
    """A shapely area of a shape, a GeoJSON document or its text. Raises GeoError `bad-outline`."""
    try:
        if isinstance(outline, str | bytes):
            outline = json.loads(outline)
        if isinstance(outline, dict):
            if outline.get("type") == "FeatureCollection":
                parts = [shapely.geometry.shape(item["geometry"]) for item in outline["features"]]
                outline = shapely.union_all(parts)
            else:
                outline = shapely.geometry.shape(outline.get("geometry", outline))
        west, south, east, north = outline.bounds
    except (ValueError, TypeError, KeyError, AttributeError, shapely.errors.ShapelyError) as error:
        raise GeoError("bad-outline", "轮廓不是能读的 GeoJSON 多边形，请重新导出。", "outline") from error
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise GeoError("bad-outline", "轮廓的坐标不是 WGS-84 经纬度（先经度后纬度）。", "outline")
    if outline.geom_type not in ("Polygon", "MultiPolygon") or outline.area <= 0:
        raise GeoError("bad-outline", "轮廓要是有面积的多边形。", "outline")
    return outline


def _compared(
    a: tuple[F32, Mask], b: tuple[F32, Mask], still: list[Mask], fit: Registration, inside: Mask, canvas: Canvas,
    seen_again: bool | None, land: Mask | None, base: dict[str, Any],
) -> Effect:  # fmt: skip
    """Everything after registration."""
    seen = a[1] & b[1]
    steady = still[0] & seen
    light = normalise(a[0], b[0], steady)
    after = light.undo(b[0])
    remarks = list(base["warnings"])
    steady_light = light.fitted and float(np.median(light.r2)) >= LEAST_R2
    if fit.turned_over:
        remarks.append(("turned", "两期画面互相倒转了 180°，其中一张可能被看图软件转过；已按画面内容对齐。"))
    if fit.residual_px > FAIR_PX:
        remarks.append(("registration-coarse", f"配准残差 {fit.residual_px:.1f} 像素，偏大；小目标的面积只作参考。"))
    if not steady_light:
        remarks.append(("light-uncertain", "两期的光照关系不稳定，指数的比较只作参考。"))
    shown = pair(a[0], after, (a[1], b[1]), base["bands"], canvas)
    floor = np.maximum(np.array([np.quantile(band[a[1]], 0.99) for band in a[0]]) * 0.03, 1e-6).astype(np.float32)
    earlier, later = logs(a[0], floor), logs(after, floor)
    base |= {"registration": fit, "light": light, "pair": shown, "warnings": tuple(remarks)}
    if not inside.any():
        return _anywhere(earlier, later, seen, canvas, base)
    base["seen_share"] = share = float(seen[inside].mean())
    if share < LEAST_SEEN:
        return _from(unseen("outside", f"后一期只看到轮廓的 {share:.0%}"), base)
    around = surroundings(inside, seen, canvas.gsd_m, land)
    if around[1].sum() < 60:
        return _from(unseen("outside", "轮廓周围没有可以比较的画面"), base)
    found = measure(earlier, later, inside, seen, around, fit.residual_px)
    pixel_m2 = canvas.gsd_m**2
    base |= {
        "area_before_m2": float(found.before.sum()) * pixel_m2, "area_after_m2": float(found.after.sum()) * pixel_m2,
        "ratio": found.ratio, "interval": found.interval, "index_before": found.index_before,
        "index_after": found.index_after, "index_mad": found.index_mad,
    }  # fmt: skip
    sure = steady_light and fit.residual_px <= 2 * FAIR_PX and fit.tiles >= SURE_TILES
    return _from(judge(found, seen_again, sure), base)


def _anywhere(earlier: F32, later: F32, seen: Mask, canvas: Canvas, base: dict[str, Any]) -> Effect:
    """Without an outline: the patches that changed, and a word for their sum."""
    patches = changes(earlier, later, seen, canvas)
    gone, new = (sum(one.area_m2 for one in patches if one.what == what) for what in ("gone", "new"))
    base |= {"changes": tuple(patches), "seen_share": float(seen.mean())}
    nothing = dict.fromkeys(("area", "index", "detection"), False)
    told = f"消失的有 {gone:.1f} 平方米，新出现的有 {new:.1f} 平方米；没有给轮廓，不能判为已消除。"
    if not gone and not new:
        return _from(Judged("unchanged", "", "共同画面里没有发现明显变化。", nothing), base)
    return _from(Judged("reduced" if gone > new else "worse", "no-outline", told, nothing), base)


def _from(judged: Judged, base: dict[str, Any]) -> Effect:
    return Effect(judged.verdict, judged.code, judged.reason, judged.tests, **base)


def _remarks(first: Picture, second: Picture) -> tuple[Remark, ...]:
    told = list(dict.fromkeys((*first.warnings, *second.warnings)))
    if not (first.multispectral and second.multispectral):
        told.append(("colour-only", "没有多光谱，只按颜色差异比较，水色和光照的变化会影响结果。"))
    return tuple(told)


def _canvas(frame: LocalXY, first: Picture, second: Picture, area_m: Any) -> Canvas:
    outlines = [shapely.transform(part.outline, frame.forward, interleaved=False) for part in (first, second)]
    both = outlines[0].intersection(outlines[1].buffer(second.error_m))
    gsd_m = max(first.gsd_m, second.gsd_m)
    if area_m is not None:
        west, south, east, north = area_m.bounds
        margin = max(AROUND_M, 1.5 * max(east - west, north - south))
        # the outline itself stays whole even where a picture ends inside of it
        both = shapely.union(both.intersection(shapely.box(*area_m.bounds).buffer(margin)), shapely.box(*area_m.bounds))
    return Canvas.over(frame, both.bounds, gsd_m, MOST_PX)


def _same_bands(first: Picture, second: Picture) -> tuple[str, ...]:
    return first.names if len(first.names) == len(second.names) else ()


def _pick(picture: Picture, names: tuple[str, ...], drawn: tuple[F32, Mask]) -> tuple[F32, Mask]:
    order = [picture.names.index(name) if name in picture.names else at for at, name in enumerate(names)]
    return drawn[0][order], drawn[1]


def _land(part: tuple[F32, Mask], names: tuple[str, ...], canvas: Canvas, water: Any, frame: LocalXY) -> Mask | None:
    """What is not water, by the official surface or by green against near infrared; None when nothing tells."""
    if water is not None:
        return np.asarray(~canvas.mask(in_metres(water, frame)))
    if {"green", "nir"} <= set(names):
        green, nir = (scipy.ndimage.gaussian_filter(part[0][names.index(name)], 2.0) for name in ("green", "nir"))
        return np.asarray(nir > green)
    return None


def _still(valid: Mask, land: Mask | None, inside: Mask, canvas: Canvas) -> Mask:
    """Valid ground clear of the outline, and of the water's edge where the water is known."""
    still = valid.copy()
    if inside.any():
        still &= ~scipy.ndimage.binary_dilation(inside, iterations=max(2, round(1.0 / canvas.gsd_m)))
    if land is not None:
        still &= scipy.ndimage.binary_erosion(land, iterations=max(1, round(0.4 / canvas.gsd_m)), border_value=1)
    return np.asarray(still)


def _grey(bands: F32, names: tuple[str, ...]) -> F32:
    visible = [names.index(name) for name in ("red", "green", "blue") if name in names] or list(range(len(names)))
    return np.asarray(bands[visible].mean(axis=0), dtype=np.float32)


def _reach_px(first: Picture, second: Picture, canvas: Canvas) -> float:
    return (first.error_m + second.error_m) / canvas.gsd_m


def _round(value: float | None, digits: int = 3) -> float | None:
    return None if value is None else round(float(value), digits)
