"""Robots against a real local server: what counts as delivered, and what each failure asks for."""

from __future__ import annotations

import json
import logging
import socket
import ssl
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from patrol.errors import OutOfReach
from patrol.gateways import robotline
from patrol.gateways.cards import Card, Message, compose
from patrol.gateways.robots import BRANDS, DingTalk, Robot, WeCom, dingtalk_sign, feishu_sign
from tests.robotserver import RobotServer

NOW = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
KEY = "8f1d-secret-key-77"
SECRET = "SECexampleonly0000"

# A certificate that nobody has signed but itself, for 127.0.0.1; its key protects nothing.
_CERTIFICATE = (
    "MIIBWzCCAQ2gAwIBAgIUatJZCbnldmsxzs5YHboCr4/KSSkwBQYDK2VwMBQxEjAQ\n"
    "BgNVBAMMCWxvY2FsaG9zdDAgFw0yNjExMjMwNDUzMjVaGA8yMDUxMDcxNTA0NTMy\n"
    "NVowFDESMBAGA1UEAwwJbG9jYWxob3N0MCowBQYDK2VwAyEANDGptfaoBz+WQhZ2\n"
    "MU9ATjPUIpPYcPlT/pkutDtM0EWjbzBtMB0GA1UdDgQWBBQE+Lx76xROtM7WBmba\n"
    "WA6CoGhJQTAfBgNVHSMEGDAWgBQE+Lx76xROtM7WBmbaWA6CoGhJQTAPBgNVHRMB\n"
    "Af8EBTADAQH/MBoGA1UdEQQTMBGHBH8AAAGCCWxvY2FsaG9zdDAFBgMrZXADQQB1\n"
    "Maj1cLG1QcGQTR+LmFvBJilFQhrBs5K9tIzsFKIPaYA6tpwHwB/DoPL9o9B/MeNX\n"
    "Y7dKLj/9CTrUhgDTRWIA\n"
)
_ITS_KEY = "MC4CAQAwBQYDK2VwBCIEIEyIHyOWmesosKBTUnmo3JoFQ2/EC3zeYTLKtvzpBIim\n"


@pytest.fixture
def server() -> Iterator[RobotServer]:
    with RobotServer(clock=NOW.timestamp) as running:
        yield running


def robot_at(server: RobotServer, brand: str, *, secret: str = "", limit_s: float = 5.0) -> Robot:
    return BRANDS[brand]("office", server.url(brand, KEY), secret, True, limit_s)


def message(brand: str, words: str = "单位：城管中队") -> Message:
    (one,) = compose([Card("问题交办单 交办〔2026〕0012", (words,), "https://patrol.example/i/12", key="s12")], brand)
    return one


def refusal(robot: Robot, *, now: datetime = NOW) -> OutOfReach:
    with pytest.raises(OutOfReach) as caught:
        robot.send(message(robot.brand), now=now)
    return caught.value


@pytest.mark.parametrize("brand", BRANDS)
def test_a_receipt_is_the_vendors_own_zero(server: RobotServer, brand: str) -> None:
    ack = robot_at(server, brand).send(message(brand), now=NOW)
    assert (ack.code, ack.detail) == (0, "ok")
    (got,) = server.accepted
    assert got.content == message(brand).content
    assert (got.brand, got.key) == (brand, KEY)


@pytest.mark.parametrize("brand", ["wecom", "dingtalk"])
def test_markdown_goes_out_as_markdown(server: RobotServer, brand: str) -> None:
    (one,) = compose([Card("交办单", ("单位：城管",), "https://patrol.example/i/1")], brand, form="markdown")
    robot_at(server, brand).send(one, now=NOW)
    (got,) = server.accepted
    assert got.body["msgtype"] == "markdown"
    assert "[打开](https://patrol.example/i/1)" in got.content


def test_nobody_is_ever_mentioned(server: RobotServer) -> None:
    for brand in BRANDS:
        robot_at(server, brand).send(message(brand, '@all @13800001111 <at user_id="all">'), now=NOW)
    for got in server.accepted:
        said = json.dumps(got.body)
        assert "mentioned" not in said
        assert got.body.get("at", {}).get("isAtAll", False) is False
        assert "@" not in got.content and "<" not in got.content


def test_sign_vectors() -> None:
    assert dingtalk_sign("1700000000000", SECRET) == "l8JansAEAiOsA7sA1VSDUFzJNnYPtGU24h21ugbTF/A="
    # computed with openssl: an empty message, keyed with "1700000000\nSECexampleonly0000"
    assert feishu_sign("1700000000", SECRET) == "u9ze1IALeKEwujV/A9gCxg7b7ObP2zEVefUeZZkZ9R0="


def test_the_signature_in_a_query_is_escaped() -> None:
    robot = DingTalk("office", "https://oapi.dingtalk.com/robot/send?access_token=T", SECRET)
    assert robot.address(datetime.fromtimestamp(1_700_000_000, UTC)) == (
        "https://oapi.dingtalk.com/robot/send?access_token=T&timestamp=1700000000000"
        "&sign=l8JansAEAiOsA7sA1VSDUFzJNnYPtGU24h21ugbTF%2FA%3D"
    )


