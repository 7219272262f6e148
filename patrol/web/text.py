"""Rules of single values: words a person wrote, times, ids, and the free fields of a step.

Each checker takes one value and returns it clean, or raises pydantic's custom error with our code and the
part of a Chinese sentence that follows the field's name. Text is kept as written (right-to-left marks,
emoji and rare characters included); only line ends are made alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from pydantic_core import PydanticCustomError

from patrol.errors import Fault
from patrol.web.wire import pointer

MAX_MARKS = 8
"""Combining marks on one letter; more is a drawing that hides the lines around it."""

FIRST_YEAR, LAST_YEAR = 2000, 2089

_BLANK_LETTERS = "\u115f\u1160\u2800\u3164\uffa0"
_TIME = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?"
    r"(?:([Zz])|([+-])(\d{2}):?(\d{2}))",
    re.ASCII,
)
_NO_ZONE = re.compile(r"\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?)?", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_PHONE = re.compile(r"\+?[0-9][0-9 ()\-]{4,30}", re.ASCII)
_FREE_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)


def wrong(code: str, tail: str) -> PydanticCustomError:
    """Our own fault inside a validator: `tail` follows the field's Chinese name."""
    return PydanticCustomError(code, tail, {"ours": True})


def wrong_whole(code: str, sentence: str) -> PydanticCustomError:
    """As `wrong`, where the sentence already names what it is about."""
    return PydanticCustomError(code, sentence, {"ours": True, "whole": True})


def clean_text(value: str, max_length: int, *, one_line: bool = False) -> str:
    """The text with LF line ends; refuses blank, too long, control characters and stacked marks."""
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > max_length:
        raise wrong("too_long", f"最多写 {max_length} 个字，现在 {len(text)} 个。")
    if one_line and "\n" in text:
        raise wrong("line_break", "只写一行，请去掉换行。")
    marks = 0
    visible = False
    for character in text:
        category = unicodedata.category(character)
        if category == "Cs":
            raise wrong("lone_surrogate", "里有读不出来的半个字符，请重新输入。")
        if category == "Cc" and character != "\n":
            raise wrong("control_character", "里有看不见的控制字符，请删掉。")
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        if marks > MAX_MARKS:
            raise wrong("too_many_marks", f"里一个字上叠了超过 {MAX_MARKS} 个符号，请删掉。")
        visible = visible or not (category[0] in "ZCM" or character in _BLANK_LETTERS)
    if not visible:
        raise wrong("blank", "是空的，请写上内容。")
    return text


def check_text(max_length: int) -> Callable[[Any], Any]:
    """A checker of words over several lines; a value that is not text is left for pydantic to refuse."""
    return lambda value: clean_text(value, max_length) if isinstance(value, str) else value


def check_line(max_length: int) -> Callable[[Any], Any]:
    """A checker of words on one line."""
    return lambda value: clean_text(value, max_length, one_line=True) if isinstance(value, str) else value


def check_phone(value: Any) -> Any:
    """A telephone number, full-width digits made plain."""
    if not isinstance(value, str):
        return value
    number = unicodedata.normalize("NFKC", value).strip().replace("‐", "-").replace("–", "-")
    if not _PHONE.fullmatch(number):
        raise wrong("bad_phone", "号码写法不对，例如 13900000000 或 0716-8686001。")
    return number


def read_uuid(value: Any) -> UUID:
    """A UUID in its usual writing; the nil and the all-ones id mean nothing and are refused."""
    if isinstance(value, UUID):
        return value
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise wrong("not_uuid", "要写成 UUID，例如 3f2b8c1e-5d4a-4c6b-9e7f-0a1b2c3d4e5f。")
    found = UUID(value)
    if found.int in {0, 2**128 - 1}:
        raise wrong("not_uuid", "要用随机生成的 UUID，不能全是 0 或 f。")
    return found


def read_time(value: Any) -> datetime:
    """ISO 8601 with an offset, as UTC. A real leap second counts as the second before it."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise wrong("zone_missing", "要带时区，例如 2026-11-23T09:44:00+08:00。")
        return value.astimezone(UTC)
    if isinstance(value, str) and _NO_ZONE.fullmatch(value):
        raise wrong("zone_missing", "要带时间和时区，例如 2026-11-23T09:44:00+08:00。")
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise wrong("bad_time", "要写成日期加时间加时区，例如 2026-11-23T09:44:00+08:00。")
    year, month, day, hour, minute = (int(match[i]) for i in range(1, 6))
    second, fraction = int(match[6] or 0), (match[7] or "")[:6].ljust(6, "0")
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise wrong("bad_year", f"的年份要在 {FIRST_YEAR} 到 {LAST_YEAR} 之间，请检查手机时间。")
    offset = timedelta(hours=int(match[10] or 0), minutes=int(match[11] or 0))
    if offset > timedelta(hours=14) or int(match[11] or 0) > 59:
        raise wrong("bad_time", "的时区不对，例如 +08:00。")
    zone = timezone(-offset if match[9] == "-" else offset)
    leap = second == 60
    try:
        found = datetime(year, month, day, hour, minute, 59 if leap else second, int(fraction), tzinfo=zone).astimezone(
            UTC
        )
    except ValueError:
        raise wrong("bad_time", "里的日期或时间不存在，请检查。") from None
    if leap and (found.month, found.day, found.hour, found.minute) not in {(6, 30, 23, 59), (12, 31, 23, 59)}:
        raise wrong("bad_time", "里的日期或时间不存在，请检查。")
    return found


def check_free(own: Mapping[str, Any], at: str = "", *, max_keys: int = 40) -> list[Fault]:
    """Faults in the fields of a step that no model knows: names, depth and text; meaning is not judged."""
    faults: list[Fault] = []
    if len(own) > max_keys:
        return [Fault(at, "too_many", f"最多 {max_keys} 项。")]
    for key, value in own.items():
        if _FREE_KEY.fullmatch(str(key)):
            _check_free_value(value, pointer(at, key), 0, faults)
        else:
            faults.append(Fault(pointer(at, key), "bad_key", "有一项的名称不能用，请去掉。"))
    return faults


def _check_free_value(value: Any, at: str, depth: int, faults: list[Fault]) -> None:
    if depth > 6:
        faults.append(Fault(at, "too_deep", "这一项套得太深。"))
    elif isinstance(value, str):
        try:
            if value:
                clean_text(value, 2000)
        except PydanticCustomError as bad:
            faults.append(Fault(at, bad.type, "这一项" + bad.message()))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            _check_free_value(inner, pointer(at, key), depth + 1, faults)
    elif isinstance(value, list):
        if len(value) > 2000:
            faults.append(Fault(at, "too_many", "这一项最多 2000 个值。"))
            return
        for index, inner in enumerate(value):
            _check_free_value(inner, pointer(at, index), depth + 1, faults)
