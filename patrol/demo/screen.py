"""What the terminal shows of the sample: progress, address, QR and the ways in, shown this once."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import segno
import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from patrol import serve as supervisor
from patrol.demo import headless as flight
from patrol.demo import load
from patrol.settings import Settings


def serve(settings: Settings) -> int:
    """Load where nothing is loaded, say where to look and how to sign in, then serve until Ctrl-C."""
    screen = Console()
    settings = supervisor.on_free_port(settings)
    if load.is_sample(settings):
        screen.print(f"{settings.data} 里已有样例，不再装第二遍；密码换成新的。")
        loaded = load.load(settings)
    else:
        with _progress(screen, "装入样例的一周", load.ACTS) as on_each:
            loaded = load.load(settings, on_each=on_each)
    show(screen, settings, loaded)
    return supervisor.serve(_quieter(settings))


def _quieter(settings: Settings) -> Settings:
    """A demo's log would push the passwords off the screen: warnings only, unless asked otherwise."""
    if settings.log_level != Settings.log_level:
        return settings
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    return replace(settings, log_level="warning")


def headless(settings: Settings, out: Path) -> int:
    """One flight to its papers and map."""
    screen = Console(stderr=True)
    with _progress(screen, "一次飞行：航片 → 问题 → 单子 → 图", flight.STEPS) as on_each:
        drawn = flight.fly(settings, out, on_each=on_each)
    for path in sorted(out.iterdir()):
        screen.print(f"  {path}", highlight=False)
    screen.print(f"用浏览器打开 {drawn}（断网也能看）。", highlight=False)
    return 0


def show(screen: Console, settings: Settings, loaded: load.Loaded) -> None:
    """Address, QR, accounts and receipt codes. Passwords are kept nowhere but here and as a hash."""
    table = Table(title="样例账号（密码每次随机，只在这里显示）", title_justify="left")
    for head in ("登录名", "密码", "角色", "姓名", "登录后去"):
        table.add_column(head, no_wrap=True)
    for key in loaded.keys:
        if key.part.role == "drone":
            continue
        table.add_row(key.part.login, key.secret, key.role_zh, key.part.name, key.part.page)
    screen.print()
    screen.print(table)
    token = next(key.secret for key in loaded.keys if key.part.role == "drone")
    screen.print(f"无人机平台令牌（Authorization: Bearer）：{token}", highlight=False, soft_wrap=True)
    if loaded.receipts:
        screen.print(f"举报查询码（到 /tips 查）：{'、'.join(loaded.receipts[:2])}", highlight=False)
    drawn = io.StringIO()
    segno.make(settings.address, error="m").terminal(out=drawn, compact=True, border=2)
    screen.print()
    screen.out(drawn.getvalue(), highlight=False)
    screen.print(f"网址 {settings.address}", highlight=False, soft_wrap=True)
    screen.print("地图 /map  办公桌面 /desk  手机 /phone  热线 /hotline  举报 /report  查结果 /tips", highlight=False)
    if settings.host in ("127.0.0.1", "localhost"):
        phone = "PATROL_HOST=0.0.0.0 PATROL_HOSTS=本机IP PATROL_PUBLIC_URL=http://本机IP:端口 make demo"
        screen.print(f"现在只有本机能打开。要用手机扫码：{phone}", highlight=False, soft_wrap=True)
    screen.print("河段为示意图，非实测；人名、照片、事情都是编的。\n")


@contextmanager
def _progress(screen: Console, words: str, total: int) -> Iterator[Callable[[], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=screen) as bar:
        task = bar.add_task(words, total=total)
        yield lambda: bar.advance(task)
        bar.update(task, completed=total)
