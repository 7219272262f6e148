"""The detector on tiny models of its own: where boxes land, tiles, sidecars, refusals."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geodata.detector import Box, Detector, TileSpec
from geodata.detector_picture import read_picture
from geodata.errors import GeoError, GeoErrors
from tests.geodata.detector_models import CELL_PX, SIDE_PX, save, spots, tables

RED, BLUE = (255, 0, 0), (0, 0, 255)


def picture(width: int, height: int, *marks: tuple[int, int, int, tuple[int, int, int]]) -> Any:
    """A black picture with squares: left, top, side, colour."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for x, y, side, colour in marks:
        pixels[y : y + side, x : x + side] = colour
    return pixels


@pytest.fixture
def eye(tmp_path: Path) -> Detector:
    return Detector.open(save(tmp_path, spots()))


def test_boxes_are_in_the_pictures_own_pixels_and_classes_in_ours(eye: Detector) -> None:
    found = eye.run(picture(SIDE_PX, SIDE_PX, (8, 12, CELL_PX, RED), (40, 20, CELL_PX, BLUE)))
    assert sorted(found, key=lambda box: box.cls) == [
        Box("boat", 1.0, 40.0, 20.0, 44.0, 24.0), Box("person", 1.0, 8.0, 12.0, 12.0, 16.0),
    ]  # fmt: skip


def test_whole_picture_is_stretched_or_letterboxed_and_boxes_come_back(tmp_path: Path, eye: Detector) -> None:
    wide = picture(SIDE_PX * 4, SIDE_PX * 2, (32, 24, 4 * CELL_PX, RED))
    stretched = eye.run(wide)[0]
    assert (stretched.x0, stretched.y0, stretched.x1) == (32.0, 24.0, 48.0)
    framed = Detector.open(save(tmp_path, spots(), "framed", fit="letterbox")).run(wide)[0]
    assert (framed.x0, framed.x1, framed.y1 - framed.y0) == (32.0, 48.0, 16.0)
    assert eye.run(picture(20, 20, (5, 5, 10, BLUE)))[0].cls == "boat"


@settings(max_examples=30)
@given(st.integers(0, 60), st.integers(0, 45), st.sampled_from([RED, BLUE]), st.integers(0, 48))
def test_tiles_find_a_spot_once_wherever_the_cuts_are(
    shared: Detector, column: int, row: int, colour: tuple[int, int, int], overlap_px: int
) -> None:
    x, y = column * CELL_PX, row * CELL_PX
    found = shared.run(picture(256, 192, (x, y, 2 * CELL_PX, colour)), TileSpec(1.0, overlap_px), min_score=0.3)
    mid_x = [(box.x0 + box.x1) / 2 for box in found]
    assert found and {box.cls for box in found} == {"person" if colour == RED else "boat"}
    assert all(x - CELL_PX <= middle <= x + 3 * CELL_PX for middle in mid_x)
    for index, box in enumerate(found):  # no two of them are one thing
        for other in found[index + 1 :]:
            wide = min(box.x1, other.x1) - max(box.x0, other.x0)
            high = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert max(0, wide) * max(0, high) <= 0.7 * CELL_PX**2 + 1e-6


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return Detector.open(save(tmp_path_factory.mktemp("shared"), spots()))


def test_small_things_are_lost_in_the_whole_and_found_in_tiles(eye: Detector) -> None:
    large = picture(SIDE_PX * 8, SIDE_PX * 8, (256, 128, CELL_PX, RED))
    assert eye.run(large) == []
    found = eye.run(large, TileSpec(overlap_px=0))
    assert [(box.cls, box.x0, box.y0) for box in found] == [("person", 256.0, 128.0)]
    halved = eye.run(picture(512, 512, (256, 128, 2 * CELL_PX, RED)), TileSpec(0.5, 0))
    assert [(box.x0, box.x1) for box in halved] == [(256.0, 264.0)]


@pytest.mark.parametrize("layout", ["rows", "columns", "final"])
def test_yolo_tables_of_three_styles_mean_the_same(tmp_path: Path, layout: str) -> None:
    rows = [[20, 30, 10, 20, 0.9, 0.1, 0.8], [50, 10, 8, 8, 0.2, 0.9, 0.1]]  # x, y, w, h, object, person, boat
    style = {
        "rows": np.array([rows]),
        "columns": np.array([[[r[0], r[1], r[2], r[3], r[4] * r[5], r[4] * r[6]] for r in rows]]).transpose(0, 2, 1),
        "final": np.array([[[15, 20, 25, 40, 0.72, 1], [46, 6, 54, 14, 0.18, 0]]]),
    }[layout]
    model = save(tmp_path, tables(out=style), decode="yolo", roles={"boxes": "out", "style": layout})
    white = np.full((SIDE_PX, SIDE_PX, 3), 255, np.uint8)
    assert Detector.open(model).run(white) == [Box("boat", 0.72, 15.0, 20.0, 25.0, 40.0)]


