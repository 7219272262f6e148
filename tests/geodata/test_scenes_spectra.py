"""The spectral library keeps its promises: enough rows, named sources, no source in both halves."""

from __future__ import annotations

from collections import defaultdict

import pytest

from geodata.errors import GeoError
from geodata.scenes.plan import KINDS
from geodata.scenes.spectra import HALVES, library, of


def test_no_source_serves_both_halves() -> None:
    halves = defaultdict(set)
    for row in library():
        halves[row.source].add(row.half)
    assert all(len(used) == 1 for used in halves.values())
    assert len(halves) >= 20


def test_every_kind_has_rows_of_several_sources_and_both_halves() -> None:
    rows, sources = defaultdict(int), defaultdict(set)
    for row in library():
        rows[row.kind] += 1
        sources[row.kind].add(row.source)
    assert {kind for kind in rows if rows[kind] < 4 or len(sources[kind]) < 2} == set()
    assert set(KINDS) <= set(rows)
    assert all(of(kind, half) for kind in rows for half in HALVES)


def test_rows_have_the_shape_of_what_they_are_named_after() -> None:
    for row in library():
        blue, green, red, rededge, nir = row.reflectance
        if row.kind in ("grass", "tree", "aquatic_bloom") and "dry" not in row.name:
            assert nir > rededge > red and green > blue, row
        if row.kind == "bare_soil":
            assert blue < green < red < rededge < nir, row
        if row.kind in ("water", "sewage"):
            assert nir < max(green, red) and max(row.reflectance) < 0.2, row


def test_a_kind_without_rows_is_refused() -> None:
    with pytest.raises(GeoError) as refusal:
        of("gold", "tune")
    assert refusal.value.code == "no-spectrum"
