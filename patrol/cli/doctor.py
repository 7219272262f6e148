"""`patrol doctor`: each knob with its source, then live checks of everything Patrol leans on.

It looks and probes; it makes no tables, no keys and no data folder.
"""

from __future__ import annotations

import os
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

from patrol.cli.answers import as_json, give, knobs

if TYPE_CHECKING:
    from patrol.settings import Settings

SIGNS = {"ok": "好　", "warn": "留意", "fail": "不行"}


@click.command()
@as_json
def doctor(json_: bool) -> int:
    """列出每项设置和来源，逐项检查数据库、照片、机器人、地点、字体、端口、磁盘……"""
    from patrol.cli.checks import CHECKS

    settings = knobs()
    listed = list_knobs(settings)
    found = [check(settings).to_json() | {"name": name} for name, check in CHECKS.items()]
    failed = any(one["state"] == "fail" for one in found)
    if json_:
        give({"ok": not failed, "settings": listed, "checks": found})
        return 1 if failed else 0
    for knob in listed:
        click.echo(f"{knob['name']} = {knob['value']}　（{knob['source']}）{knob['about']}")
    click.echo("")
    for one in found:
        click.echo(f"{SIGNS[one['state']]}　{one['about']}：{one['sentence']}")
    return 1 if failed else 0


def list_knobs(settings: Settings) -> list[dict[str, Any]]:
    """Every knob, its value (secrets only as set or not) and where the value came from."""
    listed = []
    for knob in fields(settings):
        name = "PATROL_" + knob.name.upper()
        value = getattr(settings, knob.name)
        secret = bool(knob.metadata["secret"])
        source = "默认"
        if secret and os.environ.get(name + "_FILE"):
            source = f"文件 {os.environ[name + '_FILE']}"
        elif name in os.environ:
            source = "环境变量"
        shown: Any = ("已设置" if value != knob.default else "默认") if secret else value
        listed.append({
            "name": name, "value": shown if isinstance(shown, bool | int) else str(shown), "source": source,
            "about": knob.metadata["zh"],
        })  # fmt: skip
    return listed
