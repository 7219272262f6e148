"""Who sees what and who may knock where: ROLES, the field cut, and DOORS. The one table behind every answer.

Out of scope answers the same as absent. Source: the domain page, section 8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

View = Literal["full", "work", "public", "none"]
Scope = Literal["all", "unit", "grid", "public", "none"]


@dataclass(frozen=True)
class Role:
    """A role: its Chinese name, which cut of an issue it sees, and which issues are in its scope."""

    zh: str
    view: View
    scope: Scope
    channel: str | None = None  # the intake channel its reports carry
    whole_trail: bool = False


ROLES: dict[str, Role] = {
    "office": Role("环保办", "full", "all", "hotline", True),
    "office_head": Role("环保办负责人", "full", "all", "hotline", True),
    "chief": Role("河湖长", "full", "all", "superior", True),
    "inspector": Role("督察员", "full", "all", "look_back", True),
    "operator": Role("热线话务员", "full", "all", "hotline"),
    "grid": Role("网格员", "work", "grid", "grid"),
    "unit": Role("责任单位", "work", "unit", "grid"),
    "volunteer": Role("志愿者", "public", "public", "volunteer"),
    "reward": Role("奖励专员", "public", "public"),
    "drone": Role("无人机平台", "none", "none", "drone"),
    "admin": Role("管理员", "public", "public"),
}
CHANNELS: dict[str, str] = {
    "drone": "无人机", "satellite": "卫星", "sensor": "固定监测", "grid": "网格员", "tip": "举报",
    "hotline": "热线", "volunteer": "志愿者", "petition": "接访", "superior": "上级交办",
    "transfer_in": "外部移入", "look_back": "回头看", "api": "接口",
}  # fmt: skip
MACHINE_CHANNELS = frozenset({"drone", "satellite", "sensor"})
TIP_CHANNELS = frozenset({"tip", "hotline", "volunteer", "api"})  # wait for `check` before `push` starts
REPORTERS = TIP_CHANNELS | {"petition", "transfer_in"}  # whoever came first of these was the first to report
MAY_NAME_CHANNEL = frozenset({"operator", "office", "office_head"})
NAMEABLE_CHANNELS = frozenset({"hotline", "petition", "superior", "transfer_in", "volunteer"})


def in_scope(
    roles: frozenset[str], unit: str | None, grids: frozenset[str] | None, *,
    lead_unit: str | None, assisting: Sequence[str], grid: str | None, assigned: bool,
) -> bool:  # fmt: skip
    """Whether an issue is in the scope of these roles; public scope is not a matter of single issues."""
    scopes = {ROLES[role].scope for role in roles if role in ROLES}
    if "all" in scopes:
        return True
    if "unit" in scopes and unit is not None and assigned and unit in (lead_unit, *assisting):
        return True
    return "grid" in scopes and (grids is None or grid in grids)


def sees_fishing(roles: frozenset[str], grids: frozenset[str] | None, grid: str | None) -> bool:
    """Whether a fishing event in `grid` is in the scope of these roles: the operator's all, a grid worker's his own."""
    if roles & {"office", "office_head", "chief", "inspector", "operator"}:
        return True
    return "grid" in roles and (grids is None or grid in grids)


_VIEW_ORDER = {"none": 0, "public": 1, "work": 2, "full": 3}

# field of an issue -> the least view that may see it
FIELDS: dict[str, View] = {
    "state": "public", "kind": "public", "month": "public", "position_100m": "public",
    "issue": "work", "version": "work", "chainage_m": "work", "bank": "work", "position": "work",
    "outline": "work", "unit": "work", "assisting": "work", "grid": "work", "words": "work", "clocks": "work",
    "slips": "work", "photos": "work", "photos_due": "work", "flags": "work", "round": "work", "requests": "work",
    "turn": "work", "place": "work", "assigned_at": "work", "conditions": "work", "overdue": "work",
    "finding": "work",
    "sightings": "full", "channels": "full", "reporter_count": "full", "opened_at": "full",
    "photo_flags": "full", "links": "full", "deliveries": "full", "similar": "full", "trail_head": "full",
    "persons": "full",
}  # fmt: skip
# never in an answer to anyone: sealed or keyed material
SEALED = frozenset(
    {"contact", "contact_sealed", "callback_sealed", "identity_sealed", "receipt_hash", "client_key", "phone", "payee"}
)
# clocks a work view may see: those that run from the first slip on
WORK_CLOCKS = frozenset({"receive", "on_site", "rectify", "accept"})
ORIGINAL_PHOTO = frozenset({"office", "office_head", "inspector"})
PUBLIC_STATES = frozenset({"supervised", "rectified", "verified", "closed"})


def view_of(roles: frozenset[str]) -> View:
    """The widest view any of the roles gives; no role at all is the public."""
    views = [ROLES[role].view for role in roles if role in ROLES] or ["public"]
    return max(views, key=lambda view: _VIEW_ORDER[view])


def sees(view: View, field: str) -> bool:
    """Whether a view may see an issue's field; a field that is not in the table is seen by nobody."""
    return field in FIELDS and _VIEW_ORDER[view] >= _VIEW_ORDER[FIELDS[field]]


