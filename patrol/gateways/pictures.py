"""Photos from outside: what they are, what they claim, and clean copies for showing.

Every byte is decoded in a child process (`decoding`, `decoder`), after the type and the sizes were checked.
The original is never changed here; a rendition is a new JPEG with nothing of the file but its pixels. What
EXIF says is passed on as a claim, with a warning where it cannot be true.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from patrol.errors import BadInput, Fault, Malformed, PatrolError, TooMuch
from patrol.gateways.decoding import POOL, Lost

MAX_BYTES = 20 * 1000 * 1000
MAX_PIXELS = 50_000_000
MAX_RENDITION_SIDE_PX = 2048
# Two hashes at most this far apart are taken for one picture. Measured on 28 real photos: saved again, made
# smaller, brighter or cropped by 2 % they move by at most 8 bits; two different ones are at least 20 apart.
SIMILAR_BITS = 10

WARNINGS = {
    "exif_unreadable": "照片的拍摄信息损坏，读不出来。",
    "time_invalid": "照片里的拍摄时间不可信，未采用。",
    "time_in_future": "照片里的拍摄时间在将来，未采用。",
    "time_of_file": "照片没有拍摄时间，用的是文件时间。",
    "position_invalid": "照片里的位置不可信，未采用。",
    "accuracy_invalid": "照片里的定位精度不可信，未采用。",
    "flat": "照片几乎是一片纯色，看不出内容。",
}

Share = tuple[float, float, float, float]
"""A box as shares of an upright picture's width and height: left, top, right, bottom."""

