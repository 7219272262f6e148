"""The words of the reader's language: Chinese is written in the templates, English is looked up by it.

On pages of the public the language follows the address (`?lang=en`) or what the browser asks for, and nothing is
remembered. Staff pages remember a choice in a cookie. A word without English stays Chinese; a test names each one.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from flask import Flask, Response, g, has_request_context, redirect, request

from patrol.rules import lifecycle
from patrol.rules.hands import TEAM_KINDS
from patrol.rules.observing import SERIES
from patrol.rules.points import EARNINGS
from patrol.rules.problems import PROBLEMS
from patrol.rules.rewards import GRADES

LANGS = {"zh-CN": "中文", "en": "English"}
COOKIE = "patrol_lang"
PUBLIC = ("/", "/report", "/tips", "/check", "/map", "/volunteer", "/nature")
CATALOGUE = Path(__file__).parents[2] / "templates" / "locale" / "en.json"
_YEAR_S = 365 * 86400


@functools.cache
def english() -> dict[str, str]:
    """Chinese -> English: the tables' own words, and over them the catalogue of the templates."""
    words = {zh: lifecycle.STATES_EN[code] for code, zh in lifecycle.STATES.items()}
    words |= {step.zh: step.en for step in lifecycle.STEPS.values()}
    words |= {row.zh: row.en for row in PROBLEMS.values()}
    words |= {row.plain_zh: row.plain_en for row in PROBLEMS.values()}
    words |= {row.zh: row.en for table in (EARNINGS, SERIES, GRADES, TEAM_KINDS) for row in table.values()}
    return words | cast(dict[str, str], json.loads(CATALOGUE.read_text("utf-8")))


def language() -> str:
    """The language of this answer."""
    if not has_request_context():
        return "zh-CN"
    if "lang" not in g:
        g.lang = _choose()
    return cast(str, g.lang)


def _choose() -> str:
    named = request.args.get("lang")
    if named in LANGS:
        return named or ""
    if is_public(request.path):
        asked = request.accept_languages.best_match(["zh-CN", "zh", "en"], "zh-CN")
        return "en" if asked == "en" else "zh-CN"
    kept = request.cookies.get(COOKIE)
    return kept if kept in LANGS else "zh-CN"


def is_public(path: str) -> bool:
    """Whether a page is the public's: it neither sets nor reads a cookie for the language."""
    return path in PUBLIC


def gettext(message: str, /, **values: Any) -> str:
    """The words for a Chinese message, its %(name)s places filled."""
    words = english().get(message, message) if language() == "en" else message
    return words % values if values else words


def go(path: str) -> str:
    """An address of ours that keeps a language which was chosen by address."""
    if has_request_context() and is_public(request.path) and request.args.get("lang") in LANGS:
        return f"{path}{'&' if '?' in path else '?'}lang={request.args['lang']}"
    return path


def choices() -> list[dict[str, Any]]:
    """Links to this page in each language."""
    kept = {name: value for name, value in request.args.items() if name != "lang"} if request.method == "GET" else {}
    return [{"href": f"{request.path}?{urlencode({**kept, 'lang': code})}", "zh": zh, "lang": code,
             "on": code == language()} for code, zh in LANGS.items()]  # fmt: skip


def install(app: Flask) -> None:
    """Give templates `_` and `go`, and remember the choice on staff pages. Call it after the guard."""
    app.jinja_env.globals["_"] = gettext
    app.jinja_env.globals["go"] = go

    @app.before_request
    def _remember() -> Response | None:
        """A staff page takes `?lang=` off its address before its door reads the query."""
        path = request.path
        chosen = request.args.get("lang")
        page = not path.startswith(("/api/", "/assets/", "/health/"))
        if request.method != "GET" or chosen not in LANGS or not page or is_public(path):
            return None
        rest = urlencode({name: value for name, value in request.args.items() if name != "lang"})
        answer = cast(Response, redirect(f"{path}?{rest}" if rest else path, 303))
        answer.set_cookie(
            COOKIE, chosen or "zh-CN", max_age=_YEAR_S, httponly=True, samesite="Lax", secure=request.is_secure
        )
        return answer
