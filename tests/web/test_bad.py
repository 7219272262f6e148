"""The bad-input catalogue: every row of `tests/bad`, and after each that nothing has changed where nothing should.

A row is a file `Bnnn.json` with its cases. Texts may be lists of pieces, each a text or [text, times]; inside a JSON
body such a text is `{"@text": [...]}`. `@here`, `@reported`, `@assigned` and the like name things of the town.
`expect` is the status (or several), `code` the fault's code, `type_code` the problem's, `nothing` that even an
accepted request keeps nothing new, `stored` what the newest sighting then holds.
"""

from __future__ import annotations

import io
import json
import random
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from werkzeug.test import EnvironBuilder, run_wsgi_app
from werkzeug.wrappers import Response

from patrol import models as m
from patrol.settings import Settings
from patrol.station import Station
from patrol.web import limits
from tests.conftest import SetClock
from tests.databases import migrated, own_database
from tests.walk import picture
from tests.web.api_town import Api, form

FOLDER = Path(__file__).parents[1] / "bad"
ROWS = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("B*.json"))}
SLOWEST_S = 2.0  # of this process's own time: other processes may be busy too


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, dict[str, Any]]]:
    """One town for the whole catalogue: every case must leave it as it was."""
    with own_database(tmp_path_factory.mktemp("bad")) as values:
        station = migrated(Station.open(Settings.read(values), clock=SetClock()))
        api = Api(station)
        yield api, names_of(api)
        station.close()


def names_of(api: Api) -> dict[str, Any]:
    """The things the cases speak of."""
    town = api.town
    reported = town.report(chainage_m=700).issue.number
    assigned = town.to_assigned(chainage_m=1240)
    other = town.to_assigned(chainage_m=2200)
    with api.station.work(api.actor("office")) as work:
        work.session.query(m.Issue).filter_by(number=other).one().lead_unit = "construction"
    photo = api.photo(assigned, "during", "office", picture(50)).json["photo_id"]
    foreign = api.photo(other, "during", "office", picture(51)).json["photo_id"]
    by = {"amount": 2, "unit": "working_hours"}
    request = api.step(assigned, "extend", "unit", {"reason": "水位高", "by": by}).json["request"]["id"]
    clue = town.report("drone", "floating_debris", 1700, score=0.2).sighting.ref
    return {
        "@here": town.at(1500), "@off_bank": town.at(1500, 300.0), "@reported": reported, "@assigned": assigned,
        "@photo_of_other": f"/api/v1/issues/{other}/photos/{foreign}",
        "@photo": f"/api/v1/issues/{assigned}/photos/{photo}", "@next_request": request + 1, "@request": request,
        "@clue": clue,
    }  # fmt: skip


def spelled(value: Any) -> str:
    """A text of pieces."""
    if isinstance(value, str):
        return value
    return "".join(piece if isinstance(piece, str) else piece[0] * piece[1] for piece in value)


def filled(value: Any, names: dict[str, Any]) -> Any:
    """A body with the town's things in their places."""
    if isinstance(value, dict):
        if set(value) == {"@text"}:
            return spelled(value["@text"])
        return {key: filled(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, names) for inner in value]
    return names.get(value, value) if isinstance(value, str) else value


def addressed(path: Any, names: dict[str, Any]) -> str:
    path = spelled(path)
    for name in sorted(names, key=len, reverse=True):
        if name in path:
            path = path.replace(name, str(names[name]))
    return path


def made(recipe: list[Any]) -> bytes:
    """A picture by its recipe."""
    what, *how = recipe
    out = io.BytesIO()
    if what == "hex":
        return bytes.fromhex(how[0])
    if what == "seed":
        return picture(how[0])
    if what == "cut_jpeg":
        return picture(83)[:4000]
    if what == "jpeg_tail":
        return picture(84) + bytes.fromhex(how[0])
    if what == "png_header":
        Image.new("1", (8, 8)).save(out, "PNG")
        head = bytearray(out.getvalue())
        head[16:24] = how[0].to_bytes(4, "big") + how[1].to_bytes(4, "big")
        head[29:33] = zlib.crc32(bytes(head[12:29])).to_bytes(4, "big")
        return bytes(head)
    if what == "size":
        Image.new("RGB", tuple(how), (90, 120, 90)).save(out, "PNG")
        return out.getvalue()
    if what == "mode":
        seed = sum(map(ord, how[0]))
        image = Image.open(io.BytesIO(picture(seed)))
        if how[0] == "I;16":
            deep = Image.new("I;16", image.size)
            deep.paste(image.convert("I"))
            deep.save(out, "PNG")
        else:
            image.convert(how[0]).save(out, "JPEG" if how[0] == "CMYK" else "PNG")
        return out.getvalue()
    raise KeyError(what)


