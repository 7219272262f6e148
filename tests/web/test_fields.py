"""Shapes of positions, reports, detections and steps; text, time and coordinate rows of the catalogue."""

from __future__ import annotations

import typing
import unicodedata
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import core_schema

from patrol.errors import BadInput, Fault
from patrol.web import fields
from patrol.web.faults import SENTENCES
from patrol.web.fields import DetectionsIn, PositionIn, ReportIn, StepIn, read_form, read_model

ID = "3f2b8c1e-5d4a-4c6b-9e7f-0a1b2c3d4e5f"
PLACE = {"lon": 112.2, "lat": 30.3, "crs": "wgs84"}
SEEN = "2026-11-23T09:44:00+08:00"


def faults(model: type[fields.Strict], data: dict[str, Any]) -> list[Fault]:
    with pytest.raises(BadInput) as caught:
        read_model(model, data)
    for fault in caught.value.faults:
        assert any("\u4e00" <= c <= "\u9fff" for c in fault.sentence), fault
        assert fault.sentence.endswith("。"), fault
    return caught.value.faults


def codes(model: type[fields.Strict], data: dict[str, Any]) -> list[tuple[str, str]]:
    return [(fault.where, fault.code) for fault in faults(model, data)]


def report(**change: Any) -> dict[str, Any]:
    return {"client_id": ID, "kind": "sewage", "words": "排口冒黑水", "position": PLACE, **change}


def test_a_whole_report() -> None:
    found = read_model(ReportIn, report(seen_at=SEEN, anonymous=True, place_words="三桥下"))
    assert found.client_id == UUID(ID)
    assert found.position == PositionIn(lon=112.2, lat=30.3, crs="wgs84")
    assert found.seen_at == datetime(2026, 11, 23, 1, 44, tzinfo=UTC)
    assert (found.anonymous, found.callback, found.reward) == (True, False, False)


def test_every_fault_at_once() -> None:
    bad = {
        "client_id": "x",
        "position": {"lon": "112.2", "lat": 91, "accuracy_m": -1},
        "seen_at": "2026-11-23T09:44:00",
        "callback": True,
        "anonymous": "yes",
        "role": "office",
        "score": True,
    }
    assert sorted(codes(ReportIn, bad)) == [
        ("/anonymous", "not_true_false"),
        ("/client_id", "not_uuid"),
        ("/contact/phone", "phone_needed"),
        ("/position/accuracy_m", "out_of_range"),
        ("/position/crs", "missing"),
        ("/position/lat", "out_of_range"),
        ("/position/lon", "not_number"),
        ("/role", "unknown_field"),
        ("/score", "not_number"),
        ("/seen_at", "zone_missing"),
    ]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"x": 1}, id="B032-object"),
        pytest.param(["x"], id="B032-array"),
        pytest.param(True, id="B031-true"),
        pytest.param(1, id="number"),
    ],
)
def test_only_text_is_text(value: Any) -> None:
    assert codes(ReportIn, report(words=value)) == [("/words", "not_text")]


# ---------------------------------------------------------------- text


@pytest.mark.parametrize(
    ("words", "code"),
    [
        pytest.param("x" * 2001, "too_long", id="B048-2001"),
        pytest.param("", "blank", id="empty"),
        pytest.param("  \t".replace("\t", " "), "blank", id="B048-spaces"),
        pytest.param("\u3000\u200b\ufeff\u2800\u3164\n", "blank", id="invisible"),
        pytest.param("a" + "\u0301" * 9, "too_many_marks", id="B051-9-marks"),
        pytest.param("a" + "\u0489" * 10_000, "too_long", id="B051-10000"),
        pytest.param("a\u0489" * 1 + "\u0336" * 1900, "too_many_marks", id="B051-zalgo"),
        pytest.param("a\x07b", "control_character", id="B053-bell"),
        pytest.param("a\x1b[31m", "control_character", id="B053-escape"),
        pytest.param("a\x85b", "control_character", id="B053-nel"),
        pytest.param("a\tb", "control_character", id="B053-tab"),
        pytest.param("a\x00b", "control_character", id="B030-nul"),
        pytest.param("a\ud800b", "lone_surrogate", id="B029"),
    ],
)
def test_bad_words(words: str, code: str) -> None:
    assert codes(ReportIn, report(words=words)) == [("/words", code)]


