"""A small TensorFlow.js graph with every operation the converter knows, its weights, and its answer by plain loops."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

SIDE_PX = 32


def graph(seed: int = 7, half: bool = True) -> tuple[dict[str, Any], bytes]:
    """The graph-model document and the bytes of its weights."""
    dice = np.random.default_rng(seed)
    arrays: dict[str, np.ndarray] = {
        "k1": dice.normal(0, 0.3, (3, 3, 3, 4)), "b1": dice.normal(0, 0.3, 4), "kd": dice.normal(0, 0.5, (3, 3, 4, 2)),
        "k2": dice.normal(0, 0.3, (1, 1, 8, 4)), "b2": dice.normal(0, 0.3, 4), "three": np.array(3.0),
        "sixth": np.array(1 / 6), "scale": dice.normal(1, 0.2, (1, 1, 1, 4)), "shift": dice.normal(0, 0.2, 4),
        "k3": dice.normal(0, 0.5, (1, 1, 4, 4)),
    }  # fmt: skip
    whole = {"hw": np.array([1, 2]), "size": np.array([16, 16]), "axis": np.array(3)}
    nodes = [{"name": "image", "op": "Placeholder"}]
    nodes += [{"name": name, "op": "Const"} for name in [*arrays, *whole]]

    def add(name: str, op: str, *inputs: str, **attributes: Any) -> None:
        nodes.append({"name": name, "op": op, "input": list(inputs), "attr": attributes})

    add("c1", "_FusedConv2D", "image", "k1", "b1", **conv(2, "SAME", "BiasAdd", "Relu6"))
    add("c2", "DepthwiseConv2dNative", "c1", "kd", **conv(2, "SAME"))
    add("c3", "_FusedConv2D", "c2", "k2", "b2", **conv(1, "VALID", "BiasAdd"))
    add("plus", "AddV2", "c3", "three")
    add("six", "Relu6", "plus")
    add("part", "Mul", "sixth", "six")
    add("swish", "Mul", "c3", "part")
    add("mean", "Mean", "swish", "hw", keep_dims={"b": True})
    add("gate", "Conv2D", "mean", "k3", **conv(1, "SAME"))
    add("share", "Sigmoid", "gate")
    add("gated", "Mul", "swish", "share")
    add("up", "ResizeBilinear", "gated", "size", align_corners={"b": False}, half_pixel_centers={"b": False})
    add("scaled", "Mul", "c1", "scale")
    add("moved", "Sub", "scaled", "shift")
    add("both", "ConcatV2", "up", "moved", "axis")
    add("relu", "Relu", "both")
    add("answer", "Identity", "relu")
    manifest, data = [], b""
    for name, values in arrays.items():
        entry: dict[str, Any] = {"name": name, "shape": list(values.shape), "dtype": "float32"}
        if half:
            entry["quantization"] = {"dtype": "float16", "original_dtype": "float32"}
        manifest.append(entry)
        data += values.astype(np.float16 if half else np.float32).tobytes()
    for name, values in whole.items():
        manifest.append({"name": name, "shape": list(values.shape), "dtype": "int32"})
        data += values.astype(np.int32).tobytes()
    return {"modelTopology": {"node": nodes}, "weightsManifest": [{"paths": ["w"], "weights": manifest}]}, data


def conv(stride: int, padding: str, *fused: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "strides": {"list": {"i": ["1", str(stride), str(stride), "1"]}}, "padding": {"s": text(padding)},
        "data_format": {"s": text("NHWC")}, "dilations": {"list": {"i": ["1", "1", "1", "1"]}},
    }  # fmt: skip
    if fused:
        made["fused_ops"] = {"list": {"s": [text(step) for step in fused]}}
    return made


def text(word: str) -> str:
    return base64.b64encode(word.encode()).decode()


def answer(image: np.ndarray, seed: int = 7) -> np.ndarray:
    """What the graph means, in NHWC with TensorFlow's padding, by loops; (32, 32, 3) in, (16, 16, 8) out."""
    model, data = graph(seed)
    weights: dict[str, np.ndarray] = {}
    at = 0
    for entry in model["weightsManifest"][0]["weights"]:
        kind = np.dtype(np.float16 if "quantization" in entry else np.int32)
        count = int(np.prod(entry["shape"]))
        weights[entry["name"]] = np.frombuffer(data, kind, count, at).reshape(entry["shape"]).astype(np.float64)
        at += count * kind.itemsize
    c1 = np.clip(convolved(image, weights["k1"], 2) + weights["b1"], 0, 6)
    kernel = weights["kd"]
    deep = [convolved(c1[..., i : i + 1], kernel[:, :, i : i + 1, :], 2) for i in range(4)]
    c3 = convolved(np.concatenate(deep, axis=2), weights["k2"], 1) + weights["b2"]
    swish = c3 * (np.clip(c3 + 3, 0, 6) * weights["sixth"])
    gate = 1 / (1 + np.exp(-(swish.mean(axis=(0, 1)) @ weights["k3"][0, 0])))
    gated = swish * gate
    up = np.zeros((16, 16, 4))
    for y in range(16):
        for x in range(16):
            fy, fx = y / 2, x / 2  # corners stand on corners, as in TensorFlow's first resize
            y0, x0 = int(fy), int(fx)
            y1, x1 = min(y0 + 1, 7), min(x0 + 1, 7)
            top = gated[y0, x0] * (1 - (fx - x0)) + gated[y0, x1] * (fx - x0)
            low = gated[y1, x0] * (1 - (fx - x0)) + gated[y1, x1] * (fx - x0)
            up[y, x] = top * (1 - (fy - y0)) + low * (fy - y0)
    moved = c1 * weights["scale"][0, 0, 0] - weights["shift"]
    return np.maximum(np.concatenate((up, moved), axis=2), 0)


def convolved(image: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """SAME convolution of (h, w, in) with (kh, kw, in, out); what is odd is padded below and to the right."""
    high, wide = image.shape[:2]
    rows, columns = -(-high // stride), -(-wide // stride)
    missing = (
        max(0, (rows - 1) * stride + kernel.shape[0] - high),
        max(0, (columns - 1) * stride + kernel.shape[1] - wide),
    )
    before = missing[0] // 2, missing[1] // 2
    padded = np.pad(image, ((before[0], missing[0] - before[0]), (before[1], missing[1] - before[1]), (0, 0)))
    out = np.zeros((rows, columns, kernel.shape[3]))
    for y in range(rows):
        for x in range(columns):
            piece = padded[y * stride : y * stride + kernel.shape[0], x * stride : x * stride + kernel.shape[1]]
            out[y, x] = np.einsum("ijk,ijkl->l", piece, kernel)
    return out
