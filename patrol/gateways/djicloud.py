"""Messages of DJI's Cloud API: bytes from a broker become plain values, and plain values become answers.

Pure: no network, no database, no clock. Source of names and shapes: DJI's public Cloud API pages for docks (topics,
envelope, `update_topo`, OSD, `file_upload_callback`, `flighttask_progress`). Those pages and the devices differ in
small things (numbers as text, a position nested or flat, `create_time` or `created_time`), so both are read. Proven
on messages written from those pages, not on a real dock.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from patrol.errors import Malformed
from patrol.gateways.djivalues import count, flag, mapping, moment, moment_of_ms, number, position, sound, text

MOST_BYTES = 256 * 1024
MOST_DEVICES = 64  # of one gateway
DONE, REFUSED = 0, 1  # a device reads every result but 0 as a failure
SERIAL = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOPIC = re.compile(r"(sys|thing)/product/([A-Za-z0-9_-]{1,64})/(status|osd|events)")
_KINDS = {("sys", "status"): "status", ("thing", "osd"): "osd", ("thing", "events"): "events"}
_HINT = re.compile(rb'"(tid|bid|method)"\s*:\s*"([A-Za-z0-9_.:-]{1,128})"')
_HINT_BYTES = 4096
# DJI's words for how a task stands; what is not here is said of a task that has not taken off
FLYING = frozenset({"in_progress", "paused"})
ENDED = frozenset({"ok", "partially_done", "failed", "canceled", "timeout"})
NEVER_FLEW = frozenset({"rejected"})
WAITING = frozenset({"sent"})


@dataclass(frozen=True)
class Ids:
    """What an answer repeats of the message it answers. `kind` is status, osd or events."""

    kind: str
    sn: str
    tid: str = ""
    bid: str = ""
    method: str = ""

    @property
    def answerable(self) -> bool:
        return self.kind != "osd" and bool(self.tid)


@dataclass(frozen=True)
class Envelope:
    """One message as it came. `digest` is over what it asks for, whatever time it was sent again."""

    ids: Ids
    gateway: str
    said_at: datetime | None
    wants_answer: bool
    data: Mapping[str, Any] = field(repr=False)

    @property
    def digest(self) -> str:
        ids = self.ids
        body = json.dumps([ids.sn, ids.tid, ids.bid, ids.method, self.data], sort_keys=True)
        return hashlib.sha256(body.encode()).hexdigest()


@dataclass(frozen=True)
class Answer:
    topic: str
    payload: bytes


@dataclass(frozen=True)
class Device:
    """A drone a gateway has (or, with none, has lost): `model` is domain-type-sub type as the platform numbers them."""

    sn: str
    model: str


@dataclass(frozen=True)
class Place:
    """Where a drone says it is: WGS-84 degrees, metres above the ellipsoid and above its take-off."""

    lon: float
    lat: float
    height_m: float | None
    above_takeoff_m: float | None


@dataclass(frozen=True)
class Uploaded:
    """A file that is said to lie in the object store. `shot_at` only where the platform names a zone."""

    object_key: str
    name: str
    flight: str
    original: bool
    well: bool
    shot_at: datetime | None
    facts: Mapping[str, Any]
    expected: int | None


@dataclass(frozen=True)
class Progress:
    """How a flight task stands; `state` is flying, ended, never_flew or waiting."""

    flight: str
    state: str
    status: str
    media: int | None


class Unread(Malformed):
    """A message that cannot be read; `ids` says what could be made out of it."""

    code = "dji_unread"
    sentence = "大疆平台发来的消息读不出来。"

    def __init__(self, sentence: str, ids: Ids | None, why: str) -> None:
        super().__init__(sentence, why)
        self.ids = ids


def read(topic: str, payload: bytes) -> Envelope:
    """One message of a topic we listen to. Raises `Unread` with a sentence; never anything else.

    >>> it = read("thing/product/DOCK1/events", b'{"tid":"t","bid":"b","method":"hms","need_reply":"1","data":{}}')
    >>> it.ids.method, it.wants_answer
    ('hms', True)
    """
    ids = _outer(topic)
    if len(payload) > MOST_BYTES:
        raise Unread(f"消息有 {len(payload) // 1024} KB，超过 {MOST_BYTES // 1024} KB，没有收。", _hinted(ids, payload),
                     "too_large")  # fmt: skip
    try:
        body = json.loads(payload.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Unread("消息不是完整的 JSON（UTF-8），没有收。", _hinted(ids, payload), "not_json") from None
    if not isinstance(body, dict):
        raise Unread("消息应是一个 JSON 对象，没有收。", ids, "not_an_object")
    data = body.get("data", {})
    said = Ids(ids.kind, ids.sn, text(body.get("tid"), 128), text(body.get("bid"), 128), text(body.get("method"), 64))
    if not isinstance(data, dict):
        raise Unread("消息的 data 应是一个对象，没有收。", said, "no_data")
    if not sound(body):
        raise Unread("消息嵌套太深，或有不能保存的字符，没有收。", said, "unsound")
    if ids.kind != "osd" and not (said.method and said.tid):
        raise Unread("消息缺 method 或 tid，没有收。", said, "no_method")
    gateway = text(body.get("gateway"), 64)
    return Envelope(
        ids=said, gateway=gateway if SERIAL.fullmatch(gateway) else "", said_at=moment_of_ms(body.get("timestamp")),
        wants_answer=ids.kind == "status" or number(body.get("need_reply")) == 1, data=data,
    )  # fmt: skip


def answer(ids: Ids, result: int, now: datetime) -> Answer:
    """What the device hears back, on the topic it waits on."""
    room = "sys" if ids.kind == "status" else "thing"
    body: dict[str, Any] = {"tid": ids.tid, "bid": ids.bid, "timestamp": int(now.timestamp() * 1000)}
    if ids.method:
        body["method"] = ids.method
    body["data"] = {"result": result}
    return Answer(f"{room}/product/{ids.sn}/{ids.kind}_reply", json.dumps(body, ensure_ascii=False).encode())


def topics(gateways: frozenset[str]) -> list[tuple[str, int]]:
    """What to subscribe to, with its quality of service. Positions are not worth keeping for us while we are down."""
    own = [(f"{room}/product/{sn}/{kind}", 1) for sn in sorted(gateways) for (room, kind) in _KINDS if kind != "osd"]
    return [*own, ("thing/product/+/osd", 0)]


def topology(message: Envelope) -> list[Device]:
    """The drones a gateway has now, of `update_topo`; an empty list says that it has none.

    Raises `Unread`.
    """
    listed = message.data.get("sub_devices", [])
    if not isinstance(listed, list) or len(listed) > MOST_DEVICES:
        raise Unread("update_topo 的 sub_devices 应是不太长的列表，没有收。", message.ids, "bad_topology")
    found = []
    for each in listed:
        sn = text(each.get("sn"), 64) if isinstance(each, dict) else ""
        if not SERIAL.fullmatch(sn):
            raise Unread("update_topo 里有设备没有合规的序列号，没有收。", message.ids, "bad_topology")
        numbers = [number(each.get(name)) for name in ("domain", "type", "sub_type")]
        model = "-".join("?" if value is None else str(int(value)) for value in numbers)
        if numbers[0] in (None, 0):  # domain 0 is an aircraft
            found.append(Device(sn, model[:32]))
    return found


def place(message: Envelope) -> Place | None:
    """Where the drone is, of its OSD; None while it has no fix (which it tells as 0, 0)."""
    spot = position(message.data)
    if spot is None:
        return None
    return Place(*spot, number(message.data.get("height")), number(message.data.get("elevation")))


def uploaded(message: Envelope) -> Uploaded:
    """The file of `file_upload_callback`. Raises `Unread`."""
    file = message.data.get("file")
    if not isinstance(file, dict):
        raise Unread("file_upload_callback 缺 file，没有收。", message.ids, "no_file")
    key = text(file.get("object_key"), 512, whole=True)
    if not key:
        raise Unread("file_upload_callback 缺 object_key，或它长过 512 字，没有收。", message.ids, "no_object_key")
    ext, meta, task = (
        mapping(of.get(name)) for of, name in ((file, "ext"), (file, "metadata"), (message.data, "flight_task"))
    )
    shot = text(meta.get("create_time", meta.get("created_time")), 40)
    spot = position(meta)
    facts: dict[str, Any] = {
        "lon": spot[0] if spot else None, "lat": spot[1] if spot else None,
        "gimbal_yaw_deg": number(meta.get("gimbal_yaw_degree")),
        "absolute_altitude_m": number(meta.get("absolute_altitude")),
        "relative_altitude_m": number(meta.get("relative_altitude")),
        "shot_words": shot, "drone_model": text(ext.get("drone_model_key"), 32),
        "payload_model": text(ext.get("payload_model_key"), 32),
    }  # fmt: skip
    return Uploaded(
        object_key=key, name=text(file.get("name"), 160) or key.rpartition("/")[2][:160],
        flight=text(ext.get("flight_id"), 64), original=flag(ext.get("is_original"), default=True),
        well=number(message.data.get("result", 0)) == 0, shot_at=moment(shot),
        facts={name: value for name, value in facts.items() if value not in (None, "")},
        expected=count(task.get("expected_file_count")),
    )  # fmt: skip


def progress(message: Envelope) -> Progress:
    """How a task stands, of `flighttask_progress`. A task without a name of its own is named by its `bid`.

    Raises `Unread`.
    """
    output = mapping(message.data.get("output"))
    ext = mapping(output.get("ext"))
    status = text(output.get("status"), 32)
    states = ((FLYING, "flying"), (ENDED, "ended"), (NEVER_FLEW, "never_flew"), (WAITING, "waiting"))
    state = next((name for words, name in states if status in words), "")
    flight = text(ext.get("flight_id"), 64) or message.ids.bid[:64]
    if not state or not flight:
        raise Unread("flighttask_progress 的 status 不认识，或没有任务编号，没有收。", message.ids, "bad_progress")
    return Progress(flight, state, status, count(ext.get("media_count")))


def _outer(topic: str) -> Ids:
    found = _TOPIC.fullmatch(topic)
    kind = _KINDS.get((found[1], found[3])) if found else None
    if found is None or kind is None:
        raise Unread("这个主题不归我们听。", None, "not_our_topic")
    return Ids(kind, found[2])


def _hinted(ids: Ids, payload: bytes) -> Ids:
    """What can be made out of a message that cannot be read, from its first and last bytes."""
    ends = payload[:_HINT_BYTES] + b"\n" + payload[-_HINT_BYTES:]
    found: dict[str, str] = {}
    for name, value in _HINT.findall(ends):
        found.setdefault(name.decode(), value.decode())
    return Ids(ids.kind, ids.sn, found.get("tid", ""), found.get("bid", ""), found.get("method", "")[:64])


def _no_constant(name: str) -> None:
    raise ValueError(name)
