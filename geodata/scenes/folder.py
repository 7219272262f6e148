"""Writes a scene as files: a GeoTIFF as cameras deliver it, a place folder, and the truth as GeoJSON.

The only file of this package that touches the disk.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from shapely.geometry import Point, mapping

from geodata.scenes.plan import KINDS, Thing
from geodata.scenes.scene import Scene, to_degrees
from geodata.scenes.spectra import BANDS

SCALE = 1e-4
WAVELENGTH_NM = (475, 560, 668, 717, 840)


@dataclass(frozen=True)
class Written:
    """Where the parts of a scene were put."""

    raster: Path
    place: Path
    truth: Path


def write(made: Scene, folder: Path, name: str = "scene") -> Written:
    """The scene in a folder: `{name}.tif` (uint16, scale 1e-4, 0 where not seen), `place/`, `{name}_truth.geojson`.

    The place opens with `Place.open` and has the water, the centreline and the outfalls of the scene's plumes. A
    later round written into the same folder under another name keeps the place of the first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = Written(folder / f"{name}.tif", folder / "place", folder / f"{name}_truth.geojson")
    _raster(made, written.raster)
    if not (written.place / "place.toml").exists():
        _place(made, written.place)
    features = [
        _feature(truth.outline, {"kind": truth.kind, "number": truth.number, "area_m2": round(truth.area_m2, 3)})
        for truth in made.truths
    ]
    _layer(written.truth, features)
    return written


def _raster(made: Scene, path: Path) -> None:
    bands, h, w = made.bands.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=w,
        height=h,
        count=bands,
        dtype="uint16",
        nodata=0,
        crs=made.crs,
        transform=made.transform,
        tiled=True,
        blockxsize=512,
        blockysize=512,
    ) as out:
        for number in range(bands):
            numbers = np.clip(np.rint(made.bands[number] / np.float32(SCALE)), 1, 65535)
            out.write(np.nan_to_num(numbers, nan=0.0).astype(np.uint16), number + 1)
            out.set_band_description(number + 1, BANDS[number])
            out.update_tags(number + 1, wavelength=str(WAVELENGTH_NM[number]), wavelength_units="Nanometers")
        out.scales = (SCALE,) * bands
        out.offsets = (0.0,) * bands


def _place(made: Scene, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    seed = made.plan.seed
    folder.joinpath("place.toml").write_text(
        f'code = "scene{seed}"\nname = "生成河段{seed}"\nschematic = true\noffice = "生成场景，无真实单位"\n'
        'slip_prefix = "生成"\nnumber_prefix = "SC"\nhotline = "000-0000000"\n'
        'notes = ["程序生成的河段，只用于检验识别，不是真实地点。"]\n',
        encoding="utf-8",
    )
    folder.joinpath("units.toml").write_text(
        '[[unit]]\ncode = "office"\nname = "生成环保办"\nreach = "account"\nis_office = true\n\n'
        + "\n".join(f'[[dispatch]]\nkind = "{kind}"\ngrid = "*"\nunit = "office"\n' for kind in KINDS),
        encoding="utf-8",
    )
    name = {"name": f"生成河段{seed}", "note": "程序生成"}
    _layer(folder / "water.geojson", [_feature(made.water, name)])
    _layer(folder / "centreline.geojson", [_feature(made.centreline, name)])
    plumes = [thing for thing in made.plan.things if thing.plume is not None]
    if plumes:  # an empty layer is a fault of a place
        marks = [_outfall(made, thing, index) for index, thing in enumerate(plumes, start=1)]
        _layer(folder / "outfalls.geojson", marks)


def _outfall(made: Scene, thing: Thing, index: int) -> dict[str, Any]:
    assert thing.plume is not None  # only plumes are asked for
    spot = to_degrees(made.plan, Point(*made.plan.reach.at(thing.plume.start_m, 0.0, thing.plume.bank)))
    return _feature(spot, {"code": f"PK{index:02d}", "name": f"{index}号排口", "note": "程序生成"})


def _feature(shape: Any, properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": mapping(shape)}


def _layer(path: Path, features: list[dict[str, Any]]) -> None:
    told = {"type": "FeatureCollection", "features": features}
    path.write_text(json.dumps(told, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
