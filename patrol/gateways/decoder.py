"""The child process that decodes photos from outside: `python -m patrol.gateways.decoder`.

It speaks length-prefixed frames over stdin and stdout and lives until stdin ends. It is meant to be lost: a
file that kills it, hangs it or makes it outgrow its limits costs one refusal. It opens no files and no
sockets, knows no settings and no secrets, and believes nothing in a file beyond its pixels.
"""

from __future__ import annotations

import json
import math
import struct
import sys
import warnings
from contextlib import suppress
from dataclasses import asdict
from io import BytesIO
from typing import Any, BinaryIO

import pillow_heif
from PIL import Image, ImageCms, ImageFile, ImageStat

from patrol.gateways.claims import BROKEN_EXIF, read_claims

HEAD = struct.Struct(">II")
CPU_LIMIT_S = 5
ADDRESS_SPACE_BYTES = 1 << 30
MIN_SIDE_PX = 16

# What decoders are known to raise on bad bytes. Anything else ends this process, which is a refusal too.
_BROKEN = (*BROKEN_EXIF, AttributeError, RuntimeError, AssertionError, NotImplementedError)
_FORMATS = {"JPEG": ["JPEG"], "PNG": ["PNG"], "WebP": ["WEBP"], "HEIC": ["HEIF"]}
_STRIP_PX = 1 << 20
_SMALL_PX = 256  # the perceptual hash and the flatness look at a picture of this size
_FLAT_DEVIATION = 2.0
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


def main() -> None:
    """Answer requests until stdin ends."""
    pillow_heif.register_heif_opener(thumbnails=False)
    pillow_heif.options.DECODE_THREADS = 1  # a thread's stack and arena count against the address space
    Image.init()
    Image.MAX_IMAGE_PIXELS = None  # the pixel limit is our own, checked before decoding
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    warnings.simplefilter("ignore")
    _limit_memory()
    taken, given = sys.stdin.buffer, sys.stdout.buffer
    while (frame := _read_frame(taken)) is not None:
        _limit_cpu()
        request, data = frame
        answer, body = _answer(request, data)
        head = json.dumps(answer).encode()
        given.write(HEAD.pack(len(head), len(body)) + head)
        given.write(body)
        given.flush()
        del frame, data, body  # a warm process keeps no photo


