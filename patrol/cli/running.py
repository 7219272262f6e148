"""Starting things: serve, worker, demo, migrate, tick."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from patrol.cli.answers import as_json, give, in_sentence, knobs, station, terminal


@click.command()
@click.option("--host", help="监听地址，默认 PATROL_HOST 或 127.0.0.1。")
@click.option("--port", type=click.IntRange(0, 65535), help="端口，默认 PATROL_PORT 或 8000。")
@click.option("--no-worker", is_flag=True, help="只开网页；worker 另外用 patrol worker 开。")
def serve(host: str | None, port: int | None, no_worker: bool) -> int:
    """开网页；单机时 worker 一起开。"""
    from patrol.serve import serve as start

    settings = knobs(host=host, port=port)
    if settings.is_sqlite:
        bring_up(quiet=True)  # one machine, one program: its tables are brought along without being asked
    else:
        with station():
            pass  # several programs share these tables: they are changed only by `migrate`
    return start(settings, with_worker=not no_worker)


@click.command()
def worker() -> int:
    """单独开一个 worker（多机部署用）。"""
    knobs()
    command = [sys.executable, "-m", "worker"]
    if os.name != "nt":
        os.execv(sys.executable, command)  # signals of the supervisor reach the worker itself
    return subprocess.call(command)


@click.command()
@click.option("--headless", is_flag=True, help="不开网页：一次飞行走完全程，写出单据 PDF 和地图。")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="--headless 写到哪个文件夹。")
def demo(headless: bool, out: Path | None) -> int:
    """装入样例数据并打开。"""
    from patrol.demo import run

    if headless and out is None:
        raise click.UsageError("--headless 要同时写 --out 文件夹。", click.get_current_context())
    return run(knobs(), headless, out) or 0


@click.command()
@as_json
def migrate(json_: bool) -> None:
    """建表或更新表，装入节假日历。新机器先运行这个。"""
    done = bring_up(quiet=json_)
    if json_:
        give(done)


def bring_up(*, quiet: bool) -> dict[str, object]:
    """Tables to this program's revision, calendar years where they are absent; twice is harmless."""
    from alembic.util import CommandError
    from sqlalchemy.exc import SQLAlchemyError

    from patrol.actions import calendar_store
    from patrol.cli.answers import revisions
    from patrol.errors import Misconfigured
    from patrol.station import Station

    settings = knobs()
    opened = Station.open(settings)
    try:
        before, wanted = revisions(opened)
        if before != wanted:
            opened.migrate()
        with opened.work(terminal()) as work:
            seeded = calendar_store.seed(work)
    except CommandError as error:
        raise Misconfigured("数据库的表比程序新，请换用新的程序。") from error
    except SQLAlchemyError as error:
        raise in_sentence(error) from error
    finally:
        opened.close()
    if not quiet:
        click.echo(f"数据文件夹 {settings.data}")
        click.echo(f"表：{before or '无'} → {wanted}" if before != wanted else f"表已是 {wanted}，没有改动。")
        for year in seeded:
            click.echo(f"日历：装入 {year.year} 年（{'已公布' if year.confirmed else '预估，通知出来后请导入'}）。")
    return {
        "data": str(settings.data), "revision": wanted, "before": before,
        "calendar": [{"year": year.year, "confirmed": year.confirmed} for year in seeded],
    }  # fmt: skip


@click.command()
@as_json
def tick(json_: bool) -> None:
    """跑一轮：到点的时限、到点的推送。没有 worker 时可由 cron 每分钟叫一次。"""
    from patrol.actions import delivery, followup

    with station() as opened:
        moved = followup.sweep(opened)
        tried = delivery.run_due(opened)
    if json_:
        give({"moved": moved, "tried": tried})
    else:
        click.echo(f"时限动了 {moved} 处，推送和打印办了 {tried} 件。")
