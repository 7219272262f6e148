"""The live checks of `patrol doctor`: one function each, a state and a sentence with what to do."""

from __future__ import annotations

import io
import socket
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

import pillow_heif
from PIL import Image
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from geodata.errors import GeoError
from geodata.place_check import check as examine_place
from patrol import models as m
from patrol.actions import sealing
from patrol.cli.answers import nothing_there, revisions
from patrol.cli.dji import asked
from patrol.errors import PatrolError
from patrol.gateways import paper_fonts, pictures
from patrol.gateways.photostore import open_store
from patrol.gateways.robotfile import RobotFile
from patrol.queries import health
from patrol.rules.calendar import local
from patrol.settings import Settings
from patrol.station import SYSTEM, Station

State = Literal["ok", "warn", "fail"]
OLDEST_SQLITE = (3, 35, 0)  # RETURNING and partial indexes as the tables use them
PROGRAM_MADE_ON = datetime(2026, 11, 1, tzinfo=UTC)
WAIT_S = 3.0


@dataclass(frozen=True)
class Finding:
    """What one check found; `about` is its Chinese title."""

    about: str
    state: State
    sentence: str

    def to_json(self) -> dict[str, Any]:
        return {"about": self.about, "state": self.state, "sentence": self.sentence}


CHECKS: dict[str, Callable[[Settings], Finding]] = {}


def _check(name: str, about: str) -> Callable[[Callable[[Settings], tuple[State, str]]], Callable[[Settings], Finding]]:
    """Register a check; a refusal it meets is its answer."""

    def keep(look: Callable[[Settings], tuple[State, str]]) -> Callable[[Settings], Finding]:
        def run(settings: Settings) -> Finding:
            try:
                return Finding(about, *look(settings))
            except (PatrolError, GeoError) as error:
                return Finding(about, "fail", error.sentence)
            except SQLAlchemyError as error:
                cause = getattr(error, "orig", None) or error
                return Finding(about, "fail", f"{type(cause).__name__}：{str(cause).splitlines()[0][:200]}")
            except OSError as error:
                return Finding(about, "fail", f"{error.strerror or type(error).__name__}。")

        CHECKS[name] = run
        return run

    return keep


@_check("database", "数据库")
def _database(settings: Settings) -> tuple[State, str]:
    if nothing_there(settings):
        return "fail", "还没有，先运行 patrol migrate。"
    opened = Station.open(settings, may_create=False)
    try:
        kept, wanted = revisions(opened)
        if kept != wanted:
            return "fail", f"表是 {kept or '空的'}，程序要 {wanted}。先运行 patrol migrate。"
        with opened.engine.execution_options(patrol_write=True).connect() as connection:
            issues = connection.scalar(select(func.count()).select_from(m.Issue))
            connection.execute(text("CREATE TEMPORARY TABLE doctor_probe (n INTEGER)"))
            connection.rollback()
        return "ok", f"{opened.engine.dialect.name}，表 {kept}，{issues} 件问题，读写都通。"
    finally:
        opened.close()


@_check("sqlite", "SQLite 版本")
def _sqlite(settings: Settings) -> tuple[State, str]:
    if not settings.is_sqlite:
        return "ok", "用的是服务器数据库，不需要。"
    enough = sqlite3.sqlite_version_info >= OLDEST_SQLITE
    least = ".".join(str(part) for part in OLDEST_SQLITE)
    return ("ok", sqlite3.sqlite_version) if enough else ("fail", f"{sqlite3.sqlite_version} 太旧，至少要 {least}。")


@_check("keys", "密钥")
def _keys(settings: Settings) -> tuple[State, str]:
    if nothing_there(settings) and not settings.keys_folder.exists():
        return "warn", "还没有，patrol migrate 时会做。"
    opened = Station.open(settings, may_create=False)
    try:
        kept, wanted = revisions(opened)
        if kept != wanted:
            return "warn", "表还不是这一版的，先运行 patrol migrate。"
        with opened.look(SYSTEM) as look:
            both, operators = sealing.sides(look), sealing.takes_callbacks(look)
    finally:
        opened.close()
    if not all(both.values()) or not operators:
        has = (("奖励专员甲组", both["a"]), ("奖励专员乙组", both["b"]), ("话务员", operators))
        lack = "、".join(word for word, held in has if not held)
        return "warn", f"还没有{lack}的密钥，举报人留的身份或电话收不下。请本人登录后在「钥匙」页做。"
    return "ok", f"齐全；奖励专员甲组 {len(both['a'])} 把、乙组 {len(both['b'])} 把。"


@_check("photos", "照片存放处")
def _photos(settings: Settings) -> tuple[State, str]:
    if not settings.photos_url and not settings.data.exists():
        return "warn", "数据文件夹还没有，patrol migrate 时会建。"
    open_store(settings.photos).probe()
    return "ok", f"能写，{settings.photos}"


@_check("disk", "磁盘")
def _disk(settings: Settings) -> tuple[State, str]:
    if not settings.photos_url and not settings.data.exists():
        return "warn", "数据文件夹还没有。"
    free = open_store(settings.photos).free_bytes()
    if free is None:
        return "ok", "存放处不报剩余空间。"
    free_mb = free // (1024 * 1024)
    if free_mb < settings.free_disk_mb:
        return "fail", f"只剩 {free_mb} MB，低于 {settings.free_disk_mb} MB，已停收新件。"
    return ("warn" if free_mb < 4 * settings.free_disk_mb else "ok"), f"剩 {free_mb} MB。"


