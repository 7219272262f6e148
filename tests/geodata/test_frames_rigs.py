"""Rigs beside DJI's gimbals: Sequoia and MicaSense tags, fisheye lenses, the MakerNote, and the angles' meaning."""

from __future__ import annotations

import math
import struct
from dataclasses import replace
from io import BytesIO

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from geodata.frames.attitude import gimbal_angles
from geodata.frames.camera import camera_for
from geodata.frames.fisheye import Fisheye
from geodata.frames.locate import locate
from geodata.frames.makernote import camera_angles
from geodata.frames.metadata import read_frame
from geodata.frames.project import axes
from geodata.frames.tags import open_tags
from geodata.frames.terrain import Terrain

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"


def sequence(name: str, *values: str) -> str:
    return f"<{name}><rdf:Seq>{''.join(f'<rdf:li>{value}</rdf:li>' for value in values)}</rdf:Seq></{name}>"


def band_file(inner: str) -> bytes:
    """A small 16-bit band with its XMP in tag 700, as MicaSense and Sequoia write it."""
    packet = (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"><rdf:Description '
        'xmlns:Camera="http://pix4d.com/camera/1.0" xmlns:MicaSense="http://micasense.com/MicaSense/1.0/" '
        f'xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/">{inner}</rdf:Description></rdf:RDF></x:xmpmeta>'
    )
    tags = Image.Exif()
    tags[0x010F] = "MicaSense"
    tags[0xA20E] = tags[0xA20F] = IFDRational(266666667, 1000000)
    tags[0xA210] = 4
    tags[700] = packet.encode()
    out = BytesIO()
    Image.fromarray(np.zeros((960, 1280), np.uint16)).save(out, "TIFF", exif=tags)
    return out.getvalue()


MICASENSE = (
    sequence("Camera:BandName", "Red edge") + sequence("Camera:CentralWavelength", "717") + sequence("Camera:WavelengthFWHM", "12")
    + "<Camera:ModelType>perspective</Camera:ModelType><Camera:PrincipalPoint>2.44,1.82</Camera:PrincipalPoint>"
    + "<Camera:PerspectiveFocalLength>5.43</Camera:PerspectiveFocalLength>"
    + "<Camera:PerspectiveFocalLengthUnits>mm</Camera:PerspectiveFocalLengthUnits>"
    + sequence("Camera:PerspectiveDistortion", "-0.10", "0.14", "-0.03", "0.0004", "-0.0002")
    + "<Camera:RigCameraIndex>4</Camera:RigCameraIndex><Camera:GPSXYAccuracy>1500/1000</Camera:GPSXYAccuracy>"
    + "<MicaSense:CaptureId>abc123</MicaSense:CaptureId>" + sequence("MicaSense:RadiometricCalibration", "1e-4", "1e-7", "2e-5")
    + "<Camera:Yaw>30</Camera:Yaw><Camera:Pitch>20</Camera:Pitch><Camera:Roll>0</Camera:Roll>"
)  # fmt: skip


def test_a_micasense_band_is_read_from_its_tiff_tag():
    meta = read_frame(band_file(MICASENSE))
    assert (meta.band_name, meta.central_wavelength_nm, meta.capture_id) == ("Red edge", 717.0, "abc123")
    assert meta.band is not None and (meta.band.width_nm, meta.band.index) == (12.0, 4)
    assert meta.plane_accuracy_m == 1.5
    assert meta.camera_tags["MicaSense:RadiometricCalibration"] == "1e-4,1e-7,2e-5"
    assert meta.provenance["attitude"] == "camera_xmp"
    assert (meta.gimbal_yaw_deg, meta.gimbal_pitch_deg) == (pytest.approx(30.0), pytest.approx(-70.0))
    camera = camera_for(meta)
    assert camera is not None and camera.source == "perspective"
    assert camera.fx_px == pytest.approx(5.43 * 266.666667) and camera.cx_px == pytest.approx(2.44 * 266.666667)
    assert camera.distortion == (-0.10, 0.14, 0.0004, -0.0002, -0.03)  # tangential before the third radial


def test_a_mavic_band_names_its_wavelength_in_words():
    words = "<drone-dji:BandName>NIR</drone-dji:BandName><drone-dji:BandFreq>860(+/-26)nm</drone-dji:BandFreq>"
    meta = read_frame(band_file(words + "<drone-dji:SensorGain>1.5</drone-dji:SensorGain>"))
    assert meta.band is not None and (meta.band.central_wavelength_nm, meta.band.width_nm) == (860.0, 52.0)
    assert meta.camera_tags["drone-dji:SensorGain"] == "1.5"


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (("5.43<", "-5.43<"), ["dewarp_unreadable"]),
        (("perspective<", "fisheye<"), ["dewarp_unreadable"]),
        (("<Camera:Pitch>20<", "<Camera:Pitch>steep<"), []),
        (("717", "0"), []),
    ],
)
def test_what_makes_no_sense_is_left_out_and_told(change, codes):
    meta = read_frame(band_file(MICASENSE.replace(*change)))
    assert [code for code, _ in meta.notes if code == "dewarp_unreadable"] == codes
    if "steep" in change[1]:
        assert meta.gimbal_pitch_deg is None
        assert [code for code, _ in meta.warnings] == ["attitude_implausible"]
    if change[1] == "0":
        assert meta.central_wavelength_nm is None


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_formats_behind_jpeg_are_opened_too(kind):
    out = BytesIO()
    Image.new("RGB", (40, 30), "green").save(out, kind)
    assert (read_frame(out.getvalue()).width_px, read_frame(out.getvalue()).format) == (40, kind)


