"""The look's tables hold: contrast from the stylesheet, colours only from tokens, icons that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from patrol.rules.problems import PROBLEMS

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "templates"
ASSETS = TEMPLATES / "assets"
STATES = "reported assigned supervised rectified verified closed dismissed merged transferred"

# ---- colours


def blocks() -> dict[str, dict[str, str]]:
    """The hex tokens of tokens.css by block: light, and the two dark ones."""
    text = (ASSETS / "css" / "tokens.css").read_text("utf-8")
    found = {}
    for name, start in (
        ("light", ":root {"),
        ("chosen dark", ':root[data-theme="dark"] {'),
        ("system dark", ':root:not([data-theme="light"]) {'),
    ):
        body = text[text.index(start) + len(start) :]
        body = body[: body.index("}")]
        found[name] = dict(re.findall(r"--([a-z0-9]+):\s*(#[0-9A-Fa-f]{6});", body))
        found[name].pop("oncaption", None)  # words over photographs are the same in both themes
    return found


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


TEXT_PAIRS = [
    *[(ink, ground) for ink in ("ink", "ink2", "ink3") for ground in ("surface", "paper", "sunken", "raised")],
    *[("accent", ground) for ground in ("surface", "paper", "soft", "raised")],
    *[("ink", "soft"), ("ink2", "soft"), ("ink3", "soft"), ("onaccent", "accent"), ("surface", "ink")],
    *[("late", "surface"), ("late", "paper"), ("late", "latesoft"), ("onlate", "late")],
    *[("soon", "surface"), ("soon", "soonsoft"), ("soon", "soft"), ("late", "soft"), ("ok", "soft")],
    *[("ok", "surface"), ("ok", "paper"), ("ok", "oksoft"), ("waterink", "water"), ("ink", "water")],
    *[("ink2", "land"), ("ink", "park")],
    *[(f"s{n}", ground) for n in range(1, 7) for ground in ("surface", f"s{n}soft")],
]
GRAPHIC_PAIRS = [
    *[("edge", ground) for ground in ("surface", "paper", "sunken")],
    *[("soonfill", ground) for ground in ("surface", "sunken")],
    *[("focus", ground) for ground in ("surface", "paper")],
    *[(f"s{n}", "land") for n in range(1, 7)],
]
# The table of the look, recomputed: (one, other, light, dark). A changed token must change this on purpose.
STATED = [
    ("edge", "surface", 3.73, 4.08),
    ("edge", "sunken", 3.15, 4.66),
    ("ink", "surface", 16.73, 14.31),
    ("ink2", "surface", 8.48, 9.48),
    ("ink3", "sunken", 4.93, 7.46),
    ("accent", "soft", 6.49, 6.49),
    ("focus", "surface", 6.39, 9.70),
    ("late", "latesoft", 5.71, 6.83),
    ("soon", "soonsoft", 5.70, 7.93),
    ("soonfill", "sunken", 3.03, 7.52),
    ("ok", "oksoft", 5.54, 7.53),
    ("s3", "s3soft", 4.86, 7.33),
    ("s5", "land", 5.03, 9.55),
]


@pytest.mark.parametrize("theme", ["light", "chosen dark"])
def test_every_text_and_graphic_pair_has_enough_contrast(theme: str) -> None:
    tokens = blocks()[theme]
    short = [
        f"{one} on {other}: {contrast(tokens[one], tokens[other]):.2f} < {least}"
        for pairs, least in ((TEXT_PAIRS, 4.5), (GRAPHIC_PAIRS, 3.0))
        for one, other in pairs
        if contrast(tokens[one], tokens[other]) < least
    ]
    assert not short


def test_contrast_table_is_as_stated() -> None:
    light, dark = blocks()["light"], blocks()["chosen dark"]
    for one, other, in_light, in_dark in STATED:
        assert contrast(light[one], light[other]) == pytest.approx(in_light, abs=0.006), (one, other)
        assert contrast(dark[one], dark[other]) == pytest.approx(in_dark, abs=0.006), (one, other)


def test_dark_is_the_same_however_it_is_chosen_and_never_printed() -> None:
    found = blocks()
    assert found["chosen dark"] == found["system dark"]
    assert found["chosen dark"].keys() == found["light"].keys()
    text = (ASSETS / "css" / "tokens.css").read_text("utf-8")
    assert len(re.findall(r"^@media screen", text, re.M)) == 2
    assert text.index("\n@media screen") < text.index('[data-theme="dark"]')


def test_sheets_take_their_colours_from_the_tokens() -> None:
    allowed = {"#FFFFFF", "#14201E", "#7B8783"}  # slider handle over photographs, paper
    for name in ("base", "components", "map", "print"):
        text = (ASSETS / "css" / f"{name}.css").read_text("utf-8")
        assert set(re.findall(r"#[0-9A-Fa-f]{3,8}\b(?![^{]*\{)", text)) <= allowed, name
        used = set(re.findall(r"var\(--([a-z0-9-]+)", text))
        known = set(re.findall(r"--([a-z0-9-]+):", (ASSETS / "css" / "tokens.css").read_text("utf-8")))
        assert used - known <= {"cut"}, name


# ---- icons


def sprite() -> set[str]:
    return set(re.findall(r'<symbol id="([a-z_-]+)"', (ASSETS / "icons.svg").read_text("utf-8")))


def test_every_icon_a_template_or_script_names_is_in_the_sprite() -> None:
    named: set[str] = set()
    files = [*TEMPLATES.rglob("*.html"), *(ASSETS / "js").glob("*.js")]
    for file in files:
        named |= set(re.findall(r"['\"](ui-[a-z_]+)['\"]", file.read_text("utf-8")))
    assert named, "no icon found: the pattern is stale"
    assert named <= sprite()


def test_every_kind_state_and_time_has_an_icon() -> None:
    kinds = {getattr(row, "code", row) for row in (PROBLEMS.values() if isinstance(PROBLEMS, dict) else PROBLEMS)}
    times = ["not_started", "running", "soon", "late", "paused", "met", "met_late", "exempt", "estimated"]
    wanted = (
        {f"kind-{kind}" for kind in kinds}
        | {f"state-{state}" for state in STATES.split()}
        | {f"time-{t}" for t in times}
    )
    assert wanted <= sprite()


# ---- third-party files


def test_lock_file_pins_by_content_and_names_no_host() -> None:
    text = (ROOT / "package-lock.json").read_text("utf-8")
    lock = json.loads(text)
    assert not re.search(r"https?:|resolved", text)
    wanted = json.loads((ROOT / "package.json").read_text("utf-8"))["dependencies"]
    for name, version in wanted.items():
        entry = lock["packages"][f"node_modules/{name}"]
        assert entry["version"] == version
        assert entry["integrity"].startswith("sha512-")
