"""Which band of which exposure a file is, and its radiometric tags as written.

It computes no reflectance (`geodata/bands` does); what it hands on are claims of the file. Sources: Pix4D's
`Camera:` namespace (Sequoia, MicaSense), MicaSense's own, DJI's (P4 and Mavic 3 Multispectral).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from geodata.frames.tags import Tags, number, whole, words

# Of DJI's tags only those about light and lens; place, attitude and serial numbers have their own fields.
_DJI = re.compile(
    r"Black|Sensor(Gain|Index|Temp)|Exposure|Irradiance|Vignetting|Calibrated|Dewarp|Band|CentralWavelength|Wavelength"
    r"|Raw|LS_|CaptureUUID|UTCAtExposure|SunSensor|WhiteBalance|ImageSource"
)
_EXIF = {0x829A: "ExposureTime", 0x829D: "FNumber", 0x8827: "ISOSpeedRatings", 0xC61A: "BlackLevel"}
_WAVELENGTH = re.compile(r"(\d{3,5}(?:\.\d+)?)\s*(?:\(\s*(?:\+/-|±)\s*(\d+(?:\.\d+)?)\s*\))?")


@dataclass(frozen=True)
class BandFacts:
    """One band: `name` as written, wavelength and full width at half maximum in nanometres, index in its rig."""

    name: str
    central_wavelength_nm: float | None = None
    width_nm: float | None = None
    index: int | None = None


def band_of(tags: Tags) -> BandFacts | None:
    """The band of a single-band file, or None for a picture in plain colour or of several bands.

    >>> band_of(Tags(1, 1, "TIFF", False, xmp={"dji:BandName": "Red", "dji:BandFreq": "650(+/-16)nm"}))
    BandFacts(name='Red', central_wavelength_nm=650.0, width_nm=32.0, index=None)
    """
    name = tags.xmp.get("Camera:BandName") or tags.xmp.get("dji:BandName", "")
    centre = number(tags.xmp.get("Camera:CentralWavelength")) or tags.dji("CentralWavelength")
    width = number(tags.xmp.get("Camera:WavelengthFWHM")) or tags.dji("WavelengthFWHM")
    stated = _WAVELENGTH.search(tags.xmp.get("dji:BandFreq", ""))
    if stated and centre is None:
        centre = float(stated[1])
        width = 2 * float(stated[2]) if width is None and stated[2] else width
    if not name or "," in name:
        return None
    index = next(
        (tags.xmp[key] for key in ("Camera:RigCameraIndex", "dji:SensorIndex", "DLS:SensorId") if key in tags.xmp), None
    )
    plausible = centre if centre is not None and 200.0 <= centre <= 20_000.0 else None
    return BandFacts(name.strip(), plausible, width, whole(number(index), least=0))


def capture_of(tags: Tags) -> str:
    """The name of the exposure that all bands of one release share; empty when the file has none."""
    keys = ("dji:CaptureUUID", "MicaSense:CaptureId", "Camera:CaptureUUID", "Camera:ImageUniqueID")
    return next((tags.xmp[key] for key in keys if tags.xmp.get(key)), "")


def camera_tags(tags: Tags) -> Mapping[str, str]:
    """All `Camera:`, `MicaSense:`, `DLS:` tags, DJI's radiometric ones (`drone-dji:`) and the exposure (`Exif:`).

    Values are text as written; a list is joined by commas.

    >>> dict(camera_tags(Tags(1, 1, "TIFF", False, exif={0x829A: 0.002}, xmp={"dji:SensorGain": "1.0", "xmp:A": "b"})))
    {'drone-dji:SensorGain': '1.0', 'Exif:ExposureTime': '0.002'}
    """
    found: dict[str, str] = {}
    for key, value in tags.xmp.items():
        prefix, _, name = key.partition(":")
        if prefix in ("Camera", "MicaSense", "DLS"):
            found[key] = value
        elif prefix == "dji" and _DJI.match(name):
            found[f"drone-dji:{name}"] = value
    for tag, name in _EXIF.items():
        value = _text(tags.exif.get(tag))
        if value:
            found[f"Exif:{name}"] = value
    return MappingProxyType(found)


def _text(value: object) -> str:
    if isinstance(value, tuple):
        parts = [number(part) for part in value]
        return ",".join(f"{part:g}" for part in parts if part is not None)
    single = number(value)
    return words(value) if single is None else repr(single)
