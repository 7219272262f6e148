"""Everything an installation is, in one file: database, photos, keys, anchors, and a manifest that proves it.

The database is copied by SQLite's own backup, never as a file: a plain copy of a live one passes its
integrity check and lacks the newest rows. The file holds the keys unless told otherwise; keep it like them.
Settings, the robots file and a place folder of one's own lie elsewhere and are not in it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from patrol.errors import BadInput, Fault, Missing, Refused
from patrol.gateways.photostore import PhotoStore
from patrol.station import Station

FORMAT = 1
MANIFEST, DATABASE, ANCHORS = "manifest.json", "patrol.db", "anchors.jsonl"
_CHUNK = 1 << 20


@dataclass
class Contents:
    """What is in a backup file. `heads`: subject -> (lines, head). `digests`: member -> SHA-256."""

    made_at: str = ""
    issues: int = 0
    lines: int = 0
    photos: int = 0
    keys: bool = False
    rows: dict[str, int] = field(default_factory=dict, repr=False)
    heads: dict[str, tuple[int, str]] = field(default_factory=dict, repr=False)
    digests: dict[str, str] = field(default_factory=dict, repr=False)
    damaged: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The short form for people and scripts."""
        return {"made_at": self.made_at, "issues": self.issues, "lines": self.lines, "photos": self.photos,
                "keys": self.keys, "damaged": self.damaged}  # fmt: skip


def backup(station: Station, file: Path, *, with_keys: bool = True) -> Contents:
    """Write one backup file, complete or not at all; writers go on meanwhile."""
    if not station.settings.is_sqlite:
        raise Refused(
            "PostgreSQL 的数据库请用 pg_dump 备份，再连同照片文件夹和密钥文件夹一起存好；"
            "patrol backup 只管单机的 SQLite。",
            code="not_sqlite",
        )
    if not file.parent.is_dir():
        raise BadInput(Fault("file", "no_folder", f"没有文件夹 {file.parent}，请先建好。"))
    done = Contents(made_at=station.now().isoformat(), keys=with_keys)
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=file.parent) as room, _whole(file) as out:
        # the anchors first: what they name is then surely in the copy of the database that follows
        anchors = station.settings.data / ANCHORS
        anchored = anchors.read_bytes() if anchors.exists() else b""
        copy = Path(room) / DATABASE
        _copy_database(station, copy)
        _read_contents(copy, done)
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
            with copy.open("rb") as data:
                _add(tar, done, DATABASE, data, copy.stat().st_size)
            if anchored:
                _add(tar, done, ANCHORS, io.BytesIO(anchored), len(anchored))
            if with_keys:
                for name, raw in _key_files(station.settings.keys_folder):
                    _add(tar, done, name, io.BytesIO(raw), len(raw))
            for sha256, raw in _photos(station.store, copy, done):
                _add(tar, done, f"photos/{sha256}", io.BytesIO(raw), len(raw))
                done.photos += 1
            _add_manifest(tar, done)
    return done


def _copy_database(station: Station, copy: Path) -> None:
    connection = station.engine.raw_connection()
    try:
        source = connection.driver_connection
        assert isinstance(source, sqlite3.Connection)
        with closing(sqlite3.connect(copy)) as target:
            source.backup(target)  # all pages in one step: one state, and writers need not wait for it
            # one file without companions, so that nothing of it can be left behind
            target.execute("PRAGMA journal_mode=DELETE")
    finally:
        connection.close()


def _read_contents(copy: Path, done: Contents) -> None:
    with closing(sqlite3.connect(copy)) as base:
        for subject, seq, head in base.execute(
            "SELECT 'issue:' || id, trail_seq, trail_head FROM issue UNION ALL SELECT subject, seq, head FROM chain"
        ):
            done.heads[subject] = seq, head
        done.rows = count_rows(base)
    done.issues, done.lines = done.rows["issue"], done.rows["trail"]


def count_rows(base: sqlite3.Connection) -> dict[str, int]:
    """How many rows each table holds."""
    names = [name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    return {
        name: base.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0]
        for name in names if not name.startswith("sqlite_")
    }  # fmt: skip


def named_photos(base: sqlite3.Connection) -> set[str]:
    """Every object of the photo store that a row names."""
    query = """SELECT sha256 FROM photo UNION SELECT sealed_sha256 FROM photo UNION SELECT pdf_sha256 FROM slip"""
    return {sha256 for (sha256,) in base.execute(query) if sha256}


def _photos(store: PhotoStore, copy: Path, done: Contents) -> Iterator[tuple[str, bytes]]:
    """The objects of the store, those a row names among them; a lost one is listed and stops nothing."""
    with closing(sqlite3.connect(copy)) as base:
        named = named_photos(base)
    for sha256 in sorted(named | set(store.digests())):
        try:
            raw = store.get(sha256)
        except Missing:
            done.damaged.append(sha256)
            continue
        yield sha256, raw


def _key_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.glob("*.key")):
        yield f"keys/{path.relative_to(folder).as_posix()}", path.read_bytes()


def _add(tar: tarfile.TarFile, done: Contents, name: str, data: IO[bytes], size: int) -> None:
    digest = hashlib.sha256()
    while chunk := data.read(_CHUNK):
        digest.update(chunk)
    data.seek(0)
    done.digests[name] = digest.hexdigest()
    tar.addfile(_member(name, size), data)


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member


def _add_manifest(tar: tarfile.TarFile, done: Contents) -> None:
    raw = json.dumps({"format": FORMAT, **vars(done)}, ensure_ascii=False).encode()
    tar.addfile(_member(MANIFEST, len(raw)), io.BytesIO(raw))


@contextmanager
def _whole(file: Path) -> Iterator[IO[bytes]]:
    """A file that takes its name only when everything is in it and safe on disk."""
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(descriptor, "w+b") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(file)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows has no fsync of a directory
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
