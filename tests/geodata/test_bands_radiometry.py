"""Radiometry: laws that hold for every camera, the makers' formulas at single pixels, and the real Parrot files."""

from __future__ import annotations

import base64
import math
import re
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from geodata.bands.bandtags import BandTags, read_band_tags
from geodata.bands.capture import read_pixels
from geodata.bands.packet import packet_values
from geodata.bands.radiometry import panel_factor, saturated, to_signal, vignette_factor
from geodata.bands.sunlight import Reading, light_at, parrot_gains, parrot_readings
from geodata.errors import GeoError

PLAIN = BandTags(Path("x.tif"), "red", "plain", 8, 6, 665.0, black_level=4000.0, exposure_s=0.001, gain=1.0)
RADIAL = (1e-4, -2e-7, 3e-10, -4e-13, 5e-16, -6e-19)


def band_file(path: Path, pixels: np.ndarray, attributes: str = "", inner: str = "", **info: object) -> Path:
    """A single-band TIFF with an XMP packet, as a camera writes it; `info`: make, model, taken, exposure_s, iso."""
    spaces = (
        'xmlns:Camera="http://pix4d.com/camera/1.0/" xmlns:MicaSense="http://micasense.com/MicaSense/1.0/" '
        'xmlns:DLS="http://micasense.com/DLS/1.0/" xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/" '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
    )
    packet = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {spaces.split()[-1]}><rdf:Description {spaces.rsplit(" ", 1)[0]} {attributes}>{inner}</rdf:Description></rdf:RDF></x:xmpmeta>'
    exif = Image.Exif()
    exif[271], exif[272] = str(info.get("make", "Test")), str(info.get("model", "Camera"))
    # Flat, not in the directory of their own: readers take both, and Pillow writes only this reliably.
    exif[0x829A] = float(info.get("exposure_s", 0.001))  # type: ignore[arg-type]  # the tests give numbers
    exif[0x8827] = int(info.get("iso", 100))  # type: ignore[call-overload]  # likewise
    exif[0x9003] = str(info.get("taken", "2026:05:01 10:00:00"))
    exif[0x9291] = str(info.get("subsec", "000000"))
    if attributes or inner:
        exif[700] = packet.encode()
    Image.fromarray(pixels).save(path, exif=exif)
    return path


def sequences(**lists: str) -> str:
    return "".join(
        f"<Camera:{key}><rdf:Seq>{''.join(f'<rdf:li>{v}</rdf:li>' for v in text.split(','))}</rdf:Seq></Camera:{key}>"
        for key, text in lists.items()
    )


@given(
    dn=st.integers(4001, 30000),
    factor=st.sampled_from([0.5, 0.25, 2.0]),
    way=st.sampled_from(["exposure_s", "gain"]),
)
def test_more_exposure_or_gain_with_as_much_more_light_above_black_is_the_same_signal(
    dn: int, factor: float, way: str
) -> None:
    raw = np.full((6, 8), float(dn))
    changed = replace(PLAIN, **{way: getattr(PLAIN, way) * factor})
    brighter = (raw - 4000.0) * factor + 4000.0
    assert to_signal(brighter, changed).array == pytest.approx(to_signal(raw, PLAIN).array, rel=1e-5)


@given(light=st.floats(0.2, 5.0), reflectance=st.floats(0.02, 0.99), exposure=st.floats(1e-4, 1e-2))
def test_a_panel_takes_out_the_light_and_the_camera(light: float, reflectance: float, exposure: float) -> None:
    tags = replace(PLAIN, exposure_s=exposure)
    scale = 8000.0 * light
    scene = np.full((6, 8), 4000.0 + scale * reflectance)
    factor = panel_factor(np.full((6, 8), 4000.0 + scale * 0.5), tags, np.ones((6, 8), bool), 0.5)
    found = to_signal(scene, tags, factor)
    assert found.reflectance and found.balanced and "panel" not in found.missing
    assert found.array == pytest.approx(np.full((6, 8), reflectance), rel=1e-4)


@given(irradiance=st.floats(100.0, 5000.0))
def test_a_sun_sensor_takes_the_weather_out_but_only_a_calibrated_one_gives_reflectance(irradiance: float) -> None:
    dji = replace(PLAIN, family="dji", band_adjustment=1.02, irradiance=irradiance)
    raw = np.full((6, 8), 4000.0 + 10.0 * irradiance)
    found = to_signal(raw, dji)
    base = to_signal(np.full((6, 8), 4000.0 + 10.0 * 100.0), replace(dji, irradiance=100.0))
    assert found.array == pytest.approx(base.array, rel=1e-5)
    assert found.balanced and not found.reflectance and "panel" in found.missing


