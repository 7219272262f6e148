"""What one slip says: the frozen facts, as typed dictionaries, and the check that they are whole.

The facts are the only source of a slip: what is not in them is not printed, and nothing is looked up.
All texts are plain text for people. This module must not format, draw or fetch anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError, with_config
from pydantic_core import ErrorDetails, PydanticCustomError
from typing_extensions import TypedDict

from patrol.errors import BadInput, Fault

# A slip must not tell a tip by what it leaves out, so every channel prints the same words.
FOUND = "巡查发现"


def _moment(value: str) -> str:
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise PydanticCustomError("moment", "时间要写成 2026-11-23T09:31:00+08:00 这样") from None
    if parsed.tzinfo is None:
        raise PydanticCustomError("moment_zone", "时间没有时区，请写成 2026-11-23T09:31:00+08:00 这样")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("blank", "不能空着")
    return value


Text = Annotated[str, Field(max_length=4000)]
Name = Annotated[str, Field(max_length=200), AfterValidator(_not_blank)]
Moment = Annotated[str, Field(max_length=40), AfterValidator(_moment)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Metres = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]

SlipKind = Literal["assignment", "supervision", "closure", "dismissal", "transfer", "look_back"]
Stage = Literal[
    "sighting", "check", "before", "during", "after", "accept", "send_back", "suspend", "reopen", "look_back"
]

_STRICT = ConfigDict(extra="forbid", strict=True)


@with_config(_STRICT)
class PhotoFact(TypedDict):
    """One photograph; its rendition is handed to `render` under the same sha256."""

    sha256: Digest
    stage: NotRequired[Stage]
    caption: NotRequired[Name]  # printed as it stands; without it the stage's name is printed


@with_config(_STRICT)
class ExtensionFact(TypedDict):
    """One granted extension: the due it led to, and in words why or by whom."""

    due_at: Moment
    words: NotRequired[Text]


@with_config(_STRICT)
class ChecklistFact(TypedDict):
    """One closing condition and whether the acceptor found it met."""

    text: Name
    ok: bool


@with_config(_STRICT)
class ClockFact(TypedDict):
    """One clock as it stood when the slip was frozen: 推送 · 1 小时 · 22 分 · 按时."""

    clock: Name
    limit: NotRequired[Text]
    used: NotRequired[Text]
    verdict: NotRequired[Text]


@with_config(_STRICT)
class SignatureFact(TypedDict):
    """One place to sign: without a name (and time) it is a blank line to fill in by hand."""

    label: Name
    name: NotRequired[Text]
    at: NotRequired[Moment]


@with_config(_STRICT)
class SlipFacts(TypedDict):
    """The frozen facts of one slip of any kind. Only the first block is required.

    An absent or null fact leaves its row out. A fact a kind does not print is kept, not printed.
    """

    kind: SlipKind
    number: Name  # 西城交办〔2026〕第 0110 号
    revision: Annotated[int, Field(ge=1, le=99)]
    issued_at: Moment  # also the PDF's own date
    issuer: Name  # the red head: 荆州区人民政府西城街道办事处
    issue: Name  # TH-2026-0123

    # Who, where, what: every kind.
    supersedes: NotRequired[Text]  # 第 1 版; printed as 代替 …，旧版作废留底
    office: NotRequired[Text]  # 环保办
    place_name: NotRequired[Text]  # 太湖港; the strip's caption
    problem: NotRequired[Text]  # 污水直排
    where: NotRequired[Text]  # 太湖港 K1+240 左岸，3号排口
    grid: NotRequired[Text]  # 柳门社区柳门网格
    lon: NotRequired[Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]]  # WGS-84
    lat: NotRequired[Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]]
    ce90_m: NotRequired[Metres]
    chainage_m: NotRequired[Metres]  # with river_length_m: draws the chainage strip
    bank: NotRequired[Literal["left", "right"]]
    river_length_m: NotRequired[Metres]
    found: NotRequired[Literal["巡查发现"]]  # printed whether given or not
    lead_unit: NotRequired[Text]
    assisting: NotRequired[Annotated[list[Name], Field(max_length=20)]]
    chief: NotRequired[Text]
    related: NotRequired[Annotated[list[Name], Field(max_length=20)]]  # numbers of earlier slips
    requirement: NotRequired[Text]  # what has to be done
    filing_condition: NotRequired[Text]
    closing_condition: NotRequired[Text]
    marks: NotRequired[Annotated[list[Name], Field(max_length=12)]]  # 强制结案, 自处理 简式, 第2轮
    photos: NotRequired[Annotated[list[PhotoFact], Field(max_length=24)]]
    map_svg: NotRequired[Annotated[str, Field(max_length=400_000)]]
    timeliness: NotRequired[Annotated[list[ClockFact], Field(max_length=20)]]
    signatures: NotRequired[Annotated[list[SignatureFact], Field(max_length=9)]]
    qr: NotRequired[Annotated[str, Field(min_length=1, max_length=300)]]
    check_code: NotRequired[Annotated[str, Field(pattern=r"^[0-9A-HJKMNP-TV-Z]{10}$")]]
    ledger: NotRequired[Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]]  # head of the issue's trail

    # Limits: assignment, supervision.
    limit_words: NotRequired[Text]  # 8 工作时
    hours_words: NotRequired[Text]  # 计时 09–12 时、14–17 时
    due_at: NotRequired[Moment]
    due_estimated: NotRequired[bool]  # the calendar year is not confirmed yet: ≈
    first_due_at: NotRequired[Moment]  # the original due, always printed beside an extended one
    extensions: NotRequired[Annotated[list[ExtensionFact], Field(max_length=9)]]
    on_site_due_at: NotRequired[Moment]
    on_site_words: NotRequired[Text]  # 2 小时内
    push_words: NotRequired[Text]  # 推河湖长群和责任单位群，应于 09:52 前收到

    # Supervision.
    finding: NotRequired[Text]  # 属实, 位置有变, 已自行清除
    finding_words: NotRequired[Text]  # what was seen on site
    checked_by: NotRequired[Text]
    checked_at: NotRequired[Moment]
    on_site_used: NotRequired[Text]  # 用时 41 分（时限 2 小时）
    distance_m: NotRequired[Metres]
    accuracy_m: NotRequired[Metres]
    confirmed_by: NotRequired[Text]
    confirmed_at: NotRequired[Moment]
    confirmed_how: NotRequired[Literal["现场", "案头"]]
    report_words: NotRequired[Text]  # how to send progress and hand in

    # Closure.
    result: NotRequired[Text]  # what was done
    submitted_by: NotRequired[Text]
    submitted_at: NotRequired[Moment]
    verified_by: NotRequired[Text]
    verified_at: NotRequired[Moment]
    verified_words: NotRequired[Text]  # 合格 when absent; a forced closure has no verified_by
    checklist: NotRequired[Annotated[list[ChecklistFact], Field(max_length=30)]]
    closed_by: NotRequired[Text]
    closed_at: NotRequired[Moment]
    rework_rounds: NotRequired[Annotated[int, Field(ge=0, le=99)]]
    feedback_words: NotRequired[Text]  # how those who asked are told; names no one
    look_back_words: NotRequired[Text]  # when it is looked at again and who may not go

    # Notices: dismissal, transfer, look_back.
    reason: NotRequired[Text]
    decided_by: NotRequired[Text]
    decided_at: NotRequired[Moment]
    appeal_until: NotRequired[Moment]
    receiver: NotRequired[Text]  # the body a transfer goes to
    receipt_due_at: NotRequired[Moment]
    materials: NotRequired[Annotated[list[Name], Field(max_length=30)]]
    look_back_round: NotRequired[Text]  # 30 天
    look_back_due_at: NotRequired[Moment]
    visited_by: NotRequired[Text]
    visited_at: NotRequired[Moment]
    outcome: NotRequired[Text]  # 良好, 反弹, 看不清
    outcome_words: NotRequired[Text]
    relapse_issue: NotRequired[Text]


_ADAPTER: TypeAdapter[SlipFacts] = TypeAdapter(SlipFacts)

_SENTENCES = {
    "missing": "没有写",
    "extra_forbidden": "不是单据的项，请核对拼写",
    "string_type": "要写成文字",
    "string_unicode": "文字里有半个字符，请重新输入",
    "string_too_long": "太长，最多 {max_length} 个字",
    "string_too_short": "不能空着",
    "string_pattern_mismatch": "写法不对，应符合 {pattern}",
    "int_type": "要写成整数",
    "float_type": "要写成数",
    "bool_type": "要写成 true 或 false",
    "list_type": "要写成列表",
    "dict_type": "要写成对象",
    "too_long": "项数太多，最多 {max_length} 项",
    "finite_number": "要写成有限的数",
    "greater_than_equal": "不能小于 {ge}",
    "less_than_equal": "不能大于 {le}",
    "literal_error": "只能是 {expected}",
}


def _fault(error: ErrorDetails) -> Fault:
    where = ".".join(str(part) for part in error["loc"])
    facts = error.get("ctx", {})
    sentence = _SENTENCES.get(error["type"])
    words = sentence.format(**facts) if sentence else error["msg"]
    return Fault(where, error["type"], f"单据事实 {where or '全体'}：{words}")


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_nulls(item) for item in value]
    return value


def checked(facts: Mapping[str, Any]) -> SlipFacts:
    """The facts without their nulls, or `BadInput` naming every fault at once."""
    if not isinstance(facts, Mapping):
        raise BadInput(Fault("", "dict_type", "单据事实 全体：要写成对象"))
    try:
        whole = _ADAPTER.validate_python(_without_nulls(facts))
    except ValidationError as error:
        raise BadInput([_fault(detail) for detail in error.errors()]) from None
    faults = []
    if ("lon" in whole) != ("lat" in whole):
        faults.append(Fault("lon", "pair", "单据事实 lon：经度和纬度要一起写"))
    # A metre for rounding: a point at the very end must not stop a slip.
    if "chainage_m" in whole and whole["chainage_m"] > whole.get("river_length_m", float("inf")) + 1:
        faults.append(Fault("chainage_m", "past_end", "单据事实 chainage_m：桩号超出河段长度"))
    if faults:
        raise BadInput(faults)
    return whole


def canonical(facts: Mapping[str, Any]) -> bytes:
    """One spelling of the facts for all time: sorted keys, UTF-8, no spaces, no NaN."""
    try:
        return json.dumps(facts, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        raise BadInput(
            Fault("", "not_json", f"单据事实写不成标准 JSON（{error}），请只用文字、有限的数和列表")
        ) from None
