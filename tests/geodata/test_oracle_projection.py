"""The projection against oracles that share no code with it: a library, and searches by bisection and marching."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from geodata.frames.camera import Camera
from geodata.frames.fisheye import Fisheye
from geodata.frames.project import Pose, axes, ground_points
from geodata.frames.terrain import Terrain

COUNT = 10_000
LENS = Fisheye((1671.556624069, 3.5, -2.5, 1668.2), (0.0, 1.0, 0.010754389, -0.147354298), 678.479, 479.441)
FISHEYE = Camera(1280, 960, *LENS.focal_px, LENS.cx_px, LENS.cy_px, "fisheye", 0.005, fisheye=LENS)

WORKER = """
import json, sys
import numpy as np
import cameratransform as ct

answers = []
for row in json.load(open(sys.argv[1])):
    camera = ct.Camera(
        ct.RectilinearProjection(focallength_x_px=row["fx"], focallength_y_px=row["fy"], center_x_px=row["cx"],
                                 center_y_px=row["cy"], image_width_px=row["width"], image_height_px=row["height"]),
        ct.SpatialOrientation(elevation_m=row["up"], tilt_deg=90 + row["pitch"], roll_deg=-row["roll"],
                              heading_deg=row["yaw"], pos_x_m=row["east"], pos_y_m=row["north"]))
    _, ray = camera.getRay(np.array(row["pixel"]), normed=True)
    ray = np.asarray(ray, dtype=float).ravel()
    place = np.asarray(camera.spaceFromImage(np.array(row["pixel"]), Z=row["ground"])).ravel()
    answers.append([ray[2], place[0], place[1]])
