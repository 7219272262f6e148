"""A multiband GeoTIFF opened safely: which bands it holds, how its numbers become a signal, where it lies.

The only place that opens a raster. Only GeoTIFF by content; no sidecar file, no network, no other driver is ever
asked. It judges no pixel; what it cannot use it refuses with every fault at once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError, RasterioIOError
from rasterio.windows import Window

from geodata.bands.grid import AffineGrid, Grid
from geodata.bands.stack import Stack, in_chinese
from geodata.bands.tiff import inspect_tiff
from geodata.bands.wavelengths import NAMES, names_of, to_nm
from geodata.errors import GeoError, GeoErrors

MAX_PIXELS = 2_500_000_000
MAX_SIDE_PX = 500_000
MAX_BLOCK_BYTES = 256 * 2**20
COARSE_BYTES = 8 * 2**20
DTYPES = ("uint8", "uint16", "int16", "float32")
NEEDED = ("green", "red", "nir")
LEAST_BANDS = 4

# Set around every opening and reading: nothing beside the file is looked at and nothing is fetched.
_GDAL = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_CACHEMAX": 64,
    "GDAL_NUM_THREADS": "1",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
    "GDAL_HTTP_TIMEOUT": "1",
    "GTIFF_IGNORE_READ_ERRORS": "NO",
}
_LENGTH_TAGS = ("wavelength", "WAVELENGTH", "center_wavelength", "CENTER_WAVELENGTH", "central_wavelength",
                "CENTRAL_WAVELENGTH_UM", "Wavelength", "CentralWavelength", "WAVELENGTH_NM")  # fmt: skip


class Reader(Protocol):
    """One thread's open hand on a source."""

    def read(self, bands: Sequence[int], y_px: int, x_px: int, out: NDArray[Any]) -> None:
        """Fills `out` (bands, h, w), of the source's dtype, from the upper left pixel (y_px, x_px)."""

    def mask(self, y_px: int, x_px: int, out: NDArray[np.uint8]) -> None:
        """Fills `out` (h, w) with 0 where the source's own mask says there is nothing."""

    def coarse(self, bands: Sequence[int], factor: int) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
        """Every `factor`-th pixel or coarser overview: (bands, ceil(h/f), ceil(w/f)), and the mask likewise."""


class Source(Protocol):
    """What recognition needs of a picture, whatever it lies in. Bands are counted from 0 in `names`."""

    @property
    def width_px(self) -> int: ...
    @property
    def height_px(self) -> int: ...
    @property
    def dtype(self) -> str: ...
    @property
    def names(self) -> tuple[str | None, ...]: ...
    @property
    def wavelengths_nm(self) -> tuple[float | None, ...]: ...
    @property
    def scales(self) -> tuple[float, ...]: ...
    @property
    def offsets(self) -> tuple[float, ...]: ...
    @property
    def nodata(self) -> tuple[float | None, ...]: ...
    @property
    def masked(self) -> bool: ...
    @property
    def reflectance(self) -> bool | None: ...
    @property
    def block_px(self) -> tuple[int, int]: ...
    @property
    def grid(self) -> Grid: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...

    def opened(self) -> AbstractContextManager[Reader]:
        """A reader for the calling thread."""


