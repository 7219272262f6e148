"""What the guard answers: one table of errors, as problem+json and as a page, and the headers."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from patrol import errors
from patrol.web import answers, guard
from tests.web.tinyapp import KEY, KINDS, build, logged, problem


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
    assert any("tinyapp" in frame for frame in crash["frames"])


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