json.dump(answers, open(sys.argv[2], "w"))
"""


def poses(random: np.random.Generator, count: int) -> list[Pose]:
    """Any attitude, with the traps that real gimbals write among them: pitch -90 exactly, roll 180."""
    found = []
    for _ in range(count):
        pitch = random.choice([-90.0, float(random.uniform(-170, 10))], p=[0.25, 0.75])
        roll = random.choice([0.0, 180.0, float(random.uniform(-180, 180))], p=[0.3, 0.2, 0.5])
        east, north = random.normal(0, 80, 2).tolist()
        found.append(Pose(random.uniform(-180, 180), float(pitch), float(roll), random.uniform(8, 150), east, north))
    return found


def turned(pose: Pose, rays: np.ndarray) -> np.ndarray:
    """Camera coordinates (right, down, ahead) to east, north, up, by three elementary matrices in north-east-down."""
    (sy, cy), (sp, cp), (sr, cr) = (
        (np.sin(np.radians(a)), np.cos(np.radians(a))) for a in (pose.yaw_deg, pose.pitch_deg, pose.roll_deg)
    )
    about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    about_y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    about_x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    body = np.column_stack((rays[:, 2], rays[:, 0], rays[:, 1]))
    north, east, down = (body @ (about_z @ about_y @ about_x).T).T
    return np.column_stack((east, north, -down))


def searched_angle(pixels: np.ndarray) -> np.ndarray:
    """Rays (right, down, ahead) of fisheye pixels: the angle off the axis is searched by halving intervals."""
    c, d, e, f = LENS.matrix
    x, y = (pixels - (LENS.cx_px, LENS.cy_px)).T
    across, down = (f * x - d * y) / (c * f - d * e), (c * y - e * x) / (c * f - d * e)
    height, heading = np.hypot(across, down), np.arctan2(down, across)
    low, high = np.zeros(len(pixels)), np.full(len(pixels), np.pi / 2)
    for _ in range(90):
        middle = (low + high) / 2
        turn = middle * 2 / np.pi
        grown = sum(factor * turn**power for power, factor in enumerate(LENS.polynomial))
        low, high = np.where(grown < height, middle, low), np.where(grown < height, high, middle)
    return np.column_stack((np.sin(low) * np.cos(heading), np.sin(low) * np.sin(heading), np.cos(low)))


def steep(rays: np.ndarray, margin_deg: float = 0.0) -> np.ndarray:
    return -rays[:, 2] / np.linalg.norm(rays, axis=1) > np.sin(np.radians(2.0 + margin_deg))


@pytest.mark.services
@pytest.mark.timeout(600)
def test_pin_hole_equals_cameratransform(tmp_path: Path):
    random = np.random.default_rng(20270101)
    rows, found = [], []
    for pose in poses(random, COUNT):
        width, height = random.choice([[4000, 2250], [5280, 3956], [640, 512]]).tolist()
        camera = Camera(width, height, *(width * random.uniform(0.5, 3.0, 2)).tolist(),
                        *(np.array([width, height]) * random.uniform(0.45, 0.55, 2)).tolist(), "dewarp", 0.003)  # fmt: skip
        pixel = (random.uniform(0, 1, 2) * (width, height)).tolist()
        ground = float(random.uniform(-15, 5))
        found.append(ground_points(camera, pose, [pixel], ground)[0])
        rows.append({"fx": camera.fx_px, "fy": camera.fy_px, "cx": camera.cx_px, "cy": camera.cy_px, "width": width,
                     "height": height, "yaw": pose.yaw_deg, "pitch": pose.pitch_deg, "roll": pose.roll_deg,
                     "up": pose.height_m, "east": pose.east_m, "north": pose.north_m, "pixel": pixel,
                     "ground": ground})  # fmt: skip
    expected = np.array(asked(rows, tmp_path))
    sees = expected[:, 0] < -np.sin(np.radians(2.0))
    ours = np.array(found)
    assert (np.isfinite(ours[:, 0]) == sees).mean() > 0.9999  # rays at the very limit may fall on either side
    both = sees & np.isfinite(ours[:, 0])
    worst = np.hypot(*(ours[both] - expected[both, 1:]).T).max()
    print(f"\npin-hole against cameratransform: {COUNT} poses, {int(both.sum())} that see ground, worst {worst:.1e} m")
    assert both.sum() > 0.5 * COUNT and worst < 1e-6


def asked(rows: list[dict], folder: Path) -> list[list[float]]:
    """The library's answers, from an environment of its own: it would bring a second OpenCV into ours."""
    python = folder / "env" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    uv = [sys.executable, "-m", "uv", "--quiet"]
    made = subprocess.run(
        [*uv, "venv", str(folder / "env"), "--python", sys.executable], capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"no environment could be made for the oracle: {made.stderr.strip()[-200:]}")
    wanted = [*uv, "pip", "install", "--python", str(python), "cameratransform==1.2.1"]
    got = subprocess.run(wanted, capture_output=True, text=True)
    if got.returncode:
        pytest.skip(f"the oracle cannot be installed, is the package registry in reach? {got.stderr.strip()[-200:]}")
    (folder / "worker.py").write_text(WORKER)
    (folder / "rows.json").write_text(json.dumps(rows))
    call = [str(python), "worker.py", "rows.json", "answers.json"]
    subprocess.run(call, cwd=folder, check=True, capture_output=True, timeout=500)
    return json.loads((folder / "answers.json").read_text())


def test_fisheye_equals_a_search():
    random = np.random.default_rng(20270102)
    pixels = random.uniform((0, 0), (1280, 960), (COUNT, 2))
    expected = searched_angle(pixels)
    worst, seen = 0.0, 0
    for pose, pixel, ray in zip(poses(random, COUNT), pixels, expected, strict=True):
        level = float(random.uniform(-15, 5))
        found = ground_points(FISHEYE, pose, [pixel], level)[0]
        way = turned(pose, ray[None, :])
        if not steep(way)[0]:
            assert np.isnan(found).all()
            continue
        along = (level - pose.height_m) / way[0, 2]
        seen += 1
        worst = max(worst, float(np.hypot(*(found - (pose.east_m, pose.north_m) - way[0, :2] * along))))
    print(f"\nfisheye against a search: {COUNT} poses, {seen} that see ground, worst {worst:.1e} m")
    assert seen > 0.5 * COUNT and worst < 1e-6


