"""What a round may lie in: GeoTIFFs of many makes, photographs with pose, and files that cannot be used."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
import rasterio.warp
import shapely
from affine import Affine

from geodata.crs import local_xy
from geodata.effect.canvas import Canvas
from geodata.effect.compare import compare, shape_of
from geodata.effect.picture import open_picture
from geodata.errors import GeoError
from geodata.frames.locate import locate

EAST, NORTH, GSD_M = 612_000.0, 3_358_000.0, 0.1


def ground(seed: int = 1, bands: int = 5) -> np.ndarray:
    """Made land, (bands, 400, 400) 0 … 1, with blocks that register well."""
    draw = np.random.default_rng(seed)
    land = np.linspace(0.3, 1.0, bands)[:, None, None] * draw.uniform(0.9, 1.1, (bands, 50, 50))
    small = (draw.uniform(0.15, 0.6, (50, 50)) * land).astype(np.float32)
    return np.stack([cv2.resize(band, (400, 400), interpolation=cv2.INTER_NEAREST) for band in small])


def write(path: Path, values: np.ndarray, names: tuple[str, ...] = (), **more) -> Path:
    profile = {
        "driver": "GTiff", "count": len(values), "height": values.shape[1], "width": values.shape[2],
        "dtype": values.dtype, "crs": "EPSG:32649", "transform": Affine(GSD_M, 0, EAST, 0, -GSD_M, NORTH),
    } | more  # fmt: skip
    with rasterio.open(path, "w", **profile) as out:
        out.write(values)
        for number, name in enumerate(names, 1):
            out.set_band_description(number, name)
    return path


def square(x_px: int, y_px: int, side_px: int) -> shapely.Polygon:
    """An outline over pixels of `ground`, WGS-84."""
    west, north = EAST + x_px * GSD_M, NORTH - y_px * GSD_M
    to_degrees = rasterio.warp.transform
    ring = [(0, 0), (side_px, 0), (side_px, side_px), (0, side_px)]
    xs, ys = [west + x * GSD_M for x, _ in ring], [north - y * GSD_M for _, y in ring]
    return shapely.Polygon(np.column_stack(to_degrees("EPSG:32649", "EPSG:4326", xs, ys)))


def canvas_over(picture, gsd_m: float = 0.2) -> Canvas:
    middle = picture.outline.centroid
    frame = local_xy(middle.x, middle.y)
    return Canvas.over(frame, shapely.transform(picture.outline, frame.forward, interleaved=False).bounds, gsd_m, 4e6)


NAMES = ("blue", "green", "red", "rededge", "nir")


@pytest.mark.parametrize("order", [NAMES, tuple(reversed(NAMES))])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_a_cleared_patch_is_resolved_whatever_the_file_looks_like(tmp_path: Path, order: tuple[str, ...], dtype: str):
    clean = ground()
    dirty = clean.copy()
    dirty[:, 180:215, 190:230] = np.array([0.02, 0.6, 0.05, 0.7, 0.9])[:, None, None]
    at = [NAMES.index(name) for name in order]
    scale = 10_000 if dtype == "uint16" else 1
    first = write(tmp_path / "a.tif", (dirty * scale).astype(dtype), NAMES, tiled=True, blockxsize=128, blockysize=128)
    second = write(tmp_path / "b.tif", (clean * 1.15 * scale)[at].astype(dtype), order, nodata=0)
    told = compare(first, second, square(190, 180, 38))
    assert told.verdict == "resolved"
    assert told.area_before_m2 == pytest.approx(35 * 40 * GSD_M**2, rel=0.2)
    assert all(gain == pytest.approx(1.15, rel=0.05) for gain in told.light.gain)
    assert told.registration.residual_px < 0.5


def test_the_same_twice_is_unchanged_and_a_hole_is_not_observed(tmp_path: Path):
    dirty = ground()
    dirty[:, 180:215, 190:230] = np.array([0.02, 0.6, 0.05, 0.7, 0.9])[:, None, None]
    first = write(tmp_path / "a.tif", dirty, NAMES)
    holed = dirty.copy()
    holed[:, 170:220, 180:240] = np.nan
    second = write(tmp_path / "b.tif", holed, NAMES)
    assert compare(first, first, square(190, 180, 38)).verdict == "unchanged"
    told = compare(first, second, square(190, 180, 38))
    assert (told.verdict, told.code) == ("not_observed", "outside")
    assert told.seen_share < 0.5


def test_another_place_and_an_outline_outside_are_not_observed(tmp_path: Path):
    first = write(tmp_path / "a.tif", ground(), NAMES)
    far = write(tmp_path / "b.tif", ground(), NAMES, transform=Affine(GSD_M, 0, EAST + 5000, 0, -GSD_M, NORTH))
    assert compare(first, far).code == "apart"
    told = compare(first, first, shapely.transform(square(10, 10, 30), lambda xy: xy + 0.01))
    assert (told.verdict, told.code) == ("not_observed", "outside")


def test_rotated_rasters_and_degrees_land_where_they_say(tmp_path: Path):
    turned = Affine(0.07, 0.05, EAST, 0.05, -0.07, NORTH)
    plain = open_picture(write(tmp_path / "a.tif", ground(), NAMES, transform=turned))
    to_degrees = rasterio.warp.transform("EPSG:32649", "EPSG:4326", *([value] for value in turned @ (123.0, 45.0)))
    column, row = plain.pixel_of(np.array(to_degrees[0]), np.array(to_degrees[1]))
    assert (column[0], row[0]) == pytest.approx((123.0, 45.0), abs=1e-3)
    degrees = open_picture(
        write(tmp_path / "b.tif", ground(), NAMES, crs="EPSG:4326", transform=Affine(1e-6, 0, 112.18, 0, -1e-6, 30.35))
    )
    assert degrees.gsd_m == pytest.approx(0.103, abs=0.003)
    drawn, valid = degrees.draw(canvas_over(degrees))
    assert valid.mean() > 0.9
    assert drawn[:, valid].mean() == pytest.approx(ground().mean(), rel=0.05)


def test_a_frame_is_drawn_where_locating_it_puts_its_pixels(data_files: Path):
    path = data_files / "drone_rgb" / "brighton_beach" / "DJI_0018.JPG"
    picture = open_picture(path)
    pixels = [(2000.0, 1125.0), (300.0, 200.0), (3700.0, 2000.0), (900.0, 1900.0)]
    for pixel, point in zip(pixels, locate(path, pixels, "pose")["points"], strict=True):
        column, row = picture.pixel_of(np.array([point["lon"]]), np.array([point["lat"]]))
        assert (column[0], row[0]) == pytest.approx(pixel, abs=0.05)
    canvas = canvas_over(picture)
    drawn, valid = picture.draw(canvas)
    image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    column, row = canvas.pixels_in(picture.pixel_of)
    for y, x in ((canvas.height_px // 2, canvas.width_px // 2), (canvas.height_px // 3, canvas.width_px // 2)):
        at_y, at_x = int(row[y, x]), int(column[y, x])
        near = image[at_y - 8 : at_y + 8, at_x - 8 : at_x + 8].reshape(-1, 3).mean(axis=0)
        assert valid[y, x]
        assert np.abs(drawn[:, y, x] - near).max() < 40


def test_what_cannot_be_used_gets_a_sentence(tmp_path: Path, data_files: Path):
    good = write(tmp_path / "good.tif", ground(), NAMES)
    torn = tmp_path / "torn.tif"
    torn.write_bytes(good.read_bytes()[:3000])
    bare = write(tmp_path / "bare.tif", ground(), NAMES, crs=None)
    disguised = tmp_path / "vrt.tif"
    disguised.write_text("<VRTDataset rasterXSize='9' rasterYSize='9'></VRTDataset>")
    text = tmp_path / "note.jpg"
    text.write_text("no picture")
    nowhere = data_files / "drone_rgb" / "caliterra" / "IMG_9354.jpg"
    for bad in (torn, bare, disguised, text, nowhere, tmp_path / "absent.tif"):
        with pytest.raises(GeoError) as refused:
            compare(good, bad, square(190, 180, 38))
        assert refused.value.sentence.endswith("。"), bad


@pytest.mark.parametrize(
    "outline",
    ["", "{}", "[1]", '{"type": "Point", "coordinates": [112, 30]}', "{\"type\": \"Polygon\", \"coordinates\": []}",
     '{"type": "Polygon", "coordinates": [[[612000, 3358000], [612010, 3358000], [612010, 3358010], [612000, 3358000]]]}',
     '{"type": "FeatureCollection", "features": [{}]}', '{"type": "LineString", "coordinates": [[1, 2], [3, 4]]}', 7],
)  # fmt: skip
def test_outlines_that_are_none_are_refused(outline):
    with pytest.raises(GeoError) as refused:
        shape_of(outline)
    assert refused.value.code == "bad-outline"


def test_outlines_come_as_shape_feature_or_collection():
    box = shapely.box(112.0, 30.0, 112.1, 30.1)
    geometry = shapely.geometry.mapping(box)
    feature = {"type": "Feature", "properties": {}, "geometry": geometry}
    for given in (box, geometry, feature, {"type": "FeatureCollection", "features": [feature]}):
        assert shape_of(given).equals(box)


def test_no_file_beside_a_raster_is_read(tmp_path: Path):
    """A sidecar that claims another place must not move the picture."""
    path = write(tmp_path / "a.tif", ground(), NAMES)
    plain = open_picture(path).outline
    (tmp_path / "a.tfw").write_text("1\n0\n0\n-1\n0\n0\n")
    shutil.copy(path, tmp_path / "b.tif")
    (tmp_path / "a.tif.aux.xml").write_text("<PAMDataset><SRS>EPSG:3857</SRS></PAMDataset>")
    assert open_picture(path).outline.equals(plain)
