"""What a verdict rests on: one case as plain values. Nothing here judges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class PhotoFact:
    """What the law needs to know of one photo of the issue."""

    id: str
    stage: str
    person_id: int | None
    round: int
    received_at: datetime
    in_fence: bool | None = None
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Fix:
    """A declared on-site position: how far from the thing's outline or ellipse, and how good."""

    beyond_m: float
    accuracy_m: float | None


@dataclass(frozen=True)
class Case:
    """Everything a verdict rests on. Ids are persons, never accounts."""

    state: str
    now: datetime
    actor: int | None
    roles: frozenset[str]
    body: Mapping[str, Any]
    unit: str | None = None  # the unit this sign-in acts for
    of_units: frozenset[str] = frozenset()  # every unit the person belongs to, through whatever account
    other_chief: bool = False  # another person is a chief too
    of_office: bool = False  # the person is of the office, through whatever account
    kind: str | None = None
    ce90_m: float | None = None
    position_confirmed: bool = False
    has_position: bool = False
    lead_unit: str | None = None
    assisting: tuple[str, ...] = ()
    lead_reach: str = "account"
    lead_is_office: bool = False
    round: int = 1
    returns: int = 0
    extensions: int = 0
    extended_s: int = 0
    limit_s: int = 0
    asked_s: int = 0
    rectify_due: datetime | None = None
    on_site_red: bool = False
    suspended: bool = False
    still_visible: bool = False
    half1: str | None = None  # the finding of half 1, once made
    half2: bool = False
    assigner: int | None = None
    submitter: int | None = None
    verifier: int | None = None
    closer: int | None = None
    checker: int | None = None
    named_acceptor: int | None = None
    merged_from: str | None = None  # the state before a merge
    photos: tuple[PhotoFact, ...] = ()
    new_photos: tuple[PhotoFact, ...] = ()  # named by this step
    expected_photos: int = 0
    fix: Fix | None = None
    moved_m: float | None = None
    step_before_at: datetime | None = None  # the step an after photo must be newer than
    similar_open: tuple[str, ...] = ()  # issues that may be the same thing
    known_units: frozenset[str] = frozenset()
    parent_ok: bool = False
    area_m2: float | None = None
    has_assignment_slip: bool = False
    ended_at: datetime | None = None
    appeal_until: datetime | None = None
    other_units: frozenset[int] = frozenset()  # persons of a unit that is neither the lead unit nor the office
    split_ok: bool = False
    appeal_fits: frozenset[str] = frozenset()
    notes: Mapping[str, Any] = field(default_factory=dict)

    def has_role(self, *roles: str) -> bool:
        return bool(self.roles & set(roles))

    @property
    def as_grid(self) -> bool:
        """On-site halves are made as a grid worker; a person who is also of the office acts as the office
        only when he says so (`as=office`) or holds no grid."""
        return "grid" in self.roles and not (self.has_role("office", "office_head") and "finding" not in self.body)

    @property
    def own_unit(self) -> bool:
        return self.unit is not None and self.unit == self.lead_unit

    def staged(self, *stages: str, this_round: bool = True) -> tuple[PhotoFact, ...]:
        return tuple(p for p in self.photos if p.stage in stages and (not this_round or p.round == self.round))