def sent(case: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    """The body of a case, as the client's arguments."""
    if "json" in case:
        body = json.dumps(filled(case["json"], names), ensure_ascii=True).encode()
        return {"data": body, "content_type": "application/json"}
    if "photos" in case:
        whole = form({}, [made(recipe) for recipe in case["photos"]])
        data: bytes = whole["data"]
        if "filename" in case:
            data = data.replace(b'"0.jpg"', f'"{spelled(case["filename"])}"'.encode())
        return whole | {"data": data.replace(b"image/jpeg", case.get("part_type", "image/jpeg").encode())}
    if "hex" in case:
        return {"data": bytes.fromhex(case["hex"]), "content_type": "application/json"}
    if "raw" in case:
        return {"data": spelled(case["raw"]).encode(), "content_type": case.get("type", "application/json")}
    return {}


def ask(api: Api, case: dict[str, Any], names: dict[str, Any]) -> Response:
    """The request of a case. Broken lengths and chunked bodies are put into the environment as a server would."""
    method = case.get("method", "POST")
    headers = {name: spelled(value) for name, value in case.get("headers", {}).items()}
    if case.get("role"):
        headers["Authorization"] = f"Bearer {api.token(case['role'])}"
    if "version" in case:
        version = case["version"]
        headers["If-Match"] = f'"{version if isinstance(version, int) else api.town.issue(names[version]).version}"'
    body = sent(case, names)
    builder = EnvironBuilder(addressed(case["path"], names), method=method, headers=headers, **body)
    environ = builder.get_environ()
    builder.close()
    if "length" in case:
        environ["CONTENT_LENGTH"] = str(case["length"])
    if case.get("chunked"):
        environ.pop("CONTENT_LENGTH", None)
        environ["HTTP_TRANSFER_ENCODING"] = "chunked"
        environ["wsgi.input_terminated"] = True
    if case.get("type") == "":
        environ.pop("CONTENT_TYPE", None)
    content, status, sent_headers = run_wsgi_app(api.app, environ)  # a client of its own would mend the lengths
    return Response(content, status, sent_headers)


@pytest.mark.parametrize("number", sorted(ROWS))
def test_bad_input(number: str, town: tuple[Api, dict[str, Any]]) -> None:
    api, names = town
    assert ROWS[number]["id"] == number and ROWS[number]["cases"]
    for case in ROWS[number]["cases"]:
        said = f"{number} {ROWS[number]['about']}: {case['say']}"
        limits.reset()
        before, began = api.kept(), time.process_time()
        answer = ask(api, case, names)
        assert time.process_time() - began <= SLOWEST_S, said
        expect = case["expect"] if isinstance(case["expect"], list) else [case["expect"]]
        assert answer.status_code in expect, (said, answer.status_code, answer.get_data(as_text=True)[:400])
        check_answer(case, answer, said)
        if answer.status_code >= 400 or case.get("nothing"):
            assert api.kept() == before, said
        if "stored" in case:
            with api.station.look() as look:
                newest = look.session.query(m.Sighting).order_by(m.Sighting.id.desc()).first()
                assert {name: getattr(newest, name) for name in case["stored"]} == case["stored"], said


def check_answer(case: dict[str, Any], answer: Response, said: str) -> None:
    for name, value in case.get("answers", {}).items():
        assert value in answer.headers[name], said
    if answer.status_code < 400:
        if "features" in case:
            assert len(answer.json["features"]) == case["features"], said
        if "items" in case:
            assert [item["status"] for item in answer.json["results"]] == case["items"], said
        return
    page = answer.mimetype == "text/html"  # what is under no API path is answered to a browser
    assert page or answer.mimetype == "application/problem+json", said
    shown = answer.get_data(as_text=True)
    for leak in ("Traceback", "sqlalchemy", "psycopg", "sqlite", "site-packages", "/patrol/"):
        assert leak not in shown, said
    if page:
        return
    body = answer.json
    assert body["status"] == answer.status_code and body["request_id"], said
    assert any("\u4e00" <= letter <= "\u9fff" for letter in body["detail"]), said
    codes = {fault["code"] for fault in body["errors"]} | {body["type"].rpartition("/")[2]}
    for name in ("code", "type_code"):
        if name in case:
            assert case[name] in codes, (said, codes, body)
    for name, value in case.get("facts", {}).items():
        assert body[name] == value, said


def test_the_catalogue_is_whole() -> None:
    assert len(ROWS) >= 90 and sum(len(row["cases"]) for row in ROWS.values()) >= 250


@pytest.mark.parametrize("length", ["true", "short"])
def test_a_cut_upload_is_never_taken_for_whole(town: tuple[Api, dict[str, Any]], length: str) -> None:
    """A report with its photo, cut at every byte of its head and tail and at many between: refused, nothing kept.

    `true`: the header promises the whole length; `short`: a proxy has mended it to what came.
    """
    api, names = town
    whole = form({"report": {"kind": "sewage", "position": names["@here"]}}, [picture(940)])
    data: bytes = whole["data"]
    draw = random.Random(9)
    cuts = {*range(700), *range(len(data) - 200, len(data)), *draw.choices(range(len(data)), k=150)}
    if length == "short":
        cuts.remove(len(data) - 2)  # all but the last line end: nothing of the report is missing
    before = api.kept()
    for cut in sorted(cuts):
        builder = EnvironBuilder("/api/v1/reports", method="POST", data=data[:cut], content_type=whole["content_type"])
        environ = builder.get_environ() | {"HTTP_AUTHORIZATION": f"Bearer {api.token('grid')}"}
        builder.close()
        if length == "true":
            environ["CONTENT_LENGTH"] = str(len(data))
        content, status, headers = run_wsgi_app(api.app, environ)
        answer = Response(content, status, headers)
        assert answer.status_code in (400, 422), (cut, len(data), answer.get_data(as_text=True)[:200])
    assert api.kept() == before
