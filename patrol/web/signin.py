"""Sign-in and sign-out of staff, and the one address a slip's QR opens.

The session is a new random value at every sign-in and lives in an HttpOnly cookie. After it the person goes to
where the address asked for (our own paths only) or to the page of their role.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, make_response, redirect, render_template, request

from patrol.actions import handle, people
from patrol.errors import TooMuch
from patrol.station import ANYONE, Actor
from patrol.web import access, language, limits, parse
from patrol.web.access import COOKIE, door, station

bp = Blueprint("signin", __name__)

TRIES_A_MINUTE = 20
LANDING = (
    (frozenset({"office", "office_head", "chief", "inspector"}), "/desk"),
    (frozenset({"grid", "unit"}), "/phone"),
    (frozenset({"operator"}), "/hotline"),
    (frozenset({"reward"}), "/keys"),
)
CLEARS = '"cache", "cookies"'
"""Not "storage": a phone's unsent photos lie there, and a sign-out must not destroy evidence."""


def landing(actor: Actor) -> str:
    """The first page of a role."""
    return next((path for roles, path in LANDING if actor.roles & roles), "/")


def own_path(text: str) -> str:
    """The path if it is one of ours, else nothing: never another host, never a sign-in again."""
    parts = urlsplit(text)
    plain = text.isprintable() and text.isascii() and "\\" not in text
    if not plain or parts.scheme or parts.netloc or not text.startswith("/") or text.startswith("//"):
        return ""
    return "" if parts.path in ("/signin", "/signout") or parts.path.startswith("/api/") else text


@door(bp, "GET", "/signin")
def get_signin() -> Any:
    next_ = own_path(parse.query_args(request, ("next",)).get("next", ""))
    who = access.actor()
    if who.roles:
        return redirect(next_ or landing(who), 303)
    return _page(next_)


def _page(next_: str, login: str = "", fault: str = "") -> str:
    return render_template("pages/signin.html", next=next_, login=login, fault=fault, langs=language.choices())


@door(bp, "POST", "/signin")
def post_signin() -> Response:
    sent = parse.form_body(request)
    login, password = str(sent.get("login") or "").strip()[:64], str(sent.get("password") or "")[:1024]
    next_ = own_path(str(sent.get("next") or ""))
    try:
        limits.slow("signin", TRIES_A_MINUTE)
        with station().work(ANYONE) as work:
            value = people.sign_in(work, login, password)
            old = request.cookies.get(COOKIE)
            if value is not None and old:
                people.sign_out(work, old)  # one browser, one session
    except TooMuch as error:
        wait_s = int(error.facts.get("retry_after_s") or 60)
        response = make_response(_page(next_, login, language.gettext("试得太多，%(s)s 秒后再试。", s=wait_s)), 429)
        response.headers["Retry-After"] = str(wait_s)
        return response
    if value is None:
        return make_response(_page(next_, login, language.gettext("登录名或密码不对。")), 401)
    with station().look() as look:
        who = people.actor_of_session(look, value)
    response = make_response(redirect(next_ or landing(who), 303))
    response.set_cookie(
        COOKIE, value, max_age=station().settings.session_hours * 3600, httponly=True, samesite="Lax",
        secure=request.is_secure, path="/",
    )  # fmt: skip
    return response


@door(bp, "POST", "/signout")
def signout() -> Response:
    parse.form_body(request)
    value = request.cookies.get(COOKIE)
    if value:
        with station().work(access.actor()) as work:
            people.sign_out(work, value)
    response = make_response(redirect("/signin", 303))
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="Lax", secure=request.is_secure)
    response.headers["Clear-Site-Data"] = CLEARS
    return response


@door(bp, "GET", "/i/<issue>")
def open_issue(issue: str) -> Any:
    """What a slip's QR opens: the issue on the page of the person's role; out of scope is the same as absent."""
    who = access.actor()
    with station().look(who) as look:
        number = handle.find_issue(look, issue).number
    page = {"/desk": f"/desk/issues/{number}", "/phone": f"/phone/issues/{number}"}
    return redirect(page.get(landing(who), f"/map?issue={number}"), 303)
