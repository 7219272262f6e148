"""Sign-in and sign-out of staff: where one lands, what the cookie is, what guessing costs, whose paths it follows."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from patrol.actions import people
from patrol.station import ANYONE, Station
from patrol.web import limits
from patrol.web.access import COOKIE
from patrol.web.app import create_app
from patrol.web.signin import own_path
from tests.walk import Town
from tests.web.deskroom import PASSWORD

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def app(station: Station) -> Iterator[Flask]:
    limits.reset()
    made = create_app(station)
    made.testing = True
    yield made


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def account(station: Station, login: str, *roles: str, unit: str | None = None) -> None:
    with station.work(ANYONE) as work:
        people.add_account(work, login, PASSWORD, roles, name=f"人{login}", unit=unit)


def sign_in(
    client: FlaskClient, login: str, password: str = PASSWORD, base: str = "http://localhost", **more: str
) -> TestResponse:
    given = {"login": login, "password": password, **more}
    return client.post("/signin", data=given, content_type=FORM, base_url=base)


def session_of(client: FlaskClient) -> str:
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    return cookie.value


def token_of(client: FlaskClient) -> str:
    found = re.search(r'csrf-token" content="([^"]+)', client.get("/desk").get_data(as_text=True))
    assert found is not None
    return found[1]


@pytest.mark.parametrize(("role", "there"), [
    ("office", "/desk"), ("chief", "/desk"), ("grid", "/phone"), ("unit", "/phone"), ("operator", "/hotline"), ("reward", "/keys"),
])  # fmt: skip
def test_each_role_lands_on_its_page(client: FlaskClient, station: Station, role: str, there: str) -> None:
    account(station, "one", role, unit="water" if role == "unit" else None)
    answer = sign_in(client, "one")
    assert answer.status_code == 303 and answer.headers["Location"] == there
    assert client.get(there).status_code == 200
    again = client.get("/signin")
    assert again.status_code == 303 and again.headers["Location"] == there


def test_the_cookie_is_closed_to_scripts_and_other_sites(client: FlaskClient, app: Flask, station: Station) -> None:
    account(station, "one", "office")
    cookie = sign_in(client, "one").headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=") and "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie
    assert "Secure" not in cookie, "plain http on the machine itself must still work"
    assert f"Max-Age={station.settings.session_hours * 3600}" in cookie
    safe = sign_in(app.test_client(), "one", base="https://localhost")
    assert "Secure" in safe.headers["Set-Cookie"]


def test_every_sign_in_is_a_new_session_and_ends_the_old_one(client: FlaskClient, app: Flask, station: Station) -> None:
    account(station, "one", "office")
    client.set_cookie(COOKIE, "chosen-by-somebody-else", domain="localhost")
    sign_in(client, "one")
    first = session_of(client)
    assert first != "chosen-by-somebody-else"
    assert sign_in(client, "one").status_code == 403, "who is signed in already cannot be signed in by another site"
    sign_in(client, "one", csrf_token=token_of(client))
    assert session_of(client) != first
    other = app.test_client()
    other.set_cookie(COOKIE, first, domain="localhost")
    assert other.get("/desk").headers["Location"] == "/signin?next=/desk"


def test_wrong_name_and_wrong_password_read_the_same(client: FlaskClient, station: Station) -> None:
    account(station, "one", "office")
    bodies = []
    for login, password in (("one", "not-the-password"), ("nobody", "not-the-password")):
        answer = sign_in(client, login, password, next="/desk/issues")
        page = html.unescape(answer.get_data(as_text=True))
        assert answer.status_code == 401 and "登录名或密码不对。" in page and "Set-Cookie" not in answer.headers
        assert f'value="{login}"' in page and 'value="/desk/issues"' in page and password not in page
        bodies.append(re.sub(r'nonce="[^"]*"|value="[^"]*"', "", page))
    assert bodies[0] == bodies[1]


def test_wrong_passwords_slow_down_and_never_lock(client: FlaskClient, station: Station) -> None:
    account(station, "one", "office")
    for _ in range(6):
        last = sign_in(client, "one", "wrong")
    assert last.status_code == 429
    waited = int(last.headers["Retry-After"])
    assert 0 < waited <= 60 and f"{waited} 秒后再试" in last.get_data(as_text=True)
    assert sign_in(client, "one").status_code == 429, "the right one waits too"
    station.clock.forward(seconds=waited)  # type: ignore[attr-defined]
    assert sign_in(client, "one").status_code == 303


def test_one_address_cannot_try_many_names(client: FlaskClient) -> None:
    statuses = [sign_in(client, f"name{n}", "wrong").status_code for n in range(21)]
    assert statuses == [401] * 20 + [429]


def test_after_sign_in_one_goes_on_where_one_was(client: FlaskClient, station: Station) -> None:
    account(station, "one", "office")
    sent = client.get("/desk/issues")
    assert sent.headers["Location"] == "/signin?next=/desk/issues"
    page = client.get(sent.headers["Location"]).get_data(as_text=True)
    assert 'name="next" value="/desk/issues"' in page and "登录后接着办" in page
    assert sign_in(client, "one", next="/desk/issues").headers["Location"] == "/desk/issues"


@pytest.mark.parametrize("foreign", [
    "https://evil.example/", "//evil.example/", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", "evil", "",
    "/signin", "/signin?next=/signin", "/signout", "/api/v1/issues", "/\tevil", "///evil.example", "http:/evil", "/desk\r\nX: y",
])  # fmt: skip
def test_next_follows_our_own_paths_only(client: FlaskClient, station: Station, foreign: str) -> None:
    assert own_path(foreign) == ""
    account(station, "one", "office")
    answer = sign_in(client, "one", next=foreign)
    assert answer.status_code in (303, 422) and answer.headers.get("Location", "/desk") == "/desk"


@given(st.text(max_size=40))
def test_a_followed_path_never_leaves_the_host(text: str) -> None:
    for given_text in (text, "/" + text):
        found = own_path(given_text)
        assert found == "" or (found == given_text and re.match(r"/(?![/\\])", found) and "\\" not in found)


def test_sign_out_ends_the_session_and_keeps_unsent_photos(client: FlaskClient, app: Flask, station: Station) -> None:
    account(station, "one", "office")
    sign_in(client, "one")
    value = session_of(client)
    refused = client.post("/signout", data={}, content_type=FORM)
    assert refused.status_code == 403 and session_of(client) == value, "another site cannot sign somebody out"
    answer = client.post("/signout", data={"csrf_token": token_of(client)}, content_type=FORM)
    assert answer.status_code == 303 and answer.headers["Location"] == "/signin"
    assert client.get_cookie(COOKIE) is None and '"storage"' not in answer.headers["Clear-Site-Data"]
    other = app.test_client()
    other.set_cookie(COOKIE, value, domain="localhost")
    assert other.get("/desk").status_code == 303


def test_a_slips_address_opens_the_issue_on_the_page_of_the_role(
    client: FlaskClient, app: Flask, station: Station
) -> None:
    number = Town(station).to_assigned()
    assert client.get(f"/i/{number}").headers["Location"] == f"/signin?next=/i/{number}"
    for login, role, unit, there in (("a", "office", None, f"/desk/issues/{number}"), ("b", "unit", "water", f"/phone/issues/{number}"),
                                     ("c", "operator", None, f"/map?issue={number}")):  # fmt: skip
        account(station, login, role, unit=unit)
        browser = app.test_client()
        assert sign_in(browser, login, next=f"/i/{number}").headers["Location"] == f"/i/{number}"
        answer = browser.get(f"/i/{number}")
        assert answer.status_code == 303 and answer.headers["Location"] == there
        assert browser.get(there).status_code == 200
    account(station, "d", "unit", unit="construction")
    stranger = app.test_client()
    sign_in(stranger, "d")
    hidden, absent = stranger.get(f"/i/{number}"), stranger.get("/i/TH-2026-9999")
    assert hidden.status_code == absent.status_code == 404
