"""A file that arrives in pieces: how much of it is here is the length of its part file and nothing else.

Each piece is on disk before it is acknowledged, so a killed process loses at most the piece it was taking, and the
sender may go on where it stopped. Must not know whose file it is or what becomes of it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from patrol.errors import BadInput, Fault, WrongStep


@dataclass(frozen=True)
class PartFile:
    """The part file of one announced upload: where it lies, how many bytes it will have, and their digest."""

    path: Path
    whole_bytes: int
    sha256: str

    @property
    def offset(self) -> int:
        """How many bytes are safe here."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def append(self, offset: int, piece: Iterable[bytes]) -> int:
        """Append one piece; returns the new offset, on disk. A piece from another offset is refused with the right
        one; of a piece that is cut, what came is kept."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.path.open("ab") as file:
            at = file.tell()
            if at != offset:
                raise WrongStep(f"这里已有 {at} 字节，请从 {at} 接着传。", code="offset", offset=at)
            try:
                for block in piece:
                    if file.tell() + len(block) > self.whole_bytes:
                        sentence = f"传来的比说好的 {self.whole_bytes} 字节多，请重新上传。"
                        raise BadInput(Fault("/bytes", "too_many_bytes", sentence))
                    file.write(block)
            finally:
                file.flush()
                os.fsync(file.fileno())
            return file.tell()

    def check(self) -> None:
        """The last byte is here: other content than announced is thrown away, and the file begins again."""
        if self.offset < self.whole_bytes:
            raise WrongStep("还没有传完。", offset=self.offset)
        with self.path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == self.sha256:
                return
        self.path.unlink()
        raise BadInput(Fault("/sha256", "digest_differs", "收到的内容与校验值不符，请从头再传一遍。"))

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
