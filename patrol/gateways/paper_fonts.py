"""The two Chinese fonts of every paper, taken from a wheel so that each machine prints the same.

System fonts are never looked at. Characters the fonts cannot draw are printed as 〓 with their code
point, never as an empty box and never dropped. This module knows nothing of slips.
"""

from __future__ import annotations

import importlib.resources
import re
import struct
import unicodedata
from functools import cache
from pathlib import Path

import typst

SANS = "Noto Sans SC"
SERIF = "Noto Serif SC"

_FILES = ("NotoSansSC-Regular.otf", "NotoSerifSC-Regular.otf")
# Composing would swap a compatibility ideograph, as some names are written with, for its twin.
_COMPOSABLE = re.compile("[^\uf900-\ufaff\U0002f800-\U0002fa1f]+")


def _folder() -> Path:
    return Path(str(importlib.resources.files("pylopdf_fonts_zh_cn")))


@cache
def fonts() -> typst.Fonts:
    """The font book given to every compilation."""
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(_folder())])


def _characters(font: Path) -> frozenset[int]:
    """Code points of an OpenType font, from its segmented 32-bit character map (cmap format 12)."""
    data = font.read_bytes()
    (tables,) = struct.unpack_from(">H", data, 4)
    starts = {
        tag: start for tag, _, start, _ in (struct.unpack_from(">4sIII", data, 12 + 16 * i) for i in range(tables))
    }
    cmap = starts[b"cmap"]
    (maps,) = struct.unpack_from(">H", data, cmap + 2)
    found: set[int] = set()
    for number in range(maps):
        (at,) = struct.unpack_from(">I", data, cmap + 8 + 8 * number)
        (form,) = struct.unpack_from(">H", data, cmap + at)
        if form != 12:
            continue
        (groups,) = struct.unpack_from(">I", data, cmap + at + 12)
        for group in range(groups):
            first, last, _ = struct.unpack_from(">III", data, cmap + at + 16 + 12 * group)
            found.update(range(first, last + 1))
    return frozenset(found)


@cache
def drawable() -> frozenset[int]:
    """Code points that both fonts can draw."""
    sans, serif = (_characters(_folder() / name) for name in _FILES)
    return sans & serif


def _shown(character: str) -> str:
    if character == "\n" or ord(character) in drawable():
        # Direction marks and joiners reorder or hide what is printed; a paper shows what it says.
        return "" if unicodedata.category(character) == "Cf" else character
    category = unicodedata.category(character)
    if category in {"Cf", "Mn"}:
        return ""
    if category in {"Cc", "Zl", "Zp", "Zs"}:
        return " "
    return f"〓(U+{ord(character):04X})"


def printable(text: str) -> str:
    """The text as the fonts can show it.

    >>> printable("河长𠮷某")
    '河长〓(U+20BB7)某'
    >>> printable("一\\u202e二\\t三")
    '一二 三'
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    composed = _COMPOSABLE.sub(lambda part: unicodedata.normalize("NFC", part.group()), lines)
    return "".join(map(_shown, composed))
