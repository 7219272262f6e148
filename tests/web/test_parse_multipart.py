"""Multipart uploads: whole and clean, or refused, wherever they are cut."""

from __future__ import annotations

import io
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from patrol.errors import BadInput, Malformed, PatrolError
from patrol.web import parse
from patrol.web.answers import status_of

BOUNDARY = "----formBoundary7MA4YWxkTrZu0gW"
REPORT = {"kind": "sewage", "words": "排口冒黑水", "position": {"lon": 112.2, "lat": 30.3, "crs": "wgs84"}}
PHOTO = b"\xff\xd8\xff\xe0" + random.Random(7).randbytes(6000) + b"\r\n--not-the-boundary\r\n\xff\xd9"


def part(disposition: str, content: bytes, content_type: str = "", extra: str = "") -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n"
    if content_type:
        head += f"Content-Type: {content_type}\r\n"
    return head.encode() + extra.encode() + b"\r\n" + content + b"\r\n"


def body_of(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


WHOLE = body_of(
    part('name="report"', json.dumps(REPORT, ensure_ascii=False).encode(), "application/json"),
    part('name="note"', "第一行\r\n第二行".encode()),
    part('name="photo"; filename="排口.jpg"', PHOTO, "image/jpeg"),
)


def send(body: bytes, content_type: str | None = None, limits: dict[str, Any] | None = None, **environ: Any):
    base = EnvironBuilder(method="POST", path="/x", input_stream=io.BytesIO(body)).get_environ()
    base["CONTENT_TYPE"] = content_type or f"multipart/form-data; boundary={BOUNDARY}"
    base["CONTENT_LENGTH"] = str(len(body))
    base.update(environ)
    request = Request({key: value for key, value in base.items() if value is not None})
    return parse.multipart_body(request, **(limits or {}))


CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": None, "wsgi.input_terminated": True}


def refused_with(body: bytes, **kwargs: Any) -> PatrolError:
    with pytest.raises(PatrolError) as caught:
        send(body, **kwargs)
    return caught.value


def test_a_whole_upload() -> None:
    for environ in ({}, CHUNKED):
        fields, files = send(WHOLE, **environ)
        assert fields == {"report": REPORT, "note": "第一行\r\n第二行"}
        assert [(f.field, f.content, f.declared_type) for f in files] == [("photo", PHOTO, "image/jpeg")]
        assert files[0].shown_name == "排口.jpg"


def test_cut_at_every_byte_is_never_accepted() -> None:
    count = len(WHOLE)
    cuts = {*range(min(2000, count)), *range(count - 200, count)}
    cuts |= {random.Random(20261123).randrange(count) for _ in range(300)}
    for cut in sorted(cuts):
        for environ in ({}, {"CONTENT_LENGTH": str(count)}, CHUNKED):
            error = refused_with(WHOLE[:cut], **environ)
            assert status_of(error) in {400, 422}, (cut, error.code)


def test_a_cut_names_what_happened() -> None:
    error = refused_with(WHOLE[:3000])
    assert isinstance(error, Malformed)
    assert error.code == "cut_short"
    assert "什么也没有存" in error.sentence


def test_a_body_split_anywhere_reads_the_same() -> None:
    class Dribble(io.BytesIO):
        step = 1

        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(self.step, size or self.step))

    for step in (1, 2, 3, 7, 61, 997):
        stream = Dribble(WHOLE)
        stream.step = step
        fields, files = send(WHOLE, **{"wsgi.input": stream})
        assert fields["report"] == REPORT
        assert files[0].content == PHOTO


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=" + "x" * 71,
        "multipart/form-data; boundary=a b\x07",
        f"multipart/form-data; boundary=x; boundary={BOUNDARY}",
        "multipart/form-data; boundary=another",
    ],
)
def test_without_its_boundary_it_is_400(content_type: str) -> None:
    assert status_of(refused_with(WHOLE, content_type=content_type)) == 400  # B039


@pytest.mark.parametrize("content_type", ["multipart/mixed; boundary=x", "application/json", "text/plain"])
def test_other_types_are_415(content_type: str) -> None:
    assert status_of(refused_with(WHOLE, content_type=content_type)) == 415


def test_text_around_the_parts_is_refused() -> None:
    assert send(b"\r\n" + WHOLE)[0]["report"] == REPORT
    assert status_of(refused_with(b"preamble\r\n" + WHOLE)) == 400
    assert status_of(refused_with(b"\r\n\r\n" + WHOLE)) == 400
    assert status_of(refused_with(WHOLE + b"epilogue")) == 400
    assert status_of(refused_with(WHOLE + WHOLE)) == 400


