"""Where and when fishing is forbidden in a place, as data: zones, closed seasons, hours, exemptions.

`fishing.toml` in the place's folder says when, `fishing_zones.geojson` where; without the first the whole water
is closed all year, as under the Yangtze ban. It judges a position and a moment; it knows nothing of pictures,
and being forbidden to fish there does not make whoever stands there a poacher.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from types import MappingProxyType
from typing import Any

import shapely
from shapely.geometry import Point

from geodata.crs import LocalXY
from geodata.errors import GeoError, GeoErrors
from geodata.layers import read_geojson
from geodata.place import Place
from geodata.season_file import EVERYWHERE, FILE, KEYS, KINDS, Window, read_clock, read_reach, read_windows
from geodata.unit import fault, read_toml

ZONES_FILE = "fishing_zones.geojson"
RIVER = "river"
_DEFAULT: Mapping[str, Any] = MappingProxyType(
    {
        "title": "全河段全年禁捕（默认）",
        "closed": [{"name": "全年禁捕", "from": "01-01", "to": "12-31"}],
    }
)


@dataclass(frozen=True)
class Zone:
    """A stretch of water; `shape` and its `edge` in metres of the place's frame."""

    code: str
    name: str
    shape: Any = field(repr=False)
    edge: Any = field(repr=False)


@dataclass(frozen=True)
class Verdict:
    """What may be said of a position at a moment.

    `inside_m` is how far inside the zone (with its reach) the position lies, negative outside; `certain` when
    the circle of its error lies wholly on that side. `zone` is the nearest zone's code.
    """

    forbidden: bool
    why: str
    zone: str
    inside_m: float
    certain: bool


