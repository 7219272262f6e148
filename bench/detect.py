"""The person and boat detector: what a 20-megapixel frame costs, and what the default model is worth.

Run: `python bench/detect.py [--data DATA] [--package FILE.tgz] [--runs N]`. DATA is the data folder in which
`patrol models install` put the model (default `data`); the sample frames come from PATROL_TEST_DATA. Prints one JSON
line a case. Speed: a JPEG of 5472 x 3648 made from a real frame, stages apart, medians; the peer decodes the whole
JPEG first. Worth: false finds on real frames that show no person and no boat, and finds of cut-out persons pasted on
real frames seen from above. The cut-outs are in the model's own npm package (`--package`), and are read from it only.

Neither says anything about a river: **the field quality of the model is unproven.**
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from geodata.detector import UNPROVEN, Box, Detector, TileSpec
from geodata.detector_ground import placed
from geodata.detector_picture import read_picture
from geodata.frames.metadata import read_frame
from patrol.gateways.modelshelf import find

WIDTH_PX, HEIGHT_PX = 5472, 3648
SCORES = (0.2, 0.3, 0.4, 0.5)
HEIGHTS_PX = (16, 32, 64, 128, 192)
# Whole persons in the sample sheet of the package, as left, top, right, bottom pixels of it; seen from the side.
SHEET, CUT_OUTS = "package/assets/samples.jpg", ((26, 0, 128, 156), (558, 0, 625, 156), (690, 10, 762, 156))
# What the package's own runtime (TensorFlow.js 4.22, CPU) answers for `pattern()`: scores of four cells
# (row, column, class), the greatest of all, and how far the boxes of two cells reach.
THEIRS = {(10, 20, 0): 0.0020236743, (64, 64, 0): 0.0139792403, (100, 30, 8): 0.0008677102, (5, 120, 56): 0.0012558420}
THEIR_MOST = 0.0550799780
THEIR_REACH = {(64, 64): (118.1021118, 208.0427094, 122.0337067, 227.3989563),
               (10, 20): (25.5581398, 40.1739120, 32.9557190, 60.1598511)}  # fmt: skip


def line(case: str, ours: float, peer: float | None, unit: str, n: int, note: str) -> None:
    ratio = None if peer is None or not ours else round(peer / ours, 2)
    told = {"ours": round(ours, 7), "peer": None if peer is None else round(peer, 7), "ratio": ratio}
    print(json.dumps({"bench": "detect", "case": case, **told, "unit": unit, "n": n, "note": note}, ensure_ascii=False))


def timed(work: Callable[[], object], runs: int) -> tuple[float, float]:
    """Median wall and CPU milliseconds."""
    walls, cpus = [], []
    for _ in range(runs):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append((time.perf_counter() - wall) * 1e3)
        cpus.append((time.process_time() - cpu) * 1e3)
    return statistics.median(walls), statistics.median(cpus)


def faithful(model: Path) -> None:
    """The converted model beside the runtime that it was made for."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    y, x, c = np.mgrid[0:512, 0:512, 0:3]
    pattern = (127.5 + 60 * np.sin(x / 17.0 + c) + 60 * np.cos(y / 23.0 - c)).astype(np.float32)
    heat, size = session.run(["heat", "size"], {session.get_inputs()[0].name: pattern.transpose(2, 0, 1)[None]})
    gaps = [abs(float(heat[0, number, row, column]) - score) for (row, column, number), score in THEIRS.items()]
    gaps.append(abs(float(heat.max()) - THEIR_MOST))
    reach = max(float(np.abs(size[0, :, row, column] - sides).max()) for (row, column), sides in THEIR_REACH.items())
    line("conversion, scores", max(gaps), None, "greatest difference", len(gaps), "against TensorFlow.js, recorded")
    line("conversion, boxes", reach, None, "px, greatest difference", 2, "against TensorFlow.js, recorded")


def large_frame(sample: Path) -> bytes:
    """A 20-megapixel JPEG with a real frame's tags."""
    with Image.open(sample) as opened:
        tags = {"exif": opened.info["exif"], "xmp": opened.info["xmp"]}
        made = opened.convert("RGB").resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    made.save(out, "JPEG", quality=90, **tags)
    return out.getvalue()


