"""Whether the trail is whole, and keeping everything for the day the machine is gone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from patrol.cli.answers import as_json, aside, give, knobs, station

if TYPE_CHECKING:
    from patrol.station import Station


@click.group()
def trail() -> None:
    """台账：每件问题的流水，一行扣一行。"""


@trail.command()
@as_json
def verify(json_: bool) -> int:
    """核对每件的台账、链头、外存校验和单据；有断就说出第一处。"""
    from patrol.queries.trail import anchors_of
    from patrol.queries.trail import verify as check

    with station() as opened, opened.look() as look:
        report = check(look, anchors_of(opened.settings))
    if json_:
        give(report.to_json())
    else:
        for broken in report.broken:
            click.echo(broken.sentence, err=True)
        click.echo(report.words)
    return 0 if report.ok else 1


@click.command()
@click.option("--dry-run", "dry", is_flag=True, help="只数，不抹。")
@as_json
def retention(dry: bool, json_: bool) -> None:
    """把举报人给的、过了保存期的抹掉；worker 每小时自己做一次。"""
    from patrol.actions.retention import retain
    from patrol.rules.retention import BACKUPS_DAYS, KEEPS

    with station() as opened:
        done = retain(opened, dry=dry)
    if json_:
        rows = [{"rule": keep.name, "zh": keep.zh, "days": keep.days, "after": keep.after, "count": done[keep.name]}
                for keep in KEEPS.values()]  # fmt: skip
        give({"dry_run": dry, "backups_days": BACKUPS_DAYS, "rules": rows})
        return
    for keep in KEEPS.values():
        counted = f"办结 {keep.days} 天后" if keep.after == "ended" else "到期就"
        click.echo(f"{keep.zh}：{counted}抹掉；{'该抹' if dry else '抹了'} {done[keep.name]} 件。")
    click.echo(f"备份里的要等备份过期：备份最多留 {BACKUPS_DAYS} 天，更早的请删掉。")


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--without-keys", is_flag=True, help="不装密钥；恢复时要另有密钥文件夹。")
@as_json
def backup(file: Path, without_keys: bool, json_: bool) -> None:
    """把数据库、照片、密钥和校验装进一个文件；照常使用时也可以做。"""
    from patrol.actions.backup import backup as pack

    with station() as opened:
        done = pack(opened, file, with_keys=not without_keys)
    for damaged in done.damaged:
        aside(f"照片原件 {damaged} 缺失或已损坏，没有装进去。")
    if json_:
        give(done.to_json())
        return
    click.echo(f"已备份到 {file}：{done.issues} 件问题，{done.lines} 行台账，{done.photos} 个照片和单据文件。")
    if not without_keys:
        click.echo("这个文件里有密钥，请像密钥一样保管。")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--verify", "verify_", is_flag=True, help="恢复后从头核对台账和每个照片文件。")
@as_json
def restore(file: Path, verify_: bool, json_: bool) -> int:
    """从备份恢复到空的数据文件夹（PATROL_DATA）；不空就不动。"""
    from patrol.actions.restore import restore as unpack
    from patrol.actions.restore import verify_restored

    settings = knobs()
    done = unpack(settings, file)
    faults = verify_restored(settings, done, replay) if verify_ else []
    if json_:
        give(done.to_json() | {"verified": not faults if verify_ else None, "faults": faults})
        return 1 if faults else 0
    click.echo(f"已恢复到 {settings.data}：{done.issues} 件问题，{done.lines} 行台账，{done.photos} 个照片和单据文件。")
    for fault in faults:
        click.echo(fault, err=True)
    if verify_ and not faults:
        click.echo("核对无误：台账连到备份时的链头，照片文件逐个相符。")
    return 1 if faults else 0


def replay(opened: Station) -> tuple[list[str], dict[str, tuple[int, str]]]:
    """Every fault of the trail, and the heads it leads to."""
    from patrol.queries.trail import anchors_of
    from patrol.queries.trail import verify as check

    with opened.look() as look:
        report = check(look, anchors_of(opened.settings))
    return [broken.sentence for broken in report.broken], report.heads
