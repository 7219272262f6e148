"""Every knob of Patrol: one frozen object, read once at start.

Prefix `PATROL_`; a secret may instead be given as a file by `PATROL_<NAME>_FILE`. No other module reads the
environment. Defaults are the one-machine case. `docs/settings.md` lists the same knobs and a test compares.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from patrol.errors import Fault, Misconfigured

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _knob(default: Any, zh: str, *, secret: bool = False, check: str = "") -> Any:
    return field(default=default, repr=not secret, metadata={"zh": zh, "secret": secret, "check": check})


@dataclass(frozen=True)
class Settings:
    """The knobs. Paths are absolute after `read`; empty strings mean "derive from `data`"."""

    data: Path = _knob(Path("data"), "数据文件夹：数据库、照片、密钥都在这里")  # noqa: RUF009  # makes a field()
    database_url: str = _knob("", "数据库；空着就用数据文件夹里的 SQLite", secret=True)
    broker_url: str = _knob("memory://", "消息中间件；memory:// 是单机，另可 amqp:// 或 redis://", secret=True)
    photos_url: str = _knob("", "照片存放处；空着就用数据文件夹下的 photos", secret=False)
    keys: str = _knob("", "密钥文件夹；空着就用数据文件夹下的 keys")
    place: str = _knob("taihugang", "地点：自带地点的名字，或一个地点文件夹")
    host: str = _knob("127.0.0.1", "网页监听地址")
    port: int = _knob(8000, "网页端口", check="port")
    trusted_proxies: str = _knob(
        "", "自己的反向代理的地址或网段，逗号分隔；只信它们写的 X-Forwarded-For", check="networks"
    )
    hosts: str = _knob("", "允许的主机名，逗号分隔；空着只认本机和 host")
    public_url: str = _knob("", "对外网址，印在单子和卡片上；空着按 host 和 port")
    robots_file: str = _knob("", "群机器人名册（TOML）；空着就不推")
    robot_hosts: str = _knob("", "另外允许的机器人地址 host:port，只限本机，试验用")
    robot_pace: int = _knob(20, "每个机器人每分钟最多推几条", check="positive")
    robot_wait_s: int = _knob(10, "等机器人回话最多几秒", check="positive")
    auto_assign: str = _knob("", "强线索自动交办，如 floating_debris:0.8,sewage:0.9；空着不自动")
    auto_assign_hourly: int = _knob(6, "自动交办每小时最多几件", check="positive")
    all_day: bool = _knob(False, "所有种类都按 24 小时计推送、签收、到场时限")
    operator_waives_check: bool = _knob(False, "热线件免核实，登记后直接开始推送计时")
    photo_max_mb: int = _knob(20, "一张照片最多多少 MB", check="positive")
    photo_max_mp: int = _knob(50, "一张照片最多多少百万像素", check="positive")
    photos_per_issue: int = _knob(30, "一件问题最多几张照片", check="positive")
    reports_hourly: int = _knob(10, "同一来源每小时最多几条免登录举报，多出的先留待人工", check="positive")
    log_tips: bool = _knob(False, "举报页的访问地址也记日志（法规要求时才开，举报页会写明）")
    free_disk_mb: int = _knob(500, "磁盘剩余低于此数不再收新件", check="positive")
    reward_amounts: str = _knob("general:100,large:500,major:2000", "有奖举报各等级的金额（元）")
    session_hours: int = _knob(12, "登录多久后要重登（小时）", check="positive")
    sse_streams: int = _knob(32, "同时最多几路实时推送页面", check="positive")
    dji_broker: str = _knob("", "大疆上云 API 的 MQTT 服务器 mqtt:// 或 mqtts://；空着不接", secret=True)
    dji_gateways: str = _knob("", "只听这些机场或遥控器的序列号，逗号分隔")
    dji_media: str = _knob("", "大疆上传的媒体在本机的文件夹，按 object_key 存放；空着只登记不取")
    log_level: str = _knob("info", "日志详略：debug、info、warning、error", check="level")

    @staticmethod
    def read(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
        """Settings from the environment; every fault at once, as `Misconfigured`."""
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        faults: list[Fault] = []
        known = set()
        for knob in fields(Settings):
            name = "PATROL_" + knob.name.upper()
            known |= {name, name + "_FILE"}
            text = environ.get(name)
            if knob.metadata["secret"] and environ.get(name + "_FILE"):
                try:
                    text = Path(environ[name + "_FILE"]).read_text(encoding="utf-8").strip()
                except OSError as error:
                    faults.append(Fault(name, "unreadable", f"{name}_FILE 读不出来：{error.strerror}。"))
            if text is None:
                continue
            try:
                values[knob.name] = _parse(knob.name, text, knob.default)
            except ValueError as error:
                faults.append(Fault(name, "bad_value", f"{name} 的值不对：{error}"))
        values.update(overrides)
        settings = Settings(**{**values, "data": Path(values.get("data", Path("data"))).absolute()})
        for knob in fields(Settings):
            value = getattr(settings, knob.name)
            name = "PATROL_" + knob.name.upper()
            if knob.metadata["check"] == "port" and not 0 <= value <= 65535:
                faults.append(Fault(name, "bad_value", f"{name} 要在 0 到 65535 之间。"))
            if knob.metadata["check"] == "level" and value not in ("debug", "info", "warning", "error"):
                faults.append(Fault(name, "bad_value", f"{name} 可选 debug、info、warning、error。"))
            if knob.metadata["check"] == "networks" and _networks(value) is None:
                faults.append(Fault(name, "bad_value", f"{name} 要写地址或网段，如 127.0.0.1,10.0.0.0/8。"))
            if knob.metadata["check"] == "positive" and value <= 0:
                faults.append(Fault(name, "bad_value", f"{name} 要大于 0。"))
        if faults:
            raise Misconfigured("；".join(fault.sentence for fault in faults), faults=faults)
        return settings

    @property
    def database(self) -> str:
        """The SQLAlchemy address in force."""
        if self.database_url:
            url = self.database_url
            for plain in ("postgresql://", "postgres://"):
                if url.startswith(plain):
                    return "postgresql+psycopg://" + url.removeprefix(plain)
            return url
        return f"sqlite:///{self.data / 'patrol.db'}"

    @property
    def is_sqlite(self) -> bool:
        return self.database.startswith("sqlite")

    @property
    def photos(self) -> str:
        return self.photos_url or (self.data / "photos").as_uri()

    @property
    def keys_folder(self) -> Path:
        return Path(self.keys) if self.keys else self.data / "keys"

    @property
    def address(self) -> str:
        """Where people reach Patrol; printed on slips and cards."""
        return self.public_url.rstrip("/") or f"http://{self.host}:{self.port}"

    @property
    def proxies(self) -> tuple[Network, ...]:
        """The networks whose word on a caller's address is believed."""
        return _networks(self.trusted_proxies) or ()

    @property
    def auto_assign_scores(self) -> dict[str, float]:
        """Kind -> least score, of the drone clues a rule may assign."""
        pairs = (item.split(":") for item in self.auto_assign.split(",") if item.strip())
        return {kind.strip(): float(score) for kind, score in pairs}


