"""Doors of issues: lists, one issue, its steps, photos and trail, clues and requests. JSON only."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, request

from patrol import models as m
from patrol.actions import clues, handle, photos
from patrol.actions.handle.mechanism import in_scope
from patrol.actions.photos import Claim
from patrol.errors import BadInput, Fault, Missing, Refused
from patrol.queries import clues as clue_rows
from patrol.queries import issues as rows
from patrol.rules import forms, lifecycle, rights
from patrol.rules.problems import PROBLEMS
from patrol.station import Work
from patrol.web import access, fields, parse, repeat
from patrol.web.access import door, station

bp = Blueprint("issues", __name__)
NO_PHOTO = "没有这张照片，或不归您看。"
PUBLIC_FILTERS = ("bbox", "state", "kind", "page")
FILTERS = ("bbox", "state", "kind", "unit", "since", "overdue", "page")


@door(bp, "GET", "/api/v1/issues")
def list_issues() -> Response:
    args = parse.query_args(request, FILTERS)
    chosen = read_filter(args)
    who = access.actor()
    with station().look(who) as look:
        view = rights.view_of(who.roles)
        if view == "none":
            raise Refused("您的角色不能看问题。")
        if view == "public":
            _public_only(args)
            body, more = rows.public_listing(look, chosen)
        else:
            body, more = rows.listing(look, chosen)
    response = jsonify(body)
    response.mimetype = "application/geo+json"
    if more:
        query = urlencode({**args, "page": str(chosen.page + 1)}, safe=",:")
        response.headers["Link"] = f'</api/v1/issues?{query}>; rel="next"'
    return response


def _public_only(args: dict[str, str]) -> None:
    """The public may not narrow by what it may not see: a question answered is a field shown."""
    sentence = "公开列表只能按 bbox、state、kind、page 筛选；按单位、时间、超期筛选请带令牌。"
    faults = [Fault(f"/{name}", "not_public", sentence) for name in args if name not in PUBLIC_FILTERS]
    if faults:
        raise BadInput(faults)


def read_filter(args: dict[str, str]) -> rows.Filter:
    """The filter of a query, every fault at once."""
    faults: list[Fault] = []
    bbox = None
    if args.get("bbox"):
        sides = [access.decimal(part.strip()) for part in args["bbox"].split(",")]
        west, south, east, north = sides if len(sides) == 4 else (None,) * 4
        if west is not None and south is not None and east is not None and north is not None \
                and west <= east and south <= north:  # fmt: skip
            bbox = (west, south, east, north)
        else:
            faults.append(Fault("/bbox", "bad_bbox", "bbox 要写 西,南,东,北 四个经纬度（WGS-84）。"))
    states = tuple(filter(None, args.get("state", "").split(",")))
    kinds = tuple(filter(None, args.get("kind", "").split(",")))
    faults += [Fault("/state", "unknown_state", f"没有状态「{s[:20]}」；可选：{'、'.join(lifecycle.STATES)}。")
               for s in states if s not in lifecycle.STATES]  # fmt: skip
    faults += [Fault("/kind", "unknown_kind", f"没有种类「{k[:20]}」；可选：{'、'.join(PROBLEMS)}。")
               for k in kinds if k not in PROBLEMS]  # fmt: skip
    since = overdue = None
    if args.get("since"):
        try:
            since = forms.read_moment(args["since"].replace(" ", "+"))
        except forms.FieldFault as fault:
            faults.append(Fault("/since", "bad_time", str(fault)))
    if "overdue" in args:
        if args["overdue"] not in ("true", "false", "1", "0"):
            faults.append(Fault("/overdue", "bad_bool", "overdue 要写 true 或 false。"))
        overdue = args["overdue"] in ("true", "1")
    if faults:
        raise BadInput(faults)
    page = access.whole(args.get("page", "1"), "page", most=100_000)
    return rows.Filter(bbox, states, kinds, args.get("unit"), since, overdue, page=page)


def found(work: Work, number: str, *, lock: bool = False) -> m.Issue:
    return handle.find_issue(work, number, lock=lock)


def answer_issue(work: Work, issue: m.Issue, status: int = 200, **more: Any) -> tuple[Response, int]:
    response = jsonify({**rows.detail(work, issue), **more})
    response.headers["ETag"] = f'"{issue.version}"'
    return response, status


@door(bp, "GET", "/api/v1/issues/<issue>")
def get_issue(issue: str) -> tuple[Response, int]:
    with station().look(access.actor()) as look:
        return answer_issue(look, found(look, issue))


@door(bp, "GET", "/api/v1/issues/<issue>/steps")
def get_steps(issue: str) -> Response:
    with station().look(access.actor()) as look:
        row = found(look, issue)
        response = jsonify({"issue": row.number, "version": row.version, "steps": handle.may(look, row)})
        response.headers["ETag"] = f'"{row.version}"'
        return response


@door(bp, "POST", "/api/v1/issues/<issue>/steps/<step>")
def post_step(issue: str, step: str) -> tuple[Response, int]:
    body = parse.json_body(request) if request.content_length or request.mimetype else {}
    status, answer, version = take_step(issue, step, body, access.if_match())
    response = jsonify(answer)
    response.headers["ETag"] = f'"{version}"'
    return response, status


def take_step(issue: str, step: str, body: dict[str, Any], version: int | None) -> tuple[int, dict[str, Any], int]:
    """One step from any door; a repeat of the same client id answers the first result."""
    # the common fields get the strict reading every door shares; the step's own are read by its row
    common = {name: value for name, value in body.items() if name in fields.StepIn.model_fields}
    fields.read_model(fields.StepIn, {name: value for name, value in common.items() if value is not None})
    with station().work(access.actor()) as work:
        row = found(work, issue, lock=True)
        key = digest = ""
        if body.get("client_id"):
            key = repeat.key_of(work, f"step:{row.id}:{step}", str(body["client_id"]))
            digest = repeat.digest_of(work, body, [])
            before = repeat.given(work, key, digest)
            if before is not None:
                return before[0], before[1], int(before[1].get("version", row.version))
        result = handle.act(work, issue, step, body, version)
        detail = rows.detail(work, result.issue) if in_scope(work, result.issue) else {"issue": issue}
        status, answer = 200, detail
        if result.request is not None:
            full = rights.view_of(work.actor.roles) == "full"
            status = 202
            answer = {**detail, "request": rows.request_row(work, result.request, result.issue, full=full)}
        if key:
            repeat.keep(work, key, digest, status, answer)
        return status, answer, result.issue.version


@door(bp, "POST", "/api/v1/issues/<issue>/photos")
def post_photo(issue: str) -> tuple[Response, int]:
    stage = parse.query_args(request, ("stage",)).get("stage", "")
    place = station()
    most = place.settings.photo_max_mb * 1024 * 1024
    parts, files = parse.multipart_body(request, max_file_bytes=most, json_fields=("claim",))
    if len(files) != 1 or set(parts) - {"claim"}:
        raise BadInput(Fault("/photo", "photo", "一次传一张照片，放在 photo 里。"))
    claim = read_claim(parts.get("claim"))
    with place.look(access.actor()) as look:
        found(look, issue)  # nothing is stored for an issue that is not theirs
    place.room()
    shot = photos.take_in(place, files[0].content)
    with place.work(access.actor()) as work:
        photos.check_day(work)
        photo = photos.attach(work, found(work, issue, lock=True), stage, shot, claim)
        body: dict[str, Any] = {"photo_id": photo.ref, "sha256": photo.sha256, "stage": photo.stage}
        if work.actor.has("office", "office_head", "inspector"):
            body["flags"] = photo.flags
        return jsonify(body), 201


def read_claim(raw: Any) -> Claim:
    """The app's own fix and time of a photo, both claims."""
    if raw is None:
        return Claim()
    if not isinstance(raw, dict):
        raise BadInput(Fault("/claim", "not_object", "claim 要写成 JSON 对象。"))
    values: dict[str, Any] = {}
    faults = [Fault(f"/claim/{n}", "unknown_field", "不认识这一项。") for n in raw if n not in ("position", "taken_at")]
    for name, read in (("position", forms.read_position), ("taken_at", forms.read_moment)):
        if raw.get(name) is not None:
            try:
                values[name] = read(raw[name])
            except forms.FieldFault as fault:
                faults.append(Fault(f"/claim/{name}", "bad_value", str(fault)))
    if faults:
        raise BadInput(faults)
    return Claim(**values)


