"""Posters: a sheet a mark, each with its own place and address, and nothing but the marks of this river."""

from __future__ import annotations

import io

import pytest
from pypdf import PdfReader

from geodata.place import Place
from patrol.errors import Missing
from patrol.gateways import posters


@pytest.fixture(scope="module")
def place() -> Place:
    return Place.open("taihugang")


def test_a_sheet_a_mark(place: Place) -> None:
    found = posters.marks(place, 1100, 1300)
    pages = PdfReader(io.BytesIO(posters.render(place, "https://river.example/", found))).pages
    assert len(pages) == len(found) == 3
    for page, mark in zip(pages, ("K1+100", "K1+200", "K1+300"), strict=True):
        words = page.extract_text()
        assert mark in words and f"https://river.example/report?at=1{mark[3:]}" in words
        assert place.hotline in words and "110" in words


def test_marks_run_along_the_whole_river(place: Place) -> None:
    assert place.river is not None
    found = posters.marks(place)
    assert found[0] == 0 and found[-1] <= place.river.length_m < found[-1] + posters.EVERY_M
    assert len(found) == int(place.river.length_m) // 100 + 1
    with pytest.raises(Missing):
        posters.render(place, "https://river.example", posters.marks(place, 90_000))


def test_the_same_marks_print_the_same_bytes(place: Place) -> None:
    assert posters.render(place, "https://a.example", [0]) == posters.render(place, "https://a.example", [0])
