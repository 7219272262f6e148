"""The bytes of a request: counted, complete, unaltered, and of the type a door takes, or a refusal.

The lowest step of `patrol.web.parse`. Must not look inside the bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import unicodedata
from collections.abc import Iterator

from werkzeug.http import parse_options_header
from werkzeug.wrappers import Request

from patrol.errors import BadInput, Fault, Malformed, TooMuch

CHUNK_BYTES = 64 * 1024


def content_length(request: Request) -> int | None:
    declared = request.environ.get("CONTENT_LENGTH") or ""
    if request.environ.get("HTTP_TRANSFER_ENCODING"):
        if declared:
            raise Malformed("Content-Length 和 Transfer-Encoding 请只写一个。", code="two_lengths")
        return None
    if not declared:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", declared, re.ASCII):
        raise Malformed("Content-Length 不是数字，请重发。", code="bad_length")
    return int(declared)


def chunks(request: Request, max_bytes: int) -> Iterator[bytes]:
    """The body piece by piece; counted, complete and (where a digest came along) unaltered, or raises."""
    if (request.headers.get("Content-Encoding") or "identity").strip().lower() not in {"identity", ""}:
        raise Malformed("不收压缩过的内容，请不压缩再发。", code="type_not_taken")
    length = content_length(request)
    if length is not None and length > max_bytes:
        raise too_large(max_bytes)
    stream = request.environ["wsgi.input"]
    if length is None and not request.environ.get("wsgi.input_terminated"):
        length = 0
    digest, seen = hashlib.sha256(), 0
    while length is None or seen < length:
        wanted = CHUNK_BYTES if length is None else min(CHUNK_BYTES, length - seen)
        try:
            piece = stream.read(wanted)
        except OSError as broken:
            raise cut_short() from broken
        if not piece:
            break
        seen += len(piece)
        if seen > max_bytes:
            raise too_large(max_bytes)
        digest.update(piece)
        yield piece
    if length is not None and seen != length:
        raise cut_short()
    _check_digest(request, digest.digest())


def _check_digest(request: Request, actual: bytes) -> None:
    for name in ("Content-Digest", "Repr-Digest"):
        for item in (request.headers.get(name) or "").split(","):
            algorithm, _, value = item.strip().partition("=")
            if algorithm.lower() != "sha-256":
                continue
            try:
                claimed = base64.b64decode(value.strip(":"), validate=True)
            except (binascii.Error, ValueError):
                claimed = b""
            if claimed != actual:
                raise Malformed("收到的内容与校验值不符，请重发。", code="digest_differs")


def too_large(max_bytes: int) -> TooMuch:
    return TooMuch(f"内容太大，最多 {size(max_bytes)}，请减少后再发。", code="too_large")


def cut_short() -> Malformed:
    return Malformed("内容没有传完，什么也没有存，请重发。", code="cut_short")


def size(count: int) -> str:
    return f"{count // (1024 * 1024)} MB" if count >= 1024 * 1024 else f"{count // 1024} kB"


def require_type(request: Request, wanted: str) -> dict[str, str]:
    mimetype, options = parse_options_header(request.environ.get("CONTENT_TYPE"))
    if mimetype.lower() != wanted:
        raise Malformed(f"这里只收 {wanted}，请改 Content-Type 再发。", code="type_not_taken")
    if options.get("charset", "utf-8").lower() not in {"utf-8", "utf8"}:
        raise Malformed("只收 UTF-8 编码的内容。", code="type_not_taken")
    return options


def pointer(at: str, *keys: object) -> str:
    """`at` extended by keys as a JSON pointer (RFC 6901), made harmless for logs and screens."""
    for key in keys:
        shown = "".join(c if unicodedata.category(c)[0] != "C" else "\ufffd" for c in str(key)[:60])
        at += "/" + shown.replace("~", "~0").replace("/", "~1")
    return at


def refuse_controls(text: str, where: str) -> None:
    if any(c not in "\t\r\n" and unicodedata.category(c) == "Cc" for c in text):
        raise BadInput(Fault(where, "control_character", "有看不见的控制字符，请删掉再发。"))
