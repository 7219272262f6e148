"""The shapes of what callers send: positions, reports, detections, steps; strict, every fault at once.

A model here says what a value must look like and nothing about what it means: whether a kind exists, a
position lies on the river or a step is allowed is for rules and actions. No database, no clock, no
coordinate conversion (positions keep the system they were declared in).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from patrol.errors import BadInput, Fault
from patrol.web.faults import as_faults
from patrol.web.outline import Outline
from patrol.web.text import (
    check_free,
    check_line,
    check_phone,
    check_text,
    read_time,
    read_uuid,
    wrong,
    wrong_whole,
)
from patrol.web.wire import pointer

Crs = Literal["wgs84", "gcj02", "bd09", "cgcs2000"]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
"""A code of a table (kind, channel); whether it exists is the table's to say."""
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,79}$")]
"""A name another system gave (a flight, a frame, a photo)."""
Words = Annotated[str, BeforeValidator(check_text(2000))]
Line = Annotated[str, BeforeValidator(check_line(200))]
Name = Annotated[str, BeforeValidator(check_line(60))]
Moment = Annotated[AwareDatetime, BeforeValidator(read_time)]
"""ISO 8601 with offset, kept in UTC."""
ClientId = Annotated[UUID, BeforeValidator(read_uuid)]
Share = Annotated[float, Field(ge=0, le=1)]

MAX_DETECTIONS = 500
MAX_PHOTOS = 30
DECIMALS = 7
"""About a centimetre: more digits are noise of the sender's arithmetic."""


