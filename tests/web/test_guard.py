"""What the guard lets in: hosts, paths, methods, sizes, tokens; and nothing fuzzed ends in a 5xx."""

from __future__ import annotations

import io
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.serving import make_server

from patrol.web import guard
from tests.web.tinyapp import FORM, KEY, build, logged, problem, signed_in


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return build(tmp_path)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def log_stream() -> Iterator[io.StringIO]:
    with logged() as stream:
        yield stream


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "a b", "localhost@evil", "x/y", "[::"])
def test_foreign_hosts_are_400(client: FlaskClient, host: str) -> None:
    for path in ("/", "/api/v1/nowhere"):
        assert client.get(path, headers={"Host": host}).status_code == 400  # B008


def test_no_host_is_400(app: Flask) -> None:
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "SERVER_NAME": "x", "SERVER_PORT": "80"}
    environ |= {"wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO()}
    seen: list[str] = []
    b"".join(app.wsgi_app(environ, lambda status, headers, info=None: seen.append(status)))  # type: ignore[arg-type,misc]
    assert seen[0].startswith("400")  # B019


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8000", "127.0.0.1:80", "[::1]:8000", "192.168.1.5", "Patrol.example.gov.cn"],
)
def test_own_names_and_addresses_pass(client: FlaskClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/i/%00",
        "/i/12%00",
        "/%2e%2e%2fetc/passwd",
        "/assets/../x",
        "/i/%252e",
        "/..;/i/1",
        "/i\\1",
        "/i//1",
        "/i/%D9%A1%D9%A2",
        "/i/１２",
        "/i/%ff",
        "/.git/config",
        "/i/1%0d%0aX-Evil:1",
        "/i/-1",
        "/i/abc",
    ],
)
def test_odd_paths_are_404(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404  # B010, B011, B016, B017


def test_a_path_that_looks_like_a_host_is_404(client: FlaskClient) -> None:
    for path in ("//evil.example/", "///", "//i/1"):
        assert client.get("/", environ_overrides={"PATH_INFO": path}).status_code == 404  # B011


def test_huge_numbers_in_paths_do_not_crash(client: FlaskClient) -> None:
    assert client.get("/i/99999999999999999999").status_code in {200, 404}


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "FOO", "CONNECT"])
def test_unknown_methods_are_405(client: FlaskClient, method: str) -> None:
    for path in ("/", "/nowhere"):
        response = client.open(path, method=method)
        assert response.status_code == 405 and "GET" in response.headers["Allow"]  # B012


def test_long_addresses_and_headers(client: FlaskClient) -> None:
    assert client.get("/" + "x" * 20_000).status_code == 414  # B007
    assert client.get("/?a=" + "x" * 20_000).status_code == 414
    assert client.get("/", headers={"X-Big": "x" * 64_000}).status_code == 431  # B006
    assert client.get("/", headers={f"X-H{i}": "1" for i in range(200)}).status_code == 431


def test_queries_are_checked_everywhere(client: FlaskClient) -> None:
    assert client.get("/?zone=1&zone=2").status_code == 400  # B020
    assert client.get("/?a=%ff").status_code == 422
    assert client.get("/?a=%zz").status_code == 400
    assert client.get("/?a=1&b=2").status_code == 200


def test_forwarded_addresses_are_ignored(client: FlaskClient, log_stream: io.StringIO) -> None:
    client.get("/", headers={"X-Forwarded-For": "1.2.3.4", "Authorization": "Bearer x"})
    line = json.loads(log_stream.getvalue())
    assert line["peer"] == "127.0.0.1"  # B009


def test_a_signed_in_change_needs_the_token(app: Flask) -> None:
    client = signed_in(app)
    token = guard.csrf_token(KEY, "s1")
    assert client.post("/desk/form", data="a=1", headers=FORM).status_code == 403
    assert client.post("/desk/form", data="a=1&csrf_token=x", headers=FORM).status_code == 403
    other = guard.csrf_token(KEY, "s2")
    assert client.post("/desk/form", data=f"a=1&csrf_token={other}", headers=FORM).status_code == 403
    assert client.post("/desk/bare").status_code == 403
    assert client.post("/desk/form", json={"a": 1}).status_code == 403
    good = client.post("/desk/form", data=f"a=1&csrf_token={token}", headers=FORM)
    assert (good.status_code, good.text) == (200, '{"a": "1"}')
    assert client.post("/desk/bare", headers={"X-CSRF-Token": token}).status_code == 200
    assert client.post("/desk/form", json={"a": 1}, headers={"X-CSRF-Token": token}).status_code == 200
    assert client.post("/desk/form", json={"a": 1}, headers={"X-CSRF-Token": "污"}).status_code == 403


