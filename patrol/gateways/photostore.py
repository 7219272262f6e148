"""Where photo originals are kept: by the SHA-256 of their bytes, written once, never changed.

The name of an object is its content, so a second write of the same bytes is the same object and an object
that was altered on disk no longer answers to its name. Only retention ever takes one away. Nothing here looks inside a photo, knows an issue, or
takes a name from outside: file names of uploads never reach the disk.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from patrol.errors import Misconfigured, Missing, NoRoom, OutOfReach

_DIGEST = re.compile(r"[0-9a-f]{64}")
_SHARD = re.compile(r"[0-9a-f]{2}")
_INCOMING = ".incoming"
_LEFTOVER_AGE_S = 24 * 3600
_BLOCK = 1 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} if hasattr(errno, "EDQUOT") else {errno.ENOSPC, errno.EFBIG}


class PhotoStore(Protocol):
    """What every store can do; a bucket store only has to offer these nine."""

    def put(self, data: bytes) -> str:
        """Keep `data` for good and return its SHA-256 as hex; safe on disk when this returns."""

    def put_file(self, path: Path) -> str:
        """As `put`, of a file that may be larger than memory; the file itself is left where it is."""

    def get(self, sha256: str) -> bytes:
        """Return the bytes, checked against their name; `Missing` when absent or damaged."""

    def lend(self, sha256: str) -> AbstractContextManager[Path]:
        """A file of this machine that holds the object while the block runs; its content is unchecked."""

    def has(self, sha256: str) -> bool:
        """Say whether an object of that name is there (its content is not read)."""

    def erase(self, sha256: str) -> None:
        """Take one object away for good, for retention alone; an absent one is no fault."""

    def digests(self) -> Iterator[str]:
        """Name every object once, for the reconciler; objects put meanwhile may be left out."""

    def probe(self) -> None:
        """Prove that a write works now, leaving nothing behind; `OutOfReach` or `NoRoom` when not."""

    def free_bytes(self) -> int | None:
        """Room left for this process, or None where the store cannot know it."""


def open_store(url: str) -> PhotoStore:
    """Open the store a setting names: `file:///folder` (made when absent)."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        raise Misconfigured(f"PATROL_PHOTOS_URL 只支持 file:///目录，现在是“{parts.scheme or url}”。")
    if parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
        raise Misconfigured("PATROL_PHOTOS_URL 应写成 file:///绝对路径（三条斜线），不带主机名和参数。")
    path = unquote(parts.path)
    if os.name == "nt":
        path = path.lstrip("/")
    folder = Path(path)
    if not folder.is_absolute() or folder == Path(folder.anchor):
        raise Misconfigured("PATROL_PHOTOS_URL 应是一个绝对路径的目录，例如 file:///var/lib/patrol/photos。")
    return FolderStore(folder)


class FolderStore:
    """A store in a folder of this machine: `ab/abcdef…`, read-only files, one level of 256 shards."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / _INCOMING
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o750)
            self._incoming.mkdir(exist_ok=True, mode=0o750)
        except OSError as error:
            raise Misconfigured(f"照片目录 {folder} 建不了：{error.strerror}。请检查路径和权限。") from error
        self._drop_leftovers()

    def put(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        target = self._path(sha256)
        try:
            if not self._holds(target, sha256):
                self._write(target, data)
            # Also for an object already there: its first writer may not have reached its own fsync yet.
            _sync_folder(target.parent)
        except OSError as error:
            raise _storage_error(error) from error
        return sha256

    def put_file(self, path: Path) -> str:
        temporary = self._temporary()
        try:
            digest = hashlib.sha256()
            with path.open("rb") as source, temporary.open("xb") as file:
                while block := source.read(_BLOCK):
                    digest.update(block)
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            sha256 = digest.hexdigest()
            target = self._path(sha256)
            if not self._holds(target, sha256):
                self._settle(temporary, target)
            _sync_folder(target.parent)
        except OSError as error:
            raise _storage_error(error) from error
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        return sha256

    @contextmanager
    def lend(self, sha256: str) -> Iterator[Path]:
        yield self.open_path(sha256)

    def get(self, sha256: str) -> bytes:
        path = self.open_path(sha256)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise Missing("没有这张照片。", code="photo_missing") from None
        except OSError as error:
            raise _storage_error(error) from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise Missing("这张照片的原件已损坏，请从备份恢复。", code="photo_damaged", sha256=sha256)
        return data

    def has(self, sha256: str) -> bool:
        return _is_digest(sha256) and self._path(sha256).is_file()

    def erase(self, sha256: str) -> None:
        if not _is_digest(sha256):
            return
        path = self._path(sha256)
        try:
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                _sync_folder(path.parent)
        except OSError as error:
            raise _storage_error(error) from error

    def open_path(self, sha256: str) -> Path:
        """Return where the object lies, for readers that need a file; the content is unchecked."""
        path = self._path(sha256) if _is_digest(sha256) else None
        if path is None or not path.is_file():
            raise Missing("没有这张照片。", code="photo_missing")
        return path

    def digests(self) -> Iterator[str]:
        for shard in sorted(self._folder.iterdir()):
            if not _SHARD.fullmatch(shard.name) or not shard.is_dir():
                continue
            for entry in sorted(shard.iterdir()):
                if _is_digest(entry.name) and entry.name.startswith(shard.name):
                    yield entry.name

    def probe(self) -> None:
        temporary = self._temporary()
        try:
            with temporary.open("xb") as file:
                file.write(b"probe")
                file.flush()
                os.fsync(file.fileno())
            temporary.unlink()
        except OSError as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise _storage_error(error) from error

    def free_bytes(self) -> int | None:
        try:
            return shutil.disk_usage(self._folder).free
        except OSError as error:
            raise _storage_error(error) from error

    def _path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256

    def _temporary(self) -> Path:
        return self._incoming / f"{os.getpid()}-{secrets.token_hex(8)}"

    def _holds(self, target: Path, sha256: str) -> bool:
        """Say whether the object is there and sound; a damaged one is put again from the good bytes."""
        try:
            with target.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except FileNotFoundError:
            return False

    def _write(self, target: Path, data: bytes) -> None:
        """Write beside, then rename: the name only ever stands for complete bytes, whatever dies when."""
        temporary = self._temporary()
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            self._settle(temporary, target)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise

    def _settle(self, temporary: Path, target: Path) -> None:
        if not target.parent.is_dir():
            target.parent.mkdir(exist_ok=True, mode=0o750)
            _sync_folder(self._folder)
        temporary.chmod(0o440)
        temporary.replace(target)

    def _drop_leftovers(self) -> None:
        """Remove what a killed writer left behind; a day is far longer than any write takes."""
        oldest_kept_at = time.time() - _LEFTOVER_AGE_S
        for leftover in self._incoming.iterdir():
            with suppress(OSError):
                if leftover.stat().st_mtime < oldest_kept_at:
                    leftover.unlink()


def _is_digest(text: str) -> bool:
    return _DIGEST.fullmatch(text) is not None


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows has no fsync of a directory; NTFS journals the rename itself
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _storage_error(error: OSError) -> NoRoom | OutOfReach:
    if error.errno in _FULL:
        return NoRoom()
    return OutOfReach(f"照片存储写不进或读不出（{error.strerror}），请稍后再试。", code="photo_store")
