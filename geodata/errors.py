"""What geodata says when it cannot do what was asked; it knows nothing of HTTP or of Patrol's own errors."""

from __future__ import annotations

from typing import Any


class GeoError(Exception):
    """A refusal with a stable `code` and a sentence that names what is wrong and what to do.

    `where` names the layer, feature or point, or the field of a file, when there is one.
    """

    def __init__(self, code: str, sentence: str, where: str = "", **facts: Any) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.where = where
        self.facts = facts


class GeoErrors(GeoError):
    """Several faults at once, in the order they were found."""

    def __init__(self, faults: list[GeoError]) -> None:
        super().__init__("several", "；".join(fault.sentence for fault in faults))
        self.faults = faults
