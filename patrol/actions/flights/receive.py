"""Files of a flight are taken in: each kept by its digest, each an errand of its own once the flight is whole.

The same file twice is one frame; the same set of files twice is the same flight. Nothing is decoded here: what a
file is follows from its first bytes, what it holds is read by the worker.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sqlalchemy import func, select

from patrol import models as m
from patrol.actions.flights.register import hold, new_ref
from patrol.errors import BadInput, Fault, WrongStep
from patrol.rules.flights import MOST_FILE_BYTES, MOST_FILES
from patrol.station import Station, Work

HEAD_BYTES = 4096
_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_SRT = re.compile(rb"^\xef?\xbb?\xbf?\s*\d+\s*\r?\n\s*\d\d:\d\d:\d\d[,.]\d{1,3}\s*-->")


def kind_of(head: bytes, name: str) -> str | None:
    """What a file seems to be by its first bytes: photo, band (any TIFF until it is read), log; None for what no
    flight brings.

    >>> kind_of(b"II*\\x00" + bytes(8), "a.tif"), kind_of(b"<?php", "a.jpg")
    ('band', None)
    """
    if head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")) or head[4:8] == b"ftyp":
        return "photo"
    if head.startswith(_TIFF):
        return "band"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    ending = name.lower().rpartition(".")[2]
    if _SRT.match(head) or (text.startswith(b"<") and ending in ("gpx", "kml", "wpml")):
        return "log"
    if (head.startswith(b"PK\x03\x04") and ending == "kmz") or (ending == "csv" and b"\x00" not in head):
        return "log"
    return None


@dataclass(frozen=True)
class Arrived:
    """One file that may become a frame: checked, and safe in the store or (`data`) small enough to carry there."""

    sha256: str
    name: str
    size_bytes: int
    kind: str
    data: bytes | None = field(default=None, repr=False)


def arrive_file(station: Station, path: Path, name: str) -> Arrived:
    """A file on this machine, copied to the store before any transaction begins; it may be larger than memory."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    kind, size = _admit(head, name, path.stat().st_size), path.stat().st_size
    return Arrived(station.store.put_file(path), shown_name(name), size, kind)


def arrive_bytes(data: bytes, name: str) -> Arrived:
    """A file that came over HTTP; it goes to the store just before the commit that keeps its row."""
    kind = _admit(data[:HEAD_BYTES], name, len(data))
    return Arrived(hashlib.sha256(data).hexdigest(), shown_name(name), len(data), kind, data)


def take(work: Work, flight: m.Flight, file: Arrived) -> m.Frame:
    """A file becomes a frame of the flight; the same bytes twice are one frame."""
    if flight.state not in ("planned", "receiving"):
        raise WrongStep("这个航次已收齐，不再收文件；另开一个航次。", state=flight.state)
    before = work.session.scalar(select(m.Frame).where(m.Frame.flight_id == flight.id, m.Frame.sha256 == file.sha256))
    if before is not None:
        return before
    count = work.session.scalar(select(func.count(m.Frame.id)).where(m.Frame.flight_id == flight.id)) or 0
    if count >= MOST_FILES:
        raise BadInput(Fault("/file", "too_many", f"一个航次最多 {MOST_FILES} 个文件，请分成几个航次。"))
    if file.data is not None:
        work.before_commit.append(partial(work.photos.put, file.data))
    flight.state = "receiving"
    frame = m.Frame(ref=new_ref(), flight_id=flight.id, sha256=file.sha256, name=file.name, bytes=file.size_bytes,
                    kind=file.kind, state="due", received_at=work.now, faults=[], facts={})  # fmt: skip
    work.session.add(frame)
    work.session.flush()
    return frame


def shown_name(name: str) -> str:
    """The last part of a path in either style, without what cannot be shown."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(c for c in last if c.isprintable())[:160] or "未命名"


def _admit(head: bytes, name: str, size: int) -> str:
    kind, shown = kind_of(head, name), shown_name(name)
    if size == 0:
        raise BadInput(Fault("/file", "empty", f"{shown} 是空文件，请重新导出。"))
    if size > MOST_FILE_BYTES:
        raise BadInput(Fault("/file", "too_large", f"{shown} 超过 {MOST_FILE_BYTES // 1024**3} GB，请分块导出。"))
    if kind is None:
        known = "JPEG、HEIC、PNG、TIFF、SRT、GPX、KML、KMZ、CSV"
        raise BadInput(Fault("/file", "unknown_file", f"{shown} 不是航片、影像或飞行日志；收 {known}。"))
    return kind


def finish(work: Work, flight: m.Flight) -> m.Flight:
    """All files are here: each becomes an errand. A flight of the same files as one before is that flight.

    Of a live flight each frame is an errand already: it has landed, and what was told of it stays told.
    """
    flight = hold(work, flight.id)
    if flight.state not in ("planned", "receiving"):
        return flight
    frames = list(work.session.scalars(select(m.Frame).where(m.Frame.flight_id == flight.id).order_by(m.Frame.id)))
    if not frames:
        raise BadInput(Fault("/files", "no_files", "这个航次还没有文件。"))
    digest = hashlib.sha256("".join(sorted(frame.sha256 for frame in frames)).encode()).hexdigest()
    work.only_one(f"flight-digest:{digest}")
    twin = work.session.scalar(select(m.Flight).where(m.Flight.digest == digest))
    if twin is not None and not flight.live:
        _drop(work, flight, frames)
        return twin
    flight.digest, flight.received_at, flight.state = None if twin else digest, work.now, "reading"
    flight.quiet_at = None
    work.tell("flight_received", subject=f"flight:{flight.id}", ref=flight.ref, files=len(frames), digest=digest)
    if flight.live:
        if not any(frame.state == "due" for frame in frames):
            work.tell("flight_read", subject=f"flight:{flight.id}", flight=flight.id)
        return flight
    # logs first: frames without a position take theirs from them
    for frame in sorted(frames, key=lambda each: (each.kind != "log", each.id)):
        work.tell("frame_received", subject=f"flight:{flight.id}", frame=frame.id, sha256=frame.sha256)
    return flight


def _drop(work: Work, flight: m.Flight, frames: list[m.Frame]) -> None:
    """The same files came before: this flight was only their messenger and leaves a line, not a double."""
    for frame in frames:
        frame.state = "duplicate"
    flight.state = "cancelled"
    flight.warnings = [
        *flight.warnings,
        {"code": "same_files", "sentence": "这些文件以前已作为一个航次收过，没有重复处理。"},
    ]
    work.tell("flight_cancelled", subject=f"flight:{flight.id}", ref=flight.ref, why="same_files")