@_check("robots", "群机器人")
def _robots(settings: Settings) -> tuple[State, str]:
    if not settings.robots_file:
        return "warn", "没有名册（PATROL_ROBOTS_FILE），推送要人工抄送。"
    hosts = tuple(host.strip() for host in settings.robot_hosts.split(",") if host.strip())
    groups = RobotFile.load(settings.robots_file, hosts, limit_s=settings.robot_wait_s).groups
    return "ok", f"{len(groups)} 个群：{'、'.join(groups)}。"


@_check("place", "地点")
def _place(settings: Settings) -> tuple[State, str]:
    found = examine_place(settings.place)
    errors = [fault for fault in found if fault.facts.get("severity") != "warning"]
    if errors:
        return "fail", "；".join(fault.sentence for fault in errors)
    return ("warn", "；".join(fault.sentence for fault in found)) if found else ("ok", settings.place)


@_check("calendar", "日历")
def _calendar(settings: Settings) -> tuple[State, str]:
    if nothing_there(settings):
        return "fail", "还没有，先运行 patrol migrate。"
    year = local(datetime.now(UTC)).year
    engine = create_engine(settings.database)
    try:
        with engine.connect() as connection:
            query = select(m.CalendarYear.year, m.CalendarYear.confirmed)
            kept = {row.year: row.confirmed for row in connection.execute(query)}
    finally:
        engine.dispose()
    if year not in kept:
        return "fail", f"没有 {year} 年，先运行 patrol migrate。"
    if not kept[year]:
        return "warn", f"{year} 年是预估的，请导入国务院通知：patrol calendar import。"
    return "ok", f"{year} 年已公布，{year + 1} 年{'已公布' if kept.get(year + 1) else '预估'}。"


@_check("fonts", "中文字体")
def _fonts(settings: Settings) -> tuple[State, str]:
    paper_fonts.fonts()
    lack = [letter for letter in "太湖港巡护问题交办单〔〕" if ord(letter) not in paper_fonts.drawable()]
    return (
        ("fail", f"字体缺字：{''.join(lack)}，请重装。") if lack else ("ok", f"{paper_fonts.SANS}、{paper_fonts.SERIF}")
    )


@_check("heic", "HEIC 照片")
def _heic(settings: Settings) -> tuple[State, str]:
    out = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (64, 48), "teal")).save(out)
    seen = pictures.examine(out.getvalue())
    right = (seen.format, seen.width, seen.height) == ("HEIC", 64, 48)
    return ("ok", "解得开。") if right else ("fail", "解出来的不是原样，请重装 pillow-heif。")


@_check("broker", "消息中间件")
def _broker(settings: Settings) -> tuple[State, str]:
    parts = urlsplit(settings.broker_url)
    if parts.scheme == "memory":
        return "ok", "单机，不需要。"
    port = parts.port or {"amqp": 5672, "amqps": 5671, "redis": 6379, "rediss": 6379}.get(parts.scheme)
    if not parts.hostname or port is None:
        return "fail", "PATROL_BROKER_URL 要写成 amqp://… 或 redis://…，单机用 memory://。"
    with socket.create_connection((parts.hostname, port), WAIT_S):
        return "ok", f"{parts.scheme}://{parts.hostname}:{port} 接得通。"


@_check("dji", "大疆上云")
def _dji(settings: Settings) -> tuple[State, str]:
    if not settings.dji_broker:
        return "ok", "没有接（默认）。"
    to, gateways, folder = asked(settings)
    with socket.create_connection((to.host, to.port), WAIT_S):
        pass
    if folder is None:
        return "warn", f"{to} 接得通；没有设 PATROL_DJI_MEDIA，照片只登记不取。"
    return "ok", f"{to} 接得通，听 {len(gateways)} 台，媒体在 {folder}。"


@_check("port", "网页端口")
def _port(settings: Settings) -> tuple[State, str]:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError:
            return "warn", f"{settings.host}:{settings.port} 占着：Patrol 正开着就对了，不然换 PATROL_PORT。"
    return "ok", f"{settings.host}:{settings.port} 空着。"


@_check("clock", "时钟")
def _clock(settings: Settings) -> tuple[State, str]:
    now = datetime.now(UTC)
    if now < PROGRAM_MADE_ON:
        return "fail", f"本机时间是 {local(now):%Y-%m-%d %H:%M}，早于程序做出的日子，请对时。"
    if not nothing_there(settings):
        engine = create_engine(settings.database)
        try:
            with engine.connect() as connection:
                last = connection.scalar(select(func.max(m.Trail.at)))
        finally:
            engine.dispose()
        if last is not None and last > now + timedelta(seconds=2):
            return "fail", f"本机时间比最后一行台账（{local(last):%m-%d %H:%M:%S}）还早，请对时。"
    return "ok", f"{local(now):%Y-%m-%d %H:%M:%S}（北京时间）。"


@_check("worker", "worker")
def _worker(settings: Settings) -> tuple[State, str]:
    if nothing_there(settings):
        return "warn", "还没有数据库。"
    opened = Station.open(settings, may_create=False)
    try:
        with opened.look() as look:
            found = health.work(look)
    finally:
        opened.close()
    if found["worker_seen_s"] is None:
        return "warn", "还没有开过。patrol serve 会带一个。"
    seen_s, late_s = found["worker_seen_s"], found["oldest_due_s"]
    seen = f"最后一次见到是 {seen_s:.0f} 秒前，最早该办而未办的过了 {late_s:.0f} 秒"
    stuck = f"，推送受阻 {found['stuck']} 件，请看待办推送" if found["stuck"] else ""
    return ("ok" if found["working"] and not found["stuck"] else "warn"), f"{seen}{stuck}。"
