"""`patrol detect` and `patrol models` as documented, with a tiny model of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from patrol.cli import run
from tests.geodata.detector_models import save, spots

Terminal = Callable[..., tuple[int, str, str]]


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    for name in [name for name in os.environ if name.startswith("PATROL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATROL_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def command(*arguments: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return code, said.out, said.err

    return command


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The tiny model, installed as the default one."""
    folder = tmp_path / "data" / "models"
    folder.mkdir(parents=True)
    return save(folder, spots(512, 8), "centernet", input=[512, 512])


@pytest.fixture
def frame(data_files: Path, tmp_path: Path) -> Path:
    """A real drone frame with its own tags, all black but for a red spot in the middle."""
    with Image.open(data_files / "drone_rgb" / "brighton_beach" / "DJI_0018.JPG") as opened:
        exif, xmp, size = opened.info["exif"], opened.info["xmp"], opened.size
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[1100:1148, 1984:2032] = (255, 0, 0)
    file = tmp_path / "frame.jpg"
    Image.fromarray(pixels).save(file, "JPEG", quality=95, subsampling=0, exif=exif, xmp=xmp)
    return file


def test_without_a_model_it_says_how_to_get_one(terminal: Terminal, frame: Path) -> None:
    for more in ([], ["--json"]):
        code, out, err = terminal("detect", frame, *more)
        assert (code, out) == (1, "") and "patrol models install" in err


def test_detect_answers_as_documented(terminal: Terminal, model: Path, frame: Path) -> None:
    code, out, _ = terminal("detect", frame, "--json", "--look", "half")
    told = json.loads(out)
    assert code == 0
    assert set(told) >= {"model", "detections", "seconds", "warnings"}
    assert told["model"]["name"] == "centernet" and len(told["model"]["sha256"]) == 64
    assert {row["class"] for row in told["detections"]} == {"person"}
    for row in told["detections"]:
        assert set(row) >= {"class", "score", "box", "lon", "lat", "ce90_m"}
        x0, y0, x1, y1 = row["box"]
        assert 1976 <= x0 < x1 <= 2040 and 1092 <= y0 < y1 <= 1156  # pixels of the photograph, not of a tile
        assert row["fishing"] is None
    assert told["warnings"][0]["code"] == "unproven"
    located = json.loads(terminal("locate", frame, "--json", "--pixel", "2008,1124")[1])["points"][0]
    row = told["detections"][0]
    assert row["lon"] == pytest.approx(located["lon"], abs=5e-6) and row["lat"] == pytest.approx(
        located["lat"], abs=5e-6
    )
    assert sum(told["stages_s"].values()) == pytest.approx(told["seconds"], abs=0.01)


def test_whole_native_and_plain_words(terminal: Terminal, model: Path, frame: Path) -> None:
    whole = json.loads(terminal("detect", frame, "--json", "--look", "whole", "--min-score", "0.05")[1])
    assert len(whole["detections"]) >= 1
    code, out, _ = terminal("detect", frame)
    assert code == 0 and out.startswith("人　把握") and "未经验证" in out
    assert "没有看到人和船" in terminal("detect", frame, "--look", "whole", "--min-score", "0.99")[1]


def test_zone_and_season_come_with_a_place(terminal: Terminal, model: Path, frame: Path, tmp_path: Path) -> None:
    told = json.loads(terminal("detect", frame, "--json", "--place", "taihugang")[1])
    assert told["season"] and all(row["fishing"]["forbidden"] is False for row in told["detections"])
    assert "zone_assumed" in {remark["code"] for remark in told["warnings"]}
    lake = tmp_path / "lake"
    lake.mkdir()
    here = told["detections"][0]
    west, south = here["lon"] - 0.002, here["lat"] - 0.002
    ring = [[west, south], [west + 0.004, south], [west + 0.004, south + 0.004], [west, south + 0.004], [west, south]]
    shape = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    (lake / "water.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [shape]}), "utf-8")
    (lake / "place.toml").write_text(
        'code="l"\nname="湖"\noffice="o"\nslip_prefix="s"\nnumber_prefix="n"\nhotline="1"\nschematic=true\n', "utf-8"
    )
    (lake / "fishing.toml").write_text('[[closed]]\nname="春季禁渔"\nfrom="03-01"\nto="06-30"\n', "utf-8")
    for day, forbidden in (("2026-05-01T09:00:00+08:00", True), ("2026-08-01T09:00:00+08:00", False)):
        said = json.loads(terminal("detect", frame, "--json", "--place", lake, "--at", day)[1])
        assert {row["fishing"]["forbidden"] for row in said["detections"]} == {forbidden}
        assert said["taken_at"] == day
    (lake / "fishing.toml").write_text('[[closed]]\nname="x"\n', "utf-8")
    code, out, err = terminal("detect", frame, "--json", "--place", lake)
    assert (code, out) == (1, "") and "fishing.toml" in err


@pytest.mark.parametrize(
    "options", [["--at", "2026-05-01T09:00:00"], ["--at", "soon"], ["--look", "twice"], ["--min-score", "2"]]
)
def test_a_wrong_call_exits_2(terminal: Terminal, model: Path, frame: Path, options: list[str]) -> None:
    code, out, err = terminal("detect", frame, *options)
    assert (code, out) == (2, "") and options[0] in err


def test_what_is_no_photo_is_a_sentence(terminal: Terminal, model: Path, tmp_path: Path, data_files: Path) -> None:
    (tmp_path / "note.jpg").write_text("no photo", "utf-8")
    band = data_files / "multispectral" / "sequoia_garfield" / "IMG_161122_163234_0000_NIR.TIF"
    for file in (tmp_path / "note.jpg", band, data_files / "hostile" / "synthetic" / "truncated_half.jpg"):
        code, out, err = terminal("detect", file, "--json")
        assert (code, out) == (1, "") and err.strip().endswith("。")


def test_models_are_listed_with_what_is_wrong_with_them(terminal: Terminal, model: Path) -> None:
    told = json.loads(terminal("models", "list", "--json")[1])
    assert [(one["name"], one["ok"]) for one in told["models"]] == [("centernet", True)] and told["available"] == []
    model.write_bytes(b"half")
    assert "摘要" in terminal("models", "list")[1]
    code, out, err = terminal("detect", __file__, "--json")
    assert (code, out) == (1, "") and "摘要" in err
    model.unlink()
    told = json.loads(terminal("models", "list", "--json")[1])
    assert told["models"] == [] and told["available"][0]["size_mb"] == 28.6
    out = terminal("models", "list")[1]
    assert "没装" in out and "MIT" in out and "未经验证" in out


def test_install_refuses_another_file_and_another_name(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "other.tgz").write_bytes(b"other")
    code, out, err = terminal("models", "install", "--from", tmp_path / "other.tgz", "--json")
    assert (code, out) == (1, "") and "摘要" in err
    assert terminal("models", "install", "yolo99")[0] == 1


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; from patrol.cli import run; run(['detect', '--help']); run(['models', '--help']); "
        "print([n for n in ('numpy', 'onnxruntime', 'onnx', 'cv2', 'shapely', 'PIL') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"
