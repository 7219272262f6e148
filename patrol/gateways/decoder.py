"""The child process that decodes photos from outside: `python -m patrol.gateways.decoder`.

It speaks length-prefixed frames over stdin and stdout and lives until stdin ends. It is meant to be lost: a
file that kills it, hangs it or makes it outgrow its limits costs one refusal. It opens no files and no
sockets, knows no settings and no secrets, and believes nothing in a file beyond its pixels.
"""

from __future__ import annotations

import json
import math
import sys
import warnings
from contextlib import suppress
from dataclasses import asdict
from io import BytesIO
from typing import Any, BinaryIO

import pillow_heif
from PIL import Image, ImageFile, ImageStat

from patrol.gateways.claims import read_claims
from patrol.gateways.darkroom import BROKEN, Refusal, develop, open_source, turn
from patrol.gateways.decoding import HEAD

CPU_LIMIT_S = 5
ADDRESS_SPACE_BYTES = 1 << 30
DATA_BYTES = 280_000_000  # with what the libraries themselves take, the process stays under 300 MB

_SMALL_PX = 256  # the perceptual hash and the flatness look at a picture of this size
_FLAT_DEVIATION = 2.0


def main() -> None:
    """Answer requests until stdin ends."""
    pillow_heif.options.DECODE_THREADS = 1  # a thread's stack and arena count against the limits
    pillow_heif.options.THUMBNAILS = False
    pillow_heif.options.DEPTH_IMAGES = False
    pillow_heif.options.AUX_IMAGES = False
    Image.preinit()
    Image.init()
    Image.MAX_IMAGE_PIXELS = None  # the pixel limit is our own, held against the header
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    warnings.simplefilter("ignore")
    _limit_memory()
    taken, given = sys.stdin.buffer, sys.stdout.buffer
    _write_frame(given, {"ready": True}, b"")
    while (frame := _read_frame(taken)) is not None:
        _limit_cpu()
        request, data = frame
        answer, body = _answer(request, data)
        _write_frame(given, answer, body)
        del frame, data, body  # a warm process keeps no photo


def _answer(request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    kind, max_pixels = request["format"], request["max_pixels"]
    try:
        if request["do"] == "examine":
            return {"ok": examine(data, kind, max_pixels)}, b""
        if request["do"] == "blur":
            from patrol.gateways.faces import blurred_jpeg  # OpenCV is loaded by the few who blur

            people = [(box[0], box[1], box[2], box[3]) for box in request["people"]]
            picture, regions = blurred_jpeg(data, people)
            return {"ok": {"regions": regions}}, picture
        return {"ok": {}}, rendition(data, kind, max_pixels, request["max_side_px"])
    except Refusal as refusal:
        return {"refused": refusal.code, "facts": refusal.facts}, b""
    except MemoryError:
        return {"refused": "too_heavy", "facts": {}}, b""
    except BROKEN as error:
        text = str(error).lower()
        if "memory" in text:
            return {"refused": "too_heavy", "facts": {}}, b""
        cut = isinstance(error, EOFError) or "truncated" in text or "end of" in text
        return {"refused": "truncated" if cut else "broken", "facts": {}}, b""


def examine(data: bytes, kind: str, max_pixels: int) -> dict[str, Any]:
    """Decode a photo once and say what it is: upright size, claims, perceptual hash."""
    source = open_source(data, kind, max_pixels)
    claims = read_claims(source.exif)
    orientation = 1 if source.turns_itself else claims.orientation
    width, height = source.size
    small = turn(develop(source, _SMALL_PX), orientation).convert("L")
    if source.turns_itself:
        width, height = source.size
    if orientation >= 5:
        width, height = height, width
    told = asdict(claims)
    del told["orientation"]
    if ImageStat.Stat(small).stddev[0] < _FLAT_DEVIATION:
        told["warnings"].append("flat")
    return {**told, "width": width, "height": height, "phash": perceptual_hash(small)}


def rendition(data: bytes, kind: str, max_pixels: int, max_side_px: int) -> bytes:
    """Make a fresh upright sRGB JPEG that carries pixels and nothing else."""
    source = open_source(data, kind, max_pixels)
    orientation = 1 if source.turns_itself else read_claims(source.exif).orientation
    upright = turn(develop(source, max_side_px), orientation)
    # Cut off from everything the file said: a picture made from bare pixels has no info to save.
    clean = Image.frombytes("RGB", upright.size, upright.tobytes())
    out = BytesIO()
    clean.save(out, "JPEG", quality=85, optimize=True, progressive=False)
    return out.getvalue()


def perceptual_hash(grey: Image.Image) -> str:
    """Return the 64-bit DCT hash of an upright grey picture as 16 hex digits."""
    tiny = grey.resize((32, 32), Image.Resampling.BOX).tobytes()
    rows = [[float(level) for level in tiny[at : at + 32]] for at in range(0, 1024, 32)]
    half = [[sum(map(float.__mul__, row, wave)) for wave in _WAVES] for row in rows]
    low = [sum(half[y][u] * _WAVES[v][y] for y in range(32)) for v in range(8) for u in range(8)]
    middle = sorted(low[1:])[31]
    bits = 0
    for value in low:
        bits = bits << 1 | (value > middle)
    return f"{bits:016x}"


_WAVES = [[math.cos(math.pi * u * (2 * x + 1) / 64) for x in range(32)] for u in range(8)]


def _read_frame(stream: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    head = stream.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    request_size, data_size = HEAD.unpack(head)
    request, data = stream.read(request_size), stream.read(data_size)
    if len(request) < request_size or len(data) < data_size:
        return None
    return json.loads(request), data


def _write_frame(stream: BinaryIO, answer: dict[str, Any], body: bytes) -> None:
    head = json.dumps(answer).encode()
    stream.write(HEAD.pack(len(head), len(body)) + head)
    stream.write(body)
    stream.flush()


def _limit_memory() -> None:
    """Bound this process where the system can; elsewhere the parent's wall clock is the only limit."""
    if sys.platform == "win32":
        return
    import resource

    limits = {
        "RLIMIT_AS": ADDRESS_SPACE_BYTES,
        "RLIMIT_DATA": DATA_BYTES,
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": 0,
    }
    for name, limit in limits.items():
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
        allowed_s = int(used.ru_utime + used.ru_stime) + CPU_LIMIT_S
        resource.setrlimit(resource.RLIMIT_CPU, (allowed_s, hard))


if __name__ == "__main__":
    main()