def test_the_micasense_model_at_single_pixels() -> None:
    tags = BandTags(
        Path("m.tif"), "nir", "micasense", 1280, 960, 840.0, black_level=4800.0, exposure_s=0.00094, gain=2.0,
        radiometric=(1.8e-4, 1.3e-7, 2.9e-5), vignette=RADIAL, vignette_centre_px=(640.5, 478.0),
        irradiance=1.2, irradiance_si=True,
    )  # fmt: skip
    found = to_signal(np.full((960, 1280), 20000, np.uint16), tags)
    assert found.reflectance and found.missing == ()
    for row, column in ((0, 0), (478, 640), (959, 1279), (300, 17)):
        r = math.hypot(column - 640.5, row - 478.0)
        v = 1.0 / (1.0 + sum(k * r ** (i + 1) for i, k in enumerate(RADIAL)))
        radiance = v * 1.8e-4 / 2.0 * ((20000 - 4800) / 65536) / (0.00094 + 1.3e-7 * row - 2.9e-5 * 0.00094 * row)
        assert found.array[row, column] == pytest.approx(math.pi * radiance / 1.2, rel=1e-5)


def test_the_parrot_model_at_a_pixel() -> None:
    tags = replace(PLAIN, family="sequoia", f_number=2.2, sensor_model=(1200.0, 4800.0, 30.0), gain=2.0)
    found = to_signal(np.full((6, 8), 20000, np.uint16), tags)
    assert found.array[0, 0] == pytest.approx(2.2**2 * (20000 - 4800) / (1200.0 * 0.001 * 200.0 + 30.0), rel=1e-6)
    assert "sensor_model" in found.steps and not found.reflectance and not found.balanced


def test_vignetting_of_dji_multiplies_and_of_micasense_divides() -> None:
    tags = replace(PLAIN, family="dji", width_px=400, height_px=300, vignette=RADIAL, vignette_centre_px=(200.0, 150.0))
    dji, mica = vignette_factor(tags, (300, 400)), vignette_factor(replace(tags, family="micasense"), (300, 400))
    assert dji is not None and mica is not None
    r = 50.0
    assert dji[150, 250] == pytest.approx(1.0 + sum(k * r ** (i + 1) for i, k in enumerate(RADIAL)), rel=1e-12)
    assert dji * mica == pytest.approx(np.ones((300, 400)))
    assert dji[150, 200] == 1.0
    assert vignette_factor(replace(tags, vignette=(1.0,) * 6), (300, 400)) is None, (
        "absurd coefficients are no correction"
    )
    assert vignette_factor(PLAIN, (6, 8)) is None


def test_saturated_and_empty_pixels_have_no_value() -> None:
    raw = np.full((6, 8), 20000, np.uint16)
    raw[0, 0], raw[0, 1], raw[0, 2] = 65535, 0, 3000
    found = to_signal(raw, PLAIN)
    assert np.isnan(found.array[0, :2]).all() and found.array[0, 2] == 0.0
    assert found.saturated == pytest.approx(1 / 48) and any(code == "saturated" for code, _ in found.remarks)
    ten_bits = (np.arange(48).reshape(6, 8) * 64).astype(np.uint16)
    ten_bits[5, 7] = 65472
    assert np.argwhere(saturated(ten_bits)).tolist() == [[5, 7]]


def test_what_a_file_does_not_say_is_listed() -> None:
    bare = to_signal(np.full((6, 8), 900, np.uint16), BandTags(Path("b.tif"), "red", "plain", 8, 6))
    assert bare.missing == ("black_level", "exposure", "gain", "vignette", "sunlight", "panel") and bare.steps == ()
    assert not bare.reflectance and not bare.balanced
    assert dict(bare.remarks)["no_panel"].startswith("红波段：没有定标板")


@pytest.mark.parametrize(
    ("change", "inside", "value", "code"),
    [
        (lambda a: None, (slice(None), slice(None)), 1.4, "panel_value"),
        (lambda a: None, (slice(0, 2), slice(0, 2)), 0.5, "panel_small"),
        (lambda a: a.__setitem__(slice(0, 3), 65535), (slice(None), slice(None)), 0.5, "panel_saturated"),
        (lambda a: a.fill(3990), (slice(None), slice(None)), 0.5, "panel_dark"),
        (lambda a: a.__setitem__(slice(0, 3), 5000), (slice(None), slice(None)), 0.5, "panel_uneven"),
    ],
)
def test_a_panel_that_teaches_nothing_is_refused(change, inside, value: float, code: str) -> None:  # type: ignore[no-untyped-def]
    raw = np.full((6, 8), 20000, np.uint16)
    change(raw)
    mask = np.zeros((6, 8), bool)
    mask[inside] = True
    with pytest.raises(GeoError) as caught:
        panel_factor(raw, PLAIN, mask, value)
    assert caught.value.code == code


