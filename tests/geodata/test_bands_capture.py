"""One exposure from its files: names of bands, grouping, loading, and the faults of real folders."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from geodata.bands import bandtags, grouping
from geodata.bands.bandtags import BandTags, read_band_tags
from geodata.bands.capture import Capture, load, order, read_pixels, starts_of
from geodata.bands.grouping import group, stem_of
from geodata.bands.indices import compute
from geodata.bands.radiometry import PanelFactor, to_signal
from geodata.bands.stack import Stack
from geodata.bands.wavelengths import BEYOND, NAMES, WAVELENGTH_NM, name_at, name_of, names_of, wavelength_in
from geodata.errors import GeoError
from geodata.frames.spot import Spot


def real_files(data_files: Path) -> list[Path]:
    return sorted((data_files / "multispectral" / "sequoia_garfield").glob("*.TIF"))


def tags(name: str, path: str, **facts: object) -> BandTags:
    nm = {"blue": 475.0, "green": 560.0, "red": 668.0, "rededge": 717.0, "nir": 840.0}[name]
    return replace(BandTags(Path(path), name, "plain", 8, 6, nm, make="M", model="X"), **facts)  # type: ignore[arg-type]


SPELLINGS = {
    "blue": ["Blue", "blue", "B", "Blue-475", "蓝", "蓝光波段", "BLU", "band 1 (475 nm)", "0.49 µm"],
    "green": ["Green", "GRE", "MS_G", "G", "绿", "第2波段（绿）", "550 nm", "560(±16)nm", "Green-531"],
    "red": ["Red", "RED", "R", "红", "红光", "Band 3 (665 nm)", "B04 (Red)", "Ｒｅｄ", "650nm"],
    "rededge": ["Red edge", "RedEdge", "red_edge", "RE", "REG", "MS_RE", "红边", "红边波段", "Red edge-717", "735 nm"],
    "nir": ["NIR", "NIR-840", "Near infrared", "MS_NIR", "近红外", "近红外波段", "860 nm", "0.84um", "nir1"],
    "rededge705": ["Red Edge 1", "红边1", "rededge 705 nm"],
    "swir1": ["SWIR1", "SWIR 1", "短波红外", "1610 nm", "1.61 μm"],
    "swir2": ["SWIR2", "短波红外 2", "2200nm"],
    "thermal": ["LWIR", "热红外", "11 μm"],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in SPELLINGS.items() for text in texts])
def test_a_band_is_known_by_many_spellings(name: str, text: str) -> None:
    assert name_of(text) == name


@pytest.mark.parametrize(
    "text", ["", None, "Band 3", "B04", "3", "gray", "alpha", "IMG_0001", "红边蓝", "1375 nm", "0 nm"]
)
def test_what_says_nothing_gets_no_name(text: str | None) -> None:
    assert name_of(text) is None


def test_every_camera_of_the_table_is_named_by_its_wavelengths() -> None:
    for camera, bands in WAVELENGTH_NM.items():
        assert names_of([(None, nm) for nm in bands.values()]) == tuple(
            "rededge705" if camera == "gaofen6_wfv" and name == "rededge" else name for name in bands
        ), camera


@given(nm=st.floats(300.0, 14000.0))
def test_nanometres_and_micrometres_say_the_same(nm: float) -> None:
    assert name_at(nm / 1000.0) == name_at(nm) == name_of(None, nm)
    assert name_at(nm) in (None, *NAMES, *BEYOND)


@given(st.text(max_size=40), st.one_of(st.none(), st.floats()))
def test_any_description_gives_a_name_or_none(text: str, nm: float | None) -> None:
    assert name_of(text, nm) in (None, *NAMES, *BEYOND)
    length = wavelength_in(text)
    assert length is None or 300.0 <= length <= 15000.0


def test_the_wavelength_counts_when_the_word_contradicts_it_and_no_name_is_given_twice() -> None:
    assert (name_of("Red", 735.0), name_of("NIR", 560.0), name_of("Blue", 444.0)) == ("rededge", "green", "blue")
    dual = [("Blue-444", 444.0), ("Blue", 475.0), ("Red-650", 650.0), ("Red", 668.0), ("Red", 668.0)]
    assert names_of(dual) == ("blue444", "blue", "red650", "red", None)


def test_the_real_files_are_one_exposure_and_load_aligned(data_files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    began = time.process_time()
    found = group(reversed(real_files(data_files)))
    assert found.refused == () and len(found.captures) == 1
    capture = found.captures[0]
    assert capture.key == "1351F8EED82F58668D950A628B8C29BE" and capture.names == ("green", "red", "rededge", "nir")
    stack = load(capture)
    used = time.process_time() - began
    assert stack.array.shape == (4, 960, 1280) and stack.array.dtype == np.float32 and stack.aligned
    assert stack.wavelengths_nm == (550.0, 660.0, 735.0, 790.0)
    assert not stack.reflectance and not stack.balanced
    assert {code for code, _ in stack.warnings} == {"no_panel", "no_sensor_model", "unbalanced"}
    assert str(stack.meta["reference"]).endswith("REG.TIF")
    ndvi = compute("NDVI", stack)
    assert np.isnan(ndvi[~stack.valid]).all() and np.isfinite(ndvi[stack.valid]).mean() > 0.999
    with capsys.disabled():
        low, middle, high = np.nanpercentile(ndvi, [5, 50, 95])
        print(
            f"\nreal capture: 4 bands of 1280x960 read, corrected, aligned in {used:.2f} CPU s; uncalibrated NDVI {low:.2f} / {middle:.2f} / {high:.2f}"
        )


def test_ndvi_on_the_real_bands_without_alignment_is_refused(data_files: Path) -> None:
    signals = {}
    for path in real_files(data_files):
        one = read_band_tags(path)
        assert one.name is not None
        signals[one.name] = to_signal(read_pixels(path), one).array
    array = np.stack(list(signals.values()))
    loose = Stack(array, tuple(signals), (None,) * 4, False, np.isfinite(array).all(axis=0))
    with pytest.raises(GeoError, match="请先配准"):
        compute("NDVI", loose)


def test_the_makers_rig_gives_starts_for_the_real_bands(data_files: Path) -> None:
    files = {str(one.name): one for one in map(read_band_tags, real_files(data_files))}
    starts = starts_of(files, "rededge")
    assert set(starts) == {"green", "red", "nir"}
    # The better of the two senses points the way the picture's own displacement was found to go.
    shifts = [np.asarray(matrix).reshape(3, 3) @ (640, 480, 1) - (640, 480, 1) for matrix in starts["red"]]
    assert min(abs(shift[1] + 28.6) for shift in shifts) < 8.0


def test_files_stored_under_digests_are_grouped_by_their_original_names(data_files: Path, tmp_path: Path) -> None:
    pairs = []
    for number, path in enumerate(real_files(data_files)):
        data = path.read_bytes().replace(b"CaptureUUID", b"NoCaptureID")
        copy = tmp_path / f"{number:064d}"
        copy.write_bytes(data)
        pairs.append((copy, f"flight/{path.name}"))
    found = group(pairs)
    assert [capture.key for capture in found.captures] == ["flight/IMG_161122_163234_0000"]
    assert found.captures[0].names == ("green", "red", "rededge", "nir")
    # Without names there is still the moment and the place.
    assert [len(capture.files) for capture in group(path for path, _ in pairs).captures] == [4]


def grouped(monkeypatch: pytest.MonkeyPatch, rows: list[BandTags]) -> list[list[str]]:
    by_path = {row.path.as_posix(): row for row in rows}
    monkeypatch.setattr(grouping, "read_band_tags", lambda path, name: by_path[Path(path).as_posix()])
    return [[one.path.name for one in capture.files] for capture in group([row.path for row in rows]).captures]


def test_time_and_place_make_an_exposure_where_names_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = Spot(112.18, 30.35), Spot(112.19, 30.35)
    rows = [
        tags("red", "a.tif", taken_s=100.0, spot=here),
        tags("nir", "b.tif", taken_s=100.4, spot=here),
        tags("green", "c.tif", taken_s=100.2, spot=there),
        tags("red", "d.tif", taken_s=100.3, spot=here),
        tags("nir", "e.tif", taken_s=101.0, spot=here),
        tags("blue", "f.tif"),
    ]
    # d.tif is a second red band: it opens an exposure, and nobody else is near enough in time to join it.
    assert grouped(monkeypatch, rows) == [["a.tif", "b.tif"], ["c.tif"], ["d.tif"], ["e.tif"], ["f.tif"]]


def test_the_same_names_in_two_folders_or_at_two_times_are_two_exposures(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        tags(band, f"{folder}/IMG_0001_{number}.tif", taken_s=second)
        for folder, second in (("000", 10.0), ("001", 10.0), ("002", 10.0))
        for number, band in ((1, "red"), (2, "nir"))
    ]
    rows[-1] = replace(rows[-1], taken_s=99.0)
    found = grouped(monkeypatch, rows)
    assert sorted(map(len, found)) == [1, 1, 2, 2]


def test_the_cameras_identifier_outranks_names(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        tags("red", "x/IMG_0001_1.tif", taken_s=10.0, capture_uuid="p"),
        tags("nir", "y/whatever.tif", taken_s=10.3, capture_uuid="p"),
        tags("nir", "x/IMG_0001_2.tif", taken_s=10.0, capture_uuid="q"),
    ]
    assert grouped(monkeypatch, rows) == [["IMG_0001_1.tif", "whatever.tif"], ["IMG_0001_2.tif"]]


def test_five_thousand_files_are_grouped_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        tags(band, f"IMG_{shot:04d}_{number}.tif", taken_s=1000.0 + shot * 0.7)
        for shot in range(1000)
        for number, band in enumerate(("blue", "green", "red", "rededge", "nir"), start=1)
    ]
    began = time.process_time()
    assert [len(one) for one in grouped(monkeypatch, rows)] == [5] * 1000
    assert time.process_time() - began < 5.0


def test_a_file_that_cannot_be_read_is_set_aside_and_the_rest_go_on(data_files: Path, tmp_path: Path) -> None:
    broken = tmp_path / "IMG_161122_163234_0000_RED.TIF"
    broken.write_bytes(b"II*\x00" + b"\xff" * 60)
    found = group([broken, *(path for path in real_files(data_files) if "RED" not in path.name)])
    assert [path for path, _ in found.refused] == [broken]
    assert found.captures[0].names == ("green", "rededge", "nir")


def test_a_cut_file_is_refused_by_a_sentence(data_files: Path, tmp_path: Path) -> None:
    whole = real_files(data_files)[0]
    cut = tmp_path / whole.name
    cut.write_bytes(whole.read_bytes()[:1_000_000])
    with pytest.raises(GeoError, match="不完整或已损坏"):
        read_pixels(cut)


def test_pictures_that_are_no_single_band_are_refused(tmp_path: Path) -> None:
    colour = tmp_path / "rgb.tif"
    Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(colour)
    with pytest.raises(GeoError, match="有 3 个波段"):
        read_pixels(colour)
    text = tmp_path / "a.tif"
    text.write_text('<VRTDataset rasterXSize="1" rasterYSize="1"></VRTDataset>')
    with pytest.raises(GeoError, match="不完整或已损坏"):
        read_pixels(text)


def test_two_files_of_one_band_bands_without_name_and_no_bands_are_refused(data_files: Path) -> None:
    files = [read_band_tags(path) for path in real_files(data_files)]
    with pytest.raises(GeoError, match="两个绿波段文件"):
        load(Capture("k", order([files[0], replace(files[0], wavelength_nm=550.0), *files[1:]])))
    with pytest.raises(GeoError, match="没有写明是哪个波段"):
        load(Capture("k", (replace(files[0], name=None, wavelength_nm=None),)))
    thermal = replace(files[0], name="thermal", wavelength_nm=11000.0)
    with pytest.raises(GeoError, match="没有可用的波段"):
        load(Capture("k", (thermal,)))


def test_a_panel_must_know_every_band_and_then_gives_reflectance(data_files: Path) -> None:
    files = [one for one in map(read_band_tags, real_files(data_files)) if one.name in ("rededge", "nir")]
    capture = Capture("k", order(files))
    steps = ("black_level", "exposure", "gain", "vignette", "sunlight")
    with pytest.raises(GeoError, match="定标板缺红边波段"):
        load(capture, panel={"nir": PanelFactor("nir", 2.0, steps)})
    stack = load(capture, panel={name: PanelFactor(name, 2.0, steps) for name in ("rededge", "nir")})
    assert stack.reflectance and stack.balanced
    assert {code for code, _ in stack.warnings} == {"no_sensor_model"}


def test_a_band_of_another_size_is_left_aside_with_a_remark(data_files: Path, tmp_path: Path) -> None:
    files = [one for one in map(read_band_tags, real_files(data_files)) if one.name in ("rededge", "nir")]
    small = replace(files[0], name="blue", wavelength_nm=475.0, width_px=640)
    stack = load(Capture("k", order([*files, small])))
    assert stack.names == ("rededge", "nir") and stack.warnings[0][0] == "left_aside"


def test_the_stem_of_a_name() -> None:
    assert stem_of("IMG_0007_5.tif") == "IMG_0007" and stem_of("lake_RED.tif") == "lake"
    assert stem_of("DJI_20230309024757_0001_MS_G.TIF") == stem_of("DJI_20230309024757_0001_MS_RE.TIF")
    assert stem_of("photo.tif") == ""


def test_a_file_that_vanishes_between_two_looks_is_refused(
    data_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / real_files(data_files)[0].name
    shutil.copyfile(real_files(data_files)[0], copy)
    opened = bandtags.open_tags

    def open_and_lose(path: Path) -> object:
        found = opened(path)
        copy.unlink()
        return found

    monkeypatch.setattr(bandtags, "open_tags", open_and_lose)
    with pytest.raises(GeoError, match="读不到照片文件"):
        read_band_tags(copy)
