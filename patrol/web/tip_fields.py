"""The shapes of what reporters send with their receipt code, and the layers of the place anybody may ask for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from patrol.rules.lifecycle import APPEAL_AGAINST
from patrol.web.fields import Strict, Words

LAYERS = frozenset({"centreline", "water", "key_areas", "grids", "outfalls"})


class CodeIn(Strict):
    """A receipt code as people type it."""

    code: Annotated[str, Field(min_length=1, max_length=64)]


class SupplementIn(CodeIn):
    """More words to a report."""

    words: Words


class ReopenIn(CodeIn):
    """Why it should be opened again."""

    reason: Words


class AppealIn(CodeIn):
    """Against what, and why."""

    against: Annotated[str, Field(pattern=f"^({'|'.join(APPEAL_AGAINST)})$")]
    words: Words


class RatingIn(CodeIn):
    """How it went: one to five stars, and whether it is solved."""

    stars: Annotated[int, Field(ge=1, le=5)]
    solved: bool
    words: Words | None = None
