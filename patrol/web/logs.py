"""Logging as JSON lines, and the promise that an informant leaves no track in them.

No line ever holds a query, a referrer or a browser's name; an address only where the caller carries a
credential, so that not even the pictures of a page betray who opened the tip form. Requests of the tip
line and anonymous reports are noted by their route alone, unless PATROL_LOG_TIPS says that a law wants their
addresses kept: then the tip page says so too. Must not log bodies.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import traceback
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from flask import Request, Response, current_app, g

from patrol.web import limits

log = structlog.stdlib.get_logger("patrol.web")

QUIET_PATHS = ("/report", "/tips", "/api/v1/tips")
ANONYMOUS_PATHS = ("/api/v1/reports", "/open311")

SECRET_KEYS = frozenset(
    {"authorization", "cookie", "password", "secret", "token", "csrf_token", "code", "receipt_code"}
    | {"phone", "contact", "name", "words", "client_id", "key", "address", "user_agent", "referrer"}
)
_SECRET_IN_TEXT = re.compile(r"(?i)\b(key|access_token|token|sign|secret|code)=[^&\s\"']+")
_LINE_BREAKS = str.maketrans({"\u0085": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def is_quiet(request: Request) -> bool:
    """Whether this request may be a tip: then nothing about the caller is kept anywhere."""
    path = request.path
    if any(path == quiet or path.startswith(quiet + "/") for quiet in QUIET_PATHS):
        return True
    anonymous = not has_credential(request)
    return anonymous and any(path == other or path.startswith(other + "/") for other in ANONYMOUS_PATHS)


def has_credential(request: Request) -> bool:
    """Whether the caller says who they are: a bearer, or a session found valid (`g.signed_in`).

    A mere cookie says nothing: one of another program on the same host comes along with every tip.
    """
    return bool(request.headers.get("Authorization") or g.get("signed_in"))


def note_request(request: Request, response: Response) -> None:
    """One line for one request."""
    quiet = is_quiet(request)
    facts: dict[str, Any] = {
        "method": request.method[:16],
        "route": request.url_rule.rule if request.url_rule else None,
        "status": response.status_code,
        "ms": round((time.monotonic() - g.get("started_s", time.monotonic())) * 1000, 1),
    }
    if g.get("error_code"):
        facts["refused_as"] = g.error_code
    if not quiet:
        facts["path"] = request.path[:200]
    if (has_credential(request) and not quiet) or (quiet and current_app.config.get("LOG_TIPS")):
        facts["peer"] = limits.address(request)
    log.info("request", **facts)


def note_crash(request: Request, error: BaseException) -> None:
    """What broke and where; the message of the error only where it cannot hold a tip."""
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    facts: dict[str, Any] = {"kind": type(error).__name__, "frames": frames[-15:]}
    if error.__cause__ is not None:
        facts["cause"] = type(error.__cause__).__name__
    if not is_quiet(request):
        facts["message"] = str(error).partition("\n[parameters")[0][:500]
    log.error("crash", route=request.url_rule.rule if request.url_rule else None, **facts)


def _hide_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if key in SECRET_KEYS:
            event[key] = "***"
        elif isinstance(value, str):
            event[key] = _SECRET_IN_TEXT.sub(r"\1=***", value)
    return event


def _one_line(event: Any, **_: Any) -> str:
    return json.dumps(event, ensure_ascii=False, default=str).translate(_LINE_BREAKS)


def set_up_logging(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Everything that is logged in this process, by us or by a library, as JSON lines on `stream`."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _hide_secrets,
                structlog.processors.JSONRenderer(serializer=_one_line),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # These two write address and query of every request by themselves.
    for noisy in ("werkzeug", "granian.access"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