def test_a_multipart_form_may_carry_the_token(app: Flask) -> None:
    client = signed_in(app)
    token = guard.csrf_token(KEY, "s1")
    photo = (io.BytesIO(b"x"), "a.jpg")
    assert client.post("/desk/form", data={"a": "1", "photo": photo}).status_code == 403
    photo = (io.BytesIO(b"x"), "a.jpg")
    good = client.post("/desk/form", data={"a": "1", "photo": photo, "csrf_token": token})
    assert (good.status_code, good.text) == (200, '{"a": "1"}')


def test_the_token_in_the_page_is_the_sessions(app: Flask) -> None:
    assert guard.csrf_token(KEY, "s1") in signed_in(app).get("/").text
    assert "||" in app.test_client().get("/").text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "whatever"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost:1234"},
        {"Origin": "garbage"},
    ],
)
def test_other_sites_are_refused(app: Flask, headers: dict[str, str]) -> None:
    token = {"X-CSRF-Token": guard.csrf_token(KEY, "s1")}
    assert signed_in(app).post("/desk/bare", headers=headers | token).status_code == 403  # B141
    assert app.test_client().post("/report", data="words=x", headers=headers | FORM).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://localhost"},
        {"Origin": "null"},
        {},
    ],
)
def test_our_own_pages_pass(app: Flask, headers: dict[str, str]) -> None:
    token = {"X-CSRF-Token": guard.csrf_token(KEY, "s1")}
    assert signed_in(app).post("/desk/bare", headers=headers | token).status_code == 200
    assert app.test_client().post("/report", data="words=x", headers=headers | FORM).status_code == 201
    assert signed_in(app).post("/report", data="words=x", headers=headers | FORM).status_code == 201


def test_a_bearer_needs_no_token(app: Flask) -> None:
    headers = {"Authorization": "Bearer t", "Sec-Fetch-Site": "cross-site"}
    assert signed_in(app).post("/desk/bare", headers=headers).status_code == 200


def test_text_plain_json_is_not_taken(client: FlaskClient) -> None:
    response = client.post("/api/v1/reports", data='{"words":"x"}', content_type="text/plain")
    assert problem(response)["status"] == 415


PUNCTUATION = ["[", "]", "{", "}", ",", " ", "\ufeff", "1e400", "NaN", "null", "true", "2" * 30]
NAMES = ['{"words":', '"position":', '"client_id":', '"crs":"wgs84"', '{"lon":112,"lat":30,"crs":"wgs84"}']
PIECES = st.sampled_from([*PUNCTUATION, *NAMES, '"x"', '"\\ud800"', '"\\u0000"'])


@given(st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=40))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_json_is_ever_a_5xx(client: FlaskClient, raw: str) -> None:
    response = client.post(
        "/api/v1/reports", data=raw.encode("utf-8", "surrogatepass"), content_type="application/json"
    )
    assert response.status_code == 201 or 400 <= response.status_code < 500
    if response.status_code != 201:
        problem(response)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["words", "position.lon", "position.lat", "contact.phone", "callback", "a.b.c", ""]),
            st.text(max_size=10) | st.sampled_from(["nan", "1e400", "112.2", "on", "0x1"]),
        ),
        max_size=6,
    )
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_form_is_ever_a_5xx(client: FlaskClient, pairs: list[tuple[str, str]]) -> None:
    body = "&".join(f"{name}={value}" for name, value in pairs).encode("utf-8", "surrogatepass")
    response = client.post("/report", data=body, headers=FORM)
    assert response.status_code == 201 or 400 <= response.status_code < 500


@given(st.text(max_size=30))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_path_is_ever_a_5xx(client: FlaskClient, path: str) -> None:
    environ = {"PATH_INFO": "/" + path.encode("utf-8", "surrogatepass").decode("latin-1")}
    response = client.get("/", environ_overrides=environ)
    assert response.status_code < 500


def exchange(port: int, raw: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


def test_raw_bodies_on_a_real_socket(app: Flask, log_stream: io.StringIO) -> None:
    server = make_server("127.0.0.1", 0, app, threaded=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        head = b"POST /api/v1/reports HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        body = b'{"words":"x"}'
        chunk = b"%x\r\n%s\r\n" % (len(body), body)
        sent = {
            b"201": [
                head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body),
                head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n",
            ],
            b"400": [
                head + b"Content-Length: 50\r\n\r\n" + body,
                head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk[:-6],
                head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n",
                head + b"\r\n" + body,
            ],
            b"413": [head + b"Content-Length: 99999999\r\n\r\n" + body],
        }
        for status, requests in sent.items():
            for raw in requests:
                assert exchange(server.server_port, raw).split(b" ", 2)[1] == status, raw
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
