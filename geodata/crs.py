"""Coordinate systems: WGS-84, CGCS2000, GCJ-02, BD-09, the projected grids of Chinese surveys, local metres.

The only file with an offset formula or an EPSG code. It must never guess a system: the caller declares one.
Order is longitude before latitude, always; angles are degrees, lengths metres.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pyproj import CRS, Geod, Transformer
from pyproj.exceptions import CRSError

from geodata.errors import GeoError

CRS_NAMES = ("wgs84", "gcj02", "bd09", "cgcs2000")

_GEOD = Geod(ellps="WGS84")

# Krasovsky 1940, which the public GCJ-02 formula is written in; the coefficients are those of the widely
# published implementation (eviltransform, gcoord, prcoords agree on them).
_A_M = 6378245.0
_EE = 0.00669342162296594323
_BD_PI = math.pi * 3000.0 / 180.0

# GCJ-02 is applied to mainland maps only; outside this box maps are plain WGS-84.
_CHINA_BOX = (72.004, 0.8293, 137.8347, 55.8271)

# CGCS2000 as degrees, then its Gauss-Kruger grids (6 and 3 degree zones, with and without zone prefix),
# Web Mercator and the northern UTM zones that reach into China.
_GEOGRAPHIC = {"EPSG:4326": "wgs84", "EPSG:4490": "cgcs2000"}
_PROJECTED = (*range(4491, 4555), 3857, *range(32643, 32654))


def _check(lon: float, lat: float) -> None:
    if not (math.isfinite(lon) and math.isfinite(lat)):
        raise GeoError("bad-position", "坐标不是有效的数，请重新取点。", f"{lon},{lat}")
    if not (-180.0 <= lon <= 180.0 and -90.0 <= lat <= 90.0):
        raise GeoError(
            "bad-position",
            f"坐标 {lon},{lat} 超出范围：应先经度（-180 到 180）后纬度（-90 到 90）。",
            f"{lon},{lat}",
        )


def _in_china_box(lon: float, lat: float) -> bool:
    west, south, east, north = _CHINA_BOX
    return west <= lon <= east and south <= lat <= north


def _gcj_shift(lon: float, lat: float) -> tuple[float, float]:
    """What the GCJ-02 formula adds to a WGS-84 position, in degrees."""
    x, y = lon - 105.0, lat - 35.0
    root = math.sqrt(abs(x))
    wave = 20.0 * math.sin(6.0 * math.pi * x) + 20.0 * math.sin(2.0 * math.pi * x)
    north_m = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north_m += wave * 2.0 / 3.0
    north_m += (20.0 * math.sin(math.pi * y) + 40.0 * math.sin(math.pi / 3.0 * y)) * 2.0 / 3.0
    north_m += (160.0 * math.sin(math.pi / 12.0 * y) + 320.0 * math.sin(math.pi / 30.0 * y)) * 2.0 / 3.0
    east_m = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east_m += wave * 2.0 / 3.0
    east_m += (20.0 * math.sin(math.pi * x) + 40.0 * math.sin(math.pi / 3.0 * x)) * 2.0 / 3.0
    east_m += (150.0 * math.sin(math.pi / 12.0 * x) + 300.0 * math.sin(math.pi / 30.0 * x)) * 2.0 / 3.0
    phi = math.radians(lat)
    magic = 1.0 - _EE * math.sin(phi) ** 2
    meridian_m = _A_M * (1.0 - _EE) / magic**1.5
    parallel_m = _A_M / math.sqrt(magic) * math.cos(phi)
    return math.degrees(east_m / parallel_m), math.degrees(north_m / meridian_m)


def _wgs_to_gcj_raw(lon: float, lat: float) -> tuple[float, float]:
    east, north = _gcj_shift(lon, lat)
    return lon + east, lat + north


def _wgs_to_gcj(lon: float, lat: float) -> tuple[float, float]:
    return _wgs_to_gcj_raw(lon, lat) if _in_china_box(lon, lat) else (lon, lat)


def _gcj_to_bd(lon: float, lat: float) -> tuple[float, float]:
    radius = math.hypot(lon, lat) + 0.00002 * math.sin(lat * _BD_PI)
    angle = math.atan2(lat, lon) + 0.000003 * math.cos(lon * _BD_PI)
    return radius * math.cos(angle) + 0.0065, radius * math.sin(angle) + 0.006


def _undo(forward: Callable[[float, float], tuple[float, float]], lon: float, lat: float) -> tuple[float, float]:
    """The position that `forward` moves onto (lon, lat), by fixed point (smooth shifts contract)."""
    guess_lon, guess_lat = lon, lat
    for _ in range(40):
        at_lon, at_lat = forward(guess_lon, guess_lat)
        step_lon, step_lat = lon - at_lon, lat - at_lat
        guess_lon, guess_lat = guess_lon + step_lon, guess_lat + step_lat
        if abs(step_lon) < 1e-12 and abs(step_lat) < 1e-12:
            break
    return guess_lon, guess_lat


def _gcj_to_wgs(lon: float, lat: float) -> tuple[float, float]:
    west, south, east, north = _CHINA_BOX
    if not (west - 0.1 <= lon <= east + 0.1 and south - 0.1 <= lat <= north + 0.1):
        return lon, lat
    inside = _undo(_wgs_to_gcj_raw, lon, lat)
    # At the rim of the box the shift stops at once; the answer is what maps forward onto ours.
    return inside if _in_china_box(*inside) else (lon, lat)


def to_wgs84(lon: float, lat: float, crs: str) -> tuple[float, float]:
    """A position of a declared system, as WGS-84 degrees.

    `lon`, `lat` in degrees; `crs` one of CRS_NAMES. The inverse of the GCJ-02 and BD-09 formulas is exact to
    1e-8 degrees (1 mm). CGCS2000 degrees are taken as WGS-84: the two differ by less than a metre (plate
    motion since 2000). Raises GeoError `unknown-crs` or `bad-position`. Source: the public GCJ-02 formula.

    >>> lon, lat = to_wgs84(112.1854, 30.3475, "gcj02")
    >>> round(lon, 4), round(lat, 4)
    (112.1796, 30.35)
    """
    _check(lon, lat)
    if crs in ("wgs84", "cgcs2000"):
        return lon, lat
    if crs == "gcj02":
        return _gcj_to_wgs(lon, lat)
    if crs == "bd09":
        return _gcj_to_wgs(*_undo(_gcj_to_bd, lon, lat))
    raise _unknown(crs)


def from_wgs84(lon: float, lat: float, crs: str) -> tuple[float, float]:
    """A WGS-84 position in another system; degrees in, degrees out. Raises GeoError as `to_wgs84` does.

    >>> from_wgs84(112.18, 30.35, "wgs84")
    (112.18, 30.35)
    >>> lon, lat = from_wgs84(112.18, 30.35, "bd09")
    >>> round(lon, 4), round(lat, 4)
    (112.1922, 30.3538)
    """
    _check(lon, lat)
    if crs in ("wgs84", "cgcs2000"):
        return lon, lat
    if crs == "gcj02":
        return _wgs_to_gcj(lon, lat)
    if crs == "bd09":
        return _gcj_to_bd(*_wgs_to_gcj(lon, lat))
    raise _unknown(crs)


def maybe_gcj02(lon: float, lat: float, inside: Callable[[float, float], bool]) -> bool:
    """Whether a position said to be WGS-84 looks like GCJ-02: it is not `inside`, but unshifted it would be.

    A hint to ask a person, never a reason to move the point.

    >>> near = lambda lon, lat: distance_m(lon, lat, 112.18, 30.35) < 100
    >>> maybe_gcj02(*from_wgs84(112.18, 30.35, "gcj02"), near), maybe_gcj02(112.18, 30.35, near)
    (True, False)
    """
    return not inside(lon, lat) and inside(*to_wgs84(lon, lat, "gcj02"))


def distance_m(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    """Metres between two WGS-84 positions on the ellipsoid (Karney's geodesic, by PROJ).

    >>> round(distance_m(112.18, 30.35, 112.18, 30.36))
    1109
    """
    _check(lon1, lat1)
    _check(lon2, lat2)
    return float(_GEOD.inv(lon1, lat1, lon2, lat2)[2])


@lru_cache(maxsize=64)
def _local(origin_lon: float, origin_lat: float) -> Transformer:
    # A Transformer, not a Proj: it keeps one PROJ context a thread, so web threads may share it.
    return Transformer.from_pipeline(f"+proj=tmerc +lon_0={origin_lon!r} +lat_0={origin_lat!r} +k=1 +ellps=WGS84")


@dataclass(frozen=True)
class LocalXY:
    """East and north metres around an origin: transverse Mercator, scale 1 there, 1e-5 off at 28 km."""

    origin_lon: float
    origin_lat: float

    def covers(self, lon: float, lat: float) -> bool:
        """Whether the projection is sound there: within 40 degrees of longitude of the origin."""
        return abs((lon - self.origin_lon + 180.0) % 360.0 - 180.0) <= 40.0

    def forward(self, lon: Any, lat: Any) -> tuple[Any, Any]:
        """Degrees to metres; floats give floats, arrays give arrays of the same shape."""
        x_m, y_m = _local(self.origin_lon, self.origin_lat).transform(lon, lat)
        return x_m, y_m

    def inverse(self, x_m: Any, y_m: Any) -> tuple[Any, Any]:
        """Metres to degrees; floats give floats, arrays give arrays of the same shape."""
        frame = _local(self.origin_lon, self.origin_lat)
        lon, lat = frame.transform(x_m, y_m, direction="INVERSE")
        return lon, lat


def local_xy(origin_lon: float, origin_lat: float) -> LocalXY:
    """A local metre frame at a WGS-84 origin. Raises GeoError `bad-position`.

    >>> frame = local_xy(112.18, 30.35)
    >>> x_m, y_m = frame.forward(112.19, 30.35)
    >>> round(x_m)
    961
    """
    _check(origin_lon, origin_lat)
    return LocalXY(float(origin_lon), float(origin_lat))


@dataclass(frozen=True)
class Declared:
    """A system somebody declared for a file: `name` as said, whether its numbers are metres."""

    name: str
    metres: bool
    _to_degrees: Callable[[float, float], tuple[float, float]]

    def to_wgs84(self, x: float, y: float) -> tuple[float, float]:
        """One vertex, as WGS-84 degrees. Raises GeoError `bad-position` where the numbers have no place."""
        return self._to_degrees(x, y)


@lru_cache(maxsize=32)
def _grid(code: str) -> Transformer:
    return Transformer.from_crs(code, "EPSG:4326", always_xy=True)


def declared(name: str) -> Declared:
    """What a declared name stands for: one of CRS_NAMES, or `EPSG:n` of a grid used in China.

    Raises GeoError `unknown-crs`. CGCS2000 grids go to WGS-84 without a datum shift (below a metre).

    >>> declared("EPSG:4546").metres, declared("gcj02").metres
    (True, False)
    """
    key = name.strip().lower()
    if key in CRS_NAMES:
        return Declared(key, False, lambda x, y: to_wgs84(x, y, key))
    code = key.upper()
    if code in _GEOGRAPHIC:
        return declared(_GEOGRAPHIC[code])
    if re.fullmatch(r"EPSG:\d{4,5}", code) and int(code[5:]) in _PROJECTED:

        def from_grid(x: float, y: float) -> tuple[float, float]:
            lon, lat = _grid(code).transform(x, y)
            _check(float(lon), float(lat))
            return float(lon), float(lat)

        return Declared(code, True, from_grid)
    raise _unknown(name)


def disagreement(system: Declared, said: str) -> str:
    """Why a file's own word on its system (WKT, `EPSG:n`, OGC URN) contradicts the declared one, or "".

    GCJ-02 and BD-09 have no definition of their own: files in them say WGS-84, so that is no contradiction.

    >>> disagreement(declared("wgs84"), "EPSG:4490"), disagreement(declared("EPSG:4546"), "EPSG:4546")
    ('', '')
    >>> disagreement(declared("wgs84"), "EPSG:4547")
    '文件自己写着 EPSG:4547，与声明的 wgs84 不符。'
    """
    code = re.fullmatch(r"(?:urn:ogc:def:crs:)?(EPSG|OGC)(?::[\d.]*)?:(\w{1,8})", said.strip(), re.IGNORECASE)
    try:
        # Never from_user_input with a stranger's text: PROJ would take a file name for a definition.
        crs = CRS.from_authority(code[1].upper(), code[2]) if code else CRS.from_wkt(said)
    except CRSError:
        return "文件自己写的坐标系读不懂，请重新导出。"
    number = crs.to_epsg(min_confidence=60)
    name = f"EPSG:{number}" if number else crs.name[:60]
    if crs.is_projected == system.metres and (
        name == system.name if system.metres else name in (*_GEOGRAPHIC, "WGS 84 (CRS84)")
    ):
        return ""
    return f"文件自己写着 {name}，与声明的 {system.name} 不符。"


def _unknown(name: str) -> GeoError:
    return GeoError(
        "unknown-crs",
        f"不认识坐标系“{name[:40]}”，请写 {'、'.join(CRS_NAMES)} 之一，或 CGCS2000 投影的 EPSG 号（如 EPSG:4546）。",
        "crs",
    )
