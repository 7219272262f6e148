"""The word for a change, from its figures. What was not surely seen is `not_observed`, never `resolved`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from geodata.effect.measure import Measured

Verdict = Literal["resolved", "reduced", "unchanged", "worse", "not_observed"]
WORDS: dict[str, str] = {
    "resolved": "已消除",
    "reduced": "有减轻",
    "unchanged": "没有变化",
    "worse": "加重了",
    "not_observed": "没有看清，不能下结论",
}

LEAST_SEEN = 0.9
MOST_VEILED = 0.1
MOST_LIGHT = 0.6
"""Local change of light, in logarithms, beyond which the place lies under cloud or shadow in one round."""
GONE, BACK_MADS, FLOOR_INDEX = 0.2, 2.0, 0.25
LESS, MORE = 0.8, 1.25
SMALL_PX, SMALL_LESS, SMALL_MORE = 48, 0.45, 1.8
"""Of a few pixels, mixed borders are most: only large changes of their area mean anything."""
LEAST_PX = 32
"""An outline of fewer pixels is nearly all border: whether it is gone or grew cannot be said."""
MOST_ODD = 0.15


@dataclass(frozen=True)
class Judged:
    """`tests`: the three of `resolved`: area down by 80 %, index back to its surroundings, nothing found there."""

    verdict: Verdict
    code: str
    reason: str
    tests: dict[str, bool]


def judge(measured: Measured, seen_again: bool | None, sure: bool = True) -> Judged:
    """A verdict and its reason. `seen_again`: whether the last round detected this class here, None when unknown;
    `sure`: whether registration and light are good enough to call anything resolved.
    """
    tests = {
        "area": measured.ratio <= GONE,
        # below 0 is away from the problem; whether that is something else is the third test's question
        "index": measured.index_after <= max(BACK_MADS * measured.index_mad, FLOOR_INDEX),
        "detection": not seen_again and measured.odd_share <= MOST_ODD,
    }
    if measured.pixels < LEAST_PX:
        return unseen("small", f"轮廓只占 {measured.pixels} 个像元，太小，看不出变化", tests)
    if measured.light > MOST_LIGHT:
        return unseen("light", "两期在此处的明暗相差太大，可能有云、雾或阴影", tests)
    if measured.veiled_share > MOST_VEILED:
        return unseen("veiled", f"后一期轮廓内有 {measured.veiled_share:.0%} 被云、反光或阴影遮住", tests)
    if not measured.visible:
        return _faint(measured, tests)
    low, high = measured.interval
    less, more = (SMALL_LESS, SMALL_MORE) if measured.pixels < SMALL_PX else (LESS, MORE)
    change = f"面积是原来的 {measured.ratio:.0%}（90% 区间 {low:.0%}–{high:.0%}）"
    if all(tests.values()) and not sure:
        return Judged("reduced", "unsure", f"{change}，但两期的位置或光照对得不好，不能判为已消除。", tests)
    if all(tests.values()):
        return Judged("resolved", "", f"{change}，颜色回到周围水平，轮廓内没有再发现异常。", tests)
    if measured.ratio >= more and low > 1.0:
        return Judged("worse", "", f"{change}。", tests)
    if measured.ratio <= GONE and measured.odd_share > MOST_ODD:
        return Judged("reduced", "other", f"{change}，但轮廓内有与原来不同的异常，需到现场看。", tests)
    if measured.ratio <= less and high < 1.0:
        left = (
            ""
            if measured.ratio > GONE
            else "，但颜色还没有回到周围水平"
            if not tests["index"]
            else "，但后一期仍有识别结果"
        )
        return Judged("reduced", "", f"{change}{left}。", tests)
    return Judged("unchanged", "", f"{change}。", tests)


def unseen(code: str, why: str, tests: dict[str, bool] | None = None) -> Judged:
    """Not observed, and why."""
    nothing = dict.fromkeys(("area", "index", "detection"), False)
    return Judged("not_observed", code, f"{why}。", nothing if tests is None else tests)


def _faint(measured: Measured, tests: dict[str, bool]) -> Judged:
    """The earlier picture shows nothing inside: only something new can be told."""
    if measured.odd_share > MOST_ODD:
        return Judged("worse", "new", "前一期轮廓内与周围没有差别，后一期出现了异常。", tests)
    return unseen("faint", "前一期的轮廓内与周围看不出差别，没有可比的对象", tests)
