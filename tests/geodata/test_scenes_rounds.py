"""Later rounds do to the things what they say, and the picture lies where they say."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from geodata.scenes.rounds import MOST_SHIFT_M, VERDICTS, later
from geodata.scenes.scene import Scene, scene


@pytest.fixture(scope="module")
def base() -> Scene:
    return scene(5, "score", size_px=900)


def test_areas_follow_the_verdicts(base: Scene) -> None:
    before = {truth.number: truth.area_m2 for truth in base.truths}
    seen = set()
    for number in (1, 2):
        after = later(base, number)
        now = {truth.number: truth.area_m2 for truth in after.scene.truths}
        assert {outcome.number for outcome in after.outcomes} == set(before)
        for outcome in after.outcomes:
            seen.add(outcome.verdict)
            ratio = now.get(outcome.number, 0.0) / before[outcome.number]
            if outcome.why:
                continue
            low, high = {
                "resolved": (0, 0),
                "reduced": (0.1, 0.75),
                "unchanged": (0.999, 1.001),
                "worse": (1.2, 3.0),
            }[outcome.verdict]
            assert low <= ratio <= high, (outcome, ratio)
    assert seen == set(VERDICTS)


def test_what_is_not_observed_is_hidden_in_the_picture(base: Scene) -> None:
    after = later(base, 1, verdicts=("not_observed",))
    shift = (after.east_m / base.gsd_m, -after.north_m / base.gsd_m)
    for outcome in after.outcomes:
        rows, cols = np.nonzero(base.labels == outcome.number + 1)
        if outcome.kind == "sewage" or not len(rows):
            continue
        row, col = int(rows.mean() + shift[1]), int(cols.mean() + shift[0])
        pixel = after.scene.bands[:, row, col]
        if outcome.why == "gap":
            assert np.isnan(pixel).all(), outcome
        elif not np.isnan(pixel).any():
            assert pixel.min() > 0.2 and pixel.max() / pixel.min() < 2.0, outcome


def test_the_picture_lies_off_its_place_by_what_is_told(base: Scene) -> None:
    after = later(base, 3, verdicts=("unchanged",))
    assert max(abs(after.east_m), abs(after.north_m)) <= MOST_SHIFT_M
    still, moved = (np.nan_to_num(item.surface[4]).astype(np.float32) for item in (base, after.scene))
    middle = np.s_[150:750, 150:750]
    window = cv2.createHanningWindow((600, 600), cv2.CV_32F)
    (right, down), _ = cv2.phaseCorrelate(still[middle].copy(), moved[middle].copy(), window)
    assert right * base.gsd_m == pytest.approx(after.east_m, abs=0.15)
    assert -down * base.gsd_m == pytest.approx(after.north_m, abs=0.15)


def test_a_round_is_seeded(base: Scene) -> None:
    first, again = later(base, 2), later(base, 2)
    assert first.outcomes == again.outcomes
    np.testing.assert_array_equal(first.scene.bands, again.scene.bands)
