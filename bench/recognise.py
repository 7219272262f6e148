"""Recognition of a whole raster beside GDAL's command-line pair and beside the plain whole-array way.

Run: `python bench/recognise.py [--large] [--runs N]`. One JSON line a case. The picture is made anew from a seed in a
temporary folder (671 MB; `--large` 5.8 GB more). In each round every way runs once, in turn, so that what else the
machine does meets all of them; the best round of each counts. Ours and the plain way run in processes of their own,
whose peak memory is told; ours is kept warm between rounds, as in a worker, and its first call is a case of its own.

- `gdal_pair`: gdal_calc.py with 4 bands and 3 tests, then gdal_polygonize.py: no water, no smoothing, no least area,
  no score. Its time includes starting two programs, which is told in the note.
- `plain`: every band at once as numpy arrays, 5 masks, scipy.ndimage.label, rasterio.features.shapes: no smoothing, no
  water round about, one limit for the whole picture.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # in place of this folder, whose coverage.py is not the coverage that numba looks for
GDAL = ("gdal_calc.py", "gdal_polygonize.py")
TESTS = "1*((B-N)<(B+N)*-0.2)*(B>0)+2*((B-R)<(B+R)*-0.1)*((N-R)<(N+R)*0.25)+3*((B<400)*(N<200))"


def line(case: str, ours: float, peer: float | None, ratio: float | None, unit: str, n: int, note: str) -> None:
    print(
        json.dumps(
            {
                "bench": "recognise", "case": case, "ours": round(ours, 3),
                "peer": None if peer is None else round(peer, 3), "ratio": None if ratio is None else round(ratio, 2),
                "unit": unit, "n": n, "note": note,
            },
            ensure_ascii=False,
        ),
        flush=True,
    )  # fmt: skip


def ours_loop(path: str) -> None:
    """A warm process: one recognition for each line on its input."""
    from geodata.recognise import recognise

    for _ in sys.stdin:
        began, used = time.perf_counter(), time.process_time()
        found = recognise(path)
        print(
            json.dumps(
                {
                    "seconds": time.perf_counter() - began, "cpu": time.process_time() - used,
                    "objects": len(found.detections), "rss": found.peak_rss_mb, "pixels": found.pixels,
                }
            ),
            flush=True,
        )  # fmt: skip


def plain_once(path: str) -> None:
    """The way a script does it, timed from the first read to the last polygon."""
    import resource

    import numpy as np
    import rasterio
    from rasterio.features import shapes
    from scipy import ndimage
    from shapely.geometry import shape

    began = time.perf_counter()
    with rasterio.open(path) as picture:
        blue, green, red, edge, nir = picture.read().astype(np.float32) * np.float32(1e-4)
        transform = picture.transform
    ndvi, ndwi = (nir - red) / (nir + red), (green - nir) / (green + nir)
    ratio = (red - green) / (red + green)
    soil = ((red + edge) - (blue + nir)) / ((red + edge) + (blue + nir))
    water = ndwi > 0
    masks = [
        (ndvi > 0.3) & (nir > 0.1) & (edge < 0.3),
        water & (red > 0.1) & (ndvi < 0.3),
        water & (green < 0.045) & (red < 0.035),
        ~water & (ndvi < 0.25) & (ratio > 0.05) & (soil > 0.02),
        ~water & (ndvi < 0.2) & (ratio <= 0.05),
    ]
    count = 0
    for kind, mask in enumerate(masks):
        labels, _ = ndimage.label(mask, np.ones((3, 3)))
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        kept = (sizes >= 40)[labels]
        ndimage.mean(ndvi, labels, np.flatnonzero(sizes >= 40))
        count += len(
            [shape(one) for one, _ in shapes(np.where(kept, kind + 1, 0).astype(np.uint8), kept, 8, transform)]
        )
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "objects": count, "rss": peak}))


def gdal_once(path: Path, folder: Path) -> float:
    """Wall seconds of the pair."""
    classes, out = folder / "classes.tif", folder / "classes.gpkg"
    for old in (classes, out):
        old.unlink(missing_ok=True)
    bands = [f"--{name}_band={number}" for name, number in (("A", 1), ("B", 2), ("R", 3), ("N", 5))]
    files = [part for name in "ABRN" for part in (f"-{name}", str(path))]
    calc = [GDAL[0], *files, *bands, f"--outfile={classes}", "--type=Byte", "--NoDataValue=0", "--quiet",
            f"--calc={TESTS.replace('B', 'B.astype(float32)', 0)}", "--co=TILED=YES"]  # fmt: skip
    began = time.perf_counter()
    subprocess.run(calc, check=True, capture_output=True, cwd=folder)
    subprocess.run(
        [GDAL[1], "-q", "-8", str(classes), "-f", "GPKG", str(out)], check=True, capture_output=True, cwd=folder
    )
    return time.perf_counter() - began


def gdal_start(folder: Path) -> float:
    """Seconds the two programs need to start and say how they are used."""
    began = time.perf_counter()
    for program in GDAL:
        subprocess.run([program, "--help"], capture_output=True, check=False, cwd=folder)
    return time.perf_counter() - began


def child(way: str, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, __file__, "--way", way, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def ask(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    return answer


def measure(side_px: int, folder: Path, runs: int, peers: bool) -> None:
    from bench._wide_picture import write_picture

    path = folder / f"river{side_px}.tif"
    painted = write_picture(path, side_px)
    size = f"{side_px // 1000}k"
    million = side_px * side_px / 1e6
    worker = child("ours", path)
    first = ask(worker)
    ours, plain, pair = [], [], []
    has_gdal = peers and all(shutil.which(program) for program in GDAL)
    for _ in range(runs):
        ours.append(ask(worker))
        if has_gdal:
            pair.append(gdal_once(path, folder))
        if peers:
            out = subprocess.run(
                [sys.executable, __file__, "--way", "plain", str(path)], capture_output=True, text=True, check=True
            )
            plain.append(json.loads(out.stdout))
    best = min(one["seconds"] for one in ours)
    objects, peak = ours[0]["objects"], ours[-1]["rss"]
    if has_gdal:
        peer = min(pair)
        note = f"best of {runs}; starting the two programs takes {gdal_start(folder):.2f} s of the peer's time; goal 4"
        line(f"{size}_gdal_pair", best, peer, peer / best, "s", runs, note)
    elif peers:
        line(f"{size}_gdal_pair", best, None, None, "s", 0, "skipped: gdal_calc.py and gdal_polygonize.py are not here")
    if plain:
        peer = min(one["seconds"] for one in plain)
        line(
            f"{size}_plain",
            best,
            peer,
            peer / best,
            "s",
            runs,
            f"best of {runs}; peer {plain[0]['rss']:.0f} MB; goal 15",
        )
    line(f"{size}_peak_rss", peak, 400.0, 400.0 / peak, "MiB", runs + 1, "peer is the goal; ratio at least 1 keeps it")
    line(f"{size}_speed", million / best, None, None, "MPix/s", runs,
         f"reported, not judged; {objects} objects of {painted} painted; {min(one['cpu'] for one in ours):.2f} CPU s")  # fmt: skip
    line(
        f"{size}_first_call",
        first["seconds"],
        None,
        None,
        "s",
        1,
        "reported: as a new process, machine code from its cache",
    )
    assert worker.stdin is not None
    worker.stdin.close()
    worker.wait()
    path.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true", help="24,000 pixels a side too (memory only)")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--way", choices=("ours", "plain"), help=argparse.SUPPRESS)
    parser.add_argument("path", nargs="?", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.way == "ours":
        ours_loop(asked.path)
    elif asked.way == "plain":
        plain_once(asked.path)
    else:
        with tempfile.TemporaryDirectory(prefix="recognise-") as name:
            measure(8000, Path(name), asked.runs, peers=True)
            if asked.large:
                measure(24000, Path(name), 2, peers=False)


if __name__ == "__main__":
    main()
