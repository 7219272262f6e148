"""A photograph's pixels for the detector, decoded no larger than needed.

The file is decoded **in this process**: bytes from strangers go through the photo store's decoder first. Pixels
stay as stored, not turned by the orientation tag, so that a box's pixels are those that `locate` places.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pillow_heif import HeifImageFile

from geodata.errors import GeoError
from geodata.frames.tags import DECODER_FAULTS, FORMATS, MAX_BYTES, MAX_PIXELS

_MODES = ("RGB", "RGBA", "L", "LA", "P", "CMYK", "YCbCr", "1")


@dataclass(frozen=True)
class Shot:
    """Pixels (h, w, 3) uint8 RGB of a photo of `width_px` x `height_px`; `scale` is theirs over the photo's."""

    pixels: NDArray[np.uint8] = field(repr=False)
    width_px: int
    height_px: int

    @property
    def scale(self) -> float:
        return float(self.pixels.shape[1]) / self.width_px


def read_picture(photo: str | Path | bytes, scale: float = 1.0) -> Shot:
    """Decode a photograph; a JPEG comes out at the smallest eighth, quarter or half not under `scale`.

    Raises `GeoError` `no_file`, `too_large`, `too_many_pixels`, `not_a_photo`, `broken_photo`, `bad_picture`.

    >>> out = BytesIO()
    >>> Image.new("RGB", (1600, 1200), "green").save(out, "JPEG")
    >>> shot = read_picture(out.getvalue(), scale=0.3)
    >>> shot.pixels.shape, shot.width_px, shot.scale
    ((600, 800, 3), 1600, 0.5)
    """
    data = photo if isinstance(photo, bytes) else _bytes_of(Path(photo))
    if len(data) > MAX_BYTES:
        raise GeoError("too_large", f"文件超过 {MAX_BYTES // 1_000_000} MB，请上传单张照片。")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # broken tags are not what is looked at here
        try:
            heic = data[4:8] == b"ftyp"
            image: Image.Image = (
                HeifImageFile(BytesIO(data))  # type: ignore[no-untyped-call]  # pillow_heif has no types
                if heic
                else Image.open(BytesIO(data), formats=FORMATS)
            )
        except Image.DecompressionBombError as fault:
            raise GeoError("too_many_pixels", "图片像素过多，拒绝打开；请上传原始照片。") from fault
        except DECODER_FAULTS as fault:
            raise GeoError("not_a_photo", "不是能识别的照片；请上传 JPEG、PNG、WebP、TIFF 或 HEIC 原图。") from fault
        with image:
            return _decoded(image, scale)


def _bytes_of(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise GeoError("too_large", f"文件超过 {MAX_BYTES // 1_000_000} MB，请上传单张照片。")
        return path.read_bytes()
    except (OSError, ValueError) as fault:
        raise GeoError("no_file", f"读不到照片文件“{path.name}”，请检查路径和权限。") from fault


def _decoded(image: Image.Image, scale: float) -> Shot:
    width, height = image.size
    if width * height > MAX_PIXELS or min(width, height) < 1:
        raise GeoError("too_many_pixels", "图片像素过多，拒绝打开；请上传原始照片。")
    if image.mode not in _MODES:
        raise GeoError("bad_picture", f"这张图是 {image.mode} 格式，不是 8 位彩色照片，认不出人和船；请换可见光照片。")
    try:
        if image.format in ("JPEG", "MPO"):
            image.draft("RGB", (max(1, int(width * scale)), max(1, int(height * scale))))  # at least this large
        pixels = np.asarray(image.convert("RGB"))
    except DECODER_FAULTS as fault:
        raise GeoError("broken_photo", "照片文件已损坏，读不出内容；请重新导出后上传。") from fault
    return Shot(pixels, width, height)
