"""Doors of the phone: my tasks, one issue with its steps, a quick report, who I am. Pages, and JSON to their scripts.

Photos and step arrive in one request and are kept in one transaction, or not at all; the same client id again
gets the first answer. Nothing here decides a step: `patrol.actions.handle` does.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, jsonify, redirect, render_template, request

from patrol import models as m
from patrol.actions import devices, handle, photos
from patrol.actions.photos import Claim, Shot
from patrol.errors import BadInput, Fault, Malformed, Stale, TooMuch, WrongStep
from patrol.queries import tasks
from patrol.rules import lifecycle, rights
from patrol.rules.problems import PROBLEMS
from patrol.station import Work
from patrol.web import access, answers, fields, parse, phone_forms, phone_view, repeat, reports
from patrol.web.access import door, station
from patrol.web.issues import read_claim
from patrol.web.multipart import FilePart
from patrol.web.phone_forms import Asked
from patrol.web.phone_steps import PAGES
from patrol.web.phone_take import act, report_body

bp = Blueprint("phone", __name__)
SHOWN_FIRST = 30  # cards before 还有 n 件
FILES = ("photo", "gallery")


@door(bp, "GET", "/phone")
def get_tasks() -> str:
    args = parse.query_args(request, ("did", "step", "asked", "all"))
    with station().look(access.actor()) as look:
        found = tasks.mine(look)
        shown = found if args.get("all") == "1" else found[:SHOWN_FIRST]
        run = next((task["issue"] for task in shown if task["job"].step), None)
        return render_template(
            "pages/phone/tasks.html", tasks=shown, count=len(found), run=run, who=phone_view.who_words(look),
            tabs=phone_view.tabs("/phone"), marks=phone_view.strip_marks(found), river=phone_view.river(look),
            did=_did(args), full=args.get("all") == "1", reports=True,
        )  # fmt: skip


def _did(args: dict[str, str]) -> dict[str, Any] | None:
    """What was just done, from the address the step led to: words of our own table only."""
    page, number = PAGES.get(args.get("step", "")), args.get("did", "")
    if page is None or not number or len(number) > 32:
        return None
    return {"issue": number, "words": page.button, "asked": args.get("asked") == "1"}


@door(bp, "GET", "/phone/issues/<issue>")
def get_issue(issue: str) -> str:
    wanted = parse.query_args(request, ("step",)).get("step")
    with station().look(access.actor()) as look:
        row = handle.find_issue(look, issue)
        return _issue_page(look, row, wanted, Asked())


def _issue_page(look: Work, row: m.Issue, wanted: str | None, asked: Asked, notice: str = "") -> str:
    page = phone_view.issue_page(look, row, wanted, asked)
    return render_template("pages/phone/issue.html", notice=notice, wanted=wanted, **page)


@door(bp, "POST", "/phone/issues/<issue>/steps/<step>")
def post_step(issue: str, step: str) -> Any:
    """Photos and the step, both or neither."""
    who, place = access.actor(), station()
    page = phone_forms.page_of(step, as_grid=who.has("grid"))
    if page is None:
        raise WrongStep("这一步请在电脑上办。", step=step[:20])
    sent, files = _multipart(("claims",), many=("checklist",))
    claims = _claims(sent.pop("claims", None), len(files))
    with place.look(who) as look:
        row = handle.find_issue(look, issue)  # nothing is stored for an issue that is not theirs
        body, faults = phone_forms.read(step, page, sent, place.place)
        key, digest = _key(look, row, step, body, files)
        before = repeat.given(look, key, digest) if key else None
    if before is not None:
        return _done(issue, step, before[1])
    shots, bad = _taken_in(files)
    faults += bad
    version = int(sent["version"]) if sent.get("version", "").isascii() and sent.get("version", "").isdigit() else None
    stage = phone_forms.stage_of(step, body.get("finding"))
    try:
        with place.work(who) as work:
            row = handle.find_issue(work, issue, lock=True)
            again = repeat.given(work, key, digest) if key else None
            if again is not None:
                return _done(issue, step, again[1])
            mine = [photo.ref for photo in phone_view.unused_photos(work, row)]
            refs = _attach(work, row, stage, shots, claims, faults)
            if refs:
                body["photos"] = list(dict.fromkeys((*mine, *refs)))
            answer = act(work, row, step, body, version, faults)
            if key:
                repeat.keep(work, key, digest, 200, answer)
    except (BadInput, Stale, WrongStep) as error:
        return _not_done(error, issue, step, stage, sent, shots, claims)
    return _done(issue, step, answer)


def _key(look: Work, row: m.Issue, step: str, body: dict[str, Any], files: Sequence[FilePart]) -> tuple[str, str]:
    if not body.get("client_id"):
        return "", ""
    key = repeat.key_of(look, f"phone:{row.id}:{step}", str(body["client_id"]))
    said = {name: value for name, value in body.items() if name != "at_claimed"}
    return key, repeat.digest_of(look, said, [file.sha256 for file in files])


def _multipart(json_fields: tuple[str, ...], many: tuple[str, ...] = ()) -> tuple[dict[str, Any], list[FilePart]]:
    most = station().settings.photo_max_mb * 1024 * 1024
    return parse.multipart_body(request, max_file_bytes=most, file_fields=FILES, json_fields=json_fields, many=many)


def _claims(raw: Any, count: int) -> list[Claim]:
    """What the phone says of each photo, in the order of the files; nothing where it says nothing."""
    if raw is None:
        return [Claim()] * count
    listed = raw.get("photos")
    if not isinstance(listed, list) or len(listed) != count or set(raw) != {"photos"}:
        raise BadInput(Fault("photo", "claims", "照片和它们的定位对不上，请刷新页面再传。"))
    return [read_claim(each) for each in listed]


def _taken_in(files: Sequence[FilePart]) -> tuple[list[Shot | None], list[Fault]]:
    """Every photo examined and stored; a bad one is named and holds back none of the others."""
    place = station()
    shots: list[Shot | None] = []
    faults: list[Fault] = []
    if files:
        place.room()
    for number, file in enumerate(files, start=1):
        try:
            shots.append(photos.take_in(place, file.content))
        except (BadInput, Malformed, TooMuch) as error:
            shots.append(None)
            faults.append(Fault("photo", error.code, f"第 {number} 张：{error.sentence}"))
    return shots, faults


def _attach(
    work: Work, row: m.Issue, stage: str, shots: Sequence[Shot | None], claims: Sequence[Claim], faults: list[Fault]
) -> list[str]:
    """The photos as rows of the issue; one that cannot be is named with the rest."""
    refs = []
    if shots:
        photos.check_day(work)
    for shot, claim in zip(shots, claims, strict=True):
        if shot is None:
            continue
        try:
            refs.append(photos.attach(work, row, stage, shot, claim).ref)
        except BadInput as bad:
            faults.extend(Fault("photo", fault.code, fault.sentence) for fault in bad.faults)
    return refs


def _done(issue: str, step: str, answer: dict[str, Any]) -> Any:
    to = f"/phone?did={issue}&step={step}" + ("&asked=1" if answer.get("asked") else "")
    if answers.wants_json(request):
        return jsonify({**answer, "next": to})
    return redirect(to, 303)


def _not_done(
    error: BadInput | Stale | WrongStep, issue: str, step: str, stage: str, sent: dict[str, Any],
    shots: Sequence[Shot | None], claims: Sequence[Claim],
) -> Any:  # fmt: skip
    """A script keeps the form and its photos; a plain form gets the page again, values in place, photos kept."""
    if answers.wants_json(request):
        raise error
    place, who = station(), access.actor()
    faults = list(error.faults) if isinstance(error, BadInput) else []
    if any(shots):
        with place.work(who) as work:
            _attach(work, handle.find_issue(work, issue, lock=True), stage, shots, claims, [])
    with place.look(who) as look:
        row = handle.find_issue(look, issue)
        notice = "" if faults else error.sentence
        return _issue_page(look, row, step, Asked(sent, faults), notice), answers.status_of(error)


@door(bp, "POST", "/phone/issues/<issue>/photos")
def post_photos(issue: str) -> Any:
    """Photos alone: the picture of what was there, before anything is put right."""
    sent, files = _multipart(("claims",))
    claims = _claims(sent.pop("claims", None), len(files))
    stage, place, who = sent.get("stage", ""), station(), access.actor()
    with place.look(who) as look:
        handle.find_issue(look, issue)
    shots, faults = _taken_in(files)
    if not files:
        faults.append(Fault("photo", "photo", f"缺{lifecycle.PHOTO_STAGES.get(stage, '')}照片。"))
    if faults:
        raise BadInput(faults)
    with place.work(who) as work:
        _attach(work, handle.find_issue(work, issue, lock=True), stage, shots, claims, faults)
        if faults:
            raise BadInput(faults)
    step = sent.get("step") if sent.get("step") in PAGES else "handle_here"
    to = f"/phone/issues/{issue}?step={step}"
    return jsonify({"issue": issue, "next": to}) if answers.wants_json(request) else redirect(to, 303)


@door(bp, "POST", "/phone/requests/<request_id>/withdraw")
def post_withdraw(request_id: int) -> Any:
    sent = parse.form_body(request)
    with station().work(access.actor()) as work:
        result = handle.withdraw(work, request_id, access.whole(sent.get("version", ""), "version"))
        number = result.issue.number
    return redirect(f"/phone/issues/{number}", 303)


# ---------------------------------------------------------------- quick report, me


@door(bp, "GET", "/phone/report")
def get_report() -> str:
    return _report_page(Asked())


def _report_page(asked: Asked, sent: dict[str, Any] | None = None) -> str:
    with station().look(access.actor()) as look:
        said = {fault.where: fault.sentence for fault in asked.faults}
        return render_template(
            "pages/phone/report.html", tabs=phone_view.tabs("/phone/report"), who=phone_view.who_words(look), sent=sent,
            values=asked.values, faults=asked.faults, said=said, river=phone_view.river(look),
            client_id=asked.values.get("client_id") or str(uuid.uuid4()),
            kinds=[{"value": row.code, "zh": row.zh, "symbol": f"kind-{row.code}"} for row in PROBLEMS.values()],
        )  # fmt: skip


@door(bp, "POST", "/phone/report")
def post_report() -> Any:
    sent, files = _multipart(("claims",))
    sent.pop("claims", None)
    try:
        raw = report_body(sent)
        model = fields.read_model(fields.ReportIn, raw)
        reports.ask_place(model)
        _, answer = reports.take(access.actor(), model, raw, [file.content for file in files])
    except BadInput as bad:
        if answers.wants_json(request):
            raise
        return _report_page(Asked(sent, bad.faults)), 422
    kept = {**answer, "kind": PROBLEMS[raw["kind"]].zh, "photos": len(files)}
    if answers.wants_json(request):
        return jsonify(kept)
    return _report_page(Asked(), kept)


@door(bp, "GET", "/phone/me")
def get_me() -> str:
    with station().look(access.actor()) as look:
        actor = look.actor
        names = {grid.code: f"{grid.name}（{grid.community}）" for grid in look.place.grids}
        unit = look.place.units.get(actor.unit or "")
        grids = None
        if actor.has("grid"):
            grids = (
                "全部网格" if actor.grids is None else "、".join(names.get(code, code) for code in sorted(actor.grids))
            )
        roles = "、".join(rights.ROLES[role].zh for role in sorted(actor.roles) if role in rights.ROLES)
        return render_template("pages/phone/me.html", tabs=phone_view.tabs("/phone/me"), name=actor.name, roles=roles,
                               phones=devices.listed(look, actor.person_id) if actor.via == "page" else None,
                               unit=unit.name if unit else None, grids=grids, count=len(tasks.mine(look)),
                               desk=actor.has("office", "office_head", "chief", "inspector"))  # fmt: skip
