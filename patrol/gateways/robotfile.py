"""The robots file: which group has which robot. Read once at start; every fault is named at once.

It is the only source of robot addresses: no page can add one. This file must not call anybody, and its
error sentences never repeat an address or a secret.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from patrol.errors import Fault, Misconfigured
from patrol.gateways.pace import CALL_LIMIT_S
from patrol.gateways.robots import BRANDS, Robot

_GROUP = re.compile(r"chiefs|office|fishing|unit:[\w\-]{1,64}")
_URL = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+/[A-Za-z0-9._~/%?=&:,+\-]*")
_FIELDS = {"group", "brand", "url", "secret"}
_MOST_BYTES = 256 * 1024
_PLACE = re.compile(r"line \d+, column \d+")


@dataclass(frozen=True)
class RobotFile:
    """group -> its robot. Empty when no file is configured: slips are then handed over by people."""

    groups: Mapping[str, Robot] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def load(
        cls, path: Path | str | None, extra_hosts: Sequence[str] = (), *, limit_s: float = CALL_LIMIT_S
    ) -> RobotFile:
        """Read the file, or raise Misconfigured with all its faults (`facts["faults"]`).

        `extra_hosts`: `host:port` on this machine that robots may also use, for trials.
        """
        faults: list[Fault] = []
        near = _near_hosts(extra_hosts, faults)
        groups: dict[str, Robot] = {}
        for index, row in enumerate(_rows(path, faults), start=1):
            robot = _robot(index, row, near, limit_s, faults)
            if robot is None:
                continue
            if robot.group in groups:
                faults.append(_fault(index, "group", f"{robot.group} 已有机器人，一个群只写一个"))
            groups[robot.group] = robot
        if faults:
            sentence = "机器人设置有误：" + "；".join(fault.sentence for fault in faults) + "。"
            raise Misconfigured(sentence, "bad_robots", faults=faults)
        return cls(MappingProxyType(groups))

    def get(self, group: str) -> Robot | None:
        """The robot of a group, or None."""
        return self.groups.get(group)


def _fault(index: int, where: str, sentence: str) -> Fault:
    return Fault(f"robot[{index}].{where}", "bad_robots", f"第 {index} 个机器人：{sentence}")


def _near_hosts(extra_hosts: Sequence[str], faults: list[Fault]) -> set[tuple[str, int]]:
    near = set()
    for text in extra_hosts:
        host, _, port = text.strip().rpartition(":")
        host = host.strip("[]").lower()
        if not _is_near(host) or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
            faults.append(
                Fault(
                    "PATROL_ROBOT_HOSTS",
                    "bad_robots",
                    f"PATROL_ROBOT_HOSTS 的「{text[:80]}」不行：只能写本机的“主机:端口”，如 127.0.0.1:8099",
                )
            )
        else:
            near.add((host, int(port)))
    return near


def _is_near(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _rows(path: Path | str | None, faults: list[Fault]) -> list[Any]:
    if path is None:
        return []
    where = "PATROL_ROBOTS_FILE"
    try:
        with Path(path).open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        faults.append(Fault(where, "bad_robots", f"机器人文件打不开（{error.strerror}），请核对路径和权限"))
        return []
    if len(raw) > _MOST_BYTES:
        faults.append(Fault(where, "bad_robots", "机器人文件超过 256 kB，不像是机器人文件"))
        return []
    try:
        data = tomllib.loads(raw.decode("utf-8"))
    except UnicodeDecodeError:
        faults.append(Fault(where, "bad_robots", "机器人文件不是 UTF-8 编码，请另存为 UTF-8"))
        return []
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        # Only the place: the parser's words may hold a piece of the line, and so of a key.
        place = _PLACE.search(str(error))
        at = f"（{place[0]}）" if place else ""
        faults.append(Fault(where, "bad_robots", f"机器人文件不是正确的 TOML{at}"))
        return []
    for name in sorted(set(data) - {"robot"}):
        faults.append(Fault(name, "bad_robots", f"机器人文件里有不认识的项「{name[:40]}」，只认 [[robot]]"))
    rows = data.get("robot", [])
    if not isinstance(rows, list):
        faults.append(Fault("robot", "bad_robots", "机器人要写成 [[robot]]（两层方括号）"))
        return []
    return rows


def _robot(index: int, row: Any, near: set[tuple[str, int]], limit_s: float, faults: list[Fault]) -> Robot | None:
    before = len(faults)
    if not isinstance(row, dict):
        faults.append(_fault(index, "", "要写成 [[robot]] 一节"))
        return None
    for name in sorted(set(row) - _FIELDS):
        faults.append(_fault(index, name, f"不认识的项「{name[:40]}」，只认 group、brand、url、secret"))
    said: dict[str, str] = {}
    for name in ("group", "brand", "url"):
        value = row.get(name)
        if isinstance(value, str) and value.strip():
            said[name] = value.strip()
        else:
            faults.append(_fault(index, name, f"缺少 {name}（要用引号写）"))
    secret = row.get("secret", "")
    if not isinstance(secret, str):
        faults.append(_fault(index, "secret", "secret 要用引号写"))
    if "group" in said and not _GROUP.fullmatch(said["group"]):
        faults.append(_fault(index, "group", "group 只能是 chiefs、office、fishing 或 unit:单位代码"))
    kind = BRANDS.get(said.get("brand", ""))
    if "brand" in said and kind is None:
        faults.append(_fault(index, "brand", f"brand 只能是 {'、'.join(BRANDS)}"))
    if kind is not None and kind.brand == "wecom" and secret:
        faults.append(_fault(index, "secret", "企业微信群机器人不用 secret，请删去"))
    is_near = False
    if kind is not None and "url" in said:
        is_near = _check_url(index, said["url"], kind, near, faults)
    if len(faults) > before or kind is None:
        return None
    return kind(said["group"], said["url"], secret.strip(), is_near, limit_s)


def _check_url(index: int, url: str, kind: type[Robot], near: set[tuple[str, int]], faults: list[Fault]) -> bool:
    """Whether the URL is one of this machine's; what is wrong with it goes to `faults`."""
    wanted = f"{kind.name}的网址应在 https://{kind.host}/ 下"
    try:
        # One strict pattern first: no user part, backslash, blank or fragment on which parsers differ.
        if not _URL.fullmatch(url):
            raise ValueError
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        faults.append(_fault(index, "url", f"网址写法不对，{wanted}，请从群机器人页面整段复制"))
        return False
    if (host, port or (443 if parts.scheme == "https" else 80)) in near:
        return True
    if host != kind.host or port not in (None, 443):
        faults.append(_fault(index, "url", f"网址的主机不在允许之列，{wanted}"))
    elif parts.scheme != "https":
        faults.append(_fault(index, "url", f"网址要用 https，{wanted}"))
    elif not kind.path.fullmatch(parts.path):
        faults.append(_fault(index, "url", f"网址路径不是{kind.name}群机器人的，请整段复制"))
    elif kind.key_field is not None and not parse_qs(parts.query).get(kind.key_field):
        faults.append(_fault(index, "url", f"网址里缺少 {kind.key_field}=…，请整段复制"))
    return False