class Strict(BaseModel):
    """Base: no coercion, no unknown key, no NaN, frozen."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)

    @classmethod
    def gaps(cls, data: Mapping[str, Any]) -> Iterator[Fault]:
        """What is missing across fields, judged on the raw data so that it is told with the rest."""
        yield from ()


class PositionIn(Strict):
    """A point in the system the sender declares; rounded to 7 decimals, never moved."""

    lon: Annotated[float, Field(ge=-180, le=180)]
    lat: float
    crs: Crs
    accuracy_m: Annotated[float, Field(ge=0, le=1_000_000)] | None = None

    @field_validator("lat")
    @classmethod
    def _on_earth(cls, lat: float, info: ValidationInfo) -> float:
        lon = info.data.get("lon")
        if abs(lat) > 90:
            if lon is not None and abs(lon) <= 90 and abs(lat) <= 180:
                guess = f"lon {round(lat, DECIMALS)}、lat {round(lon, DECIMALS)}"
                raise wrong_whole("maybe_swapped", f"经度和纬度像是写反了，请确认是不是 {guess}。")
            raise wrong("out_of_range", "要在 -90 到 90 之间。")
        if lat == 0 and lon == 0:
            raise wrong("zero_position", "和经度都是 0，说明还没定到位，请重新定位。")
        return lat

    @field_validator("lon", "lat")
    @classmethod
    def _rounded(cls, value: float) -> float:
        return round(value, DECIMALS)


class ContactIn(Strict):
    """How to reach a reporter; sealed by the deed that takes it, never kept in the clear."""

    name: Name | None = None
    phone: Annotated[str, BeforeValidator(check_phone)] | None = None
    wechat: Name | None = None
    email: Annotated[str, Field(pattern=r"^[^@\s]{1,64}@[^@\s]{1,190}$")] | None = None

    @model_validator(mode="after")
    def _reachable(self) -> ContactIn:
        if not (self.phone or self.wechat or self.email or self.name):
            raise wrong("missing", "至少填一样：电话、微信号、邮箱或姓名。")
        return self


class ReportIn(Strict):
    """One report, from any channel. `client_id` may come as the Idempotency-Key header instead."""

    client_id: ClientId | None = None
    kind: Code | None = None
    words: Words | None = None
    position: PositionIn | None = None
    place_sure: bool = False
    """The sender was asked whether the position is GCJ-02 after all, and says it is not."""
    place_words: Line | None = None
    seen_at: Moment | None = None
    contact: ContactIn | None = None
    anonymous: bool = False
    callback: bool = False
    reward: bool = False
    channel: Code | None = None
    score: Share | None = None
    outline: Outline | None = None
    flight: Key | None = None
    frame: Key | None = None
    round: Annotated[int, Field(ge=1, le=9999)] | None = None

    @classmethod
    def gaps(cls, data: Mapping[str, Any]) -> Iterator[Fault]:
        if all(data.get(key) is None for key in ("words", "position", "place_words", "outline")):
            yield Fault("/words", "place_or_words", "请至少填一样：位置、地点说明或情况说明。")
        contact = data.get("contact")
        phone = contact.get("phone") if isinstance(contact, Mapping) else None
        if data.get("callback") not in (None, False) and phone is None:
            yield Fault("/contact/phone", "phone_needed", "要我们回电话，请留下号码。")


class DetectionIn(Strict):
    """One thing a recogniser found in a frame."""

    client_id: ClientId
    kind: Code
    score: Share
    position: PositionIn | None = None
    outline: Outline | None = None
    seen_at: Moment
    words: Words | None = None

    @classmethod
    def gaps(cls, data: Mapping[str, Any]) -> Iterator[Fault]:
        if data.get("position") is None and data.get("outline") is None:
            yield Fault("/position", "missing", "请填位置 position 或轮廓 outline。")


class DetectionsIn(Strict):
    """The envelope of a batch; its items are judged one by one with `validate_items`."""

    flight: Key
    frame: Key | None = None
    round: Annotated[int, Field(ge=1, le=9999)] | None = None
    detections: Annotated[list[Any], Field(min_length=1, max_length=MAX_DETECTIONS)]


class StepIn(Strict):
    """What every step may carry; a step's own fields are in `own`, judged by the table of steps."""

    model_config = ConfigDict(extra="allow")

    words: Words | None = None
    reason: Words | None = None
    photos: Annotated[list[Key], Field(max_length=MAX_PHOTOS)] = []
    position: PositionIn | None = None
    at_claimed: Moment | None = None
    client_id: ClientId | None = None

    @field_validator("photos")
    @classmethod
    def _each_once(cls, photos: list[str]) -> list[str]:
        if len(set(photos)) != len(photos):
            raise wrong("repeated", "里同一张写了两次，请去掉一张。")
        return photos

    @property
    def own(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


M = TypeVar("M", bound=Strict)


def read_model(model: type[M], data: Mapping[str, Any], *, at: str = "", from_form: bool = False) -> M:
    """`data` as a `model`, or BadInput naming every fault by JSON pointer (which begins with `at`).

    `from_form`: all values are text, as a page sends them; numbers and yes/no are read from it.
    """
    faults = [Fault(at + gap.where, gap.code, gap.sentence) for gap in model.gaps(data)]
    if model.model_config.get("extra") == "allow":
        own = {key: value for key, value in data.items() if key not in model.model_fields}
        faults += check_free(own, at)
    try:
        found = model.model_validate(dict(data), strict=False if from_form else None)
    except ValidationError as error:
        raise BadInput(as_faults(error, at) + faults) from None
    if faults:
        raise BadInput(faults)
    return found


def read_form(model: type[M], fields: Mapping[str, Any]) -> M:
    """A page's flat form as a `model`: `position.lon` is the lon of position, an empty box is no answer."""
    nested: dict[str, Any] = {}
    for name, value in fields.items():
        if value == "" or value == []:
            continue
        *path, last = name.split(".")
        inner = nested
        for part in path[:4]:
            deeper = inner.setdefault(part, {})
            if not isinstance(deeper, dict):
                raise BadInput(Fault(pointer("", name), "unknown_field", "表单里有一项对不上，请刷新页面。"))
            inner = deeper
        if last in inner or len(path) > 4:
            raise BadInput(Fault(pointer("", name), "unknown_field", "表单里有一项对不上，请刷新页面。"))
        inner[last] = value
    return read_model(model, nested, from_form=True)


def validate_items(items: list[Any], *, at: str = "/detections") -> list[DetectionIn | list[Fault]]:
    """Each item of a batch by itself: the detection, or its faults; a client id twice faults the later."""
    seen: set[UUID] = set()
    found: list[DetectionIn | list[Fault]] = []
    for index, item in enumerate(items):
        here = pointer(at, index)
        if not isinstance(item, Mapping):
            found.append([Fault(here, "not_object", "这一项要填一组名称和值（花括号）。")])
            continue
        try:
            detection = read_model(DetectionIn, item, at=here)
        except BadInput as bad:
            found.append(bad.faults)
            continue
        if detection.client_id in seen:
            sentence = "客户端编号 client_id 在这一批里用了两次。"
            found.append([Fault(pointer(here, "client_id"), "repeated", sentence)])
        else:
            found.append(detection)
        seen.add(detection.client_id)
    return found


def client_id_of(header: str | None, field: UUID | None) -> UUID:
    """The one client id of a request, from the Idempotency-Key header or the body; both must agree."""
    if header is None or header == "":
        if field is None:
            raise BadInput(Fault("/client_id", "missing", "请带上 client_id（UUID），重发时用同一个。"))
        return field
    try:
        keyed = read_uuid(header.strip().strip('"'))
    except PydanticCustomError as bad:
        raise BadInput(Fault("", "not_uuid", "请求头 Idempotency-Key " + bad.message())) from None
    if field is not None and field != keyed:
        raise BadInput(Fault("/client_id", "ids_differ", "client_id 和请求头 Idempotency-Key 不一样。"))
    return keyed
