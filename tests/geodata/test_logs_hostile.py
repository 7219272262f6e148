"""Logs meant to hurt or merely broken: a sentence each, nothing fetched, little memory, never a traceback."""

from __future__ import annotations

import io
import random
import struct
import time
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geodata.errors import GeoError
from geodata.logs import read_log, read_log_bytes

BOMB = b"""<?xml version="1.0"?><!DOCTYPE gpx [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><gpx><trkpt lat="30" lon="112"><name>&c;</name></trkpt></gpx>"""
OUTSIDE = (
    b"""<?xml version="1.0"?><!DOCTYPE kml [<!ENTITY x SYSTEM "file:///etc/passwd">]><kml><name>&x;</name></kml>"""
)
LINK = b"<kml><NetworkLink><Link><href>http://127.0.0.1:9/</href></Link></NetworkLink></kml>"
GOOD = b"<kml><Placemark><Point><coordinates>112.18,30.35</coordinates></Point></Placemark></kml>"
DEEP = b"<gpx>" + b"<a>" * 5000


def _kmz(name: str, data: bytes, **more: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
        for other, content in more.items():
            archive.writestr(other, content)
    return packed.getvalue()


def _lying() -> bytes:
    """A KMZ whose table of contents says the KML is ten bytes long."""
    data = bytearray(_kmz("doc.kml", b"<kml>" + b" " * 40_000_000 + b"</kml>"))
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 10)
    return bytes(data)


def _crowded() -> bytes:
    return _kmz("a.txt", b"", **{f"f{at}.kml": b"" for at in range(2100)})


CASES: dict[str, tuple[bytes, set[str]]] = {
    "entity bomb": (BOMB, {"bad-xml"}),
    "outside entity": (OUTSIDE, {"bad-xml"}),
    "network link": (LINK, {"network-link"}),
    "deep nesting": (DEEP, {"bad-xml"}),
    "zip bomb": (_kmz("doc.kml", b"<kml>" + b" " * 40_000_000 + b"</kml>"), {"zip-bomb"}),
    "zip that lies about sizes": (_lying(), {"zip-bomb", "bad-zip"}),
    "crowded zip": (_crowded(), {"zip-bomb"}),
    "zip without KML": (_kmz("a.txt", b"x"), {"not-a-log"}),
    "half a zip": (_kmz("doc.kml", GOOD)[:-30], {"bad-zip"}),
    "zip magic only": (b"PK\x03\x04" + b"\0" * 50, {"bad-zip"}),
    "entity bomb in a KMZ": (_kmz("doc.kml", BOMB), {"bad-xml"}),
    "DJI's encrypted record": (b"\x9a\x01\x00\x00\x06" + random.Random(1).randbytes(9000), {"not-a-log"}),
    "JPEG": (b"\xff\xd8\xff\xe1" + random.Random(2).randbytes(9000), {"not-a-log"}),
    "HTML": (b"<!DOCTYPE html><html><body>404</body></html>", {"not-a-log"}),
    "numbers without end": (b"lat,lon\n" + b"9" * 400 + b",1e999\nnan,inf\n", {"no-positions"}),
}


@pytest.mark.parametrize("name", CASES)
def test_each_gets_a_sentence_at_little_cost(name: str) -> None:
    data, codes = CASES[name]
    tracemalloc.start()
    started = time.process_time()
    with pytest.raises(GeoError) as caught:
        read_log_bytes(data)
    spent, (_, peak) = time.process_time() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.code in codes and caught.value.sentence.endswith("。")
    assert spent < 3 and peak < 64 * 2**20


def test_a_path_out_of_the_archive_is_never_written(tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    assert len(read_log_bytes(_kmz("../../evil.kml", GOOD))) == 1
    assert set(tmp_path.iterdir()) == before


def test_files_that_are_not_there_or_empty(tmp_path: Path) -> None:
    (tmp_path / "empty.srt").write_bytes(b"\xef\xbb\xbf \r\n")
    for name, code in (("none.srt", "no-file"), ("empty.srt", "empty"), (".", "no-file")):
        with pytest.raises(GeoError) as caught:
            read_log(tmp_path / name)
        assert caught.value.code == code


SEEDS = (
    b"1\n00:00:00,000 --> 00:00:01,000\n2026-05-01 09:00:00.250\n[latitude: 30.35] [longitude: 112.18] [rel_alt: 1.0 abs_alt: 2.0]\n\n",
    b"2\n00:00:01,000 --> 00:00:02,000\nHOME(112.1,30.3) 2026.05.01 09:00:01\nGPS(112.18,30.35,16) BAROMETER:3.1\n\n",
    b'<gpx><trk><trkseg><trkpt lat="30.35" lon="112.18"><time>2026-05-01T01:00:00Z</time></trkpt></trkseg></trk></gpx>',
    b"<kml><Placemark><Track><when>2026-05-01T01:00:00Z</when><coord>112.18 30.35 80</coord></Track></Placemark></kml>",
    b"datetime,lat,lon,rel_alt\n2026-05-01 09:00:00,30.35,112.18,60\n2026-05-01 09:00:01,30.36,112.18,60\n",
    _kmz("doc.kml", GOOD),
)


@settings(max_examples=150)
@given(
    seed=st.sampled_from(SEEDS),
    times=st.integers(1, 3),
    cut=st.floats(0, 1),
    dirt=st.binary(max_size=12),
    at=st.floats(0, 1),
)
def test_damage_of_any_kind_ends_in_a_track_or_a_sentence(
    seed: bytes, times: int, cut: float, dirt: bytes, at: float
) -> None:
    data = seed * times
    data = data[: max(1, int(len(data) * cut))]
    place = int(len(data) * at)
    data = data[:place] + dirt + data[place + len(dirt) :]
    try:
        track = read_log_bytes(data)
    except GeoError as error:
        assert error.sentence.endswith(("。", "…"))
        return
    assert len(track) >= 1 and ((abs(track.lat) <= 90) & (abs(track.lon) <= 180)).all()


@settings(max_examples=80)
@given(data=st.binary(max_size=400))
def test_any_bytes_at_all_end_in_a_track_or_a_sentence(data: bytes) -> None:
    try:
        read_log_bytes(data)
    except GeoError as error:
        assert error.sentence


def test_a_track_is_never_longer_than_its_file() -> None:
    for seed in SEEDS[:5]:
        assert len(read_log_bytes(seed)) <= seed.count(b"\n") + 1