def speed(eye: Detector, frame: bytes, runs: int) -> None:
    note = f"{len(frame) / 1e6:.1f} MB JPEG, {WIDTH_PX} x {HEIGHT_PX}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    least = eye.sidecar.height_px / HEIGHT_PX

    def whole() -> list[Box]:
        shot = read_picture(frame, least)
        return eye.run(shot.pixels)

    def plain() -> list[Box]:
        with Image.open(io.BytesIO(frame)) as opened:
            return eye.run(np.asarray(opened.convert("RGB")))

    eye.run(np.zeros((512, 512, 3), np.uint8))
    for case, scale in (("whole", None), ("half tiles", 0.5), ("native tiles", 1.0)):
        asked = least if scale is None else scale
        times = max(1, runs if scale is None else runs // 4)
        shot = read_picture(frame, asked)
        tiles = None if scale is None else TileSpec(min(1.0, scale / shot.scale))
        stages = {
            "decode": timed(lambda asked=asked: read_picture(frame, asked), times),
            "detect": timed(lambda shot=shot, tiles=tiles: eye.run(shot.pixels, tiles), times),
        }
        stages["locate"] = timed(lambda: placed(read_frame(frame), [Box("boat", 0.5, 100, 100, 200, 200)]), times)
        for stage, (wall, cpu) in stages.items():
            line(f"{case}: {stage}", wall, None, "ms a frame", times, f"CPU {cpu:.0f} ms; {note}")
        total = sum(wall for wall, _ in stages.values())
        line(f"{case}: all", total, None, "ms a frame", times, note)
    line("whole, beside a full decode", timed(whole, runs)[0], timed(plain, runs)[0], "ms a frame", runs, note)


def false_finds(eye: Detector, samples: Path) -> None:
    """Frames in which no person or boat was made out by eye at thumbnail size; each find of 0.3 and over was looked at
    in full size, and is a stone, a chimney, leaves or a caravan."""
    files = sorted((samples / "drone_rgb" / "brighton_beach").glob("*.JPG"))
    files += [samples / "drone_rgb" / "caliterra" / "IMG_9354.jpg", samples / "exif" / "gps" / "DSCN0012.jpg"]
    for case, scale in (("whole", None), ("half tiles", 0.5)):
        found: list[Box] = []
        for file in files:
            meta = read_frame(file)
            asked = 0.5 if scale else min(1.0, eye.sidecar.height_px / min(meta.width_px, meta.height_px))
            shot = read_picture(file, asked)
            found += eye.run(shot.pixels, TileSpec(min(1.0, scale / shot.scale)) if scale else None, SCORES[0])
        for score in SCORES:
            each = sum(box.score >= score for box in found) / len(files)
            line(
                f"false finds, {case}, score {score}",
                each,
                None,
                "a frame",
                len(files),
                "no person or boat made out by eye",
            )


def pasted(eye: Detector, samples: Path, package: Path) -> None:
    """Recall and precision on 512-pixel pieces of frames from above, one cut-out person pasted on each."""
    with tarfile.open(package, "r:gz") as archive:
        held = archive.extractfile(SHEET)
        assert held is not None
        sheet = Image.open(io.BytesIO(held.read())).convert("RGB")
    persons = [sheet.crop(box) for box in CUT_OUTS]
    dice = np.random.default_rng(20)
    frames = [
        Image.open(file).convert("RGB") for file in sorted((samples / "drone_rgb" / "brighton_beach").glob("*.JPG"))[:6]
    ]
    for height in HEIGHTS_PX:
        best, others = [], []
        for index in range(48):
            frame, person = frames[index % len(frames)], persons[index % len(persons)]
            left, top = int(dice.integers(0, frame.width - 512)), int(dice.integers(0, frame.height - 512))
            piece = frame.crop((left, top, left + 512, top + 512))
            small = person.resize(
                (max(1, round(person.width * height / person.height)), height), Image.Resampling.LANCZOS
            )
            x, y = int(dice.integers(0, 512 - small.width)), int(dice.integers(0, 512 - height))
            piece.paste(small, (x, y))
            hits, misses = [0.0], []
            for box in eye.run(np.asarray(piece), None, SCORES[0]):
                truth = (x, y, x + small.width, y + height)
                (hits if box.cls == "person" and overlap(box, truth) >= 0.3 else misses).append(box.score)
            best.append(max(hits))
            others += misses
        for score in SCORES:
            right, wrong = sum(value >= score for value in best), sum(value >= score for value in others)
            said = right + wrong
            precision = f"precision {right / said:.2f}" if said else "nothing found"
            note = f"{precision}; cut-outs seen from the side, pasted with their background, overlap 0.3 or more"
            line(f"recall, person {height} px high, score {score}", right / len(best), None, "share", len(best), note)


def overlap(box: Box, truth: tuple[float, float, float, float]) -> float:
    wide = max(0.0, min(box.x1, truth[2]) - max(box.x0, truth[0]))
    high = max(0.0, min(box.y1, truth[3]) - max(box.y0, truth[1]))
    sizes = (box.x1 - box.x0) * (box.y1 - box.y0) + (truth[2] - truth[0]) * (truth[3] - truth[1])
    return wide * high / (sizes - wide * high)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--package", type=Path)
    parser.add_argument("--runs", type=int, default=20)
    told = parser.parse_args()
    samples = Path(os.environ.get("PATROL_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    model = find(told.data)
    eye = Detector.open(model)
    faithful(model)
    speed(eye, large_frame(samples / "drone_rgb" / "brighton_beach" / "DJI_0018.JPG"), told.runs)
    false_finds(eye, samples)
    if told.package is None:
        line("recall", 0.0, None, "not measured", 0, "give --package: the cut-outs are in the model's npm package")
    else:
        pasted(eye, samples, told.package)
    line("boats", 0.0, None, "not measured", 0, "no picture of a boat from above is at hand")
    print(UNPROVEN)


if __name__ == "__main__":
    main()
