"""The secrets of one installation, as files: made on the first start, read on every later one.

A key that is missing while a database exists is never made anew: everything that rests on it (the trail's
chain, receipt codes, slip check codes) would silently stop verifying. Keys that open sealed envelopes are never
kept here: their public halves are rows, their private halves lie in their holders' own key files. Nothing here
is logged or shown.
"""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path

from patrol.errors import Misconfigured

_KEY_BYTES = 32
_HEX = re.compile(r"[0-9a-f]{64}")


def _secret() -> bytes:
    """Declare a secret field: never part of repr."""
    value: bytes = field(repr=False)
    return value


@dataclass(frozen=True)
class Keys:
    """The secret keys, 32 bytes each."""

    folder: Path
    chain: bytes = _secret()
    pepper: bytes = _secret()
    receipt: bytes = _secret()
    check: bytes = _secret()
    session: bytes = _secret()
    client: bytes = _secret()

    @classmethod
    def open(cls, folder: Path, *, may_create: bool = False) -> Keys:
        """Read the keys in `folder`; with `may_create` (no database yet) make those that are absent."""
        names = key_names()
        try:
            if may_create:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            missing = [name for name in names if not (folder / f"{name}.key").exists()]
            if missing and not may_create:
                listed = "、".join(f"{name}.key" for name in missing)
                raise Misconfigured(
                    f"密钥文件缺失：{folder} 里没有 {listed}。数据库已存在，不能重做密钥；请从备份恢复密钥目录。",
                    code="key_missing",
                )
            for name in missing:
                _make(folder / f"{name}.key")
            if missing:
                _sync_folder(folder)
            return cls(folder, **{name: _read_secret(folder / f"{name}.key") for name in names})
        except OSError as error:
            raise Misconfigured(f"密钥目录 {folder} 读不了：{error.strerror}。请检查路径和权限。") from error


def key_names() -> list[str]:
    """Name the secret keys of an installation, in a fixed order."""
    return [entry.name for entry in fields(Keys) if entry.name != "folder"]


def _make(path: Path) -> None:
    # Two processes may start first at once: one wins the name, the other then reads the winner's key.
    _write_new(path, secrets.token_bytes(_KEY_BYTES).hex().encode() + b"\n", mode=0o600)


def _write_new(path: Path, text: bytes, *, mode: int) -> bool:
    """Write `path` complete or not at all, never over another; say whether this call made it."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        return True
    finally:
        with suppress(OSError):
            temporary.unlink()


def _read_secret(path: Path) -> bytes:
    if os.name != "nt" and path.stat().st_mode & 0o077:
        raise Misconfigured(f"密钥文件 {path} 别人也能读写，请先执行 chmod 600 {path}。", code="key_exposed")
    text = path.read_bytes().decode("ascii", "replace").strip()
    if not _HEX.fullmatch(text):
        raise Misconfigured(f"密钥文件 {path} 内容不对（应是 64 位十六进制），请从备份恢复。", code="key_damaged")
    return bytes.fromhex(text)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows has no fsync of a directory
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
