"""A small app behind the guard, with one door of each sort, for the tests of the guard."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
from flask import Flask, abort, g, redirect, render_template_string, request, url_for
from flask.testing import FlaskClient

from patrol import errors
from patrol.web import answers, guard, parse
from patrol.web.fields import ReportIn, read_form, read_model

KEY = b"k" * 32
ERROR_PAGE = """<!doctype html><title>{{ status }}</title><h1>{{ sentence }}</h1>
<p>错误号 {{ error_id }}</p>{% for fault in faults %}<li>{{ fault.sentence }}</li>{% endfor %}
<script nonce="{{ csp_nonce }}"></script>"""
KINDS = sorted(answers.STATUS, key=lambda kind: kind.__name__)


def build(templates: Path) -> Flask:
    (templates / "errors").mkdir(parents=True)
    (templates / "errors" / "page.html").write_text(ERROR_PAGE, "utf-8")
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


@contextmanager
def logged() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    kept = root.handlers[:], root.level
    stream = io.StringIO()
    guard.set_up_logging(stream=stream)
    try:
        yield stream
    finally:
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


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def signed_in(app: Flask) -> FlaskClient:
    client = app.test_client()
    client.set_cookie("sid", "s1")
    return client
