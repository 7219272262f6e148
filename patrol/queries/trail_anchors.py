"""Heads that left the house: from the table, from the file beside the database, and off printed slips."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path


class Anchors:
    """subject -> seq -> {head: where it was seen}. Of two heads for one line one was forged."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[int, dict[str, str]]] = {}
        self.count = 0

    def add(self, subject: str, seq: object, head: object, where: object) -> None:
        """Remember one head; one that is not even a number and a text can match no line and so will show."""
        number = seq if isinstance(seq, int) else -1
        heads = self._kept.setdefault(subject, {}).setdefault(number, {})
        if str(head) not in heads:
            heads[str(head)] = str(where)
            self.count += 1

    def of(self, subject: str) -> dict[int, dict[str, str]]:
        return self._kept.get(subject, {})

    def subjects(self) -> Iterator[str]:
        return iter(self._kept)


def read_anchors(file: Path, into: Anchors) -> Iterator[tuple[int, str]]:
    """Take in the anchor file; yields line number and sentence of every line that cannot be read.

    A last line without its end is what a power cut leaves and is passed over.
    """
    with file.open("rb") as lines:
        for number, raw in enumerate(lines, start=1):
            if not raw.endswith(b"\n"):
                return
            try:
                row = json.loads(raw)
                subject, seq, head = row["subject"], row["seq"], row["head"]
                readable = isinstance(subject, str) and isinstance(seq, int) and isinstance(head, str)
            except (ValueError, KeyError, TypeError):
                readable = False
            if not readable:
                yield number, f"外存校验文件 {file.name} 第 {number} 行读不出来，被改过或磁盘有损坏。"
                continue
            into.add(subject, seq, head, file.name)
