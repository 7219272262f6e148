"""Small rasters made for the tests: five bands over water and bank, with things painted at known pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

NAMES = ("blue", "green", "red", "rededge", "nir")
WAVELENGTH_NM = (475, 560, 668, 717, 840)
WATER = (0.048, 0.062, 0.040, 0.030, 0.018)
LAND = (0.03, 0.07, 0.045, 0.22, 0.42)
THINGS = {
    "debris": (0.19, 0.21, 0.22, 0.23, 0.24),
    "bloom": (0.03, 0.08, 0.04, 0.24, 0.40),
    "soil": (0.09, 0.13, 0.19, 0.22, 0.25),
}
UTM = Affine(0.1, 0, 613000.0, 0, -0.1, 3359000.0)


@dataclass
class Made:
    """A raster in memory and how it is to be written."""

    bands: NDArray[np.float32]
    names: tuple[str | None, ...] = NAMES
    dtype: str = "uint16"
    scale: float = 1e-4
    transform: Affine = UTM
    crs: str | None = "EPSG:32649"
    nodata: float | None = None
    profile: dict[str, Any] = field(default_factory=dict)

    def write(self, path: Path) -> Path:
        count, height, width = self.bands.shape
        kept: dict[str, Any] = {
            "driver": "GTiff", "width": width, "height": height, "count": count, "dtype": self.dtype,
            "transform": self.transform, "crs": self.crs, "nodata": self.nodata,
        }  # fmt: skip
        with rasterio.open(path, "w", **(kept | self.profile)) as out:
            if self.scale != 1.0:
                out.scales = (self.scale,) * count
            if self.names[-1] == "alpha":
                out.colorinterp = (*(ColorInterp.undefined,) * (count - 1), ColorInterp.alpha)
            for band, name in enumerate(self.names, start=1):
                if name:
                    out.set_band_description(band, name)
            values = self.bands / self.scale
            out.write(values.astype(self.dtype) if self.dtype == "float32" else np.round(values).astype(self.dtype))
        return path


def river(height: int = 240, width: int = 320, seed: int = 1, noise: float = 0.03, things: bool = True) -> Made:
    """Water between rows 60 and height - 60, land beyond; debris, bloom and soil at fixed places."""
    rng = np.random.default_rng(seed)
    bands = np.empty((5, height, width), np.float32)
    bands[:] = np.array(LAND, np.float32)[:, None, None]
    bands[:, 60 : height - 60] = np.array(WATER, np.float32)[:, None, None]
    if things:
        for name, rows, columns in (
            ("debris", slice(90, 102), slice(60, 72)),
            ("debris", slice(120, 126), slice(150, 190)),
            ("bloom", slice(100, 130), slice(220, 260)),
            ("soil", slice(10, 40), slice(100, 150)),
        ):
            bands[:, rows, columns] = np.array(THINGS[name], np.float32)[:, None, None]
    grain = rng.normal(0.0, noise, bands.shape).astype(np.float32)
    return Made(np.clip(bands * (1.0 + grain), 1e-4, 1.0))


def place_folder(folder: Path, made: Made, rows: tuple[int, int]) -> Path:
    """A place whose water is those rows of a raster, across and well beyond it."""
    from rasterio.crs import CRS
    from shapely.geometry import Polygon

    from geodata.bands.grid import AffineGrid
    from geodata.layers import Feature, write_geojson

    grid = AffineGrid.of(made.transform, CRS.from_user_input(made.crs).to_wkt())
    width = made.bands.shape[2]
    ring = np.array([[-100, rows[0]], [width + 100, rows[0]], [width + 100, rows[1]], [-100, rows[1]]], float)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "place.toml").write_text(
        'code = "t"\nname = "试验河段"\nschematic = true\noffice = "试验"\nslip_prefix = "试"\nnumber_prefix = "TS"\n'
        'hotline = "0"\nnotes = []\n',
        encoding="utf-8",
    )
    write_geojson(folder / "water.geojson", [Feature(1, Polygon(grid.to_lonlat(ring)), {})])
    return folder
