"""The hotline operator's form: typed in the order people speak, by keyboard alone; the code is read out at the end."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request

from patrol.actions import sealing, siting
from patrol.errors import BadInput, Fault
from patrol.rules.problems import PROBLEMS
from patrol.station import Work
from patrol.web import access, fields, language, parse, phone_view, reports, spoken
from patrol.web.access import door, station

bp = Blueprint("hotline", __name__)

OWN = frozenset({"bank", "size"})
SEALED_FIELDS = ("contact.name", "contact.phone")


@door(bp, "GET", "/hotline")
def get_hotline() -> str:
    parse.query_args(request, ())
    return _page({"client_id": str(uuid.uuid4())})


def _page(values: dict[str, Any], faults: Sequence[Fault] = (), done: dict[str, Any] | None = None) -> str:
    place = station()
    told = [{"where": fault.where.lstrip("/").replace("/", "."), "sentence": fault.sentence} for fault in faults]
    with place.look(access.actor()) as look:
        return render_template(
            "pages/hotline.html", values=values, faults=told, said={row["where"]: row["sentence"] for row in told},
            done=done, river=phone_view.river(look), outfalls=place.place.outfalls, rail=_rail(look),
            sealed=sealing.takes_identities(look), callback=sealing.takes_callbacks(look), title_words=language.gettext("接电话"),
            landmarks=[{"name": row.name, "lon": row.lon, "lat": row.lat} for row in place.place.outfalls],
            crumbs=[{"zh": language.gettext("接电话")}], bounds=place.place.bounds,
            kinds=[{"value": row.code, "zh": language.gettext(row.zh), "symbol": f"kind-{row.code}", "key": at}
                   for at, row in enumerate(PROBLEMS.values(), start=1)],
        )  # fmt: skip


def _rail(look: Work) -> list[dict[str, Any]]:
    rows = [("/hotline", "ui-phone", "热线"), ("/map", "ui-map", "地图")]
    if look.actor.has("operator"):
        rows[1:1] = [("/callbacks", "ui-bell", "回电话"), ("/keys", "ui-lock", "钥匙")]
    if look.actor.has("office", "office_head"):
        rows.insert(0, ("/desk", "ui-inbox", "收件箱"))
    return [
        {"href": href, "symbol": symbol, "zh": language.gettext(zh), "on": href == "/hotline"}
        for href, symbol, zh in rows
    ]


@door(bp, "POST", "/hotline")
def post_hotline() -> Response:
    place = station()
    sent = parse.form_body(request)
    try:
        body, raw = _read(sent)
        status, answer = reports.take(access.actor(), body, raw, [])
    except BadInput as bad:
        return make_response(_page(sent, bad.faults), 422)
    with place.look(access.actor()) as look:
        said = _read_back(look, body)
    return make_response(_page({"client_id": str(uuid.uuid4())}, done={**answer, "said": said}), status)


def _read(sent: dict[str, Any]) -> tuple[fields.ReportIn, dict[str, Any]]:
    """The operator's form as a report; what was said of the size stands with the words."""
    given = {name: value for name, value in sent.items() if name not in OWN} | {"channel": "hotline"}
    faults = []
    if not given.get("kind"):
        faults.append(Fault("/kind", "kind", "还没选：是什么（按 1 到 7）。"))
    if not given.get("position.lon"):
        given = {name: value for name, value in given.items() if not name.startswith("position.")}
        try:
            found = spoken.find(str(given.get("place_words") or ""), station().place, str(sent.get("bank") or ""))
            if found:
                given |= {f"position.{name}": str(value) for name, value in found.items()}
            elif not str(given.get("place_words") or "").strip():
                faults.append(Fault("/place_words", "place", "还没填：在哪里。"))
        except BadInput as bad:
            faults += bad.faults
    size = str(sent.get("size") or "").strip()
    if size:
        given["words"] = "\n".join(filter(None, (str(given.get("words") or "").strip(), f"大小：{size}")))
    if not any(str(given.get(name) or "").strip() for name in SEALED_FIELDS):
        given["anonymous"] = "true"
    try:
        body = fields.read_form(fields.ReportIn, given)
    except BadInput as bad:
        told = {fault.where for fault in faults}
        # the place is asked for by its own sentence
        rest = [fault for fault in bad.faults if fault.where not in told and fault.code != "place_or_words"]
        raise BadInput([*faults, *rest]) from None
    if faults:
        raise BadInput(faults)
    return body, sent


def _read_back(look: Work, body: fields.ReportIn) -> str:
    """What the operator reads out before hanging up."""
    where = body.place_words or ""
    if body.position is not None:
        at = siting.site(look, body.position.model_dump(exclude_none=True))
        where = siting.place_words(look, at.chainage_m, at.bank, at.lon, at.lat) or where
    kind = PROBLEMS[body.kind or "other"].plain_zh
    return "，".join(filter(None, (where, kind, (body.words or "").replace("\n", "，"))))
