"""Persons and boats in one RGB picture, by an ONNX model that is a file beside its description.

The model is pluggable: `x.onnx` with `x.json` (see `Sidecar`). What it finds is a clue for a person to look at.
The quality of the model that `patrol models install` builds is **unproven in the field**: it was trained on
pictures taken by people on the ground, and is weak on small things seen from above. Nothing here fetches a
model, knows where the picture was taken, or decides what is forbidden (`season`, `episodes`).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geodata.detector_decode import bad, decode, suppress
from geodata.detector_sidecar import CLASSES, Sidecar
from geodata.errors import GeoError

Picture = NDArray[np.uint8]

UNPROVEN = "识别模型在河道航拍画面上的效果未经验证，结果只是线索，要由人看过再办。"
THREADS = 2
_MOST_MODEL_BYTES = 500_000_000
_MOST_TILES = 400
_SAME_ACROSS_TILES = 0.7
_NEVER = 1.1


@dataclass(frozen=True)
class Box:
    """One thing: Patrol's class, score 0..1, corners in pixels of the picture, from its upper left corner."""

    cls: str
    score: float
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True)
class TileSpec:
    """Look at pieces as large as the model's input, of the picture made `scale` as large.

    Neighbours share `overlap_px`, an eighth of the input where None: things up to that size are seen whole.
    """

    scale: float = 1.0
    overlap_px: int | None = None


