"""NEEDS: code -> check, filled by the families of steps; a check gives the sentence of what is missing, or None."""

from __future__ import annotations

from collections.abc import Callable

from patrol.rules.evidence.case import Case

Check = Callable[[Case], str | None]
NEEDS: dict[str, Check] = {}
REFUSALS: set[str] = set()


def need(code: str, *, refuses: bool = False) -> Callable[[Check], Check]:
    """Register a check; `refuses`: it is the person who may not, not a thing that is missing."""

    def keep(check: Check) -> Check:
        NEEDS[code] = check
        if refuses:
            REFUSALS.add(code)
        return check

    return keep


def text(case: Case, name: str) -> str:
    """A field of the body as words, empty where there are none."""
    return str(case.body.get(name) or "").strip()
