"""Keys in Chromium: made and handed over, an identity opened by two, a newcomer let in, a number rung back.

What the browser makes is opened in Python and the other way round: both ends speak the same envelopes.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nacl.pwhash
import nacl.secret
import pytest
from flask import Flask

from patrol import models as m
from patrol.gateways import envelopes, identity
from patrol.station import Station
from patrol.web.access import COOKIE
from patrol.web.app import create_app
from tests.chromium import answering
from tests.sealroom import Ring, holder, ring
from tests.walk import Town, picture
from tests.web.api_town import form
from tests.web.deskroom import Desk

PASSPHRASE = "清澈的太湖港 二零二六年冬天"
PHONE, NAME = "13987654321", "李守堤"


def key_file(private: bytes, folder: Path) -> str:
    """A key file as `lock_key` makes it, with a lighter passphrase than people get: the page reads how heavy."""
    salt = bytes(16)
    key = nacl.pwhash.argon2id.kdf(32, PASSPHRASE.encode(), salt, opslimit=1, memlimit=1 << 20)
    content = {
        "patrol_key": 1, "kdf": "argon2id13", "ops": 1, "memory_bytes": 1 << 20, "public": "",
        "salt": base64.b64encode(salt).decode(), "box": base64.b64encode(bytes(nacl.secret.SecretBox(key).encrypt(private))).decode(),
    }  # fmt: skip
    path = folder / f"{private.hex()[:8]}.key"
    path.write_text(json.dumps(content), "utf-8")
    return str(path)


@pytest.fixture
def app(station: Station) -> Flask:
    return create_app(station)


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    with answering(app) as found:
        yield found


@pytest.fixture
def open_tab(chromium: Any, station: Station, app: Flask, address: str) -> Iterator[Callable[..., Any]]:
    """Signed-in tabs; every complaint of the browser is a fault."""
    faults: list[str] = []
    contexts = []

    def opened(name: str, role: str, path: str = "/keys", width: int = 1280) -> Any:
        who = Desk(Town(station), app, role, name=name)
        cookie = who.client.get_cookie(COOKIE, domain="localhost")
        assert cookie is not None
        context = chromium.new_context(viewport={"width": width, "height": 900}, locale="zh-CN")
        context.add_cookies([{"name": COOKIE, "value": cookie.value, "url": address}])
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(100_000)
        page.sent = []
        page.on("request", lambda sent: page.sent.append((sent.url, sent.post_data or "")))
        page.on("pageerror", lambda fault: faults.append(str(fault)))
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        page.goto(address + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def a_tip(app: Flask, station: Station) -> None:
    report = {"kind": "sewage", "words": "黑水", "position": Town(station).at(), "callback": True, "reward": True,
              "contact": {"phone": PHONE, "name": NAME}}  # fmt: skip
    assert app.test_client().post("/api/v1/reports", **form({"report": report}, [picture(5)])).status_code == 201


def unlock(page: Any, file: str) -> None:
    page.set_input_files("[data-unlock] input[name=file]", file)
    page.fill("[data-unlock] input[name=passphrase]", PASSPHRASE)
    page.click("[data-unlock] button[type=submit]")
    page.locator("[data-opened]").wait_for()


def test_a_key_is_made_in_the_browser_and_handed_over(
    station: Station, open_tab: Callable[..., Any], tmp_path: Path
) -> None:
    page = open_tab("专员甲", "reward")
    assert "甲组还没有钥匙" in page.inner_text(".missing")
    page.fill("[data-make] input[name=passphrase]", "短")
    page.click("[data-make] button[type=submit]")
    assert "至少 12 个字" in page.inner_text("[data-make] .missing-block")
    page.fill("[data-make] input[name=passphrase]", PASSPHRASE)
    page.fill("[data-make] input[name=again]", PASSPHRASE)
    with page.expect_download(timeout=120_000) as waited:
        page.click("[data-make] button[type=submit]")
    file = tmp_path / "made.key"
    waited.value.save_as(file)
    paper = page.inner_text("[data-recovery-text]")
    page.click("[data-register] button")
    page.locator("[data-unlock]").wait_for()
    private = identity.unlock_key(file.read_bytes(), PASSPHRASE)
    assert identity.read_recovery(paper) == private
    with station.look() as look:
        row = look.session.query(m.SealKey).one()
    assert (row.side, row.state) == ("a", "active") and row.public == bytes(envelopes.PrivateKey(private).public_key)
    secrets = (private.hex(), base64.b64encode(private).decode(), PASSPHRASE, paper)
    assert not any(secret in url + body for url, body in page.sent for secret in secrets)


def test_two_officers_open_an_identity(
    station: Station, app: Flask, open_tab: Callable[..., Any], tmp_path: Path
) -> None:
    held = ring(station)
    a_tip(app, station)
    first, second = open_tab("专员甲", "reward"), open_tab("专员乙", "reward")
    assert PHONE not in first.content() and NAME not in first.content()
    first.click("[data-do=ask]")
    assert first.evaluate("document.activeElement.name") == "reason"
    first.fill("[data-tip] input[name=reason]", "核对领奖人")
    first.click("[data-do=ask]")
    assert "先打开您的钥匙" in first.inner_text("[data-unlock] .missing-block")
    unlock(first, key_file(held.a, tmp_path))
    first.click("[data-do=ask]")
    first.get_by_text("等另一组打开").wait_for()
    second.reload()
    unlock(second, key_file(held.b, tmp_path))
    second.click("[data-do=open]")
    second.locator("[data-identity] dd").first.wait_for()
    told = second.inner_text("[data-identity]")
    assert PHONE in told and NAME in told
    assert second.evaluate("document.querySelector('[data-identity] img').decode().then(() => true)")
    second.click("[data-hide]")
    assert PHONE not in second.content()
    assert not any(PHONE in body or NAME in body for page in (first, second) for _, body in page.sent)
    with station.look() as look:
        events = [row.event for row in look.session.query(m.Trail).filter(m.Trail.event.like("identity_%"))]
    assert events == ["identity_asked", "identity_opened"]


def test_a_newcomer_is_let_in_and_opens_what_was_sealed_before(
    station: Station, app: Flask, open_tab: Callable[..., Any], tmp_path: Path
) -> None:
    held = ring(station)
    a_tip(app, station)
    private, new = holder(station, "专员丙")
    page = open_tab("专员乙", "reward")
    unlock(page, key_file(held.b, tmp_path))
    page.click(f"[data-do=vouch][data-key='{new.key_id}']")
    page.get_by_text("专员乙 放行").wait_for()
    with station.look() as look:
        sealed = look.session.query(m.Sighting).one().identity_sealed
    assert json.loads(Ring(station, held.a, private, b"").identity(sealed))["phone"] == PHONE


def test_a_number_is_rung_back_with_a_reason(
    station: Station, app: Flask, open_tab: Callable[..., Any], tmp_path: Path
) -> None:
    held = ring(station)
    a_tip(app, station)
    page = open_tab("话务员", "operator", "/callbacks", width=390)
    assert PHONE not in page.content()
    unlock(page, key_file(held.operator, tmp_path))
    page.fill("input[name=reason]", "问清位置")
    page.click("[data-callback] button[type=submit]")
    page.locator("[data-number] a").wait_for()
    assert page.inner_text("[data-number]") == PHONE and page.get_attribute("[data-number] a", "href") == f"tel:{PHONE}"
    page.reload()
    assert "打开过 1 次" in re.sub(r"\s+", " ", page.inner_text("[data-callback]")) and PHONE not in page.content()