class Detector:
    """A loaded model. `run` may be called from several threads; each call uses at most `threads` cores."""

    def __init__(self, sidecar: Sidecar, model: bytes, threads: int = THREADS) -> None:
        import onnxruntime

        self.sidecar = sidecar
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what goes wrong is said by us
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # leave the cores to others
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except _runtime_faults() as fault:
            raise bad(f"打不开（{type(fault).__name__}）") from fault
        inputs = self._session.get_inputs()
        side = (sidecar.height_px, sidecar.width_px)
        shape = (1, 3, *side) if sidecar.layout == "NCHW" else (1, *side, 3)
        fits = len(inputs) == 1 and inputs[0].type == "tensor(float)" and len(inputs[0].shape) == 4
        if not fits or any(isinstance(a, int) and a != b for a, b in zip(inputs[0].shape, shape, strict=True)):
            raise bad(f"它的输入不是一幅 {sidecar.width_px}×{sidecar.height_px} 的画面")
        self._input = inputs[0].name
        self._names = [output.name for output in self._session.get_outputs()]

    @classmethod
    def open(cls, model: str | Path, threads: int = THREADS) -> Detector:
        """The model in a file, with the description beside it (`x.onnx`, `x.json`), its digest checked.

        Raises `GeoError` `no_model` when a file is missing, `bad_model` when they do not fit each other.

        >>> Detector.open("/nowhere/x.onnx")
        Traceback (most recent call last):
            ...
        geodata.errors.GeoError: 没有识别模型“x.onnx”或它旁边的说明，请先运行 patrol models install。
        """
        path = Path(model)
        try:
            if path.stat().st_size > _MOST_MODEL_BYTES:
                raise bad("模型文件过大")
            data, told = path.read_bytes(), path.with_suffix(".json").read_bytes()
        except (OSError, ValueError) as fault:
            sentence = f"没有识别模型“{path.name}”或它旁边的说明，请先运行 patrol models install。"
            raise GeoError("no_model", sentence, where=path.name) from fault
        sidecar = Sidecar.read(told, path.stem)
        if hashlib.sha256(data).hexdigest() != sidecar.sha256:
            raise GeoError("bad_model", f"识别模型“{path.name}”和说明里的摘要对不上，请重新安装。", where=path.name)
        return cls(sidecar, data, threads)

    def run(self, picture: Picture, tiles: TileSpec | None = None, min_score: float | None = None) -> list[Box]:
        """Persons and boats in a picture, best first.

        Parameters: `picture`, (height, width, 3) uint8 RGB; `tiles`, None to look at the whole picture once, or
        how to look at pieces of it (small things need that); `min_score`, 0..1, the sidecar's when None.
        Returns boxes in pixels of `picture`, cut at its edges. Raises `GeoError` `bad_picture`, `bad_model`.
        """
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or min(picture.shape[:2]) < 1:
            raise GeoError("bad_picture", "要识别的画面应是 8 位三通道彩色图。", where="picture")
        least = self.sidecar.min_score if min_score is None else min_score
        height, width = picture.shape[:2]
        parts: list[NDArray[np.float32]] = []
        for piece, x, y, scale in self._pieces(picture, tiles):
            found = self._look(piece, least, whole=tiles is None)
            found[:, :4] = found[:, :4] / scale + np.array((x, y, x, y))
            parts.append(found)
        boxes = np.concatenate(parts)
        boxes[:, [0, 2]] = boxes[:, [0, 2]].clip(0, width)
        boxes[:, [1, 3]] = boxes[:, [1, 3]].clip(0, height)
        boxes = boxes[(boxes[:, 2] - boxes[:, 0] >= 1) & (boxes[:, 3] - boxes[:, 1] >= 1)]
        boxes = boxes[np.argsort(-boxes[:, 4], kind="stable")]
        # Two of the model's classes may be one of ours (canoe and ship: boat): compared as ours.
        kinds = [self.sidecar.classes[int(number)] for number in boxes[:, 5]]
        boxes[:, 5] = [CLASSES.index(kind) for kind in kinds]
        kept = suppress(boxes, 0.5, _NEVER if tiles is None else _SAME_ACROSS_TILES)
        return [Box(CLASSES[int(row[5])], round(float(row[4]), 4), *(round(float(side), 1) for side in row[:4]))
                for row in boxes[kept]]  # fmt: skip

    def _pieces(self, picture: Picture, tiles: TileSpec | None) -> Iterator[tuple[Picture, float, float, float]]:
        """Pieces with the corner (in `picture`) and the scale they were taken at; the whole picture is one."""
        if tiles is None:
            yield picture, 0.0, 0.0, 1.0
            return
        import cv2

        wide, high = self.sidecar.width_px, self.sidecar.height_px
        shared = min(wide, high) // 8 if tiles.overlap_px is None else tiles.overlap_px
        if not (0.01 <= tiles.scale <= 1 and 0 <= shared < min(wide, high)):
            raise GeoError("tiles", "分块的比例要在 0.01 到 1 之间，重叠要小于模型的输入。", where="tiles")
        height, width = (max(1, round(side * tiles.scale)) for side in picture.shape[:2])
        scaled = picture
        if tiles.scale < 1:
            scaled = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        rows, columns = _steps(height, high, shared), _steps(width, wide, shared)
        if len(rows) * len(columns) > _MOST_TILES:
            raise GeoError("tiles", "分块过多，请把比例调小。", where="tiles")
        for y in rows:
            for x in columns:
                piece = scaled[y : y + high, x : x + wide]
                yield piece, x / tiles.scale, y / tiles.scale, tiles.scale

    def _look(self, piece: Picture, least: float, whole: bool) -> NDArray[np.float32]:
        """One run of the model; boxes in pixels of the piece. A whole picture is fitted, a tile only padded."""
        import cv2

        told = self.sidecar
        wide, high = told.width_px, told.height_px
        height, width = piece.shape[:2]
        scale_x, scale_y = (wide / width, high / height) if whole else (1.0, 1.0)
        if told.fit == "letterbox":
            scale_x = scale_y = min(scale_x, scale_y)
        size = max(1, min(wide, round(width * scale_x))), max(1, min(high, round(height * scale_y)))
        fitted = piece
        if size != (width, height):
            how = cv2.INTER_AREA if scale_x < 1 else cv2.INTER_LINEAR
            fitted = np.asarray(cv2.resize(piece, size, interpolation=how), np.uint8)
        values = np.zeros((high, wide, 3), np.float32)
        values[: size[1], : size[0]] = (fitted - np.array(told.mean, np.float32)) / np.array(told.std, np.float32)
        given = values.transpose(2, 0, 1) if told.layout == "NCHW" else values
        try:
            raw = self._session.run(self._names, {self._input: np.ascontiguousarray(given[None])})
        except _runtime_faults() as fault:
            raise bad(f"算不下去（{type(fault).__name__}）") from fault
        outputs = dict(zip(self._names, raw, strict=True))
        found = decode(told.decode, outputs, told.roles, (wide, high), sorted(told.classes), least)
        found[:, :4] /= np.array([size[0] / width, size[1] / height] * 2, np.float32)
        return found


@cache
def _runtime_faults() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises: types of its own that share no base but Exception, and Python's usual ones."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    own = [kind for kind in vars(state).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    return (*own, RuntimeError, ValueError, TypeError)


def _steps(length: int, window: int, overlap: int) -> list[int]:
    """Where windows start so that they cover a length evenly, sharing at least `overlap`.

    >>> _steps(1000, 512, 64), _steps(300, 512, 64)
    ([0, 244, 488], [0])
    """
    if length <= window:
        return [0]
    count = math.ceil((length - overlap) / (window - overlap))
    return [round(index * (length - window) / (count - 1)) for index in range(count)]