@door(bp, "GET", "/api/v1/issues/<issue>/photos/<photo>")
def get_photo(issue: str, photo: str) -> Response:
    size = parse.query_args(request, ("size",)).get("size", "1280")
    place, who = station(), access.actor()
    with place.look(who) as look:
        try:
            row = photos.find(look, found(look, issue), photo)
        except Missing:  # no such issue, no such photo: one answer
            raise Missing(NO_PHOTO) from None
        if not rows.may_see_photo(look, row, rights.view_of(who.roles)):
            raise Missing(NO_PHOTO)
    return picture(row, size, original=who.has(*rights.ORIGINAL_PHOTO))


def picture(row: m.Photo, size: str, *, original: bool) -> Response:
    """A rendition, or the original as a download for those whose right it is."""
    place = station()
    if size == "original":
        if not original:
            raise Missing(NO_PHOTO)
        response = Response(place.store.get(row.sha256), mimetype="application/octet-stream")
        response.headers["Content-Disposition"] = f"attachment; filename={row.sha256[:16]}.bin"
        return response
    side = access.whole(size, "size", 16, 2048)
    response = Response(photos.rendition(place, row, side), mimetype="image/jpeg")
    response.headers["Cache-Control"] = "private, max-age=600"
    return response


@door(bp, "GET", "/api/v1/issues/<issue>/trail")
def get_trail(issue: str) -> Response:
    with station().look(access.actor()) as look:
        return jsonify({"issue": issue, "trail": rows.trail(look, found(look, issue))})