def test_a_panel_corrected_otherwise_is_refused() -> None:
    raw = np.full((6, 8), 20000, np.uint16)
    factor = panel_factor(raw, PLAIN, np.ones((6, 8), bool), 0.5)
    for other in (replace(PLAIN, gain=None), replace(PLAIN, name="nir")):
        with pytest.raises(GeoError, match="不能套用"):
            to_signal(raw, other, factor)


@pytest.mark.parametrize(
    ("raw", "tags", "code"),
    [
        (np.zeros((6, 8, 3), np.uint16), PLAIN, "bad_band"),
        (np.zeros((5, 8), np.uint16), PLAIN, "size_differs"),
        (np.ones((6, 8), np.uint16), replace(PLAIN, name=None), "no_name"),
    ],
)
def test_what_is_no_band_is_refused(raw: np.ndarray, tags: BandTags, code: str) -> None:
    with pytest.raises(GeoError) as caught:
        to_signal(raw, tags)
    assert caught.value.code == code


def test_the_tags_of_a_dji_band(tmp_path: Path) -> None:
    path = band_file(
        tmp_path / "DJI_20230309024757_0001_MS_NIR.TIF",
        np.full((6, 8), 9000, np.uint16),
        'drone-dji:BandName="NIR" drone-dji:BandFreq="860(+/-26)nm" drone-dji:BlackCurrent="3200" '
        'drone-dji:SensorGain="2.0" drone-dji:ExposureTime="1500" drone-dji:SensorGainAdjustment="1.01" '
        'drone-dji:Irradiance="2000.5" drone-dji:VignettingData="0.0001,1e-7,-2E-10,0,0,0" '
        'drone-dji:CalibratedOpticalCenterX="4.0" drone-dji:CalibratedOpticalCenterY="3.0" '
        'drone-dji:CalibratedHMatrix="1,0,5,0,1,-3,0,0,1" drone-dji:CaptureUUID="abc"',
        make="DJI",
    )
    tags = read_band_tags(path)
    assert (tags.name, tags.family, tags.wavelength_nm, tags.black_level) == ("nir", "dji", 860.0, 3200.0)
    assert (tags.gain, tags.exposure_s, tags.band_adjustment, tags.irradiance) == (2.0, 0.0015, 1.01, 2000.5)
    assert tags.homography == (1, 0, 5, 0, 1, -3, 0, 0, 1) and tags.capture_uuid == "abc"
    assert tags.vignette[:3] == (1e-4, 1e-7, -2e-10) and tags.vignette_centre_px == (4.0, 3.0)
    found = to_signal(read_pixels(path), tags)
    assert found.steps == ("black_level", "exposure", "gain", "band_adjustment", "vignette", "sunlight")
    r = math.hypot(7 - 4, 5 - 3)
    even = 1 + 1e-4 * r + 1e-7 * r**2 - 2e-10 * r**3
    assert found.array[5, 7] == pytest.approx((9000 - 3200) / 65536 / (2.0 * 0.0015) * 1.01 * even / 2000.5, rel=1e-6)


def test_the_tags_of_a_micasense_band(tmp_path: Path) -> None:
    path = band_file(
        tmp_path / "IMG_0007_2.tif",
        np.full((6, 8), 9000, np.uint16),
        'MicaSense:CaptureId="c7" DLS:HorizontalIrradiance="85.5" DLS:IrradianceScaleToSIUnits="0.01"',
        sequences(BandName="Green", CentralWavelength="560", VignettingCenter="4,3", VignettingPolynomial="1e-5,0,0,0,0,0")
        + "<MicaSense:RadiometricCalibration><rdf:Seq><rdf:li>0.0002</rdf:li><rdf:li>1e-7</rdf:li><rdf:li>2e-5</rdf:li>"
        "</rdf:Seq></MicaSense:RadiometricCalibration>",
        make="MicaSense", exposure_s=0.002, iso=400,
    )  # fmt: skip
    tags = read_band_tags(path)
    assert (tags.name, tags.family, tags.capture_uuid, tags.gain) == ("green", "micasense", "c7", 4.0)
    assert tags.radiometric == (0.0002, 1e-7, 2e-5) and tags.vignette_centre_px == (4.0, 3.0)
    assert tags.irradiance == pytest.approx(0.855) and tags.irradiance_si
    assert to_signal(read_pixels(path), tags).missing == ("black_level",)


