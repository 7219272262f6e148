"""The guard around a tiny app: answers, headers, hosts, paths, CSRF, and the silence about informants."""

from __future__ import annotations

import io
import json
import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from flask import Flask, abort, g, redirect, render_template_string, request, url_for
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.serving import make_server

from patrol import errors
from patrol.web import answers, guard, logs, parse
from patrol.web.fields import ReportIn, read_form, read_model

KEY = b"k" * 32
ERROR_PAGE = """<!doctype html><title>{{ status }}</title><h1>{{ sentence }}</h1>
<p>错误号 {{ request_id }}</p>{% for fault in faults %}<li>{{ fault.sentence }}</li>{% endfor %}
<script nonce="{{ csp_nonce }}"></script>"""
KINDS = sorted(answers.STATUS, key=lambda kind: kind.__name__)


def build(templates: Path) -> Flask:
    (templates / "errors").mkdir(parents=True)
    (templates / "errors" / "error.html").write_text(ERROR_PAGE, "utf-8")
    app = Flask("tiny", template_folder=str(templates), static_folder=None)
    guard.install(
        app,
        csrf_key=KEY,
        hosts=["patrol.example.gov.cn"],
        session_of=lambda asked: asked.cookies.get("sid"),
    )

    @app.get("/")
    def home() -> str:
        return render_template_string("<p>{{ csp_nonce }}|{{ csrf_token() }}|{{ url_for('home') }}</p>")

    @app.post("/api/v1/reports")
    def report() -> tuple[dict[str, Any], int]:
        if request.mimetype == "multipart/form-data":
            found, files = parse.multipart_body(request)
            body = found["report"]
        else:
            body, files = parse.json_body(request), []
        kept = read_model(ReportIn, body)
        g.stored = True
        return {"words": kept.words, "files": len(files)}, 201

    @app.post("/report")
    def tip() -> tuple[str, int]:
        if request.mimetype == "multipart/form-data":
            found, _ = parse.multipart_body(request)
        else:
            found = parse.form_body(request)
        read_form(ReportIn, found)
        return "ok", 201

    @app.post("/desk/form")
    def desk() -> str:
        if request.mimetype == "multipart/form-data":
            found, _ = parse.multipart_body(request)
        elif request.mimetype == "application/json":
            found = parse.json_body(request)
        else:
            found = parse.form_body(request)
        return json.dumps(found)

    @app.post("/desk/bare")
    def bare() -> str:
        return "done"

    @app.get("/tips")
    @app.get("/i/<int:number>")
    def page(number: int = 0) -> str:
        return str(number)

    @app.get("/api/v1/raise/<int:which>")
    @app.get("/raise/<int:which>")
    def fail(which: int) -> str:
        kind = KINDS[which]
        if kind is errors.BadInput:
            raise errors.BadInput([errors.Fault("/a", "x", "甲。"), errors.Fault("/b", "y", "乙。")])
        raise kind(state="closed", step="close", secret_fact="hidden")

    @app.get("/api/v1/crash")
    @app.get("/crash")
    @app.post("/report/crash")
    def crash() -> str:
        raise ZeroDivisionError("phone 13912345678")

    @app.get("/api/v1/abort/<int:code>")
    def http(code: int) -> str:
        if code == 302:
            return redirect(url_for("home"))  # type: ignore[return-value]
        abort(code)

    @app.get("/assets/x.css")
    def asset() -> Any:
        return app.response_class("a{}", headers={"Cache-Control": "public, max-age=60"})

    @app.get("/lenient")
    def lenient() -> str:
        return str(request.form)

    return app


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return build(tmp_path)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def log_stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    kept = root.handlers[:], root.level
    stream = io.StringIO()
    guard.set_up_logging(stream=stream)
    yield stream
    root.handlers[:], root.level = kept
    structlog.reset_defaults()


def problem(response: Any) -> dict[str, Any]:
    assert response.mimetype == "application/problem+json", response.data[:200]
    body = json.loads(response.data)
    assert {"type", "title", "status", "detail", "errors", "request_id"} <= set(body)
    assert body["status"] == response.status_code
    assert body["request_id"] == response.headers["X-Request-ID"]
    assert "Traceback" not in response.text and "/web/" not in response.text
    return body


# ---------------------------------------------------------------- errors


def test_every_kind_of_error_has_a_status() -> None:
    def below(kind: type[errors.PatrolError]) -> set[type[errors.PatrolError]]:
        return {kind}.union(*(below(sub) for sub in kind.__subclasses__()))

    ours = {kind for kind in below(errors.PatrolError) if kind.__module__ == "patrol.errors"}
    assert ours - {errors.PatrolError} == set(answers.STATUS)
    assert set(answers.STATUS.values()) <= set(answers.TITLES)


