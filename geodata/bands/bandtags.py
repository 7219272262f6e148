"""What one single-band file says of its sensor: band, exposure, gain, black level, vignetting, sunlight, rig.

It reads tags only (EXIF, XMP of Parrot, MicaSense and DJI); it decodes no pixels and corrects nothing.
A value that is missing or no number stays None: radiometry then says what it could not correct.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from geodata.bands.packet import Packet, first, numbers, packet_of, packet_values, value
from geodata.bands.sunlight import Reading, parrot_gains, parrot_readings
from geodata.bands.wavelengths import name_of, to_nm, wavelength_in
from geodata.frames.moment import stamp
from geodata.frames.spot import Spot, exif_spot
from geodata.frames.tags import Tags, number, open_tags, words

_SUFFIX = re.compile(r"[_-](GRE|RED|REG|NIR|BLU|MS_G|MS_R|MS_RE|MS_NIR)\.TIFF?$", re.IGNORECASE)


@dataclass(frozen=True)
class BandTags:
    """One band's file. `family`: `sequoia`, `micasense`, `dji` or `plain`, which decides the formulas.

    `black_level`: mean, in DN of the file. `exposure_s` seconds; `gain` relative to base sensitivity.
    `taken_s`: seconds of the camera's clock, only good for differences. `boot_s`: seconds since the camera was
    switched on, the clock of its sun sensor. `vignette`: coefficients as the maker writes them; `vignette_powers`:
    exponents of x and y for a two-dimensional polynomial. `irradiance`: the sun sensor's own number,
    `irradiance_si` true when it is W/m²/nm. `homography`: DJI's 3x3 to the rig's ideal plane.
    """

    path: Path
    name: str | None
    family: str
    width_px: int
    height_px: int
    wavelength_nm: float | None = None
    fwhm_nm: float | None = None
    make: str = ""
    model: str = ""
    black_level: float | None = None
    exposure_s: float | None = None
    gain: float | None = None
    f_number: float | None = None
    sensor_model: tuple[float, ...] = ()
    radiometric: tuple[float, ...] = ()
    vignette: tuple[float, ...] = ()
    vignette_powers: tuple[float, ...] = ()
    vignette_centre_px: tuple[float, float] | None = None
    band_adjustment: float | None = None
    irradiance: float | None = None
    irradiance_si: bool = False
    sun_readings: tuple[Reading, ...] = ()
    sun_gains: Mapping[int, float] = field(default_factory=dict)
    boot_s: float | None = None
    capture_uuid: str = ""
    taken_s: float | None = None
    spot: Spot | None = None
    rig_index: int | None = None
    rig_relatives_deg: tuple[float, ...] = ()
    focal_px: float | None = None
    principal_px: tuple[float, float] | None = None
    homography: tuple[float, ...] = ()


def read_band_tags(path: str | Path, name: str = "") -> BandTags:
    """Read one band file's tags.

    Parameters: `path`; `name`, the file's original name when it is stored under another one.
    Raises `GeoError` as `geodata.frames.tags.open_tags` does.
    Source: EXIF 2.32, DNG 1.4 (BlackLevel), XMP name spaces of Pix4D, MicaSense and DJI.

    >>> read_band_tags("no/such/file.tif")
    Traceback (most recent call last):
        ...
    geodata.errors.GeoError: 读不到照片文件“file.tif”，请检查路径和权限。
    """
    path = Path(path)
    tags = open_tags(path)
    xmp = packet_values(packet_of(path))
    family = _family(tags, xmp)
    band = first(xmp, "camera:BandName", "dji:BandName")
    suffix = _SUFFIX.search(name or path.name)
    stated = value(xmp, "camera:CentralWavelength", "dji:CentralWavelength")
    described = tags.words(0x010E)
    nm = to_nm(stated) or wavelength_in(first(xmp, "dji:BandFreq")) or wavelength_in(described)
    readings = parrot_readings(first(xmp, "camera:IrradianceList"))
    gains = parrot_gains(numbers(xmp, "camera:IrradianceCalibrationMeasurement"))
    irradiance, si = _irradiance(xmp)
    principal, focal = _lens(tags, xmp)
    return BandTags(
        path=path,
        name=name_of(band or (suffix[1] if suffix else None) or described, nm),
        family=family,
        width_px=tags.width_px,
        height_px=tags.height_px,
        wavelength_nm=nm,
        fwhm_nm=value(xmp, "camera:WavelengthFWHM", "dji:WavelengthFWHM"),
        make=tags.words(0x010F),
        model=tags.words(0x0110),
        black_level=_black(tags, xmp, family),
        exposure_s=_exposure(tags, xmp),
        gain=_gain(tags, xmp, family),
        f_number=_positive(tags.number(0x829D)),
        sensor_model=_exactly(3, numbers(xmp, "camera:SensorModel", "sensefly:SensorModel")),
        radiometric=_exactly(3, numbers(xmp, "micasense:RadiometricCalibration")),
        vignette=_vignette(xmp),
        vignette_powers=numbers(xmp, "camera:VignettingPolynomial2DName"),
        vignette_centre_px=_pair(numbers(xmp, "camera:VignettingCenter", "dji:VignettingCenter")) or _centre(xmp),
        band_adjustment=_positive(value(xmp, "dji:SensorGainAdjustment")),
        irradiance=irradiance,
        irradiance_si=si,
        sun_readings=readings,
        sun_gains=gains,
        boot_s=_boot(tags) if family == "sequoia" else None,
        capture_uuid=first(xmp, "micasense:CaptureId", "camera:CaptureUUID", "dji:CaptureUUID"),
        taken_s=_seconds(tags, xmp),
        spot=_spot(tags, xmp),
        rig_index=_whole(value(xmp, "camera:RigCameraIndex", "dji:SensorIndex")),
        rig_relatives_deg=_exactly(3, numbers(xmp, "camera:RigRelatives")),
        focal_px=focal,
        principal_px=principal,
        homography=_exactly(9, numbers(xmp, "dji:CalibratedHMatrix")),
    )


def _family(tags: Tags, xmp: Packet) -> str:
    maker = f"{tags.words(0x010F)} {tags.words(0x0110)}".lower()
    if "sequoia" in maker or ("parrot" in maker and "camera:IrradianceList" in xmp):
        return "sequoia"
    if "micasense" in maker or any(key.startswith("micasense:") for key in xmp):
        return "micasense"
    return "dji" if "dji" in maker or any(key.startswith("dji:") for key in xmp) else "plain"


def _positive(found: float | None) -> float | None:
    return found if found is not None and found > 0 else None


def _whole(found: float | None) -> int | None:
    return None if found is None else round(found)


def _exactly(count: int, values: tuple[float, ...]) -> tuple[float, ...]:
    return values if len(values) == count else ()


def _pair(values: tuple[float, ...]) -> tuple[float, float] | None:
    return (values[0], values[1]) if len(values) == 2 else None


def _centre(xmp: Packet) -> tuple[float, float] | None:
    x, y = value(xmp, "dji:CalibratedOpticalCenterX"), value(xmp, "dji:CalibratedOpticalCenterY")
    return None if x is None or y is None else (x, y)


def _vignette(xmp: Packet) -> tuple[float, ...]:
    keys = ("camera:VignettingPolynomial2D", "camera:VignettingPolynomial", "dji:VignettingPolynomial")
    return numbers(xmp, *keys) or numbers(xmp, "dji:VignettingData")


def _black(tags: Tags, xmp: Packet, family: str) -> float | None:
    """EXIF's level first: on the Sequoia it is measured per picture, while its XMP level counts 10 bits."""
    held = tags.exif.get(0xC61A)
    parts = held if isinstance(held, tuple) else words(held).split() if isinstance(held, str | bytes) else (held,)
    levels = [level for level in (number(part) for part in parts) if level is not None and level >= 0]
    if levels:
        return sum(levels) / len(levels)
    level = value(xmp, "dji:BlackCurrent", "camera:BlackCurrent")
    if level is None or level < 0:
        return None
    return level * 64.0 if family == "sequoia" else level


