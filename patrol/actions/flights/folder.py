"""The files of a flight as they lie: a folder with its subfolders, a ZIP, or one file. Nothing is unpacked blindly."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from patrol.errors import BadInput, Fault
from patrol.rules.flights import MOST_FILE_BYTES, MOST_FILES

MOST_ZIP_BYTES = 40 * 1024**3
MOST_RATIO = 200  # a photograph does not shrink so; what does is a bomb
_BLOCK = 1 << 20
_IGNORED = ("__MACOSX", ".DS_Store", "Thumbs.db")


@contextmanager
def files_in(folder: Path) -> Iterator[list[tuple[Path, str]]]:
    """Paths and the names they are shown by, in order of name, for as long as the block runs."""
    if folder.is_dir():
        found = sorted(path for path in folder.rglob("*") if path.is_file() and not _ignored(path.name))
        yield [(path, path.relative_to(folder).as_posix()) for path in _few(found)]
    elif zipfile.is_zipfile(folder) and folder.suffix.lower() != ".kmz":
        with tempfile.TemporaryDirectory(prefix="patrol-flight-") as room:
            yield _unpacked(folder, Path(room))
    else:
        yield [(folder, folder.name)]


def _few(found: list[Path]) -> list[Path]:
    if len(found) > MOST_FILES:
        raise BadInput(
            Fault("files", "too_many", f"一个航次最多 {MOST_FILES} 个文件，这里有 {len(found)} 个，请分开。")
        )
    return found


def _ignored(name: str) -> bool:
    return name.startswith(".") or any(part in name for part in _IGNORED)


def _unpacked(archive: Path, room: Path) -> list[tuple[Path, str]]:
    """Each member under a name of ours; sizes are counted while reading, whatever the directory claims."""
    files: list[tuple[Path, str]] = []
    left = MOST_ZIP_BYTES
    try:
        with zipfile.ZipFile(archive) as zipped:
            members = [each for each in zipped.infolist() if not each.is_dir() and not _ignored(each.filename)]
            if len(members) > MOST_FILES:
                raise BadInput(
                    Fault("zip", "too_many", f"一个航次最多 {MOST_FILES} 个文件，压缩包里有 {len(members)} 个。")
                )
            for number, member in enumerate(sorted(members, key=lambda each: each.filename)):
                if member.flag_bits & 1:
                    raise BadInput(Fault("zip", "encrypted", "压缩包加了密码，请解开后再导入。"))
                target = room / f"{number:05d}"
                most = min(left, MOST_FILE_BYTES, max(member.compress_size, 1) * MOST_RATIO)
                left -= _copied(zipped, member, target, most)
                files.append((target, member.filename))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError) as broken:
        raise BadInput(Fault("zip", "bad_zip", "压缩包坏了或没传完，打不开；请重新打包。")) from broken
    return files


def _copied(zipped: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, most: int) -> int:
    size = 0
    with zipped.open(member) as source, target.open("wb") as file:
        while block := source.read(_BLOCK):
            size += len(block)
            if size > most:
                raise BadInput(
                    Fault("zip", "zip_bomb", f"压缩包里的 {member.filename[:80]} 展开后大得离谱，没有导入。")
                )
            file.write(block)
    return size
