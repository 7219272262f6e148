"""What a message of DJI's Cloud API does: a drone becomes known, its position kept, its flight opened and landed, a
file it has uploaded awaited.

One message, one transaction; the answer is made only after the commit. A message that comes again is answered again
and done once. Positions leave no trail line. Only gateways on the list are heard. Nothing is ever sent to a drone.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.exc import InterfaceError, OperationalError

from patrol import models as m
from patrol.actions.flights import cancel, finish, open_flight
from patrol.actions.flights.register import Plan
from patrol.errors import OutOfReach, PatrolError, TooMuch
from patrol.gateways import djicloud as dji
from patrol.station import Actor, Station, Work

PLATFORM = Actor(None, "大疆平台", frozenset({"drone"}), via="system")
POSITION_EVERY = timedelta(seconds=10)  # how often a drone's row is written, however often it speaks
MOST_DRONES = 256
log = structlog.get_logger("patrol.dji")


@dataclass
class Ear:
    """One listener: whom it hears, what it has counted, and where the drones are now."""

    station: Station
    gateways: frozenset[str]
    heard: Counter[str] = field(default_factory=Counter)
    positions: dict[str, dji.Place] = field(default_factory=dict)
    _written: dict[str, datetime] = field(default_factory=dict)
    _strangers: set[str] = field(default_factory=set)


def hear(ear: Ear, topic: str, payload: bytes) -> dji.Answer | None:
    """Do what one message says; returns the answer it is owed, if any.

    Raises OutOfReach while the database is away: the message is then to be given again.
    """
    try:
        message = dji.read(topic, payload)
        if message.ids.kind == "osd":
            _placed(ear, message)
            return None
        if not _admitted(ear, message.ids.sn):
            return None
        ear.heard[message.ids.method] += 1
        result = _once(ear, message)
    except dji.Unread as unread:
        return _refused(ear, unread)
    except TooMuch as refused:  # of a position; what else is refused was answered already
        ear.heard["refused"] += 1
        log.warning("refused", topic=topic[:128], why=refused.sentence)
        return None
    except (OperationalError, InterfaceError) as away:
        raise OutOfReach("数据库暂时写不进，消息留着，稍后再试。", "database") from away
    return dji.answer(message.ids, result, ear.station.now()) if message.wants_answer else None


def _once(ear: Ear, message: dji.Envelope) -> int:
    """The result of this message; one already given is given again."""
    act = ACTS.get(message.ids.method)
    if act is None:
        return dji.DONE  # heard and counted: hms, and whatever else asks nothing of us
    key = f"dji:{message.digest[:60]}"
    try:
        with ear.station.work(PLATFORM) as work:
            work.only_one(f"dji:{message.ids.sn}")
            given = work.session.get(m.Answer, key)
            if given is not None:
                ear.heard["again"] += 1
                return int(given.body["result"])
            act(work, message)
            work.session.add(m.Answer(client_key=key, body_digest=message.digest, status=200,
                                      body={"result": dji.DONE}, at=work.now))  # fmt: skip
    except (dji.Unread, OutOfReach):
        raise
    except PatrolError as refused:
        ear.heard["refused"] += 1
        log.warning("refused", gateway=message.ids.sn, method=message.ids.method, why=refused.sentence)
        return dji.REFUSED
    return dji.DONE


def _refused(ear: Ear, unread: dji.Unread) -> dji.Answer | None:
    ids = unread.ids
    ear.heard["unread"] += 1
    log.warning("unread", sn=ids.sn if ids else "", method=ids.method if ids else "", why=unread.sentence)
    if ids is None or not ids.answerable or ids.sn not in ear.gateways:
        return None
    return dji.answer(ids, dji.REFUSED, ear.station.now())


def _admitted(ear: Ear, sn: str) -> bool:
    if sn in ear.gateways:
        return True
    ear.heard["stranger"] += 1
    if sn not in ear._strangers and len(ear._strangers) < MOST_DRONES:
        ear._strangers.add(sn)
        log.warning("stranger", gateway=sn, why="这台设备不在 PATROL_DJI_GATEWAYS 里，它的消息不收。")
    return False


def _placed(ear: Ear, message: dji.Envelope) -> None:
    """The last position of a drone: in memory at once, in its row now and then."""
    sn, now = message.ids.sn, ear.station.now()
    if sn in ear.gateways:
        return  # a dock stands where it stands
    last = ear._written.get(sn)
    if last is None and len(ear._written) >= MOST_DRONES:
        return
    if last is None and message.gateway not in ear.gateways:
        with ear.station.look(PLATFORM) as look:
            row = look.session.get(m.Drone, sn)
        if row is None or row.gateway not in ear.gateways or message.gateway:
            _admitted(ear, message.gateway or sn)
            return
    ear.heard["osd"] += 1
    spot = dji.place(message)
    if spot is not None:
        ear.positions[sn] = spot
    if last is not None and timedelta() <= now - last < POSITION_EVERY:
        return
    with ear.station.work(PLATFORM, now) as work:
        work.only_one(f"dji-drone:{sn}")
        row = work.session.get(m.Drone, sn) or _met(work, sn, message.gateway, "")
        row.seen_at, row.online = now, True
        at = message.said_at or now
        if spot is not None and (row.placed_at is None or at >= row.placed_at):
            row.lon, row.lat, row.height_m, row.above_takeoff_m = (
                spot.lon,
                spot.lat,
                spot.height_m,
                spot.above_takeoff_m,
            )
            row.placed_at = at
    ear._written[sn] = now


def _topology(work: Work, message: dji.Envelope) -> None:
    """`update_topo`: the drones of this gateway are these."""
    gateway, devices = message.ids.sn, dji.topology(message)
    work.session.execute(update(m.Drone).where(m.Drone.gateway == gateway).values(online=False))
    for device in devices:
        work.only_one(f"dji-drone:{device.sn}")
        row = work.session.get(m.Drone, device.sn, populate_existing=True) or _met(work, device.sn, gateway, "")
        row.gateway, row.model, row.online, row.seen_at = gateway, device.model, True, work.now


def _met(work: Work, sn: str, gateway: str, model: str) -> m.Drone:
    if (work.session.scalar(select(func.count()).select_from(m.Drone)) or 0) >= MOST_DRONES:
        raise TooMuch(f"已登记 {MOST_DRONES} 架无人机，不再登记新的。", "too_many_drones")
    row = m.Drone(sn=sn, gateway=gateway, model=model, online=True, seen_at=work.now)
    work.session.add(row)
    work.session.flush()
    work.tell("drone_known", subject=f"drone:{sn[:40]}", sn=sn, gateway=gateway)
    return row


def _uploaded(work: Work, message: dji.Envelope) -> None:
    """`file_upload_callback`: the file is awaited; taking it in is `djimedia`'s."""
    file, gateway = dji.uploaded(message), message.ids.sn
    drone = drone_of(work, gateway)
    if file.expected is not None and file.flight:
        note_task(work, gateway, file.flight, expected=file.expected)
    if not file.well:
        log.warning("upload_failed", gateway=gateway, name=file.name, why="设备报告这个文件没有传上去。")
        return
    digest = hashlib.sha256(f"{gateway}\n{file.object_key}".encode()).hexdigest()
    row = work.session.scalar(select(m.Media).where(m.Media.digest == digest))
    if row is None:
        row = m.Media(digest=digest, gateway=gateway, object_key=file.object_key, drone=drone, state="awaited",
                      flight_key=file.flight or drone or gateway, facts={}, error="", at=work.now, due_at=work.now)  # fmt: skip
        work.session.add(row)
    elif row.state == "lost":  # the platform says that it is there after all
        row.state, row.tries, row.at, row.due_at, row.error = "awaited", 0, work.now, work.now, ""
    row.facts = {**file.facts, "name": file.name, "original": file.original,
                 "shot_at": file.shot_at.isoformat() if file.shot_at else None}  # fmt: skip


