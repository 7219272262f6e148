"""The phone's pages as an app: manifest, service worker, the page for no network, the outbox, and what is kept on the
phone of this person's tasks. Nothing personal is in anything that is kept for everybody.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, jsonify, render_template

from patrol.actions import handle
from patrol.queries import issues, tasks, walks
from patrol.queries.words import shown
from patrol.station import Work
from patrol.web import access, guard, language, phone_view
from patrol.web.access import door, station

bp = Blueprint("app", __name__)
ASSETS = Path(__file__).parents[2] / "templates" / "assets"
SHEETS = ("tokens", "base", "components", "phone", "print")
SCRIPTS = (
    "compare", "countdown", "forms", "http", "keys", "main", "pieces", "phone", "phone-always", "phone-device", "phone-draft",
    "phone-export", "phone-fix", "phone-form", "phone-kept", "phone-outbox", "phone-queue", "phone-shots",
    "phone-store", "phone-track", "phone-walk", "read-as", "strip", "theme", "time", "words",
)  # fmt: skip
SHELL = (
    *(f"/assets/css/{name}.css" for name in SHEETS), *(f"/assets/js/{name}.js" for name in SCRIPTS),
    "/assets/icons.svg", "/assets/icon.svg", "/phone/offline", "/phone/app.webmanifest",
)  # fmt: skip
MOST_PAGES = 30


@bp.app_context_processor
def _owner() -> dict[str, Any]:
    """Whose page it is, so that a phone in other hands forgets the one before."""

    def owner() -> str:
        person_id = access.actor().person_id
        return "" if person_id is None else str(person_id)

    return {"page_owner": owner}


@cache
def edition() -> str:
    """One word for all files of the shell: a changed file is a new worker."""
    digest = hashlib.sha256()
    for path in SHELL:
        if path.startswith("/assets/"):
            digest.update((ASSETS / path.removeprefix("/assets/")).read_bytes())
    digest.update((ASSETS / "js" / "phone-sw.js").read_bytes())
    return digest.hexdigest()[:12]


@door(bp, "GET", "/phone/sw.js")
def get_worker() -> Response:
    """The service worker; it may answer for /phone and nothing else."""
    head = f"const EDITION = {json.dumps(edition())};\nconst SHELL = {json.dumps(SHELL)};\n"
    body = head + (ASSETS / "js" / "phone-sw.js").read_text("utf-8")
    response = Response(body, mimetype="text/javascript")
    response.headers["Service-Worker-Allowed"] = "/phone"
    return response


@door(bp, "GET", "/phone/app.webmanifest")
def get_manifest() -> Response:
    place = station().place
    body = {
        "name": language.gettext("太湖港巡护"), "short_name": language.gettext("巡护"), "description": place.name, "lang": "zh-CN", "start_url": "/phone",
        "scope": "/phone", "id": "/phone", "display": "standalone", "background_color": "#F3F5F2", "theme_color": "#FFFFFF",
        "icons": [{"src": "/assets/icon.svg", "sizes": "any", "type": "image/svg+xml", "purpose": "any"}],
        "shortcuts": [{"name": language.gettext("快报"), "url": "/phone/report"}, {"name": language.gettext("待传"), "url": "/phone/outbox"}],
    }  # fmt: skip
    return Response(json.dumps(body, ensure_ascii=False), mimetype="application/manifest+json")


@door(bp, "GET", "/phone/offline")
def get_offline() -> str:
    """What is shown of a page that is not on this phone. It belongs to nobody."""
    return render_template("errors/offline.html")


@door(bp, "GET", "/phone/outbox")
def get_outbox() -> str:
    with station().look(access.actor()) as look:
        return render_template(
            "pages/phone/outbox.html", tabs=phone_view.tabs("/phone/outbox"), who=phone_view.who_words(look)
        )


@door(bp, "GET", "/phone/walk")
def get_walk() -> str:
    with station().look(access.actor()) as look:
        mine = [{"at": phone_view.moment(row.started_at.isoformat()), "metres": round(row.metres), "gaps": len(row.gaps),
                 "fast": "too_fast" in row.warnings} for row in walks.mine(look)]  # fmt: skip
        return render_template(
            "pages/phone/walk.html", tabs=phone_view.tabs("/phone/walk"), who=phone_view.who_words(look), walks=mine,
            grids=walks.progress(look) if look.actor.has("grid") else [], river=phone_view.river(look),
        )  # fmt: skip


@door(bp, "GET", "/phone/kept")
def get_kept() -> Response:
    """My tasks with the facts of their issues and slips, and which pages and pictures the phone should have."""
    who = access.actor()
    with station().look(who) as look:
        found = tasks.mine(look)[:MOST_PAGES]
        listed = [_kept(look, task) for task in found]
        session = access.session_value()
        token = guard.csrf_token(station().keys.session, session) if session else ""
        return jsonify({
            "person": str(who.person_id or ""), "name": who.name, "at": shown(look.now), "csrf": token,
            "edition": edition(), "tasks": listed,
            "pages": ["/phone", "/phone/report", "/phone/outbox", "/phone/walk", "/phone/me"],
        })  # fmt: skip


def _kept(look: Work, task: dict[str, Any]) -> dict[str, Any]:
    """One task: its facts, and the addresses of what belongs to it."""
    issue = handle.find_issue(look, task["issue"])
    detail = issues.detail(look, issue)
    job = task["job"]
    pages = [task["href"]] + ([f"{task['href']}?step={job.step}"] if job.step else [])
    return {
        **{name: task[name] for name in ("issue", "kind", "title", "place", "state", "chainage_m", "bank", "lon", "lat", "late")},
        "version": detail["version"], "clocks": detail["clocks"], "words": detail["words"],
        "requirement": detail["conditions"]["requirement"], "slips": [slip["json"] for slip in detail["slips"]],
        "pages": pages, "pictures": [photo["url"] + phone_view.THUMB for photo in detail["photos"] if not photo["lost"]],
    }  # fmt: skip