@pytest.mark.parametrize("which", range(len(KINDS)), ids=[kind.__name__ for kind in KINDS])
def test_each_kind_as_problem_and_as_page(client: FlaskClient, which: int) -> None:
    kind = KINDS[which]
    response = client.get(f"/api/v1/raise/{which}")
    body = problem(response)
    assert response.status_code == answers.STATUS[kind]
    assert body["type"] == f"/problems/{kind.code}"
    assert "hidden" not in response.text
    page = client.get(f"/raise/{which}")
    assert page.status_code == answers.STATUS[kind]
    assert page.mimetype == "text/html"
    assert page.headers["X-Request-ID"] in page.text
    wanted_json = client.get(f"/raise/{which}", headers={"Accept": "application/json"})
    assert problem(wanted_json)["detail"] == body["detail"]


def test_all_faults_are_in_the_answer(client: FlaskClient) -> None:
    which = KINDS.index(errors.BadInput)
    assert problem(client.get(f"/api/v1/raise/{which}"))["errors"] == [
        {"pointer": "/a", "code": "x", "sentence": "甲。"},
        {"pointer": "/b", "code": "y", "sentence": "乙。"},
    ]
    assert "甲。" in client.get(f"/raise/{which}").text


def test_facts_are_published_by_name_only(client: FlaskClient) -> None:
    body = problem(client.get(f"/api/v1/raise/{KINDS.index(errors.WrongStep)}"))
    assert (body["state"], body["step"]) == ("closed", "close")
    assert "secret_fact" not in body


def test_second_statuses_and_waiting() -> None:
    assert answers.status_of(errors.Malformed(code="type_not_taken")) == 415
    assert answers.status_of(errors.TooMuch(code="too_large")) == 413
    assert answers.status_of(errors.TooMuch(retry_after_s=3)) == 429
    app = Flask("x")
    with app.test_request_context("/api/v1/x"):
        assert answers.answer(errors.TooMuch(retry_after_s=2.2)).headers["Retry-After"] == "3"
        assert "Bearer" in answers.answer(errors.NotSignedIn()).headers["WWW-Authenticate"]


def test_werkzeugs_errors_go_the_same_way(client: FlaskClient) -> None:
    for code in (400, 404, 413, 415, 418, 503):
        assert problem(client.get(f"/api/v1/abort/{code}"))["status"] == code
    assert client.get("/api/v1/abort/302").status_code == 302
    assert problem(client.get("/api/v1/nowhere"))["status"] == 404
    wrong_method = client.delete("/api/v1/reports")
    assert problem(wrong_method)["status"] == 405
    assert "POST" in wrong_method.headers["Allow"]


def test_a_crash_gives_a_number_and_nothing_else(client: FlaskClient, log_stream: io.StringIO) -> None:
    body = problem(client.get("/api/v1/crash"))
    assert body["status"] == 500 and "13912345678" not in json.dumps(body)
    page = client.get("/crash")
    assert page.status_code == 500 and page.headers["X-Request-ID"] in page.text
    lines = [json.loads(line) for line in log_stream.getvalue().splitlines()]
    crash = next(line for line in lines if line["event"] == "crash")
    assert crash["request_id"] == body["request_id"] and crash["kind"] == "ZeroDivisionError"
    assert any("test_guard" in frame for frame in crash["frames"])


def test_a_broken_error_page_still_answers(app: Flask, client: FlaskClient) -> None:
    @app.context_processor
    def broken() -> dict[str, Any]:
        raise LookupError("database is gone")

    response = client.get("/crash")
    assert response.status_code == 500 and "错误号" in response.text
    assert "database" not in response.text


def test_under_test_a_crash_stays_an_error(app: Flask) -> None:
    app.testing = True
    with pytest.raises(ZeroDivisionError):
        app.test_client().get("/crash")


def test_the_error_page_is_required(tmp_path: Path) -> None:
    with pytest.raises(errors.Misconfigured):
        guard.install(Flask("bare", template_folder=str(tmp_path)), csrf_key=KEY)
    with pytest.raises(errors.Misconfigured):
        guard.install(build(tmp_path / "t"), csrf_key=b"short")


def test_lenient_readers_are_shut(app: Flask) -> None:
    app.testing = True
    with pytest.raises(RuntimeError, match=r"patrol\.web\.parse"):
        app.test_client().get("/lenient")


