"""Scores found objects against true ones: greedy one-to-one matching by overlap, counts that add up over scenes.

It knows outlines and kinds only, neither the generator nor the recogniser.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from shapely.strtree import STRtree

IOU_AT_LEAST = 0.3


class Outlined(Protocol):
    """Anything with a kind and a shapely outline; all outlines of one scoring in one coordinate system."""

    @property
    def kind(self) -> str: ...

    @property
    def outline(self) -> Any: ...


@dataclass(frozen=True)
class Tally:
    """Counts for one kind; add those of several scenes. Shares are NaN where they divide by nothing.

    >>> both = Tally(truths=4, found=3, matched=3, iou_sum=2.1, hectares=0.5) + Tally(0, 1, 0, 0.0, 0.5)
    >>> both.precision, both.recall, both.false_per_ha, round(both.mean_iou, 3), round(both.f1, 3)
    (0.75, 0.75, 1.0, 0.7, 0.75)
    """

    truths: int = 0
    found: int = 0
    matched: int = 0
    iou_sum: float = 0.0
    hectares: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.truths + other.truths,
            self.found + other.found,
            self.matched + other.matched,
            self.iou_sum + other.iou_sum,
            self.hectares + other.hectares,
        )

    @property
    def precision(self) -> float:
        """Share of the found objects that are true."""
        return self.matched / self.found if self.found else math.nan

    @property
    def recall(self) -> float:
        """Share of the true objects that were found."""
        return self.matched / self.truths if self.truths else math.nan

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 where everything was missed."""
        return 2 * self.matched / (self.truths + self.found) if self.truths + self.found else math.nan

    @property
    def mean_iou(self) -> float:
        """Mean overlap of the matched pairs."""
        return self.iou_sum / self.matched if self.matched else math.nan

    @property
    def false_per_ha(self) -> float:
        """Found objects that are not true, for each hectare looked at."""
        return (self.found - self.matched) / self.hectares if self.hectares else math.nan


def overlap(first: Any, second: Any) -> float:
    """Area of the intersection over area of the union of two outlines, 0 to 1.

    >>> from shapely.geometry import box
    >>> round(overlap(box(0, 0, 2, 1), box(1, 0, 3, 1)), 3), overlap(box(0, 0, 1, 1), box(1, 0, 2, 1))
    (0.333, 0.0)
    """
    shared = first.intersection(second).area
    return float(shared / (first.area + second.area - shared)) if shared > 0 else 0.0


def pairs(truths: Sequence[Outlined], found: Sequence[Outlined]) -> list[tuple[int, int, float]]:
    """(truth index, found index, overlap) of the matches: best overlap first, each object once, kinds alike.

    Overlaps under IOU_AT_LEAST do not count; equal ones go by the order given.
    """
    if not truths or not found:
        return []
    tree = STRtree([item.outline for item in found])
    candidates = []
    for index, truth in enumerate(truths):
        for number in sorted(int(value) for value in tree.query(truth.outline)):
            if found[number].kind == truth.kind:
                share = overlap(truth.outline, found[number].outline)
                if share >= IOU_AT_LEAST:
                    candidates.append((-share, index, number))
    matched: list[tuple[int, int, float]] = []
    used_truths: set[int] = set()
    used_found: set[int] = set()
    for share, index, number in sorted(candidates):
        if index not in used_truths and number not in used_found:
            used_truths.add(index)
            used_found.add(number)
            matched.append((index, number, -share))
    return matched


def score(
    truths: Sequence[Outlined], found: Sequence[Outlined], hectares: float, kinds: Iterable[str]
) -> dict[str, Tally]:
    """A Tally for each of `kinds`, of one scene of so many hectares.

    >>> from types import SimpleNamespace as Seen
    >>> from shapely.geometry import box
    >>> truth, wrong = Seen(kind="a", outline=box(0, 0, 2, 2)), Seen(kind="b", outline=box(0, 0, 2, 2))
    >>> told = score([truth], [truth, wrong], 1.0, ("a", "b"))
    >>> told["a"].f1, told["b"].precision, told["b"].false_per_ha
    (1.0, 0.0, 1.0)
    """
    matched = pairs(truths, found)
    told = {}
    for kind in kinds:
        mine = [share for index, _, share in matched if truths[index].kind == kind]
        told[kind] = Tally(
            truths=sum(item.kind == kind for item in truths),
            found=sum(item.kind == kind for item in found),
            matched=len(mine),
            iou_sum=float(sum(mine)),
            hectares=hectares,
        )
    return told
