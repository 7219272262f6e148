"""`patrol effect`: one document or a few lines, sentences for what cannot be used, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
import rasterio.warp
from affine import Affine

from patrol.cli import run

EAST, NORTH = 612_000.0, 3_358_000.0


@pytest.fixture
def rounds(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A patch on made land, the same land without it, and the patch's outline."""
    draw = np.random.default_rng(5)
    small = draw.uniform(40, 200, (3, 40, 40)).astype(np.float32)
    clean = np.stack([cv2.resize(band, (320, 320), interpolation=cv2.INTER_NEAREST) for band in small])
    dirty = clean.copy()
    dirty[:, 150:180, 150:190] = np.array([250, 20, 240])[:, None, None]
    paths = []
    for name, values in (("before", dirty), ("after", clean)):
        paths.append(tmp_path / f"{name}.tif")
        with rasterio.open(
            paths[-1], "w", driver="GTiff", count=3, height=320, width=320, dtype="uint8", crs="EPSG:32649",
            transform=Affine(0.1, 0, EAST, 0, -0.1, NORTH),
        ) as out:  # fmt: skip
            out.write(values.astype("uint8"))
    xs, ys = [EAST + x for x in (14.9, 19.1, 19.1, 14.9)], [NORTH - y for y in (14.9, 14.9, 18.1, 18.1)]
    lon, lat = rasterio.warp.transform("EPSG:32649", "EPSG:4326", xs, ys)
    ring = [[x, y] for x, y in zip([*lon, lon[0]], [*lat, lat[0]], strict=True)]
    outline = tmp_path / "outline.geojson"
    outline.write_text(
        json.dumps({"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}})
    )
    return paths[0], paths[1], outline


def test_one_document_says_what_became_of_it(rounds: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]):
    before, after, outline = rounds
    assert run(["effect", str(before), str(after), "--outline", str(outline), "--json"]) == 0
    out = capsys.readouterr()
    answer = json.loads(out.out)
    assert out.err == ""
    assert answer["verdict"] == "resolved"
    assert answer["area_m2"]["before"] == pytest.approx(12.0, rel=0.2)
    assert answer["area_m2"]["after"] < 1.0
    assert answer["registration"]["residual_px"] <= 0.5
    assert len(answer["pair"]["bounds"]) == 4
    assert "colour-only" in [warning["code"] for warning in answer["warnings"]]
    assert run(["effect", str(after), str(before), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "worse"


def test_people_get_lines_and_the_pair_on_request(
    rounds: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    before, after, outline = rounds
    arguments = ["effect", str(before), str(after), "--outline", str(outline), "--pair", str(tmp_path / "pair")]
    assert run(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("已消除")
    assert any(line.startswith("配准") for line in lines)
    for name in ("before.jpg", "after.jpg"):
        assert (tmp_path / "pair" / name).read_bytes()[:2] == b"\xff\xd8"


def test_what_cannot_be_used_is_a_sentence_and_exit_one(
    rounds: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    before, after, _ = rounds
    torn, point = tmp_path / "torn.tif", tmp_path / "point.geojson"
    torn.write_bytes(after.read_bytes()[:500])
    point.write_text('{"type": "Point", "coordinates": [112.0, 30.0]}')
    for arguments in ([str(before), str(torn)], [str(before), str(after), "--outline", str(point)]):
        assert run(["effect", *arguments, "--json"]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.strip().endswith("。")
        assert "Traceback" not in said.err


def test_a_wrong_call_is_exit_two(rounds: tuple[Path, Path, Path], tmp_path: Path):
    assert run(["effect", str(rounds[0])]) == 2
    assert run(["effect", str(rounds[0]), str(tmp_path / "absent.tif")]) == 2
