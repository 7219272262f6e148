"""Pages of the public: home, report, status by receipt code, the check of a slip.

The one cookie here is the report page's own, a random word to count a device by; nothing writes who asked. A report
goes in through `reports.take` like every other. The receipt code stands in the answer's body only, never in an address.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import segno
from flask import Blueprint, Response, jsonify, make_response, render_template, request

from patrol.actions import photos, sealing
from patrol.actions import tips as deeds
from patrol.errors import BadInput, Fault, Malformed, Missing, TooMuch, WrongStep
from patrol.gateways import identity, posters
from patrol.queries import tips
from patrol.rules.problems import PROBLEMS
from patrol.station import ANYONE, Station
from patrol.web import (
    access,
    alike,
    answers,
    fields,
    language,
    limits,
    papers,
    parse,
    phone_view,
    reports,
    spoken,
    tip_reward,
)
from patrol.web.access import door, station
from patrol.web.multipart import FilePart
from patrol.web.tips import TRIES_A_MINUTE

bp = Blueprint("public", __name__)

OWN = frozenset({"use_photo", "bank", "read_as"})
"""What the page sends beside the fields of a report."""
PAGE_BYTES = 16 * 1024  # every answer to a code is filled up to a multiple of this
STAGES = (
    ("received", "收到您的举报"), ("assigned", "交给责任单位"), ("visited", "去现场看"), ("rectifying", "整改"),
    ("accepting", "环保办验收"), ("done", "办完"),
)  # fmt: skip
ICONS = {"waiting": "reported", "discarded": "dismissed", "expired": "dismissed"}
RATED = ("closed", "dismissed", "transferred")


@door(bp, "GET", "/")
def home() -> str:
    parse.query_args(request, ("lang",))
    return render_template("pages/home.html", langs=language.choices(), roles=access.actor().roles)


# --- report


@door(bp, "GET", "/report")
def get_report() -> Response:
    args = parse.query_args(request, ("lang", "at"))
    values: dict[str, Any] = {"client_id": str(uuid.uuid4()), "anonymous": "true"}
    mark = _mark(args.get("at", ""))
    response = make_response(_form({**values, **mark}, at_mark=bool(mark)))
    limits.mark_device(station(), response)
    return response


@door(bp, "GET", "/report/sum")
def get_sum() -> Response:
    """The sum to do before sending, where much has come from here this hour; empty where none is needed."""
    parse.query_args(request, ())
    asked = limits.ask_puzzle(station())
    return jsonify({"word": asked.word, "bits": asked.bits} if asked else {})


def _mark(at: str) -> dict[str, str]:
    """What a poster's code fills in: the chainage mark it hangs at, in metres. A mark not of this river is no place."""
    place = station().place
    if not (at.isascii() and at.isdigit() and len(at) <= 6) or place.river is None or int(at) > place.river.length_m:
        return {}
    words = place.river.words(int(at))
    found = spoken.find(words, place) or {}
    return {"place_words": words, **{f"position.{name}": str(value) for name, value in found.items()}}


def _form(
    values: dict[str, Any], faults: Sequence[Fault] = (), photos_lost: bool = False, at_mark: bool = False
) -> str:
    place = station()
    with place.look() as look:
        river = phone_view.river(look)
        takes = {"sealed": sealing.takes_identities(look), "callback": sealing.takes_callbacks(look)}
    told = [{"where": fault.where.lstrip("/").replace("/", "."), "sentence": language.gettext(fault.sentence)}
            for fault in faults]  # fmt: skip
    return render_template(
        "pages/public/report.html", values=values, faults=told, said={fault["where"]: fault["sentence"] for fault in told},
        photos_lost=photos_lost, at_mark=at_mark, river=river, langs=language.choices(), **takes, bounds=place.place.bounds,
        most_mb=place.settings.photo_max_mb,
        kinds=[{"value": row.code, "zh": language.gettext(row.plain_zh), "symbol": f"kind-{row.code}"}
               for row in PROBLEMS.values()],
    )  # fmt: skip


