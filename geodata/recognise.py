"""What a multispectral picture shows: five kinds of problem as outlines with score, area and statistics.

Two passes: the water round about on a coarse lattice, then every pixel once, in windows, on two threads; memory does
not grow with the picture. Everything found is a clue for a person to verify: optics prove neither sewage nor waste,
and how good the rules are in the field is unproven until there are local labels (docs/recognition.md).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely.geometry import mapping

from geodata.bands.describe import Detection
from geodata.bands.grid import Grid
from geodata.bands.job import Job
from geodata.bands.outline import TOLERANCE_PX
from geodata.bands.persist import persist
from geodata.bands.raster import Held, Source, open_raster
from geodata.bands.ruleset import RuleSet, read_rules
from geodata.bands.stack import Stack
from geodata.bands.stream import Cancelled
from geodata.place import Place

__all__ = ["Cancelled", "Detection", "Recognised", "persist", "recognise", "recognise_stack"]


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
    tolerance_px: float = TOLERANCE_PX,
) -> Recognised:
    """Recognise one raster.

    Parameters: `raster`, a GeoTIFF (see `geodata.bands.raster.open_raster`) or an opened one; `place`, whose water and
    bank count, or None: then the water is found by NDWI and a warning says so; `rules`, a rules file or None for the
    bundled one; `progress(done, total)` in pixels; `cancel()` true stops. `window_px` (rows, columns) changes how
    the work is cut up and `plain` takes the way without numba: neither changes the answer. `tolerance_px`: how far
    outlines may stray from the pixels' edges; 0 follows them.

    Raises `GeoError` or `GeoErrors` as `open_raster` and `read_rules` do, `no_pixels`, `too_speckled`; `Cancelled`.
    Source: formulas and limits in geodata/bands/rules.toml. Their quality is measured on generated scenes only.
    """
    began = time.perf_counter()
    rules = rules if isinstance(rules, RuleSet) else read_rules(rules)
    source = open_raster(raster) if isinstance(raster, str | Path) else raster
    place = place if isinstance(place, Place) or place is None else Place.open(place)
    job = Job(source, place, rules, progress, cancel, window_px, plain, tolerance_px)
    detections, water_area_m2 = job.run()
    return Recognised(
        detections, water_area_m2, source.height_px * source.width_px, time.perf_counter() - began, _peak_rss_mb(),
        job.bands, tuple(dict.fromkeys(job.warnings)), rules.digest, rules.version,
        seen_area(source.grid, source.width_px, source.height_px),
    )  # fmt: skip


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
    tolerance_px: float = TOLERANCE_PX,
) -> Recognised:
    """Recognise an aligned stack in memory, placed by a grid: a geotransform or a frame's camera and pose.

    As `recognise`; refuses bands that are not aligned (`not_aligned`) or too few (`missing_bands`).
    """
    return recognise(
        Held(stack, grid), place, rules, progress, cancel, window_px=window_px, plain=plain, tolerance_px=tolerance_px
    )


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
