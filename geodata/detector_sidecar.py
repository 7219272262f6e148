"""The JSON beside a detector's model: what it wants to see, how its answer reads, whose it is.

Every fault of it is named at once. It opens no file and runs nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from geodata.detector_decode import FAMILIES
from geodata.errors import GeoError, GeoErrors

CLASSES = ("person", "boat")
"""What Patrol calls the things of a fishing warning."""
FITS = ("stretch", "letterbox")
LAYOUTS = ("NCHW", "NHWC")
_LEAST_SIDE_PX, _MOST_SIDE_PX = 32, 4096

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Sidecar:
    """What one model needs and gives. `classes` maps its class numbers to `CLASSES`; others are not looked at.

    `roles` tells the family's decoder which output is what (`detector_decode`). A picture's values 0..255, RGB,
    become `(value - mean) / std` per channel. `fit` says how a whole picture is brought to the input's size.
    """

    name: str
    width_px: int
    height_px: int
    layout: str
    fit: str
    mean: Triple
    std: Triple
    decode: str
    roles: Mapping[str, str]
    classes: Mapping[int, str]
    min_score: float
    licence: str
    source: str
    sha256: str

    @classmethod
    def read(cls, text: str | bytes, name: str = "") -> Sidecar:
        """A sidecar's values, all checked; `name` is used where it names none itself.

        Raises `GeoErrors` with every fault (each `where` is the key), `GeoError` `bad_model` for broken JSON.

        >>> Sidecar.read('{"decode": "guess"}')  # doctest: +IGNORE_EXCEPTION_DETAIL
        Traceback (most recent call last):
            ...
        geodata.errors.GeoErrors: 模型说明里的 input 不对
        """
        try:
            told = json.loads(text)
        except (ValueError, RecursionError) as fault:
            raise GeoError("bad_model", "模型旁边的说明不是有效的 JSON，请重新安装模型。", where=name) from fault
        if not isinstance(told, dict):
            raise GeoError("bad_model", "模型旁边的说明应是一个 JSON 对象，请重新安装模型。", where=name)
        faults = [
            GeoError("bad_model", f"模型说明里的 {key} 不对：{wanted}。", where=key)
            for key, (good, wanted) in _RULES.items()
            if not good(told.get(key))
        ]
        if faults:
            raise GeoErrors(faults)
        width, height = told["input"]
        return cls(
            name=str(told.get("name") or name),
            width_px=width,
            height_px=height,
            layout=told["layout"],
            fit=told["fit"],
            mean=_triple(told["mean"]),
            std=_triple(told["std"]),
            decode=told["decode"],
            roles=dict(told["roles"]),
            classes={int(number): kind for number, kind in told["classes"].items()},
            min_score=float(told["min_score"]),
            licence=told["licence"],
            source=told["source"],
            sha256=told["sha256"],
        )

    def as_dict(self) -> dict[str, Any]:
        """What `read` reads, ready for JSON."""
        return {
            "name": self.name,
            "input": [self.width_px, self.height_px],
            "layout": self.layout,
            "fit": self.fit,
            "mean": list(self.mean),
            "std": list(self.std),
            "decode": self.decode,
            "roles": dict(self.roles),
            "classes": {str(number): kind for number, kind in self.classes.items()},
            "min_score": self.min_score,
            "licence": self.licence,
            "source": self.source,
            "sha256": self.sha256,
        }


def _triple(values: list[float]) -> Triple:
    return float(values[0]), float(values[1]), float(values[2])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_three(value: object) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(_is_number(item) for item in value)


def _is_size(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(
        type(side) is int and _LEAST_SIDE_PX <= side <= _MOST_SIDE_PX for side in value
    )  # fmt: skip


def _is_words(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and all(isinstance(item, str) for item in value.values())


def _is_classes(value: object) -> bool:
    return _is_words(value) and isinstance(value, dict) and all(
        number.isascii() and number.isdecimal() and len(number) < 6 and kind in CLASSES
        for number, kind in value.items()
    )  # fmt: skip


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and _is_number(value) and 0 < value < 1


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")


def _one_of(choices: tuple[str, ...]) -> tuple[Callable[[object], bool], str]:
    return (lambda value: value in choices), f"只能是 {'、'.join(choices)} 之一"


_RULES: dict[str, tuple[Callable[[object], bool], str]] = {
    "input": (_is_size, f"要写 [宽, 高]，各 {_LEAST_SIDE_PX} 到 {_MOST_SIDE_PX} 像素"),
    "layout": _one_of(LAYOUTS),
    "fit": _one_of(FITS),
    "mean": (_is_three, "要写三个数"),
    "std": (lambda value: _is_three(value) and isinstance(value, list) and all(value), "要写三个数，不能有 0"),
    "decode": _one_of(tuple(FAMILIES)),
    "roles": (_is_words, "要写清哪个输出是什么"),
    "classes": (_is_classes, f"要写成 类别号 → {' 或 '.join(CLASSES)}"),
    "min_score": (_is_share, "要在 0 和 1 之间"),
    "licence": (_is_text, "要写明许可"),
    "source": (_is_text, "要写明来源"),
    "sha256": (_is_digest, "要写模型文件的 SHA-256"),
}
