"""What pydantic found wrong, said to a person: a JSON pointer, a stable code, a Chinese sentence.

One table for every error kind pydantic knows, so that no English and no raw input reaches a screen.
Must not validate anything itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from patrol.errors import Fault
from patrol.web.strictjson import MAX_FAULTS
from patrol.web.wire import pointer

LABELS: dict[str, str] = {
    "accuracy_m": "定位精度",
    "against": "申诉的对象",
    "anonymous": "匿名",
    "at_claimed": "办理时间",
    "callback": "回电话",
    "channel": "来源",
    "client_id": "客户端编号",
    "code": "查询码",
    "contact": "联系方式",
    "coordinates": "轮廓坐标",
    "crs": "坐标系",
    "detections": "识别结果",
    "duty": "钥匙是谁用的",
    "email": "邮箱",
    "envelope": "密封件",
    "flight": "航次",
    "frame": "航片",
    "key": "钥匙",
    "kind": "问题种类",
    "lat": "纬度",
    "lon": "经度",
    "name": "姓名",
    "outline": "轮廓",
    "phone": "电话",
    "photos": "照片",
    "place_sure": "位置没错",
    "place_words": "地点说明",
    "position": "位置",
    "public": "公钥",
    "reason": "理由",
    "report": "报告",
    "reward": "奖励",
    "round": "轮次",
    "score": "识别分数",
    "seen_at": "看到的时间",
    "shares": "份额",
    "solved": "是否解决",
    "stars": "评价",
    "tip": "举报",
    "to": "给哪把钥匙",
    "type": "类型",
    "wechat": "微信号",
    "words": "说明",
    "wrapped": "份额",
}

_TEXT = ("not_text", "要填文字。")
_NUMBER = ("not_number", "要填数字（不带引号）。")
_WHOLE = ("not_whole_number", "要填整数。")
_YES_NO = ("not_true_false", "要填是或否（true 或 false）。")
_LIST = ("not_list", "要填一个列表（方括号）。")
_OBJECT = ("not_object", "要填一组名称和值（花括号）。")
_TIME = ("bad_time", "要写成日期加时间加时区，例如 2026-11-23T09:44:00+08:00。")
_UUID = ("not_uuid", "要写成 UUID，例如 3f2b8c1e-5d4a-4c6b-9e7f-0a1b2c3d4e5f。")
_CHOICE = ("not_a_choice", "只能填：{expected}。")
_SHAPE = ("bad_form", "写法不对，请看说明再填。")

SENTENCES: dict[str, tuple[str, str]] = {
    "missing": ("missing", "没有填，请补上。"),
    "extra_forbidden": ("unknown_field", "不认识，请去掉或改对名称。"),
    "invalid_key": ("bad_key", "名称要是文字。"),
    "greater_than": ("out_of_range", "要大于 {gt}。"),
    "greater_than_equal": ("out_of_range", "不能小于 {ge}。"),
    "less_than": ("out_of_range", "要小于 {lt}。"),
    "less_than_equal": ("out_of_range", "不能大于 {le}。"),
    "multiple_of": ("out_of_range", "要是 {multiple_of} 的倍数。"),
    "finite_number": ("not_finite", "要填有限的数字。"),
    "too_short": ("too_few", "至少要有 {min_length} 项。"),
    "too_long": ("too_many", "最多 {max_length} 项。"),
    "string_too_short": ("too_short", "至少写 {min_length} 个字。"),
    "string_too_long": ("too_long", "最多写 {max_length} 个字。"),
    "string_pattern_mismatch": ("bad_form", "写法不对，请看说明再填。"),
    "string_not_ascii": ("bad_form", "只能用英文字母和数字。"),
    "string_unicode": ("not_utf8", "有读不出来的字，请重新输入。"),
    "none_required": ("must_be_null", "这里要空着（null）。"),
    "recursion_loop": ("bad_form", "自己套着自己，读不下去。"),
    "recursion_depth_exceeded": ("too_deep", "套得太深。"),
    **dict.fromkeys(("string_type", "bytes_type"), _TEXT),
    **dict.fromkeys(("float_type", "float_parsing", "decimal_type", "decimal_parsing", "complex_type"), _NUMBER),
    **dict.fromkeys(("int_type", "int_parsing", "int_parsing_size", "int_from_float"), _WHOLE),
    **dict.fromkeys(("bool_type", "bool_parsing"), _YES_NO),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type", "deque_type", "iterable_type"), _LIST),
    **dict.fromkeys(("dict_type", "mapping_type", "model_type", "model_attributes_type", "dataclass_type"), _OBJECT),
    **dict.fromkeys(
        ("datetime_type", "datetime_parsing", "datetime_object_invalid", "datetime_from_date_parsing"), _TIME
    ),
    **dict.fromkeys(("timezone_naive", "timezone_aware", "timezone_offset"), _TIME),
    **dict.fromkeys(("date_type", "date_parsing", "time_type", "time_parsing"), _TIME),
    **dict.fromkeys(("uuid_type", "uuid_parsing", "uuid_version"), _UUID),
    **dict.fromkeys(("literal_error", "enum"), _CHOICE),
}
"""Pydantic's error kind -> our code and what follows the field's name. The rest is `bad_form`."""

MISSING = {
    "crs": "没有写明，请填 wgs84、gcj02、bd09 或 cgcs2000。",
    "client_id": "没有填，请带上 UUID，重发时用同一个。",
    "flight": "没有填，请写明是哪个航次的。",
}
"""Fields whose absence needs more than 没有填."""


def as_faults(error: ValidationError, at: str = "") -> list[Fault]:
    """Every fault of one validation, in the order of the fields, none twice."""
    found: dict[tuple[str, str], Fault] = {}
    for entry in error.errors(include_url=False, include_input=False)[:MAX_FAULTS]:
        fault = _fault(entry["type"], entry["msg"], entry["loc"], entry.get("ctx") or {}, at)
        found.setdefault((fault.where, fault.code), fault)
    return list(found.values())


def _fault(kind: str, message: str, loc: tuple[int | str, ...], facts: Mapping[str, Any], at: str) -> Fault:
    where = pointer(at, *loc)
    if facts.get("ours"):
        return Fault(where, kind, message if facts.get("whole") else _label(loc) + message)
    label = _label(loc)
    code, tail = SENTENCES.get(kind, _SHAPE)
    if kind == "missing":
        tail = MISSING.get(str(loc[-1]), tail)
    return Fault(where, code, label + tail.format(**{key: _shown(value) for key, value in facts.items()}))


def _shown(value: object) -> str:
    text = str(value).replace("'", "").replace(" or ", "、").replace(", ", "、")
    return text.removesuffix(".0")


def _label(loc: tuple[int | str, ...]) -> str:
    """What a person calls the place: the field's Chinese name, and which item of a list it stands in."""
    names = [part for part in loc if isinstance(part, str)]
    items = [part for part in loc if isinstance(part, int)]
    which = f"第 {items[0] + 1} 项的" if items and names and isinstance(loc[-1], str) else ""
    name = LABELS.get(names[-1], "有一项") if names else ""
    if items and loc and isinstance(loc[-1], int):
        name += f"第 {items[-1] + 1} 项"
    return which + name
