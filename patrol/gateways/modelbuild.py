"""From a TensorFlow.js graph model to ONNX: the converter behind `patrol models install`.

It knows the operations that the detectors on our shelf are made of and refuses every other one: a model that
is converted almost right would find almost nothing, silently. Tensors turn from NHWC to NCHW on the way. It
fetches nothing, writes nothing and knows no file names (`modelshelf` does).
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from patrol.errors import BadInput, Fault

OPSET = 18
_IR_VERSION = 9  # what every ONNX runtime since 2023 reads
_MOST_NODES = 5_000
_MOST_WEIGHT_BYTES = 200_000_000
_DTYPES: dict[str, Any] = {"float32": np.float32, "int32": np.int32, "bool": np.bool_}
_ACTIVATIONS = {"Relu", "Relu6"}

Node = Mapping[str, Any]


def refuse(sentence: str) -> BadInput:
    """The refusal of a model that cannot be taken over as it is."""
    return BadInput(Fault("model", "model_not_taken", sentence))


def read_weights(manifest: Sequence[Mapping[str, Any]], data: bytes) -> dict[str, NDArray[Any]]:
    """The named arrays of a weights file, by its manifest; half-precision ones come out as float32.

    Raises BadInput when the bytes and the manifest do not fit each other exactly.
    """
    weights: dict[str, NDArray[Any]] = {}
    at = 0
    for group in manifest:
        for entry in group["weights"]:
            name, shape, dtype = str(entry["name"]), [int(side) for side in entry["shape"]], str(entry["dtype"])
            packed = entry.get("quantization")
            kept = str(packed["dtype"]) if packed else dtype
            if dtype not in _DTYPES or (packed and (kept != "float16" or dtype != "float32")):
                raise refuse(f"模型权重“{name}”的存法 {kept} 没见过，没有转换。")
            kind = np.dtype(np.float16 if packed else _DTYPES[dtype])
            count = math.prod(shape)
            if count * kind.itemsize > _MOST_WEIGHT_BYTES or at + count * kind.itemsize > len(data):
                raise refuse("模型的权重文件不完整，请重新取一份。")
            values = np.frombuffer(data, kind, count, at).reshape(shape)
            weights[name] = np.ascontiguousarray(values.astype(_DTYPES[dtype]))
            at += count * kind.itemsize
    if at != len(data):
        raise refuse("模型的权重文件和清单对不上，请重新取一份。")
    return weights


def convert(
    model: Mapping[str, Any], data: bytes, *, image: str, side_px: int, outputs: Mapping[str, str]
) -> onnx.ModelProto:
    """Convert a graph model to ONNX with one picture as input, (1, 3, side, side) in NCHW.

    `image` is the input's node name; `outputs` maps node names to the names they get. Only what the outputs
    need is converted. Raises BadInput that names the first operation it does not know.
    """
    try:
        nodes = {str(node["name"]): node for node in model["modelTopology"]["node"]}
        weights = read_weights(model["weightsManifest"], data)
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise refuse("不是能读的 TensorFlow.js 图模型，没有转换。") from fault
    if len(nodes) > _MOST_NODES or image not in nodes or not set(outputs) <= set(nodes):
        raise refuse("模型里没有要用的输入或输出，没有转换。")
    build = _Build(nodes, weights, image)
    for name in _needed(nodes, outputs):
        build.add(nodes[name])
    for name, given in outputs.items():
        build.node("Identity", [name], given)
    graph = helper.make_graph(
        build.made,
        "detector",
        [helper.make_tensor_value_info(image, TensorProto.FLOAT, [1, 3, side_px, side_px])],
        [helper.make_tensor_value_info(given, TensorProto.FLOAT, [1, None, None, None]) for given in outputs.values()],
        build.constants,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="patrol")
    made.ir_version = _IR_VERSION
    try:
        onnx.checker.check_model(made)
        return onnx.shape_inference.infer_shapes(made, strict_mode=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as fault:
        raise refuse("模型的各步接不起来（尺寸对不上），没有转换。") from fault


def _needed(nodes: Mapping[str, Node], outputs: Iterable[str]) -> list[str]:
    """The nodes that the outputs rest on, each after its inputs; a graph that loops is refused."""
    reached: dict[str, list[str]] = {}
    waiting = list(outputs)
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        if name not in nodes:
            raise refuse(f"模型里缺一步“{name[:60]}”，没有转换。")
        reached[name] = _sources(nodes[name])
        waiting.extend(reached[name])
    try:
        return list(TopologicalSorter(reached).static_order())
    except CycleError as fault:
        raise refuse("模型的图有环，没有转换。") from fault


def _sources(node: Node) -> list[str]:
    return [str(source).split(":")[0].lstrip("^") for source in node.get("input", [])]


class _Build:
    """The ONNX nodes and constants made so far."""

    def __init__(self, nodes: Mapping[str, Node], weights: Mapping[str, NDArray[Any]], image: str) -> None:
        self._nodes = nodes
        self._weights = weights
        self._image = image
        self.made: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._named: set[str] = set()

    def add(self, node: Node) -> None:
        """Convert one node; its inputs are there already."""
        kind, name = str(node["op"]), str(node["name"])
        if kind == "Const" or name == self._image:
            return  # taken up where it is used, in the shape its user wants
        makers: dict[str, Callable[[Node, str], None]] = {
            "_FusedConv2D": self._convolution,
            "Conv2D": self._convolution,
            "FusedDepthwiseConv2dNative": self._convolution,
            "DepthwiseConv2dNative": self._convolution,
            "Mean": self._mean,
            "ConcatV2": self._concat,
            "ResizeBilinear": self._resize,
        }
        plain = {"Add": "Add", "AddV2": "Add", "Sub": "Sub", "Mul": "Mul", "Relu": "Relu", "Sigmoid": "Sigmoid",
                 "Identity": "Identity"}  # fmt: skip
        if kind in plain:
            self.node(plain[kind], [self._operand(source) for source in _sources(node)], name)
        elif kind == "Relu6":
            self._clip(self._operand(_sources(node)[0]), name)
        elif kind in makers:
            makers[kind](node, name)
        else:
            raise refuse(f"模型用了没见过的运算 {kind[:40]}（{name[:60]}），没有转换。")

    def node(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> None:
        self.made.append(helper.make_node(kind, inputs, [name], name=name, **attributes))

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        if name not in self._named:
            self._named.add(name)
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _weight(self, name: str) -> NDArray[Any]:
        if name not in self._weights:
            raise refuse(f"模型缺权重“{name[:60]}”，没有转换。")
        return self._weights[name]

    def _operand(self, name: str) -> str:
        """An input of an element-wise step: a tensor made before, or a constant that broadcasts in NCHW."""
        if self._nodes[name]["op"] != "Const":
            return name
        values = self._weight(name)
        if values.ndim == 1:
            values = values.reshape(1, -1, 1, 1)
        elif values.ndim == 4:
            values = values.transpose(0, 3, 1, 2)
        elif values.ndim:
            raise refuse(f"模型的常数“{name[:60]}”形状没见过，没有转换。")
        return self._constant(f"{name}/nchw", values)

    def _clip(self, source: str, name: str) -> None:
        low, high = (self._constant(f"clip/{bound}", np.array(bound, np.float32)) for bound in (0.0, 6.0))
        self.node("Clip", [source, low, high], name)

    def _convolution(self, node: Node, name: str) -> None:
        attributes = node.get("attr", {})
        deep = "Depthwise" in str(node["op"])
        inputs = _sources(node)
        kernel = self._weight(inputs[1])  # height, width, in, out (or per-channel multiplier)
        if kernel.ndim != 4 or _text(attributes.get("data_format", {"s": "TkhXQw=="})) != "NHWC":
            raise refuse(f"模型的卷积“{name[:60]}”排列没见过，没有转换。")
        if deep:
            rows, columns, channels, times = kernel.shape
            turned = kernel.transpose(2, 3, 0, 1).reshape(channels * times, 1, rows, columns)
        else:
            channels, turned = 1, kernel.transpose(3, 2, 0, 1)
        padding = _text(attributes["padding"])
        if padding not in ("SAME", "VALID"):
            raise refuse(f"模型的补边方式 {padding[:20]} 没见过，没有转换。")
        fused = [_text({"s": item}) for item in attributes.get("fused_ops", {}).get("list", {}).get("s", [])]
        after = [step for step in fused if step != "BiasAdd"]
        if len(after) > 1 or not set(after) <= _ACTIVATIONS:
            raise refuse(f"模型的卷积后面接着没见过的运算 {'、'.join(fused)[:60]}，没有转换。")
        wanted = [inputs[0], self._constant(f"{inputs[1]}/oihw", turned)]
        if "BiasAdd" in fused:
            wanted.append(self._constant(inputs[2], self._weight(inputs[2])))
        self.node(
            "Conv",
            wanted,
            f"{name}/conv" if after else name,
            strides=_sides(attributes["strides"]),
            dilations=_sides(attributes.get("dilations", {})),
            group=channels,
            kernel_shape=[int(side) for side in turned.shape[2:]],
            auto_pad="SAME_UPPER" if padding == "SAME" else "VALID",
        )
        if after == ["Relu"]:
            self.node("Relu", [f"{name}/conv"], name)
        elif after:
            self._clip(f"{name}/conv", name)

    def _mean(self, node: Node, name: str) -> None:
        source, over = _sources(node)
        if sorted(int(axis) for axis in self._weight(over).ravel()) != [1, 2]:
            raise refuse(f"模型的平均“{name[:60]}”不是对整幅画面，没有转换。")
        keep = bool(node["attr"].get("keep_dims", {}).get("b"))
        if not keep:
            raise refuse(f"模型的平均“{name[:60]}”丢掉了维度，没有转换。")
        self.node("GlobalAveragePool", [source], name)

    def _concat(self, node: Node, name: str) -> None:
        *parts, over = _sources(node)
        if int(self._weight(over).ravel()[0]) not in (3, -1):
            raise refuse(f"模型的拼接“{name[:60]}”不是按通道，没有转换。")
        self.node("Concat", parts, name, axis=1)

    def _resize(self, node: Node, name: str) -> None:
        source, size = _sources(node)
        attributes = node["attr"]
        if attributes.get("align_corners", {}).get("b"):
            raise refuse(f"模型的缩放“{name[:60]}”方式没见过，没有转换。")
        halves = bool(attributes.get("half_pixel_centers", {}).get("b"))
        height, width = (int(side) for side in self._weight(size).ravel())
        shape = self._constant(f"{size}/hw", np.array([height, width], np.int64))
        self.node(
            "Resize",
            [source, "", "", shape],
            name,
            mode="linear",
            axes=[2, 3],
            coordinate_transformation_mode="half_pixel" if halves else "asymmetric",
        )


def _text(attribute: Mapping[str, Any]) -> str:
    return base64.b64decode(str(attribute.get("s", ""))).decode("ascii", "replace")


def _sides(attribute: Mapping[str, Any]) -> list[int]:
    """Height and width of an NHWC list of four; 1 and 1 when there is none."""
    four = [int(step) for step in attribute.get("list", {}).get("i", [])]
    return four[1:3] if len(four) == 4 else [1, 1]