@pytest.mark.parametrize("apart", [True, False])
def test_ssd_boxes_in_either_order_and_unit(tmp_path: Path, apart: bool) -> None:
    boxes = np.array([[[0.25, 0.5, 0.5, 0.75], [0, 0, 0.1, 0.1]]])
    roles = {"boxes": "boxes", "scores": "scores", "order": "yxyx", "unit": "share"}
    if apart:
        graph = tables(boxes=boxes, scores=np.array([[0.8, 0.3]]), classes=np.array([[1, 0]]))
        roles["classes"] = "classes"
    else:
        graph = tables(boxes=boxes, scores=np.array([[[0.1, 0.8], [0.3, 0.1]]]))
    white = np.full((SIDE_PX, SIDE_PX, 3), 255, np.uint8)
    found = Detector.open(save(tmp_path, graph, decode="ssd", roles=roles)).run(white)
    assert found == [Box("boat", 0.8, 32.0, 16.0, 48.0, 32.0)]
    pixels = tables(boxes=boxes[:, :, [1, 0, 3, 2]] * SIDE_PX, scores=np.array([[[0.1, 0.8], [0.3, 0.1]]]))
    other = roles | {"order": "xyxy", "unit": "px"}
    assert Detector.open(save(tmp_path, pixels, "px", decode="ssd", roles=other)).run(white) == found


@pytest.mark.parametrize(
    ("told", "where"),
    [
        ({"input": [64, 8]}, "input"), ({"layout": "CHW"}, "layout"), ({"std": [1, 0, 1]}, "std"),
        ({"decode": "guess"}, "decode"), ({"classes": {"0": "fish"}}, "classes"), ({"classes": {}}, "classes"),
        ({"min_score": 1}, "min_score"), ({"licence": ""}, "licence"), ({"sha256": "A" * 64}, "sha256"),
        ({"roles": []}, "roles"), ({"fit": None}, "fit"), ({"mean": [0, 0, float("nan")]}, "mean"),
    ],
)  # fmt: skip
def test_a_sidecars_fault_is_named(tmp_path: Path, told: dict[str, Any], where: str) -> None:
    with pytest.raises(GeoErrors) as caught:
        Detector.open(save(tmp_path, spots(), **told))
    assert [fault.where for fault in caught.value.faults] == [where]


def test_all_faults_of_a_sidecar_come_at_once_and_it_reads_back_what_it_wrote(tmp_path: Path) -> None:
    with pytest.raises(GeoErrors) as caught:
        Detector.open(save(tmp_path, spots(), "bad", fit="?", decode="?", min_score=2))
    assert len(caught.value.faults) == 3
    sidecar = Detector.open(save(tmp_path, spots())).sidecar
    assert type(sidecar).read(json.dumps(sidecar.as_dict())) == sidecar


@pytest.mark.parametrize(
    "told",
    [
        {"sha256": "0" * 64}, {"input": [96, 64]}, {"layout": "NHWC"}, {"classes": {"7": "boat"}},
        {"roles": {"heat": "heat"}}, {"decode": "yolo"},
        {"decode": "ssd"}, {"decode": "yolo", "roles": {"boxes": "heat", "style": "rows"}},
        {"decode": "ssd", "roles": {"boxes": "heat", "scores": "size", "order": "xyxy", "unit": "px"}},
    ],
)  # fmt: skip
def test_a_model_that_its_sidecar_does_not_fit_is_refused(tmp_path: Path, told: dict[str, Any]) -> None:
    with pytest.raises(GeoError) as caught:
        Detector.open(save(tmp_path, spots(), **told)).run(picture(64, 64))
    assert caught.value.code == "bad_model"


def test_what_is_no_model_or_no_picture_is_refused_in_a_sentence(tmp_path: Path, eye: Detector) -> None:
    file = save(tmp_path, spots(), "broken")
    told = json.loads(file.with_suffix(".json").read_text("utf-8"))
    file.write_bytes(b"not a model")
    told["sha256"] = hashlib.sha256(b"not a model").hexdigest()
    file.with_suffix(".json").write_text(json.dumps(told), "utf-8")
    for path, code in ((file, "bad_model"), (tmp_path / "none.onnx", "no_model")):
        with pytest.raises(GeoError) as caught:
            Detector.open(path)
        assert caught.value.code == code
    for wrong in (np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.float32), np.zeros((0, 8, 3), np.uint8)):
        with pytest.raises(GeoError, match="彩色图"):
            eye.run(wrong)
    for tiles in (TileSpec(0.0), TileSpec(1.0, 64), TileSpec(2.0)):
        with pytest.raises(GeoError, match="分块"):
            eye.run(picture(64, 64), tiles)
    with pytest.raises(GeoError, match="过多"):
        eye.run(picture(2000, 2000), TileSpec(1.0, 63))


def test_a_jpeg_is_decoded_no_larger_than_asked_and_never_smaller(data_files: Path) -> None:
    frame = data_files / "drone_rgb" / "brighton_beach" / "DJI_0018.JPG"
    for asked in (1.0, 0.6, 0.5, 0.3, 0.25, 0.2, 0.125):
        shot = read_picture(frame, asked)
        assert (shot.width_px, shot.height_px) == (4000, 2250)
        assert asked - 1e-3 <= shot.scale < 2 * asked
    thermal = read_picture(data_files / "drone_lrf" / "H20N_DJI_0006_R.JPG")
    assert thermal.pixels.shape == (512, 640, 3)


def test_hostile_pictures_end_in_a_sentence(data_files: Path) -> None:
    for file in sorted((data_files / "hostile").rglob("*.*")):
        try:
            read_picture(file, 0.5)
        except GeoError as error:
            assert error.sentence.endswith("。"), file
    band = data_files / "multispectral" / "sequoia_garfield" / "IMG_161122_163234_0000_NIR.TIF"
    with pytest.raises(GeoError, match="8 位彩色"):
        read_picture(band)