def test_the_real_sequoia_exposure(data_files):
    bands = {path.name[-7:-4]: read_frame(path) for path in (data_files / "multispectral" / "sequoia_garfield").glob("*.TIF")}  # fmt: skip
    assert {key: meta.central_wavelength_nm for key, meta in bands.items()} == {"GRE": 550, "RED": 660, "REG": 735, "NIR": 790}  # fmt: skip
    assert len({meta.capture_id for meta in bands.values()}) == 1
    green = bands["GRE"]
    assert green.band_name == "Green" and green.plane_accuracy_m == 2.301 and green.height_accuracy_m == 3.419
    assert green.gimbal_pitch_deg == pytest.approx(-84.815, abs=1e-3)  # 5.18 degrees off straight down
    assert green.camera_tags["Camera:BlackCurrent"] == "74.000000" and "Camera:IrradianceList" in green.camera_tags
    assert float(green.camera_tags["Exif:ExposureTime"]) == pytest.approx(1 / 866.67, rel=1e-3)
    for meta in bands.values():
        camera = camera_for(meta)
        assert camera is not None and camera.source == "fisheye"
        # The lens is 3.98 mm before pixels of 3.75 micrometres: near the axis the fisheye must agree with that.
        assert camera.fx_px == pytest.approx(3.98 / 0.00375, rel=0.01)
        corner = camera.rays([(0, 0), (1280, 960)])
        assert np.isfinite(corner).all() and 40 < math.degrees(math.atan(np.hypot(*corner[0]))) < 50


def shift_px(one: np.ndarray, other: np.ndarray) -> float:
    """How far two pictures of the same ground are apart, by phase correlation of their edges."""
    edges = []
    for picture in (one, other):
        soft = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 2)
        across, down = cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)
        edges.append(np.log1p(cv2.magnitude(across, down)))
    window = cv2.createHanningWindow(one.shape[::-1], cv2.CV_32F)
    return math.hypot(*cv2.phaseCorrelate(edges[0], edges[1], window)[0])


def test_the_fisheye_model_and_its_corner_of_origin_bring_real_bands_together(data_files):
    folder = data_files / "multispectral" / "sequoia_garfield"
    pictures, raw = {"right": [], "mirrored": []}, []
    for band in ("GRE", "RED"):
        path = next(folder.glob(f"*{band}.TIF"))
        camera, picture = camera_for(read_frame(path)), np.asarray(Image.open(path)).astype(np.float32)
        assert camera is not None and camera.fisheye is not None
        raw.append(picture[100:860, 150:1130])
        y, x = np.mgrid[:700, :900]
        rays = np.column_stack(((x.ravel() - 450) / 1000, (y.ravel() - 350) / 1000))
        for name, lens in (("right", camera.fisheye), ("mirrored", replace(camera.fisheye, cy_px=960 - camera.cy_px))):
            pixels = lens.pixels(rays).reshape(700, 900, 2).astype(np.float32)
            pictures[name].append(cv2.remap(picture, pixels[..., 0], pixels[..., 1], cv2.INTER_LINEAR))
    before, after, wrong = shift_px(*raw), shift_px(*pictures["right"]), shift_px(*pictures["mirrored"])
    print(
        f"\ngreen and red apart: {before:.1f} px raw, {after:.1f} px as rays, {wrong:.1f} px with the centre mirrored"
    )
    assert before > 20 and after < 4 and wrong > 30  # what is left is the rig's own 0.1 degrees


def test_the_real_sequoia_is_placed_only_over_a_ground_that_counts_from_the_sea(data_files):
    photo = next((data_files / "multispectral" / "sequoia_garfield").glob("*GRE.TIF"))
    assert locate(photo)["method"] == "camera_only"
    field = Terrain.sampled(lambda points: np.full(len(points), 270.0), 400.0, 20.0, "sea_level")
    answer = locate(photo, [(640, 480), (0, 0)], terrain=field)
    assert [point["method"] for point in answer["points"]] == ["pose", "pose"]
    assert answer["camera"]["focal_source"] == "fisheye" and 5 < answer["points"][0]["ce90_m"] < 25


def test_the_makernote_says_what_the_xmp_says(data_files):
    photos = sorted((data_files / "drone_rgb" / "brighton_beach").glob("*.JPG"))
    assert len(photos) == 11
    for photo in photos:
        meta = read_frame(photo)
        noted = camera_angles(open_tags(photo).maker_note)
        assert noted == (meta.gimbal_yaw_deg, meta.gimbal_pitch_deg, meta.gimbal_roll_deg)
        assert meta.provenance["attitude"] == "xmp"