_SHANGHAI = timezone(timedelta(hours=8))
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"}
_HASH = re.compile(r"[0-9a-f]{16}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_ZONE = re.compile(r"[+-]\d\d:\d\d")


@dataclass(frozen=True)
class Picture:
    """What one photo is and claims. Width and height as seen upright; position in WGS-84 degrees."""

    format: str
    width: int
    height: int
    phash: str
    taken_at: str | None = None
    taken_zone: str | None = None
    lon: float | None = None
    lat: float | None = None
    accuracy_m: float | None = None
    warnings: tuple[str, ...] = ()

    def taken_moment(self, assumed_zone: timezone = _SHANGHAI) -> datetime | None:
        """Return the claimed time in UTC, read in `assumed_zone` where the photo declares none."""
        if self.taken_at is None:
            return None
        if self.taken_zone is not None:
            return datetime.fromisoformat(self.taken_at + self.taken_zone).astimezone(UTC)
        return datetime.fromisoformat(self.taken_at).replace(tzinfo=assumed_zone).astimezone(UTC)


def sniff(data: bytes) -> str | None:
    """Tell the type by its first bytes: JPEG, PNG, WebP or HEIC; None for everything else."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp":
        size = min(int.from_bytes(data[:4], "big"), 256, len(data))
        brands = {data[8:12], *(data[at : at + 4] for at in range(16, size - 3, 4))}
        # A generic "mif1" file may hold AV1 instead of HEVC; only its other brands tell.
        if data[8:12] in _HEIC_BRANDS and (data[8:12] not in (b"mif1", b"msf1") or not brands & {b"avif", b"avis"}):
            return "HEIC"
    return None


def examine(
    data: bytes, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS, now: datetime | None = None
) -> Picture:
    """Decode a photo in the child process and say what it is; raises what a person can act on.

    `now` (aware) lets a time claimed from the future be refused as a claim. TooMuch "too_large" (413),
    Malformed "type_not_taken" (415), BadInput "empty", "too_many_pixels", "too_small", "truncated",
    "broken", "too_heavy", "decoder_lost" (422).
    """
    kind = _admit(data, max_bytes)
    told, _ = _ask({"do": "examine", "format": kind, "max_pixels": max_pixels}, data)
    picture = _picture(kind, told)
    if picture is None:
        raise _refusal("broken", {})
    if now is not None and _is_future(picture, now):
        warnings = (*picture.warnings, "time_in_future")
        return replace(picture, taken_at=None, taken_zone=None, warnings=warnings)
    return picture


def rendition(data: bytes, max_side_px: int, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> bytes:
    """Make a JPEG for showing: upright, sRGB, first frame, no metadata, longest side at most `max_side_px`.

    Never enlarges; a side over 2048 px is made 2048 px. Raises as `examine` does.
    """
    side = max(16, min(max_side_px, MAX_RENDITION_SIDE_PX))
    kind = _admit(data, max_bytes)
    request = {"do": "rendition", "format": kind, "max_pixels": max_pixels, "max_side_px": side}
    _, body = _ask(request, data)
    if sniff(body) != "JPEG":
        raise _refusal("broken", {})
    return body


def blurred(clean: bytes, people: Sequence[Share] = ()) -> bytes:
    """A rendition of ours with every face that is found, and the heads of `people`, made unrecognisable.

    Raises as `examine` does: what could not be blurred is not shown.
    """
    request = {"do": "blur", "format": "JPEG", "max_pixels": MAX_PIXELS, "people": [list(box) for box in people]}
    _, body = _ask(request, clean)
    if sniff(body) != "JPEG":
        raise _refusal("broken", {})
    return body


def hamming(one: str, other: str) -> int:
    """Count the bits in which two perceptual hashes differ, 0 to 64."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


def _admit(data: bytes, max_bytes: int) -> str:
    if not data:
        raise _refusal("empty", {})
    if len(data) > max_bytes:
        sentence = f"照片有 {len(data) / 1e6:.1f} MB，上限 {max_bytes / 1e6:.0f} MB，请缩小后再发。"
        raise TooMuch(sentence, code="too_large", max_bytes=max_bytes)
    kind = sniff(data)
    if kind is None:
        raise Malformed(
            "只收 JPEG、PNG、WebP、HEIC 照片，这个文件不是。请换一张，或另存为 JPEG 再发。",
            code="type_not_taken",
        )
    return kind


def _ask(request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    try:
        answer, body = POOL.ask(request, data)
    except Lost as lost:
        raise _refusal("too_heavy" if lost.hung else "decoder_lost", {}) from None
    if "refused" in answer:
        facts = answer.get("facts")
        raise _refusal(str(answer["refused"]), facts if isinstance(facts, dict) else {})
    told = answer.get("ok")
    return (told if isinstance(told, dict) else {}), body


def _refusal(code: str, facts: dict[str, Any]) -> PatrolError:
    sides = f"{facts.get('width', '?')}×{facts.get('height', '?')}"
    most = int(facts.get("max_pixels", MAX_PIXELS)) // 10_000
    sentences = {
        "empty": "照片是空文件（0 字节），请重新选一张。",
        "too_many_pixels": f"照片像素过多（{sides}），上限 {most} 万像素，请缩小后再发。",
        "too_small": f"照片太小（{sides}），最短边至少 {facts.get('min_side_px', 16)} 像素，请发原图。",
        "truncated": "照片没有传完整，文件中途断了，请重新发送。",
        "too_heavy": "照片太复杂，处理超出限制，没有收下。请另存为普通 JPEG 再发。",
        "decoder_lost": "处理照片时中断了，没有收下。请重发一次，仍不行就另存为 JPEG 再发。",
        "broken": "照片文件已损坏，打不开，请重拍或换一张再发。",
    }
    code = code if code in sentences else "broken"
    return BadInput(Fault("photo", code, sentences[code]))


def _picture(kind: str, told: dict[str, Any]) -> Picture | None:
    """Take the child's answer for what it is, a stranger's word: None when it is not a possible one."""
    width, height, phash = told.get("width"), told.get("height"), told.get("phash")
    if not isinstance(width, int) or not isinstance(height, int) or not isinstance(phash, str):
        return None
    numbers = [told.get(name) for name in ("lon", "lat", "accuracy_m")]
    if any(number is not None and not (isinstance(number, float) and math.isfinite(number)) for number in numbers):
        return None
    texts = (told.get("taken_at"), _TIME), (told.get("taken_zone"), _ZONE), (phash, _HASH)
    if any(text is not None and not (isinstance(text, str) and shape.fullmatch(text)) for text, shape in texts):
        return None
    lon, lat, accuracy_m = numbers
    codes = told.get("warnings")
    warnings = tuple(code for code in WARNINGS if code in codes) if isinstance(codes, list) else ()
    return Picture(
        kind,
        width,
        height,
        phash,
        told.get("taken_at"),
        told.get("taken_zone"),
        lon,
        lat,
        accuracy_m,
        warnings,
    )


def _is_future(picture: Picture, now: datetime) -> bool:
    moment = picture.taken_moment()
    # A camera's clock drifts; one without a zone may have been set on the other side of the world.
    slack = timedelta(hours=1) if picture.taken_zone else timedelta(hours=13)
    return moment is not None and moment > now + slack
