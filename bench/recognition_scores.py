"""How well the five kinds are recognised on generated scenes whose spectra and seeds no rule was tuned to.

Run: `python bench/recognition_scores.py`. Prints one JSON line a kind and variant, then a table. A found object is
true when it overlaps a true one of its kind by at least 0.3 (area of the intersection over area of the union), each
counted once, best overlap first. `--half tune` is for whoever changes the rules; only `score` is evidence.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import shapely

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from geodata.bands.ruleset import RuleSet, read_rules
from geodata.place import Place
from geodata.recognise import persist, recognise
from geodata.scenes.folder import write
from geodata.scenes.plan import KINDS
from geodata.scenes.scene import Scene, frames, scene
from geodata.scenes.score import IOU_AT_LEAST, Tally, pairs, score

GOALS = {"sewage": 0.90, "floating_debris": 0.90, "aquatic_bloom": 0.90, "bare_soil": 0.80, "solid_waste": 0.70}
FALSE_PER_HA = 1.0
FIRST = {"tune": 100, "score": 9500}  # no seed is in both
VARIANTS = ("all", "no smoothing", "no persistence", "no water mask")
FRAMES, AGREE = 4, 3  # overlapping frames of each scene, and how many must show a thing


def found_in(
    views: Iterable[tuple[Scene, Path]], place: Place, rules: RuleSet, variants: Iterable[str]
) -> dict[str, list[Any]]:
    """Detections of one scene's frames, for each variant."""
    views, found = list(views), {}
    rough = replace(rules, smoothing="none")
    for variant in variants:
        if variant == "no persistence":
            found[variant] = list(recognise(views[0][1], place, rules).detections)
            continue
        told = [
            recognise(
                path, None if variant == "no water mask" else place, rough if variant == "no smoothing" else rules
            )
            for _, path in views
        ]
        # A thing at the rim that too few frames looked at would stay unproven: only common ground is scored.
        common = shapely.intersection_all([one.seen for one in told])
        found[variant] = [one for one in persist(told, AGREE) if common.contains(shapely.Point(one.lon, one.lat))]
    return found


def one_scene(
    half: Any, rules: RuleSet, variants: tuple[str, ...], size_px: int, explain: bool, seed: int
) -> dict[str, dict[str, Tally]]:
    """Tallies by variant and kind over one scene."""
    made = scene(seed, half, size_px)
    tallies = {}
    with tempfile.TemporaryDirectory() as folder:
        written = [(view, write(view, Path(folder), f"frame{k}").raster) for k, view in enumerate(frames(made, FRAMES))]
        place = Place.open(Path(folder) / "place")
        for variant, detections in found_in(written, place, rules, variants).items():
            tallies[variant] = score(made.truths, detections, made.hectares, KINDS)
            if explain and variant == variants[0]:
                _explain(seed, made, detections)
    return tallies


def run(
    seeds: Iterable[int], half: Any, rules: RuleSet, variants: tuple[str, ...], size_px: int, explain: bool, jobs: int
) -> dict[str, dict[str, Tally]]:
    """Tallies by variant and kind over scenes, `jobs` of them at a time."""
    totals = {variant: dict.fromkeys(KINDS, Tally()) for variant in variants}
    work = functools.partial(one_scene, half, rules, variants, size_px, explain)
    with ProcessPoolExecutor(jobs) as pool:
        for done, told in enumerate(pool.map(work, seeds), start=1):
            totals = {v: {kind: totals[v][kind] + told[v][kind] for kind in KINDS} for v in variants}
            print(f"{done} scenes done", file=sys.stderr, flush=True)
    return totals