def _exposure(tags: Tags, xmp: Packet) -> float | None:
    micro = _positive(value(xmp, "dji:ExposureTime"))
    if micro is not None:  # DJI writes microseconds; a value below 1 can only be seconds
        return micro / 1e6 if micro >= 1.0 else micro
    return _positive(tags.number(0x829A))


def _gain(tags: Tags, xmp: Packet, family: str) -> float | None:
    if family == "dji":
        return _positive(value(xmp, "dji:SensorGain"))
    iso = _positive(tags.number(0x8833)) or _positive(tags.number(0x8827))
    return None if iso is None else iso / 100.0


def _irradiance(xmp: Packet) -> tuple[float | None, bool]:
    """The sun sensor's number and whether it is W/m²/nm. MicaSense: horizontal before direct, DLS before none."""
    dji = _positive(value(xmp, "dji:Irradiance"))
    if dji is not None:
        return dji, False
    horizontal = _positive(value(xmp, "dls:HorizontalIrradiance", "camera:HorizontalIrradiance"))
    if horizontal is not None:
        scale = _positive(value(xmp, "dls:IrradianceScaleToSIUnits", "camera:IrradianceScaleToSIUnits"))
        return horizontal * (0.01 if scale is None else scale), True  # µW/cm²/nm when the scale is not stated
    return None, False