def test_the_same_file_twice_is_422() -> None:  # B042
    photo = part('name="photo"; filename="a.jpg"', PHOTO, "image/jpeg")
    again = part('name="photo"; filename="b.jpg"', PHOTO, "image/jpeg")
    error = refused_with(body_of(photo, again))
    assert isinstance(error, BadInput)
    assert [f.code for f in error.faults] == ["same_file_twice"]


def test_counts_and_sizes_are_limited() -> None:
    many = body_of(*(part(f'name="f{i}"', b"x") for i in range(1001)))
    assert status_of(refused_with(many)) == 413  # B041
    assert status_of(refused_with(body_of(part('name="words"', b"x" * 600_000)))) == 413
    files = [part('name="photo"; filename="a.jpg"', b"%d" % i) for i in range(4)]
    error = refused_with(body_of(*files), limits={"max_files": 3})
    assert isinstance(error, BadInput) and error.faults[0].code == "too_many_files"
    large = part('name="photo"; filename="a.jpg"', b"x" * 5000)
    assert status_of(refused_with(body_of(large), limits={"max_file_bytes": 4999})) == 413
    assert send(body_of(large), limits={"max_file_bytes": 5000})[1]
    assert status_of(refused_with(body_of(large), limits={"max_bytes": 4000})) == 413
    assert status_of(refused_with(body_of(large), limits={"max_bytes": 4000}, **CHUNKED)) == 413
    headers = part('name="a"', b"x", extra="X-Long: " + "y" * 5000 + "\r\n")
    assert status_of(refused_with(body_of(headers))) == 413
    endless = f"--{BOUNDARY}\r\nContent-Disposition: ".encode() + b"y" * 2_000_000
    assert status_of(refused_with(endless)) == 413


@pytest.mark.parametrize(
    "bad",
    [
        part('filename="a.jpg"', b"x"),
        part('name=""', b"x"),
        part('name="a b"', b"x"),
        part('name="a"', b"x", extra='Content-Disposition: form-data; name="b"\r\n'),
        part('name="a"', b"x", extra="Content-Transfer-Encoding: base64\r\n"),
        f'--{BOUNDARY}\r\nContent-Disposition: attachment; name="a"\r\n\r\nx\r\n'.encode(),
        f"--{BOUNDARY}\r\nContent-Type: text/plain\r\n\r\nx\r\n".encode(),
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="\xff"\r\n\r\nx\r\n'.encode("latin-1"),
        part('name="a"', b"1") + part('name="a"', b"2"),
    ],
)
def test_odd_parts_are_4xx(bad: bytes) -> None:
    assert status_of(refused_with(body_of(bad))) in {400, 415}


def test_text_and_json_parts_are_strict() -> None:
    assert status_of(refused_with(body_of(part('name="words"', b"\xff\xfe")))) == 422
    assert status_of(refused_with(body_of(part('name="words"', b"a\x00b")))) == 422
    assert status_of(refused_with(body_of(part('name="report"', b'{"a":NaN}')))) == 400
    assert status_of(refused_with(body_of(part('name="report"; filename="blob"', b'{"a":1,"a":2}')))) == 400
    error = refused_with(body_of(part('name="report"', b'{"a":1e999}')))
    assert isinstance(error, BadInput) and error.faults[0].where == "/report/a"
    blob = part('name="report"; filename="blob"', json.dumps(REPORT).encode(), "application/json")
    assert send(body_of(blob)) == ({"report": REPORT}, [])


def test_misplaced_and_empty_files_are_told_at_once() -> None:
    error = refused_with(
        body_of(part('name="photos"; filename="a.jpg"', PHOTO), part('name="photo"; filename="b.jpg"', b""))
    )
    assert isinstance(error, BadInput)
    assert [(f.where, f.code) for f in error.faults] == [
        ("/photos", "unknown_field"),
        ("/photo", "empty_file"),
    ]


def test_an_untouched_file_box_is_no_file() -> None:
    assert send(body_of(part('name="photo"; filename=""', b"", "application/octet-stream"))) == ({}, [])


@pytest.mark.parametrize(
    ("filename", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\\\pics\\\\排口.jpg", "排口.jpg"),
        ("a\u202egpj.exe", "agpj.exe"),
        ("x" * 500, "x" * 80),
    ],
)
def test_claimed_names_are_made_harmless(filename: str, shown: str) -> None:
    _, files = send(body_of(part(f'name="photo"; filename="{filename}"', PHOTO)))
    assert files[0].shown_name == shown


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_changed_bytes_never_crash(data: st.DataObject) -> None:
    small = body_of(
        part('name="report"', b'{"a":1}', "application/json"),
        part('name="photo"; filename="a.jpg"', b"\xff\xd8x"),
    )
    raw = bytearray(small)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.sampled_from([0, 10, 13, 34, 45, 59, 255]))
    try:
        send(bytes(raw))
    except PatrolError as refused:
        assert 400 <= status_of(refused) < 500
