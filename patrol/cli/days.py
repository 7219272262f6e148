"""The calendar of workdays from a terminal."""

from __future__ import annotations

from pathlib import Path

import click

from patrol.cli.answers import as_json, give, station, terminal
from patrol.errors import BadInput, Fault


@click.group()
def calendar() -> None:
    """节假日和调休上班日历。"""


@calendar.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--year", type=click.IntRange(2008, 2099), help="CSV 文件是哪一年的；通知自己写着年份。")
@as_json
def import_days(file: Path, year: int | None, json_: bool) -> None:
    """导入国务院办公厅的放假通知（整篇存成 UTF-8 文本），或 CSV：日期,上班/放假,名称。"""
    from patrol.actions import calendar_store

    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(Fault("file", "not_utf8", f"{file.name} 不是 UTF-8 文本，请另存为 UTF-8 再导入。")) from None
    if file.suffix.lower() == ".csv" and year is None:
        raise click.UsageError("CSV 文件要写 --year 哪一年", click.get_current_context())
    with station() as opened, opened.work(terminal()) as work:
        if file.suffix.lower() == ".csv" and year is not None:
            done = calendar_store.import_csv(work, text, year)
        else:
            done = calendar_store.import_notice(work, text)
    if json_:
        give({"year": done.year, "confirmed": True, "days": done.days, "changed": done.changed,
              "rebased": done.rebased})  # fmt: skip
        return
    if not done.changed:
        click.echo(f"{done.year} 年的日历与已有的相同，没有改动。")
        return
    click.echo(f"{done.year} 年日历已确认：{done.days} 天与平常不同；{done.rebased} 个在走的时限改了到期时间。")
