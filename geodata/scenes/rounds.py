"""A later round over the same reach: what was cleared, shrank, stayed, grew or could not be seen, and by how much.

The picture is taken in other light, moved and turned against its stated place, as a real second flight is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np
from shapely import affinity

from geodata.scenes.paint import F32, Painted, coverage, paint
from geodata.scenes.plan import KINDS, Plan, Thing
from geodata.scenes.scene import Scene, develop, to_plane

Verdict = Literal["resolved", "reduced", "unchanged", "worse", "not_observed"]
VERDICTS: tuple[Verdict, ...] = ("resolved", "reduced", "unchanged", "worse", "not_observed")
MOST_SHIFT_M, MOST_TURN_DEG = 1.5, 0.3


@dataclass(frozen=True)
class Outcome:
    """What became of one truth of the first scene: `number` is its Truth.number; `why` it was not seen, or ""."""

    number: int
    kind: str
    verdict: Verdict
    why: str = ""


@dataclass(frozen=True, eq=False)
class Round:
    """The later scene, the outcome of each truth, and how far the picture lies off its stated place.

    `scene.truths` and `scene.labels` say what is there now, also what the picture does not show.
    """

    scene: Scene
    outcomes: tuple[Outcome, ...]
    east_m: float
    north_m: float
    turn_deg: float


def later(base: Scene, number: int = 1, verdicts: tuple[Verdict, ...] = VERDICTS) -> Round:
    """Round `number` (1, 2, …) after a scene; each truth gets one of `verdicts` by chance, seeded.

    >>> from geodata.scenes.scene import scene
    >>> after = later(scene(3, "tune", size_px=400), verdicts=("resolved",))
    >>> after.scene.truths, {outcome.verdict for outcome in after.outcomes}
    ((), {'resolved'})
    """
    made = base.plan
    rng = np.random.default_rng([made.seed, 13, number])
    outcomes = [
        Outcome(truth.number, truth.kind, _pick(rng, verdicts), "") for truth in base.truths
    ]  # picked before anything else is drawn, so that the verdicts of a seed do not hang on the painting
    by_number = {outcome.number: outcome.verdict for outcome in outcomes}
    things = [_changed(rng, thing, by_number.get(thing.number), made) for thing in made.things]
    plan = replace(
        made,
        things=tuple(thing for thing in things if thing is not None),
        sun_azimuth_deg=rng.uniform(100.0, 260.0),
        sun_elevation_deg=rng.uniform(30.0, 60.0),
        cloud=None,
        ground=made.ground[::-1] if rng.random() < 0.5 else made.ground,
    )
    size_px = base.labels.shape[0]
    painted = paint(plan, base.gsd_m, size_px)
    light = rng.uniform(0.8, 1.2) * rng.uniform(0.95, 1.05, 5)
    surface = painted.surface * light.astype(np.float32)[:, None, None]
    hidden, outcomes = _hide(rng, base, outcomes, surface)
    east, north = (float(value) for value in rng.uniform(-MOST_SHIFT_M, MOST_SHIFT_M, 2))
    turn = float(rng.uniform(-MOST_TURN_DEG, MOST_TURN_DEG))
    moved = Painted(
        _moved(surface, east, north, turn, base.gsd_m),
        painted.labels,
        _moved((painted.open_water * (1 - hidden))[None], east, north, turn, base.gsd_m)[0],
        painted.plumes,
    )
    return Round(_developed(plan, moved, base.gsd_m, 100 + number), tuple(outcomes), east, north, turn)


def _developed(plan: Plan, painted: Painted, gsd_m: float, frame: int) -> Scene:
    unseen = np.isnan(painted.surface[0])
    clean = Painted(np.nan_to_num(painted.surface), painted.labels, np.nan_to_num(painted.open_water), painted.plumes)
    made = develop(plan, clean, gsd_m, frame)
    made.bands[:, unseen] = np.nan
    return made


def _pick(rng: np.random.Generator, verdicts: tuple[Verdict, ...]) -> Verdict:
    return verdicts[int(rng.integers(len(verdicts)))]


def _changed(rng: np.random.Generator, thing: Thing, verdict: Verdict | None, made: Plan) -> Thing | None:
    """The thing as it is now; None when it is gone. Things that are no problem stay, boats leave."""
    area = {"reduced": rng.uniform(0.3, 0.6), "worse": rng.uniform(1.7, 2.5)}.get(verdict or "", 1.0)
    if verdict == "resolved" or thing.kind == "boat" or (thing.kind in KINDS and verdict is None):
        return None
    if area == 1.0:
        return thing
    if thing.plume is not None:
        plume = replace(thing.plume, width_m=thing.plume.width_m * math.sqrt(area), decay_m=thing.plume.decay_m * area)
        return replace(thing, plume=plume)
    outline = affinity.scale(thing.outline, math.sqrt(area), math.sqrt(area))
    if thing.kind in ("floating_debris", "aquatic_bloom"):
        inside = outline.intersection(made.reach.water())
        outline = inside if inside.geom_type == "Polygon" and not inside.is_empty else outline
    return replace(thing, outline=outline)


def _hide(rng: np.random.Generator, base: Scene, outcomes: list[Outcome], surface: F32) -> tuple[F32, list[Outcome]]:
    """Covers what is not observed by a gap in the coverage or by cloud; says where (h, w) nothing is seen."""
    hidden = np.zeros(surface.shape[1:], np.float32)
    told: list[Outcome] = []
    things = {thing.number: thing for thing in base.plan.things}
    covered: list[Any] = []
    for outcome in outcomes:
        if outcome.verdict != "not_observed":
            told.append(outcome)
            continue
        truth = next(item for item in base.truths if item.number == outcome.number)
        outline = things[outcome.number].outline if truth.head is None else to_plane(base.plan, truth.outline)
        why = "gap" if rng.random() < 0.5 else "cloud"
        window = coverage(outline.buffer(2.0), base.gsd_m, base.labels.shape[0])
        if window is not None:
            mask = window.alpha > 0
            hidden[window.at][mask] = 1.0
            rows, cols = window.at
            view = surface[:, rows, cols]
            view[:, mask] = np.nan if why == "gap" else np.float32(rng.uniform(0.6, 0.8))
        covered.append(outline.buffer(2.0))
        told.append(replace(outcome, why=why))
    return hidden, [_caught(item, base, covered) for item in told]


def _caught(outcome: Outcome, base: Scene, covered: list[Any]) -> Outcome:
    """What stands under a neighbour's gap or cloud is not observed either."""
    if outcome.verdict == "not_observed" or not covered:
        return outcome
    truth = next(item for item in base.truths if item.number == outcome.number)
    outline = to_plane(base.plan, truth.outline)
    if any(outline.intersection(shape).area > 0.05 * outline.area for shape in covered):
        return replace(outcome, verdict="not_observed", why="neighbour")
    return outcome


def _moved(surface: F32, east_m: float, north_m: float, turn_deg: float, gsd_m: float) -> F32:
    h, w = surface.shape[1:]
    matrix = cv2.getRotationMatrix2D((w / 2, h / 2), turn_deg, 1.0)
    matrix[0, 2] += east_m / gsd_m
    matrix[1, 2] -= north_m / gsd_m
    return np.stack(
        [
            cv2.warpAffine(
                band, matrix, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=float("nan")
            )
            for band in surface
        ]
    ).astype(np.float32)
