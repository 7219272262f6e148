"""The sealing keys of reward officers and of the telephone operator, made at a terminal instead of in a browser.

The private key goes into one passphrase-protected file and one printed recovery text; the installation keeps
the public key only. Letting a key in and opening are done in the browser of whoever can.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from patrol.cli.answers import aside, station
from patrol.errors import BadInput, Fault

OUT = click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="密钥文件写到哪里。")
PASSPHRASE = click.option("--passphrase-file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
                          help="从文件第一行读口令；不写就在这里问。")  # fmt: skip


@click.group()
def keys() -> None:
    """密封举报人信息用的密钥：私钥归本人，本机只留公钥。"""


@keys.command()
@click.argument("name")
@OUT
@PASSPHRASE
def officer(name: str, out: Path, passphrase_file: Path | None) -> None:
    """给奖励专员 NAME（姓名，和登录的一样）做一把密钥。打印的恢复密钥请入保险柜。"""
    _make("officer", name, out, passphrase_file)


@keys.command()
@click.argument("name")
@OUT
@PASSPHRASE
def operator(name: str, out: Path, passphrase_file: Path | None) -> None:
    """给热线话务员 NAME（姓名，和登录的一样）做一把密钥，用来打开回访电话。"""
    _make("operator", name, out, passphrase_file)


def _make(duty: str, name: str, out: Path, passphrase_file: Path | None) -> None:
    from patrol.actions import people, sealing
    from patrol.gateways import envelopes, identity
    from patrol.rules.secrecy import DUTIES_ZH, KEY_STATES, SIDES_ZH
    from patrol.station import SYSTEM

    with station() as opened:
        passphrase = _passphrase(passphrase_file)
        private, public = envelopes.make_keypair()
        locked = identity.lock_key(private, passphrase)
        # the file first: a public key whose private half was never written would seal for nobody
        _write(out, locked)
        try:
            with opened.work(SYSTEM) as work:
                row = sealing.add_key(work, people.person(work, name).id, duty, public)
        except BaseException:
            out.unlink(missing_ok=True)
            raise
    stands = f"{SIDES_ZH[row.side]}组，{KEY_STATES[row.state]}" if row.side else KEY_STATES[row.state]
    aside(f"{DUTIES_ZH[duty]} {name} 的密钥文件已写到 {out}，交给本人保管，本机不要留。编号 {row.key_id}，{stands}。")
    if row.state == "waiting":
        aside("要由一位能打开的人登录后在「钥匙」页放行，才能用。")
    aside("恢复密钥只显示这一次，请打印入柜；口令忘了、文件丢了，只有它能打开：")
    click.echo(identity.recovery_text(private))


def _passphrase(file: Path | None) -> str:
    if file is not None:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            raise BadInput(Fault("passphrase", "unreadable", "口令文件不是 UTF-8 文本。")) from None
        return lines[0] if lines else ""
    if not sys.stdin.isatty():
        raise click.UsageError("没有终端可问口令，请用 --passphrase-file", click.get_current_context())
    aside("口令至少 12 个字，输入时不显示。")
    return str(click.prompt("口令", hide_input=True, confirmation_prompt="再输一次", err=True))


def _write(out: Path, data: bytes) -> None:
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BadInput(Fault("out", "exists", f"{out} 已经有了，密钥文件从不覆盖，请换个名字。")) from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
