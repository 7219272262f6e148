"""JSON taken literally: one object, no `NaN`, no key twice, no number or text that a store would bend.

Must not know what a key means. The standard decoder does the reading; what it lets through is refused here.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from patrol.errors import BadInput, Fault, Malformed
from patrol.web.wire import pointer

MAX_DEPTH = 32
LARGEST_EXACT_INTEGER = 2**53
"""Beyond it a browser and a database no longer agree on which number was meant."""

MAX_FAULTS = 50
"""Every fault is named at once, up to where naming them would itself be a flood."""

TRAP_KEYS = frozenset({"__proto__", "constructor", "prototype"})
"""Names that mean something to a browser's own objects."""

_JSON_SHAPE = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def json_object(raw: bytes, *, at: str = "") -> dict[str, Any]:
    """One strict JSON object out of bytes; `at` is the JSON pointer its faults begin with."""
    if not raw.strip():
        raise Malformed("内容是空的，请写上 JSON 再发。", code="empty_body")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as bad:
        raise Malformed("内容不是 UTF-8 编码，请改成 UTF-8 再发。", code="not_utf8") from bad
    depth = 0
    for token in _JSON_SHAPE.finditer(text):
        first = text[token.start()]
        if first in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise Malformed(f"JSON 套得太深，最多 {MAX_DEPTH} 层。", code="too_deep")
        elif first in "]}":
            depth -= 1
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_int=_integer, object_pairs_hook=_no_duplicates)
    except (json.JSONDecodeError, RecursionError) as bad:
        where = f"第 {bad.lineno} 行第 {bad.colno} 个字符" if isinstance(bad, json.JSONDecodeError) else ""
        raise Malformed(f"JSON 写得不对，{where}读不下去。", code="not_json") from bad
    if not isinstance(value, dict):
        raise BadInput(Fault(at, "not_object", "最外层要是一个 JSON 对象（花括号）。"))
    faults: list[Fault] = []
    _check_values(value, at, faults)
    if faults:
        raise BadInput(faults)
    return value


def _refuse_constant(_: str) -> NoReturn:
    raise Malformed("JSON 里不能有 NaN 或 Infinity。", code="not_json")


def _integer(digits: str) -> int:
    if len(digits) > 400:
        raise Malformed("JSON 里有位数过多的整数。", code="not_json")
    return int(digits)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("JSON 里同一个名称出现了两次，请只留一个。", code="repeated_key")
    return found


def _check_values(value: Any, at: str, faults: list[Fault]) -> None:
    if len(faults) >= MAX_FAULTS:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            here = pointer(at, key)
            if key in TRAP_KEYS or _text_problem(key):
                faults.append(Fault(here, "bad_key", "有一个名称不能用，请去掉。"))
            else:
                _check_values(inner, here, faults)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _check_values(inner, pointer(at, index), faults)
    elif isinstance(value, str):
        if problem := _text_problem(value):
            faults.append(Fault(at, *problem))
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, int):
        if abs(value) > LARGEST_EXACT_INTEGER:
            faults.append(Fault(at, "number_too_large", "整数太大，超出 ±2^53。"))
    elif not math.isfinite(value):
        faults.append(Fault(at, "number_too_large", "数字太大，放不下。"))


def _text_problem(text: str) -> tuple[str, str] | None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "lone_surrogate", "有半个字符（不成对的 \\ud800–\\udfff），请重新输入。"
    if "\x00" in text:
        return "nul", "有看不见的空字符（NUL），请删掉。"
    return None
