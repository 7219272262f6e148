"""A dock's messages read: either way DJI writes them, and never anything but a value or a sentence."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrol.errors import Misconfigured
from patrol.gateways import djicloud as dji
from patrol.gateways.djiline import address
from tests.gateways import djimessages as say

EVENTS, STATUS, OSD = (
    f"thing/product/{say.DOCK}/events", f"sys/product/{say.DOCK}/status", f"thing/product/{say.DRONE}/osd",
)  # fmt: skip
NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def read(topic: str, message: Any) -> dji.Envelope:
    return dji.read(topic, say.packed(message))


@pytest.mark.parametrize("flat", [False, True])
def test_a_file_is_the_same_file_nested_or_flat(flat: bool) -> None:
    file = dji.uploaded(read(EVENTS, say.uploaded("a/b/DJI_0001.jpeg", expected=14, flat=flat)))
    assert (file.object_key, file.name, file.flight) == ("a/b/DJI_0001.jpeg", "DJI_0001.jpeg", say.FLIGHT)
    assert file.original and file.well and file.expected == 14
    assert file.facts["lon"] == 112.1834 and file.facts["lat"] == 30.3512
    assert file.facts["gimbal_yaw_deg"] == -91.4 and file.facts["relative_altitude_m"] == 41.124
    # a local time without a zone is kept as words and never made a moment
    assert file.shot_at == (None if flat else datetime(2026, 11, 23, 0, 58, 20, tzinfo=UTC))
    assert str(file.facts["shot_words"]).startswith("2026-11-23")


def test_a_drone_is_known_from_its_dock() -> None:
    assert dji.topology(read(STATUS, say.topo(say.DRONE))) == [dji.Device(say.DRONE, "0-91-0")]
    assert dji.topology(read(STATUS, say.topo())) == []
    payload_only = say.changed(
        say.topo(say.DRONE), "data.sub_devices", [{"sn": "CAM1", "domain": 1, "type": 81, "sub_type": 0}]
    )
    assert dji.topology(read(STATUS, payload_only)) == []


def test_a_position_without_a_fix_is_none() -> None:
    spot = dji.place(read(OSD, say.osd("112.1834", 30.3512)))
    assert spot == dji.Place(112.1834, 30.3512, 85.4, 60.0)
    for lon, lat in ((0, 0), (181, 30), (112, "nan"), (112, 91), (True, 30), ("", "")):
        assert dji.place(read(OSD, say.osd(lon, lat))) is None


@pytest.mark.parametrize(
    ("status", "state"),
    [("in_progress", "flying"), ("paused", "flying"), ("sent", "waiting"), ("rejected", "never_flew")]
    + [(word, "ended") for word in ("ok", "partially_done", "failed", "canceled", "timeout")],
)
def test_a_task_stands_somewhere(status: str, state: str) -> None:
    said = dji.progress(read(EVENTS, say.progress(status, media=7)))
    assert (said.state, said.flight, said.media) == (state, say.FLIGHT, 7)
    nameless = say.changed(say.progress(status), "data.output.ext", {})
    assert dji.progress(read(EVENTS, nameless)).flight == say.FLIGHT, "its bid names it"


def test_an_answer_goes_where_the_device_waits() -> None:
    message = read(EVENTS, say.uploaded("k.jpg"))
    answer = dji.answer(message.ids, dji.DONE, NOW)
    assert answer.topic == EVENTS + "_reply"
    assert json.loads(answer.payload) == {
        "tid": "up-k.jpg", "bid": "b-k.jpg", "timestamp": 1795395600000, "method": "file_upload_callback",
        "data": {"result": 0},
    }  # fmt: skip
    assert dji.answer(read(STATUS, say.topo()).ids, dji.REFUSED, NOW).topic == STATUS + "_reply"
    assert message.wants_answer and read(STATUS, say.topo()).wants_answer
    assert not read(EVENTS, say.hms()).wants_answer
    assert read(EVENTS, say.changed(say.hms(), "need_reply", "1")).wants_answer


def test_the_same_message_at_another_time_is_the_same() -> None:
    one = say.uploaded("k.jpg")
    assert read(EVENTS, one).digest == read(EVENTS, say.changed(one, "timestamp", say.AT_MS + 9000)).digest
    assert read(EVENTS, one).digest != read(EVENTS, say.changed(one, "data.file.object_key", "l.jpg")).digest
    assert read(EVENTS, one).digest != read(EVENTS, say.changed(one, "tid", "another")).digest


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "not_json"), (b"\xff\xfe", "not_json"), (b'{"tid":"t"', "not_json"), (b"[1]", "not_an_object"),
        (b'{"tid":"t","method":"hms","data":{"a":NaN}}', "not_json"), (b'{"tid":"t","method":"hms","data":[]}', "no_data"),
        (b'{"tid":"t","method":"hms","data":{"a":1e999}}', "unsound"), (b'{"tid":"t","data":{}}', "no_method"),
        (b'{"tid":"t","method":"hms","data":{"a":"\\u0000"}}', "unsound"),
        (b'{"tid":"t","method":"hms","data":{"a":"\\ud800"}}', "unsound"),
        (b'{"tid":"t","method":"hms","data":{"a":' + b"[" * 40 + b"]" * 40 + b"}}", "unsound"),
        (b"[" * 200_000, "not_json"), (b'{"tid":"t7","bid":"b7","a":"' + b"x" * dji.MOST_BYTES + b'"}', "too_large"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(payload: bytes, why: str) -> None:
    with pytest.raises(dji.Unread) as refused:
        dji.read(EVENTS, payload)
    assert refused.value.code == why and refused.value.sentence.endswith("。")


@pytest.mark.parametrize("padding", ["before", "after"])
def test_too_large_a_message_can_still_be_answered(padding: str) -> None:
    ids, bulk = '"tid":"t7","bid":"b7","method":"file_upload_callback"', f'"a":"{"x" * dji.MOST_BYTES}"'
    body = f"{{{bulk},{ids}}}" if padding == "before" else f"{{{ids},{bulk}}}"
    with pytest.raises(dji.Unread) as refused:
        dji.read(EVENTS, body.encode())
    ids_ = refused.value.ids
    assert ids_ is not None and ids_.answerable and (ids_.tid, ids_.bid) == ("t7", "b7")


@pytest.mark.parametrize(
    "topic", ["", "thing/product/x/services", "sys/product//status", "sys/product/a b/status", "thing/product/x/status"]
)
def test_other_topics_are_not_ours(topic: str) -> None:
    with pytest.raises(dji.Unread) as refused:
        dji.read(topic, say.packed(say.hms()))
    assert refused.value.ids is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
PATHS = st.sampled_from(
    ["tid", "bid", "method", "timestamp", "gateway", "need_reply", "data", "data.file", "data.file.object_key", "data.file.name",
     "data.file.ext", "data.file.metadata", "data.file.ext.flight_id", "data.file.ext.is_original", "data.result",
     "data.file.metadata.shoot_position", "data.file.metadata.create_time", "data.flight_task"]
)  # fmt: skip


@given(path=PATHS, value=JSON)
def test_any_value_anywhere_gives_a_file_or_a_sentence(path: str, value: Any) -> None:
    try:
        message = dji.read(EVENTS, say.packed(say.changed(say.uploaded("k.jpg"), path, value)))
        message.digest  # noqa: B018  # must be reckonable for whatever was read
        file = dji.uploaded(message)
    except dji.Unread as refused:
        assert refused.sentence
        return
    assert 0 < len(file.object_key) <= 512 and len(file.name) <= 160 and len(file.flight) <= 64
    json.dumps(dict(file.facts), allow_nan=False).encode()


@given(payload=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")))
def test_any_bytes_on_any_topic_give_a_value_or_a_sentence(payload: bytes) -> None:
    for topic in (EVENTS, STATUS, OSD):
        try:
            message = dji.read(topic, payload)
        except dji.Unread as refused:
            assert refused.sentence
            continue
        dji.place(message)
        for ask in (dji.topology, dji.uploaded, dji.progress):
            try:
                ask(message)
            except dji.Unread as refused:
                assert refused.sentence


def test_only_positions_may_be_missed_while_we_are_down() -> None:
    asked = dict(dji.topics(frozenset({"B", "A"})))
    assert asked.pop("thing/product/+/osd") == 0
    assert asked == {
        f"{room}/product/{sn}/{kind}": 1 for sn in "AB" for room, kind in (("sys", "status"), ("thing", "events"))
    }


def test_a_broker_is_named_without_its_password() -> None:
    to = address("mqtts://dock:p%40ss@broker.example")
    assert (to.host, to.port, to.tls, to.user, to.password) == ("broker.example", 8883, True, "dock", "p@ss")
    assert "p@ss" not in f"{to} {to!r}" and "dock" not in f"{to} {to!r}"
    for wrong in ("http://x", "mqtt://", "broker:1883", "mqtt://h:99999", "mqtt://h/path", "mqtt://[::1"):
        with pytest.raises(Misconfigured) as refused:
            address(wrong.replace("://", "://geheim:wort@", 1))
        assert "wort" not in refused.value.sentence
