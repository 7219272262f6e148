"""`python -m worker [--embedded] [--queues light,heavy]`."""

from __future__ import annotations

import sys

import click

from patrol.errors import Misconfigured
from patrol.settings import Settings
from worker import run
from worker.app import QUEUES


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--embedded", is_flag=True, help="单机：消息在内存里，只开这一个，随 patrol serve 起落。")
@click.option("--queues", default=",".join(QUEUES), show_default=True, help="只做这些队列的活，逗号分隔。")
@click.option("--parent", type=int, default=0, hidden=True)
def main(embedded: bool, queues: str, parent: int) -> None:
    """守着时限、推送和打印的 worker。"""
    chosen = [name.strip() for name in queues.split(",") if name.strip()]
    unknown = sorted(set(chosen) - set(QUEUES))
    if unknown or not chosen:
        raise click.UsageError(f"没有队列「{'、'.join(unknown)}」，只有 {'、'.join(QUEUES)}。")
    try:
        sys.exit(run(Settings.read(), embedded=embedded, queues=chosen, parent=parent))
    except Misconfigured as error:
        click.echo(error.sentence, err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
