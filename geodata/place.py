"""A Place is a folder of data: place.toml, units.toml and GeoJSON layers in WGS-84. Read here, never written.

Layers: centreline, water, key_areas, grids, outfalls. Only `water` must be there: a lake shore has no
centreline and then no chainage. Another river is another folder, no code. It knows nothing of issues; a
kind of problem is only a word that `units.toml` maps to a unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import shapely
from shapely.geometry import Point

from geodata.crs import LocalXY, distance_m, local_xy
from geodata.errors import GeoError, GeoErrors
from geodata.layers import LAYERS, Feature, collection, read_geojson, rule_of
from geodata.river import Bank, OnRiver, River
from geodata.unit import Unit, fault, read_dispatch, read_toml, read_units
from geodata.walks import read_plan

BUNDLED = Path(__file__).parent / "places"


@dataclass(frozen=True)
class KeyArea:
    """重点区域: a stretch that every round must cover. Polygon in WGS-84."""

    code: str
    name: str
    polygon: Any = field(repr=False)


@dataclass(frozen=True)
class Grid:
    """网格: what one grid worker walks; belongs to a community. Polygon in WGS-84."""

    code: str
    name: str
    community: str
    polygon: Any = field(repr=False)


@dataclass(frozen=True)
class Outfall:
    """排口: WGS-84 position, and chainage and bank where the place has a centreline."""

    code: str
    name: str
    lon: float
    lat: float
    chainage_m: float | None
    bank: Bank | None


@dataclass(frozen=True)
class Chief:
    """河湖长 of the place, as printed."""

    title: str
    name: str


@dataclass(frozen=True, eq=False)
class Place:
    """One patrolled place. Open with `Place.open`; positions are WGS-84 degrees, longitude first."""

    code: str
    name: str
    schematic: bool
    office: str
    slip_prefix: str
    number_prefix: str
    hotline: str
    notes: tuple[str, ...]
    chief: Chief
    folder: Path
    river: River | None
    water: Any = field(repr=False)
    key_areas: tuple[KeyArea, ...]
    grids: tuple[Grid, ...]
    outfalls: tuple[Outfall, ...]
    units: Mapping[str, Unit]
    dispatch: Mapping[tuple[str, str], str] = field(repr=False)
    features: Mapping[str, tuple[Feature, ...]] = field(repr=False)
    patrols: Mapping[str, int] = field(default_factory=dict)  # grid -> times a week its banks are to be walked

    @classmethod
    def open(cls, folder: str | Path) -> Place:
        """The place in a folder, or a bundled one by its name.

        Raises GeoError `no-place` where there is none, GeoErrors with every fault of one that is broken.

        >>> place = Place.open("taihugang")
        >>> place.schematic, round(place.river.length_m)
        (True, 2900)
        """
        place, faults = read_place(locate(folder))
        if faults or place is None:
            raise GeoErrors(faults)
        return place

    @cached_property
    def frame(self) -> LocalXY:
        """The local metre frame of this place."""
        if self.river is not None:
            return self.river.frame
        west, south, east, north = self.bounds
        return local_xy((west + east) / 2, (south + north) / 2)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north of the water, in degrees."""
        west, south, east, north = self.water.bounds
        return float(west), float(south), float(east), float(north)

    @property
    def office_unit(self) -> Unit | None:
        """The unit that is the environment office itself, if the place names one."""
        return next((unit for unit in self.units.values() if unit.is_office), None)

    @cached_property
    def _water_m(self) -> Any:
        return shapely.transform(self.water, self.frame.forward, interleaved=False)

    def holds(self, lon: float, lat: float, margin_m: float = 0.0) -> bool:
        """Whether a point is on the water or within `margin_m` of it.

        >>> Place.open("taihugang").holds(112.0, 30.0, 500)
        False
        """
        if self.river is not None:
            return self.river.holds(lon, lat, margin_m)
        if not self.frame.covers(lon, lat):
            return False
        x_m, y_m = self.frame.forward(lon, lat)
        return bool(self._water_m.distance(Point(x_m, y_m)) <= margin_m)

    def on_river(self, lon: float, lat: float) -> OnRiver | None:
        """Chainage and bank; None where the place has no centreline or the point is half a globe away."""
        if self.river is None or not self.frame.covers(lon, lat):
            return None
        return self.river.chainage_of(lon, lat)

    def grid_of(self, lon: float, lat: float) -> Grid | None:
        """The grid that covers a point; on a shared border the first by code."""
        point = Point(lon, lat)
        return next((grid for grid in self.grids if grid.polygon.covers(point)), None)

    def key_area_of(self, lon: float, lat: float) -> KeyArea | None:
        """The key area that covers a point, if any."""
        point = Point(lon, lat)
        return next((area for area in self.key_areas if area.polygon.covers(point)), None)

    def nearest_outfall(self, lon: float, lat: float, within_m: float) -> Outfall | None:
        """The outfall nearest to a point, no farther than `within_m`."""
        near = [(distance_m(lon, lat, outfall.lon, outfall.lat), outfall) for outfall in self.outfalls]
        reached = [pair for pair in near if pair[0] <= within_m]
        return min(reached, key=lambda pair: (pair[0], pair[1].code))[1] if reached else None

    def propose_unit(self, kind: str, grid: str | Grid | None) -> Unit | None:
        """The unit `units.toml` names for a kind in a grid (a Grid or its code); None when it names none.

        >>> Place.open("taihugang").propose_unit("solid_waste", "G3").reach
        'paper'
        """
        code = grid.code if isinstance(grid, Grid) else grid or "*"
        unit = self.dispatch.get((kind, code)) or self.dispatch.get((kind, "*"))
        return self.units[unit] if unit else None

    def layer(self, name: str) -> dict[str, Any]:
        """One layer as a GeoJSON FeatureCollection in WGS-84, with `schematic` beside the features.

        Raises GeoError `unknown-layer`; a layer the place lacks is an empty collection.
        """
        rule_of(name)
        features = self.features.get(name, ())
        if name == "outfalls":
            marks = {outfall.code: outfall for outfall in self.outfalls}
            features = tuple(
                Feature(
                    item.number,
                    item.shape,
                    item.properties
                    | {
                        "chainage_m": marks[str(item.properties["code"])].chainage_m,
                        "bank": marks[str(item.properties["code"])].bank,
                    },
                )
                for item in features
            )
        return collection(features, schematic=self.schematic)


