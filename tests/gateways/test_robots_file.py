"""The robots file: what it takes, and that it names everything wrong at once without telling secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from patrol.errors import Misconfigured
from patrol.gateways.robotfile import RobotFile
from patrol.gateways.robots import DingTalk, Feishu, WeCom

WECOM = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=693a91f6-7xxx-4bc4"
DINGTALK = "https://oapi.dingtalk.com/robot/send?access_token=66d8a1f0"
FEISHU = "https://open.feishu.cn/open-apis/bot/v2/hook/f19c0a-11"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "robots.toml"
    path.write_text(text, encoding="utf-8")
    return path


def row(group: str = "office", brand: str = "wecom", url: str = WECOM, more: str = "") -> str:
    return f'[[robot]]\ngroup = "{group}"\nbrand = "{brand}"\nurl = "{url}"\n{more}\n'


def faults_of(path: Path | None, *hosts: str) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        RobotFile.load(path, hosts)
    sentences = [fault.sentence for fault in caught.value.facts["faults"]]
    assert all(sentence in caught.value.sentence for sentence in sentences)
    for secret in ("693a91f6", "66d8a1f0", "f19c0a", "SECsecret"):
        assert secret not in caught.value.sentence + repr(caught.value.facts) + repr(caught.value.__context__)
    return sentences


def test_a_file_as_the_office_writes_it(tmp_path: Path) -> None:
    text = (
        row("chiefs")
        + row("office", "dingtalk", DINGTALK, 'secret = "SECsecret"')
        + row("unit:CG-01", "feishu", FEISHU)
    )
    robots = RobotFile.load(write(tmp_path, text), ())
    assert list(robots.groups) == ["chiefs", "office", "unit:CG-01"]
    assert [type(robot) for robot in robots.groups.values()] == [WeCom, DingTalk, Feishu]
    office = robots.groups["office"]
    assert (office.group, office.brand, office.url, office.secret, office.near) == (
        "office",
        "dingtalk",
        DINGTALK,
        "SECsecret",
        False,
    )
    assert robots.get("office") is office and robots.get("fishing") is None
    assert "693a91f6" not in repr(robots) and "SECsecret" not in repr(robots)


def test_no_file_is_no_robots(tmp_path: Path) -> None:
    assert RobotFile.load(None, ()).groups == {}
    assert RobotFile.load(write(tmp_path, ""), ()).groups == {}


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1:8099", "http://127.0.0.1:8099/cgi-bin/webhook/send?key=k"),
        ("localhost:8099", "http://LOCALHOST:8099/cgi-bin/webhook/send?key=k"),
        ("[::1]:8099", "http://[::1]:8099/cgi-bin/webhook/send?key=k"),
        ("127.0.0.1:443", "https://127.0.0.1/cgi-bin/webhook/send?key=k"),
    ],
)
def test_a_trial_robot_on_this_machine(tmp_path: Path, host: str, url: str) -> None:
    robots = RobotFile.load(write(tmp_path, row(url=url)), (host,), limit_s=1.5)
    assert robots.groups["office"].near is True and robots.groups["office"].limit_s == 1.5
    assert "不在允许之列" in faults_of(write(tmp_path, row(url=url)))[0]


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.5:80",
        "patrol.example:80",
        "127.0.0.1",
        "127.0.0.1:0",
        "127.0.0.1:70000",
        "169.254.169.254:80",
        "0x7f.1:80",
        "[::ffff:10.0.0.1]:80",
        "2130706433:80",
        ":80",
        "",
        "127.0.0.1:8٣",
        "localhost.evil.example:80",
    ],
)
def test_extra_hosts_are_this_machine_only(host: str) -> None:
    (sentence,) = faults_of(None, host)
    assert "PATROL_ROBOT_HOSTS" in sentence and "127.0.0.1:8099" in sentence


WRONG_URLS = [
    ("http://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=693a91f6", "https"),
    ("https://evil.example/cgi-bin/webhook/send?key=693a91f6", "主机"),
    ("https://qyapi.weixin.qq.com.evil.example/cgi-bin/webhook/send?key=693a91f6", "主机"),
    ("https://oapi.dingtalk.com/robot/send?access_token=66d8a1f0", "主机"),
    ("https://qyapi.weixin.qq.com@evil.example/cgi-bin/webhook/send?key=693a91f6", "写法"),
    ("https://evil.example\\\\@qyapi.weixin.qq.com/cgi-bin/webhook/send?key=693a91f6", "写法"),
    ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=693a91f6#a", "写法"),
    ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=693a91f6 x", "写法"),
    ("https://qyapi.weixin.qq.com:99999/cgi-bin/webhook/send?key=693a91f6", "写法"),
    ("https://[::1/cgi-bin/webhook/send?key=693a91f6", "写法"),
    ("https://qyapi.weixin.qq.com:8443/cgi-bin/webhook/send?key=693a91f6", "主机"),
    ("https://127.0.0.1/cgi-bin/webhook/send?key=693a91f6", "主机"),
    ("https://169.254.169.254/cgi-bin/webhook/send?key=693a91f6", "主机"),
    ("https://[::ffff:7f00:1]/cgi-bin/webhook/send?key=693a91f6", "主机"),
    ("https://0x7f.1/cgi-bin/webhook/send?key=693a91f6", "主机"),
    ("https://qyapi.weixin.qq.com/cgi-bin/message/send?key=693a91f6", "路径"),
    ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send/../../x?key=693a91f6", "路径"),
    ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send", "key=…"),
    ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=", "key=…"),
    ("file:///etc/passwd", "写法"),
    ("693a91f6-7xxx-4bc4", "写法"),
]


@pytest.mark.parametrize(("url", "word"), WRONG_URLS)
def test_an_address_that_is_not_the_vendors(tmp_path: Path, url: str, word: str) -> None:
    (sentence,) = faults_of(write(tmp_path, row(url=url)), "127.0.0.1:8099")
    assert word in sentence and sentence.startswith("第 1 个机器人")


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    text = (
        "[mail]\nhost = 1\n"
        + row("everyone", "slack", WECOM)
        + row("office", "wecom", "https://evil.example/693a91f6", 'secret = "SECsecret"\ncolour = "red"')
        + '[[robot]]\ngroup = "fishing"\nurl = 7\n'
        + row("chiefs")
        + row("chiefs", "feishu", FEISHU)
    )
    said = "；".join(faults_of(write(tmp_path, text), "10.0.0.5:80"))
    wanted = "PATROL_ROBOT_HOSTS|「mail」|group 只能是|brand 只能是|不用 secret|「colour」|主机不在允许之列"
    for words in [*wanted.split("|"), "缺少 brand", "缺少 url", "chiefs 已有机器人"]:
        assert words in said


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b'[[robot]]\nurl = "693a91f6\n', "TOML（line 2"),
        (b"\xff\xfe[\x00", "UTF-8"),
        (b"x = " + b"[" * 100_000, "TOML"),
        (b"#" * 300_000, "256 kB"),
        (b"robot = 5\n", "两层方括号"),
        (b"robot = [5]\n", "一节"),
        (b'[robot]\ngroup = "office"\n', "两层方括号"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, raw: bytes, word: str) -> None:
    path = tmp_path / "robots.toml"
    path.write_bytes(raw)
    assert word in faults_of(path)[0]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "打不开" in faults_of(tmp_path / "none.toml")[0]
    assert "打不开" in faults_of(tmp_path)[0]