@dataclass(frozen=True, eq=False)
class Season:
    """The fishing rules of one place. Open with `Season.open`."""

    title: str
    zone_of_time: tzinfo
    reach_m: Mapping[str, float]
    zones: tuple[Zone, ...]
    closed: tuple[Window, ...]
    exempt: tuple[Window, ...]
    frame: LocalXY = field(repr=False)

    @classmethod
    def open(cls, place: Place) -> Season:
        """The rules in a place's folder. Raises GeoErrors with every fault of its two files.

        >>> season = Season.open(Place.open("taihugang"))
        >>> season.title, [zone.code for zone in season.zones]
        ('长江流域重点水域禁捕（示意）', ['river'])
        """
        faults: list[GeoError] = []
        path = place.folder / FILE
        told: Mapping[str, Any] = read_toml(path, faults) if path.exists() else _DEFAULT
        zones = _zones(place, faults)
        codes = {zone.code for zone in zones} | {EVERYWHERE}
        unknown = sorted(set(told) - KEYS)
        if unknown:
            faults.append(fault(FILE, "unknown-key", f"没有 {'、'.join(unknown)} 这样的项，请核对拼写。"))
        closed = read_windows(told, "closed", codes, faults)
        exempt = read_windows(told, "exempt", codes, faults)
        if not closed and not faults:
            faults.append(fault(FILE, "no-season", "没有一个 [[closed]] 时段；全年禁捕也要写一段 01-01 到 12-31。"))
        reach = read_reach(told.get("reach_m", {}), faults)
        clock = read_clock(told.get("timezone", "Asia/Shanghai"), faults)
        if faults or clock is None:
            raise GeoErrors(faults)
        title = str(told.get("title") or place.name)
        return cls(title, clock, reach, zones, closed, exempt, place.frame)

    def forbidden(
        self, lon: float, lat: float, ce90_m: float | None, at: datetime, kind: str = "boat"
    ) -> tuple[bool, str]:
        """Whether fishing is forbidden at a position (WGS-84 degrees, error circle in metres) and moment, and why.

        `at` must have a zone. Raises `GeoError` `no_zone`, `kind`, `position`.

        >>> from datetime import UTC
        >>> season = Season.open(Place.open("taihugang"))
        >>> season.forbidden(112.0, 30.0, 5.0, datetime(2026, 7, 1, 12, 0, tzinfo=UTC))[0]
        False
        """
        verdict = self.judge(lon, lat, ce90_m, at, kind)
        return verdict.forbidden, verdict.why

    def judge(self, lon: float, lat: float, ce90_m: float | None, at: datetime, kind: str = "boat") -> Verdict:
        """As `forbidden`, with the zone, the distance to its edge and whether the error leaves doubt.

        The position itself decides, not its circle: doubt is said, not rounded to either side.
        """
        if at.tzinfo is None:
            raise GeoError("no_zone", "时间没有写明时区，判断不了禁捕时段。", where="at")
        if kind not in KINDS:
            raise GeoError("kind", f"只判断 {'、'.join(KINDS)}。", where="kind")
        if not (-180 <= lon <= 180 and -85 <= lat <= 85):
            raise GeoError("position", "经纬度不对，应先写经度后写纬度，单位是度。", where="position")
        if not self.frame.covers(lon, lat):
            return Verdict(False, "不在本河段附近。", "", float("-inf"), True)
        here = Point(*self.metres(lon, lat))
        depths = [(self.reach_m[kind] + _depth_m(zone, here), zone) for zone in self.zones]
        depths.sort(key=lambda pair: -pair[0])
        inside, nearest = depths[0]
        certain = ce90_m is not None and abs(inside) >= ce90_m
        if inside < 0:
            why = f"{KINDS[kind]}在禁捕区“{nearest.name}”外 {-inside:.0f} 米{_doubt(certain)}。"
            return Verdict(False, why, nearest.code, inside, certain)
        local = at.astimezone(self.zone_of_time)
        # Zones may overlap, each with its own season: one that forbids is enough.
        verdicts = [self._inside(zone, depth, local, kind, ce90_m) for depth, zone in depths if depth >= 0]
        return next((verdict for verdict in verdicts if verdict.forbidden), verdicts[0])

    def _inside(self, zone: Zone, inside: float, local: datetime, kind: str, ce90_m: float | None) -> Verdict:
        certain = ce90_m is not None and inside >= ce90_m
        season = next((window for window in self.closed if _covers(window, zone.code, kind, local)), None)
        if season is None:
            return Verdict(False, f"“{zone.name}”此时不在禁捕期。", zone.code, inside, certain)
        free = next((window for window in self.exempt if _covers(window, zone.code, kind, local)), None)
        if free is not None:
            return Verdict(False, f"“{zone.name}”此时有免警时段：{free.name}。", zone.code, inside, certain)
        why = f"{KINDS[kind]}在禁捕区“{zone.name}”内，正值{season.name}{_doubt(certain)}。"
        return Verdict(True, why, zone.code, inside, certain)

    def metres(self, lon: float, lat: float) -> tuple[float, float]:
        """A position in the place's metre frame, for distances between positions."""
        x_m, y_m = self.frame.forward(lon, lat)
        return float(x_m), float(y_m)


def _doubt(certain: bool) -> str:
    return "" if certain else "（位置误差较大，可能在界的另一侧）"


def _depth_m(zone: Zone, here: Point) -> float:
    """How deep inside a zone a point lies, negative outside of it."""
    away = float(zone.edge.distance(here))
    return away if zone.shape.covers(here) else -away


def _covers(window: Window, zone: str, kind: str, local: datetime) -> bool:
    return bool(window.zones & {zone, EVERYWHERE}) and kind in window.kinds and window.holds(local)


def _zones(place: Place, faults: list[GeoError]) -> tuple[Zone, ...]:
    path = place.folder / ZONES_FILE
    if not path.exists():
        return (_zone(RIVER, place.name, place.water, place),)
    try:
        features = read_geojson(path.read_bytes(), "key_areas")  # the same rule: areas with code and name
    except GeoErrors as several:
        faults.extend(_renamed(error) for error in several.faults)
        return ()
    except GeoError as error:
        faults.append(_renamed(error))
        return ()
    return tuple(
        _zone(str(item.properties["code"]), str(item.properties["name"]), item.shape, place) for item in features
    )


def _zone(code: str, name: str, water: Any, place: Place) -> Zone:
    shape = shapely.transform(water, place.frame.forward, interleaved=False)
    edge = shape.boundary
    shapely.prepare([shape, edge])
    return Zone(code, name, shape, edge)


def _renamed(error: GeoError) -> GeoError:
    words = (
        text.replace("key_areas", ZONES_FILE).replace("重点区域", "禁捕区") for text in (error.sentence, error.where)
    )
    return GeoError(error.code, *words, **error.facts)