def _answer(request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    try:
        if request["do"] == "examine":
            return {"ok": examine(data, request["format"], request["max_pixels"])}, b""
        body = rendition(data, request["format"], request["max_pixels"], request["max_side_px"])
        return {"ok": {}}, body
    except Refusal as refusal:
        return {"refused": refusal.code, "facts": refusal.facts}, b""
    except MemoryError:
        return {"refused": "too_heavy", "facts": {}}, b""
    except _BROKEN as error:
        text = str(error).lower()
        cut = isinstance(error, EOFError) or "truncated" in text or "end of" in text
        return {"refused": "truncated" if cut else "broken", "facts": {}}, b""


def examine(data: bytes, kind: str, max_pixels: int) -> dict[str, Any]:
    """Decode a photo once and say what it is: upright size, claims, perceptual hash."""
    image = _open(data, kind, max_pixels)
    claims = read_claims(image)
    orientation = 1 if kind == "HEIC" else claims.orientation
    width, height = image.size
    small = _turn(_shrink(image, kind, _SMALL_PX), orientation).convert("L")
    if kind == "HEIC":
        width, height = image.size  # known for certain only after decoding
    if orientation >= 5:
        width, height = height, width
    told = asdict(claims)
    del told["orientation"]
    if ImageStat.Stat(small).stddev[0] < _FLAT_DEVIATION:
        told["warnings"].append("flat")
    return {**told, "width": width, "height": height, "phash": perceptual_hash(small)}


def rendition(data: bytes, kind: str, max_pixels: int, max_side_px: int) -> bytes:
    """Make a fresh upright sRGB JPEG that carries pixels and nothing else."""
    image = _open(data, kind, max_pixels)
    orientation = 1 if kind == "HEIC" else read_claims(image).orientation
    profile = image.info.get("icc_profile")
    # Cut off from everything the file said: a new image from bare pixels has no info to save.
    small = _turn(_shrink(image, kind, max_side_px, profile), orientation)
    clean = Image.frombytes("RGB", small.size, small.tobytes())
    out = BytesIO()
    clean.save(out, "JPEG", quality=85, optimize=True, progressive=False)
    return out.getvalue()


def perceptual_hash(grey: Image.Image) -> str:
    """Return the 64-bit DCT hash of an upright grey picture as 16 hex digits."""
    tiny = grey.resize((32, 32), Image.Resampling.BOX)
    rows = [list(tiny.crop((0, y, 32, y + 1)).tobytes()) for y in range(32)]
    half = [[sum(map(float.__mul__, map(float, row), wave)) for wave in _WAVES] for row in rows]
    low = [sum(half[y][u] * _WAVES[v][y] for y in range(32)) for v in range(8) for u in range(8)]
    middle = sorted(low[1:])[31]
    bits = 0
    for value in low:
        bits = bits << 1 | (value > middle)
    return f"{bits:016x}"


_WAVES = [[math.cos(math.pi * u * (2 * x + 1) / 64) for x in range(32)] for u in range(8)]


def _open(data: bytes, kind: str, max_pixels: int) -> Image.Image:
    """Read the header and hold it against the limits, before any pixel is decoded."""
    if kind == "WebP":  # its reader makes room for the whole canvas while opening
        _hold(webp_size(data), max_pixels)
    try:
        image = Image.open(BytesIO(data), formats=_FORMATS[kind])
    except Image.UnidentifiedImageError:
        raise Refusal("broken") from None
    _hold(image.size, max_pixels)
    return image


def _hold(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise Refusal("too_many_pixels", width=width, height=height, max_pixels=max_pixels)
    if min(size) < MIN_SIDE_PX:
        raise Refusal("too_small", width=width, height=height, min_side_px=MIN_SIDE_PX)


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


def _shrink(image: Image.Image, kind: str, max_side_px: int, profile: bytes | None = None) -> Image.Image:
    """Decode and scale down to fit, as RGB in sRGB, not yet turned; never enlarges.

    Memory is what limits here: colours are converted strip by strip and only after scaling down, so that
    the full picture exists once, in its own mode.
    """
    width, height = image.size
    scale = min(1.0, max_side_px / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if kind == "JPEG":
        image.draft(image.mode, size)  # libjpeg scales by 2, 4 or 8 while decoding
    image.load()
    factor = max(1, int(max(image.size) / max(size) / 2))
    width, height = image.size
    to_rgb = _colour(image, profile)
    small = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    rows = max(1, _STRIP_PX // width // factor) * factor
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(height, top + rows)))
        small.paste(to_rgb(strip).reduce(factor), (0, top // factor))
    return small if small.size == size else small.resize(size, Image.Resampling.LANCZOS)


def _colour(image: Image.Image, profile: bytes | None) -> Any:
    """Choose how strips of this picture become sRGB; transparency turns white, 16 bits turn 8."""
    transform = None
    if profile and image.mode in ("RGB", "CMYK", "L"):
        with suppress(ImageCms.PyCMSError, *_BROKEN):
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), image.mode, "RGB")

    def to_rgb(strip: Image.Image) -> Image.Image:
        if transform is not None:
            applied = ImageCms.applyTransform(strip, transform)
            return applied if applied is not None else strip.convert("RGB")
        if strip.mode.startswith("I;16"):
            strip = strip.point(lambda value: value * (1 / 256)).convert("L")
        elif strip.mode in ("I", "F"):
            strip = strip.point(lambda value: value * (1 / 256)).convert("L")
        if strip.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in strip.info:
            over = strip.convert("RGBA")
            white = Image.new("RGBA", over.size, "white")
            return Image.alpha_composite(white, over).convert("RGB")
        return strip.convert("RGB")

    return to_rgb


def _turn(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def _read_frame(stream: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    head = stream.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    request_size, data_size = HEAD.unpack(head)
    request, data = stream.read(request_size), stream.read(data_size)
    if len(request) < request_size or len(data) < data_size:
        return None
    return json.loads(request), data


def _limit_memory() -> None:
    """Bound this process where the system can; elsewhere the parent's wall clock is the only limit."""
    if sys.platform == "win32":
        return
    import resource

    for name, limit in (("RLIMIT_AS", ADDRESS_SPACE_BYTES), ("RLIMIT_CORE", 0), ("RLIMIT_FSIZE", 0)):
        with suppress(AttributeError, OSError, ValueError):  # macOS refuses some of them
            resource.setrlimit(getattr(resource, name), (limit, limit))


def _limit_cpu() -> None:
    """Give the next file its own CPU allowance; the kernel ends this process when it is used up."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    with suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + CPU_LIMIT_S + 1, hard))


if __name__ == "__main__":
    main()