def test_an_entity_bomb_in_the_packet_says_nothing() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x xmlns:Camera="http://pix4d.com/camera/1.0/" Camera:Yaw="&a;"/>'
    assert packet_values(bomb) == {}
    assert packet_values(b"<x") == {}


@settings(max_examples=60)
@given(st.one_of(st.text(max_size=80), st.binary(max_size=120).map(lambda data: base64.b64encode(data).decode())))
def test_rubbish_in_the_irradiance_list_never_raises(text: str) -> None:
    for row in parrot_readings(text):
        assert 0 <= row.gain_index <= 3 and row.integration_ms > 0


def test_both_layouts_of_the_sun_sensor_and_its_gains() -> None:
    old = b"".join(struct.pack("<QHHff", 1_000_000 * i, 500 + i, 60, 0.1, 0.2) for i in range(1, 4))
    rows = parrot_readings(base64.b64encode(old).decode())
    assert [(row.at_s, row.count, row.gain_index, row.integration_ms) for row in rows] == [
        (1.0, 501, 0, 100), (2.0, 502, 0, 100), (3.0, 503, 0, 100),
    ]  # fmt: skip
    assert parrot_gains([0, 600, 0]) == {} and parrot_gains([1, 600, 65535, 2]) == {}
    assert light_at(rows, {1: 1.0}, 2.0) is None, "a gain nobody calibrated gives no light"
    assert light_at([Reading(1.0, 100, 1, 100), Reading(9.0, 300, 2, 100)], {1: 1.0, 2: 2.0}, 9.2) == 1500.0


def test_the_real_parrot_files_say_what_a_plain_search_finds(data_files: Path) -> None:
    files = sorted((data_files / "multispectral" / "sequoia_garfield").glob("*.TIF"))
    assert len(files) == 4
    for path in files:
        text = path.read_bytes().decode("latin-1")
        tags = read_band_tags(path)
        stated = re.search(r"CentralWavelength>\s*<rdf:Seq>\s*<rdf:li>([\d.]+)", text)
        assert stated and tags.wavelength_nm == float(stated[1])
        polynomial = re.search(r"Polynomial2D>\s*<rdf:Seq>\s*<rdf:li>([^<]+)", text)
        assert polynomial and tags.vignette == tuple(float(part) for part in polynomial[1].split(","))
        coded = re.search(r'IrradianceList="([^"]+)"', text)
        assert coded
        data = base64.b64decode(coded[1].replace("&#xA;", ""))
        last = struct.unpack("<QHHHHfff", data[-28:])
        assert len(tags.sun_readings) == len(data) // 28 and tags.sun_readings[-1].count == last[1]
        # The boot clock of the picture follows the last reading by less than the sensor's five-hertz step.
        assert tags.boot_s is not None and 0.0 <= tags.boot_s - last[0] / 1e6 < 0.25
        light = light_at(tags.sun_readings, tags.sun_gains, tags.boot_s)
        assert light is not None and light == pytest.approx(last[1] / 0.1, rel=0.02)


def test_the_real_vignetting_is_brightest_near_the_middle_and_evens_the_corners(data_files: Path) -> None:
    for path in sorted((data_files / "multispectral" / "sequoia_garfield").glob("*.TIF")):
        tags = read_band_tags(path)
        factor = vignette_factor(tags, (tags.height_px, tags.width_px))
        assert factor is not None
        row, column = np.unravel_index(int(factor.argmin()), factor.shape)
        assert math.hypot(row - 480, column - 640) < 320 and 1.0 < factor.min() < 1.05
        corners = [factor[y, x] for y in (0, -1) for x in (0, -1)]
        assert all(1.1 < corner < 1.6 for corner in corners)
        u, v = 1000 / 1280, 200 / 960
        pairs = zip(tags.vignette_powers[0::2], tags.vignette_powers[1::2], strict=True)
        plain = sum(k * u**p * v**q for k, (p, q) in zip(tags.vignette, pairs, strict=True))
        assert factor[200, 1000] == pytest.approx(1 / plain, rel=1e-9)
        found = to_signal(read_pixels(path), tags)
        assert found.steps == ("black_level", "exposure", "gain", "vignette", "sunlight")
        assert found.missing == ("sensor_model", "panel") and not found.reflectance and not found.balanced
