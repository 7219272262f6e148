"""From the bytes of one photo to a small upright RGB picture, within a fixed amount of memory.

Used in the decoder's child process only. Limits are held against the header before a pixel is decoded; the
full picture then exists once, in its own mode, and everything else works on strips of it. Nothing here
keeps metadata, opens files, or trusts a size it has not checked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from typing import Any

import pillow_heif
from PIL import Image, ImageCms, UnidentifiedImageError

from patrol.gateways.claims import BROKEN_EXIF

MIN_SIDE_PX = 16
# Pillow's WebP reader holds four full RGBA copies, so its pictures must be smaller to fit.
WEBP_MAX_PIXELS = 15_000_000
# libjpeg keeps every coefficient of a progressive picture, two bytes each, on top of the picture.
_MOST_COEFFICIENT_BYTES = 190_000_000
# What decoders are known to raise on bad bytes. Anything else ends the process, which is a refusal too.
BROKEN = (*BROKEN_EXIF, AttributeError, RuntimeError, AssertionError, NotImplementedError)

_FORMATS = {"JPEG": ["JPEG"], "PNG": ["PNG"], "WebP": ["WEBP"]}
_BOXES = {b"ftyp", b"meta", b"mdat", b"idat", b"moov", b"free", b"skip", b"uuid"}
_STRIP_PX = 1 << 20
_GAP = 3  # a box filter first, while at least this much is left for the better filter
_LANCZOS_REACH = 3
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Refusal(Exception):
    """A file that is not taken: a stable code and the numbers its sentence needs."""

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


class Source:
    """An opened JPEG, PNG or WebP: its header is read and allowed, its pixels come on `decode`."""

    turns_itself = False

    def __init__(self, data: bytes, kind: str, max_pixels: int) -> None:
        if kind == "WebP":  # its reader makes room for the whole canvas while opening
            max_pixels = min(max_pixels, WEBP_MAX_PIXELS)
            hold(webp_size(data), max_pixels)
        try:
            self._image: Any = Image.open(BytesIO(data), formats=_FORMATS[kind])
        except UnidentifiedImageError:
            raise Refusal("broken") from None
        hold(self._image.size, max_pixels)
        self._jpeg = kind == "JPEG"
        if self._jpeg:
            self._hold_coefficients()
        self.size: tuple[int, int] = self._image.size
        self.mode: str = self._image.mode
        self.profile: bytes | None = self._image.info.get("icc_profile")

    def exif(self) -> Image.Exif:
        """Return the EXIF block, unread until now."""
        exif: Image.Exif = self._image.getexif()
        return exif

    def decode(self, wanted: tuple[int, int]) -> None:
        """Decode every pixel; a JPEG may come out smaller, but never smaller than `wanted`."""
        if self._jpeg:
            self._image.draft(self._image.mode, wanted)
        self._image.load()
        self.size = self._image.size

    def strip(self, top: int, bottom: int) -> Image.Image:
        """Return the rows from `top` up to `bottom` as a picture of their own."""
        rows: Image.Image = self._image.crop((0, top, self.size[0], bottom))
        return rows

    def close(self) -> None:
        """Give the memory of the full picture back."""
        self._image.close()

    def _hold_coefficients(self) -> None:
        if not self._image.info.get("progressive"):
            return
        parts = [across * down for _, across, down, _ in self._image.layer]
        largest = max(across for _, across, _, _ in self._image.layer) * max(
            down for _, _, down, _ in self._image.layer
        )
        width, height = self._image.size
        if 2 * width * height * sum(parts) / largest > _MOST_COEFFICIENT_BYTES:
            raise Refusal("too_heavy")


class HeicSource(Source):
    """An opened HEIC. Its decoder turns the pixels itself; the EXIF orientation must not turn them again."""

    turns_itself = True

    def __init__(self, data: bytes, max_pixels: int) -> None:
        self._max_pixels = max_pixels
        hold_boxes(data)
        container = pillow_heif.open_heif(BytesIO(data), convert_hdr_to_8bit=True, remove_stride=False)
        self._image = container[container.primary_index]
        hold(self._image.size, max_pixels)
        self.size = self._image.size
        self.mode = self._image.mode
        self.profile = self._image.info.get("icc_profile")
        self._block: bytes | None = self._image.info.get("exif")
        self._rows = memoryview(b"")

    def exif(self) -> Image.Exif:
        exif = Image.Exif()
        if self._block:
            exif.load(self._block)
        return exif

    def decode(self, wanted: tuple[int, int]) -> None:
        # Rows are read where libheif left them: a second full copy in Pillow would not fit.
        self._rows = memoryview(self._image.data)
        hold(self._image.size, self._max_pixels)  # a file can turn out other than its header said
        self.size, self.mode = self._image.size, self._image.mode

    def strip(self, top: int, bottom: int) -> Image.Image:
        stride = self._image.stride
        rows = self._rows[top * stride : bottom * stride]
        return Image.frombytes(self.mode, (self.size[0], bottom - top), rows, "raw", self.mode, stride)

    def close(self) -> None:
        self._rows = memoryview(b"")
        self._image = None


def open_source(data: bytes, kind: str, max_pixels: int) -> Source:
    """Read the header of a photo and hold it against the limits; no pixel is decoded yet."""
    return HeicSource(data, max_pixels) if kind == "HEIC" else Source(data, kind, max_pixels)


def hold(size: tuple[int, int], max_pixels: int) -> None:
    """Refuse a size outside the limits."""
    width, height = size
    if width * height > max_pixels:
        raise Refusal("too_many_pixels", width=width, height=height, max_pixels=max_pixels)
    if min(size) < MIN_SIDE_PX:
        raise Refusal("too_small", width=width, height=height, min_side_px=MIN_SIDE_PX)


def hold_boxes(data: bytes) -> None:
    """Refuse a HEIC whose boxes run past its end: libheif would fill the missing tiles with nothing."""
    at = 0
    while at + 16 <= len(data):
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if name not in _BOXES or size == 0:  # zero: up to the end; a strange name: something appended
            return
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size < 8:
            raise Refusal("broken")
        at += size
    if at > len(data):
        raise Refusal("truncated")


def webp_size(data: bytes) -> tuple[int, int]:
    """Read the canvas size from a WebP header."""
    chunk, body = data[12:16], data[20:30]
    if len(body) < 10:
        raise Refusal("truncated")
    if chunk == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 ":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    raise Refusal("broken")


def develop(source: Source, max_side_px: int) -> Image.Image:
    """Decode and scale down to fit `max_side_px`, as RGB in sRGB, not yet turned; never enlarges.

    `source.size` is set by decoding and `source` is closed afterwards.
    """
    width, height = source.size
    scale = min(1.0, max_side_px / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    source.decode(size)
    # A HEIC may have changed its size; whatever it is now, the result keeps to the wanted box.
    scale = min(1.0, max_side_px / max(source.size), size[0] / source.size[0])
    size = max(1, round(source.size[0] * scale)), max(1, round(source.size[1] * scale))
    even, colour = _evened(source.mode), _colour(source)
    factor = int(1 / scale / _GAP)
    small = _reduced(source, size, factor, even) if factor > 1 else _resized(source, size, even)
    source.close()
    return colour(small)


def turn(image: Image.Image, orientation: int) -> Image.Image:
    """Turn a picture upright as its EXIF orientation says; unknown values turn nothing."""
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def _reduced(source: Source, size: tuple[int, int], factor: int, even: _Evener) -> Image.Image:
    """Average whole blocks strip by strip, then filter the little that is left."""
    width, height = source.size
    middle = Image.new(_even_mode(source.mode), (-(-width // factor), -(-height // factor)))
    rows = max(1, _STRIP_PX // width // factor) * factor
    for top in range(0, height, rows):
        strip = even(source.strip(top, min(height, top + rows)))
        middle.paste(strip.reduce(factor), (0, top // factor))
    # The last block of a row may stand for fewer pixels; the box keeps the picture from stretching.
    return middle.resize(size, Image.Resampling.LANCZOS, box=(0, 0, width / factor, height / factor))


def _resized(source: Source, size: tuple[int, int], even: _Evener) -> Image.Image:
    """Filter strip by strip; each strip sees as many rows beyond its edge as the filter reaches."""
    width, height = source.size
    result = Image.new(_even_mode(source.mode), size)
    ratio = height / size[1]
    reach = 0 if source.size == size else math.ceil(_LANCZOS_REACH * ratio) + 1
    step = max(1, int(_STRIP_PX / width / ratio))
    for first, last in _steps(size[1], step):
        top, bottom = max(0, math.floor(first * ratio) - reach), min(height, math.ceil(last * ratio) + reach)
        strip = even(source.strip(top, bottom))
        if reach:
            box = (0, first * ratio - top, width, last * ratio - top)
            strip = strip.resize((size[0], last - first), Image.Resampling.LANCZOS, box=box)
        result.paste(strip, (0, first))
    return result


def _steps(end: int, step: int) -> Iterator[tuple[int, int]]:
    for first in range(0, end, step):
        yield first, min(end, first + step)


_Evener = Callable[[Image.Image], Image.Image]


def _even_mode(mode: str) -> str:
    """Name the mode in which a picture can be filtered and converted: L, CMYK or RGB."""
    if mode in ("1", "L", "I", "F") or mode.startswith("I;16"):
        return "L"
    return "CMYK" if mode == "CMYK" else "RGB"


def _evened(mode: str) -> _Evener:
    """Choose how a strip gets into that mode: transparency turns white, 16 bits turn 8."""
    wanted = _even_mode(mode)

    def even(strip: Image.Image) -> Image.Image:
        if "transparency" in strip.info or strip.mode in ("PA", "La", "RGBa"):
            strip = strip.convert("RGBA")
        if strip.mode in ("RGBA", "LA"):
            alpha, solid = strip.getchannel("A"), strip.convert(wanted)
            if alpha.getextrema() == (255, 255):
                return solid
            white = Image.new(wanted, strip.size, "white")
            white.paste(solid, mask=alpha)
            return white
        if strip.mode in ("I", "F") or strip.mode.startswith("I;16"):
            return strip.point(lambda value: value * (1 / 256)).convert("L")
        return strip if strip.mode == wanted else strip.convert(wanted)

    return even


def _colour(source: Source) -> _Evener:
    """Choose how the scaled picture becomes sRGB: by the file's own profile where it has a sound one."""
    mode, transform = _even_mode(source.mode), None
    if source.profile and mode == source.mode:
        with suppress(ImageCms.PyCMSError, *BROKEN):
            profile = ImageCms.ImageCmsProfile(BytesIO(source.profile))
            transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, "RGB")

    def to_srgb(image: Image.Image) -> Image.Image:
        managed = ImageCms.applyTransform(image, transform) if transform is not None else None
        return managed if managed is not None else image.convert("RGB")

    return to_srgb
