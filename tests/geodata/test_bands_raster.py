"""Opening a raster: every way of storing the same picture gives the same answer, and every hostile file a sentence."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from geodata.bands.raster import MAX_PIXELS, open_raster
from geodata.bands.tiff import inspect_tiff
from geodata.errors import GeoError, GeoErrors
from geodata.recognise import Recognised, recognise
from tests.geodata.made_rasters import NAMES, UTM, WAVELENGTH_NM, Made, river
from tests.geodata.recognition_rules import rules


def told(call: Any) -> list[str]:
    with pytest.raises(GeoError) as refused:
        call()
    faults = refused.value.faults if isinstance(refused.value, GeoErrors) else [refused.value]
    assert all(any("\u4e00" <= letter <= "\u9fff" for letter in fault.sentence) for fault in faults)
    return [fault.code for fault in faults]


def things(found: Recognised) -> list[tuple[str, int, float, float]]:
    return sorted(
        (one.kind, int(one.stats["pixels"]), round(one.lon, 7), round(one.lat, 7)) for one in found.detections
    )


@pytest.fixture(scope="module")
def made() -> Made:
    return river()


@pytest.fixture(scope="module")
def usual(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Recognised:
    return recognise(made.write(tmp_path_factory.mktemp("usual") / "a.tif"), None, rules())


def test_what_the_usual_file_shows(usual: Recognised) -> None:
    assert [one.kind for one in usual.detections].count("floating_debris") == 2
    assert {one.kind for one in usual.detections} == {"floating_debris", "aquatic_bloom", "bare_soil"}
    assert usual.bands == NAMES and usual.pixels == 240 * 320


@pytest.mark.parametrize(
    "profile",
    [
        {"tiled": True, "blockxsize": 64, "blockysize": 32, "interleave": "band"},
        {"tiled": True, "blockxsize": 128, "blockysize": 128, "interleave": "pixel"},
        {"blockysize": 1},
        {"blockysize": 7, "interleave": "pixel"},
        {"compress": "deflate", "predictor": 2},
        {"compress": "zstd", "tiled": True, "blockxsize": 256, "blockysize": 256},
        {"BIGTIFF": "YES"},
        {"BIGTIFF": "YES", "ENDIANNESS": "BIG"},
        {"ENDIANNESS": "BIG", "compress": "lzw"},
    ],
    ids=str,
)
def test_the_way_of_storing_changes_nothing(
    made: Made, usual: Recognised, profile: dict[str, Any], tmp_path: Path
) -> None:
    found = recognise(replace(made, profile=profile).write(tmp_path / "a.tif"), None, rules())
    assert [one.as_dict() for one in found.detections] == [one.as_dict() for one in usual.detections]
    assert found.water_area_m2 == usual.water_area_m2


def test_band_order_and_names_change_nothing(made: Made, usual: Recognised, tmp_path: Path) -> None:
    order = [4, 2, 0, 3, 1]
    spelled = ("近红外", "Red-668", "Band 1 (475 nm)", "Red edge", "绿")
    other = replace(made, bands=made.bands[order], names=spelled)
    found = recognise(other.write(tmp_path / "a.tif"), None, rules())
    assert things(found) == things(usual)


@pytest.mark.parametrize("tags", ["wavelength", "envi", "micro"])
def test_bands_by_wavelength_alone(made: Made, usual: Recognised, tags: str, tmp_path: Path) -> None:
    path = replace(made, names=(None,) * 5).write(tmp_path / "a.tif")
    with rasterio.open(path, "r+") as file:
        if tags == "envi":
            file.update_tags(wavelength="{" + ", ".join(map(str, WAVELENGTH_NM)) + "}", wavelength_units="Nanometers")
        for band, nm in enumerate(WAVELENGTH_NM, start=1):
            if tags == "wavelength":
                file.update_tags(band, wavelength=str(nm), wavelength_units="nm")
            elif tags == "micro":
                file.update_tags(band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=str(nm / 1000))
    assert open_raster(path).names == NAMES
    assert things(recognise(path, None, rules())) == things(usual)


@pytest.mark.parametrize(
    ("dtype", "scale", "floor"), [("float32", 1.0, 0.97), ("int16", 1e-4, 0.97), ("uint8", 0.004, 0.7)]
)
def test_other_number_types_see_the_same_things(
    made: Made, usual: Recognised, dtype: str, scale: float, floor: float, tmp_path: Path
) -> None:
    found = recognise(replace(made, dtype=dtype, scale=scale).write(tmp_path / "a.tif"), None, rules())
    assert not any("反射率" in sentence for sentence in found.warnings)
    for one in usual.detections:
        shares = [
            one.outline.intersection(other.outline).area / one.outline.union(other.outline).area
            for other in found.detections
            if other.kind == one.kind
        ]
        assert max(shares, default=0.0) >= floor, (one.kind, shares)


def test_an_offset_is_part_of_the_signal(made: Made, usual: Recognised, tmp_path: Path) -> None:
    path = replace(made, bands=made.bands + 0.1).write(tmp_path / "a.tif")
    with rasterio.open(path, "r+") as file:
        file.offsets = (-0.1,) * 5
    found = recognise(path, None, rules())
    assert [one.kind for one in found.detections] == [one.kind for one in usual.detections]


def test_numbers_without_scale_use_ratios_only_and_say_so(made: Made, tmp_path: Path) -> None:
    path = made.write(tmp_path / "a.tif")
    with rasterio.open(path, "r+") as file:
        file.scales = (1.0,) * 5
    found = recognise(path, None, rules())
    assert any("反射率" in sentence for sentence in found.warnings)
    assert {one.kind for one in found.detections} == {"floating_debris", "aquatic_bloom", "bare_soil"}


@pytest.mark.parametrize("how", ["nodata", "mask", "nan", "alpha"])
def test_gaps_hide_what_lies_in_them_and_nothing_else(made: Made, usual: Recognised, how: str, tmp_path: Path) -> None:
    hidden = (slice(85, 110), slice(50, 80))  # the first patch of debris
    bands = made.bands.copy()
    path = tmp_path / "a.tif"
    if how == "nodata":
        bands[:, hidden[0], hidden[1]] = 0.0
        replace(made, bands=bands, nodata=0).write(path)
    elif how == "nan":
        bands[2, hidden[0], hidden[1]] = np.nan
        replace(made, bands=bands, dtype="float32", scale=1.0).write(path)
    elif how == "mask":
        mask = np.full(bands.shape[1:], 255, np.uint8)
        mask[hidden] = 0
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES"), rasterio.open(made.write(path), "r+") as file:
            file.write_mask(mask)
    else:
        alpha = np.ones((1, *bands.shape[1:]), np.float32)
        alpha[0][hidden] = 0.0
        replace(made, bands=np.concatenate((bands, alpha)), names=(*NAMES, "alpha")).write(path)
    assert not list(tmp_path.glob("*.msk"))
    found = recognise(path, None, rules())
    assert [one.kind for one in found.detections].count("floating_debris") == 1
    assert [one.kind for one in found.detections].count("aquatic_bloom") == 1
    lost = 25 * 30 * 0.01
    assert usual.water_area_m2 - found.water_area_m2 == pytest.approx(lost, rel=0.3)


def test_a_turned_geotransform_and_a_geographic_system_give_the_same_ground(
    made: Made, usual: Recognised, tmp_path: Path
) -> None:
    turned = Affine.translation(613010, 3358990) @ Affine.rotation(33.0) @ Affine.scale(0.1, -0.1)
    degrees = Affine(0.1 / 96170.0, 0, 112.18, 0, -0.1 / 110860.0, 30.35)
    for transform, crs in ((turned, "EPSG:32649"), (degrees, "EPSG:4326"), (UTM, "EPSG:4546")):
        if crs == "EPSG:4546":
            transform = UTM
        found = recognise(replace(made, transform=transform, crs=crs).write(tmp_path / f"{crs[5:]}.tif"), None, rules())
        assert [one.kind for one in found.detections] == [one.kind for one in usual.detections]
        for one, other in zip(found.detections, usual.detections, strict=True):
            assert one.area_m2 == pytest.approx(other.area_m2, rel=2e-3)
            assert 112.0 < one.lon < 112.5 and 30.2 < one.lat < 30.5


def test_what_lies_beside_the_file_is_not_looked_at(made: Made, usual: Recognised, tmp_path: Path) -> None:
    path = made.write(tmp_path / "a.tif")
    (tmp_path / "a.tfw").write_text("9\n0\n0\n-9\n0\n0\n")
    (tmp_path / "a.tif.aux.xml").write_text("<PAMDataset><SRS>EPSG:4326</SRS></PAMDataset>")
    (tmp_path / "a.tif.ovr").write_bytes(b"no overview")
    (tmp_path / "a.tif.msk").write_bytes(b"no mask")
    assert things(recognise(path, None, rules())) == things(usual)


def test_every_fault_of_a_file_at_once(made: Made, tmp_path: Path) -> None:
    bad = replace(made, bands=made.bands[:3], names=NAMES[:3], crs=None, transform=Affine.identity())
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        path = bad.write(tmp_path / "a.tif")
    assert told(lambda: open_raster(path)) == ["missing_bands", "no_crs", "no_position"]


def test_three_bands_where_five_are_wanted(made: Made, tmp_path: Path) -> None:
    for names in (NAMES[:3], (None,) * 3, ("green", "red", "nir")):
        path = replace(made, bands=made.bands[:3], names=names).write(tmp_path / "a.tif")
        assert told(lambda path=path: open_raster(path)) == ["missing_bands"]


def test_types_that_are_not_taken(made: Made, tmp_path: Path) -> None:
    path = replace(made, dtype="float32", scale=1.0).write(tmp_path / "a.tif")
    with rasterio.open(path) as file:
        profile, values = file.profile, file.read()
    with rasterio.open(tmp_path / "b.tif", "w", **(profile | {"dtype": "float64"})) as out:
        out.write(values.astype("float64"))
        out.descriptions = NAMES
    assert told(lambda: open_raster(tmp_path / "b.tif")) == ["bad_type"]


@pytest.mark.parametrize("value", ["nan", "nodata"])
def test_nothing_but_gaps(made: Made, value: str, tmp_path: Path) -> None:
    if value == "nan":
        path = replace(made, bands=made.bands * np.nan, dtype="float32", scale=1.0).write(tmp_path / "a.tif")
    else:
        path = replace(made, bands=made.bands * 0, nodata=0).write(tmp_path / "a.tif")
    assert told(lambda: recognise(path, None, rules())) == ["no_pixels"]


def test_a_picture_too_large_names_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=60_000, height=60_000, count=5, dtype="uint16", SPARSE_OK="TRUE", tiled=True,
        blockxsize=1024, blockysize=1024, BIGTIFF="YES", crs="EPSG:32649", transform=UTM,
    ):  # fmt: skip
        pass
    assert path.stat().st_size < 10_000_000
    with pytest.raises(GeoError, match=f"60000×60000.*{MAX_PIXELS // 100_000_000} 亿") as refused:
        open_raster(path)
    assert refused.value.code == "too_large"


def test_truncated_files_are_found_before_any_work(made: Made, tmp_path: Path) -> None:
    for profile in ({}, {"tiled": True, "blockxsize": 64, "blockysize": 64}, {"BIGTIFF": "YES", "compress": "deflate"}):
        whole = replace(made, profile=profile).write(tmp_path / "a.tif").read_bytes()
        for share in (0.999, 0.7, 0.3):
            path = tmp_path / "cut.tif"
            path.write_bytes(whole[: int(len(whole) * share)])
            assert told(lambda path=path: open_raster(path)) == ["truncated"]


def test_any_cut_of_the_head_is_a_sentence(made: Made, tmp_path: Path) -> None:
    whole = made.write(tmp_path / "a.tif").read_bytes()
    path = tmp_path / "cut.tif"
    for length in (0, 1, 3, 4, 7, 8, 9, 15, 16, 40, 200):
        path.write_bytes(whole[:length])
        assert set(told(lambda: open_raster(path))) <= {"not_tiff", "truncated", "broken_tiff"}


def _table(raw: bytes | bytearray, wanted: int) -> int:
    """Where the numbers of a tag of a classic little-endian TIFF stand."""
    (at,) = struct.unpack_from("<I", raw, 4)
    (count,) = struct.unpack_from("<H", raw, at)
    found = {}
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, number, where = struct.unpack_from("<HHII", raw, entry)
        found[tag] = (kind, number, where)
    kind, number, where = found[wanted]
    assert kind == 4 and number > 6
    return int(where)


def test_tile_offsets_past_the_end(made: Made, tmp_path: Path) -> None:
    path = replace(made, profile={"tiled": True, "blockxsize": 64, "blockysize": 64}).write(tmp_path / "a.tif")
    raw = bytearray(path.read_bytes())
    struct.pack_into("<I", raw, _table(raw, 324) + 8, len(raw) + 4096)
    path.write_bytes(raw)
    assert told(lambda: open_raster(path)) == ["truncated"]


def test_blocks_that_do_not_decode_stop_the_work_in_a_sentence(made: Made, tmp_path: Path) -> None:
    profile = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"}
    path = replace(made, profile=profile).write(tmp_path / "a.tif")
    raw = bytearray(path.read_bytes())
    (begin,) = struct.unpack_from("<I", raw, _table(raw, 324) + 4 * 6)  # the block of pixel (100, 100)
    raw[begin : begin + 500] = b"\xff" * 500
    path.write_bytes(raw)
    assert told(lambda: recognise(path, None, rules())) == ["unreadable"]


def test_directories_in_a_ring(tmp_path: Path) -> None:
    entry = struct.pack("<HHII", 256, 4, 1, 10) + struct.pack("<HHII", 257, 4, 1, 10)
    path = tmp_path / "ring.tif"
    path.write_bytes(b"II*\x00" + struct.pack("<I", 8) + struct.pack("<H", 2) + entry + struct.pack("<I", 8))
    bones, faults = inspect_tiff(path)
    assert bones is not None and [fault.code for fault in faults] == ["broken_tiff"]
    assert told(lambda: open_raster(path)) == ["broken_tiff"]


@pytest.mark.parametrize(
    "content",
    [
        b'<VRTDataset rasterXSize="10" rasterYSize="10"><VRTRasterBand><SimpleSource>'
        b"<SourceFilename>/etc/passwd</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"SQLite format 3\x00" + bytes(100),
        b"PK\x03\x04" + bytes(100),
        b"<GDAL_WMS></GDAL_WMS>",
        b"",
    ],
    ids=["vrt", "png", "gpkg", "zip", "wms", "empty"],
)
def test_other_formats_in_disguise(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "picture.tif"
    path.write_bytes(content)
    assert told(lambda: open_raster(path)) == ["not_tiff"]


@pytest.mark.parametrize(
    "path", ["/vsicurl/http://x/a.tif", "https://x/a.tif", "/no/such.tif", "/tmp", "GTIFF_DIR:1:a"]
)
def test_paths_that_are_no_file_here(path: str) -> None:
    assert told(lambda: open_raster(path)) == ["no_file"]
