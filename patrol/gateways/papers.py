"""Slips as A4 PDF: frozen facts and photo renditions in, the same bytes out every time.

User text reaches typst only as JSON data, never as markup, and a compilation sees nothing but a folder of
its own made here: no other disk, no network, no system font, no clock. It must not look anything up, number
anything or store anything; that is the caller's part.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import segno
import typst
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring
from PIL import Image, UnidentifiedImageError

from patrol.errors import BadInput, Fault
from patrol.gateways.paper_facts import SlipFacts, canonical, checked
from patrol.gateways.paper_fonts import fonts, printable
from patrol.gateways.paper_words import local, worded

_TEMPLATES = Path(__file__).resolve().parents[2] / "templates" / "slips"
_SUFFIXES = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp"}


def render(facts: Mapping[str, Any], photos: Mapping[str, bytes]) -> bytes:
    """The slip as PDF. The same facts and photos give the same bytes.

    `facts` has the shape of `paper_facts.SlipFacts`; `photos` maps the sha256 named in the facts to the
    bytes of a rendition (JPEG, PNG or WebP, upright, without metadata). A photo that is named but not
    given, or not readable, prints a frame that says so. Raises `BadInput` naming every wrong fact.
    """
    whole = checked(facts)
    files: dict[str, bytes] = dict(_templates())
    names: dict[str, str | None] = {}
    for number, photo in enumerate(whole.get("photos", [])):
        digest = photo["sha256"]
        if digest not in photos or digest in names:
            continue
        suffix = _picture_suffix(photos[digest])
        names[digest] = f"photo-{number}.{suffix}" if suffix else None
        if suffix:
            files[f"photo-{number}.{suffix}"] = photos[digest]
    sheet = _printable(worded(whole, names))
    if "map_svg" in whole:
        files["map.svg"] = _drawing(whole["map_svg"])
    if "qr" in whole:
        files["qr.svg"] = _qr(whole["qr"])
    sheet |= {"map": "map_svg" in whole, "qr": "qr" in whole}
    files["sheet.json"] = json.dumps(sheet, ensure_ascii=False, sort_keys=True).encode()
    # typst takes the file called "main" as the document.
    return _compiled(files, whole)


def check_digest(facts: Mapping[str, Any]) -> str:
    """sha256 of the facts in canonical JSON, as hex.

    The printed check code is made from this digest, so `check_code` itself is left out of it.
    """
    return hashlib.sha256(canonical({key: value for key, value in facts.items() if key != "check_code"})).hexdigest()


def _compiled(files: dict[str, bytes], facts: SlipFacts) -> bytes:
    issued_s = int(local(facts["issued_at"]).timestamp())
    # A folder, because typst takes files handed over in memory only where they are text.
    with tempfile.TemporaryDirectory(prefix="slip-") as folder:
        for name, data in files.items():
            (Path(folder) / name).write_bytes(data)
        main = Path(folder) / f"{facts['kind']}.typ"
        try:
            pdf = typst.compile(str(main), root=folder, font_paths=fonts(), timestamp=issued_s)
        except typst.TypstError as error:
            if "SVG" in str(error) and "map_svg" in facts:
                raise _not_a_drawing() from None
            raise
    assert isinstance(pdf, bytes)  # one document, handed back in memory
    return pdf


@cache
def _templates() -> Mapping[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(_TEMPLATES.glob("*.typ"))}


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {key: _printable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_printable(item) for item in value]
    return value


def _picture_suffix(data: bytes) -> str | None:
    """File suffix of a picture that can be read to its end, else None: one bad photo never stops a slip."""
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(data)) as picture:
            warnings.simplefilter("error")
            suffix = _SUFFIXES.get(picture.format or "")
            picture.load()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Warning, Image.DecompressionBombError):
        return None
    return suffix


def _drawing(svg: str) -> bytes:
    data = svg.encode()
    try:
        root = fromstring(data)
    except (ParseError, DefusedXmlException, ValueError):
        raise _not_a_drawing() from None
    if root.tag.rpartition("}")[2] != "svg":
        raise _not_a_drawing()
    return data


def _not_a_drawing() -> BadInput:
    return BadInput(Fault("map_svg", "not_svg", "单据事实 map_svg：位置图不是完整的 SVG，请重画"))


def _qr(text: str) -> bytes:
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="svg", border=0, xmldecl=False)
    return out.getvalue()
