"""Who is asking, and may they knock here: token or session to Actor, and the DOORS of `patrol.rules.rights`.

A door file registers its routes with `door`; a route that stands in no row of DOORS cannot be registered.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import quote

from flask import Blueprint, Response, current_app, g, redirect, request

from patrol.actions import people
from patrol.errors import BadInput, Fault, Malformed, NeedsVersion, NotSignedIn, Refused
from patrol.rules.rights import ANYONE as ANY_ROLE
from patrol.rules.rights import DOORS, PAGES, Door
from patrol.station import ANYONE, Actor, Station

COOKIE = "patrol_sid"
View = Callable[..., Any]
LARGEST_ID = 2**31 - 1
_NUMBER = re.compile(r"-?[0-9]{1,10}(\.[0-9]{1,17})?", re.ASCII)
_VERSION = re.compile(r'(?:W/)?"?([0-9]{1,9})"?', re.ASCII)
_BY_PATH = {(row.method, row.path): row for row in (*DOORS, *PAGES)}


def station() -> Station:
    return cast(Station, current_app.extensions["patrol"])


def session_value() -> str | None:
    """The cookie's session value when it belongs to a living session."""
    value = request.cookies.get(COOKIE)
    if not value:
        return None
    if "session_actor" not in g:
        with station().look() as look:
            try:
                g.session_actor = people.actor_of_session(look, value)
            except NotSignedIn:
                g.session_actor = None
    return value if g.session_actor is not None else None


def actor() -> Actor:
    """Who asks: a bearer token, else a signed-in session, else anyone. A bad token is never 'anyone'."""
    if "actor" in g:
        return cast(Actor, g.actor)
    header = request.headers.get("Authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise NotSignedIn("令牌要写成 Authorization: Bearer …。")
        with station().look() as look:
            g.actor = people.actor_of_token(look, token.strip())
    elif session_value() is not None:
        g.actor = g.session_actor
    else:
        g.actor = ANYONE
    if g.actor is not ANYONE:
        g.signed_in = True
    return cast(Actor, g.actor)


def door(blueprint: Blueprint, method: str, path: str) -> Callable[[View], View]:
    """Register a route of DOORS or PAGES with its own check in front."""
    row = _BY_PATH[(method, path)]

    def keep(view: View) -> View:
        @functools.wraps(view)
        def checked(**parts: Any) -> Any:
            answer = _knock(row)
            return view(**parts) if answer is None else answer

        name = f"{method.lower()}{path.replace('/', '_').replace('<', '').replace('>', '').replace('.', '_')}"
        blueprint.add_url_rule(_rule(path), endpoint=name, view_func=checked, methods=[method])
        return view

    return keep


def _rule(path: str) -> str:
    # a number no row can have is no address of ours: the database is not asked
    number = f"<int(max={LARGEST_ID}):"
    for name in ("request_id", "errand_id", "good", "class_id"):
        path = path.replace(f"<{name}>", f"{number}{name}>")
    return path


def _knock(row: Door) -> Response | None:
    """None lets in; a page shows the sign-in instead of an error."""
    if row.who == ANY_ROLE:
        if row.path not in ("/report", "/report/sum", "/tips"):
            actor()  # a bad token is told, even where nobody needs one
        return None
    who = actor()
    if not who.roles:
        if row in PAGES and request.method == "GET":
            return cast(Response, redirect(f"/signin?next={quote(request.path, safe='/')}", 303))
        raise NotSignedIn()
    if not who.has(*row.who):
        raise Refused("您的角色不能进这里。")
    return None


def if_match() -> int | None:
    """The version a change rests on, from If-Match; None when it was not sent."""
    text = request.headers.get("If-Match")
    if text is None:
        return None
    match = _VERSION.fullmatch(text.strip())
    if match is None:
        raise BadInput(Fault("If-Match", "bad_version", 'If-Match 要写版本号，如 "3"。'))
    return int(match[1])


def need_version() -> int:
    version = if_match()
    if version is None:
        raise NeedsVersion()
    return version


def whole(text: str, name: str, least: int = 1, most: int = 1_000_000_000) -> int:
    """A whole number from a query or form, in ASCII digits."""
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise BadInput(Fault(f"/{name}", "not_a_number", f"{name} 要写 {least} 到 {most} 的整数。"))
    return int(text)


def decimal(text: str) -> float | None:
    """A plain decimal number of a query, or None: no exponent, no NaN, no foreign digits."""
    return float(text) if _NUMBER.fullmatch(text) else None


def no_body() -> None:
    if (request.content_length or 0) > 0:
        raise Malformed("这个请求不带内容。")
