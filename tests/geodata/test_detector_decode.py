"""The decoders against plain loops that share no code with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from geodata.detector_decode import decode, suppress
from geodata.errors import GeoError


@given(hnp.arrays(np.float32, (1, 3, 6, 5), elements=st.floats(0, 1, width=32)), st.floats(0.1, 0.9))
def test_centernet_peaks_are_those_a_plain_search_finds(heat: Any, least: float) -> None:
    size = np.ones((1, 4, 6, 5), np.float32)
    found = decode("centernet", {"h": heat, "s": size}, {"heat": "h", "size": "s"}, (20, 24), [0, 2], least)
    wanted = set()
    for number in (0, 2):
        for y in range(6):
            for x in range(5):
                near = heat[0, number, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
                if heat[0, number, y, x] == near.max() and heat[0, number, y, x] >= least:
                    wanted.add((x * 4.0 - 1, y * 4.0 - 1, number))
    assert {(float(row[0]), float(row[1]), int(row[5])) for row in found} == wanted
    assert (np.diff(found[:, 4]) <= 0).all()


def test_centernet_with_width_height_and_offset() -> None:
    heat = np.zeros((1, 1, 4, 4), np.float32)
    heat[0, 0, 1, 2] = 0.9
    size = np.full((1, 2, 4, 4), 2.0, np.float32)
    offset = np.full((1, 2, 4, 4), 0.5, np.float32)
    roles = {"heat": "h", "size": "s", "offset": "o"}
    found = decode("centernet", {"h": heat, "s": size, "o": offset}, roles, (16, 16), [0], 0.5)
    assert found[0, :4].tolist() == [6.0, 2.0, 14.0, 10.0]


_BOX = st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(1, 15), st.integers(1, 15), st.integers(0, 1))


@given(st.lists(_BOX, max_size=12), st.floats(0.1, 0.9), st.floats(0.3, 1.2))
def test_suppression_is_the_plain_one(boxes: list[tuple[int, ...]], share: float, inside: float) -> None:
    rows = np.array(
        [[x, y, x + w, y + h, 1 - i / 100, c] for i, (x, y, w, h, c) in enumerate(boxes)], np.float32
    ).reshape(-1, 6)
    kept: list[int] = []
    for index, (x, y, w, h, c) in enumerate(boxes):
        gone = False
        for other in kept:
            ox, oy, ow, oh, oc = boxes[other]
            common = max(0, min(x + w, ox + ow) - max(x, ox)) * max(0, min(y + h, oy + oh) - max(y, oy))
            over = common / (w * h + ow * oh - common)
            within = common / min(w * h, ow * oh)
            if abs(over - share) < 1e-5 or abs(within - inside) < 1e-5:
                return  # on the very edge the two may round apart
            gone = gone or (c == oc and (over > share or within > inside))
        if not gone:
            kept.append(index)
    assert suppress(rows, share, inside).tolist() == kept


@given(hnp.arrays(np.float32, (1, 5, 7), elements=st.floats(allow_nan=True, allow_infinity=True, width=32)))
def test_wild_numbers_never_become_boxes(table: Any) -> None:
    with np.errstate(all="ignore"):
        found = decode("yolo", {"t": table}, {"boxes": "t", "style": "rows"}, (64, 64), [0, 1], 0.3)
    assert np.isfinite(found).all() and (found[:, 2] > found[:, 0]).all() and (found[:, 4] >= 0.3).all()


@pytest.mark.parametrize(
    ("family", "outputs", "roles"),
    [
        ("centernet", {"h": (1, 2, 4, 4), "s": (1, 3, 4, 4)}, {"heat": "h", "size": "s"}),
        ("centernet", {"h": (1, 1, 4, 4), "s": (1, 4, 4, 4)}, {"heat": "h", "size": "s"}),
        ("yolo", {"t": (1, 4, 6)}, {"boxes": "t"}),
        ("yolo", {"t": (1, 4, 6)}, {"boxes": "t", "style": "rows"}),
        ("yolo", {"t": (2, 4, 9)}, {"boxes": "t", "style": "rows"}),
        ("yolo", {"t": (1, 4, 7)}, {"boxes": "t", "style": "final"}),
        ("ssd", {"b": (1, 4, 4), "s": (1, 5, 2)}, {"boxes": "b", "scores": "s", "order": "xyxy", "unit": "px"}),
        ("ssd", {"b": (1, 4, 4), "s": (1, 4, 1)}, {"boxes": "b", "scores": "s", "order": "xyxy", "unit": "px"}),
        ("ssd", {"b": (1, 4, 4), "s": (1, 4)}, {"boxes": "b", "scores": "s", "order": "xyxy", "unit": "px"}),
        ("ssd", {"b": (1, 4, 4), "s": (1, 4, 2)}, {"boxes": "b", "scores": "s", "order": "no", "unit": "px"}),
        ("other", {}, {}),
    ],
)
def test_shapes_that_no_rule_explains_are_refused(
    family: str, outputs: dict[str, tuple[int, ...]], roles: dict[str, str]
) -> None:
    arrays = {name: np.full(shape, 0.9, np.float32) for name, shape in outputs.items()}
    with pytest.raises(GeoError) as caught:
        decode(family, arrays, roles, (16, 16), [0, 1], 0.5)
    assert caught.value.code == "bad_model"
