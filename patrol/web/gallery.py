"""`/ui`: every component of the design system in each of its states, and four whole pages made of them.

For whoever changes a template: the samples are invented, nothing is read from the station. The tests of the look draw
the same files, so that what is shown here is what is tested.
"""

from __future__ import annotations

from flask import Blueprint, render_template, request

from patrol.errors import Missing
from patrol.web import parse
from patrol.web.access import door

bp = Blueprint("gallery", __name__)

SHOWN = ("components", "inbox", "issue", "phone", "public")


@door(bp, "GET", "/ui")
def show() -> str:
    page = parse.query_args(request, ("page",)).get("page", SHOWN[0])
    if page not in SHOWN:
        raise Missing("没有这一页。")
    return render_template(f"pages/ui/{page}.html", me={"role": "环保办"})
