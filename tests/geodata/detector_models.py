"""Tiny detectors for the tests: real ONNX files whose answer depends on the picture, made on the spot."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE_PX = 64
CELL_PX = 4


def save(folder: Path, graph: onnx.GraphProto, name: str = "tiny", **told: Any) -> Path:
    """A model and its sidecar in a folder; `told` overrides what the sidecar says."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    data = model.SerializeToString()
    (folder / f"{name}.onnx").write_bytes(data)
    sidecar = {
        "name": name, "input": [SIDE_PX, SIDE_PX], "layout": "NCHW", "fit": "stretch",
        "mean": [0, 0, 0], "std": [255, 255, 255], "decode": "centernet", "roles": {"heat": "heat", "size": "size"},
        "classes": {"0": "person", "1": "boat"}, "min_score": 0.5, "licence": "test", "source": "test",
        "sha256": hashlib.sha256(data).hexdigest(),
    } | told  # fmt: skip
    (folder / f"{name}.json").write_text(json.dumps(sidecar), "utf-8")
    return folder / f"{name}.onnx"


def spots(side_px: int = SIDE_PX, cell_px: int = CELL_PX) -> onnx.GraphProto:
    """A CenterNet: red spots are persons, blue ones boats, each as large as the cell that it fills."""
    cells = side_px // cell_px
    constants = [
        numpy_helper.from_array(np.array([0, 2], np.int64), "channels"),
        numpy_helper.from_array(
            np.tile(np.array([0, 0, cell_px, cell_px], np.float32)[None, :, None, None], (1, 1, cells, cells)), "reach"
        ),
    ]
    nodes = [
        helper.make_node("Gather", ["image", "channels"], ["two"], axis=1),
        helper.make_node("AveragePool", ["two"], ["heat"], kernel_shape=[cell_px, cell_px], strides=[cell_px, cell_px]),
        helper.make_node("Identity", ["reach"], ["size"]),
    ]
    return helper.make_graph(
        nodes,
        "spots",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, side_px, side_px])],
        [
            helper.make_tensor_value_info("heat", TensorProto.FLOAT, [1, 2, cells, cells]),
            helper.make_tensor_value_info("size", TensorProto.FLOAT, [1, 4, cells, cells]),
        ],
        constants,
    )


def tables(**outputs: np.ndarray) -> onnx.GraphProto:
    """A model that answers with fixed tables, times the brightness of the picture's first pixel."""
    nodes = [
        helper.make_node("Slice", ["image", "zero", "one", "axes"], ["corner"]),
        helper.make_node("ReduceMax", ["corner"], ["bright"], keepdims=0),
    ]
    constants = [
        numpy_helper.from_array(np.array([0, 0], np.int64), "zero"),
        numpy_helper.from_array(np.array([1, 1], np.int64), "one"),
        numpy_helper.from_array(np.array([2, 3], np.int64), "axes"),
    ]
    given = []
    for name, values in outputs.items():
        constants.append(numpy_helper.from_array(values.astype(np.float32), f"{name}_table"))
        nodes.append(helper.make_node("Mul", [f"{name}_table", "bright"], [name]))
        given.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, list(values.shape)))
    shape = [1, 3, SIDE_PX, SIDE_PX]
    return helper.make_graph(
        nodes, "tables", [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)], given, constants
    )