@dataclass(frozen=True)
class Raster:
    """One GeoTIFF. `names`: canonical band names or None; `scales`, `offsets`: signal = number * scale + offset.

    `reflectance`: True when the file says so by its scale, None when only the numbers can tell. `block_px`:
    (height, width) of its blocks. `grid`: pixels to WGS-84. `alpha`: the band that says where the picture is.
    """

    path: Path
    width_px: int
    height_px: int
    dtype: str
    names: tuple[str | None, ...]
    wavelengths_nm: tuple[float | None, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    nodata: tuple[float | None, ...]
    masked: bool
    reflectance: bool | None
    block_px: tuple[int, int]
    grid: Grid
    warnings: tuple[str, ...] = ()
    alpha: int | None = None

    @contextmanager
    def opened(self) -> Iterator[Reader]:
        """A reader for the calling thread."""
        with rasterio.Env(**_GDAL), _open(self.path) as dataset:
            yield _FileReader(dataset, self)


@dataclass
class _FileReader:
    dataset: Any
    raster: Raster

    def read(self, bands: Sequence[int], y_px: int, x_px: int, out: NDArray[Any]) -> None:
        window = Window(x_px, y_px, out.shape[2], out.shape[1])
        with _in_sentence(self.raster.path):
            self.dataset.read(indexes=[band + 1 for band in bands], out=out, window=window)

    def mask(self, y_px: int, x_px: int, out: NDArray[np.uint8]) -> None:
        window = Window(x_px, y_px, out.shape[1], out.shape[0])
        with _in_sentence(self.raster.path):
            out[:] = self.dataset.dataset_mask(window=window)
            if self.raster.alpha is not None:  # the library takes it for a mask only beside one or three bands
                out[self.dataset.read(self.raster.alpha + 1, window=window) == 0] = 0

    def coarse(self, bands: Sequence[int], factor: int) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
        raster = self.raster
        shape = (-(-raster.height_px // factor), -(-raster.width_px // factor))
        overviews = [self.dataset.overviews(band + 1) for band in bands]
        if all(overviews) and max(levels[0] for levels in overviews) <= factor and raster.alpha is None:
            with _in_sentence(raster.path):
                values = self.dataset.read(indexes=[band + 1 for band in bands], out_shape=(len(bands), *shape))
                mask = self.dataset.dataset_mask(out_shape=shape) if raster.masked else None
            return values, mask
        return self._thinned(bands, factor, shape)

    def _thinned(
        self, bands: Sequence[int], factor: int, shape: tuple[int, int]
    ) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
        """Block rows read whole and thinned here: the library's own way decodes every block again and again."""
        raster = self.raster
        values = np.empty((len(bands), *shape), raster.dtype)
        mask = np.empty(shape, np.uint8) if raster.masked else None
        tall, wide = raster.block_px
        tall *= max(1, min(256, raster.height_px) // tall)
        wide *= max(1, min(COARSE_BYTES // (len(bands) * tall * wide * values.itemsize), -(-raster.width_px // wide)))
        rows = np.minimum(np.arange(shape[0]) * factor + factor // 2, raster.height_px - 1)
        columns = np.minimum(np.arange(shape[1]) * factor + factor // 2, raster.width_px - 1)
        for y0 in range(0, raster.height_px, tall):
            mine = slice(*np.searchsorted(rows, (y0, y0 + tall)))
            for x0 in range(0, raster.width_px, wide):
                own = slice(*np.searchsorted(columns, (x0, x0 + wide)))
                if mine.start == mine.stop or own.start == own.stop:
                    continue
                size = (min(tall, raster.height_px - y0), min(wide, raster.width_px - x0))
                part = np.empty((len(bands), *size), raster.dtype)
                self.read(bands, y0, x0, part)
                picked = np.ix_(rows[mine] - y0, columns[own] - x0)
                for k in range(len(bands)):
                    values[k, mine, own] = part[k][picked]
                if mask is not None:
                    cut = np.empty(size, np.uint8)
                    self.mask(y0, x0, cut)
                    mask[mine, own] = cut[picked]
        return values, mask


def open_raster(path: str | Path) -> Raster:
    """What a GeoTIFF holds, checked before any pixel is touched.

    Raises `GeoError`, or `GeoErrors` with every fault: `no_file`, `not_tiff`, `truncated`, `broken_tiff`,
    `too_large`, `bad_type`, `no_crs`, `no_position`, `missing_bands`, `unreadable`.

    >>> open_raster("no/such/file.tif")
    Traceback (most recent call last):
        ...
    geodata.errors.GeoError: 读不到影像文件“file.tif”，请检查路径和权限。
    """
    if str(path).startswith("/vsi") or "://" in str(path):
        raise GeoError("no_file", "只收本机上的影像文件，不收网址和虚拟路径。", "file")
    path = Path(path).absolute()
    if path.is_dir():
        raise GeoError("no_file", f"“{path.name}”是文件夹，请给出一个 GeoTIFF 文件。", "file")
    bones, faults = inspect_tiff(path)
    if bones is None or any(fault.code != "truncated" for fault in faults):
        raise faults[0]
    size = _size_fault(bones.width_px, bones.height_px)
    if size or faults:
        raise _all([*faults, *size])
    with rasterio.Env(**_GDAL), _in_sentence(path), _open(path) as dataset:
        return _described(path, dataset)


def _open(path: Path) -> Any:
    # Its own tags alone say where a file lies: a world file beside it is somebody else's word.
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        return rasterio.open(path, driver="GTiff", GEOREF_SOURCES="INTERNAL", IGNORE_COG_LAYOUT_BREAK="YES")


@contextmanager
def _in_sentence(path: Path) -> Iterator[None]:
    try:
        yield
    except (RasterioIOError, RasterioError) as error:
        raise GeoError(
            "unreadable", f"影像“{path.name}”读到一半读不下去（文件损坏或没有传完）；请重新导出或重新上传。", "file"
        ) from error


def _described(path: Path, dataset: Any) -> Raster:
    faults: list[GeoError] = []
    notes: list[str] = []
    bands = [index for index in range(dataset.count) if dataset.colorinterp[index] != ColorInterp.alpha]
    types = sorted({str(dataset.dtypes[index]) for index in bands})
    if len(types) != 1 or types[0] not in DTYPES:
        faults.append(GeoError("bad_type", f"像元类型是 {'、'.join(types)}，只收 {'、'.join(DTYPES)} 之一。", "type"))
    block_h, block_w = dataset.block_shapes[0]
    if block_h * block_w * np.dtype(types[0] if types else "u1").itemsize > MAX_BLOCK_BYTES:
        faults.append(
            GeoError(
                "too_large", f"数据块是 {block_w}×{block_h} 像元，太大；请存成分块（如 512×512）的 GeoTIFF。", "block"
            )
        )
    lengths = [_length_of(dataset, index) for index in bands]
    said = names_of(
        (text, nm) for text, nm in zip((dataset.descriptions[index] for index in bands), lengths, strict=True)
    )
    names: list[str | None] = [None] * dataset.count
    waves: list[float | None] = [None] * dataset.count
    for index, name, nm in zip(bands, said, lengths, strict=True):
        names[index], waves[index] = name, nm
    faults += band_faults(names)
    transform = dataset.transform
    if dataset.crs is None:
        faults.append(GeoError("no_crs", "影像没有坐标系，不知道在哪里；请带坐标系重新导出。", "crs"))
    if transform.is_identity or transform.is_degenerate:
        faults.append(
            GeoError("no_position", "影像没有可用的地理变换（像元位置和大小）；请带地理参考重新导出。", "transform")
        )
    if faults:
        raise _all(faults)
    alpha = next((index for index in range(dataset.count) if index not in bands), None)
    masked = alpha is not None or any(MaskFlags.per_dataset in flags for flags in dataset.mask_flag_enums)
    scales, offsets = tuple(map(float, dataset.scales)), tuple(map(float, dataset.offsets))
    used = [index for index in range(dataset.count) if names[index] in NAMES]
    reflectance = True if any(scales[index] != 1.0 for index in used) else None
    scales, reflectance = _stated_scale(dataset, used, scales, reflectance)
    return Raster(
        path, dataset.width, dataset.height, types[0], tuple(names), tuple(waves), scales, offsets,
        tuple(None if value is None else float(value) for value in dataset.nodatavals), masked, reflectance,
        (int(block_h), int(block_w)), AffineGrid.of(transform, dataset.crs.to_wkt()), tuple(notes), alpha,
    )  # fmt: skip


def _length_of(dataset: Any, index: int) -> float | None:
    tags = dataset.tags(index + 1)
    imagery = dataset.tags(index + 1, ns="IMAGERY")
    for key in _LENGTH_TAGS:
        for held in (tags, imagery):
            if key in held:
                nm = _number_nm(str(held[key]), str(held.get("wavelength_units", held.get("WAVELENGTH_UNITS", ""))))
                if nm is not None:
                    return nm
    # ENVI's header, as some programs copy it into the file's own tags: one list for all bands.
    whole = dataset.tags()
    listed = str(whole.get("wavelength", whole.get("WAVELENGTH", ""))).strip("{} ").split(",")
    if len(listed) == dataset.count and dataset.count > 1:
        return _number_nm(listed[index], str(whole.get("wavelength_units", "")))
    return None


def _number_nm(text: str, units: str) -> float | None:
    digits = text.strip().lower().replace("nanometers", "").replace("nm", "").replace("um", "").replace("µm", "")
    try:
        return to_nm(float(digits) * (1000.0 if "micro" in units.lower() and float(digits) < 20.0 else 1.0))
    except ValueError:
        return None


def _stated_scale(
    dataset: Any, used: Sequence[int], scales: tuple[float, ...], reflectance: bool | None
) -> tuple[tuple[float, ...], bool | None]:
    """Programs that write no GDAL scale state a divisor in a tag of their own."""
    if reflectance is None:
        whole = {str(key).lower().replace(" ", "_"): str(value) for key, value in dataset.tags().items()}
        for key in ("reflectance_scale_factor", "reflectance_scale", "reflectancescalefactor"):
            try:
                divisor = float(whole[key])
            except (KeyError, ValueError):
                continue
            if divisor > 1.0:
                return tuple(s / divisor if i in used else s for i, s in enumerate(scales)), True
    return scales, reflectance


def band_faults(names: Sequence[str | None]) -> list[GeoError]:
    """Why these bands do not suffice, or nothing. Green, red, near infrared and one of blue and red edge are needed.

    >>> [fault.code for fault in band_faults(["red", "green", "blue"])]
    ['missing_bands']
    >>> band_faults(["green", "red", "rededge", "nir"])
    []
    """
    held = [name for name in NAMES if name in names]
    lacking = [name for name in NEEDED if name not in names]
    if not lacking and len(held) >= LEAST_BANDS:
        return []
    found = "、".join(in_chinese(name) for name in held) or "无"
    want = "缺少" + "、".join(in_chinese(name) for name in lacking) if lacking else "还要有蓝或红边波段"
    unknown = sum(name is None for name in names)
    hint = (
        f"；有 {unknown} 个波段既没写名称也没写波长，请在波段说明里写明（如 blue、green、red、rededge、nir）"
        if unknown
        else ""
    )
    return [
        GeoError(
            "missing_bands",
            f"影像共 {len(names)} 个波段，认得的有：{found}；{want}，不能做多光谱识别{hint}。",
            "bands",
        )
    ]


def _size_fault(width: int, height: int) -> list[GeoError]:
    if width * height <= MAX_PIXELS and max(width, height) <= MAX_SIDE_PX:
        return []
    return [
        GeoError(
            "too_large",
            f"影像 {width}×{height} 像元，超过上限 {MAX_PIXELS // 100_000_000} 亿像元（如 50000×50000）；请分幅导出。",
            "size",
        )
    ]


def _all(faults: list[GeoError]) -> GeoError:
    return faults[0] if len(faults) == 1 else GeoErrors(faults)


@dataclass(frozen=True)
class Held:
    """A stack in memory as a source: NaN where it has no value."""

    stack: Stack
    grid: Grid
    block_px: tuple[int, int] = (512, 2048)
    masked: bool = True
    dtype: str = "float32"
    warnings: tuple[str, ...] = ()
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        if not self.stack.aligned:
            raise GeoError("not_aligned", "各波段没有配准，不能识别；请先配准。", "bands")
        faults = band_faults(self.stack.names)
        if faults:
            raise faults[0]

    @property
    def names(self) -> tuple[str | None, ...]:
        return self.stack.names

    @property
    def wavelengths_nm(self) -> tuple[float | None, ...]:
        return self.stack.wavelengths_nm

    @property
    def width_px(self) -> int:
        return int(self.stack.array.shape[2])

    @property
    def height_px(self) -> int:
        return int(self.stack.array.shape[1])

    @property
    def scales(self) -> tuple[float, ...]:
        return (1.0,) * len(self.stack.names)

    @property
    def offsets(self) -> tuple[float, ...]:
        return (0.0,) * len(self.stack.names)

    @property
    def nodata(self) -> tuple[float | None, ...]:
        return (None,) * len(self.stack.names)

    @property
    def reflectance(self) -> bool:
        return self.stack.reflectance

    @contextmanager
    def opened(self) -> Iterator[Reader]:
        yield _ArrayReader(self.stack.array, self.stack.valid)


@dataclass
class _ArrayReader:
    array: NDArray[np.float32]
    valid: NDArray[np.bool_]

    def read(self, bands: Sequence[int], y_px: int, x_px: int, out: NDArray[Any]) -> None:
        for place, band in enumerate(bands):
            out[place] = self.array[band, y_px : y_px + out.shape[1], x_px : x_px + out.shape[2]]

    def mask(self, y_px: int, x_px: int, out: NDArray[np.uint8]) -> None:
        out[:] = self.valid[y_px : y_px + out.shape[0], x_px : x_px + out.shape[1]]

    def coarse(self, bands: Sequence[int], factor: int) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
        half = factor // 2
        rows = np.minimum(np.arange(0, self.array.shape[1], factor) + half, self.array.shape[1] - 1)
        columns = np.minimum(np.arange(0, self.array.shape[2], factor) + half, self.array.shape[2] - 1)
        at = np.ix_(rows, columns)
        return np.stack([self.array[band][at] for band in bands]), self.valid[at].astype(np.uint8)