@pytest.mark.parametrize(
    "words",
    [
        "脏",
        "x" * 2000,
        "𠮷𠮷 👩‍👩‍👧‍👦 ❤️ 1️⃣",
        "abc \u202edcba \u2068iso\u2069 \u200d",
        "<img src=x onerror=alert(1)> ${alert(1)} `x` {{7*7}} </script>",
        "'; DROP TABLE issue; --",
        "=HYPERLINK(1)",
        "a" + "\u0301" * 8,
        "བོད་ཡིག ไทยที่ Tiếng Việt",
    ],
)
def test_words_are_kept_as_written(words: str) -> None:
    assert read_model(ReportIn, report(words=words)).words == words


def test_line_ends_become_one() -> None:
    assert read_model(ReportIn, report(words="a\r\nb\rc\nd")).words == "a\nb\nc\nd"
    assert codes(ReportIn, report(place_words="a\nb")) == [("/place_words", "line_break")]


@given(st.text(st.characters(exclude_categories=[]), max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_refused_or_safe(words: str) -> None:
    try:
        kept = read_model(ReportIn, report(words=words)).words
    except BadInput:
        return
    assert kept is not None
    kept.encode("utf-8")
    assert not any(unicodedata.category(c) == "Cc" and c != "\n" for c in kept)


# ---------------------------------------------------------------- coordinates


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"lat": 91}, ("/position/lat", "out_of_range"), id="B064-lat"),
        pytest.param({"lon": 181}, ("/position/lon", "out_of_range"), id="B064-lon"),
        pytest.param({"lon": 30.3, "lat": 112.2}, ("/position/lat", "maybe_swapped"), id="B065"),
        pytest.param({"lon": 0, "lat": 0.0}, ("/position/lat", "zero_position"), id="B066"),
        pytest.param({"crs": "EPSG:4547"}, ("/position/crs", "not_a_choice"), id="B070"),
        pytest.param({"crs": "WGS84"}, ("/position/crs", "not_a_choice"), id="crs-case"),
        pytest.param({"accuracy_m": -1}, ("/position/accuracy_m", "out_of_range"), id="B071"),
        pytest.param({"accuracy_m": float("nan")}, ("/position/accuracy_m", "not_finite"), id="nan"),
        pytest.param({"lon": "112.2"}, ("/position/lon", "not_number"), id="B031-text"),
        pytest.param({"lon": True}, ("/position/lon", "not_number"), id="B031-true"),
        pytest.param({"alt": 3}, ("/position/alt", "unknown_field"), id="unknown"),
    ],
)
def test_bad_positions(change: dict[str, Any], expected: tuple[str, str]) -> None:
    assert codes(ReportIn, report(position=PLACE | change)) == [expected]


def test_a_position_declares_its_system() -> None:
    found = faults(ReportIn, report(position={"lon": 112.2, "lat": 30.3}))
    assert [(f.where, f.code) for f in found] == [("/position/crs", "missing")]
    assert all(name in found[0].sentence for name in ("wgs84", "gcj02", "bd09", "cgcs2000"))


def test_a_swapped_position_comes_with_a_suggestion() -> None:
    (fault,) = faults(ReportIn, report(position=PLACE | {"lon": 30.3, "lat": 112.2}))
    assert "lon 112.2、lat 30.3" in fault.sentence


def test_positions_are_rounded_and_wide_accuracy_is_kept() -> None:
    given_ = PLACE | {"lon": 112.12345678901234567, "lat": 30.30000004999, "accuracy_m": 5000}
    found = read_model(ReportIn, report(position=given_)).position
    assert found == PositionIn(lon=112.1234568, lat=30.3, crs="wgs84", accuracy_m=5000)


