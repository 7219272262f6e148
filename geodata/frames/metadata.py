"""What one photograph says about itself: camera, place, attitude, time, laser target.

Values are claims of the file, checked for plausibility and never completed by a guess: what is missing
stays None, what is implausible is dropped with a remark. It computes no ground position (`project.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from geodata.frames.attitude import Attitude, attitude_of
from geodata.frames.fisheye import Fisheye
from geodata.frames.lens import Dewarp as Dewarp
from geodata.frames.lens import lens_of
from geodata.frames.moment import Moment, moment_of
from geodata.frames.multispectral import BandFacts, band_of, camera_tags, capture_of
from geodata.frames.resaved import marks_of_resaving
from geodata.frames.spot import Spot, exif_spot, xmp_spot
from geodata.frames.tags import Tags, number, open_tags, positive, whole, within

Remark = tuple[str, str]
"""A stable code and a Chinese sentence for people."""


@dataclass(frozen=True)
class Laser:
    """Laser range finder target: WGS-84 degrees, metres; `altitude_m` as the camera wrote it."""

    lon: float
    lat: float
    altitude_m: float | None
    distance_m: float | None
    status: str


@dataclass(frozen=True)
class FrameMeta:
    """Metadata of one frame. Degrees WGS-84, metres, gimbal angles in degrees (north-east-down, ZYX).

    `relative_altitude_m` is above **take-off**, not above ground. `taken_at` is set only when the file
    declares a zone; `taken_local` is what the camera's clock said. `warnings` name what makes a value
    doubtful, `notes` what was assumed or left open on a healthy frame. `perspective` and `fisheye` are a rig's
    own calibration; `plane_accuracy_m` and `height_accuracy_m` what it says of its position (1 sigma an axis).
    `band` is None unless the file holds one band; `capture_id` names the exposure its bands share;
    `camera_tags` are the raw radiometric tags as `Camera:BlackCurrent`, `drone-dji:SensorGain` and so on.
    `provenance["attitude"]` is `xmp` (gimbal), `makernote` or `camera_xmp` (a rig's own sensor).
    """

    width_px: int
    height_px: int
    format: str
    make: str = ""
    model: str = ""
    software: str = ""
    orientation: int | None = None
    image_source: str = ""
    exif_width_px: int | None = None
    exif_height_px: int | None = None
    focal_mm: float | None = None
    focal_35mm: float | None = None
    zoom: float | None = None
    lon: float | None = None
    lat: float | None = None
    horizontal_error_m: float | None = None
    heading_deg: float | None = None
    absolute_altitude_m: float | None = None
    relative_altitude_m: float | None = None
    altitude_type: str = ""
    gps_status: str = ""
    rtk_flag: int | None = None
    rtk_std_lon_m: float | None = None
    rtk_std_lat_m: float | None = None
    rtk_std_height_m: float | None = None
    gimbal_yaw_deg: float | None = None
    gimbal_pitch_deg: float | None = None
    gimbal_roll_deg: float | None = None
    calibrated_focal_px: float | None = None
    dewarp: Dewarp | None = None
    perspective: Dewarp | None = None
    fisheye: Fisheye | None = None
    plane_accuracy_m: float | None = None
    height_accuracy_m: float | None = None
    laser: Laser | None = None
    taken_local: str | None = None
    taken_at: datetime | None = None
    band: BandFacts | None = None
    capture_id: str = ""
    camera_tags: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[Remark, ...] = ()
    notes: tuple[Remark, ...] = ()

    @property
    def band_name(self) -> str:
        """Name of the single band as written; empty for colour."""
        return self.band.name if self.band else ""

    @property
    def central_wavelength_nm(self) -> float | None:
        """Centre of the single band in nanometres, where the file states it."""
        return self.band.central_wavelength_nm if self.band else None

    @property
    def edited(self) -> bool:
        """Whether another program saved the file again, so that pixels may be turned or cut."""
        return any(code == "edited" for code, _ in self.warnings)


def read_frame(photo: str | Path | bytes) -> FrameMeta:
    """Read one photograph's metadata.

    Parameters: `photo`, a path or the file's bytes. Returns `FrameMeta`.
    Raises only `GeoError`: `no_file`, `too_large`, `too_many_pixels`, `not_a_photo`, `broken_photo`.
    Source: EXIF 2.32; the XMP namespaces `drone-dji`, `Camera` (Pix4D) and `MicaSense`; DJI's MakerNote.

    >>> read_frame(b"not a photograph")
    Traceback (most recent call last):
        ...
    geodata.errors.GeoError: 不是能识别的照片；请上传 JPEG、PNG、WebP、TIFF 或 HEIC 原图。
    """
    tags = open_tags(photo)
    warnings: list[Remark] = []
    notes: list[Remark] = []
    provenance: dict[str, str] = {}
    if tags.xmp_broken:
        warnings.append(("xmp_broken", "照片的 XMP 信息损坏，云台姿态等读不出来；请使用未经处理的原图。"))
    spot = _position(tags, warnings, provenance)
    moment = _time(tags, notes, provenance)
    resaved = marks_of_resaving(tags)
    if resaved:
        sentence = "；".join(resaved)
        warnings.append(
            (
                "edited",
                f"照片被其他软件重新保存过（{sentence}），画面可能被旋转或裁剪，算出的位置不可直接采信；"
                "请用原始文件，或到现场核实。",
            )
        )
    exif_width, exif_height = whole(tags.number(0xA002)), whole(tags.number(0xA003))
    _check_size(tags, exif_width, exif_height, notes)
    orientation = whole(tags.number(0x0112))
    if orientation is not None and 2 <= orientation <= 8:
        warnings.append(("turned", "照片带有旋转标记；像素坐标按文件中存储的方向计，不是旋转后看到的方向。"))
    attitude = _attitude(tags, warnings, provenance)
    lens = lens_of(tags)
    if lens.unreadable:
        notes.append(("dewarp_unreadable", "照片里的镜头标定数据读不懂，没有使用。"))
    for name, key in (("relative_altitude", "RelativeAltitude"), ("absolute_altitude", "AbsoluteAltitude")):
        if tags.dji(key) is not None:
            provenance[name] = "xmp"
    return FrameMeta(
        width_px=tags.width_px,
        height_px=tags.height_px,
        format=tags.format,
        make=tags.words(0x010F) or tags.xmp.get("tiff:Make", ""),
        model=tags.words(0x0110) or tags.xmp.get("tiff:Model", ""),
        software=tags.words(0x0131),
        orientation=orientation,
        image_source=tags.xmp.get("dji:ImageSource", ""),
        exif_width_px=exif_width,
        exif_height_px=exif_height,
        focal_mm=positive(tags.number(0x920A)),
        focal_35mm=positive(tags.number(0xA405)),
        zoom=positive(tags.number(0xA404)),
        lon=spot.lon if spot else None,
        lat=spot.lat if spot else None,
        horizontal_error_m=positive(number(tags.gps.get(31))),
        heading_deg=number(tags.gps.get(17)),
        absolute_altitude_m=_absolute_altitude(tags),
        relative_altitude_m=within(tags.dji("RelativeAltitude"), -1000.0, 12000.0),
        altitude_type=tags.xmp.get("dji:AltitudeType", ""),
        gps_status=tags.xmp.get("dji:GpsStatus", ""),
        rtk_flag=whole(tags.dji("RtkFlag"), least=0),
        rtk_std_lon_m=positive(tags.dji("RtkStdLon")),
        rtk_std_lat_m=positive(tags.dji("RtkStdLat")),
        rtk_std_height_m=positive(tags.dji("RtkStdHgt")),
        gimbal_yaw_deg=attitude.yaw_deg if attitude else None,
        gimbal_pitch_deg=attitude.pitch_deg if attitude else None,
        gimbal_roll_deg=attitude.roll_deg if attitude else None,
        calibrated_focal_px=positive(tags.dji("CalibratedFocalLength")),
        dewarp=lens.dewarp,
        perspective=lens.perspective,
        fisheye=lens.fisheye,
        plane_accuracy_m=within(tags.camera("GPSXYAccuracy"), 1e-4, 1000.0),
        height_accuracy_m=within(tags.camera("GPSZAccuracy"), 1e-4, 1000.0),
        laser=_laser(tags),
        taken_local=moment.local,
        taken_at=moment.at,
        band=band_of(tags),
        capture_id=capture_of(tags),
        camera_tags=camera_tags(tags),
        provenance=MappingProxyType(provenance),
        warnings=tuple(warnings),
        notes=tuple(notes),
    )


def _position(tags: Tags, warnings: list[Remark], provenance: dict[str, str]) -> Spot | None:
    """XMP first (nine decimals), EXIF second; both are checked, and against each other."""
    if tags.xmp.get("dji:GpsStatus", "").lower() == "invalid":
        warnings.append(("gps_invalid", "相机标明拍摄时没有卫星定位，照片里的坐标不采用。"))
        return None
    precise, precise_fault = xmp_spot(tags)
    plain, plain_fault = exif_spot(tags)
    for fault in dict.fromkeys(f for f in (precise_fault, plain_fault) if f):
        warnings.append(("gps_implausible", f"照片里的坐标不可信（{fault}），不采用。"))
    if precise and plain and precise.distance_m(plain) > 50.0:
        warnings.append(("gps_conflict", "照片里的两处坐标（XMP 与 EXIF）相差 50 米以上，采用 XMP 的；请核实位置。"))
    spot = precise or plain
    if spot:
        provenance["position"] = "xmp" if precise else "exif"
    return spot


def _time(tags: Tags, notes: list[Remark], provenance: dict[str, str]) -> Moment:
    moment = moment_of(tags)
    if moment.at is not None:
        provenance["time"] = moment.source
    elif moment.local is not None:
        notes.append(("time_without_zone", "照片的拍摄时间没有写明时区，只作相机时钟的说法保留。"))
    return moment


def _check_size(tags: Tags, width: int | None, height: int | None, notes: list[Remark]) -> None:
    if width and height and {width, height} != {tags.width_px, tags.height_px}:
        notes.append(
            (
                "resized",
                f"照片实为 {tags.width_px}×{tags.height_px} 像素，EXIF 写的是 {width}×{height}；按实际像素换算焦距。",
            )
        )


def _attitude(tags: Tags, warnings: list[Remark], provenance: dict[str, str]) -> Attitude | None:
    """The camera's angles, never the aircraft's; all or none of them."""
    attitude, faulty = attitude_of(tags)
    if faulty:
        warnings.append(("attitude_implausible", "照片里的云台姿态不完整或不可信，不采用。"))
    if attitude is not None:
        provenance["attitude"] = attitude.source
    return attitude


def _absolute_altitude(tags: Tags) -> float | None:
    stated = within(tags.dji("AbsoluteAltitude"), -1000.0, 12000.0)
    if stated is not None:
        return stated
    height = within(number(tags.gps.get(6)), 0.0, 12000.0)
    return -height if height is not None and tags.gps.get(5) in (1, b"\x01") else height


def _laser(tags: Tags) -> Laser | None:
    lon, lat = tags.dji("LRFTargetLon"), tags.dji("LRFTargetLat")
    if lon is None or lat is None or Spot.fault(lon, lat):
        return None
    return Laser(
        lon,
        lat,
        within(tags.dji("LRFTargetAlt"), -1000.0, 12000.0),
        positive(tags.dji("LRFTargetDistance")),
        tags.xmp.get("dji:LRFStatus", ""),
    )
