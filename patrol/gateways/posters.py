"""Posters for the bank as PDF: one sheet a 100 m chainage mark, its code opening the report form at that place.

Words and marks go to typst as JSON data and the codes as drawings, never as markup; a compilation sees nothing but a
folder of its own. The code holds an address and a chainage, nothing of who scans it. Knows no reports.
"""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path
from typing import Any

import segno
import typst

from geodata.place import Place
from patrol.errors import Missing
from patrol.gateways.paper_fonts import fonts, printable

EVERY_M = 100
_TEMPLATE = Path(__file__).resolve().parents[2] / "templates" / "posters" / "poster.typ"


def marks(place: Place, from_m: int = 0, to_m: int | None = None) -> list[int]:
    """The chainage marks of the river in metres, each `EVERY_M`, from and to included.

    >>> marks(Place.open("taihugang"), 200, 400)
    [200, 300, 400]
    """
    if place.river is None:
        raise Missing("这个地点还没有河道中心线，排不出桩号。")
    last = int(place.river.length_m if to_m is None else min(to_m, place.river.length_m))
    return [at for at in range(0, last + 1, EVERY_M) if at >= from_m]


def address(base: str, mark_m: int) -> str:
    """Where the code of a mark leads."""
    return f"{base.rstrip('/')}/report?at={mark_m}"


def render(place: Place, base: str, marks_m: list[int]) -> bytes:
    """The sheets of these marks as one PDF; `base` is the public address of the report form."""
    if not marks_m or place.river is None:
        raise Missing("这一段没有桩号。")
    length_m = place.river.length_m
    sheets = [{"mark": place.river.words(at), "share": at / length_m, "qr": f"qr-{at}.svg", "url": address(base, at)}
              for at in marks_m]  # fmt: skip
    ticks = [{"share": at / length_m, "words": place.river.words(at)} for at in range(0, int(length_m) + 1, 500)]
    book = {**_words(place), "sheets": sheets, "ticks": ticks}
    with tempfile.TemporaryDirectory(prefix="posters-") as folder:
        for at in marks_m:
            drawing = io.BytesIO()
            segno.make(address(base, at), error="q", micro=False).save(drawing, kind="svg", border=1, xmldecl=False)
            (Path(folder) / f"qr-{at}.svg").write_bytes(drawing.getvalue())
        (Path(folder) / "sheets.json").write_text(json.dumps(_printable(book), ensure_ascii=False), "utf-8")
        main = Path(folder) / "poster.typ"
        main.write_bytes(_TEMPLATE.read_bytes())
        pdf = typst.compile(str(main), root=folder, font_paths=fonts(), timestamp=0)
    assert isinstance(pdf, bytes)  # one document, handed back in memory
    return pdf


def _words(place: Place) -> dict[str, str]:
    return {
        "place": place.name, "keeper": "一起守好这条河", "question": "河里、岸上有问题？扫一扫，拍一张",
        "how": "污水、漂浮物、堆垃圾、水葫芦、电鱼网鱼，都可以报。", "here": "这里是", "call": "也可以打电话",
        "phone": place.hotline, "say": "说桩号就知道在哪里。",
        "promise": "不留姓名电话也能报，也能查办到哪一步。", "danger": "有人落水、受伤、起火，先打 110、119、120。",
        "english": "River problem? Scan to report with a photo, no name needed. Emergencies: 110, 119, 120.",
    }  # fmt: skip


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {key: _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list) else value
