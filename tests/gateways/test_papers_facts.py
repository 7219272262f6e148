"""The facts of a slip: what is refused, all at once and by name, and the digest a check code stands on."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrol.errors import BadInput
from patrol.gateways.paper_facts import checked
from patrol.gateways.paper_fonts import drawable, printable
from patrol.gateways.papers import check_digest, render

LEAST: dict[str, Any] = {
    "kind": "closure",
    "number": "西城销号〔2026〕第 0087 号",
    "revision": 1,
    "issued_at": "2026-11-20T16:08:00+08:00",
    "issuer": "荆州区人民政府西城街道办事处",
    "issue": "TH-2026-0116",
}


def faults(facts: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(BadInput) as refused:
        render(facts, {})
    return {fault.where: fault.sentence for fault in refused.value.faults}


def test_every_missing_fact_is_named_at_once() -> None:
    named = faults({})
    assert set(named) == set(LEAST)
    assert all(sentence == f"单据事实 {where}：没有写" for where, sentence in named.items())


@pytest.mark.parametrize(
    ("fact", "value", "where"),
    [
        ("kind", "receipt", "kind"),
        ("revision", 0, "revision"),
        ("revision", "1", "revision"),
        ("revision", True, "revision"),
        ("issued_at", "2026-11-20T16:08:00", "issued_at"),
        ("issued_at", "昨天", "issued_at"),
        ("issuer", "  ", "issuer"),
        ("issuer", "半个\ud83d字", "issuer"),
        ("requirement", "长" * 4001, "requirement"),
        ("requirement", 7, "requirement"),
        ("found", "群众举报", "found"),
        ("bank", "east", "bank"),
        ("lon", float("nan"), "lon"),
        ("lon", 181, "lon"),
        ("ce90_m", float("inf"), "ce90_m"),
        ("ce90_m", -1, "ce90_m"),
        ("photos", [{"sha256": "xyz"}], "photos.0.sha256"),
        ("photos", [{"sha256": "a" * 64, "stage": "later"}], "photos.0.stage"),
        ("photos", "a.jpg", "photos"),
        ("checklist", [{"text": "清净"}], "checklist.0.ok"),
        ("extensions", [{"due_at": "明天"}], "extensions.0.due_at"),
        ("check_code", "IL0O000000", "check_code"),
        ("ledger", "9F3A", "ledger"),
        ("confirmed_how", "电话", "confirmed_how"),
        ("requirment", "拼错的项", "requirment"),
        ("marks", ["x"] * 13, "marks"),
    ],
)
def test_a_wrong_fact_is_named_in_chinese(fact: str, value: Any, where: str) -> None:
    named = faults(LEAST | {"lat": 30.0, "lon": 112.0} | {fact: value})
    assert list(named) == [where]
    assert named[where].startswith(f"单据事实 {where}：")
    assert any("\u4e00" <= character <= "\u9fff" for character in named[where].split("：", 1)[1])


def test_several_wrong_facts_are_all_named() -> None:
    wrong = LEAST | {"revision": -1, "issued_at": "x", "lead_unit": 5, "colour": "red"}
    assert set(faults(wrong)) == {"revision", "issued_at", "lead_unit", "colour"}


def test_half_a_position_and_a_chainage_past_the_end_are_refused() -> None:
    assert set(faults(LEAST | {"lon": 112.0, "chainage_m": 3000, "river_length_m": 2900})) == {
        "lon",
        "chainage_m",
    }


def test_nulls_leave_rows_out() -> None:
    nulls = {
        "lead_unit": None,
        "photos": None,
        "due_at": None,
        "lon": None,
        "checklist": [{"text": "净", "ok": True}],
    }
    assert checked(LEAST | nulls) == LEAST | {"checklist": [{"text": "净", "ok": True}]}
    assert render(LEAST | {"lead_unit": None}, {}) == render(LEAST, {})


def test_facts_that_are_no_object_are_refused() -> None:
    with pytest.raises(BadInput, match="要写成对象"):
        render([], {})  # type: ignore[arg-type]


def test_the_digest_is_that_of_the_canonical_json() -> None:
    assert check_digest({"b": "污水", "a": [1, 2.5, None]}) == (
        hashlib.sha256('{"a":[1,2.5,null],"b":"污水"}'.encode()).hexdigest()
    )


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers() | st.text(st.characters(codec="utf-8"))))
def test_the_digest_survives_storing_and_reordering(facts: dict[str, Any]) -> None:
    stored = json.loads(json.dumps(dict(reversed(facts.items()))))
    assert check_digest(stored) == check_digest(facts)


def test_the_digest_changes_with_any_fact_but_leaves_the_check_code_out() -> None:
    digest = check_digest(LEAST)
    assert all(check_digest(LEAST | {key: "其他"}) != digest for key in LEAST)
    assert check_digest(LEAST | {"check_code": "7K3M9QX2ZD"}) == digest


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), {1, 2}, b"x", "\ud800"])
def test_what_json_cannot_say_has_no_digest(value: Any) -> None:
    with pytest.raises(BadInput, match="标准 JSON"):
        check_digest({"a": value})


@given(st.text(st.characters(codec="utf-8")))
def test_printable_text_has_only_characters_the_fonts_draw(text: str) -> None:
    assert {ord(character) for character in printable(text)} - {0x0A} <= drawable()


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5)))
def test_common_han_are_printed_unchanged(text: str) -> None:
    assert printable(text) == text


def test_a_compatibility_ideograph_keeps_its_own_form() -> None:
    assert printable("\uf9dc") == ("\uf9dc" if 0xF9DC in drawable() else "〓(U+F9DC)")