def cut(view: View, fields: Mapping[str, object]) -> dict[str, object]:
    """The part of `fields` that a view may see."""
    return {name: value for name, value in fields.items() if sees(view, name)}


ANYONE = "anyone"
_ALL = frozenset(ROLES)
_STAFF = frozenset({"office", "office_head", "chief", "inspector", "operator"})
_OFFICE = frozenset({"office", "office_head"})
_WORKERS = _STAFF | {"grid", "unit"}
_FLIERS = _OFFICE | {"drone"}
_OPENERS = frozenset({"reward"})
_HOLDERS = _OPENERS | {"operator"}
_KEYS = _HOLDERS | {"office_head", "inspector"}
_PAYERS = _OFFICE | {"reward"}


@dataclass(frozen=True)
class Door:
    """One route: who may knock. `scoped` routes answer 404 to those outside the issue's scope."""

    method: str
    path: str
    who: frozenset[str] | str
    scoped: bool = False


DOORS: tuple[Door, ...] = (
    Door("POST", "/api/v1/reports", ANYONE),
    Door("POST", "/api/v1/detections", frozenset({"drone"})),
    Door("POST", "/api/v1/frames", frozenset({"drone"}) | _OFFICE),
    Door("GET", "/api/v1/rounds", _STAFF),
    Door("POST", "/api/v1/rounds", _OFFICE),
    Door("POST", "/api/v1/unflyable", _OFFICE),
    Door("GET", "/api/v1/flights", _FLIERS | {"chief", "inspector"}),
    Door("POST", "/api/v1/flights", _FLIERS),
    Door("GET", "/api/v1/flights/<flight>", _FLIERS | {"chief", "inspector"}),
    Door("GET", "/api/v1/flights/<flight>/progress", _FLIERS | {"chief", "inspector"}),
    Door("GET", "/api/v1/flights/<flight>/timings", _FLIERS | {"chief", "inspector"}),
    Door("GET", "/api/v1/flights/<flight>/detections", _OFFICE | {"chief", "inspector"}),
    Door("POST", "/api/v1/flights/<flight>/files", _FLIERS),
    Door("POST", "/api/v1/flights/<flight>/uploads", _FLIERS),
    Door("GET", "/api/v1/flights/<flight>/uploads/<upload>", _FLIERS),
    Door("PUT", "/api/v1/flights/<flight>/uploads/<upload>", _FLIERS),
    Door("POST", "/api/v1/flights/<flight>/finish", _FLIERS),
    Door("POST", "/api/v1/flights/<flight>/cancel", _FLIERS),
    Door("GET", "/api/v1/flights/<flight>/frames/<frame>.jpg", _OFFICE | {"chief", "inspector"}),
    Door("GET", "/api/v1/flights/<flight>/frames/<frame>/views", _OFFICE | {"chief", "inspector"}),
    Door("POST", "/api/v1/things/<thing>/confirm", _OFFICE),
    Door("POST", "/api/v1/things/<thing>/dismiss", _OFFICE),
    Door("POST", "/api/v1/things/<thing>/merge", _OFFICE),
    Door("GET", "/api/v1/episodes", _OFFICE | {"chief", "inspector", "grid", "operator"}),
    Door("POST", "/api/v1/episodes/<episode>/acknowledge", _OFFICE | {"chief", "grid", "operator"}),
    Door("GET", "/api/v1/patrols", _OFFICE | {"chief", "inspector", "grid"}),
    Door("POST", "/api/v1/patrols", frozenset({"grid"})),
    Door("GET", "/api/v1/suggestions", _WORKERS),
    Door("GET", "/api/v1/clues", _OFFICE | {"chief", "inspector", "grid", "operator"}),
    Door("GET", "/api/v1/clues/<clue>", _OFFICE | {"chief", "inspector", "grid", "operator"}, True),
    Door("POST", "/api/v1/clues/<clue>/confirm", _OFFICE | {"grid", "operator"}, True),
    Door("POST", "/api/v1/clues/<clue>/discard", _OFFICE | {"grid", "operator"}, True),
    Door("POST", "/api/v1/clues/<clue>/join", _OFFICE | {"grid", "operator"}, True),
    Door("GET", "/api/v1/clues/<clue>/photos/<photo>", _OFFICE | {"chief", "inspector", "grid", "operator"}, True),
    Door("GET", "/api/v1/issues", ANYONE),
    Door("GET", "/api/v1/issues/<issue>", _WORKERS, True),
    Door("GET", "/api/v1/issues/<issue>/steps", _WORKERS, True),
    Door("POST", "/api/v1/issues/<issue>/steps/<step>", _WORKERS, True),
    Door("POST", "/api/v1/issues/<issue>/photos", _OFFICE | {"grid", "unit", "inspector", "chief"}, True),
    Door("GET", "/api/v1/issues/<issue>/photos/<photo>", _WORKERS, True),
    Door("GET", "/api/v1/issues/<issue>/trail", _WORKERS - {"operator"}, True),
    Door("GET", "/api/v1/issues/<issue>/trace", _OFFICE | {"chief", "inspector"}, True),
    Door("GET", "/api/v1/issues/<issue>/effects", _OFFICE | {"chief", "inspector"}, True),
    Door("GET", "/api/v1/issues/<issue>/effects/<effect>/<side>.jpg", _OFFICE | {"chief", "inspector"}, True),
    Door("GET", "/api/v1/requests", _WORKERS - {"operator"}),
    Door("POST", "/api/v1/requests/<request_id>/approve", _OFFICE | {"chief", "inspector"}, True),
    Door("POST", "/api/v1/requests/<request_id>/refuse", _OFFICE | {"chief", "inspector"}, True),
    Door("POST", "/api/v1/requests/<request_id>/withdraw", _WORKERS - {"operator"}, True),
    Door("GET", "/api/v1/slips/<number>.pdf", _WORKERS, True),
    Door("GET", "/api/v1/slips/<number>.json", _WORKERS, True),
    Door("GET", "/api/v1/changes", _WORKERS),
    Door("GET", "/api/v1/figures", ANYONE),
    Door("GET", "/api/v1/figures/<name>", ANYONE),
    Door("GET", "/api/v1/place/<layer>", ANYONE),
    Door("POST", "/api/v1/tips/status", ANYONE),
    Door("POST", "/api/v1/tips/supplement", ANYONE),
    Door("POST", "/api/v1/tips/reopen", ANYONE),
    Door("POST", "/api/v1/tips/appeal", ANYONE),
    Door("POST", "/api/v1/tips/rating", ANYONE),
    Door("GET", "/api/v1/keys", _KEYS),
    Door("POST", "/api/v1/keys", _HOLDERS),
    Door("POST", "/api/v1/keys/<key>/vouch", _HOLDERS),
    Door("POST", "/api/v1/keys/<key>/lost", _HOLDERS | {"office_head"}),
    Door("GET", "/api/v1/envelopes", _OPENERS),
    Door("GET", "/api/v1/envelopes/<tip>", _OPENERS),
    Door("GET", "/api/v1/openings", _OPENERS | {"office_head", "inspector"}),
    Door("POST", "/api/v1/openings", _OPENERS),
    Door("POST", "/api/v1/openings/<opening>/open", _OPENERS),
    Door("GET", "/api/v1/openings/<opening>/bodies/<envelope>", _OPENERS),
    Door("POST", "/api/v1/callbacks/<tip>/open", frozenset({"operator"})),
    Door("POST", "/api/v1/tips/reward", ANYONE),
    Door("POST", "/api/v1/tips/payee", ANYONE),
    Door("GET", "/api/v1/rewards", _PAYERS | {"chief", "inspector"}),
    Door("POST", "/api/v1/rewards/<reward>/<act>", _PAYERS),
    Door("POST", "/api/v1/payments", frozenset({"reward"})),
    Door("POST", "/api/v1/payments/claim", frozenset({"reward"})),
    Door("POST", "/api/v1/payments/<batch>/<act>", frozenset({"reward", "office_head"})),
    Door("GET", "/api/v1/points", frozenset({"volunteer"})),
    Door("POST", "/api/v1/points", _OFFICE),
    Door("GET", "/api/v1/goods", ANYONE),
    Door("POST", "/api/v1/goods/<good>/exchange", frozenset({"volunteer"})),
    Door("GET", "/api/v1/classes", ANYONE),
    Door("POST", "/api/v1/classes/<class_id>/seats", ANYONE),
    Door("POST", "/api/v1/classes/give-back", ANYONE),
    Door("GET", "/api/v1/observations", ANYONE),
    Door("POST", "/api/v1/observations", frozenset({"volunteer"})),
    Door("GET", "/api/v1/check", ANYONE),
    Door("GET", "/api/v1/openapi.json", ANYONE),
)

