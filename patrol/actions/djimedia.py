"""Files a DJI platform says it has uploaded, found in a folder and taken into their drone's live flight.

The folder is whatever shows the object store as files on this machine: a mount, or a copy that is kept in step. A
file that is not there yet is looked for again; one that never comes is given up and named. No key leads out of the
folder.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

import structlog
from sqlalchemy import delete, exists, select

from patrol import models as m
from patrol.actions.djicloud import PLATFORM, Ear, flight_of, land_if_whole, lock
from patrol.actions.flights import arrive_file, cancel
from patrol.actions.flights.live import Said, push
from patrol.errors import BadInput, Malformed
from patrol.rules.flights import IN_FUTURE, LIVE_QUIET
from patrol.station import Station, Work

AT_ONCE = 50
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(minutes=10)
GIVEN_UP_AFTER = timedelta(days=1)
STILL = timedelta(seconds=2)  # a file that has not changed for so long is whole
QUIET = timedelta(minutes=30)  # docks upload after landing and pause in between; a frame is read at once anyway
EMPTY_AFTER = timedelta(hours=6)
KEEP_ANSWERS, KEEP_TASKS = timedelta(days=7), timedelta(days=30)
TAKEN = frozenset({".jpg", ".jpeg", ".png", ".heic", ".tif", ".tiff"})
log = structlog.get_logger("patrol.dji")


def look_for(station: Station, folder: Path) -> int:
    """Take in the awaited files that have come; returns how many. Cheap when none is due."""
    with station.look(PLATFORM) as look:
        due = look.session.scalars(
            select(m.Media).where(m.Media.state == "awaited", m.Media.due_at <= look.now)
            .order_by(m.Media.due_at, m.Media.id).limit(AT_ONCE)
        ).all()  # fmt: skip
    if due:
        station.room()
    return sum(_look_for_one(station, folder, each) for each in due)


def _look_for_one(station: Station, folder: Path, media: m.Media) -> bool:
    name = str(media.facts.get("name") or media.object_key)
    if not media.facts.get("original", True):
        return _refuse(station, media, f"{name} 不是原图，没有收。")
    if PurePosixPath(media.object_key).suffix.lower() not in TAKEN:
        return _refuse(station, media, f"{name} 不是照片或影像，没有收。")
    try:
        path = inside(folder, media.object_key)
        if path is None or not _is_still(path, station.now()):
            return _wait(station, media)
        file = arrive_file(station, path, name)
    except (BadInput, Malformed) as refused:
        return _refuse(station, media, refused.sentence)
    except OSError:  # gone again, or not ours to read yet
        return _wait(station, media)
    shot = datetime.fromisoformat(media.facts["shot_at"]) if media.facts.get("shot_at") else None
    try:
        with station.work(PLATFORM) as work:
            row = _mine(work, media)
            if row is None:
                return False
            flight = flight_of(work, row.flight_key)
            if flight is not None and flight.state == "receiving":
                flight.quiet_at = flight.quiet_at or work.now + LIVE_QUIET  # from its first frame on it may fall silent
                work.session.flush()
            seen_at = shot if shot is not None and shot <= work.now + IN_FUTURE else None
            frame, flight = push(work, file, Said(flight=row.flight_key, drone=row.drone, seen_at=seen_at))
            if frame.state == "due":
                frame.facts = {
                    **frame.facts,
                    "said": {key: value for key, value in row.facts.items() if value is not None},
                }
            if flight.quiet_at is not None:
                flight.quiet_at = work.now + QUIET
            row.state, row.frame_id, row.error = "taken", frame.id, ""
            work.session.flush()
            land_if_whole(work, row.gateway, row.flight_key)
    except BadInput as refused:
        return _refuse(station, media, refused.sentence)
    return True


def inside(folder: Path, object_key: str) -> Path | None:
    """The file of a key, or None while it is not there. Raises BadInput for a key that leads out of the folder."""
    parts = PurePosixPath(object_key)
    if parts.is_absolute() or ".." in parts.parts or "\\" in object_key or ":" in object_key:
        raise BadInput("文件的 object_key 指到文件夹外面，没有收。")
    root = folder.resolve()
    path = (root / parts).resolve()
    if not path.is_relative_to(root):
        raise BadInput("文件的 object_key 经链接指到文件夹外面，没有收。")
    return path if path.is_file() else None


def tidy(station: Station) -> None:
    """Flights whose files never came are cancelled; answers and tasks long past are forgotten."""
    with station.work(PLATFORM) as work:
        empty = (
            select(m.Flight).where(
                m.Flight.live, m.Flight.state == "receiving", m.Flight.quiet_at.is_(None), m.Flight.live_key != "",
                m.Flight.person_id.is_(None), m.Flight.opened_at < work.now - EMPTY_AFTER,
                ~exists().where(m.Frame.flight_id == m.Flight.id),
                ~exists().where(m.Media.flight_key == m.Flight.live_key, m.Media.state == "awaited"),
            )
        )  # fmt: skip
        for flight in work.session.scalars(empty).all():
            flight.warnings = [*flight.warnings, {"code": "no_media", "sentence": "平台说飞过，但没有一个文件送到。"}]
            cancel(work, flight)
        work.session.execute(
            delete(m.Answer).where(m.Answer.client_key.startswith("dji:"), m.Answer.at < work.now - KEEP_ANSWERS)
        )
        work.session.execute(delete(m.Watch).where(m.Watch.name.startswith("dji:"), m.Watch.at < work.now - KEEP_TASKS))


def note(ear: Ear) -> None:
    """What this listener has counted so far, kept where others can see it."""
    with ear.station.work(PLATFORM) as work:
        row = work.session.get(m.Watch, "dji")
        if row is None:
            row = m.Watch(name="dji", state={}, at=work.now)
            work.session.add(row)
        row.state, row.at = {"heard": dict(ear.heard)}, work.now


def _is_still(path: Path, now: datetime) -> bool:
    stat = path.stat()
    return stat.st_size > 0 and abs(now.timestamp() - stat.st_mtime) >= STILL.total_seconds()


def _mine(work: Work, media: m.Media) -> m.Media | None:
    """The row, held, if it is still to be taken."""
    lock(work, media.flight_key)
    row = work.session.get_one(m.Media, media.id, with_for_update=True, populate_existing=True)
    return row if row.state == "awaited" else None


def _wait(station: Station, media: m.Media) -> bool:
    with station.work(PLATFORM) as work:
        row = _mine(work, media)
        if row is None:
            return False
        row.tries += 1
        row.due_at = work.now + min(FIRST_WAIT * 2 ** min(row.tries - 1, 10), LONGEST_WAIT)
        if work.now - row.at >= GIVEN_UP_AFTER:
            row.state, row.error = "lost", "平台说已上传，但一天之内没有在文件夹里找到。"
            work.tell("media_lost", subject="house", media=row.id, drone=row.drone, name=row.facts.get("name", ""))
            land_if_whole(work, row.gateway, row.flight_key)
    return False


def _refuse(station: Station, media: m.Media, why: str) -> bool:
    log.warning("not_taken", gateway=media.gateway, why=why)
    with station.work(PLATFORM) as work:
        row = _mine(work, media)
        if row is not None:
            row.state, row.error = "refused", why[:500]
            work.session.flush()
            land_if_whole(work, row.gateway, row.flight_key)
    return False
