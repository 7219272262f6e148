"""A multipart form that arrived whole, part by part.

The body is taken in full (it is limited and stays in memory: nothing touches a disk before a deed decides
to keep it) and then cut at its delimiters by exact search. Werkzeug's decoder is not used: it accepts text
around the parts and a cut last line, and fed in pieces it adds a carriage return to a file when a piece
ends inside a delimiter (werkzeug issue 3285, open), so that a photo would be kept under a digest that
nobody sent. Must not look inside a file.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from werkzeug.http import parse_options_header
from werkzeug.wrappers import Request

from patrol.errors import BadInput, Fault, Malformed, TooMuch
from patrol.web import wire
from patrol.web.strictjson import json_object
from patrol.web.wire import pointer

MAX_BYTES = 64 * 1024 * 1024
FILE_MAX_BYTES = 20 * 1024 * 1024
FIELD_MAX_BYTES = 128 * 1024
MAX_FILES = 10
MAX_FIELDS = 200

_PART_HEADER_MAX_BYTES = 4096
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]", re.ASCII)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~\-]{1,80}", re.ASCII)
_PART_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-\[\]]{0,99}", re.ASCII)


@dataclass(frozen=True)
class FilePart:
    """One uploaded file: its bytes and what the sender claims about them (claims, nothing more)."""

    field: str
    filename: str
    declared_type: str
    content: bytes
    sha256: str

    @property
    def shown_name(self) -> str:
        """The claimed name fit for a screen: last path piece, nothing invisible, at most 80 characters."""
        piece = re.split(r"[/\\]", self.filename)[-1]
        return "".join(c for c in piece if unicodedata.category(c)[0] != "C").strip()[:80]


def multipart_parts(
    request: Request,
    *,
    max_bytes: int = MAX_BYTES,
    max_files: int = MAX_FILES,
    max_file_bytes: int = FILE_MAX_BYTES,
    file_fields: Collection[str] = ("photo",),
    json_fields: Collection[str] = ("report",),
    check: Callable[[list[tuple[str, Any]]], None] | None = None,
) -> tuple[list[tuple[str, Any]], list[FilePart]]:
    """Name-value pairs and files of a multipart form that arrived whole.

    A part named in `json_fields` must be strict JSON and comes back as a dict, sent as a field or as a
    file. A file in any other part than `file_fields`, a file sent twice, and an empty file are 422; a
    body cut anywhere, also inside the last line, is 400. An untouched file box of a page is no file.
    `check` sees the pairs before any fault of a file is told.
    """
    boundary = _boundary(wire.require_type(request, "multipart/form-data"), request)
    body = b"".join(wire.chunks(request, max_bytes))
    found = _Found(max_files, max_file_bytes, frozenset(file_fields), frozenset(json_fields))
    for count, (header, start, end) in enumerate(_cut(body, b"--" + boundary), start=1):
        if count > max_files + MAX_FIELDS:
            raise TooMuch("表单的项目太多。", code="too_many_parts")
        found.take(_part(header), body, start, end)
    if check is not None:
        check(found.pairs)
    if found.faults:
        raise BadInput(found.faults)
    return found.pairs, found.files


def _boundary(options: dict[str, str], request: Request) -> bytes:
    boundary = options.get("boundary", "")
    twice = (request.environ.get("CONTENT_TYPE") or "").lower().count("boundary=") > 1
    if twice or not _BOUNDARY.fullmatch(boundary):
        raise Malformed("multipart 没有写明分隔符（boundary），请重发。", code="no_boundary")
    return boundary.encode("ascii")


def _cut(body: bytes, delimiter: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Header block and place of the content of each part; the last line must be there to its last byte."""
    first = 2 if body.startswith(b"\r\n") else 0  # some senders begin with an empty line
    at = first + len(delimiter) + 2
    if body[first:] == delimiter + b"--\r\n":
        return
    if body[first:at] != delimiter + b"\r\n":
        raise Malformed(code="not_multipart") if len(body) > at else wire.cut_short()
    line = b"\r\n" + delimiter
    while True:
        header_end = body.find(b"\r\n\r\n", at, at + _PART_HEADER_MAX_BYTES)
        if header_end < 0:
            if len(body) - at >= _PART_HEADER_MAX_BYTES:
                raise TooMuch("表单里一项的说明太长。", code="too_many_parts")
            raise wire.cut_short()
        start = header_end + 4
        end = body.find(line, start)
        while end >= 0 and body[end + len(line) : end + len(line) + 2] not in {b"\r\n", b"--"}:
            end = body.find(line, end + 1)
        if end < 0:
            raise wire.cut_short()
        yield body[at:header_end], start, end
        at = end + len(line) + 2
        if body[at - 2 : at] == b"--":
            break
    # Anything but one line end here is a cut or something smuggled in behind the form.
    if body[at:] != b"\r\n":
        raise wire.cut_short()