def bundled() -> tuple[str, ...]:
    """Names of the places that come with the program."""
    return tuple(sorted(path.parent.name for path in BUNDLED.glob("*/place.toml")))


def locate(folder: str | Path) -> Path:
    """The folder of a place, or of a bundled place by its name. Raises GeoError `no-place`."""
    if isinstance(folder, str) and folder in bundled():
        return BUNDLED / folder
    path = Path(folder)
    if not (path / "place.toml").is_file():
        raise GeoError(
            "no-place",
            f"“{path}”不是地点文件夹：里面没有 place.toml。自带的地点有：{'、'.join(bundled())}。",
            str(path),
        )
    return path


def read_place(folder: Path) -> tuple[Place | None, list[GeoError]]:
    """What a folder holds and every fault in it; the place is None when anything is wrong."""
    faults: list[GeoError] = []
    about = read_toml(folder / "place.toml", faults)
    papers = read_toml(folder / "units.toml", faults) if (folder / "units.toml").exists() else {}
    features = _layers(folder, faults)
    for key in ("code", "name", "office", "slip_prefix", "number_prefix", "hotline"):
        if not isinstance(about.get(key), str) or not about[key].strip():
            faults.append(fault("place.toml", "missing-property", f"缺少 {key}，应是一段文字。"))
    if not isinstance(about.get("schematic"), bool):
        faults.append(fault("place.toml", "missing-property", "缺少 schematic：示意写 true，实测写 false。"))
    grids = {str(item.properties["code"]) for item in features.get("grids", ())}
    units = read_units(papers, faults)
    dispatch = read_dispatch(papers, units, grids, faults)
    patrols = read_plan(about, grids, faults)
    if faults:
        return None, faults
    water = shapely.union_all([item.shape for item in features["water"]])
    river = River.along(features["centreline"][0].shape, water) if "centreline" in features else None
    chief = about.get("chief", {})
    place = Place(
        code=about["code"],
        name=about["name"],
        schematic=about["schematic"],
        office=about["office"],
        slip_prefix=about["slip_prefix"],
        number_prefix=about["number_prefix"],
        hotline=about["hotline"],
        notes=tuple(str(note) for note in about.get("notes", ())),
        chief=Chief(str(chief.get("title", "")), str(chief.get("name", ""))),
        folder=folder,
        river=river,
        water=water,
        key_areas=tuple(KeyArea(*_named(item), item.shape) for item in _by_code(features, "key_areas")),
        grids=tuple(
            Grid(*_named(item), str(item.properties["community"]), item.shape) for item in _by_code(features, "grids")
        ),
        outfalls=tuple(_outfall(item, river) for item in _by_code(features, "outfalls")),
        units=MappingProxyType(units),
        dispatch=MappingProxyType(dispatch),
        features=MappingProxyType(features),
        patrols=MappingProxyType(patrols),
    )
    shapely.prepare([part.polygon for part in place.grids] + [part.polygon for part in place.key_areas])
    return place, []


def _layers(folder: Path, faults: list[GeoError]) -> dict[str, tuple[Feature, ...]]:
    layers: dict[str, tuple[Feature, ...]] = {}
    for name in LAYERS:
        path = folder / f"{name}.geojson"
        if not path.exists():
            continue
        try:
            layers[name] = tuple(read_geojson(path.read_bytes(), name))
        except GeoErrors as several:
            faults.extend(several.faults)
        except GeoError as error:
            faults.append(error)
    if not (folder / "water.geojson").exists():
        faults.append(fault("water", "missing-layer", "缺少水面图层 water.geojson，请先导入。"))
    return layers


def _by_code(features: Mapping[str, tuple[Feature, ...]], layer: str) -> list[Feature]:
    return sorted(features.get(layer, ()), key=lambda item: str(item.properties["code"]))


def _named(item: Feature) -> tuple[str, str]:
    return str(item.properties["code"]), str(item.properties["name"])


def _outfall(item: Feature, river: River | None) -> Outfall:
    lon, lat = float(item.shape.x), float(item.shape.y)
    at = None if river is None else river.chainage_of(lon, lat)
    return Outfall(*_named(item), lon, lat, at.chainage_m if at else None, at.bank if at else None)