def test_a_place_in_words_is_enough_and_nothing_is_not() -> None:
    assert read_model(ReportIn, {"client_id": ID, "place_words": "太湖港三桥下"}).position is None  # B074
    assert codes(ReportIn, {"client_id": ID, "kind": "sewage"}) == [("/words", "place_or_words")]
    assert codes(ReportIn, {"client_id": ID, "words": None, "seen_at": 1}) == [
        ("/seen_at", "bad_time"),
        ("/words", "place_or_words"),
    ]


# ---------------------------------------------------------------- time, ids, contact


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2026-11-23T09:44:00", "zone_missing"),
        ("2026-11-23", "zone_missing"),
        ("2026-11-23T09:44:00 CST", "bad_time"),
        ("2026-11-23T09:44:00[Asia/Shanghai]", "bad_time"),
        ("1970-01-01T00:00:00Z", "bad_year"),
        ("2099-01-01T00:00:00Z", "bad_year"),
        ("10000-01-01T00:00:00Z", "bad_time"),
        ("2026-02-30T00:00:00Z", "bad_time"),
        ("2026-11-23T24:00:00Z", "bad_time"),
        ("2026-11-23T09:44:60+08:00", "bad_time"),
        ("2026-11-23T09:44:00+15:00", "bad_time"),
        ("2026-11-23T09:44:00+08:75", "bad_time"),
        ("２０２６-11-23T09:44:00Z", "bad_time"),
        ("now", "bad_time"),
        (1763862240, "bad_time"),
        (True, "bad_time"),
    ],
)
def test_bad_times(text: Any, code: str) -> None:
    assert codes(ReportIn, report(seen_at=text)) == [("/seen_at", code)]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23T09:44:00+08:00", datetime(2026, 11, 23, 1, 44, tzinfo=UTC)),
        ("2026-11-23 09:44+0800", datetime(2026, 11, 23, 1, 44, tzinfo=UTC)),
        ("2026-11-23t01:44:00.123456789z", datetime(2026, 11, 23, 1, 44, 0, 123456, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2017-01-01T07:59:60+08:00", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2000-01-01T00:00:00-14:00", datetime(2000, 1, 1, 14, 0, tzinfo=UTC)),
    ],
)
def test_good_times(text: str, moment: datetime) -> None:
    found = read_model(ReportIn, report(seen_at=text)).seen_at
    assert found == moment
    assert found is not None and found.utcoffset() is not None


@pytest.mark.parametrize(
    "value", ["x", ID + "0", "{" + ID + "}", ID.replace("-", ""), "0" * 8 + ID[8:].replace("f", "g"), 5]
)
def test_bad_ids(value: Any) -> None:
    assert codes(ReportIn, report(client_id=value)) == [("/client_id", "not_uuid")]


def test_empty_ids_and_huge_ids() -> None:
    nil = "00000000-0000-0000-0000-000000000000"
    assert codes(ReportIn, report(client_id=nil)) == [("/client_id", "not_uuid")]
    (fault,) = faults(ReportIn, report(client_id="a" * 1_000_000))
    assert len(fault.sentence) < 200


def test_the_client_id_comes_from_header_or_body() -> None:
    assert fields.client_id_of(None, UUID(ID)) == UUID(ID)
    assert fields.client_id_of(ID, None) == UUID(ID)
    assert fields.client_id_of(f'"{ID}"', UUID(ID)) == UUID(ID)
    for header, field in ((None, None), ("abc", None), (ID, UUID(int=5, version=4))):
        with pytest.raises(BadInput):
            fields.client_id_of(header, field)


