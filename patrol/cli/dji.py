"""`patrol dji`: listen to a DJI Cloud API broker, if one is set."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from patrol.cli.answers import as_json, give, station
from patrol.errors import Misconfigured, PatrolError, WrongStep

try:
    import fcntl
except ImportError:  # Windows has none
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from patrol.gateways.djiline import Address
    from patrol.settings import Settings
    from patrol.station import Station

PRESENT = 0x646A69  # the advisory lock's number: "dji"


@click.command()
@click.option("--state", is_flag=True, help="不接，只列出已知的无人机、在等的文件和收到的消息数。")
@as_json
def dji(state: bool, json_: bool) -> None:
    """接大疆上云 API（默认不接）：知道无人机在哪，飞完的照片进航次。只听不控。"""
    with station() as opened:
        if state:
            _show(opened, json_)
            return
        with only_listener(opened):
            _listen(opened)


def _listen(opened: Station) -> None:
    import hashlib
    import hmac

    import structlog
    from sqlalchemy.exc import SQLAlchemyError

    from patrol.actions import djicloud, djimedia
    from patrol.gateways.djicloud import topics
    from patrol.gateways.djiline import Line

    log = structlog.get_logger("patrol.dji")
    to, gateways, folder = asked(opened.settings)
    ear, rounds = djicloud.Ear(opened, gateways), 0

    def idle() -> None:
        nonlocal rounds
        try:
            if folder is not None:
                djimedia.look_for(opened, folder)
            if rounds % 30 == 0:
                djimedia.tidy(opened)
                djimedia.note(ear)
        except (PatrolError, SQLAlchemyError) as error:
            why = error.sentence if isinstance(error, PatrolError) else type(error).__name__
            log.warning("put_off", why=why)
        rounds += 1

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    # the broker keeps our messages under this name: one of its own for every installation
    name = "patrol-" + hmac.new(opened.keys.chain, b"dji", hashlib.sha256).hexdigest()[:16]
    click.echo(f"正在听 {to}：{'、'.join(sorted(gateways))}（按 Ctrl-C 停止）")
    Line(to, name, topics(gateways)).run(lambda topic, payload: djicloud.hear(ear, topic, payload), stop, idle)
    djimedia.note(ear)


def asked(settings: Settings) -> tuple[Address, frozenset[str], Path | None]:
    """Broker, gateways and folder of the settings. Raises Misconfigured for what cannot work, and when it is off."""
    from patrol.gateways.djicloud import SERIAL
    from patrol.gateways.djiline import address

    if not settings.dji_broker:
        raise Misconfigured("没有设 PATROL_DJI_BROKER，大疆上云 API 默认不接；要接见 docs/operate.md。", "dji_off")
    to = address(settings.dji_broker)
    gateways = frozenset(each.strip() for each in settings.dji_gateways.split(",") if each.strip())
    if not gateways or any(not SERIAL.fullmatch(each) for each in gateways):
        raise Misconfigured(
            "PATROL_DJI_GATEWAYS 要列出机场或遥控器的序列号，逗号分隔；不列出的一概不听。", "dji_gateways"
        )
    folder = Path(settings.dji_media) if settings.dji_media else None
    if folder is not None and not folder.is_dir():
        raise Misconfigured(f"PATROL_DJI_MEDIA 指的文件夹 {folder} 没有。", "dji_media")
    return to, gateways, folder


@contextmanager
def only_listener(opened: Station) -> Iterator[None]:
    """Two listeners of one installation would take the broker's session from each other for ever."""
    from sqlalchemy import text

    second = WrongStep("已经有一个 patrol dji 在听；一套巡护只开一个。", "dji_listening")
    if not opened.settings.is_sqlite:
        with opened.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if not connection.scalar(text("SELECT pg_try_advisory_lock(:n)"), {"n": PRESENT}):
                raise second
            yield  # the server takes the lock back with this connection
            connection.scalar(text("SELECT pg_advisory_unlock(:n)"), {"n": PRESENT})
        return
    descriptor = os.open(opened.settings.data / "dji.lock", os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        if fcntl is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise second from None
        yield
    finally:
        os.close(descriptor)


def _show(opened: Station, json_: bool) -> None:
    from patrol.queries.drones import drones
    from patrol.station import SYSTEM

    with opened.look(SYSTEM) as look:
        found = drones(look)
    if json_:
        give(found)
        return
    for each in found["drones"]:
        spot = f"{each['lon']:.6f}, {each['lat']:.6f}" if each["lon"] is not None else "位置不明"
        click.echo(f"{each['drone']}　{'在线' if each['online'] else '离线'}　{spot}　最后听到 {each['seen_at']}")
    media = found["media"]
    click.echo(
        f"文件：在等 {media['awaited']}，已收 {media['taken']}，不收 {media['refused']}，没等到 {media['lost']}。"
    )
    for kind, times in sorted(found["heard"].items()):
        click.echo(f"消息　{kind}　{times}")
