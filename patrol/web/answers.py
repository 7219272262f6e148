"""Errors -> answers: one table of kinds and statuses, and two ways to show them (problem+json, page).

Scripts and `/api/` get RFC 9457 problem+json, everybody else the page `templates/errors/page.html`. No
answer echoes raw input, a path of the server, SQL or a traceback. Must not decide what is an error.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from flask import Request, Response, g, render_template, request
from werkzeug.exceptions import HTTPException

from patrol import errors
from patrol.errors import BadInput, Fault, PatrolError
from patrol.web.parse import SIZE_CODES, TYPE_NOT_TAKEN

ERROR_PAGE = "errors/page.html"

STATUS: dict[type[PatrolError], int] = {
    errors.BadInput: 422,
    errors.Malformed: 400,
    errors.NotSignedIn: 401,
    errors.Refused: 403,
    errors.Missing: 404,
    errors.WrongStep: 409,
    errors.Clash: 409,
    errors.Stale: 412,
    errors.NeedsVersion: 428,
    errors.TooMuch: 429,
    errors.OutOfReach: 503,
    errors.NoRoom: 507,
    errors.Misconfigured: 500,
}
"""Kind -> status; `status_of` knows the two kinds that have a second one (415, 413)."""

TITLES: dict[int, tuple[str, str]] = {
    400: ("读不出来", "Malformed request"),
    401: ("请先登录", "Not signed in"),
    403: ("没有权限", "Refused"),
    404: ("没有这一件", "Not found"),
    405: ("不能这样用", "Method not allowed"),
    406: ("给不出这种格式", "Not acceptable"),
    408: ("没有传完", "Request timed out"),
    409: ("现在不能办", "Conflict"),
    411: ("缺少长度", "Length required"),
    412: ("别人刚改过", "Changed meanwhile"),
    413: ("太大", "Too large"),
    414: ("网址太长", "Address too long"),
    415: ("不收这种格式", "Unsupported type"),
    416: ("没有这一段", "Range not satisfiable"),
    422: ("填的有问题", "Invalid content"),
    428: ("缺少版本号", "Version required"),
    429: ("太频繁", "Too many requests"),
    431: ("请求头太长", "Header fields too large"),
    500: ("出错了", "Internal error"),
    501: ("不能这样用", "Not implemented"),
    503: ("暂时不通", "Unavailable"),
    507: ("存储空间不足", "Insufficient storage"),
}

HTTP_SENTENCES: dict[int, str] = {
    400: "发来的请求读不出来，请重发。",
    404: errors.Missing.sentence,
    405: "这个网址不能这样用，请从页面上的按钮进入。",
    408: "内容没有传完，请重发。",
    413: "内容太大，请减少后再发。",
    414: "网址太长，请从页面上重新进入。",
    415: "不收这种格式。",
    416: "没有这一段内容。",
    429: "太频繁，请稍后再试。",
    431: "请求头太长，请清除浏览器里本站的数据后再试。",
}
CRASHED = "出错了，写的还在。请稍后再试；还不行，请把错误号告诉我们。"

PUBLISHED_FACTS = frozenset(
    {"step", "state", "version", "issue", "request", "retry_after_s", "needs", "offset", "changed"}
)
"""Facts of an error that a caller may read; all others stay inside."""


def status_of(error: PatrolError) -> int:
    """The HTTP status of an error; a kind of its own inherits from the nearest kind in the table."""
    if isinstance(error, errors.Malformed) and error.code == TYPE_NOT_TAKEN:
        return 415
    if isinstance(error, errors.TooMuch) and error.code in SIZE_CODES:
        return 413
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def wants_json(asked: Request) -> bool:
    """Whether the caller reads JSON: every API path, and whoever says so and does not prefer a page."""
    if asked.path.startswith(("/api/", "/health/", "/problems/")):
        return True
    if asked.mimetype == "application/json":
        return True
    data = ["application/json", "application/problem+json"]
    return asked.accept_mimetypes.best_match(["text/html", *data], "text/html") in data


def answer(error: PatrolError) -> Response:
    """The answer to one of our own errors."""
    status = status_of(error)
    headers: dict[str, str] = {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="patrol"'
    wait_s = error.facts.get("retry_after_s")
    if wait_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(wait_s)))
    faults = error.faults if isinstance(error, BadInput) else []
    if status == 500:
        return _show(500, error.code, CRASHED, [], {}, headers)
    facts = {key: value for key, value in error.facts.items() if key in PUBLISHED_FACTS}
    return _show(status, error.code, error.sentence, faults, facts, headers)


def answer_http(error: HTTPException) -> Response | HTTPException:
    """The answer to what routing or Werkzeug refused; redirects and ready answers pass untouched."""
    if error.response is not None or error.code is None or error.code < 400:
        return error
    kept = {key: value for key, value in error.get_headers(request.environ) if key in {"Allow", "Retry-After"}}
    sentence = HTTP_SENTENCES.get(error.code, errors.PatrolError.sentence)
    return _show(error.code, f"http_{error.code}", sentence, [], {}, kept)


def answer_crash() -> Response:
    """The answer to a fault of ours: an error number to quote and nothing about the fault."""
    return _show(500, "crashed", CRASHED, [], {}, {})


def plain_crash() -> Response:
    """The last answer, when even the error page cannot be drawn."""
    return Response(f"{CRASHED}\n错误号 {g.get('request_id', '')}\n", 500, mimetype="text/plain")


def _show(
    status: int,
    code: str,
    sentence: str,
    faults: Iterable[Fault],
    facts: Mapping[str, Any],
    headers: Mapping[str, str],
) -> Response:
    g.error_code = code
    zh, _ = TITLES.get(status, TITLES[500])
    faults = list(faults)
    if wants_json(request):
        response = Response(
            json.dumps(problem(status, code, sentence, faults, facts), ensure_ascii=False, default=str),
            mimetype="application/problem+json",
        )
    else:
        page = render_template(
            ERROR_PAGE,
            status=status,
            code=code,
            title=zh,
            sentence=sentence,
            faults=faults,
            error_id=g.get("request_id", ""),
        )
        response = Response(page, mimetype="text/html")
    response.status_code = status
    response.headers.extend(dict(headers))
    return response


def problem(
    status: int,
    code: str,
    sentence: str,
    faults: Iterable[Fault] = (),
    facts: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The body of a problem+json answer (also one item of a 207)."""
    zh, en = TITLES.get(status, TITLES[500])
    body: dict[str, Any] = {
        "type": f"/problems/{code}",
        "title": f"{zh} {en}",
        "status": status,
        "detail": sentence,
        "errors": [{"pointer": f.where, "code": f.code, "sentence": f.sentence} for f in faults],
        "request_id": g.get("request_id", ""),
    }
    return body | {key: value for key, value in (facts or {}).items() if key not in body}