@pytest.mark.parametrize("brand", ["dingtalk", "feishu"])
def test_a_signed_robot_is_believed_only_with_its_secret_and_the_hour(brand: str) -> None:
    with RobotServer(clock=NOW.timestamp, secrets={brand: SECRET}) as server:
        signed = robot_at(server, brand, secret=SECRET)
        assert signed.send(message(brand), now=NOW).code == 0
        for wrong in (robot_at(server, brand), robot_at(server, brand, secret="SECother000000")):
            error = refusal(wrong)
            assert (error.code, error.facts["stop"]) == ("channel_stopped", True)
        assert refusal(signed, now=NOW - timedelta(hours=2)).facts["stop"] is True
        assert len(server.accepted) == 1


# fault -> code, least wait for (wecom, dingtalk, feishu), stop
VERDICTS: dict[str, tuple[str, tuple[int | None, int | None, int | None], bool]] = {
    "rate": ("rate_limited", (60, 600, 60), False),
    "bad_key": ("channel_stopped", (None, None, None), True),
    "busy": ("busy", (None, None, None), False),
    "500": ("http_500", (None, None, None), False),
    "429": ("rate_limited", (7, 7, 7), False),
    "reset": ("unreachable", (None, None, None), False),
    "reset_after": ("unreachable", (None, None, None), False),
    "html": ("not_understood", (None, None, None), False),
    "empty": ("not_understood", (None, None, None), False),
    "redirect": ("redirected", (None, None, None), False),
    "flood": ("too_long", (None, None, None), False),
    "silence": ("slow", (None, None, None), False),
    "drip": ("slow", (None, None, None), False),
    "trickle": ("slow", (None, None, None), False),
}


@pytest.mark.parametrize("brand", BRANDS)
@pytest.mark.parametrize("fault", VERDICTS)
def test_every_fault_has_its_verdict(server: RobotServer, brand: str, fault: str) -> None:
    server.retry_after = "7"
    server.next(fault)
    server.drip_s = 0.05  # never long enough between two bytes for a read timeout
    limit_s = 0.4 if fault in ("silence", "drip", "trickle") else 5.0
    began = time.monotonic()
    error = refusal(robot_at(server, brand, limit_s=limit_s))
    assert time.monotonic() - began < limit_s + 1.5
    code, waits, stop = VERDICTS[fault]
    assert (error.code, error.facts["wait_s"], error.facts["stop"]) == (
        code,
        waits[list(BRANDS).index(brand)],
        stop,
    )
    assert len(server.accepted) == (1 if fault == "reset_after" else 0)
    assert server.flooded_bytes < 50_000_000  # socket buffers, not the gigabyte
    assert server.calls == 1  # no silent second try, no redirect followed


BODIES = [
    b'{"errcode": false, "code": false}',
    b'{"errcode": "0", "code": "0"}',
    b'{"errcode": 0.0, "code": 0.0}',
    b'{"errcode": null, "code": null}',
    b'{"errcode": 93000, "errcode": 0, "code": 9, "code": 0}',
    b'{"errmsg": "ok", "msg": "ok"}',
    b'[{"errcode": 0, "code": 0}]',
    b"0",
    b'"errcode 0"',
    b'{"errcode": 0, "code": 0',
    b'{"errcode": 0, "code": 0} trailing',
    b"\xff\xfe{\x00}\x00",
    b"[" * 60_000,
    b'{"errcode": ' + b"9" * 5000 + b', "code": ' + b"9" * 5000 + b"}",
]


@pytest.mark.parametrize("brand", BRANDS)
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_only_a_whole_number_zero_in_one_object_counts(server: RobotServer, brand: str, body: bytes) -> None:
    server.next_raw(200, body)
    assert refusal(robot_at(server, brand)).code == "not_understood"


@pytest.mark.parametrize("status", [201, 202, 204, 206, 400, 403, 404, 502, 503])
def test_a_zero_under_another_status_does_not_count(server: RobotServer, status: int) -> None:
    server.next_raw(status, b"" if status == 204 else b'{"errcode": 0}')
    assert refusal(robot_at(server, "wecom")).code == f"http_{status}"


def test_feishu_answers_in_either_field(server: RobotServer) -> None:
    robot = robot_at(server, "feishu")
    server.next_raw(200, b'{"StatusCode": 0, "StatusMessage": "success"}')
    assert robot.send(message("feishu"), now=NOW).detail == "success"
    server.next_raw(200, b'{"StatusCode": 0, "code": 11232, "msg": "too many"}')
    assert refusal(robot).code == "rate_limited"
    server.next_raw(400, b'{"code": 19001, "msg": "param invalid"}')
    assert refusal(robot).facts["stop"] is True


def test_an_unknown_code_is_tried_again_and_named(server: RobotServer) -> None:
    server.next_raw(200, b'{"errcode": 40058, "errmsg": "invalid\\u0000 parameter"}')
    error = refusal(robot_at(server, "wecom"))
    assert (error.code, error.facts["stop"]) == ("vendor_40058", False)
    assert "40058 invalid parameter" in error.sentence and "office" in error.sentence


