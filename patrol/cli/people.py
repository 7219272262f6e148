"""People at the door: bearer tokens and sign-ins."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

import click

from patrol.cli.answers import as_json, aside, give, station, terminal
from patrol.errors import BadInput, Fault, Missing
from patrol.rules.rights import ROLES

ROLE = click.Choice(list(ROLES))
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that a person confuses when copying by hand


@click.group()
def token() -> None:
    """令牌：给无人机平台、网格员手机和其他系统用。"""


@token.command("add")
@click.argument("name")
@click.option("--role", type=ROLE, required=True, help="角色。")
@click.option("--unit", help="责任单位编号；角色是 unit 时必填。")
@click.option("--grid", "grids", multiple=True, help="只管这个网格，可写多次；不写就是全部网格。")
@as_json
def add_token(name: str, role: str, unit: str | None, grids: tuple[str, ...], json_: bool) -> None:
    """给 NAME 发一个令牌；只显示这一次，在最后一行。"""
    from patrol.actions import people

    with station() as opened, opened.work(terminal()) as work:
        value = people.add_token(work, name, role, unit=unit, grids=list(grids) or None)
    scope = f"只管网格 {'、'.join(grids)}" if grids else "管全部网格"
    if json_:
        give({"token": value, "name": name, "role": role, "unit": unit, "grids": list(grids) or None})
        return
    click.echo(f"{name}（{ROLES[role].zh}）{scope}。令牌只显示这一次，请马上存好：")
    click.echo(value)


@token.command("revoke")
@click.argument("number", type=int)
def revoke_token(number: int) -> None:
    """停用一个令牌；编号见 patrol token list。"""
    from patrol import models as m
    from patrol.actions import people

    with station() as opened, opened.work(terminal()) as work:
        row = work.session.get(m.Token, number)
        if row is None:
            raise Missing(f"没有编号 {number} 的令牌，编号见 patrol token list。")
        already = row.revoked_at is not None
        people.revoke_token(work, number)
    click.echo("这个令牌早已停用。" if already else f"令牌 {number} 已停用。")


@token.command("list")
@as_json
def list_tokens(json_: bool) -> None:
    """列出令牌（令牌本身查不到）。"""
    from sqlalchemy import select

    from patrol import models as m

    with station() as opened, opened.look() as look:
        rows = look.session.execute(
            select(m.Token, m.Person.name).join(m.Person, m.Person.id == m.Token.person_id).order_by(m.Token.id)
        ).all()
    if json_:
        give([
            {"id": row.id, "name": name, "role": row.role, "unit": row.unit, "grids": row.grids,
             "made_at": row.made_at.isoformat(),
             "revoked_at": row.revoked_at.isoformat() if row.revoked_at else None}
            for row, name in rows
        ])  # fmt: skip
        return
    for row, name in rows:
        scope = "、".join(row.grids) if row.grids else "全部网格"
        state = "已停用" if row.revoked_at else "在用"
        click.echo(f"{row.id}\t{name}\t{ROLES[row.role].zh}\t{row.unit or '—'}\t{scope}\t{state}")
    if not rows:
        click.echo("还没有令牌。")


@click.group()
def user() -> None:
    """登录名和密码：给在网页上办事的人。"""


@user.command("add")
@click.argument("login")
@click.option("--role", "roles", type=ROLE, multiple=True, required=True, help="角色，可写多次。")
@click.option("--name", help="姓名；不写就用登录名。同一个人的几个登录要写同一个姓名。")
@click.option("--unit", help="责任单位编号；角色有 unit 时必填。")
@click.option("--grid", "grids", multiple=True, help="只管这个网格，可写多次；不写就是全部网格。")
@click.option("--password-file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="从文件第一行读密码。")  # fmt: skip
@click.option("--generate", is_flag=True, help="随机生成密码，只显示这一次，在最后一行。")
@as_json
def add_user(
    login: str, roles: tuple[str, ...], name: str | None, unit: str | None, grids: tuple[str, ...],
    password_file: Path | None, generate: bool, json_: bool,
) -> None:  # fmt: skip
    """给 LOGIN 开一个登录。不写密码从哪来就在这里问；没有终端可问就随机生成。"""
    from patrol.actions import people

    with station() as opened:
        password, made = _password(password_file, generate or json_)
        with opened.work(terminal()) as work:
            people.add_account(work, login, password, roles, name=name, unit=unit, grids=list(grids) or None)
    if json_:
        give({"login": login, "name": name or login, "roles": list(roles), "unit": unit,
              "grids": list(grids) or None, "password": password if made else None})  # fmt: skip
        return
    told = f"{name or login}（{'、'.join(ROLES[role].zh for role in roles)}）可以用 {login} 登录了，"
    click.echo(told + (f"只管网格 {'、'.join(grids)}。" if grids else "管全部网格。"))
    if made:
        click.echo("密码只显示这一次，请马上存好：")
        click.echo(password)


def _password(file: Path | None, generate: bool) -> tuple[str, bool]:
    """The password, and whether it was made here and so must be shown."""
    if file is not None:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            raise BadInput(Fault("password", "unreadable", "密码文件不是 UTF-8 文本。")) from None
        return (lines[0] if lines else ""), False
    if generate or not sys.stdin.isatty():
        return "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(4)), True
    aside("密码至少 10 位，输入时不显示。")
    return click.prompt("密码", hide_input=True, confirmation_prompt="再输一次", err=True), False