def _flown(work: Work, message: dji.Envelope) -> None:
    """`flighttask_progress`: a task in the air has a flight, a task that ended has landed; what ended stays so."""
    said, gateway = dji.progress(message), message.ids.sn
    if said.state == "waiting":
        return
    lock(work, said.flight)
    task = note_task(work, gateway, said.flight, expected=said.media)
    if task.state.get("ended"):
        return
    flight = flight_of(work, said.flight)
    if said.state == "flying":
        if flight is None:
            flight = open_flight(work, Plan(drone=drone_of(work, gateway), live=True))
            flight.live_key = said.flight
        return
    note_task(work, gateway, said.flight, ended=said.status)
    if flight is None or flight.state != "receiving":
        return
    if said.state == "never_flew" and flight.quiet_at is None:
        cancel(work, flight)
        return
    flight.landed_at = message.said_at or work.now
    land_if_whole(work, gateway, said.flight)


def land_if_whole(work: Work, gateway: str, flight_key: str) -> bool:
    """Land the flight of a task that has ended once every file it told of is accounted for."""
    task, flight = note_task(work, gateway, flight_key), flight_of(work, flight_key)
    expected = task.state.get("expected")
    if flight is None or flight.state != "receiving" or not task.state.get("ended") or not expected:
        return False
    states = Counter(work.session.scalars(
        select(m.Media.state).where(m.Media.flight_key == flight_key, m.Media.gateway == gateway)
    ).all())  # fmt: skip
    if states["awaited"] or states.total() < expected or not states["taken"]:
        return False
    finish(work, flight)
    return True


def note_task(
    work: Work, gateway: str, flight_key: str, *, expected: int | None = None, ended: str | None = None
) -> m.Watch:
    """What is known of a task: how many files it will bring, and whether it has ended."""
    name = "dji:" + hashlib.sha256(f"{gateway}\n{flight_key}".encode()).hexdigest()[:28]
    row = work.session.get(m.Watch, name)
    if row is None:
        row = m.Watch(name=name, state={"gateway": gateway, "flight": flight_key}, at=work.now)
        work.session.add(row)
        work.session.flush()
    news = {"expected": expected, "ended": ended}
    if any(value is not None and row.state.get(key) != value for key, value in news.items()):
        row.state = {**row.state, **{key: value for key, value in news.items() if value is not None}}
        row.at = work.now
    return row


def lock(work: Work, flight_key: str) -> None:
    """The lock that a frame pushed into this flight takes."""
    work.only_one(f"live:{work.actor.person_id}:{flight_key}")


def flight_of(work: Work, flight_key: str) -> m.Flight | None:
    """The newest flight of the platform by this name."""
    return work.session.scalar(
        select(m.Flight)
        .where(m.Flight.live, m.Flight.live_key == flight_key, m.Flight.person_id.is_(None))
        .order_by(m.Flight.id.desc())
        .limit(1)
    )


def drone_of(work: Work, gateway: str) -> str:
    """The drone a gateway has now, or had last; empty when it never named one."""
    return work.session.scalar(
        select(m.Drone.sn).where(m.Drone.gateway == gateway).order_by(m.Drone.online.desc(), m.Drone.seen_at.desc()).limit(1)
    ) or ""  # fmt: skip


#: method -> what it does; every other one is counted and answered
ACTS: dict[str, Callable[[Work, dji.Envelope], None]] = {
    "update_topo": _topology,
    "file_upload_callback": _uploaded,
    "flighttask_progress": _flown,
}
