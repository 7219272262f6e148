"""The words of the reader's language: Chinese is written in the templates, English is looked up by it.

Words that the tables, forms and questions make are looked up where a template prints them (`finalize`): whole, by a
sentence with places, or run by run; whatever holds one unknown word is somebody's own and stays as it was written.

On pages of the public the language follows the address (`?lang=en`) or what the browser asks for, and nothing is
remembered. Staff pages remember a choice in a cookie. A word without English stays Chinese; a test names each one.
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from flask import Flask, Response, g, has_request_context, redirect, request
from jinja2 import pass_context
from markupsafe import Markup, escape

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
COMPOSED = CATALOGUE.with_name("en-composed.json")
KEPT = frozenset({"左岸", "右岸", "号排口"})
"""Said as they are on the spot, in every language."""
FREE = frozenset({"name"})
"""Places of a sentence that hold a person's or a thing's own name."""
_HAN = re.compile(r"[\u3400-\u9fff]+")
_PLACE = re.compile(r"%\((\w+)\)s")
_MARKS = str.maketrans({"，": ", ", "。": ". ", "：": ": ", "；": "; ", "、": ", ", "（": " (", "）": ")"})
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


@functools.cache
def composed() -> dict[str, str]:
    """Chinese -> English for words made outside the templates; the templates' own go before."""
    return cast(dict[str, str], json.loads(COMPOSED.read_text("utf-8"))) | english()


@functools.cache
def _sentences() -> list[tuple[re.Pattern[str], str]]:
    """Sentences with places, the longest first, each as a pattern of its Chinese."""
    found = []
    for zh, en in sorted(composed().items(), key=lambda pair: -len(_PLACE.sub("", pair[0]))):
        names = _PLACE.findall(zh)
        if names and len(set(names)) == len(names) and _HAN.search(zh):
            parts = _PLACE.split(zh)
            pattern = "".join(f"(?P<{part}>.+?)" if at % 2 else re.escape(part) for at, part in enumerate(parts))
            found.append((re.compile(pattern, re.DOTALL), en))
    return found


@functools.lru_cache(maxsize=8192)
def in_english(words: str) -> str:
    """Chinese words of ours in English; words that are not ours as they are."""
    return _found(words) or words


def _found(words: str) -> str | None:
    if not _HAN.search(words):
        return words
    bare = words.strip()
    if bare in composed():
        return words.replace(bare, composed()[bare])
    for pattern, en in _sentences():
        match = pattern.fullmatch(bare)
        if match:
            values = {name: part if name in FREE else _found(part) for name, part in match.groupdict().items()}
            if None not in values.values():
                return en % values
    runs = _HAN.findall(words)
    if not all(run in KEPT or run in composed() for run in runs):
        return None
    return _HAN.sub(lambda run: run[0] if run[0] in KEPT else composed()[run[0]], words.translate(_MARKS))


@pass_context  # so that Jinja does not fold it into a page when that is compiled
def finalize(_: Any, value: Any) -> Any:
    """What a template prints, in the reader's language; markup is finished already."""
    if isinstance(value, str) and not isinstance(value, Markup) and language() == "en":
        return in_english(value)
    return value


def as_written(words: str) -> Markup:
    """Words that somebody is going to copy: in no language but their own."""
    return escape(words)


def gettext(message: str, /, **values: Any) -> str:
    """The words for a Chinese message, its %(name)s places filled."""
    if language() != "en":
        return message % values if values else message
    words = composed().get(message, message)
    return words % {name: in_english(v) if isinstance(v, str) else v for name, v in values.items()} if values else words


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
    app.jinja_env.filters["as_written"] = as_written
    app.jinja_env.finalize = finalize

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
