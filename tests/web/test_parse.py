"""Strict bodies: the HTTP and JSON rows of the bad-input catalogue, against the parser alone."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from patrol.errors import BadInput, Malformed, PatrolError, TooMuch
from patrol.web import parse
from patrol.web.answers import status_of


def request_of(body: bytes, content_type: str | None = "application/json", **environ: Any) -> Request:
    builder = EnvironBuilder(method="POST", path="/x", input_stream=io.BytesIO(body))
    base = builder.get_environ()
    base.pop("CONTENT_TYPE", None)
    if content_type is not None:
        base["CONTENT_TYPE"] = content_type
    base["CONTENT_LENGTH"] = str(len(body))
    base.update(environ)
    return Request({key: value for key, value in base.items() if value is not None})


def refusal(body: bytes, content_type: str | None = "application/json", **environ: Any) -> PatrolError:
    with pytest.raises(PatrolError) as caught:
        parse.json_body(request_of(body, content_type, **environ))
    return caught.value


NESTED_900 = b'{"a":' + b"[" * 900 + b"]" * 900 + b"}"
BAD_JSON = [
    pytest.param(b"", 400, id="B021-empty"),
    pytest.param(b" \n", 400, id="B021-blank"),
    pytest.param(b"[1]", 422, id="B022-array"),
    pytest.param(b"null", 422, id="B022-null"),
    pytest.param(b'"x"', 422, id="B022-string"),
    pytest.param(b"1", 422, id="B022-number"),
    pytest.param(NESTED_900, 400, id="B023-deep"),
    pytest.param(b'{"a":' + b"[" * 100_000, 400, id="B023-very-deep"),
    pytest.param(b'{"a":' * 33 + b"1" + b"}" * 33, 400, id="B023-33-levels"),
    pytest.param(b'{"a":' + b"9" * 5000 + b"}", 400, id="B024-5000-digits"),
    pytest.param(b'{"a":9223372036854775808}', 422, id="B025-2^63"),
    pytest.param(b'{"a":-9223372036854775809}', 422, id="B025--2^63-1"),
    pytest.param(b'{"a":9007199254740993}', 422, id="B025-2^53+1"),
    pytest.param(b'{"a":1e400}', 422, id="B025-1e400"),
    pytest.param(b'{"a":-1e400}', 422, id="B025--1e400"),
    pytest.param(b'{"a":NaN}', 400, id="B026-NaN"),
    pytest.param(b'{"a":Infinity}', 400, id="B026-Infinity"),
    pytest.param(b'{"a":-Infinity}', 400, id="B026--Infinity"),
    pytest.param(b'{"a":1,"a":2}', 400, id="B027-duplicate"),
    pytest.param(b'{"b":[{"a":1,"\\u0061":2}]}', 400, id="B027-duplicate-escaped"),
    pytest.param(b'{"a":"\\ud800"}', 422, id="B029-surrogate"),
    pytest.param(b'{"a\\ud800":1}', 422, id="B029-surrogate-key"),
    pytest.param(b'{"a":"x\\u0000y"}', 422, id="B030-nul"),
    pytest.param(b'{"a":"x\x00y"}', 400, id="B030-raw-nul"),
    pytest.param('{"a":"污"}'.encode("utf-16"), 400, id="B033-utf16"),
    pytest.param('{"a":"x"}'.encode("utf-16-le"), 400, id="B033-utf16le"),
    pytest.param('{"a":"x"}'.encode("utf-32"), 400, id="B033-utf32"),
    pytest.param(b'{"a":"\xff"}', 400, id="B033-invalid"),
    pytest.param(b'{"a":"\xed\xa0\x80"}', 400, id="B033-encoded-surrogate"),
    pytest.param(b'{"__proto__":{"x":1}}', 422, id="B037-proto"),
    pytest.param(b'{"a":{"constructor":1}}', 422, id="B037-constructor"),
    pytest.param(b'{"a":1,}', 400, id="B038-trailing-comma"),
    pytest.param(b"{'a':1}", 400, id="B038-single-quotes"),
    pytest.param(b'{"a":1/*x*/}', 400, id="B038-comment"),
    pytest.param(b'{"a":1} {"b":2}', 400, id="two-documents"),
    pytest.param(b'{"a":"x\ny"}', 400, id="raw-newline"),
    pytest.param(b'{"a":"' + b"x" * (300 * 1024) + b'"}', 413, id="B036-too-large"),
]


@pytest.mark.parametrize(("body", "status"), BAD_JSON)
def test_bad_json_is_refused(body: bytes, status: int) -> None:
    assert status_of(refusal(body)) == status


@pytest.mark.parametrize("content_type", [None, "text/plain", "", "application/jsonp", "multipart/form-data"])
def test_other_types_are_415(content_type: str | None) -> None:
    assert status_of(refusal(b'{"a":1}', content_type)) == 415


def test_other_charset_is_415() -> None:
    assert status_of(refusal(b'{"a":1}', "application/json; charset=gbk")) == 415


def test_good_json_comes_through_unbent() -> None:
    value = {"a": "𠮷 👩‍👩‍👧 \u202e", "b": [1, -2.5, True, None], "c": {"d": 2**53}}
    raw = json.dumps(value, ensure_ascii=False).encode()
    assert parse.json_body(request_of(raw)) == value
    assert parse.json_body(request_of(json.dumps(value).encode(), "application/json; charset=UTF-8")) == value
    assert parse.json_body(request_of(b"\xef\xbb\xbf" + raw)) == value  # B034: a BOM changes nothing
    assert parse.json_body(request_of(b'{"a":' * 32 + b"1" + b"}" * 32))


def test_every_bad_value_is_named_at_once() -> None:
    bad = refusal(b'{"a":1e999,"b":["ok","\\u0000"],"c/d":{"e~":"\\udfff"}}')
    assert isinstance(bad, BadInput)
    assert [(f.where, f.code) for f in bad.faults] == [
        ("/a", "number_too_large"),
        ("/b/1", "nul"),
        ("/c~1d/e~0", "lone_surrogate"),
    ]


def test_a_flood_of_bad_values_is_cut() -> None:
    bad = refusal(b'{"a":[' + b"1e999," * 20_000 + b"0]}")
    assert isinstance(bad, BadInput) and len(bad.faults) == 50


def test_brackets_inside_strings_are_not_depth() -> None:
    assert parse.json_body(request_of(b'{"a":"' + b"[" * 500 + b'\\"{"}'))["a"].startswith("[[[")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8).filter(
                lambda key: key not in {"constructor", "prototype", "__proto__"}
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text("abc", max_size=4), JSON, max_size=5))
@settings(max_examples=150, deadline=None)
def test_what_is_sent_is_what_is_read(value: dict[str, Any]) -> None:
    assert parse.json_body(request_of(json.dumps(value).encode())) == value


@given(st.binary(max_size=200) | st.text('{}[]":,\\uda0019eE+-. NInfatruls', max_size=80).map(str.encode))
@settings(max_examples=400, deadline=None)
def test_any_bytes_are_a_plain_object_or_a_refusal(raw: bytes) -> None:
    try:
        found = parse.json_body(request_of(raw))
    except PatrolError as refused:
        assert 400 <= status_of(refused) < 500
    else:
        json.dumps(found, allow_nan=False).encode("utf-8")
        assert all(math.isfinite(v) for v in found.values() if isinstance(v, float))


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_changed_byte_never_crashes(data: st.DataObject) -> None:
    raw = bytearray('{"words":"污水","position":{"lon":112.2,"lat":30.3,"crs":"wgs84"},"n":[1,2e3]}'.encode())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] = data.draw(st.integers(0, 255))
    try:
        parse.json_body(request_of(bytes(raw)))
    except PatrolError as refused:
        assert 400 <= status_of(refused) < 500


# ---------------------------------------------------------------- lengths and encodings


def test_cut_json_is_refused_whatever_the_length_says() -> None:
    whole = b'{"words":"x","n":{"a":[1,2]}}'
    for cut in range(len(whole)):
        assert status_of(refusal(whole[:cut], CONTENT_LENGTH=str(len(whole)))) == 400
        assert status_of(refusal(whole[:cut])) == 400


def test_counted_bytes_stop_a_body_without_length() -> None:
    class Endless(io.RawIOBase):
        taken = 0

        def read(self, size: int = -1) -> bytes:
            self.taken += size
            return b" " * size

    endless = Endless()
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": None, "wsgi.input_terminated": True}
    request = request_of(b"", **chunked, **{"wsgi.input": endless})
    with pytest.raises(TooMuch) as caught:
        parse.json_body(request)
    assert status_of(caught.value) == 413
    assert endless.taken < 512 * 1024


def test_chunked_json_is_read() -> None:
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": None, "wsgi.input_terminated": True}
    assert parse.json_body(request_of(b'{"a":1}', **chunked)) == {"a": 1}


def test_a_declared_length_over_the_limit_reads_nothing() -> None:
    unread = io.BytesIO(b"x" * 10)
    error = refusal(b"", CONTENT_LENGTH=str(10**9), **{"wsgi.input": unread})
    assert status_of(error) == 413
    assert unread.tell() == 0


@pytest.mark.parametrize("length", ["-1", "1e3", "٣", "0x10", "9" * 30, "7, 7"])
def test_odd_lengths_are_400(length: str) -> None:
    assert status_of(refusal(b'{"a":1}', CONTENT_LENGTH=length)) == 400


def test_two_lengths_are_400() -> None:
    assert refusal(b'{"a":1}', HTTP_TRANSFER_ENCODING="chunked").code == "two_lengths"


def test_broken_connection_is_400() -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise ConnectionResetError

    assert refusal(b"", CONTENT_LENGTH="20", **{"wsgi.input": Broken()}).code == "cut_short"


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "gzip, identity"])
def test_compressed_bodies_are_415(encoding: str) -> None:
    body = gzip.compress(b'{"a":"' + b" " * 1_000_000 + b'"}')
    assert status_of(refusal(body, HTTP_CONTENT_ENCODING=encoding)) == 415


def test_a_digest_that_came_along_is_checked() -> None:
    body = b'{"a":1}'
    right = base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert parse.json_body(request_of(body, HTTP_REPR_DIGEST=f"sha-256=:{right}:")) == {"a": 1}
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    assert refusal(body, HTTP_REPR_DIGEST=f"sha-256=:{wrong}:").code == "digest_differs"
    assert refusal(body, HTTP_CONTENT_DIGEST="sha-512=:x:, sha-256=:%%%:").code == "digest_differs"


# ---------------------------------------------------------------- forms and queries

FORM = "application/x-www-form-urlencoded"


def form(body: bytes, content_type: str | None = FORM, **environ: Any) -> dict[str, Any]:
    return parse.form_body(request_of(body, content_type, **environ), many={"photo_id"})


def test_good_form() -> None:
    assert form("words=%E6%B1%A1+水%0D%0Ax&empty=&photo_id=1&photo_id=2&csrf_token=t".encode()) == {
        "words": "污 水\r\nx",
        "empty": "",
        "photo_id": ["1", "2"],
    }
    assert form(b"") == {}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"words=%00%ff%fe", 422, id="B043"),
        pytest.param(b"words=%00", 422, id="nul"),
        pytest.param(b"words=%07", 422, id="bell"),
        pytest.param(b"words=%ff", 422, id="utf8"),
        pytest.param(b"words=%zz", 400, id="escape"),
        pytest.param(b"words=abc%E", 400, id="cut-escape"),
        pytest.param(b"a=1&a=2", 400, id="repeated"),
        pytest.param(b"__proto__=1", 422, id="proto"),
        pytest.param(b"words=" + b"x" * 600_000, 413, id="B044"),
        pytest.param(b"&".join(b"a%d=1" % i for i in range(300)), 413, id="many"),
    ],
)
def test_bad_forms(body: bytes, status: int) -> None:
    with pytest.raises(PatrolError) as caught:
        form(body)
    assert status_of(caught.value) == status


def test_a_cut_form_is_refused_at_every_byte() -> None:
    whole = b"words=%E6%B1%A1&place_words=abc&client_id=3f2b8c1e"
    for cut in range(len(whole)):
        with pytest.raises(Malformed):
            form(whole[:cut], CONTENT_LENGTH=str(len(whole)))
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": None, "wsgi.input_terminated": True}
    with pytest.raises(Malformed) as caught:
        form(whole, **chunked)
    assert caught.value.code == "length_missing"


def query(raw: str, allowed: set[str]) -> dict[str, str]:
    return parse.query_args(request_of(b"", QUERY_STRING=raw), allowed)


def test_queries() -> None:
    assert query("bbox=1,2,3,4&state=%E5%8A%9E&page=", {"bbox", "state", "page"}) == {
        "bbox": "1,2,3,4",
        "state": "办",
        "page": "",
    }
    with pytest.raises(Malformed):
        query("zone=1&zone=2", {"zone"})  # B020
    with pytest.raises(Malformed):
        query("zone=1&%7aone=2", {"zone"})
    with pytest.raises(BadInput) as caught:
        query("sort=name;--&x/y=1", {"page"})
    assert [fault.where for fault in caught.value.faults] == ["/sort", "/x~1y"]
    for raw in ("a=%00", "a=%ff"):
        with pytest.raises(BadInput):
            query(raw, {"a"})


@given(st.binary(max_size=120))
@settings(max_examples=200, deadline=None)
def test_any_form_bytes_are_text_or_a_refusal(raw: bytes) -> None:
    try:
        found = form(raw)
    except PatrolError as refused:
        assert 400 <= status_of(refused) < 500
    else:
        json.dumps(found).encode("utf-8")
