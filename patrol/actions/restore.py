"""Taking a backup back: into an empty data folder, checked to the last byte, then replayed to its heads.

Nothing that is there is ever written over, and nothing in the file decides where a byte goes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from sqlalchemy.engine import make_url

from patrol.actions.backup import (
    ANCHORS,
    DATABASE,
    FORMAT,
    MANIFEST,
    Contents,
    count_rows,
    named_photos,
    sync_folder,
)
from patrol.errors import BadInput, Fault, Misconfigured, PatrolError, Refused
from patrol.gateways.photostore import PhotoStore, open_store
from patrol.settings import Settings
from patrol.station import Station

Heads = dict[str, tuple[int, str]]
CHUNK = 1 << 20
MOST_MANIFEST_BYTES = 1 << 30
_KEY = re.compile(r"keys/(?:[a-z]+\.key|operator\.pub|officers/[a-z0-9][a-z0-9_-]{0,63}\.pub)")
_PHOTO = re.compile(r"photos/([0-9a-f]{64})")


def restore(settings: Settings, file: Path) -> Contents:
    """Unpack a backup into an empty data folder; every byte is checked before anything takes its place."""
    if not settings.is_sqlite:
        raise Refused("备份只能恢复到单机的 SQLite；PATROL_DATABASE_URL 请先去掉。", code="not_sqlite")
    _refuse_if_taken(settings, keys=None)
    parent = settings.data.parent
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=parent) as room:
        stage = replace(settings, data=Path(room) / "data")
        stage.data.mkdir(mode=0o700)
        done = _unpack(stage, file)
        _refuse_if_taken(settings, keys=done.keys)
        _place(stage.data, settings)
    sync_folder(parent)
    return done


def _database(settings: Settings) -> Path:
    return Path(make_url(settings.database).database or "").absolute()


def _refuse_if_taken(settings: Settings, *, keys: bool | None) -> None:
    """Refuse where something is already; only a keys folder may wait for a backup without keys.

    `keys`: whether the backup has keys, None where that is not known yet.
    """
    there = sorted(path.name for path in settings.data.iterdir()) if settings.data.exists() else []
    if there and (there != ["keys"] or keys):
        raise Refused(
            f"数据文件夹 {settings.data} 不是空的（有 {there[0]}），没有动它。请换一个空文件夹（PATROL_DATA）。",
            code="not_empty",
        )
    if _database(settings).exists():
        raise Refused(f"数据库文件 {_database(settings)} 已经有了，没有动它。", code="not_empty")
    if keys and settings.keys_folder.exists() and any(settings.keys_folder.glob("*.key")):
        raise Refused(f"密钥文件夹 {settings.keys_folder} 里已有密钥，没有动它，请先移开。", code="not_empty")


def _unpack(stage: Settings, file: Path) -> Contents:
    """Every member into the stage, its digest taken on the way, then all compared with the manifest."""
    broken = BadInput(Fault("file", "damaged", f"{file.name} 不是完整的 Patrol 备份，可能没有传完。请换一份。"))
    store = open_store(stage.photos)
    seen: dict[str, str] = {}
    manifest: Any = None
    try:
        with tarfile.open(file, "r:") as tar:
            for member in tar:
                data = tar.extractfile(member) if member.isreg() else None
                if data is None or manifest is not None or member.name in seen:
                    raise broken
                if member.name == MANIFEST:
                    manifest = json.loads(data.read(MOST_MANIFEST_BYTES))
                else:
                    seen[member.name] = _take(stage, store, member.name, data, broken)
        done = _contents(manifest)
    except (tarfile.TarError, EOFError, ValueError, KeyError, TypeError):
        raise broken from None
    if seen != done.digests or DATABASE not in seen:
        raise broken
    return done


def _contents(manifest: Any) -> Contents:
    if manifest["format"] != FORMAT:
        raise BadInput(Fault("file", "format", "这份备份是更新的程序做的，请用新程序恢复。"))
    known = {name: value for name, value in manifest.items() if name != "format"}
    known["heads"] = {subject: (seq, head) for subject, (seq, head) in known["heads"].items()}
    return Contents(**known)


def _take(stage: Settings, store: PhotoStore, name: str, data: IO[bytes], broken: BadInput) -> str:
    photo = _PHOTO.fullmatch(name)
    if photo:
        sha256 = store.put(data.read())
        if sha256 != photo.group(1):
            raise broken
        return sha256
    if name not in (DATABASE, ANCHORS) and not _KEY.fullmatch(name):
        raise broken
    target = stage.data / name  # one of a few fixed shapes, so it cannot leave the stage
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest = hashlib.sha256()
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "wb") as out:
        while chunk := data.read(CHUNK):
            digest.update(chunk)
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()


def _place(stage: Path, settings: Settings) -> None:
    """Put the stage where it belongs; the data folder comes last, in one rename."""
    for source, target in ((DATABASE, _database(settings)), ("keys", settings.keys_folder.absolute())):
        inside = settings.data in target.parents
        if not (stage / source).exists() or (inside and target == settings.data / source):
            continue
        goal = stage / target.relative_to(settings.data) if inside else target
        goal.parent.mkdir(parents=True, exist_ok=True)
        if goal.exists():  # an empty keys folder, or one with public keys only
            shutil.copytree(stage / source, goal, dirs_exist_ok=True)
            shutil.rmtree(stage / source)
        else:
            shutil.move(stage / source, goal)
    if settings.data.exists():
        if (settings.data / "keys").exists():
            (settings.data / "keys").replace(stage / "keys")
        settings.data.rmdir()
    stage.replace(settings.data)


def verify_restored(
    settings: Settings, done: Contents, replay: Callable[[Station], tuple[list[str], Heads]]
) -> list[str]:
    """Every fault of a restored installation, as sentences; none when it is what was backed up.

    `replay` walks the whole trail and gives its faults and the heads it came to.
    """
    try:
        station = Station.open(settings, may_create=False)
    except Misconfigured as error:
        return [f"{error.sentence}没有密钥就核对不了台账：放好密钥后运行 patrol trail verify。"]
    faults: list[str] = []
    try:
        found, heads = replay(station)
        faults += found
        for subject in sorted(done.heads.keys() | heads.keys()):
            if done.heads.get(subject) != heads.get(subject):
                faults.append(f"{subject} 的链头与备份时记下的不符。")
        connection = station.engine.raw_connection()
        try:
            base = connection.driver_connection
            assert isinstance(base, sqlite3.Connection)
            faults += [
                f"数据库文件有损坏：{word}。" for (word,) in base.execute("PRAGMA integrity_check") if word != "ok"
            ]
            rows = count_rows(base)
            faults += [f"表 {name} 的行数与备份时不同。" for name in done.rows if rows.get(name) != done.rows[name]]
            wanted = named_photos(base) - set(done.damaged)
        finally:
            connection.close()
        faults += _photo_faults(station.store, wanted | set(station.store.digests()))
    finally:
        station.close()
    return faults


def _photo_faults(store: PhotoStore, wanted: set[str]) -> list[str]:
    faults = []
    for sha256 in sorted(wanted):
        try:
            store.get(sha256)
        except PatrolError as error:
            faults.append(f"照片文件 {sha256[:16]}…：{error.sentence}")
    return faults
