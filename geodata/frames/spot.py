"""Positions as photographs write them: EXIF degrees-minutes-seconds and DJI XMP decimals, WGS-84.

Implausible ones are refused here with the reason; it converts no coordinate system (`geodata/crs.py` does).
"""

from __future__ import annotations

from dataclasses import dataclass

from pyproj import Geod

from geodata.frames.tags import Tags, number, words

ELLIPSOID = Geod(ellps="WGS84")


@dataclass(frozen=True)
class Spot:
    """A plausible WGS-84 position in degrees."""

    lon: float
    lat: float

    def distance_m(self, other: Spot) -> float:
        """Geodesic distance.

        >>> round(Spot(112.18, 30.35).distance_m(Spot(112.18, 30.36)))
        1109
        """
        return float(ELLIPSOID.inv(self.lon, self.lat, other.lon, other.lat)[2])

    @staticmethod
    def fault(lon: float, lat: float) -> str:
        """Why a pair cannot be a place on earth where a photograph was taken; empty when it can.

        >>> Spot.fault(112.18, 91.0), Spot.fault(0.0, 0.0), Spot.fault(112.18, 30.35)
        ('纬度超出 ±90°', '经纬度都是 0', '')
        """
        if not -90.0 <= lat <= 90.0:
            return "纬度超出 ±90°"
        if not -180.0 <= lon <= 180.0:
            return "经度超出 ±180°"
        return "经纬度都是 0" if abs(lon) < 1e-6 and abs(lat) < 1e-6 else ""


def xmp_spot(tags: Tags) -> tuple[Spot | None, str]:
    """Position of DJI's XMP, with the name as older firmware misspelt it, or None and the fault."""
    lat = tags.dji("GpsLatitude")
    lon = tags.dji("GpsLongitude")
    if lon is None:
        lon = tags.dji("GpsLongtitude")
    stated = any(f"dji:{name}" in tags.xmp for name in ("GpsLatitude", "GpsLongitude", "GpsLongtitude"))
    if lon is None or lat is None:
        return None, "XMP 经纬度缺失或不是数" if stated else ""
    fault = Spot.fault(lon, lat)
    return (None, fault) if fault else (Spot(lon, lat), "")


def exif_spot(tags: Tags) -> tuple[Spot | None, str]:
    """Position of the EXIF GPS directory, or None and the fault (empty when there simply is none)."""
    if not any(tag in tags.gps for tag in (2, 4)):
        return None, ""
    lat = _degrees(tags.gps.get(2), words(tags.gps.get(1)), "N", "S")
    lon = _degrees(tags.gps.get(4), words(tags.gps.get(3)), "E", "W")
    if lon is None or lat is None:
        return None, "经纬度缺失、不是数或没有写明南北、东西"
    datum = words(tags.gps.get(18)).upper().replace("-", "").replace(" ", "")
    if datum and datum not in ("WGS84", "WGS1984", "CGCS2000"):
        return None, "坐标系不是 WGS-84"
    fault = Spot.fault(lon, lat)
    return (None, fault) if fault else (Spot(lon, lat), "")


def _degrees(value: object, reference: str, plus: str, minus: str) -> float | None:
    if not isinstance(value, tuple) or len(value) != 3 or reference.upper() not in (plus, minus):
        return None
    degrees, minutes, seconds = (number(part) for part in value)
    if degrees is None or minutes is None or seconds is None:
        return None
    if degrees < 0 or not 0 <= minutes < 60.0001 or not 0 <= seconds < 60.0001:
        return None
    found = degrees + minutes / 60 + seconds / 3600
    return -found if reference.upper() == minus else found
