"""The macros are well-formed, escape what people wrote and keep to the pages' security policy."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TEMPLATES = Path(__file__).parents[2] / "templates"
ASSETS = TEMPLATES / "assets"
PAGES = ("components", "issue", "inbox", "phone", "public")
NONCE = "dGVzdA"

Macros = Callable[[str], Any]

# ---- markup


class Markup(HTMLParser):
    """Collects what the policy and a screen reader care about; notes tags that do not close."""

    VOID = frozenset({"area", "base", "br", "hr", "img", "input", "link", "meta", "source", "wbr"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.faults: list[str] = []
        self.ids: list[str] = []
        self.refs: list[str] = []
        self.headings: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        for key, value in attrs:
            if key == "style" or key.startswith("on"):
                self.faults.append(f"<{tag} {key}>")
            if (
                value
                and key not in ("d",)
                and re.search(r"(https?:)?//[a-z0-9]", value, re.I)
                and not value.startswith("data:")
            ):
                self.faults.append(f"foreign address in <{tag} {key}={value}>")
            if value is not None and value.lower().startswith("javascript:"):
                self.faults.append(f"script address in <{tag} {key}>")
        if tag == "script" and given.get("nonce") != NONCE:
            self.faults.append("script without nonce")
        if tag == "style":
            self.faults.append("style element")
        if tag == "img" and not given.get("alt"):
            self.faults.append("picture without words")
        if given.get("id"):
            self.ids.append(str(given["id"]))
        for key in ("for", "aria-describedby", "aria-labelledby"):
            self.refs += str(given.get(key) or "").split()
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> does not close what is open")


@pytest.mark.parametrize("name", [*PAGES, "errors/page", "errors/offline"])
def test_pages_are_well_formed_and_clean_under_the_policy(
    name: str, gallery_page: Callable[[str], str], gallery_nonce: str
) -> None:
    assert gallery_nonce == NONCE
    read = Markup()
    read.feed(gallery_page(name))
    read.close()
    assert read.faults == []
    assert read.open == []
    assert len(read.ids) == len(set(read.ids)), sorted(i for i in read.ids if read.ids.count(i) > 1)
    assert set(read.refs) <= set(read.ids)
    assert read.headings.count("h1") == 1


def test_the_check_itself_notices_what_it_forbids() -> None:
    read = Markup()
    read.feed('<p style="x"><a onclick="y" href="https://elsewhere.example/">z</p><script>1</script>')
    assert len(read.faults) == 5


def test_no_template_source_carries_styles_handlers_or_foreign_hosts() -> None:
    for file in [
        *(TEMPLATES / "_macros").glob("*.html"),
        *(TEMPLATES / "_shells").glob("*.html"),
        TEMPLATES / "_base.html",
    ]:
        text = re.sub(r"\{#.*?#\}", "", file.read_text("utf-8"), flags=re.S)
        assert not re.search(r"\sstyle=|\son[a-z]+=|https?://", text), file.name
    for file in [*(ASSETS / "css").glob("*.css"), *(ASSETS / "js").glob("*.js")]:
        text = file.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|@import|innerHTML|outerHTML|insertAdjacentHTML|\beval\(", text), file.name


def test_every_macro_file_says_its_inputs_at_its_top() -> None:
    for file in (TEMPLATES / "_macros").glob("*.html"):
        text = file.read_text("utf-8")
        top = text[: text.index("#}")]
        assert text.startswith("{#-"), file.name
        inner = set(re.findall(r"macro (\w+)\(", text[text.index("#}") :]))
        helpers = {"sprite", "dot", "tag", "clock_value", "act_button", "attributes", "label_words", "common"}
        helpers |= {"about", "radios", "at", "one_mark"}
        assert {name for name in inner - helpers if f"{name}(" not in top} == set(), file.name


@pytest.mark.parametrize("hostile", ["<img src=x onerror=alert(1)>", '"><script>alert(1)</script>', "' onfocus='x"])
def test_words_of_people_stay_words(hostile: str, macros: Macros) -> None:
    clock = {"zh": hostile, "status": "late", "left_s": -5, "due": hostile, "more": hostile}
    issue = {
        "href": "#",
        "kind": "other",
        "title": hostile,
        "place": hostile,
        "state": "reported",
        "clock": clock,
    }
    field = {
        "name": "words",
        "zh": hostile,
        "type": "textarea",
        "value": hostile,
        "fault": hostile,
        "hint": hostile,
    }
    mark = {"chainage_m": 5, "bank": "left", "state": "reported", "href": "#", "label": hostile}
    made = [
        macros("issues").issue_row(issue),
        macros("issues").issue_card(issue),
        macros("forms").field(field),
        macros("timeline").timeline([{"at": hostile, "who": hostile, "did": hostile, "words": hostile}]),
        macros("photos").photo({"zh": hostile, "src": "/p", "badge": hostile}),
        macros("strip").river_strip([mark], 2900),
    ]
    for text in made:
        read = Markup()
        read.feed(str(text))
        assert read.faults == []
        assert "<script" not in text
        assert "<img src=x" not in text


# ---- the river strip


@given(
    places=st.lists(st.tuples(st.integers(0, 2900), st.sampled_from(["left", "middle", "right"]), st.booleans())),
    width=st.sampled_from([320, 900]),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_strip_merges_near_marks_and_loses_none(
    macros: Macros, places: list[tuple[int, str, bool]], width: int
) -> None:
    marks = [
        {"chainage_m": m, "bank": bank, "state": "assigned", "late": late, "href": "#", "label": f"一件{at}"}
        for at, (m, bank, late) in enumerate(places)
    ]
    text = str(macros("strip").river_strip(marks, 2900, width=width))
    drawn = re.findall(r'class="mark[^"]*"[^>]*data-m="(\d+)" data-bank="(\w+)" aria-label="([^"]*)"', text)
    counts = [int(found[1]) if (found := re.search(r"，(\d+) 件", label)) else 1 for _, _, label in drawn]
    assert sum(counts) == len(marks)
    for bank in ("left", "middle", "right"):
        at = sorted(int(m) for m, side, _ in drawn if side == bank)
        gaps = [(b - a) / 2900 * width for a, b in itertools.pairwise(at)]
        assert all(gap >= 15.5 for gap in gaps)
    late_shown = sum(
        int(found[1]) if (found := re.search(r"其中超期 (\d+)", label)) else int("超期" in label)
        for _, _, label in drawn
    )
    assert late_shown == sum(1 for mark in marks if mark["late"])


# ---- words of time

DAY_S = 21600


def test_templates_say_the_time_left(macros: Macros, left_words: list[tuple[int, str, str]]) -> None:
    clocks = macros("clocks")
    got = [(left_s, unit, str(clocks.left_words(left_s, unit, DAY_S))) for left_s, unit, _ in left_words]
    assert got == left_words


@pytest.mark.parametrize(
    ("clock", "said"),
    [
        ({"status": "not_started"}, "未开始"),
        ({"status": "paused", "left_s": 64800, "unit": "work_day"}, "已停 剩 3 工作日"),
        ({"status": "met", "used_s": 2340}, "用 39 分"),
        ({"status": "exempt"}, "曾超时（申诉通过，不计入考核）"),
        ({"status": "late", "left_s": -2550}, "超 42 分"),
    ],
)
def test_a_clock_says_its_state(clock: dict[str, Any], said: str, macros: Macros) -> None:
    assert str(macros("clocks").clock_value(clock)) == said


def test_a_paused_clock_is_neither_amber_nor_red_and_does_not_tick(macros: Macros) -> None:
    text = str(macros("clocks").clock({"zh": "整改", "status": "paused", "left_s": 60, "limit_s": 28800}))
    assert "data-clock" not in text
    assert "clock-soon" not in text
    assert "clock-late" not in text
