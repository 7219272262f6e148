"""Slips as PDF: what is printed, that nothing else is, and that a reprint is the same bytes."""

from __future__ import annotations

import hashlib
import io
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from PIL import Image
from pypdf import PdfReader

from patrol.errors import BadInput
from patrol.gateways.paper_words import TITLES
from patrol.gateways.papers import render

KINDS = list(TITLES)


def _jpeg(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(out, "JPEG")
    return out.getvalue()


PICTURES = {hashlib.sha256(data).hexdigest(): data for data in map(_jpeg, ("red", "green", "blue"))}
BEFORE, DURING, AFTER = PICTURES
MAP = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 60"><path d="M0 30h90" stroke="#000"/></svg>'


def minimal(kind: str = "assignment", **more: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "number": "西城交办〔2026〕第 0110 号",
        "revision": 1,
        "issued_at": "2026-11-23T09:31:00+08:00",
        "issuer": "荆州区人民政府西城街道办事处",
        "issue": "TH-2026-0123",
    } | more


def full(kind: str, **more: Any) -> dict[str, Any]:
    photos = [
        {"sha256": BEFORE, "stage": "before", "caption": "整改前 10:12"},
        {"sha256": DURING, "stage": "during", "caption": "整改中 15:40"},
        {"sha256": AFTER, "stage": "after"},
        {"sha256": BEFORE, "stage": "sighting", "caption": "现场 08:52"},
    ]
    return minimal(
        kind,
        revision=2,
        supersedes="第 1 版",
        office="环保办 02号",
        place_name="太湖港",
        problem="污水直排",
        where="太湖港 K1+240 左岸，3号排口",
        grid="柳门社区柳门网格",
        lon=112.180312,
        lat=30.352119,
        ce90_m=2.4,
        chainage_m=1240,
        bank="left",
        river_length_m=2900.0,
        found="巡查发现",
        lead_unit="区水利和湖泊局",
        assisting=["城管中队", "环卫所"],
        chief="街道级河湖长",
        related=["西城交办〔2026〕第 0104 号"],
        requirement="查清污水来源，封堵暗管。",
        filing_condition="排口有污水入河。",
        closing_condition="排口封堵，连续 24 小时无污水入河。",
        marks=["强制结案", "第2轮"],
        photos=photos,
        map_svg=MAP,
        timeliness=[
            {"clock": "推送", "limit": "1 小时", "used": "22 分", "verdict": "按时"},
            {"clock": "到场", "limit": "2 小时", "used": "2 时 41 分", "verdict": "曾超时"},
        ],
        qr="https://example.org/i/TH-2026-0123",
        check_code="7K3M9QX2ZD",
        ledger="9f3a71c05be2e84d",
        limit_words="8 工作时",
        hours_words="计时 09–12 时、14–17 时",
        due_at="2026-11-25T11:31:00+08:00",
        due_estimated=True,
        first_due_at="2026-11-24T11:31:00+08:00",
        extensions=[{"due_at": "2026-11-25T11:31:00+08:00", "words": "连续降雨"}],
        on_site_due_at="2026-11-23T11:31:00+08:00",
        on_site_words="2 小时内",
        push_words="推河湖长群。",
        finding="属实",
        finding_words="暗管一处。",
        checked_by="网格员 07号",
        checked_at="2026-11-23T10:12:00+08:00",
        on_site_used="用时 41 分",
        distance_m=18.2,
        accuracy_m=8.0,
        confirmed_by="环保办 02号",
        confirmed_at="2026-11-23T10:20:00+08:00",
        confirmed_how="案头",
        report_words="从手机报验。",
        result="已封堵。",
        submitted_by="区水利和湖泊局 王某",
        submitted_at="2026-11-24T09:00:00+08:00",
        verified_by="环保办 03号",
        verified_at="2026-11-24T15:20:00+08:00",
        checklist=[{"text": "暗管封堵", "ok": True}, {"text": "水面无色差", "ok": False}],
        closed_by="环保办负责人",
        closed_at="2026-11-24T16:08:00+08:00",
        rework_rounds=1,
        feedback_words="15 天内可申请重办。",
        look_back_words="30 天后回看。",
        reason="属雨水口正常排水。",
        decided_by="环保办 02号、03号",
        decided_at="2026-11-23T16:00:00+08:00",
        appeal_until="2026-11-30T16:00:00+08:00",
        receiver="区生态环境分局",
        receipt_due_at="2026-11-26T17:00:00+08:00",
        materials=["交办单副本 1 份", "采样记录 1 份"],
        look_back_round="30 天",
        look_back_due_at="2026-12-20T17:00:00+08:00",
        visited_by="环保办 05号",
        visited_at="2026-12-20T10:00:00+08:00",
        outcome="反弹",
        outcome_words="又有少量污水。",
        relapse_issue="TH-2026-0188",
        **more,
    )


def pages(pdf: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages]


def words(facts: dict[str, Any], photos: dict[str, bytes] = PICTURES) -> str:
    """All text of a slip, without the line breaks and spaces that setting it adds."""
    return re.sub(r"\s", "", "".join(pages(render(facts, photos))))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_prints_with_the_least_it_may_say(kind: str) -> None:
    (page,) = pages(render(minimal(kind), {}))
    for said in (TITLES[kind], "西城交办〔2026〕第 0110 号", "TH-2026-0123", "巡查发现", "盖章处"):
        assert said in page
    assert "第 1 页，共 1 页" in page
    assert "None" not in page and "none" not in page


COMMON = ["第2版", "代替第1版", "污水直排", "3号排口", "柳门社区柳门网格", "东经112.18031°", "误差约3米"]
COMMON += ["7K3M9-QX2ZD", "9f3a71c05be2e84d", "强制结案", "第2轮", "巡查发现", "2026年11月23日09:31"]
OWN = {
    "assignment": [
        "8工作时，≈2026年11月25日（周三）11:31前完成",
        "原期限2026年11月24日11:31，已延期1次",
        "第1次延至2026年11月25日11:31：连续降雨",
        "到场核实2小时内，11月23日11:31前",
        "城管中队、环卫所",
        "街道级河湖长",
        "签收：",
        "K0+000",
        "位置图（示意）",
        "排口有污水入河",
    ],
    "supervision": [
        "属实网格员07号11月23日10:12到场，用时41分；手机定位距点18米，精度±8米",
        "环保办02号11月23日10:20案头确认",
        "≈2026年11月25日（周三）11:31前完成",
        "原期限2026年11月24日11:31",
        "推送22分按时",
        "到场2时41分曾超时",
        "手写栏",
        "整改前10:12",
        "整改中15:40",
        "整改后",
        "责任单位签收：",
    ],
    "closure": [
        "已封堵",
        "区水利和湖泊局王某2026年11月24日09:00",
        "合格环保办03号，2026年11月24日15:20",
        "水面无色差（未达到）",
        "返工1次",
        "限1小时",
        "用2时41分",
        "曾超时",
        "销号人：环保办负责人",
        "回头看",
    ],
    "dismissal": ["经核实，不予立案", "属雨水口正常排水", "不同意的，可在2026年11月30日16:00前申诉"],
    "transfer": ["区生态环境分局", "2.采样记录1份", "请于2026年11月26日（周四）17:00前签收", "回执"],
    "look_back": ["反弹", "又有少量污水", "TH-2026-0188", "30天", "环保办05号2026年12月20日10:00"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_prints_all_its_facts(kind: str) -> None:
    said = words(full(kind))
    assert [piece for piece in COMMON + OWN[kind] if piece not in said] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_reprint_is_the_same_bytes(kind: str) -> None:
    first = render(full(kind), PICTURES)
    assert render(dict(reversed(full(kind).items())), dict(reversed(PICTURES.items()))) == first


def test_slips_printed_side_by_side_do_not_mix() -> None:
    several = [minimal(number=f"第 {n} 号", requirement=f"要求之{n}。") for n in range(12)]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda facts: render(facts, {}), several))
    assert together == [render(facts, {}) for facts in several]


def test_the_pdf_carries_the_moment_of_issue_and_not_of_printing() -> None:
    about = PdfReader(io.BytesIO(render(minimal(), {}))).metadata
    assert about is not None
    assert about["/CreationDate"] == "D:20261123013100Z"
    assert about.title == "问题交办单 西城交办〔2026〕第 0110 号"


def test_times_are_printed_in_shanghai() -> None:
    assert "2027年1月1日00:30" in words(minimal(issued_at="2026-12-31T16:30:00Z"))


@pytest.mark.parametrize("kind", KINDS)
def test_fonts_are_embedded_subsets_of_the_two_bundled_faces(kind: str) -> None:
    reader = PdfReader(io.BytesIO(render(full(kind), PICTURES)))
    seen = set()
    for page in reader.pages:
        for font in page["/Resources"]["/Font"].values():
            (inner,) = font.get_object()["/DescendantFonts"]
            about = inner.get_object()["/FontDescriptor"].get_object()
            assert "/FontFile3" in about, "a font that is not embedded prints differently elsewhere"
            subset, _, name = str(about["/FontName"]).partition("+")
            assert len(subset) == len("/ABCDEF")
            seen.add(name.removesuffix("-Identity-H"))
            assert "/ToUnicode" in font.get_object()
    assert seen == {"NotoSansSC-Regular", "NotoSerifSC-Regular"}


HOSTILE = [
    '#eval("1+1")',
    "#import sys: inputs",
    '#read("sheet.json")',
    "$ x^2 $",
    "*粗* _斜_",
    "a\\b \\u{41}",
    "] [ #[",
    "`raw` ```x```",
    "@ref <label>",
    "// 注释 /* 块 */",
    "= 标题",
    "- 项 + 项 / 词: 义",
    "-- --- ... ~ '单' \"双\"",
    "{{7*7}} ${7*7} <b>&amp;</b>",
    "http://x.example/#a",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("fact", ["where", "number", "requirement"])
def test_user_text_is_never_markup(text: str, fact: str) -> None:
    assert re.sub(r"\s", "", text) in words(minimal(**{fact: f"始{text}终"}))


def test_hostile_text_in_every_field_changes_nothing_but_text() -> None:
    evil = '#panic("x") $ * _ \\ ] [ ` @a <b> // " #set page(width: 1cm)'

    def spoiled(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: spoiled(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [spoiled(item, key) for item in value]
        fixed = {
            "kind",
            "bank",
            "found",
            "sha256",
            "stage",
            "map_svg",
            "confirmed_how",
            "check_code",
            "ledger",
        }
        if not isinstance(value, str) or key in fixed or key.endswith(("_at", "_until")):
            return value
        return f"{value}{evil}"

    for kind in KINDS:
        reader = PdfReader(io.BytesIO(render(spoiled(full(kind)), PICTURES)))
        assert {round(float(page.mediabox.width)) for page in reader.pages} == {595}


def test_rare_han_are_drawn_and_those_without_a_glyph_are_named() -> None:
    said = words(minimal(chief="㐂 䶮 𬺈 𬴂 𠮷 🐟"))
    for character in "㐂䶮𬺈𬴂":
        assert character in said
    assert "〓(U+20BB7)" in said and "〓(U+1F41F)" in said


def test_direction_marks_and_control_characters_do_not_reach_the_paper() -> None:
    said = words(minimal(requirement="甲\u202e乙\u2066丙\x07丁\u200d戊\ufeff己\n庚"))
    assert "甲乙丙丁戊己庚" in said


def test_long_texts_flow_on_to_numbered_pages() -> None:
    facts = full("assignment") | {"requirement": "查清来源，封堵暗管，抽排污水。" * 120}
    texts = pages(render(facts, PICTURES))
    assert len(texts) >= 2
    for number, text in enumerate(texts, 1):
        assert f"第 {number} 页，共 {len(texts)} 页" in text
        assert "7K3M9-QX2ZD" in text
    assert all("问题交办单（续）" in text and "西城交办〔2026〕第 0110 号" in text for text in texts[1:])
    assert words(facts).count("查清来源，封堵暗管，抽排污水。") >= 115, "lines split by a page foot aside"


def test_an_unbroken_run_of_letters_stays_inside_its_cell() -> None:
    code = "".join(f"{n:03d}" for n in range(60))
    lines = pages(render(minimal(lead_unit=code, chief="某"), {}))[0].splitlines()
    assert max(len(line) for line in lines if line.strip().isdigit()) < 40
    assert code in words(minimal(lead_unit=code, chief="某"))


def test_a_lost_and_a_broken_photo_print_named_frames() -> None:
    facts = minimal(photos=[{"sha256": BEFORE}, {"sha256": DURING}, {"sha256": AFTER}])
    said = words(facts, {BEFORE: PICTURES[BEFORE], DURING: PICTURES[DURING][:300]})
    assert f"照片丢失{AFTER[:12]}" in said
    assert f"照片读不出{DURING[:12]}" in said
    assert BEFORE[:12] not in said


def test_photographs_stand_in_the_pdf_as_they_were_given() -> None:
    facts = full("closure")
    images = [image.data for page in PdfReader(io.BytesIO(render(facts, PICTURES))).pages for image in page.images]
    assert set(PICTURES.values()) <= set(images)


@pytest.mark.parametrize(
    ("kind", "stages", "frames"),
    [
        ("supervision", [], ["整改前照片未随单", "整改中由单位随时上传", "整改后由单位报验时上传"]),
        ("supervision", ["before", "sighting"], ["整改中、整改后由单位随时上传扫码看最新"]),
        ("supervision", ["before", "after"], ["整改中由单位随时上传"]),
        ("closure", ["before", "after"], ["缺整改中照片"]),
        ("closure", ["during"], ["缺整改前照片", "缺整改后照片"]),
        ("closure", [], []),
    ],
)
def test_a_missing_slot_says_what_is_missing(kind: str, stages: list[str], frames: list[str]) -> None:
    photos = [{"sha256": digest, "stage": stage} for digest, stage in zip(PICTURES, stages, strict=False)]
    said = words(minimal(kind, photos=photos))
    assert [frame for frame in frames if frame not in said] == []
    assert ("缺整改" in said) == (kind == "closure" and bool(frames))


def test_all_limits_kept_are_said_once() -> None:
    clocks = [{"clock": name, "used": "9 分", "verdict": "按时"} for name in ("推送", "签收")]
    assert words(minimal("closure", timeliness=clocks)).count("按时") == 1
    assert words(minimal("closure", timeliness=clocks)).count("全部按时") == 1


def test_the_error_is_rounded_up_and_signs_of_coordinates_become_words() -> None:
    said = words(minimal(lon=-71.5, lat=-33.25, ce90_m=12.1))
    assert "西经71.50000°，南纬33.25000°（误差约13米）" in said


@pytest.mark.parametrize(
    ("length_m", "at_m", "bank"), [(430, 0, "right"), (2900, 2900, "left"), (64000, 61000, "right")]
)
def test_the_strip_fits_rivers_of_any_length(length_m: float, at_m: float, bank: str) -> None:
    said = words(minimal(river_length_m=length_m, chainage_m=at_m, bank=bank))
    mark = f"K{at_m // 1000}+{at_m % 1000:03d}{'左岸' if bank == 'left' else '右岸'}"
    assert mark in said and "上为左岸" in said


def test_a_point_a_rounding_past_the_end_stands_at_the_end() -> None:
    assert "K2+900左岸" in words(minimal(river_length_m=2900.0, chainage_m=2900.04, bank="left"))


def test_later_events_have_blanks_and_no_words() -> None:
    said = words(minimal("supervision", confirmed_by="环保办 02号"))
    assert "督办人：环保办02号时" in said
    assert said.count("时间：") == 2
    assert "推送" not in said


def test_a_map_that_is_no_drawing_is_refused() -> None:
    for svg in ("<svg", "<p/>", "", '<svg xmlns="http://www.w3.org/2000/svg" width="0" height="0"/>'):
        with pytest.raises(BadInput) as refused:
            render(minimal(map_svg=svg), {})
        assert [fault.where for fault in refused.value.faults] == ["map_svg"]
