"""What every request passes before a door and every answer before it leaves.

In: request id and nonce, host, method, path, query and header checks, the cross-site and CSRF checks.
Out: errors through one table (`patrol.web.answers`), security headers, one log line. Must not know any
route, person or right; who is signed in is the app's to say (`session_of`).
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
import time
import unicodedata
from base64 import urlsafe_b64encode
from collections.abc import Callable, Collection
from typing import Any, NoReturn
from urllib.parse import urlsplit

import structlog
from flask import Flask, Request, Response, current_app, g, request
from jinja2 import TemplateNotFound
from werkzeug.exceptions import (
    HTTPException,
    MethodNotAllowed,
    RequestHeaderFieldsTooLarge,
    RequestURITooLarge,
)

from patrol.errors import Malformed, Misconfigured, Missing, PatrolError, Refused
from patrol.web import answers, parse
from patrol.web.logs import note_crash, note_request, set_up_logging

__all__ = ["StrictRequest", "csrf_matches", "csrf_token", "install", "set_up_logging"]

SessionOf = Callable[[Request], str | None]

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOCAL_NAMES = frozenset({"localhost"})
MAX_URL_CHARS = 4096
MAX_HEADERS = 100
MAX_HEADER_CHARS = 32 * 1024

CSRF_HEADER = "X-CSRF-Token"
CSRF_FREE_PATHS = ("/report", "/tips", "/api/v1/tips")
"""Pages of the public: they act for nobody signed in, so a cookie that comes along means nothing there."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(self)",
}

_ID_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?", re.ASCII)


class StrictRequest(Request):
    """A request whose lenient readers are shut, so that no door can use them by mistake."""

    def _shut(self) -> NoReturn:
        raise RuntimeError("read bodies with patrol.web.parse: the stock readers accept cut and bent input")

    form = property(_shut)
    files = property(_shut)
    values = property(_shut)
    json = property(_shut)

    def get_json(self, *_: Any, **__: Any) -> NoReturn:
        self._shut()

    def get_data(self, *_: Any, **__: Any) -> NoReturn:
        self._shut()


def content_security_policy(nonce: str) -> str:
    """The policy of every answer: only our own host, inline only with this answer's nonce."""
    return (
        "default-src 'none'; "
        f"script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; "
        "img-src 'self' blob: data:; connect-src 'self'; font-src 'self'; manifest-src 'self'; "
        "worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def csrf_token(key: bytes, session_id: str) -> str:
    """The token of one session: only who can read a page of that session knows it."""
    mac = hmac.new(key, b"csrf\x00" + session_id.encode("utf-8"), hashlib.sha256).digest()
    return urlsafe_b64encode(mac).rstrip(b"=").decode("ascii")


def csrf_matches(key: bytes, session_id: str, sent: str) -> bool:
    """Whether `sent` is the token of this session, in constant time."""
    return hmac.compare_digest(csrf_token(key, session_id).encode(), sent.encode("utf-8", "replace"))


def nobody(_: Request) -> str | None:
    """The `session_of` of an app without sign-in."""
    return None


def install(
    app: Flask,
    *,
    csrf_key: bytes,
    hosts: Collection[str] = (),
    session_of: SessionOf = nobody,
    assets_path: str = "/assets/",
) -> None:
    """Put the guard in front of and behind every route of `app`; call it before any other hook.

    `hosts`: names this server answers to beside localhost and plain addresses (a rebinding attack needs a
    name). `session_of(request)`: the id of the session whose *cookie* the request carries and that is
    valid, else None. Pages get `csp_nonce`, `request_id` and `csrf_token()`. Whoever signs a caller in sets
    `g.signed_in`, so that the log notes the address (never for the tip line).
    """
    if len(csrf_key) < 32:
        raise Misconfigured("CSRF 密钥至少要 32 字节。")
    try:
        app.jinja_env.get_template(answers.ERROR_PAGE)
    except TemplateNotFound as absent:
        raise Misconfigured(f"缺少错误页模板 {answers.ERROR_PAGE}。") from absent
    names = LOCAL_NAMES | {name.lower().rstrip(".") for name in hosts}
    app.request_class = StrictRequest
    app.config["MAX_CONTENT_LENGTH"] = parse.FORM_MAX_BYTES

    @app.before_request
    def _enter() -> None:
        g.started_s = time.monotonic()
        g.request_id = "".join(secrets.choice(_ID_ALPHABET) for _ in range(10))
        g.csp_nonce = secrets.token_urlsafe(18)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)
        _check_method(request)
        _check_size(request)
        _check_host(request, names)
        _check_path(request)
        parse.check_query(request)
        _check_origin(request, csrf_key, session_of)

    @app.after_request
    def _leave(response: Response) -> Response:
        nonce = g.get("csp_nonce") or secrets.token_urlsafe(18)
        response.headers.setdefault("Content-Security-Policy", content_security_policy(nonce))
        for name, value in HEADERS.items():
            response.headers[name] = value
        response.headers["X-Request-ID"] = g.get("request_id", "")
        if not (request.path.startswith(assets_path) or response.cache_control.public):
            response.headers["Cache-Control"] = "no-store"
        note_request(request, response)
        return response

    @app.context_processor
    def _names() -> dict[str, Any]:
        def token() -> str:
            session_id = session_of(request)
            return csrf_token(csrf_key, session_id) if session_id else ""

        return {
            "csp_nonce": g.get("csp_nonce", ""),
            "request_id": g.get("request_id", ""),
            "csrf_token": token,
        }

    app.register_error_handler(PatrolError, _refused)
    app.register_error_handler(HTTPException, answers.answer_http)
    app.register_error_handler(Exception, _crashed)