def rough(random: np.random.Generator) -> tuple[Terrain, np.ndarray, np.ndarray]:
    """A rugged grid: hills, a dyke and single rocks, with its axes."""
    east, north = np.arange(-400.0, 400.5, 4.0), np.arange(-350.0, 350.5, 4.0)
    x, y = np.meshgrid(east, north)
    heights = 6 * np.sin(x / 40) * np.cos(y / 55) + 0.02 * x + 5 * np.exp(-(((x - 60) / 9) ** 2))
    heights += np.where(random.random(heights.shape) < 0.01, random.uniform(2, 7, heights.shape), 0.0)
    return Terrain(heights, -400.0, -350.0, 4.0), east, north


def marched(origin: np.ndarray, rays: np.ndarray, terrain: Terrain, east: np.ndarray, north: np.ndarray) -> np.ndarray:
    """First points on the surface by steps too short to pass through it; NaN when the grid is left before.

    A gap of g over a surface of slope at most s cannot close before g / (|dz| + s |dxy|) of the ray.
    """
    surface = RegularGridInterpolator((north, east), terrain.heights_m, bounds_error=False, fill_value=np.nan)
    steps = np.abs(np.diff(terrain.heights_m, axis=0)).max(), np.abs(np.diff(terrain.heights_m, axis=1)).max()
    fastest = np.abs(rays[:, 2]) + np.hypot(*steps) / terrain.step_m * np.hypot(rays[:, 0], rays[:, 1])
    # From the highest level downward: above it the ray may be anywhere, also outside of the grid.
    along = np.maximum((origin[:, 2] - terrain.heights_m.max()) / -rays[:, 2], 0.0)
    found = np.full((len(rays), 2), np.nan)
    live = np.arange(len(rays))
    for _ in range(200_000):
        places = origin[live] + rays[live] * along[live, None]
        gap = places[:, 2] - surface(places[:, 1::-1])
        arrived = gap < 1e-11
        found[live[arrived]] = places[arrived, :2]
        along[live] += np.where(np.isnan(gap), 0.0, gap) / fastest[live]
        live = live[~arrived & ~np.isnan(gap)]
        if not live.size:
            return found
    raise AssertionError("the search did not end")


def test_terrain_equals_a_search():
    random = np.random.default_rng(20270103)
    terrain, east, north = rough(random)
    camera = Camera(4000, 3000, 2900.0, 2890.0, 2011.0, 1490.0, "dewarp", 0.003)
    pixels = random.uniform((0, 0), (4000, 3000), (COUNT, 2))
    plain = np.column_stack(((pixels - (2011.0, 1490.0)) / (2900.0, 2890.0), np.ones(COUNT)))
    lifted = [replace(pose, height_m=pose.height_m + 20.0) for pose in poses(random, COUNT)]
    origins = np.array([(pose.east_m, pose.north_m, pose.height_m) for pose in lifted])
    way = np.vstack([turned(pose, ray[None, :]) for pose, ray in zip(lifted, plain, strict=True)])
    frames = [axes(pose.yaw_deg, pose.pitch_deg, pose.roll_deg) for pose in lifted]
    falls = steep(way)
    found, expected = np.full((COUNT, 2), np.nan), np.full((COUNT, 2), np.nan)
    ours = np.vstack([ray @ frame for ray, frame in zip(plain, frames, strict=True)])
    found[falls] = terrain.meet(origins[falls], ours[falls])
    expected[falls] = marched(origins[falls], way[falls], terrain, east, north)
    assert (np.isfinite(found[:, 0]) == np.isfinite(expected[:, 0])).all()
    both = np.isfinite(found[:, 0])
    worst = np.hypot(*(found[both] - expected[both]).T).max()
    print(f"\nterrain against a search: {COUNT} poses, {int(both.sum())} that meet the grid, worst {worst:.1e} m")
    assert both.sum() > 0.3 * COUNT and worst < 1e-6
    for index in range(0, COUNT, 20):  # the way a frame goes, pose by pose: the same
        alone = ground_points(camera, lifted[index], [pixels[index]], terrain=terrain)[0]
        np.testing.assert_allclose(alone, found[index], atol=1e-9)
