"""The sealing keys of reward officers and of the telephone operator.

The private key goes into one passphrase-protected file and one printed recovery text; the installation keeps
the public key only.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from patrol.cli.answers import aside, station
from patrol.errors import BadInput, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from patrol.gateways.keys import Keys

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
    """给奖励专员 NAME（小写字母）做一把密钥。打印的恢复密钥请入保险柜。"""
    _make(f"奖励专员 {name}", out, passphrase_file, lambda kept, public: kept.add_officer(name, public))


@keys.command()
@OUT
@PASSPHRASE
def operator(out: Path, passphrase_file: Path | None) -> None:
    """给热线话务员做一把密钥，用来打开回访电话。"""
    _make("话务员", out, passphrase_file, lambda kept, public: kept.set_operator(public))


def _make(who: str, out: Path, passphrase_file: Path | None, keep: Callable[[Keys, bytes], None]) -> None:
    from patrol.gateways import identity

    with station() as opened:
        passphrase = _passphrase(passphrase_file)
        private, public = identity.make_keypair()
        locked = identity.lock_key(private, passphrase)
        # the file first: a public key whose private half was never written would seal for nobody
        _write(out, locked)
        try:
            keep(opened.keys, public)
        except BaseException:
            out.unlink(missing_ok=True)
            raise
    aside(f"{who}的密钥文件已写到 {out}，交给本人保管，本机不要留。编号 {identity.key_id(public)}。")
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