def _lens(tags: Tags, xmp: Packet) -> tuple[tuple[float, float] | None, float | None]:
    """Principal point and focal length in px, from mm and the density of the sensor; unit 4 is px/mm."""
    density = _positive(tags.number(0xA20E))
    unit = {2: 1 / 25.4, 3: 0.1, 4: 1.0}.get(_whole(tags.number(0xA210)) or 0)
    if density is None or unit is None:
        return None, None
    per_mm = density * unit
    point = _pair(numbers(xmp, "camera:PrincipalPoint"))
    focal = _positive(value(xmp, "camera:PerspectiveFocalLength"))
    affine = numbers(xmp, "camera:FisheyeAffineMatrix")
    if focal is None and len(affine) == 4:  # Pix4D's fisheye counts the angle in quarter turns
        focal = _positive(affine[0] * 2 / math.pi / per_mm)
    return (None if point is None else (point[0] * per_mm, point[1] * per_mm)), (focal * per_mm if focal else None)


def _fraction(text: str) -> float:
    return float(f"0.{text}") if text.isdigit() else 0.0


def _seconds(tags: Tags, xmp: Packet) -> float | None:
    found = stamp(tags.words(0x9003) or tags.words(0x0132))
    exposed = stamp(first(xmp, "dji:UTCAtExposure"))
    if exposed:
        text = first(xmp, "dji:UTCAtExposure").partition(".")[2]
        return exposed[0].timestamp() + _fraction(re.sub(r"\D.*", "", text))
    return None if not found else found[0].timestamp() + _fraction(tags.words(0x9291))


def _boot(tags: Tags) -> float | None:
    """Parrot writes the time since power-on as a digitising time counted from 1970."""
    found = stamp(tags.words(0x9004))
    if not found or found[0].year != 1970:
        return None
    since = found[0] - found[0].replace(month=1, day=1, hour=0, minute=0, second=0)
    return (since / timedelta(seconds=1)) + _fraction(tags.words(0x9292))


def _spot(tags: Tags, xmp: Packet) -> Spot | None:
    lon, lat = value(xmp, "dji:GpsLongitude", "dji:GpsLongtitude"), value(xmp, "dji:GpsLatitude")
    if lon is not None and lat is not None and not Spot.fault(lon, lat):
        return Spot(lon, lat)
    return exif_spot(tags)[0]
