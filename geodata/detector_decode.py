"""What a detector's raw outputs mean: three families of object detectors, each to boxes in the model's input.

Pure arrays: no model runs here and no class has a name yet. A shape that no rule explains is refused; nothing
is guessed from values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geodata.errors import GeoError

Array = NDArray[np.float32]

COLUMNS = 6
"""x0, y0, x1, y1 in pixels of the model's input, score 0..1, class number."""


def decode(
    family: str, outputs: Mapping[str, NDArray[Any]], roles: Mapping[str, str], side_px: tuple[int, int],
    wanted: Sequence[int], min_score: float,
) -> Array:  # fmt: skip
    """The boxes (n, 6) of one run: x0, y0, x1, y1 (input pixels), score, class; best first.

    Parameters: `family`, one of `FAMILIES`; `outputs`, arrays by their output names; `roles`, what the sidecar
    calls them (each family's function names its roles); `side_px`, the input's width and height; `wanted`, the
    class numbers that matter; `min_score`, 0..1. Overlapping boxes are **not** removed here.

    Raises `GeoError` `bad_model` for an unknown family, a missing output or a shape the family does not have.

    >>> heat = np.zeros((1, 2, 4, 4), np.float32)
    >>> heat[0, 1, 2, 3] = 0.9
    >>> size = np.full((1, 4, 4, 4), 2.0, np.float32)
    >>> decode("centernet", {"h": heat, "s": size}, {"heat": "h", "size": "s"}, (16, 16), [1], 0.5).tolist()[0][:4]
    [10.0, 6.0, 14.0, 10.0]
    """
    if family not in FAMILIES:
        raise bad(f"decode 只能是 {'、'.join(FAMILIES)} 之一")
    found = FAMILIES[family](outputs, roles, side_px, wanted, min_score)
    found = found[np.isfinite(found).all(axis=1)]
    found = found[(found[:, 4] >= min_score) & np.isin(found[:, 5], wanted)]
    found = found[(found[:, 2] > found[:, 0]) & (found[:, 3] > found[:, 1])]
    return np.asarray(found[np.argsort(-found[:, 4], kind="stable")], np.float32)


def bad(why: str) -> GeoError:
    """The refusal of a model whose file and sidecar do not agree."""
    return GeoError("bad_model", f"识别模型用不了：{why}。请核对模型旁边的 JSON 说明。", where="model")


def _output(outputs: Mapping[str, NDArray[Any]], roles: Mapping[str, str], role: str) -> NDArray[Any]:
    name = roles.get(role, "")
    if name not in outputs:
        raise bad(f"没有说明哪个输出是 {role}，或模型没有名为“{name[:40]}”的输出")
    return np.asarray(outputs[name])


def centernet(
    outputs: Mapping[str, NDArray[Any]], roles: Mapping[str, str], side_px: tuple[int, int],
    wanted: Sequence[int], min_score: float,
) -> Array:  # fmt: skip
    """Peaks of a heat map. Roles: `heat` (1, classes, h, w), already 0..1, and `size`, either (1, 4, h, w):
    how far left, up, right and down the box reaches from the cell's corner, in input pixels, or (1, 2, h, w):
    width and height in cells; with the latter optionally `offset` (1, 2, h, w) in cells.

    A peak is a cell that none of its eight neighbours exceeds. Source: "Objects as Points" (2019).
    """
    heat, size = _output(outputs, roles, "heat"), _output(outputs, roles, "size")
    if heat.ndim != 4 or size.ndim != 4 or size.shape[1] not in (2, 4) or heat.shape[2:] != size.shape[2:]:
        raise bad(f"热图 {heat.shape} 和尺寸图 {size.shape} 对不上")
    rows, columns = heat.shape[2:]
    step_x, step_y = side_px[0] / columns, side_px[1] / rows
    found = [np.empty((0, COLUMNS), np.float32)]
    for number in wanted:
        if not 0 <= number < heat.shape[1]:
            raise bad(f"没有第 {number} 类")
        layer = heat[0, number]
        y, x = np.nonzero((layer >= min_score) & (layer >= _highest_near(layer)))
        reach = size[0][:, y, x]
        if len(reach) == 4:
            box = (x * step_x - reach[0], y * step_y - reach[1], x * step_x + reach[2], y * step_y + reach[3])
        else:
            moved = _output(outputs, roles, "offset")[0][:, y, x] if "offset" in roles else np.zeros((2, len(x)))
            centre_x, centre_y = (x + moved[0]) * step_x, (y + moved[1]) * step_y
            half_x, half_y = reach[0] * step_x / 2, reach[1] * step_y / 2
            box = (centre_x - half_x, centre_y - half_y, centre_x + half_x, centre_y + half_y)
        found.append(np.stack((*box, layer[y, x], np.full(len(x), number)), axis=1).astype(np.float32))
    return np.concatenate(found)


