"""One round's picture, whatever it lies in: a GeoTIFF, a photograph with its camera's pose, or arrays in memory.

It reads and places; it compares nothing. Files are opened by content: a GeoTIFF by its first bytes and with
no sidecar, everything else as a photograph.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rasterio
import scipy.spatial
import shapely
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from geodata.bands.wavelengths import names_of
from geodata.crs import local_xy
from geodata.effect.canvas import F32, Array, Canvas, Mask, PixelOf
from geodata.errors import GeoError
from geodata.frames.camera import camera_for
from geodata.frames.metadata import read_frame
from geodata.frames.project import Pose, footprint, ground_points, to_lonlat, to_plane

TIFF_HEADS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MAX_SIDE_PX = 200_000
GDAL = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_PAM_ENABLED": "NO", "GDAL_CACHEMAX": 64}
FRAME_ERROR_M, RASTER_ERROR_M = 12.0, 6.0
"""How far two rounds may lie apart before they are registered; a drone's GNSS without correction is that bad."""

Read = Callable[[Window, int], tuple[NDArray[Any], Mask]]
"""A window and a whole factor -> bands (n, h / factor, w / factor) and where they are valid."""


@dataclass(frozen=True, eq=False)
class Picture:
    """Placed pixels of one round. `outline`: WGS-84 polygon of what it covers; `error_m`: how far off it may lie."""

    names: tuple[str, ...]
    width_px: int
    height_px: int
    gsd_m: float
    outline: Any = field(repr=False)
    error_m: float
    multispectral: bool
    pixel_of: PixelOf = field(repr=False)
    read: Read = field(repr=False)
    taken: str = ""
    warnings: tuple[tuple[str, str], ...] = ()

    def draw(self, canvas: Canvas) -> tuple[F32, Mask]:
        """Bands (n, h, w) and where they are valid (h, w), on a canvas."""
        column, row = canvas.pixels_in(self.pixel_of)
        inside = np.isfinite(column) & np.isfinite(row)
        inside &= (column >= 0) & (row >= 0) & (column <= self.width_px) & (row <= self.height_px)
        shape = (len(self.names), canvas.height_px, canvas.width_px)
        if not inside.any():
            return np.zeros(shape, np.float32), inside
        factor = max(1, math.floor(canvas.gsd_m / self.gsd_m + 0.01))
        left, top = (max(0, int(part[inside].min()) - 2 * factor) for part in (column, row))
        right = min(self.width_px, int(column[inside].max()) + 2 * factor + 1)
        bottom = min(self.height_px, int(row[inside].max()) + 2 * factor + 1)
        values, valid = self.read(Window(left, top, right - left, bottom - top), factor)
        spots = [
            ((part - start) * (size / max(span, 1)) - 0.5).astype(np.float32)
            for part, start, span, size in (
                (column, left, right - left, values.shape[2]),
                (row, top, bottom - top, values.shape[1]),
            )
        ]
        across, down = (np.where(inside, part, np.float32(-9)) for part in spots)
        drawn = [
            cv2.remap(band.astype(np.float32), across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            for band in values
        ]
        kept = cv2.remap(valid.astype(np.float32), across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.stack(drawn).astype(np.float32), np.asarray(inside & (kept > 0.99))


def open_picture(file: str | Path | Picture) -> Picture:
    """The picture in a file. Raises GeoError for one that cannot be opened or has no place on the ground."""
    if isinstance(file, Picture):
        return file
    path = Path(file)
    try:
        with path.open("rb") as opened:
            head = opened.read(4)
    except OSError as error:
        raise GeoError("no-file", f"打不开“{path.name}”，请核对文件。", str(path)) from error
    tiff = head in TIFF_HEADS
    if tiff and _georeferenced(path):
        return _raster(path)
    return _frame(path)


def held(
    bands: ArrayLike, names: Sequence[str], transform: Any, crs: Any, valid: ArrayLike | None = None, taken: str = ""
) -> Picture:
    """A picture of arrays: `bands` (n, h, w), an affine `transform` and a `crs`; NaN is invalid."""
    values = np.asarray(bands, dtype=np.float32)
    known: Mask = np.asarray(
        np.isfinite(values).all(axis=0) & (True if valid is None else np.asarray(valid, dtype=bool))
    )
    values = np.where(known, values, np.float32(0))

    def read(window: Window, factor: int) -> tuple[NDArray[Any], Mask]:
        rows, columns = window.toslices()
        part, good = values[:, rows, columns], known[rows, columns].astype(np.float32)
        size = (max(1, part.shape[2] // factor), max(1, part.shape[1] // factor))
        small = [np.asarray(cv2.resize(band, size, interpolation=cv2.INTER_AREA)) for band in part]
        return np.stack(small), np.asarray(cv2.resize(good, size, interpolation=cv2.INTER_AREA) > 0.99)

    return _placed(tuple(names), values.shape[2], values.shape[1], transform, crs, read, taken)


def _georeferenced(path: Path) -> bool:
    with _opened(path) as source:
        if source.crs is not None:
            return True
        if source.count > 1 or source.tags(ns="EXIF").get("EXIF_GPSLatitude") is None:
            raise GeoError("no-crs", f"“{path.name}”没有坐标系，不知道拍的是哪里；请导出带坐标的影像。", "crs")
    return False


def _opened(path: Path) -> Any:
    try:
        with warnings.catch_warnings(), rasterio.Env(**GDAL):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            return rasterio.open(path, driver="GTiff")
    except RasterioError as error:
        raise GeoError(
            "broken-raster", f"“{path.name}”不是能读的 GeoTIFF，文件可能不完整，请重新导出。", str(path)
        ) from error


def _raster(path: Path) -> Picture:
    with _opened(path) as source:
        width, height, count = source.width, source.height, source.count
        if max(width, height) > MAX_SIDE_PX:
            raise GeoError("too-large", f"“{path.name}”有 {width}×{height} 像素，超过每边 {MAX_SIDE_PX}。", str(path))
        alpha = [index for index, kind in enumerate(source.colorinterp) if kind.name == "alpha"]
        kept = [index for index in range(count) if index not in alpha]
        found = names_of([(source.descriptions[index], _nm(source.tags(index + 1))) for index in kept])
        plain = {1: ("grey",), 3: ("red", "green", "blue")}.get(len(kept), ())
        names = tuple(
            name or (plain[at] if plain and not any(found) else f"band{at + 1}") for at, name in enumerate(found)
        )
        scales = np.array([source.scales[index] for index in kept], dtype=np.float32)[:, None, None]
        offsets = np.array([source.offsets[index] for index in kept], dtype=np.float32)[:, None, None]
        transform, crs = source.transform, source.crs.to_wkt()

    def read(window: Window, factor: int) -> tuple[NDArray[Any], Mask]:
        size = (max(1, int(window.height) // factor), max(1, int(window.width) // factor))
        numbers = [index + 1 for index in kept]
        try:
            with rasterio.Env(**GDAL), _opened(path) as source:
                values = source.read(
                    numbers, window=window, out_shape=(len(kept), *size), resampling=Resampling.average
                )
                mask = source.read_masks(numbers, window=window, out_shape=(len(kept), *size)).min(axis=0) > 0
        except RasterioError as error:
            sentence = f"“{path.name}”读到一半出错，文件可能不完整，请重新导出。"
            raise GeoError("broken-raster", sentence, str(path)) from error
        values = values.astype(np.float32) * scales + offsets
        good = mask & np.isfinite(values).all(axis=0)
        return np.where(good, values, np.float32(0)), good

    return _placed(names, width, height, transform, crs, read, "")


def _nm(tags: dict[str, str]) -> float | None:
    for key, value in tags.items():
        if key.lower() in ("wavelength", "center_wavelength", "central_wavelength_nm", "wavelength_nm"):
            try:
                return float(value)
            except ValueError:
                return None
    return None


def _placed(
    names: tuple[str, ...], width: int, height: int, transform: Any, crs: Any, read: Read, taken: str
) -> Picture:
    a, b, c, d, e, f = (float(value) for value in tuple(transform)[:6])
    scale = a * e - b * d
    if scale == 0.0:
        raise GeoError("bad-transform", "影像的地理变换不可逆，请重新导出带坐标的影像。", "transform")
    try:
        project = Transformer.from_crs("EPSG:4326", CRS.from_user_input(crs), always_xy=True)
    except CRSError as error:
        raise GeoError("no-crs", "影像的坐标系读不懂，请换常用坐标系重新导出。", "crs") from error

    def pixel_of(lon: Array, lat: Array) -> tuple[Array, Array]:
        x, y = project.transform(lon, lat)
        dx, dy = np.asarray(x) - c, np.asarray(y) - f
        return (e * dx - b * dy) / scale, (a * dy - d * dx) / scale

    across, down = np.array([0.0, 0.5, 1, 1, 1, 0.5, 0, 0]) * width, np.array([0.0, 0, 0, 0.5, 1, 1, 1, 0.5]) * height
    lon, lat = project.transform(a * across + b * down + c, d * across + e * down + f, direction="INVERSE")
    if not (np.isfinite(lon).all() and np.isfinite(lat).all() and np.abs(lat).max() <= 90):
        raise GeoError("bad-transform", "影像的坐标换算不成经纬度，请核对坐标系。", "transform")
    outline = shapely.Polygon(np.column_stack((lon, lat)))
    frame = local_xy(outline.centroid.x, outline.centroid.y)
    area_m2 = shapely.transform(outline, frame.forward, interleaved=False).area
    many = len(names) >= 4 or {"nir", "rededge"} & set(names)
    gsd_m = math.sqrt(area_m2 / (width * height))
    return Picture(names, width, height, gsd_m, outline, RASTER_ERROR_M, bool(many), pixel_of, read, taken)


def _frame(path: Path) -> Picture:
    """A photograph by its camera's pose over flat ground at the take-off's level."""
    meta = read_frame(path)
    camera = camera_for(meta)
    yaw, pitch, roll = meta.gimbal_yaw_deg, meta.gimbal_pitch_deg, meta.gimbal_roll_deg
    height_m = meta.relative_altitude_m
    missing = [
        word
        for word, there in (
            ("坐标", meta.lon is not None and meta.lat is not None),
            ("云台姿态", None not in (yaw, pitch, roll)),
            ("相对高度", height_m is not None and height_m > 1.0),
            ("焦距", camera is not None),
        )
        if not there
    ]
    if missing or camera is None or meta.lon is None or meta.lat is None:
        raise GeoError("no-place", f"“{path.name}”缺少{'、'.join(missing)}，不能放到地面上比较。", str(path))
    pose = Pose(float(yaw or 0.0), float(pitch or 0.0), float(roll or 0.0), float(height_m or 0.0))
    ring = footprint(camera, pose)
    if ring is None:
        raise GeoError("no-place", f"“{path.name}”没有拍到地面（镜头朝向地平线），不能比较。", str(path))
    here = (meta.lon, meta.lat)
    outline = shapely.Polygon(to_lonlat(*here, ring))
    steps = np.stack(np.meshgrid(np.linspace(0, camera.width_px, 41), np.linspace(0, camera.height_px, 31)), axis=-1)
    lattice = steps.reshape(-1, 2)
    ground = ground_points(camera, pose, lattice)
    seen = np.isfinite(ground).all(axis=1)
    tree = scipy.spatial.cKDTree(ground[seen])

    def pixel_of(lon: Array, lat: Array) -> tuple[Array, Array]:
        """Newton steps from the nearest place of a lattice, on whatever lens the camera has."""
        aim = to_plane(*here, np.column_stack((lon.ravel(), lat.ravel())))
        away, nearest = tree.query(aim)
        pixels = lattice[seen][nearest].copy()
        right, below = np.array([0.5, 0.0]), np.array([0.0, 0.5])
        for _ in range(6):
            at = ground_points(camera, pose, pixels)
            dx = ground_points(camera, pose, pixels + right) - ground_points(camera, pose, pixels - right)
            dy = ground_points(camera, pose, pixels + below) - ground_points(camera, pose, pixels - below)
            gap, turn = aim - at, dx[:, 0] * dy[:, 1] - dx[:, 1] * dy[:, 0]
            step = np.column_stack(
                (gap[:, 0] * dy[:, 1] - gap[:, 1] * dy[:, 0], gap[:, 1] * dx[:, 0] - gap[:, 0] * dx[:, 1])
            )
            pixels += np.clip(
                step / np.where(turn == 0, np.nan, turn)[:, None], -camera.width_px / 8, camera.width_px / 8
            )
        beyond = away > 0.5 * spread_m
        pixels[beyond] = np.nan
        return pixels[:, 0].reshape(lon.shape), pixels[:, 1].reshape(lon.shape)

    spread_m = float(np.ptp(ground[seen], axis=0).max())
    image = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None or image.shape[:2] != (camera.height_px, camera.width_px):
        raise GeoError("broken-frame", f"“{path.name}”的画面读不出来，请重新上传原片。", str(path))

    def read(window: Window, factor: int) -> tuple[NDArray[Any], Mask]:
        rows, columns = window.toslices()
        part = image[rows, columns]
        size = (max(1, part.shape[1] // factor), max(1, part.shape[0] // factor))
        small = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA))
        return small[:, :, ::-1].transpose(2, 0, 1), np.ones(small.shape[:2], dtype=bool)

    middle = ground_points(camera, pose, np.array([[0.5, 0.5], [0.5, 0.6]]) * (camera.width_px, camera.height_px))
    gsd_m = float(np.linalg.norm(middle[1] - middle[0])) / (0.1 * camera.height_px)
    told = tuple((code, sentence) for code, sentence in meta.warnings)
    taken = meta.taken_at.isoformat() if meta.taken_at else meta.taken_local or ""
    return Picture(
        ("red", "green", "blue"), camera.width_px, camera.height_px, gsd_m, outline, FRAME_ERROR_M, False,
        pixel_of, read, taken, told,
    )  # fmt: skip
