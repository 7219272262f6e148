"""A multipart form that arrived whole, part by part.

Werkzeug's decoder does the reading; what it is lenient about (a missing end, text around the parts,
anything after the last boundary) is refused here. Files stay in memory: nothing touches a disk before a
deed decides to keep it. Must not look inside a file.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData, Preamble
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
    reader = _Parts(max_files, max_file_bytes, frozenset(file_fields), frozenset(json_fields))
    decoder = MultipartDecoder(
        boundary, max_form_memory_size=4 * wire.CHUNK_BYTES, max_parts=max_files + MAX_FIELDS
    )
    # The decoder takes `--boundary--` followed by anything as the end. The exact last line is asked for
    # here, so that no cut, however late, looks whole.
    ending = b"--" + boundary + b"--\r\n"
    tail = b""
    try:
        for piece in wire.chunks(request, max_bytes):
            tail = (tail + piece)[-len(ending) :]
            decoder.receive_data(piece)
            reader.take_from(decoder)
        if tail != ending:
            raise wire.cut_short()
        decoder.receive_data(None)
        reader.take_from(decoder)
    except RequestEntityTooLarge as large:
        raise TooMuch("表单的项目太多，或某一项的名称太长。", code="too_many_parts") from large
    except ValueError as bad:
        raise Malformed(code="not_multipart") from bad
    if not reader.ended:
        raise wire.cut_short()
    if check is not None:
        check(reader.pairs)
    if reader.faults:
        raise BadInput(reader.faults)
    return reader.pairs, reader.files


def _boundary(options: dict[str, str], request: Request) -> bytes:
    boundary = options.get("boundary", "")
    twice = (request.environ.get("CONTENT_TYPE") or "").lower().count("boundary=") > 1
    if twice or not _BOUNDARY.fullmatch(boundary):
        raise Malformed("multipart 没有写明分隔符（boundary），请重发。", code="no_boundary")
    return boundary.encode("ascii")


class _Parts:
    """Collects what the decoder finds and keeps count; one for each body."""

    def __init__(
        self, max_files: int, max_file_bytes: int, file_fields: frozenset[str], json_fields: frozenset[str]
    ) -> None:
        self.max_files, self.max_file_bytes = max_files, max_file_bytes
        self.file_fields, self.json_fields = file_fields, json_fields
        self.pairs: list[tuple[str, Any]] = []
        self.files: list[FilePart] = []
        self.faults: list[Fault] = []
        self.ended = False
        self._part: Field | File | None = None
        self._pieces: list[bytes] = []
        self._count = 0

    def take_from(self, decoder: MultipartDecoder) -> None:
        while not isinstance(event := decoder.next_event(), NeedData):
            if isinstance(event, Preamble):
                if event.data:
                    raise Malformed(code="not_multipart")
            elif isinstance(event, Field | File):
                self._begin(event)
            elif isinstance(event, Data):
                self._add(event.data)
                if not event.more_data:
                    self._finish()
            elif isinstance(event, Epilogue):
                # The last line end lands here when it came in a later piece than the boundary.
                if event.data not in {b"", b"\n", b"\r\n"} or self._part is not None:
                    raise wire.cut_short()
                self.ended = True
                return

    def _begin(self, part: Field | File) -> None:
        _check_headers(part.headers)
        if not isinstance(part.name, str) or not _PART_NAME.fullmatch(part.name):
            raise Malformed("表单里有一项没有名称，或名称不能用。", code="bad_part_name")
        self._part, self._pieces, self._count = part, [], 0

    def _add(self, piece: bytes) -> None:
        self._count += len(piece)
        as_file = self._is_upload()
        limit = self.max_file_bytes if as_file else FIELD_MAX_BYTES
        if self._count > limit:
            what = "一个文件" if as_file else "一项文字"
            code = "file_too_large" if as_file else "too_large"
            raise TooMuch(f"{what}太大，最多 {wire.size(limit)}。", code=code)
        self._pieces.append(piece)

    def _is_upload(self) -> bool:
        return isinstance(self._part, File) and self._part.name not in self.json_fields

    def _finish(self) -> None:
        part, content = self._part, b"".join(self._pieces)
        assert part is not None
        self._part, self._pieces = None, []
        if part.name in self.json_fields:
            self.pairs.append((part.name, json_object(content, at=pointer("", part.name))))
        elif isinstance(part, File):
            self._finish_file(part, content)
        else:
            self._finish_field(part, content)

    def _finish_field(self, part: Field, content: bytes) -> None:
        where = pointer("", part.name)
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as bad:
            raise BadInput(Fault(where, "not_utf8", "内容不是 UTF-8 编码，请重新输入。")) from bad
        wire.refuse_controls(text, where)
        self.pairs.append((part.name, text))

    def _finish_file(self, part: File, content: bytes) -> None:
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
            declared = part.headers.get("Content-Type", "")
            self.files.append(FilePart(part.name, part.filename, declared, content, digest))


def _check_headers(headers: Headers) -> None:
    if sum(len(key) + len(value) for key, value in headers) > _PART_HEADER_MAX_BYTES:
        raise TooMuch("表单里一项的说明太长。", code="too_many_parts")
    if len(headers) != len({key.lower() for key, _ in headers}):
        raise Malformed(code="not_multipart")
    if headers.get("Content-Disposition", "").partition(";")[0].strip().lower() != "form-data":
        raise Malformed(code="not_multipart")
    if headers.get("Content-Transfer-Encoding", "binary").lower() not in {"binary", "8bit", "7bit"}:
        raise Malformed("不收另行编码的文件，请直接发原文件。", code="type_not_taken")
