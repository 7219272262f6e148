"""100 tips with a marker address, browser, EXIF and phone: nowhere but in the sealed envelopes."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import text

from patrol import models as m
from patrol.actions import delivery, followup
from patrol.actions.backup import backup
from patrol.rules.rights import PAGES
from patrol.station import Station
from patrol.web import limits
from tests.faults import share
from tests.sealroom import ring
from tests.walk import picture
from tests.web.api_town import Api, form
from tests.web.tinyapp import logged

TIPS = share(100)
ADDRESS, AGENT, EXIF, PHONE = "203.0.113.219", "MarkerPhone/77", "MARKEXIF", "13987654321"
FORBIDDEN = frozenset(
    {"contact", "identity_sealed", "callback_sealed", "receipt_hash", "client_key", "phone", "channel", "sightings",
     "reporter_count"}
)  # fmt: skip
BLIND = ("unit", "grid", "volunteer", None)


def marked(seed: int) -> bytes:
    exif = Image.Exif()
    exif[0x010F] = EXIF
    out = io.BytesIO()
    Image.open(io.BytesIO(picture(seed))).save(out, "JPEG", exif=exif, comment=EXIF.encode())
    return out.getvalue()


def send(api: Api, number: int) -> str:
    client_id = str(uuid.uuid4())
    report = {"client_id": client_id, "kind": "sewage", "words": f"第 {number} 件黑水", "callback": True,
              "position": api.town.at(200 + 25 * number), "contact": {"name": "李守堤", "phone": PHONE}}  # fmt: skip
    answer = api.app.test_client().post(
        "/api/v1/reports", **form({"report": report}, [marked(number)]), environ_base={"REMOTE_ADDR": ADDRESS},
        headers={"User-Agent": AGENT, "Referer": f"http://localhost/{AGENT}", "X-Forwarded-For": ADDRESS},
    )  # fmt: skip
    assert answer.status_code == 201, answer.text
    limits.reset()
    status = api.app.test_client().post("/api/v1/tips/status", json={"code": answer.json["receipt_code"]},
                                        environ_base={"REMOTE_ADDR": ADDRESS}, headers={"User-Agent": AGENT})  # fmt: skip
    assert status.status_code == 200
    return str(answer.json["receipt_code"])


def rows(station: Station) -> Iterator[str]:
    """Every row of every table as text, the queue among them."""
    with station.look() as look:
        for table in m.Base.metadata.sorted_tables:
            for row in look.session.execute(text(f'SELECT * FROM "{table.name}"')):
                yield repr([bytes(v).hex() if isinstance(v, bytes | memoryview) else v for v in row])


def keys_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys_of(inner)


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_no_marker_is_anywhere(station: Station, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held, api = ring(station), Api(station)
    with logged() as log:
        codes = [send(api, number) for number in range(TIPS)]
        followup.sweep(station)
        delivery.run_due(station)
    if station.settings.is_sqlite:
        backup(station, tmp_path / "all.tar")
    marks = [ADDRESS, AGENT, EXIF, PHONE, "李守堤", *codes, *(code.replace("-", "") for code in codes)]
    words = "\n".join(rows(station)) + log.getvalue()
    found = [mark for mark in marks if mark in words or mark.encode().hex() in words]
    files = 0
    for path in [*Path(station.settings.data).rglob("*"), *tmp_path.glob("*.tar")]:
        if path.is_file():
            files += 1
            data = path.read_bytes()
            found += [f"{mark} in {path.name}" for mark in marks if mark.encode() in data]
    assert found == []
    with station.look() as look:
        tips, photos = look.session.query(m.Sighting).all(), look.session.query(m.Photo).all()
        sealed = [look.photos.get(str(photo.sealed_sha256)) for photo in photos]
    assert len(tips) == len(photos) == TIPS
    for tip, photo in zip(tips, sealed, strict=True):
        assert json.loads(held.identity(tip.identity_sealed))["phone"] == PHONE
        assert held.callback(tip.callback_sealed).decode() == PHONE and EXIF.encode() in held.identity(photo)
    asked = blind_answers(api)
    with capsys.disabled():
        print(f"\n{TIPS} tips, {len(marks)} marks, {files} files: none found; {asked} answers without the nine fields")


def blind_answers(api: Api) -> int:
    """Every list and issue as those see it who must not know; how many answers were looked at."""
    with api.station.look() as look:
        numbers = [issue.number for issue in look.session.query(m.Issue).limit(5)]
    for number in numbers:
        api.town.step(number, "assign", api.town.person("office"), lead_unit="water", words="请清理")
    paths = ["issues", "requests", "changes", *(f"issues/{n}{p}" for n in numbers for p in ("", "/trail", "/steps"))]
    asked = 0
    for role in BLIND:
        for path in (
            *(f"/api/v1/{path}" for path in paths),
            *(row.path for row in PAGES if "<" not in row.path and row.method == "GET"),
        ):
            answer = api.get(path, role)
            asked += 1
            if answer.is_json:
                assert not FORBIDDEN & set(keys_of(answer.json)), (role, path)
            for mark in (PHONE, "李守堤", "件黑水", EXIF):
                assert mark not in answer.get_data(as_text=True), (role, path)
    return asked