def _networks(text: str) -> tuple[Network, ...] | None:
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        return None


def _parse(name: str, text: str, default: Any) -> Any:
    if isinstance(default, bool):
        if text.strip().lower() in ("1", "true", "yes", "on"):
            return True
        if text.strip().lower() in ("", "0", "false", "no", "off"):
            return False
        raise ValueError("要写 1 或 0。")
    if isinstance(default, int):
        try:
            return int(text)
        except ValueError:
            raise ValueError("要写整数。") from None
    if name == "auto_assign":
        for item in filter(None, (part.strip() for part in text.split(","))):
            kind, _, score = item.partition(":")
            try:
                if not (kind and 0 < float(score) <= 1):
                    raise ValueError
            except ValueError:
                raise ValueError("要写成 种类:把握，如 sewage:0.9，把握在 0 到 1 之间。") from None
    if name == "reward_amounts":
        pairs = dict(item.strip().partition(":")[::2] for item in text.split(","))
        whole = all(yuan.isascii() and yuan.isdigit() and 0 < int(yuan) <= 500_000 for yuan in pairs.values())
        if not whole or set(pairs) != {item.partition(":")[0] for item in default.split(",")}:
            raise ValueError(f"要写成 {default}，金额是 1 到 500000 的整数（元）。")
    return Path(text) if isinstance(default, Path) else text
