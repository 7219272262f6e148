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
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree

from geodata.bands.sunlight import Reading, parrot_gains, parrot_readings
from geodata.bands.wavelengths import name_of, to_nm, wavelength_in
from geodata.errors import GeoError
from geodata.frames.moment import stamp
from geodata.frames.spot import Spot, exif_spot
from geodata.frames.tags import MAX_BYTES, MAX_XMP_BYTES, Tags, number, open_tags, words

_SPACES = (
    ("pix4d.com/camera", "camera"),
    ("micasense.com/micasense", "micasense"),
    ("micasense.com/dls", "dls"),
    ("dji.com/drone-dji", "dji"),
    ("sensefly", "sensefly"),
)
_SUFFIX = re.compile(r"[_-](GRE|RED|REG|NIR|BLU|MS_G|MS_R|MS_RE|MS_NIR)\.TIFF?$", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


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
    xmp = packet_values(_packet(path))
    family = _family(tags, xmp)
    band = _first(xmp, "camera:BandName", "dji:BandName")
    suffix = _SUFFIX.search(name or path.name)
    stated = _value(xmp, "camera:CentralWavelength", "dji:CentralWavelength")
    described = tags.words(0x010E)
    nm = to_nm(stated) or wavelength_in(_first(xmp, "dji:BandFreq")) or wavelength_in(described)
    readings = parrot_readings(_first(xmp, "camera:IrradianceList"))
    gains = parrot_gains(_numbers(xmp, "camera:IrradianceCalibrationMeasurement"))
    irradiance, si = _irradiance(xmp)
    principal, focal = _lens(tags, xmp)
    return BandTags(
        path=path,
        name=name_of(band or (suffix[1] if suffix else None) or described, nm),
        family=family,
        width_px=tags.width_px,
        height_px=tags.height_px,
        wavelength_nm=nm,
        fwhm_nm=_value(xmp, "camera:WavelengthFWHM", "dji:WavelengthFWHM"),
        make=tags.words(0x010F),
        model=tags.words(0x0110),
        black_level=_black(tags, xmp, family),
        exposure_s=_exposure(tags, xmp),
        gain=_gain(tags, xmp, family),
        f_number=_positive(tags.number(0x829D)),
        sensor_model=_exactly(3, _numbers(xmp, "camera:SensorModel", "sensefly:SensorModel")),
        radiometric=_exactly(3, _numbers(xmp, "micasense:RadiometricCalibration")),
        vignette=_vignette(xmp),
        vignette_powers=_numbers(xmp, "camera:VignettingPolynomial2DName"),
        vignette_centre_px=_pair(_numbers(xmp, "camera:VignettingCenter", "dji:VignettingCenter")) or _centre(xmp),
        band_adjustment=_positive(_value(xmp, "dji:SensorGainAdjustment")),
        irradiance=irradiance,
        irradiance_si=si,
        sun_readings=readings,
        sun_gains=gains,
        boot_s=_boot(tags) if family == "sequoia" else None,
        capture_uuid=_first(xmp, "micasense:CaptureId", "camera:CaptureUUID", "dji:CaptureUUID"),
        taken_s=_seconds(tags, xmp),
        spot=_spot(tags, xmp),
        rig_index=_whole(_value(xmp, "camera:RigCameraIndex", "dji:SensorIndex")),
        rig_relatives_deg=_exactly(3, _numbers(xmp, "camera:RigRelatives")),
        focal_px=focal,
        principal_px=principal,
        homography=_exactly(9, _numbers(xmp, "dji:CalibratedHMatrix")),
    )


def packet_values(packet: bytes) -> dict[str, tuple[str, ...]]:
    """Values of an XMP packet as `prefix:Name` -> texts; attributes, elements and sequences alike.

    A packet that cannot be parsed, or that declares entities, has no values.

    >>> space = b'xmlns:Camera="http://pix4d.com/camera/1.0/" xmlns:r="r"'
    >>> packet_values(b'<x ' + space + b'><Camera:BandName><r:Seq><r:li>Red</r:li></r:Seq></Camera:BandName></x>')
    {'camera:BandName': ('Red',)}
    """
    if not packet or len(packet) > MAX_XMP_BYTES:
        return {}
    try:
        root = ElementTree.fromstring(packet, forbid_dtd=True)
    except (ParseError, ValueError, LookupError):
        return {}
    values: dict[str, tuple[str, ...]] = {}
    for element in root.iter():
        for name, text in element.attrib.items():
            if text.strip() and _key(name):
                values.setdefault(_key(name), (text.strip(),))
        key = _key(str(element.tag))
        texts = _texts(element) if key else ()
        if texts:
            values.setdefault(key, texts)
    return values


def _texts(element: Element) -> tuple[str, ...]:
    return tuple(text.strip() for text in element.itertext() if text.strip())


def _key(name: str) -> str:
    space, _, local = name[1:].partition("}") if name.startswith("{") else ("", "", name)
    return next((f"{prefix}:{local}" for mark, prefix in _SPACES if mark in space.lower()), "")


def _packet(path: Path) -> bytes:
    """The XMP packet by its marks: it may stand anywhere in a TIFF."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return b""
        data = path.read_bytes()
    except OSError as fault:
        raise GeoError("no_file", f"读不到照片文件“{path.name}”，请检查路径和权限。") from fault
    for opening, closing in ((b"<x:xmpmeta", b"</x:xmpmeta>"), (b"<rdf:RDF", b"</rdf:RDF>")):
        start = data.find(opening)
        end = data.find(closing, start)
        if 0 <= start < end:
            return data[start : end + len(closing)]
    return b""


def _family(tags: Tags, xmp: Mapping[str, tuple[str, ...]]) -> str:
    maker = f"{tags.words(0x010F)} {tags.words(0x0110)}".lower()
    if "sequoia" in maker or ("parrot" in maker and "camera:IrradianceList" in xmp):
        return "sequoia"
    if "micasense" in maker or any(key.startswith("micasense:") for key in xmp):
        return "micasense"
    return "dji" if "dji" in maker or any(key.startswith("dji:") for key in xmp) else "plain"


def _first(xmp: Mapping[str, tuple[str, ...]], *keys: str) -> str:
    return next((xmp[key][0] for key in keys if key in xmp), "")


def _numbers(xmp: Mapping[str, tuple[str, ...]], *keys: str) -> tuple[float, ...]:
    texts = next((xmp[key] for key in keys if key in xmp), ())
    return tuple(float(found) for text in texts for found in _NUMBER.findall(text) if math.isfinite(float(found)))


def _value(xmp: Mapping[str, tuple[str, ...]], *keys: str) -> float | None:
    return next((number(xmp[key][0]) for key in keys if key in xmp and number(xmp[key][0]) is not None), None)


def _positive(value: float | None) -> float | None:
    return value if value is not None and value > 0 else None


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _exactly(count: int, values: tuple[float, ...]) -> tuple[float, ...]:
    return values if len(values) == count else ()


def _pair(values: tuple[float, ...]) -> tuple[float, float] | None:
    return (values[0], values[1]) if len(values) == 2 else None


def _centre(xmp: Mapping[str, tuple[str, ...]]) -> tuple[float, float] | None:
    x, y = _value(xmp, "dji:CalibratedOpticalCenterX"), _value(xmp, "dji:CalibratedOpticalCenterY")
    return None if x is None or y is None else (x, y)


def _vignette(xmp: Mapping[str, tuple[str, ...]]) -> tuple[float, ...]:
    keys = ("camera:VignettingPolynomial2D", "camera:VignettingPolynomial", "dji:VignettingPolynomial")
    return _numbers(xmp, *keys) or _numbers(xmp, "dji:VignettingData")


def _black(tags: Tags, xmp: Mapping[str, tuple[str, ...]], family: str) -> float | None:
    """EXIF's level first: on the Sequoia it is measured per picture, while its XMP level counts 10 bits."""
    held = tags.exif.get(0xC61A)
    parts = held if isinstance(held, tuple) else words(held).split() if isinstance(held, str | bytes) else (held,)
    levels = [level for level in (number(part) for part in parts) if level is not None and level >= 0]
    if levels:
        return sum(levels) / len(levels)
    level = _value(xmp, "dji:BlackCurrent", "camera:BlackCurrent")
    if level is None or level < 0:
        return None
    return level * 64.0 if family == "sequoia" else level


def _exposure(tags: Tags, xmp: Mapping[str, tuple[str, ...]]) -> float | None:
    micro = _positive(_value(xmp, "dji:ExposureTime"))
    if micro is not None:  # DJI writes microseconds; a value below 1 can only be seconds
        return micro / 1e6 if micro >= 1.0 else micro
    return _positive(tags.number(0x829A))


def _gain(tags: Tags, xmp: Mapping[str, tuple[str, ...]], family: str) -> float | None:
    if family == "dji":
        return _positive(_value(xmp, "dji:SensorGain"))
    iso = _positive(tags.number(0x8833)) or _positive(tags.number(0x8827))
    return None if iso is None else iso / 100.0


def _irradiance(xmp: Mapping[str, tuple[str, ...]]) -> tuple[float | None, bool]:
    """The sun sensor's number and whether it is W/m²/nm. MicaSense: horizontal before direct, DLS before none."""
    dji = _positive(_value(xmp, "dji:Irradiance"))
    if dji is not None:
        return dji, False
    horizontal = _positive(_value(xmp, "dls:HorizontalIrradiance", "camera:HorizontalIrradiance"))
    if horizontal is not None:
        scale = _positive(_value(xmp, "dls:IrradianceScaleToSIUnits", "camera:IrradianceScaleToSIUnits"))
        return horizontal * (0.01 if scale is None else scale), True  # µW/cm²/nm when the scale is not stated
    return None, False


def _lens(tags: Tags, xmp: Mapping[str, tuple[str, ...]]) -> tuple[tuple[float, float] | None, float | None]:
    """Principal point and focal length in px, from mm and the density of the sensor; unit 4 is px/mm."""
    density = _positive(tags.number(0xA20E))
    unit = {2: 1 / 25.4, 3: 0.1, 4: 1.0}.get(_whole(tags.number(0xA210)) or 0)
    if density is None or unit is None:
        return None, None
    per_mm = density * unit
    point = _pair(_numbers(xmp, "camera:PrincipalPoint"))
    focal = _positive(_value(xmp, "camera:PerspectiveFocalLength"))
    affine = _numbers(xmp, "camera:FisheyeAffineMatrix")
    if focal is None and len(affine) == 4:  # Pix4D's fisheye counts the angle in quarter turns
        focal = _positive(affine[0] * 2 / math.pi / per_mm)
    return (None if point is None else (point[0] * per_mm, point[1] * per_mm)), (focal * per_mm if focal else None)


def _fraction(text: str) -> float:
    return float(f"0.{text}") if text.isdigit() else 0.0


def _seconds(tags: Tags, xmp: Mapping[str, tuple[str, ...]]) -> float | None:
    found = stamp(tags.words(0x9003) or tags.words(0x0132))
    exposed = stamp(_first(xmp, "dji:UTCAtExposure"))
    if exposed:
        text = _first(xmp, "dji:UTCAtExposure").partition(".")[2]
        return exposed[0].timestamp() + _fraction(re.sub(r"\D.*", "", text))
    return None if not found else found[0].timestamp() + _fraction(tags.words(0x9291))


def _boot(tags: Tags) -> float | None:
    """Parrot writes the time since power-on as a digitising time counted from 1970."""
    found = stamp(tags.words(0x9004))
    if not found or found[0].year != 1970:
        return None
    since = found[0] - found[0].replace(month=1, day=1, hour=0, minute=0, second=0)
    return (since / timedelta(seconds=1)) + _fraction(tags.words(0x9292))


def _spot(tags: Tags, xmp: Mapping[str, tuple[str, ...]]) -> Spot | None:
    lon, lat = _value(xmp, "dji:GpsLongitude", "dji:GpsLongtitude"), _value(xmp, "dji:GpsLatitude")
    if lon is not None and lat is not None and not Spot.fault(lon, lat):
        return Spot(lon, lat)
    return exif_spot(tags)[0]