RETRY_AFTER = [
    ("30", 30),
    ("300", 300),
    ("3600", 300),
    ("1000000000", 300),
    (format_datetime(NOW + timedelta(seconds=45), usegmt=True), 45),
    (format_datetime(NOW + timedelta(days=3), usegmt=True), 300),
    (format_datetime(NOW - timedelta(days=1), usegmt=True), None),
    ("-5", None),
    ("0", None),
    ("1e9", None),
    ("soon", None),
    ("٣", None),
]


@pytest.mark.parametrize(("text", "wait_s"), RETRY_AFTER)
def test_retry_after_is_obeyed_up_to_five_minutes(server: RobotServer, text: str, wait_s: int | None) -> None:
    if text.isascii():
        server.next_raw(503, b"", Retry_After=text)
        assert refusal(robot_at(server, "wecom")).facts["wait_s"] == wait_s
        server.next_raw(429, b"", Retry_After=text)
        assert refusal(robot_at(server, "wecom")).facts["wait_s"] == (wait_s or 60)
    else:
        with pytest.raises(OutOfReach) as caught:
            robot_at(server, "wecom").read(robotline.Answer(503, text, b""), NOW)
        assert caught.value.facts["wait_s"] == wait_s


def test_a_short_retry_after_does_not_undercut_the_vendors_own_limit(server: RobotServer) -> None:
    server.next_raw(200, b'{"errcode": 45009}', Retry_After="3")
    assert refusal(robot_at(server, "wecom")).facts["wait_s"] == 60


def test_the_servers_date_is_not_believed(server: RobotServer) -> None:
    server.next_raw(200, b'{"errcode": 0}', Date=format_datetime(NOW - timedelta(days=1), usegmt=True))
    assert robot_at(server, "wecom").send(message("wecom"), now=NOW).code == 0


def test_a_certificate_nobody_signed_is_refused(tmp_path: Path) -> None:
    pem = tmp_path / "server.pem"
    pem.write_text(
        f"-----BEGIN PRIVATE KEY-----\n{_ITS_KEY}-----END PRIVATE KEY-----\n"
        f"-----BEGIN CERTIFICATE-----\n{_CERTIFICATE}-----END CERTIFICATE-----\n"
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with RobotServer(tls=context) as server:
        error = refusal(robot_at(server, "wecom"))
        assert (error.code, error.facts["stop"]) == ("tls", False)
        assert server.accepted == [] and server.calls == 0


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.1.9",
        "169.254.169.254",
        "100.64.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "fe80::1",
    ],
)
def test_a_vendors_name_that_leads_inside_is_not_called(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    asked = []

    def lookup(host: str, port: int, *args: object, **kwargs: object) -> list[object]:
        asked.append(host)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        outside = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("1.1.1.1", port))
        return [outside, (family, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    robot = WeCom("office", f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={KEY}")
    assert refusal(robot).code == "forbidden_address"
    assert asked == ["qyapi.weixin.qq.com"]  # resolved once, so no second answer can differ


def test_a_trial_robot_may_not_lead_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    outside = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 8099))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: outside)
    robot = WeCom("office", f"http://localhost:8099/cgi-bin/webhook/send?key={KEY}", near=True)
    assert refusal(robot).code == "forbidden_address"


def test_an_unknown_host_and_a_closed_port_are_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    with RobotServer() as server:
        robot = robot_at(server, "wecom")
    assert refusal(robot).code == "unreachable"

    def lookup(*args: object, **kwargs: object) -> list[object]:
        raise socket.gaierror(-3, "temporary failure")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    assert refusal(robot).code == "unknown_host"


def test_the_surroundings_cannot_turn_the_call_aside(
    server: RobotServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert robot_at(server, "wecom").send(message("wecom"), now=NOW).code == 0


def test_a_listener_that_never_reads_is_slow() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/cgi-bin/webhook/send?key={KEY}"
        began = time.monotonic()
        error = refusal(WeCom("office", url, near=True, limit_s=0.4))
        assert error.code == "slow" and time.monotonic() - began < 2.0


def test_keys_and_secrets_are_nowhere_to_be_read(server: RobotServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for brand in BRANDS:
        robot = robot_at(server, brand, secret=SECRET, limit_s=0.4)
        assert KEY not in repr(robot) and SECRET not in repr(robot)
        robot.send(message(brand), now=NOW)
        for fault in VERDICTS:
            server.next(fault)
            error = refusal(robot)
            said = "".join(traceback.format_exception(error)) + error.sentence + repr(error.facts)
            assert KEY not in said and SECRET not in said
            assert error.__context__ is None or KEY not in repr(error.__context__)
    assert "urllib3" in caplog.text  # the lines are there, the keys are not
    assert KEY not in caplog.text and SECRET not in caplog.text


def test_misuse_is_an_error_at_once(server: RobotServer) -> None:
    robot = robot_at(server, "wecom")
    with pytest.raises(ValueError):
        robot.send(message("wecom"), now=NOW.replace(tzinfo=None))
    with pytest.raises(ValueError):
        robot.send(message("feishu"), now=NOW)
    assert server.calls == 0
