"""The place's map in pieces that a template may write out: frame, styles, script."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from geodata.charts import map_parts
from geodata.place import Place


@dataclass(frozen=True)
class Parts:
    """The pieces of the map as markup: made by us from numbers and class names alone, checked by `charts` itself."""

    head_css: Markup
    html_markup: Markup
    script_markup: Markup

    @classmethod
    def of(cls, place: Place) -> Parts:
        parts = map_parts(place)
        return cls(Markup(parts.head_css), Markup(parts.html), Markup(parts.script))