def _explain(seed: int, made: Scene, detections: list[Any]) -> None:
    """What was missed and what was wrong, for tuning."""
    matched = pairs(made.truths, detections)
    hit, used = {pair[0] for pair in matched}, {pair[1] for pair in matched}
    things = {thing.number: thing for thing in made.plan.things}
    for index, truth in enumerate(made.truths):
        if index not in hit:
            over = [(one.kind, one.rule, round(one.outline.intersection(truth.outline).area / truth.outline.area, 2))
                    for one in detections if one.outline.intersects(truth.outline)]  # fmt: skip
            names = "+".join(row.name for row in things[truth.number].materials)
            print(f"{seed} missed {truth.kind} {truth.area_m2:.2f} m² {names} in {made.plan.water.name}: {over}")
    from geodata.scenes.scene import to_plane

    for number, one in enumerate(detections):
        if number not in used:
            outline = to_plane(made.plan, one.outline)
            under = sorted(
                ((outline.intersection(thing.outline).area / outline.area, thing.kind, thing.materials[0].name)
                 for thing in made.plan.things if not thing.outline.is_empty and outline.intersects(thing.outline)),
                reverse=True,
            )[:2]  # fmt: skip
            where = ", ".join(f"{kind} {name} {share:.2f}" for share, kind, name in under) or "ground"
            inside = float(made.plan.reach.inside_m(*_along(made, outline)))
            print(
                f"{seed} wrong  {one.kind} by {one.rule} {one.area_m2:.2f} m² score {one.score:.2f} "
                f"{inside:+.1f} m in {made.plan.water.name} on {where} {dict(one.stats).get('indices')}"
                f" el {one.stats.get('elongation')} var {one.stats.get('variation')}"
            )


def _along(made: Scene, outline: Any) -> tuple[float, float]:
    x, y = outline.centroid.x, outline.centroid.y
    return (y, x) if made.plan.reach.turned else (x, y)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--half", choices=("tune", "score"), default="score")
    asked.add_argument("--scenes", type=int, default=24)
    asked.add_argument("--first", type=int, default=None, help="first seed")
    asked.add_argument("--size", type=int, default=1500, help="pixels a side")
    asked.add_argument("--rules", type=Path, default=None)
    asked.add_argument("--only", choices=VARIANTS, default=None)
    asked.add_argument("--explain", action="store_true", help="say what was missed and what was wrong")
    asked.add_argument("--jobs", type=int, default=2, help="scenes at a time")
    told = asked.parse_args()
    rules = read_rules(told.rules)
    variants = VARIANTS if told.only is None else (told.only,)
    first = FIRST[told.half] if told.first is None else told.first
    began = time.perf_counter()
    totals = run(range(first, first + told.scenes), told.half, rules, variants, told.size, told.explain, told.jobs)
    for variant in variants:
        for kind in KINDS:
            tally = totals[variant][kind]
            print(
                json.dumps(
                    {
                        "bench": "recognition_scores",
                        "case": f"{kind}, {variant}",
                        "ours": round(tally.f1, 4),
                        "peer": GOALS[kind],
                        "ratio": round(tally.f1 / GOALS[kind], 3),
                        "unit": "F1",
                        "n": tally.truths,
                        "precision": round(tally.precision, 4),
                        "recall": round(tally.recall, 4),
                        "mean_iou": round(tally.mean_iou, 4),
                        "false_per_ha": round(tally.false_per_ha, 3),
                        "note": f"half {told.half}, {told.scenes} scenes from seed {first}, {AGREE} of {FRAMES} frames, "
                        f"IoU >= {IOU_AT_LEAST}, peer is the goal, rules {rules.version} {rules.digest[:12]}",
                    }
                )
            )
    print(_table(totals, variants))
    print(f"{told.scenes} scenes, {totals[variants[0]]['sewage'].hectares:.1f} ha, {time.perf_counter() - began:.0f} s")


def _table(totals: dict[str, dict[str, Tally]], variants: tuple[str, ...]) -> str:
    lines = ["| kind | goal | F1 | precision | recall | mean IoU | false/ha | "
             + " | ".join(f"F1 {variant}" for variant in variants[1:]) + " |"]  # fmt: skip
    lines.append("|---" * (7 + len(variants) - 1) + "|")
    for kind in KINDS:
        tally = totals[variants[0]][kind]
        cells = [kind, f"{GOALS[kind]:.2f}", f"**{tally.f1:.2f}**", f"{tally.precision:.2f}", f"{tally.recall:.2f}",
                 f"{tally.mean_iou:.2f}", f"{tally.false_per_ha:.2f}"]  # fmt: skip
        cells += [f"{totals[variant][kind].f1:.2f}" for variant in variants[1:]]
        lines.append("| " + " | ".join(cells) + " |")
    sums = [sum(totals[variant][kind].false_per_ha for kind in KINDS) for variant in variants]
    lines.append(f"false objects of all kinds per hectare: {sums[0]:.2f} (goal {FALSE_PER_HA:.0f}); "
                 + ", ".join(f"{variant} {value:.2f}" for variant, value in zip(variants[1:], sums[1:], strict=True)))  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    main()