def test_contact() -> None:
    found = read_model(ReportIn, report(contact={"phone": "０７１６-8686001"}, callback=True)).contact
    assert found is not None and found.phone == "0716-8686001"
    assert codes(ReportIn, report(contact={})) == [("/contact", "missing")]
    assert codes(ReportIn, report(contact={"phone": "call me"})) == [("/contact/phone", "bad_phone")]
    assert codes(ReportIn, report(contact={"phone": 13900000000})) == [("/contact/phone", "not_text")]
    assert codes(ReportIn, report(callback=True)) == [("/contact/phone", "phone_needed")]


# ---------------------------------------------------------------- detections


SQUARE = [[112.2, 30.3], [112.2001, 30.3], [112.2001, 30.3001], [112.2, 30.3001], [112.2, 30.3]]


def detection(**change: Any) -> dict[str, Any]:
    base = {"client_id": ID, "kind": "sewage", "score": 0.91, "position": PLACE, "seen_at": SEEN}
    return {key: value for key, value in (base | change).items() if value is not None}


def outline(*rings: Any, **more: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings), **more}


def judged(item: Any) -> list[tuple[str, str]]:
    (found,) = fields.validate_items([item])
    assert isinstance(found, list)
    return [(fault.where, fault.code) for fault in found]


def test_a_batch_is_judged_item_by_item() -> None:
    other = ID.replace("3f2b", "4f2b")
    items = [
        detection(),
        7,
        detection(client_id=other, score=1.2, kind="Sewage!"),
        detection(),
        detection(client_id=other, position=None, outline=outline(SQUARE)),
    ]
    envelope = read_model(DetectionsIn, {"flight": "F5-2", "round": 5, "detections": items})
    results = fields.validate_items(envelope.detections)
    assert isinstance(results[0], fields.DetectionIn)
    shown = [[(f.where, f.code) for f in result] for result in results if isinstance(result, list)]
    assert shown == [
        [("/detections/1", "not_object")],
        [("/detections/2/kind", "bad_form"), ("/detections/2/score", "out_of_range")],
        [("/detections/3/client_id", "repeated")],
    ]
    last = results[4]
    assert isinstance(last, fields.DetectionIn) and last.outline is not None
    assert last.outline.coordinates[0][1] == (112.2001, 30.3)
    assert last.outline.crs == "wgs84"


def test_bad_envelopes() -> None:
    assert codes(DetectionsIn, {"detections": []}) == [("/flight", "missing"), ("/detections", "too_few")]
    assert codes(DetectionsIn, {"flight": "F", "detections": [1] * 501}) == [("/detections", "too_many")]
    assert codes(DetectionsIn, {"flight": "../x", "detections": {}, "round": 1.5}) == [
        ("/flight", "bad_form"),
        ("/round", "not_whole_number"),
        ("/detections", "not_list"),
    ]


@pytest.mark.parametrize(
    ("rings", "code"),
    [
        pytest.param([SQUARE[:-1]], "not_closed", id="open"),
        pytest.param([SQUARE[:2] + SQUARE[:1]], "bad_outline", id="three"),
        pytest.param([], "bad_outline", id="none"),
        pytest.param("x", "bad_outline", id="text"),
        pytest.param([[["a", 1]] * 4], "bad_outline", id="not-numbers"),
        pytest.param([[[True, 1]] * 4], "bad_outline", id="true"),
        pytest.param([[SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3], SQUARE[0]]], "crossed_outline", id="B112"),
        pytest.param([[SQUARE[0]] * 5], "crossed_outline", id="one-point"),
        pytest.param([[[30.3, 112.2], [30.4, 112.2], [30.4, 112.3], [30.3, 112.2]]], "maybe_swapped", id="swap"),
        pytest.param([[[181, 1], [182, 1], [182, 2], [181, 1]]], "out_of_range", id="range"),
        pytest.param([SQUARE * 500], "too_many", id="B113"),
    ],
)
def test_bad_outlines(rings: Any, code: str) -> None:
    item = detection(position=None, outline={"type": "Polygon", "coordinates": rings})
    assert judged(item) == [("/detections/0/outline/coordinates", code)]


