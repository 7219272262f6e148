"""A large file of a flight arrives in pieces (`patrol.gateways.partfile`).

When the last byte is here the whole is checked against its digest and becomes a frame, or the frames of an archive.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import select

from patrol import models as m
from patrol.actions.flights.folder import files_in
from patrol.actions.flights.receive import Arrived, arrive_file, shown_name, take
from patrol.actions.flights.register import hold, new_ref
from patrol.errors import BadInput, Fault, Missing, WrongStep
from patrol.gateways.partfile import PartFile
from patrol.rules.flights import MOST_FILE_BYTES
from patrol.station import Actor, Station, Work

PIECE_BYTES = 16 * 1024 * 1024


def open_upload(work: Work, flight: m.Flight, name: str, size_bytes: int, sha256: str) -> m.Upload:
    """Announce a file; the same file announced again is the same upload."""
    if flight.state not in ("planned", "receiving"):
        raise WrongStep("这个航次已收齐，不再收文件；另开一个航次。", state=flight.state)
    faults = []
    if not 0 < size_bytes <= MOST_FILE_BYTES:
        faults.append(Fault("/bytes", "bytes", f"bytes 要写 1 到 {MOST_FILE_BYTES} 的整数。"))
    if len(sha256) != 64 or any(c not in "0123456789abcdef" for c in sha256):
        faults.append(Fault("/sha256", "sha256", "sha256 要写 64 位小写十六进制。"))
    if faults:
        raise BadInput(faults)
    hold(work, flight.id)
    before = work.session.scalar(select(m.Upload).where(m.Upload.flight_id == flight.id, m.Upload.sha256 == sha256))
    if before is not None:
        return before
    row = m.Upload(ref=new_ref(), flight_id=flight.id, name=shown_name(name), bytes=size_bytes, sha256=sha256,
                   state="open", at=work.now)  # fmt: skip
    flight.state = "receiving"
    work.session.add(row)
    work.session.flush()
    return row


def find_upload(work: Work, flight: m.Flight, ref: str) -> m.Upload:
    row = work.session.scalar(select(m.Upload).where(m.Upload.ref == ref, m.Upload.flight_id == flight.id))
    if row is None:
        raise Missing("没有这次上传。")
    return row


def offset_of(station: Station, upload: m.Upload) -> int:
    """How many bytes of a file are safe here."""
    return upload.bytes if upload.state != "open" else _part(station, upload).offset


def take_piece(station: Station, upload: m.Upload, offset: int, piece: Iterable[bytes]) -> int:
    """Append one piece; returns the new offset, on disk."""
    return upload.bytes if upload.state != "open" else _part(station, upload).append(offset, piece)


def whole(station: Station, actor: Actor, upload: m.Upload) -> list[m.Frame]:
    """The last byte is here: checked, kept, and taken into the flight. A wrong digest starts the file again."""
    part = _part(station, upload)
    arrived: list[Arrived] = []
    if upload.state == "open":
        part.check()
        arrived = _arrived(station, part.path, upload.name)
    with station.work(actor) as work:
        flight = hold(work, upload.flight_id)
        row = work.session.get_one(m.Upload, upload.id)
        frames = [take(work, flight, file) for file in arrived]
        row.state = "whole"
    part.drop()
    return frames


def _arrived(station: Station, part: Path, name: str) -> list[Arrived]:
    """The file itself, or what an archive holds; files of an archive that no flight brings are passed over."""
    if not name.lower().endswith(".zip"):
        return [arrive_file(station, part, name)]
    found, refused = [], []
    with files_in(part) as files:
        for path, inner in files:
            try:
                found.append(arrive_file(station, path, inner))
            except BadInput as fault:
                refused.extend(fault.faults)
    if not found:
        raise BadInput(refused or [Fault("/file", "empty_zip", "压缩包里没有航片、影像或飞行日志。")])
    return found


def _part(station: Station, upload: m.Upload) -> PartFile:
    return PartFile(station.settings.data / "incoming" / upload.ref, upload.bytes, upload.sha256)
