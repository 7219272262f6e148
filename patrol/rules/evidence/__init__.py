"""What one case lacks before a step may be taken: pure verdicts over a `Case`, each a code and a sentence.

NEEDS are the codes that rows of STEPS name, checked by one file a family of steps; CONDITIONS choose a row's approver.
Nothing here raises or reads a database; `patrol.actions.handle` gathers the Case and raises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from patrol.rules import lifecycle as law
from patrol.rules.evidence import acceptance, afterwards, dispatch, on_site, terms
from patrol.rules.evidence.case import Case, Fix, PhotoFact
from patrol.rules.evidence.registry import NEEDS, REFUSALS

FAMILIES = (dispatch, on_site, terms, acceptance, afterwards)  # importing them fills NEEDS
__all__ = ["CONDITIONS", "FAMILIES", "NEEDS", "REFUSALS", "Case", "Fix", "Lack", "PhotoFact", "approval_of", "lacks"]


@dataclass(frozen=True)
class Lack:
    """One thing missing: its code, its sentence, and whether it is a refusal of the person rather than a gap."""

    code: str
    sentence: str
    refuses: bool = False


CONDITIONS: dict[str, Callable[[Case], bool]] = {
    "always": lambda case: True,
    "after_reported": lambda case: case.state != "reported",
    "past_assigned": lambda case: (case.merged_from or case.state) in ("supervised", "rectified", "verified"),
    "first_extension": lambda case: case.extensions == 0,
    "reporter_asks": lambda case: case.has_role("reporter"),
    "office_asks": lambda case: not case.as_grid,
}


def lacks(row: law.Step, case: Case) -> list[Lack]:
    """Everything this case lacks for `row`, in the row's own order."""
    found = ((code, NEEDS[code](case)) for code in row.needs)
    return [Lack(code, sentence, code in REFUSALS) for code, sentence in found if sentence]


def approval_of(row: law.Step, case: Case) -> str | None:
    """The row of APPROVALS that must decide this case, or None when the actor may simply do it."""
    return next((name for condition, name in row.approval if CONDITIONS[condition](case)), None)
