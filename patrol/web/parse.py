"""Bodies and queries as they arrive, read strictly: all of it, exactly as meant, or a clear refusal.

Every door reads its body here and nowhere else, because the stock readers answer a cut upload with an
empty form, take `NaN` and keep the last of two keys. Nothing here knows what a field means
(`patrol.web.fields` does), stores anything, or answers anybody: it returns plain values or raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import unquote_to_bytes

from werkzeug.wrappers import Request

from patrol.errors import BadInput, Fault, Malformed, TooMuch
from patrol.web import multipart, wire
from patrol.web.multipart import FilePart
from patrol.web.strictjson import TRAP_KEYS, json_object
from patrol.web.wire import pointer

__all__ = [
    "CSRF_FIELD",
    "CSRF_GATE",
    "FilePart",
    "check_query",
    "form_body",
    "form_pairs",
    "json_body",
    "multipart_body",
    "query_args",
]

JSON_MAX_BYTES = 256 * 1024
FORM_MAX_BYTES = 256 * 1024
MAX_FIELDS = 200

SIZE_CODES = frozenset({"too_large", "file_too_large", "too_many_parts"})
"""Codes of TooMuch that mean size (413), not pace (429)."""
TYPE_NOT_TAKEN = "type_not_taken"
"""The code of Malformed that means a type not taken (415)."""

CSRF_FIELD = "csrf_token"
CSRF_GATE = "patrol.csrf_gate"
"""Key in the WSGI environ under which the guard leaves its check for a token that comes in a form."""

_FORM_CACHE = "patrol.form_pairs"
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def json_body(request: Request, *, max_bytes: int = JSON_MAX_BYTES) -> dict[str, Any]:
    """The JSON object a request carries; 415 of another type, 400 malformed, 413 too large, 422 wrong."""
    wire.require_type(request, "application/json")
    return json_object(b"".join(wire.chunks(request, max_bytes)))


def _decode_pair(raw: bytes, where: str) -> str:
    if _BAD_ESCAPE.search(raw):
        raise Malformed("有写坏的百分号编码，请重发。", code="bad_escape")
    try:
        text = unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError as bad:
        raise BadInput(Fault(where, "not_utf8", "内容不是 UTF-8 编码，请重新输入。")) from bad
    wire.refuse_controls(text, where)
    return text


def _pairs(raw: bytes, max_fields: int) -> list[tuple[str, str]]:
    pieces = [piece for piece in raw.split(b"&") if piece]
    if len(pieces) > max_fields:
        raise TooMuch(f"项目太多，最多 {max_fields} 项。", code="too_many_parts")
    found = []
    for piece in pieces:
        raw_key, _, raw_value = piece.partition(b"=")
        key = _decode_pair(raw_key, "")
        found.append((key, _decode_pair(raw_value, pointer("", key))))
    return found


def _gather(pairs: list[tuple[str, Any]], many: Collection[str]) -> dict[str, Any]:
    found: dict[str, Any] = {name: [] for name in many if any(key == name for key, _ in pairs)}
    for key, value in pairs:
        if key in TRAP_KEYS:
            raise BadInput(Fault(pointer("", key), "bad_key", "有一个名称不能用，请去掉。"))
        if key in many:
            found[key].append(value)
        elif key in found:
            raise Malformed("同一项填了两次，请只留一个。", code="repeated_key", pointer=pointer("", key))
        else:
            found[key] = value
    return found


def form_pairs(request: Request, *, max_bytes: int = FORM_MAX_BYTES) -> list[tuple[str, str]]:
    """The urlencoded form as sent, token included; read once, so that guard and door may both ask."""
    cached: list[tuple[str, str]] | None = request.environ.get(_FORM_CACHE)
    if cached is None:
        wire.require_type(request, "application/x-www-form-urlencoded")
        if wire.content_length(request) is None:
            # Without a length a form cut in the middle of a word looks whole.
            raise Malformed("表单要带 Content-Length，请重发。", code="length_missing")
        cached = _pairs(b"".join(wire.chunks(request, max_bytes)), MAX_FIELDS)
        request.environ[_FORM_CACHE] = cached
    return cached


def form_body(request: Request, *, max_bytes: int = FORM_MAX_BYTES, many: Collection[str] = ()) -> dict[str, Any]:
    """A urlencoded form: name to text, or to a list of texts for the names in `many`."""
    pairs = form_pairs(request, max_bytes=max_bytes)
    return _gather([pair for pair in pairs if pair[0] != CSRF_FIELD], many)


def check_query(request: Request) -> dict[str, str]:
    """The query string as a dict; 400 where a key stands twice or the encoding is broken."""
    raw: str = request.environ.get("QUERY_STRING") or ""
    return _gather(_pairs(raw.encode("latin-1", "replace"), MAX_FIELDS), ())


def query_args(request: Request, allowed: Collection[str]) -> dict[str, str]:
    """The query's values; a key that this route does not know is 422, one that stands twice 400."""
    found = check_query(request)
    unknown = [key for key in found if key not in allowed]
    if unknown:
        known = "、".join(sorted(allowed)) or "（没有）"
        sentence = f"不认识这个查询项。可用的有：{known}。"
        raise BadInput([Fault(pointer("", key), "unknown_field", sentence) for key in unknown])
    return found


def multipart_body(
    request: Request,
    *,
    max_bytes: int = multipart.MAX_BYTES,
    max_files: int = multipart.MAX_FILES,
    max_file_bytes: int = multipart.FILE_MAX_BYTES,
    file_fields: Collection[str] = ("photo",),
    json_fields: Collection[str] = ("report",),
    many: Collection[str] = (),
) -> tuple[dict[str, Any], list[FilePart]]:
    """Fields and files of a multipart form that arrived whole; see `multipart.multipart_parts`."""
    gate: Callable[[str], None] | None = request.environ.get(CSRF_GATE)

    def check(pairs: list[tuple[str, Any]]) -> None:
        if gate is not None:
            gate(next((str(value) for key, value in pairs if key == CSRF_FIELD), ""))

    pairs, files = multipart.multipart_parts(
        request,
        max_bytes=max_bytes,
        max_files=max_files,
        max_file_bytes=max_file_bytes,
        file_fields=file_fields,
        json_fields=json_fields,
        check=check,
    )
    return _gather([pair for pair in pairs if pair[0] != CSRF_FIELD], many), files