def test_without_xmp_the_makernote_is_taken(data_files):
    data = (data_files / "drone_rgb" / "brighton_beach" / "DJI_0019.JPG").read_bytes()
    bare = read_frame(data.replace(b"http://ns.adobe.com/xap/1.0/\x00<", b"http://ns.adobe.com/xyz/1.0/\x00(").replace(
        b"<x:xmpmeta", b"(x:xmpmeta"))  # fmt: skip
    assert bare.provenance["attitude"] == "makernote"
    assert (bare.gimbal_yaw_deg, bare.gimbal_pitch_deg, bare.gimbal_roll_deg) == (42.8, -89.9, 0.0)
    assert bare.relative_altitude_m is None and locate(bare)["method"] == "camera_only"


def note(*angles: float, order: str = "<", mark: bytes = b"DJI\x00") -> bytes:
    entries = [struct.pack(order + "HHIf", tag, 11, 1, value) for tag, value in zip((9, 10, 11), angles, strict=False)]
    head = struct.pack(order + "HHHI", len(entries) + 1, 1, 2, 4) + mark
    return head + b"".join(entries)


def test_either_byte_order_and_no_other_makers_block():
    assert camera_angles(note(-80.0, 10.0, 1.0, order=">")) == (10.0, -80.0, 1.0)
    for wrong in (note(-80, 10, 1, mark=b"Nik\x00"), note(0, 0, 0), note(-80, 10), note(math.nan, 1, 1), note(-999, 1, 1)):  # fmt: skip
        assert camera_angles(wrong) is None


@given(st.binary(max_size=400))
def test_no_block_whatever_raises(data):
    camera_angles(data)
    camera_angles(note(-80.0, 10.0, 1.0)[:-1] + data)


def body(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Rz(yaw) Ry(pitch) Rx(roll) in north-east-down; columns are the picture's top, right and optical axis."""
    y, p, r = (math.radians(angle) for angle in (yaw, pitch, roll))
    z_ = np.array([[math.cos(y), -math.sin(y), 0], [math.sin(y), math.cos(y), 0], [0, 0, 1]])
    y_ = np.array([[math.cos(p), 0, math.sin(p)], [0, 1, 0], [-math.sin(p), 0, math.cos(p)]])
    x_ = np.array([[1, 0, 0], [0, math.cos(r), -math.sin(r)], [0, math.sin(r), math.cos(r)]])
    return z_ @ y_ @ x_


@given(
    st.floats(-180, 180),
    st.one_of(st.just(0.0), st.just(1e-9), st.floats(-90, 120)),
    st.one_of(st.just(0.0), st.floats(-60, 60)),
)
def test_rig_angles_become_gimbal_angles_of_the_same_view(yaw, pitch, roll):
    top, right, ahead = body(yaw, pitch, roll).T
    found = axes(*gimbal_angles(yaw, pitch, roll))  # rows right, down, forward in east-north-up
    for row, north_east_down in zip(found, (right, -top, ahead), strict=True):
        north, east, down = north_east_down
        assert np.allclose(row, (east, north, -down), atol=1e-9)


def test_the_known_views_of_the_rig_convention():
    nadir, ahead = axes(*gimbal_angles(90, 0, 0)), axes(*gimbal_angles(0, 90, 0))
    assert np.allclose(-nadir[1], (1, 0, 0), atol=1e-12) and np.allclose(nadir[2], (0, 0, -1), atol=1e-12)
    assert np.allclose(ahead[2], (0, 1, 0), atol=1e-9) and np.allclose(ahead[1], (0, 0, -1), atol=1e-9)


@given(st.floats(0, 1280), st.floats(0, 960), st.floats(0.5, 3.0))
def test_a_fisheye_inverts_itself_at_any_scale(x, y, scale):
    lens = Fisheye((1676.8, 12.0, -7.0, 1668.0), (0.0, 1.0, 0.006, -0.137), 663.4, 468.0).scaled(scale)
    pixel = np.array([[x, y]]) * scale
    assert np.abs(lens.pixels(lens.rays(pixel)) - pixel).max() < 1e-8 * scale


def test_a_fisheye_gives_no_ray_beyond_its_polynomial():
    lens = Fisheye((1676.8, 0.0, 0.0, 1676.8), (0.0, 1.0, 0.0, -0.5), 640.0, 480.0)  # folds at 73 degrees
    assert np.isnan(lens.rays([(640 + 1676.8 * 0.56, 480)])).all()
    assert np.isfinite(lens.rays([(640 + 1676.8 * 0.5, 480)])).all()
    assert not Fisheye((1.0, 1.0, 1.0, 1.0), (0.0, 1.0), 0.0, 0.0).usable
    assert not Fisheye((1.0, 0.0, 0.0, 1.0), (0.0, -1.0), 0.0, 0.0).usable