def _refused(error: PatrolError) -> Response:
    response = answers.answer(error)
    if response.status_code == 500:
        note_crash(request, error)
    return response


def _crashed(error: Exception) -> Response:
    """The 500 handler: a number for the person, the frames for the log. Under test it stays an error."""
    if current_app.testing:
        raise error
    note_crash(request, error)
    try:
        return answers.answer_crash()
    except Exception as page_error:  # the error page itself may stand on what broke
        note_crash(request, page_error)
        return answers.plain_crash()


# ---------------------------------------------------------------- checks


def _check_method(asked: Request) -> None:
    if asked.method not in METHODS:
        raise MethodNotAllowed(valid_methods=sorted(METHODS))


def _check_size(asked: Request) -> None:
    environ = asked.environ
    if len(environ.get("PATH_INFO") or "") + len(environ.get("QUERY_STRING") or "") > MAX_URL_CHARS:
        raise RequestURITooLarge
    headers = [(key, value) for key, value in environ.items() if key.startswith("HTTP_")]
    if len(headers) > MAX_HEADERS or sum(len(key) + len(str(value)) for key, value in headers) > MAX_HEADER_CHARS:
        raise RequestHeaderFieldsTooLarge


def _check_host(asked: Request, names: Collection[str]) -> None:
    match = _HOST.fullmatch(asked.environ.get("HTTP_HOST") or "")
    name = match[1].lower().rstrip(".") if match else ""
    if not name or not (name in names or _is_address(name)):
        raise Malformed("不认识这个网址的主机名，请用正式网址打开。", code="unknown_host")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _check_path(asked: Request) -> None:
    """Only one spelling of a path exists: no climbing, no second decoding, no foreign digits."""
    path = asked.path
    for character in path:
        category = unicodedata.category(character)
        if character in '\\%\ufffd<>"' or category[0] == "C" or (category == "Nd" and not character.isascii()):
            raise Missing
    if "//" in asked.environ.get("PATH_INFO", "") or any(
        part.startswith((".", " ")) or part.endswith(".") for part in path.split("/")[1:]
    ):
        raise Missing


def _check_origin(asked: Request, key: bytes, session_of: SessionOf) -> None:
    """Refuse a change that another site made this browser send.

    A bearer token is never sent by a browser on its own, so a request with one passes. `Origin: null`
    decides nothing: our own pages send it, because they ask for no referrer.
    """
    if asked.method in SAFE_METHODS or asked.headers.get("Authorization"):
        return
    site = asked.headers.get("Sec-Fetch-Site")
    origin = asked.headers.get("Origin")
    if site is not None:
        foreign = site not in {"same-origin", "none"}
    else:
        foreign = origin not in {None, "null"} and urlsplit(origin or "").netloc != asked.environ["HTTP_HOST"]
    if foreign:
        raise Refused("这次提交来自别的网站，没有受理。请从本站页面提交。", code="cross_site")
    if any(asked.path == free or asked.path.startswith(free + "/") for free in CSRF_FREE_PATHS):
        return
    session_id = session_of(asked)
    if session_id is None:
        return
    g.signed_in = True

    def gate(sent: str) -> None:
        if not csrf_matches(key, session_id, sent):
            raise Refused("页面放得太久，请刷新后再提交，写的还在。", code="csrf")

    header = asked.headers.get(CSRF_HEADER)
    if header is not None:
        gate(header)
    elif asked.mimetype == "application/x-www-form-urlencoded":
        gate(next((value for name, value in parse.form_pairs(asked) if name == parse.CSRF_FIELD), ""))
    elif asked.mimetype == "multipart/form-data":
        # The token is inside a body only the door may read; parse.multipart_body asks the gate.
        asked.environ[parse.CSRF_GATE] = gate
    else:
        gate("")
