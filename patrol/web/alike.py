"""Answers that tell a known code from an unknown one by nothing but their content: not by time, not by length.

An answer leaves on a beat counted from when its request came, and head and body together are filled with blanks to a
multiple of a size. Must not know what was asked.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from typing import Any

from flask import Response, g, make_response

from patrol.errors import Missing
from patrol.web import answers

BEAT_S = 0.1  # far longer than the work behind it takes; a machine too busy for that answers on a later beat
View = Callable[..., Any]


def alike(size: int) -> Callable[[View], View]:
    """Let every answer of a door, an unknown code's too, leave on the beat and in multiples of `size` bytes."""

    def keep(view: View) -> View:
        @functools.wraps(view)
        def even(**parts: Any) -> Response:
            try:
                response = make_response(view(**parts))
            except Missing as error:
                response = answers.answer(error)
            _fill(response, size)
            began = g.get("started_s", time.monotonic())
            beats = math.ceil((time.monotonic() - began) / BEAT_S)
            time.sleep(max(0.0, began + beats * BEAT_S - time.monotonic()))
            return response

        return even

    return keep


def _fill(response: Response, size: int) -> None:
    """Blanks at the end, which neither JSON nor HTML minds, so that what goes over the wire has an even length."""
    body = response.get_data()
    head = len(response.status) + len(response.content_type or "")  # the parts of the head that differ
    missing = -(head + len(body)) % size
    response.set_data(body + b"\n" * missing)