# pages: the same table for screens; a person who is not signed in is sent to the sign-in
_DESK = _OFFICE | {"chief", "inspector"}
PAGES: tuple[Door, ...] = (
    Door("GET", "/", ANYONE),
    Door("GET", "/report", ANYONE),
    Door("POST", "/report", ANYONE),
    Door("GET", "/report/sum", ANYONE),
    Door("GET", "/tips", ANYONE),
    Door("POST", "/tips", ANYONE),
    Door("GET", "/check", ANYONE),
    Door("GET", "/map", ANYONE),
    Door("GET", "/signin", ANYONE),
    Door("POST", "/signin", ANYONE),
    Door("POST", "/signout", _ALL),
    Door("POST", "/signin/challenge", ANYONE),
    Door("POST", "/signin/device", ANYONE),
    Door("POST", "/phone/devices", _ALL - {"drone"}),
    Door("POST", "/phone/devices/<device>/revoke", _ALL - {"drone"}),
    Door("GET", "/i/<issue>", _WORKERS, True),
    Door("GET", "/phone", _ALL - {"drone"}),
    Door("GET", "/phone/report", _ALL - {"drone"}),
    Door("POST", "/phone/report", _ALL - {"drone"}),
    Door("GET", "/phone/issues/<issue>", frozenset({"grid", "unit"}) | _OFFICE | {"chief", "inspector"}, True),
    Door(
        "POST",
        "/phone/issues/<issue>/steps/<step>",
        frozenset({"grid", "unit"}) | _OFFICE | {"chief", "inspector"},
        True,
    ),
    Door("POST", "/phone/issues/<issue>/photos", frozenset({"grid", "unit"}), True),
    Door("POST", "/phone/requests/<request_id>/withdraw", frozenset({"grid", "unit"}) | _OFFICE, True),
    Door("GET", "/phone/me", _ALL - {"drone"}),
    Door("GET", "/phone/outbox", _ALL - {"drone"}),
    Door("POST", "/phone/outbox", _ALL - {"drone"}),
    Door("GET", "/phone/outbox/<parcel>", _ALL - {"drone"}),
    Door("PUT", "/phone/outbox/<parcel>/<photo>", _ALL - {"drone"}),
    Door("POST", "/phone/outbox/<parcel>/send", _ALL - {"drone"}),
    Door("POST", "/phone/outbox/<parcel>/drop", _ALL - {"drone"}),
    Door("GET", "/phone/kept", _ALL - {"drone"}),
    Door("GET", "/phone/walk", _ALL - {"drone"}),
    Door("GET", "/phone/offline", ANYONE),
    Door("GET", "/phone/app.webmanifest", ANYONE),
    Door("GET", "/phone/sw.js", ANYONE),
    Door("GET", "/desk", _DESK),
    Door("GET", "/desk/clues/<clue>", _DESK, True),
    Door("POST", "/desk/clues/<clue>/<deed>", _OFFICE, True),
    Door("GET", "/desk/issues", _DESK),
    Door("GET", "/desk/issues/<issue>", _DESK, True),
    Door("POST", "/desk/issues/<issue>/steps/<step>", _DESK, True),
    Door("POST", "/desk/issues/<issue>/photos/<photo>/release", _OFFICE, True),
    Door("GET", "/desk/requests", _DESK),
    Door("POST", "/desk/requests/<request_id>/<outcome>", _DESK, True),
    Door("GET", "/desk/deliveries", _DESK),
    Door("POST", "/desk/deliveries/<errand_id>/<deed>", _OFFICE),
    Door("GET", "/desk/flights", _DESK),
    Door("POST", "/desk/flights", _OFFICE),
    Door("POST", "/desk/rounds", _OFFICE),
    Door("GET", "/desk/flights/<flight>", _DESK),
    Door("POST", "/desk/flights/<flight>/<deed>", _OFFICE),
    Door("GET", "/desk/rounds/<round>", _DESK),
    Door("GET", "/desk/review", _DESK),
    Door("GET", "/desk/review/<thing>", _DESK),
    Door("POST", "/desk/review/<thing>/<deed>", _OFFICE),
    Door("GET", "/desk/live", _DESK),
    Door("GET", "/desk/figures", _DESK),
    Door("GET", "/desk/figures.csv", _DESK),
    Door("GET", "/desk/people", _DESK),
    Door("POST", "/desk/people/delegate", frozenset({"office_head", "chief"})),
    Door("GET", "/desk/rewards", _DESK | {"reward"}),
    Door("POST", "/desk/rewards/<deed>", _PAYERS),
    Door("GET", "/desk/hands", _DESK),
    Door("POST", "/desk/hands/<deed>", _OFFICE),
    Door("GET", "/volunteer", ANYONE),
    Door("POST", "/volunteer/seats", ANYONE),
    Door("POST", "/volunteer/<deed>", frozenset({"volunteer"})),
    Door("GET", "/nature", ANYONE),
    Door("GET", "/hotline", frozenset({"operator"}) | _OFFICE),
    Door("POST", "/hotline", frozenset({"operator"}) | _OFFICE),
    Door("GET", "/ui", frozenset({"admin"})),
    Door("GET", "/desk/posters.pdf", _OFFICE),
    Door("GET", "/keys", _KEYS),
    Door("GET", "/callbacks", frozenset({"operator"})),
)
AT_DESK = _DESK


def may_open(path: str, roles: frozenset[str]) -> bool:
    """Whether a page is open to these roles: what a menu shows."""
    return any(
        row.method == "GET" and row.path == path and (row.who == ANYONE or bool(roles & set(row.who))) for row in PAGES
    )
