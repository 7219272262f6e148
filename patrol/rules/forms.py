"""What each step's body may carry: one row a field. Parsing, the JSON schema and the page's form come from here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from patrol.rules import lifecycle as law
from patrol.rules.lifecycle import Step
from patrol.rules.limits import UNITS, Limit
from patrol.rules.problems import PROBLEMS

CRS = ("wgs84", "gcj02", "bd09", "cgcs2000")


class FieldFault(ValueError):
    """One field's value cannot be taken; the message is the sentence for the person."""


@dataclass(frozen=True)
class Field:
    """A field: its form on the page, its JSON schema, and how a value is read."""

    name: str
    zh: str
    form: str  # text, choice, bool, number, date, limit, position, outline, checklist, codes, photos, person, issue
    schema: dict[str, Any]
    read: Callable[[Any], Any]
    choices: Mapping[str, str] | None = None


def _text(most: int) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise FieldFault("要写文字。")
        if len(value) > most:
            raise FieldFault(f"太长，最多 {most} 字。")
        if any(ord(c) < 32 and c not in "\n\t\r" for c in value):
            raise FieldFault("里面有不能显示的字符。")
        return value.replace("\r\n", "\n").replace("\r", "\n").strip()

    return read


def _choice(choices: Mapping[str, str]) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in choices:
            raise FieldFault(f"要选一个：{'、'.join(choices)}。")
        return value

    return read


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise FieldFault("要写 true 或 false。")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise FieldFault("要写不小于 0 的数。")
    return float(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise FieldFault("要写正整数。")
    return value


def _date(value: Any) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise FieldFault("日期要写成 2026-11-30 这样。") from None


def read_moment(value: Any) -> datetime:
    """An ISO time with its zone."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise FieldFault("时间要写成 2026-11-23T09:31:00+08:00 这样。") from None
    if moment.tzinfo is None:
        raise FieldFault("时间要带时区，如 +08:00。")
    if not 2000 <= moment.year <= 2100:
        raise FieldFault("时间不在合理范围。")
    return moment


def _limit(value: Any) -> Limit:
    if not isinstance(value, dict) or set(value) != {"amount", "unit"}:
        raise FieldFault("时限要写成 {amount, unit}，单位是其一：" + "、".join(UNITS) + "。")
    try:
        return Limit(value["amount"], value["unit"])
    except (ValueError, TypeError):
        raise FieldFault("时限的数或单位不对。") from None


def read_position(value: Any) -> dict[str, Any]:
    """A declared position {lon, lat, crs, accuracy_m?}."""
    if not isinstance(value, dict) or not {"lon", "lat", "crs"} <= set(value) <= {"lon", "lat", "crs", "accuracy_m"}:
        raise FieldFault("位置要写成 {lon, lat, crs, accuracy_m?}，坐标系 crs 必填。")
    lon, lat, accuracy = value["lon"], value["lat"], value.get("accuracy_m")
    for number in (lon, lat):
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            raise FieldFault("经纬度要写数。")
    if value["crs"] not in CRS:
        raise FieldFault(f"坐标系要写其一：{'、'.join(CRS)}。")
    if not (-180 <= lon <= 180 and -90 <= lat <= 90) or (lon == 0 and lat == 0):
        raise FieldFault("经纬度超出范围；经度在前，纬度在后。")
    if accuracy is not None and (isinstance(accuracy, bool) or not isinstance(accuracy, int | float)
                                 or not math.isfinite(accuracy) or accuracy < 0):  # fmt: skip
        raise FieldFault("精度要写不小于 0 的米数。")
    return dict(value)


def _outline(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or value.get("type") not in ("Polygon", "MultiPolygon"):
        raise FieldFault("范围要用 GeoJSON 的 Polygon 或 MultiPolygon（WGS-84）。")
    return dict(value)


def _checklist(value: Any) -> dict[str, bool]:
    if not isinstance(value, dict) or not all(isinstance(v, bool) for v in value.values()) or len(value) > 30:
        raise FieldFault("验收清单要写成 {条目: true/false}。")
    return dict(value)


def _texts(most: int) -> Callable[[Any], list[str]]:
    def read(value: Any) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value) or len(value) > most:
            raise FieldFault(f"要写成文字的列表，最多 {most} 项。")
        if len(set(value)) != len(value):
            raise FieldFault("列表里有重复。")
        return list(value)

    return read


_KINDS = {code: row.zh for code, row in PROBLEMS.items()}
_FOUND = {**law.FINDINGS, **law.LOOK_BACK_FINDINGS}
_STRINGS = {"type": "array", "items": {"type": "string"}}
_POSITION = {
    "type": "object", "required": ["lon", "lat", "crs"], "additionalProperties": False,
    "properties": {"lon": {"type": "number"}, "lat": {"type": "number"}, "crs": {"enum": list(CRS)},
                   "accuracy_m": {"type": "number", "minimum": 0}},
}  # fmt: skip
_LIMIT = {
    "type": "object", "required": ["amount", "unit"], "additionalProperties": False,
    "properties": {"amount": {"type": "number", "exclusiveMinimum": 0}, "unit": {"enum": list(UNITS)}},
}  # fmt: skip


def _enum(choices: Mapping[str, str]) -> dict[str, Any]:
    return {"type": "string", "enum": list(choices)}


def _pick(name: str, zh: str, choices: Mapping[str, str]) -> Field:
    return Field(name, zh, "choice", _enum(choices), _choice(choices), choices)


def _say(name: str, zh: str, most: int = 500) -> Field:
    return Field(name, zh, "text", {"type": "string", "maxLength": most}, _text(most))


FIELDS: dict[str, Field] = {
    field.name: field
    for field in (
        _say("words", "说明", 2000),
        _say("reason", "原因", 2000),
        Field("photos", "照片", "photos", _STRINGS, _texts(30)),
        Field("position", "位置", "position", _POSITION, read_position),
        Field("at_claimed", "手机时间", "hidden", {"type": "string", "format": "date-time"}, read_moment),
        Field("client_id", "编号", "hidden", {"type": "string", "format": "uuid"}, _text(36)),
        Field("manifest", "应有照片数", "hidden", {"type": "integer", "minimum": 1}, _whole),
        _pick("kind", "问题种类", _KINDS),
        _pick("finding", "核实结果", _FOUND),
        Field("found", "现场看到了", "bool", {"type": "boolean"}, _bool),
        Field("on_site", "在现场确认", "bool", {"type": "boolean"}, _bool),
        Field("lead_unit", "责任单位", "unit", {"type": "string"}, _text(32)),
        Field("assisting", "协办单位", "units", _STRINGS, _texts(10)),
        Field("limit", "整改时限", "limit", _LIMIT, _limit),
        Field("by", "延长多久", "limit", _LIMIT, _limit),
        Field("duplicate_answered", "不是同一件", "bool", {"type": "boolean"}, _bool),
        Field("release", "给单位看的照片", "photos", _STRINGS, _texts(30)),
        Field("office_mistake", "派错了（办公室的责任）", "bool", {"type": "boolean"}, _bool),
        Field("area_m2", "面积（平方米）", "number", {"type": "number", "minimum": 0}, _number),
        Field("outline", "范围", "outline", {"type": "object"}, _outline),
        Field("sightings", "拆出去的线索", "codes", _STRINGS, _texts(100)),
        _pick("condition", "挂账条件", law.SUSPEND_CONDITIONS),
        Field("review_on", "复核日期", "date", {"type": "string", "format": "date"}, _date),
        Field("acceptor", "验收人", "person", {"type": "integer"}, _whole),
        Field("checklist", "验收清单", "checklist",
              {"type": "object", "additionalProperties": {"type": "boolean"}}, _checklist),
        Field("looked_again", "已再去看过", "bool", {"type": "boolean"}, _bool),
        Field("by_telephone", "电话反映", "bool", {"type": "boolean"}, _bool),
        Field("parent", "并入哪一件", "issue", {"type": "string"}, _text(32)),
        _pick("reason_code", "理由类别", law.DISMISS_REASONS),
        _say("receiving_body", "接收单位", 100),
        _pick("against", "对什么申诉", law.APPEAL_AGAINST),
    )
}  # fmt: skip
COMMON = ("words", "photos", "position", "at_claimed", "client_id", "manifest", "reason")


def fields_of(row: Step) -> tuple[str, ...]:
    """Every field a step's body may carry."""
    finding = ("finding",) if row.verb == "supervise" else ()
    return tuple(dict.fromkeys((*row.fields, *finding, *COMMON)))


def schema_of(row: Step) -> dict[str, Any]:
    """The JSON schema of a step's body."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: {**FIELDS[name].schema, "title": FIELDS[name].zh} for name in fields_of(row)},
    }


def read_body(allowed: tuple[str, ...], body: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The body as typed values, and every fault as (field, sentence). Null counts as absent."""
    values: dict[str, Any] = {}
    faults: list[tuple[str, str]] = []
    for name, raw in body.items():
        if raw is None:
            continue
        if name not in allowed:
            faults.append((name, "这一步不收这一项。"))
            continue
        try:
            values[name] = FIELDS[name].read(raw)
        except FieldFault as fault:
            faults.append((name, f"{FIELDS[name].zh}：{fault}"))
    return values, faults
