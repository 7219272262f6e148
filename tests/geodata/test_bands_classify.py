"""The compiled pass and the plain one give the very same numbers; scores and limits mean what the rules say."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geodata.bands import classify, classify_plain, compiled
from geodata.bands.background import levels_of, measure
from geodata.bands.plan import Plan, bind
from geodata.bands.raster import open_raster
from geodata.bands.ruleset import rules_of
from geodata.bands.zone import Spans, spans_of_mask
from geodata.recognise import recognise
from tests.geodata.made_rasters import NAMES, river
from tests.geodata.recognition_rules import papers, rules

WAVES = (475.0, 560.0, 668.0, 717.0, 840.0)


def scanned(scan: Any, numbers: Any, bad: Any, plan: Plan, levels: Any, spans: Spans) -> tuple[Any, ...]:
    height, width = numbers.shape[1] - 3, numbers.shape[2] - 3
    where = np.zeros((height * width, 4), np.int32)
    sums = np.zeros((height * width, len(plan.bands) + 3), np.int64)
    count, water, judged = scan(
        numbers, bad, bool(bad.any()), (0, 0), (0, height, 0, width), plan.signals, plan.features, plan.rules,
        levels, spans, where, sums,
    )  # fmt: skip
    return count, water, judged, where[:count], sums[:count]


@given(data=st.data())
@settings(max_examples=40)
def test_compiled_and_plain_are_the_same_numbers(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    dtype = data.draw(st.sampled_from(["uint8", "uint16", "int16", "float32"]))
    smoothing = data.draw(st.sampled_from(["none", "median3"]))
    height, width = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 1100))
    scale = {"uint8": 0.004, "uint16": 1e-4, "int16": 1e-4, "float32": 1.0}[dtype]
    offset = data.draw(st.sampled_from([0.0, -0.01]))
    signal = rng.uniform(0.0, 0.5, (5, height + 3, width + 3)) * rng.choice([0.1, 1.0], (1, height + 3, width + 3))
    numbers = (signal / scale).astype(dtype)
    bad = (rng.random((height + 3, width + 3)) < data.draw(st.sampled_from([0.0, 0.01]))).astype(np.uint8)
    changed = papers()
    changed["smoothing"] = smoothing
    changed["kind"][0]["unless"] = [
        [{"index": "texture", "above": 0.8}],
        [{"index": "nir", "below": 1.2, "unit": "share"}],
    ]
    plan = bind(rules_of(changed), NAMES, WAVES, (scale,) * 5, (offset,) * 5, True)
    mask = rng.choice([0, 1, 2, 5], (height, max(1, width // 3)), p=[0.1, 0.5, 0.2, 0.2]).astype(np.uint8)
    spans = spans_of_mask(np.repeat(mask, 4, axis=1)[:, :width], 1, height, width)
    slots = len(plan.relative)
    from geodata.bands.background import Background

    lattice = (slots, max(1, round(height / 50)), max(1, round(width / 50)))
    background = Background(rng.uniform(0.01, 0.1, lattice), rng.uniform(0.001, 0.01, lattice), 50, 1.0)
    levels = levels_of(plan, background, height, width)
    one = scanned(classify.scan_window, numbers, bad, plan, levels, spans)
    other = scanned(classify_plain.scan_window, numbers, bad, plan, levels, spans)
    assert one[:3] == other[:3]
    assert np.array_equal(one[3], other[3])
    assert np.array_equal(one[4], other[4])


def test_whole_pictures_too_with_and_without_numba(tmp_path: Path) -> None:
    path = river(seed=5).write(tmp_path / "a.tif")
    fast, slow = recognise(path, None, rules()), recognise(path, None, rules(), plain=True)
    assert len(fast.detections) == 4
    assert [one.as_dict() for one in fast.detections] == [one.as_dict() for one in slow.detections]
    assert fast.water_area_m2 == slow.water_area_m2


def test_loops_run_as_plain_python_where_numba_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "numba", None)
    out = np.empty(4, np.float32)

    def twice(values: Any, into: Any) -> None:
        into[:] = values * 2

    compiled.compiled(twice)(np.arange(4, dtype=np.float32), out)
    assert compiled.compiled(twice) is twice and out.tolist() == [0, 2, 4, 6]


@given(values=st.lists(st.floats(0, 1, width=32), min_size=9, max_size=9))
def test_median_of_columns_is_the_median_of_nine(values: list[float]) -> None:
    block = np.array(values, np.float32).reshape(3, 3)
    low, middle, high, out = (np.empty(3, np.float32) for _ in range(4))
    classify.sort_three(block[0], block[1], block[2], low, middle, high)
    classify.median_of_columns(low, middle, high, np.float32(1.0), np.float32(0.0), out[:1])
    assert out[0] == np.float32(np.median(block))
    classify.range_of_columns(low, high, np.float32(1.0), out[:1])
    assert out[0] == block.max() - block.min()


def test_a_score_is_half_at_the_limit_and_whole_beyond_the_soft_width(tmp_path: Path) -> None:
    scores = []
    for limit in (0.79, 0.70, 0.55, 0.3):
        changed = papers()
        changed["kind"] = [changed["kind"][0] | {"terms": [{"index": "ndvi", "above": limit, "soft": 0.25}]}]
        path = river(noise=0.0).write(tmp_path / "a.tif")
        found = recognise(path, None, rules_of(changed))
        scores += [one.score for one in found.detections if one.kind == "aquatic_bloom"]
    ndvi = (0.40 - 0.04) / (0.40 + 0.04)
    assert scores == pytest.approx(
        [min(1.0, 0.5 + 0.5 * (ndvi - limit) / 0.25) for limit in (0.79, 0.7, 0.55, 0.3)], abs=0.01
    )


def test_limits_follow_a_gradient_over_the_water(tmp_path: Path) -> None:
    """A patch twice as bright as the water round about, where the water itself brightens threefold."""
    made = river(300, 600, noise=0.02, things=False)
    slope = np.linspace(0.5, 1.5, 600, dtype=np.float32)
    made.bands[:, 60:240] *= slope
    for column in (30, 300, 560):
        made.bands[:, 140:152, column : column + 12] *= 2.0
    path = made.write(tmp_path / "a.tif")
    changed = papers()
    terms = [{"index": "nir", "above": 1.5, "unit": "share", "soft": 0.2}]
    changed["kind"] = [changed["kind"][1] | {"terms": terms, "unless": []}]
    found = recognise(path, None, rules_of(changed))
    assert [round(one.stats["pixels"] / 140, 1) for one in found.detections] == [1.0, 1.0, 1.0]


def test_the_background_is_the_water_whatever_floats_on_it(tmp_path: Path) -> None:
    source = open_raster(river(400, 400, noise=0.02).write(tmp_path / "a.tif"))
    plan = bind(rules(), source.names, WAVES, source.scales, source.offsets, True)
    spans = spans_of_mask(np.repeat(np.array([[0], [5], [5], [0]], np.uint8), 4, axis=1), 100, 400, 400)
    background = measure(source, plan, rules(), spans, 0.1)
    slot = next(k for k, term in enumerate(plan.relative) if term.index == "red")
    assert background.median[slot] == pytest.approx(0.040, rel=0.03)
    assert background.mad[slot] == pytest.approx(0.040 * 0.02 * 0.6745 * 0.41, rel=0.5)
    assert 0.3 < background.share < 0.8


def test_where_no_folder_can_be_written_the_loops_still_compile() -> None:
    """An expression has no file to be kept beside; nothing is kept in a folder that others may write to."""
    assert compiled.compiled(lambda a: a + 1)(1) == 2
    assert not any(path.name.startswith("numba") for path in Path(tempfile.gettempdir()).glob("numba*cache*"))