@door(bp, "POST", "/report")
def post_report() -> Response:
    parse.query_args(request, ("lang",))
    place = station()
    most = place.settings.photo_max_mb * 1024 * 1024
    sent, files = parse.multipart_body(request, max_file_bytes=most, json_fields=())
    try:
        body = _read(place, sent, files)
        reports.ask_place(body)
        status, answer = reports.take(ANYONE, body, sent, [file.content for file in files])
    except (BadInput, Malformed, TooMuch) as error:
        if answers.wants_json(request):
            raise
        faults = error.faults if isinstance(error, BadInput) else [Fault("/photo", error.code, error.sentence)]
        return make_response(_form(sent, faults, photos_lost=bool(files)), answers.status_of(error))
    kept = {**answer, "qr": qr(answer["receipt_code"])}
    if answers.wants_json(request):
        return make_response(jsonify(kept), status)
    return make_response(render_template("pages/public/receipt.html", receipt=kept, langs=language.choices()), status)


def _read(place: Station, sent: dict[str, Any], files: Sequence[FilePart]) -> fields.ReportIn:
    """The page's flat form as a report, every fault at once."""
    given = {name: value for name, value in sent.items() if name not in OWN}
    faults = []
    if not given.get("kind"):
        faults.append(Fault("/kind", "kind", "还没选：看到了什么。"))
    if not given.get("position.lon"):
        given = {name: value for name, value in given.items() if not name.startswith("position.")}
        try:
            found = spoken.find(str(given.get("place_words") or ""), place.place, str(sent.get("bank") or ""))
            if found is None and sent.get("use_photo"):
                found = _of_photo(place, files)
            if found is not None:
                given |= {f"position.{name}": str(value) for name, value in found.items()}
        except BadInput as bad:
            faults += bad.faults
    given |= reports.answered(sent)
    phone = str(given.get("contact.phone") or "").strip()
    wants_contact = bool(given.get("reward") or given.get("callback"))
    if given.get("reward") and not phone:
        faults.append(Fault("/contact/phone", "phone_needed", "想参加有奖举报，要留个电话。"))
    if given.get("anonymous") and not wants_contact:
        given = {name: value for name, value in given.items() if not name.startswith("contact.")}
    elif wants_contact:
        given.pop("anonymous", None)
    try:
        body = fields.read_form(fields.ReportIn, given)
    except BadInput as bad:
        told = {fault.where for fault in faults}
        raise BadInput([*faults, *(fault for fault in bad.faults if fault.where not in told)]) from None
    if faults:
        raise BadInput(faults)
    return body


def _of_photo(place: Station, files: Sequence[FilePart]) -> dict[str, Any] | None:
    """Where the photos say they were taken: a reporter who ticks it gives that place, nothing else of them."""
    for file in files:
        picture = photos.take_in(place, file.content).picture
        if picture.lon is not None and picture.lat is not None:
            at = {"lon": picture.lon, "lat": picture.lat, "crs": "wgs84"}
            return at if picture.accuracy_m is None else {**at, "accuracy_m": picture.accuracy_m}
    return None


def qr(code: str) -> str:
    """A picture of the way to the status page; the code sits in the fragment, which no browser sends."""
    base = (station().settings.public_url or request.url_root).rstrip("/")
    return segno.make(f"{base}/tips#{code}", error="m", micro=False).svg_data_uri(scale=4, border=2)


@door(bp, "GET", "/desk/posters.pdf")
def get_posters() -> Response:
    """Posters for the bank, a sheet a chainage mark, as the office prints them."""
    parse.query_args(request, ())
    place = station()
    base = place.settings.public_url or request.url_root
    response = Response(posters.render(place.place, base, posters.marks(place.place)), mimetype="application/pdf")
    response.headers["Content-Disposition"] = "inline; filename=posters.pdf"
    return response


# --- status


@door(bp, "GET", "/tips")
def get_tips() -> str:
    parse.query_args(request, ("lang",))
    return _tips()


