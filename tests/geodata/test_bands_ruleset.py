"""Rules files: every fault at once, a digest that only content changes, and rows that fit the bands there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from geodata.bands.plan import bind
from geodata.bands.ruleset import BUNDLED, KINDS, read_rules, rules_of
from geodata.errors import GeoError, GeoErrors
from tests.geodata.recognition_rules import TEXT, papers, rules

FIVE = ("blue", "green", "red", "rededge", "nir")


def bound(names: tuple[str | None, ...], reflectance: bool = True, file: str | None = None) -> object:
    count = len(names)
    chosen = read_rules() if file is None else rules()
    return bind(chosen, names, (None,) * count, (1.0,) * count, (0.0,) * count, reflectance)


def test_the_bundled_rules_name_the_five_kinds() -> None:
    assert {row.kind for row in read_rules().rows} == set(KINDS)


def test_the_digest_follows_content_not_writing(tmp_path: Path) -> None:
    first, second = tmp_path / "a.toml", tmp_path / "b.toml"
    first.write_text(TEXT, "utf-8")
    second.write_text("# said differently\n" + TEXT.replace("6.0", "6.00"), "utf-8")
    assert read_rules(first).digest == read_rules(second).digest
    second.write_text(TEXT.replace("above = 0.4", "above = 0.41"), "utf-8")
    assert read_rules(first).digest != read_rules(second).digest


def test_every_fault_is_named_at_once() -> None:
    wrong = papers()
    wrong["version"] = ""
    wrong["smoothing"] = "median5"
    wrong["bank"]["buffer_m"] = -1
    wrong["index"]["swir"] = {"of": {"swir1": 1}}
    wrong["kind"][0]["kind"] = "algae"
    wrong["kind"][0]["terms"][0]["index"] = "nothing"
    wrong["kind"][1]["terms"][0]["soft"] = 0
    wrong["kind"][1]["surprise"] = 1
    wrong["kind"][2]["otherwise"] = "soil"
    wrong["kind"].append(dict(wrong["kind"][2]))
    with pytest.raises(GeoErrors) as told:
        rules_of(wrong)
    sentences = "；".join(fault.sentence for fault in told.value.faults)
    for word in (
        "version", "smoothing", "buffer_m", "短波红外", "kind", "nothing", "soft", "surprise", "otherwise", "名称重复",
    ):  # fmt: skip
        assert word in sentences, word
    assert len(told.value.faults) >= 10


@pytest.mark.parametrize(
    ("text", "code"),
    [("format = ", "bad_rules"), ("format = 1", "several"), ("", "several"), ("x = 1\n" * 50000, "bad_rules")],
)
def test_a_file_that_holds_no_rules_is_refused_in_a_sentence(tmp_path: Path, text: str, code: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(GeoError) as told:
        read_rules(path)
    assert told.value.code == code


def test_bytes_that_are_no_text_and_missing_files(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_bytes(b"\xff\xfe\x00")
    for wrong in (path, tmp_path / "none.toml", tmp_path):
        with pytest.raises(GeoError) as told:
            read_rules(wrong)
        assert told.value.code in ("bad_rules", "no_rules")


def test_a_picture_without_blue_still_sees_all_kinds() -> None:
    plan = bound(("green", "red", "rededge", "nir"))
    assert not plan.missing, plan.missing  # type: ignore[attr-defined]  # a Plan; typed loosely for the helper
    assert "soil_without_blue" in {row.name for row in plan.rows}  # type: ignore[attr-defined]  # see above


def test_with_all_bands_the_replacement_is_not_used_beside_what_it_replaces() -> None:
    names = {row.name for row in bound(FIVE).rows}  # type: ignore[attr-defined]  # a Plan
    assert "soil" in names and "soil_without_blue" not in names


def test_a_kind_that_cannot_be_seen_is_said_with_its_bands() -> None:
    wrong = papers()
    wrong["kind"][2]["terms"] = [{"index": "height", "above": 0.1}]
    plan = bind(rules_of(wrong), ("blue", "green", "red", "nir"), (None,) * 4, (1.0,) * 4, (0.0,) * 4, True)
    assert dict(plan.missing) == {"bare_soil": ("rededge",)}
    assert plan.warnings() == ["缺少红边波段，本次不识别裸土。"]


def test_without_reflectance_only_what_ratios_carry() -> None:
    wrong = papers()
    wrong["kind"][2]["terms"][2]["optional"] = False
    plan = bind(rules_of(wrong), FIVE, (None,) * 5, (1.0,) * 5, (0.0,) * 5, False)
    assert {row.name for row in plan.rows} == {"bloom", "debris"}
    assert plan.warnings() == ["影像不是反射率，本次不识别裸土。"]


def test_height_over_the_line_uses_the_bands_own_wavelengths() -> None:
    waves = (475.0, 560.0, 668.0, 717.0, 840.0)
    plan = bind(rules(), FIVE, waves, (1.0,) * 5, (0.0,) * 5, True)
    row = plan.features.num[plan.indices.index("height")]
    part = (717 - 668) / (840 - 668)
    assert row[:5].tolist() == pytest.approx([0, 0, part - 1, 1, -part], abs=1e-6)


def test_the_rules_travel_in_the_wheel() -> None:
    """hatch takes every file of a package folder; the file must lie in one."""
    assert BUNDLED.is_file() and BUNDLED.parent.joinpath("__init__.py").is_file()