# ---------------------------------------------------------------- headers


def test_headers_of_every_answer(client: FlaskClient) -> None:
    nonces = set()
    for path in ("/", "/api/v1/nowhere", "/crash", "/tips", "/assets/x.css"):
        response = client.get(path)
        policy = response.headers["Content-Security-Policy"]
        nonce = policy.partition("'nonce-")[2].partition("'")[0]
        nonces.add(nonce)
        assert policy == (
            f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; "
            "img-src 'self' blob: data:; connect-src 'self'; font-src 'self'; manifest-src 'self'; "
            "worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert response.headers["Permissions-Policy"] == "camera=(self), geolocation=(self)"
        wanted = "public, max-age=60" if path.startswith("/assets/") else "no-store"
        assert response.headers["Cache-Control"] == wanted
    assert len(nonces) == 5 and all(len(nonce) >= 20 for nonce in nonces)


def test_the_page_gets_the_nonce_of_its_own_policy(client: FlaskClient) -> None:
    response = client.get("/")
    nonce = response.text.partition("<p>")[2].partition("|")[0]
    assert f"'nonce-{nonce}'" in response.headers["Content-Security-Policy"]


# ---------------------------------------------------------------- what may come in


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "", "a b", "localhost@evil", "x/y", "[::"]
)
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


# ---------------------------------------------------------------- cross-site


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def signed_in(app: Flask) -> FlaskClient:
    client = app.test_client()
    client.set_cookie("sid", "s1")
    return client


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


# ---------------------------------------------------------------- silence


MARKER = "198.51.100.77"
AGENT = "MarkerBrowser/9"


def test_a_tip_leaves_no_track(client: FlaskClient, log_stream: io.StringIO) -> None:
    caller = {"User-Agent": AGENT, "Referer": f"http://localhost/{AGENT}"}
    caller["Cookie"] = "other_program=1"
    where = {"REMOTE_ADDR": MARKER}
    body = {"words": f"{AGENT} words", "contact": {"phone": "13912345678"}}
    for index in range(20):
        client.post(
            "/report?q=MarkerQuery", data="words=MarkerWords", headers=caller | FORM, environ_base=where
        )
        client.post("/api/v1/reports?q=MarkerQuery", json=body, headers=caller, environ_base=where)
        client.post("/api/v1/reports", data="{MarkerWords", headers=caller, environ_base=where)
        client.get("/tips/MarkerCode", headers=caller, environ_base=where)
        client.post("/report/crash", headers=caller, environ_base=where)
        client.get(f"/assets/x.css?{index}=MarkerQuery", headers=caller, environ_base=where)
    text = log_stream.getvalue()
    assert text.count('"event": "request"') == 120
    for mark in (MARKER, "Marker", "13912345678", "user_agent", "peer"):
        assert mark not in text, mark


def test_a_known_caller_is_noted_with_address_and_without_query(
    client: FlaskClient, log_stream: io.StringIO
) -> None:
    headers = {"Authorization": "Bearer s3cret", "User-Agent": AGENT}
    client.get("/i/7?x=MarkerQuery", headers=headers, environ_base={"REMOTE_ADDR": MARKER})
    line = json.loads(log_stream.getvalue())
    assert (line["peer"], line["path"], line["status"]) == (MARKER, "/i/7", 200)
    assert "s3cret" not in log_stream.getvalue() and "Marker" not in log_stream.getvalue()


def test_a_signed_in_report_is_noted_with_address(app: Flask, log_stream: io.StringIO) -> None:
    headers = {"X-CSRF-Token": guard.csrf_token(KEY, "s1")}
    signed_in(app).post("/api/v1/reports", json={"words": "x"}, headers=headers)
    assert json.loads(log_stream.getvalue())["peer"] == "127.0.0.1"


def test_log_lines_are_single_and_keep_no_secret(log_stream: io.StringIO) -> None:
    logs.log.info("push", url="https://x/send?key=abc123&a=1", password="hunter2", note="a\nb\u2028c\x1b[0m")
    logging.getLogger("library").warning("GET %s", "https://x/?access_token=zzz9")
    text = log_stream.getvalue()
    lines = text.splitlines()
    assert len(lines) == 2 and all(json.loads(line)["at"] for line in lines)
    for secret in ("abc123", "hunter2", "zzz9", "\x1b", "\u2028"):
        assert secret not in text


# ---------------------------------------------------------------- fuzz and raw sockets


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
            st.sampled_from(
                ["words", "position.lon", "position.lat", "contact.phone", "callback", "a.b.c", ""]
            ),
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