def _tips(**more: Any) -> str:
    return render_template("pages/public/tips.html", langs=language.choices(), **more)


@door(bp, "POST", "/tips")
@alike.alike(PAGE_BYTES)
def post_tips() -> Response:
    """The state behind a code, and what its owner says further. The code comes and goes in bodies only."""
    parse.query_args(request, ("lang",))
    sent = parse.form_body(request)
    code = str(sent.get("code") or "")[:64]
    limits.slow("tips", TRIES_A_MINUTE)
    done, fault = "", ""
    try:
        with station().look() as look:
            tips.status(look, code)
        done, fault = _deed(code, sent)
        with station().look() as look:
            told = tips.status(look, code)
            reward = tip_reward.card(look, code, told["state"])
    except Missing as error:
        return make_response(_tips(fault=language.gettext(error.sentence), code=code), 404)
    page = _tips(
        told=told, code=identity.normalise_code(code), mark=ICONS.get(told["state"], told["state"]), done=done,
        fault=fault, steps=_steps(told), rated=told["state"] in RATED, sent=sent, reward=reward,
    )  # fmt: skip
    return make_response(page, 422 if fault else 200)


def _steps(told: dict[str, Any]) -> list[dict[str, Any]]:
    """The six stages: those reached with their date, the one it stands at, those to come."""
    reached = {row["stage"]: row for row in told["steps"]}
    ended = "done" in reached
    last = told["steps"][-1]["stage"] if told["steps"] else "received"
    found = []
    for stage, zh in STAGES:
        row = reached.get(stage)
        if row is None and ended:
            continue  # what was never needed is not shown as missing
        now = stage == last and not ended
        words = row["zh"] if row and stage == "done" else zh
        found.append(
            {"zh": words, "at": row["at"][5:16].replace("T", " ") if row else "", "now": now, "done": row is not None}
        )
    return found


def _deed(code: str, sent: dict[str, Any]) -> tuple[str, str]:
    """What the owner of the code asks for beside the state: a sentence of what was done, or of what is wrong."""
    deed, words = str(sent.get("deed") or ""), str(sent.get("words") or "").strip()
    if not deed:
        return "", ""
    if deed in tip_reward.DEEDS:
        return tip_reward.deed(code, sent)
    if deed != "rate" and not words:
        return "", "还没写：说两句。"
    try:
        with station().work(deeds.REPORTER) as work:
            if deed == "add":
                deeds.supplement(work, code, _words(words))
                return "补充的话收到了。", ""
            if deed == "reopen":
                deeds.ask(work, code, "reopen", {"reason": _words(words)})
                return "重办的申请收到了，1 个工作日内答复。", ""
            if deed == "appeal":
                state = tips.status(work, code)["state"]
                deeds.ask(work, code, "appeal", {"against": state, "words": _words(words)})
                return "您的意见收到了，由另外的人复核。", ""
            if deed == "rate":
                stars = {"good": 5, "fair": 3, "bad": 1}.get(str(sent.get("how") or ""))
                if stars is None:
                    return "", "还没选：满意吗。"
                deeds.rate(work, code, stars, stars > 1, _words(words) if words else "")
                return "谢谢，评价记下了。", ""
    except (BadInput, WrongStep) as error:
        return "", error.sentence
    return "", "没有这一项，请刷新页面。"


def _words(words: str) -> str:
    return fields.read_model(_Said, {"words": words}).words


class _Said(fields.Strict):
    """Words of a reporter."""

    words: fields.Words


# --- check of a slip


@door(bp, "GET", "/check")
def check() -> str:
    args = parse.query_args(request, ("slip", "code", "lang"))
    slip, code = args.get("slip", "")[:40], args.get("code", "")[:40]
    found = None
    if slip or code:
        limits.slow("check", 30)
        with station().look() as look:
            found = papers.check_slip(look, slip, code)
    return render_template("pages/public/check.html", found=found, slip=slip, code=code, langs=language.choices())
