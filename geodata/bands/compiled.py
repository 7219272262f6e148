"""Loops over pixels and runs, compiled by numba where it is installed, plain Python where it is not.

The compiled code is kept beside the source, or in the user's cache folder where the source is read-only; where
neither can be written it is compiled anew in each process. Nothing is ever kept in a folder others may write.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from typing import Any, TypeVar, cast

try:
    import numba
except ImportError:  # the slow way does the same
    numba = None

Loop = TypeVar("Loop", bound=Callable[..., Any])

COMPILES = numba is not None
"""Whether loops are compiled here."""


def compiled(loop: Loop) -> Loop:
    """The loop without the interpreter: it releases the interpreter's lock and divides as numpy does.

    Never fast-math: a class map must be the same on every machine and in the plain way.

    >>> compiled(lambda a, b: a + b)(1, 2)
    3
    """
    if numba is None:
        return loop
    options = {"nogil": True, "error_model": "numpy", "fastmath": False}
    if loop.__name__ != "<lambda>":  # an expression has no file of its own to keep the machine code beside
        with warnings.catch_warnings(), contextlib.suppress(RuntimeError):  # RuntimeError: no folder to keep it in
            warnings.simplefilter("ignore")
            return cast(Loop, numba.njit(cache=True, **options)(loop))
    return cast(Loop, numba.njit(**options)(loop))
