"""What the guard writes down, and that an informant leaves no track in it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from patrol.web import guard, logs
from tests.web.tinyapp import FORM, KEY, build, logged, signed_in


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


MARKER = "198.51.100.77"
AGENT = "MarkerBrowser/9"


def test_a_tip_leaves_no_track(client: FlaskClient, log_stream: io.StringIO) -> None:
    caller = {"User-Agent": AGENT, "Referer": f"http://localhost/{AGENT}"}
    caller["Cookie"] = "other_program=1"
    where = {"REMOTE_ADDR": MARKER}
    body = {"words": f"{AGENT} words", "contact": {"phone": "13912345678"}}
    for index in range(20):
        client.post("/report?q=MarkerQuery", data="words=MarkerWords", headers=caller | FORM, environ_base=where)
        client.post("/api/v1/reports?q=MarkerQuery", json=body, headers=caller, environ_base=where)
        client.post("/api/v1/reports", data="{MarkerWords", headers=caller, environ_base=where)
        client.get("/tips/MarkerCode", headers=caller, environ_base=where)
        client.post("/report/crash", headers=caller, environ_base=where)
        client.get(f"/assets/x.css?{index}=MarkerQuery", headers=caller, environ_base=where)
    text = log_stream.getvalue()
    assert text.count('"event": "request"') == 120
    for mark in (MARKER, "Marker", "13912345678", "user_agent", "peer"):
        assert mark not in text, mark


def test_a_known_caller_is_noted_with_address_and_without_query(client: FlaskClient, log_stream: io.StringIO) -> None:
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