@dataclass(frozen=True)
class _Part:
    name: str
    filename: str | None
    declared_type: str


def _part(header: bytes) -> _Part:
    """What a part's header block says, or 400 (415 for another transfer encoding)."""
    headers: dict[str, str] = {}
    for raw in header.split(b"\r\n"):
        try:
            name, colon, value = raw.decode("utf-8").partition(":")
        except UnicodeDecodeError as bad:
            raise Malformed(code="not_multipart") from bad
        key = name.lower()
        if not colon or not _HEADER_NAME.fullmatch(name) or key in headers:
            raise Malformed(code="not_multipart")
        if any(unicodedata.category(c) == "Cc" and c != "\t" for c in value):
            raise Malformed(code="not_multipart")
        headers[key] = value.strip(" \t")
    disposition, options = parse_options_header(headers.get("content-disposition"))
    if disposition.lower() != "form-data":
        raise Malformed(code="not_multipart")
    if headers.get("content-transfer-encoding", "binary").lower() not in {"binary", "8bit", "7bit"}:
        raise Malformed("不收另行编码的文件，请直接发原文件。", code="type_not_taken")
    if not _PART_NAME.fullmatch(options.get("name", "")):
        raise Malformed("表单里有一项没有名称，或名称不能用。", code="bad_part_name")
    return _Part(options["name"], options.get("filename"), headers.get("content-type", ""))


class _Found:
    """Fields, files and faults of one body, in its order."""

    def __init__(
        self, max_files: int, max_file_bytes: int, file_fields: frozenset[str], json_fields: frozenset[str]
    ) -> None:
        self.max_files, self.max_file_bytes = max_files, max_file_bytes
        self.file_fields, self.json_fields = file_fields, json_fields
        self.pairs: list[tuple[str, Any]] = []
        self.files: list[FilePart] = []
        self.faults: list[Fault] = []

    def take(self, part: _Part, body: bytes, start: int, end: int) -> None:
        is_json = part.name in self.json_fields
        is_file = part.filename is not None and not is_json
        limit = self.max_file_bytes if is_file else FIELD_MAX_BYTES
        if end - start > limit:
            what, code = ("一个文件", "file_too_large") if is_file else ("一项文字", "too_large")
            raise TooMuch(f"{what}太大，最多 {wire.size(limit)}。", code=code)
        content = body[start:end]
        if is_json:
            self.pairs.append((part.name, json_object(content, at=pointer("", part.name))))
        elif is_file:
            self._take_file(part, content)
        else:
            self._take_text(part, content)

    def _take_text(self, part: _Part, content: bytes) -> None:
        where = pointer("", part.name)
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as bad:
            raise BadInput(Fault(where, "not_utf8", "内容不是 UTF-8 编码，请重新输入。")) from bad
        wire.refuse_controls(text, where)
        self.pairs.append((part.name, text))

    def _take_file(self, part: _Part, content: bytes) -> None:
        where = pointer("", part.name)
        if not content and not part.filename:
            return
        if part.name not in self.file_fields:
            known = "、".join(sorted(self.file_fields)) or "（没有）"
            self.faults.append(Fault(where, "unknown_field", f"文件放错了名称，可用的有：{known}。"))
        elif not content:
            self.faults.append(Fault(where, "empty_file", "有一个文件是空的，请重拍或重选。"))
        elif len(self.files) >= self.max_files:
            sentence = f"一次最多传 {self.max_files} 个文件，请分几次传。"
            raise BadInput(Fault(where, "too_many_files", sentence))
        else:
            digest = hashlib.sha256(content).hexdigest()
            if any(digest == other.sha256 for other in self.files):
                self.faults.append(Fault(where, "same_file_twice", "同一个文件传了两次，请去掉一个。"))
            self.files.append(FilePart(part.name, part.filename or "", part.declared_type, content, digest))