# --- clues ---------------------------------------------------------------------------------------------------


@door(bp, "GET", "/api/v1/clues")
def list_clues() -> Response:
    args = parse.query_args(request, ("state", "kind", "page"))
    page = access.whole(args.get("page", "1"), "page", most=100_000)
    if args.get("kind") and args["kind"] not in PROBLEMS:
        raise BadInput(Fault("/kind", "unknown_kind", f"没有这个种类；可选：{'、'.join(PROBLEMS)}。"))
    with station().look(access.actor()) as look:
        found_rows = clue_rows.listing(look, args.get("state", "waiting"), args.get("kind"), page)
        return jsonify({"clues": found_rows})


@door(bp, "GET", "/api/v1/clues/<clue>")
def get_clue(clue: str) -> Response:
    with station().look(access.actor()) as look:
        return jsonify(clue_rows.detail(look, clues.find(look, clue)))


def _settled(work: Work, done: clues.Settled) -> Response:
    number = done.issue.number if done.issue else None
    return jsonify({"clue": done.sighting.ref, "state": done.sighting.state, "issue": number, "joined": done.joined})


def _body(*allowed: str) -> dict[str, str]:
    body = parse.json_body(request) if request.content_length or request.mimetype else {}
    faults = [Fault(f"/{name}", "unknown_field", "不认识这一项。") for name in body if name not in allowed]
    faults += [Fault(f"/{name}", "not_text", "要写文字。") for name in body
               if name in allowed and not isinstance(body[name], str | None)]  # fmt: skip
    if faults:
        raise BadInput(faults)
    return {name: value for name, value in body.items() if value is not None}


@door(bp, "POST", "/api/v1/clues/<clue>/confirm")
def confirm_clue(clue: str) -> Response:
    body = _body("kind", "words")
    with station().work(access.actor()) as work:
        return _settled(work, clues.confirm(work, clue, body.get("kind")))


@door(bp, "POST", "/api/v1/clues/<clue>/discard")
def discard_clue(clue: str) -> Response:
    body = _body("reason", "words")
    with station().work(access.actor()) as work:
        return _settled(work, clues.discard(work, clue, body.get("reason", ""), body.get("words", "")))


@door(bp, "POST", "/api/v1/clues/<clue>/join")
def join_clue(clue: str) -> Response:
    body = _body("issue", "words")
    with station().work(access.actor()) as work:
        return _settled(work, clues.join(work, clue, body.get("issue", "")))


@door(bp, "GET", "/api/v1/clues/<clue>/photos/<photo>")
def get_clue_photo(clue: str, photo: str) -> Response:
    size = parse.query_args(request, ("size",)).get("size", "1280")
    who = access.actor()
    with station().look(who) as look:
        try:
            row = clue_rows.photo(look, clues.find(look, clue), photo)
        except Missing:
            raise Missing(NO_PHOTO) from None
    return picture(row, size, original=who.has(*rights.ORIGINAL_PHOTO))


# --- requests ------------------------------------------------------------------------------------------------


@door(bp, "GET", "/api/v1/requests")
def list_requests() -> Response:
    given = parse.query_args(request, ("open",)).get("open", "true")
    if given not in ("true", "1", "false", "0"):
        raise BadInput(Fault("/open", "bad_bool", "open 要写 true（只列待批的）或 false（全部）。"))
    with station().look(access.actor()) as look:
        return jsonify({"requests": clue_rows.requests(look, only_open=given in ("true", "1"))})


def _decided(work: Work, done: handle.Result) -> tuple[Response, int]:
    return answer_issue(work, done.issue)


@door(bp, "POST", "/api/v1/requests/<request_id>/approve")
def approve(request_id: int) -> tuple[Response, int]:
    body = parse.json_body(request) if request.content_length or request.mimetype else {}
    with station().work(access.actor()) as work:
        return _decided(work, handle.approve(work, request_id, body, access.if_match()))


@door(bp, "POST", "/api/v1/requests/<request_id>/refuse")
def refuse(request_id: int) -> tuple[Response, int]:
    body = parse.json_body(request) if request.content_length or request.mimetype else {}
    with station().work(access.actor()) as work:
        return _decided(work, handle.refuse(work, request_id, body, access.if_match()))


@door(bp, "POST", "/api/v1/requests/<request_id>/withdraw")
def withdraw(request_id: int) -> tuple[Response, int]:
    _body("client_id")
    with station().work(access.actor()) as work:
        return _decided(work, handle.withdraw(work, request_id, access.if_match()))


@door(bp, "GET", "/api/v1/changes")
def changes() -> Response:
    since = access.whole(parse.query_args(request, ("since",)).get("since", "0"), "since", least=0, most=2**53)
    with station().look(access.actor()) as look:
        body = rows.changes(look, since)
    response = jsonify(body)
    response.headers["ETag"] = f'"{body["next"]}"'
    response.make_conditional(request)
    return response