def test_outlines_of_other_shapes_and_systems() -> None:
    heights = [[*point, 31.5] for point in SQUARE]
    (found,) = fields.validate_items([detection(outline=outline(heights, crs="gcj02"))])
    assert isinstance(found, fields.DetectionIn) and found.outline is not None
    assert found.outline.crs == "gcj02"
    assert len(found.outline.coordinates[0][0]) == 2
    assert judged(detection(outline={"type": "Point", "coordinates": [1, 2]}))[0] == (
        "/detections/0/outline/type",
        "not_a_choice",
    )
    assert judged(detection(position=None)) == [("/detections/0/position", "missing")]


# ---------------------------------------------------------------- steps and forms


def test_a_step_keeps_its_own_fields_apart() -> None:
    found = read_model(
        StepIn,
        {
            "words": "已清理",
            "photos": ["a1", "b2"],
            "finding": "true",
            "assisting": ["城管"],
            "client_id": ID,
        },
    )
    assert found.own == {"finding": "true", "assisting": ["城管"]}
    assert found.photos == ["a1", "b2"]


def test_a_flood_of_unknown_fields_is_cut() -> None:
    assert len(faults(ReportIn, {f"k{i}": 1 for i in range(5000)})) <= 51


def test_bad_steps() -> None:
    deep: Any = "x"
    for _ in range(9):
        deep = [deep]
    bad = {
        "photos": ["a", "a"],
        "Bad": 1,
        "reason": " ",
        "note": "a\x00",
        "deep": deep,
        "list": ["ok", "\u0301" * 20],
        "at_claimed": "yesterday",
    }
    found = sorted(codes(StepIn, bad))
    assert found == [
        ("/Bad", "bad_key"),
        ("/at_claimed", "bad_time"),
        ("/deep/0/0/0/0/0/0/0", "too_deep"),
        ("/list/1", "too_many_marks"),
        ("/note", "control_character"),
        ("/photos", "repeated"),
        ("/reason", "blank"),
    ]
    assert ("", "too_many") in codes(StepIn, {f"k{i}": 1 for i in range(60)})


def test_a_page_form_reads_as_the_same_model() -> None:
    sent = {
        "words": "污水",
        "kind": "",
        "position.lon": "112.2",
        "position.lat": "30.3",
        "position.crs": "gcj02",
        "position.accuracy_m": "",
        "callback": "on",
        "contact.phone": "0716-8686001",
        "client_id": ID,
    }
    found = read_form(ReportIn, sent)
    assert found.position == PositionIn(lon=112.2, lat=30.3, crs="gcj02")
    assert found.callback is True
    assert found.kind is None


@pytest.mark.parametrize(
    "sent",
    [
        {"words": "x", "position.lon": "abc", "position.lat": "nan", "position.crs": "wgs84"},
        {"words": "x", "words.more": "y"},
        {"words": "x", "a.b.c.d.e.f": "y"},
        {"words": "x", "position": "112,30"},
        {"words": "x", "callback": "perhaps"},
    ],
)
def test_bad_page_forms(sent: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        read_form(ReportIn, sent)


def test_every_kind_of_error_in_the_table_is_pydantics_and_none_speaks_english() -> None:
    known = set(typing.get_args(core_schema.ErrorType))
    assert set(SENTENCES) <= known
    for code, tail in SENTENCES.values():
        assert tail.endswith("。"), code


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from([ReportIn, StepIn, DetectionsIn, PositionIn, fields.DetectionIn]),
    st.data(),
)
@settings(max_examples=300, deadline=None)
def test_any_junk_is_a_model_or_named_faults(model: type[fields.Strict], data: st.DataObject) -> None:
    names = st.sampled_from(sorted(model.model_fields)) | st.text(max_size=8)
    junk = data.draw(st.dictionaries(names, JUNK, max_size=6))
    try:
        read_model(model, junk)
    except BadInput as bad:
        assert bad.faults
        for fault in bad.faults:
            assert fault.code and "input" not in fault.sentence.lower()
            assert fault.where == "" or fault.where.startswith("/")