def _highest_near(layer: NDArray[Any]) -> NDArray[Any]:
    """The highest value of each cell's 3 x 3 neighbourhood."""
    padded = np.pad(layer, 1, constant_values=-np.inf)
    across = np.maximum(np.maximum(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
    return np.asarray(np.maximum(np.maximum(across[:-2], across[1:-1]), across[2:]))


def yolo(
    outputs: Mapping[str, NDArray[Any]], roles: Mapping[str, str], side_px: tuple[int, int],
    wanted: Sequence[int], min_score: float,
) -> Array:  # fmt: skip
    """One table. Role: `boxes`; role `style` says which of three tables it is, since shapes alone can mislead:

    `rows` (1, n, 5 + classes): centre x, y, width, height, objectness, class scores; `columns`
    (1, 4 + classes, n): the same turned, without objectness; `final` (1, n, 6): x0, y0, x1, y1, score, class.
    All in input pixels, scores 0..1.
    """
    table, style = _output(outputs, roles, "boxes"), roles.get("style", "")
    if table.ndim != 3 or len(table) != 1:
        raise bad(f"输出 {table.shape} 不是一张表")
    table = table[0].T if style == "columns" else table[0]
    if style == "final":
        if table.shape[1] != COLUMNS:
            raise bad(f"style 是 final 时每行要有 6 个数，现在是 {table.shape[1]} 个")
        return np.asarray(table, np.float32)
    if style not in ("rows", "columns"):
        raise bad("style 只能是 rows、columns、final 之一")
    lead = 5 if style == "rows" else 4
    if table.shape[1] <= lead + max(wanted, default=0):
        raise bad(f"每行只有 {table.shape[1]} 个数，没有第 {max(wanted, default=0)} 类")
    scores = table[:, lead:] * table[:, 4:5] if style == "rows" else table[:, lead:]
    best = scores[:, list(wanted)]
    number = np.asarray(wanted)[best.argmax(axis=1)]
    x, y, half_x, half_y = table[:, 0], table[:, 1], table[:, 2] / 2, table[:, 3] / 2
    box = (x - half_x, y - half_y, x + half_x, y + half_y)
    return np.stack((*box, best.max(axis=1), number), axis=1).astype(np.float32)


def ssd(
    outputs: Mapping[str, NDArray[Any]], roles: Mapping[str, str], side_px: tuple[int, int],
    wanted: Sequence[int], min_score: float,
) -> Array:  # fmt: skip
    """Boxes and scores apart. Roles: `boxes` (1, n, 4), `scores` (1, n, classes), or (1, n) with `classes`
    (1, n); role `order` is `yxyx` or `xyxy`, role `unit` is `share` (0..1 of the input) or `px`.
    """
    boxes, scores = _output(outputs, roles, "boxes"), _output(outputs, roles, "scores")
    order, unit = roles.get("order", ""), roles.get("unit", "")
    if boxes.ndim != 3 or boxes.shape[2] != 4 or scores.shape[:2] != boxes.shape[:2]:
        raise bad(f"框 {boxes.shape} 和把握 {scores.shape} 对不上")
    if order not in ("yxyx", "xyxy") or unit not in ("share", "px"):
        raise bad("order 只能是 yxyx 或 xyxy，unit 只能是 share 或 px")
    corners = boxes[0][:, [1, 0, 3, 2]] if order == "yxyx" else boxes[0]
    if unit == "share":
        corners = corners * np.array([*side_px, *side_px], np.float32)
    if scores.ndim == 2:
        classes = _output(outputs, roles, "classes")
        if classes.shape != scores.shape:
            raise bad(f"把握 {scores.shape} 和类别 {classes.shape} 对不上")
        return np.column_stack((corners, scores[0], classes[0])).astype(np.float32)
    if scores.shape[2] <= max(wanted, default=0):
        raise bad(f"把握只有 {scores.shape[2]} 类，没有第 {max(wanted, default=0)} 类")
    best = scores[0][:, list(wanted)]
    number = np.asarray(wanted)[best.argmax(axis=1)]
    return np.column_stack((corners, best.max(axis=1), number)).astype(np.float32)


_Family = Callable[
    [Mapping[str, NDArray[Any]], Mapping[str, str], tuple[int, int], Sequence[int], float], Array
]  # fmt: skip
FAMILIES: dict[str, _Family] = {"centernet": centernet, "yolo": yolo, "ssd": ssd}


def suppress(boxes: Array, share: float = 0.5, inside: float = 1.1) -> NDArray[np.intp]:
    """Which boxes (n, 6), best first, stay when each takes away the weaker ones of its class that it overlaps.

    `share` is the intersection over the union from which two are one thing; `inside`, the intersection over the
    smaller box (over 1: never), takes away pieces of a thing that a tile's edge cut through.

    >>> two = np.array([[0, 0, 10, 10, 0.9, 0], [1, 0, 10, 10, 0.8, 0], [0, 0, 10, 10, 0.7, 1]], np.float32)
    >>> suppress(two).tolist()
    [0, 2]
    """
    kept: list[int] = []
    left = np.arange(len(boxes))
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        width = np.minimum(boxes[left, 2], boxes[best, 2]) - np.maximum(boxes[left, 0], boxes[best, 0])
        height = np.minimum(boxes[left, 3], boxes[best, 3]) - np.maximum(boxes[left, 1], boxes[best, 1])
        common = np.clip(width, 0, None) * np.clip(height, 0, None)
        union = areas[left] + areas[best] - common
        smaller = np.minimum(areas[left], areas[best])
        with np.errstate(divide="ignore", invalid="ignore"):
            same = (common / union > share) | (common / smaller > inside)
        left = left[~(same & (boxes[left, 5] == boxes[best, 5]))]
    return np.array(kept, np.intp)
