"""The words of both languages: every Chinese word of a page has English, none is left over, and places stay filled."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from jinja2 import Environment
from jinja2.ext import extract_from_ast

from geodata.charts import SCHEMATIC
from patrol.actions import slips
from patrol.queries import tips
from patrol.rules import lifecycle
from patrol.station import Station
from patrol.web import language, public
from patrol.web.app import create_app

ROOT = Path(__file__).parents[2]
HAN = re.compile(r"[\u3400-\u9fff]")
HAN_RUN = re.compile(r"[\u3400-\u9fff]+")
PLACE = re.compile(r"%\((\w+)\)s")
STAGE_WORDS = {zh for _, zh in public.STAGES} | {zh for _, zh in tips._EVENTS.values()}


def of_templates() -> Iterator[str]:
    for path in sorted((ROOT / "templates").rglob("*.html")):
        for _, _, message in extract_from_ast(Environment().parse(path.read_text("utf-8")), ("_",)):
            found = message if isinstance(message, tuple) else (message,)
            yield from (one for one in found[:1] if isinstance(one, str))


def strings() -> Iterator[tuple[bool, str]]:
    """Every string of our Python that has Han in it; True where it is given to gettext as it stands."""
    for path in (*sorted((ROOT / "patrol").rglob("*.py")), *sorted((ROOT / "geodata").rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "gettext":
                yield from (
                    (True, a.value) for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and HAN.search(node.value):
                yield False, node.value


@pytest.fixture(scope="module")
def catalogue() -> dict[str, str]:
    found = json.loads(language.CATALOGUE.read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def needed() -> set[str]:
    spoken = {zh for asked, zh in strings() if asked}
    tables = {*lifecycle.PUBLIC_STATES_ZH.values(), *lifecycle.DISMISS_REASONS.values(), *slips.TITLES.values()}
    return {zh for zh in {*of_templates(), *spoken, *tables, *STAGE_WORDS, tips.NOT_FOUND} if HAN.search(zh)}


def test_every_word_has_english() -> None:
    assert sorted(needed() - set(language.english())) == []


def test_no_english_is_left_over(catalogue: dict[str, str]) -> None:
    said = {*of_templates(), *(zh for _, zh in strings())}
    assert sorted(set(catalogue) - said) == []


def test_english_is_english_and_fills_the_same_places(catalogue: dict[str, str]) -> None:
    assert [zh for zh, en in catalogue.items() if sorted(PLACE.findall(zh)) != sorted(PLACE.findall(en))] == []
    # names of places and marks stay as they are on the spot
    ours = ("左岸", "号排口")
    left = [en for en in catalogue.values() if HAN.search(re.sub("|".join(ours), "", en))]
    assert left == []
    assert [zh for zh, en in catalogue.items() if not en] == []


def test_words_made_outside_the_templates_are_made_somewhere_and_in_english() -> None:
    """Every run of Han of the second catalogue stands in our Python; its English is English and fills the same places."""
    rows = json.loads(language.COMPOSED.read_text("utf-8"))
    said = "\n".join(zh for _, zh in strings())
    glued = {"按工作日算", "按工作时算", "在发现位置误差"}  # an f-string puts these together
    missing = {
        zh for zh in rows for run in HAN_RUN.findall(PLACE.sub("\n", zh)) if run not in said and run not in glued
    }
    assert sorted(missing) == []
    assert [
        zh for zh, en in rows.items() if sorted(PLACE.findall(zh)) != sorted(PLACE.findall(en)) or HAN.search(en)
    ] == []


@pytest.mark.parametrize(
    ("zh", "en"),
    [
        ("09:04 前", "by 09:04"),
        ("研判 值班 30 分钟", "Review, 30 min on duty"),
        ("污水直排 K1+240 右岸，3号排口 督办中", "Sewage discharge K1+240 右岸, 3号排口 Supervised"),
        ("网格员 柳芽（样例）", "Grid worker 柳芽（样例）"),
        ("塑料瓶多，早上就有 3 件", "塑料瓶多，早上就有 3 件"),
        ("K1+240 左岸", "K1+240 左岸"),
        ("<b>", "<b>"),
    ],
)
def test_our_words_are_told_from_what_somebody_wrote(zh: str, en: str) -> None:
    assert language.in_english(zh) == en


@pytest.fixture
def app(station: Station) -> Flask:
    made = create_app(station)
    made.testing = True
    return made


@pytest.mark.parametrize("path", ["/", "/report", "/tips", "/check", "/map", "/signin"])
def test_pages_speak_english_where_asked(app: Flask, path: str) -> None:
    answer = app.test_client().get(f"{path}?lang=en", follow_redirects=True)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 200 and '<html lang="en"' in page
    words = re.sub(r"<script.*?</script>|<[^>]+>", " ", page, flags=re.DOTALL)
    place = app.extensions["patrol"].place
    for kept in (place.name, SCHEMATIC, "中文", "左岸", "右岸", *(outfall.name for outfall in place.outfalls),
                 *(grid.name for grid in place.grids)):  # fmt: skip
        words = words.replace(kept, "")
    assert HAN.findall(words) == []


def test_public_pages_remember_nothing_and_follow_the_browser(app: Flask) -> None:
    client = app.test_client()
    answer = client.get("/", headers={"Accept-Language": "en-GB,en;q=0.9"})
    assert "Report a river problem" in answer.get_data(as_text=True) and "Set-Cookie" not in answer.headers
    assert "Set-Cookie" not in client.get("/tips?lang=en").headers
    assert "报告河道问题" in client.get("/", headers={"Accept-Language": "fr"}).get_data(as_text=True)
    assert 'href="/report?lang=en"' in client.get("/?lang=en").get_data(as_text=True)


def test_a_staff_page_keeps_the_language_in_a_cookie(app: Flask) -> None:
    client = app.test_client()
    answer = client.get("/signin?lang=en&next=/desk")
    assert answer.status_code == 303 and answer.headers["Location"].endswith("/signin?next=%2Fdesk")
    assert "HttpOnly" in answer.headers["Set-Cookie"] and "SameSite=Lax" in answer.headers["Set-Cookie"]
    assert "Sign-in name" in client.get("/signin").get_data(as_text=True)
    assert client.get("/signin?lang=xx").status_code == 422
