"""The sample week as every test and picture of the pages looks at it: which pages there are, who opens them, what about.

A GET page that stands in no row here is a fault of `test_pages.py`, so that a new page is looked at from its first day.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from patrol import models as m
from patrol.rules.rights import PAGES
from patrol.station import Station


@dataclass(frozen=True)
class Shot:
    """One page: file name, path with {holes}, who looks, what to do before looking, and the row of PAGES it shows."""

    name: str
    path: str
    login: str = ""
    act: str = ""
    row: str = ""

    @property
    def hand(self) -> bool:
        """Whether it is held in the hand: targets of a phone, not of a desk."""
        return (
            not self.path.startswith(("/desk", "/hotline", "/ui", "/keys", "/callbacks")) and self.name != "map-office"
        ) or self.name in (
            "ui-phone",
            "ui-public",
        )


SHOTS = (
    Shot("home", "/"),
    Shot("report", "/report"),
    Shot("tips", "/tips"),
    Shot("tips-status", "/tips", act="look_up"),
    Shot("check", "/check?slip={slip}&code={code}"),
    Shot("map", "/map"),
    Shot("signin", "/signin"),
    Shot("phone", "/phone", "grid"),
    Shot("phone-issue", "/phone/issues/{on_site}", "grid", row="/phone/issues/<issue>"),
    Shot("phone-report", "/phone/report", "grid"),
    Shot("phone-me", "/phone/me", "grid"),
    Shot("phone-unit", "/phone", "water"),
    Shot("phone-unit-issue", "/phone/issues/{late}", "water"),
    Shot("desk", "/desk", "office"),
    Shot("desk-clue", "/desk/clues/{clue}", "office", row="/desk/clues/<clue>"),
    Shot("desk-issues", "/desk/issues", "office"),
    Shot("desk-issue", "/desk/issues/{late}", "office", row="/desk/issues/<issue>"),
    Shot("desk-issue-closed", "/desk/issues/{closed}", "office"),
    Shot("desk-assign", "/desk/issues/{reported}", "office"),
    Shot("desk-requests", "/desk/requests", "head"),
    Shot("desk-deliveries", "/desk/deliveries", "office"),
    Shot("desk-figures", "/desk/figures?open=push", "office", row="/desk/figures"),
    Shot("desk-people", "/desk/people", "head"),
    Shot("desk-chief", "/desk", "chief"),
    Shot("desk-flights", "/desk/flights", "office"),
    Shot("desk-review", "/desk/review", "office"),
    Shot("hotline", "/hotline", "operator"),
    Shot("keys", "/keys", "reward"),
    Shot("callbacks", "/callbacks", "operator"),
    Shot("map-office", "/map", "office"),
    Shot("nature", "/nature"),
    Shot("volunteer", "/volunteer", "volunteer"),
    Shot("desk-hands", "/desk/hands", "office"),
    Shot("desk-rewards", "/desk/rewards", "reward"),
    Shot("phone-walk", "/phone/walk", "grid"),
    Shot("phone-outbox", "/phone/outbox", "grid"),
    Shot("phone-offline", "/phone/offline"),
    Shot("ui", "/ui", "admin"),
    Shot("ui-inbox", "/ui?page=inbox", "admin"),
    Shot("ui-issue", "/ui?page=issue", "admin"),
    Shot("ui-phone", "/ui?page=phone", "admin"),
    Shot("ui-public", "/ui?page=public", "admin"),
    Shot("not-found", "/desk/issues/TH-2000-9999", "office"),
)

ELSEWHERE = {
    "/i/<issue>": "only sends on",
    "/desk/flights/<flight>": "the sample week has no drone bag; tests/web/test_sky_in_chromium.py looks at it",
    "/desk/rounds/<round>": "as above",
    "/desk/review/<thing>": "as above",
    "/desk/posters.pdf": "a paper",
    "/desk/figures.csv": "a sheet",
    "/phone/sw.js": "a script",
    "/phone/app.webmanifest": "facts for the phone's own launcher",
    "/phone/kept": "facts for a phone without a network",
    "/phone/outbox/<parcel>": "facts of one parcel",
    "/report/sum": "facts of the sum to do",
    "/desk/live": "a part of a page, fetched into it",
}


def unseen() -> set[str]:
    """Pages anybody may open that no row looks at."""
    seen = {shot.row or shot.path.partition("?")[0] for shot in SHOTS}
    return {row.path for row in PAGES if row.method == "GET"} - seen - set(ELSEWHERE)


def holes(station: Station) -> dict[str, str]:
    """The issues, clue and slip that pages are about."""
    with station.look() as look:

        def number(*where: object) -> str:
            query = select(m.Issue.number).where(*where).order_by(m.Issue.id.desc())  # type: ignore[arg-type]
            return str(look.session.scalars(query).first())

        late = select(m.Clock.issue_id).where(m.Clock.name == "rectify", m.Clock.due_at <= look.now)
        slip = look.session.scalars(select(m.Slip).where(m.Slip.superseded_by.is_(None)).order_by(m.Slip.id)).first()
        clue = look.session.scalars(select(m.Sighting.ref).where(m.Sighting.why == "unsure")).first()
        return {
            "late": number(m.Issue.id.in_(late), m.Issue.state == "supervised"),
            "closed": number(m.Issue.state == "closed", m.Issue.kind == "floating_debris"),
            "reported": number(m.Issue.state == "reported", m.Issue.kind == "bare_soil"),
            "on_site": number(m.Issue.state == "assigned", m.Issue.half1.is_(None)),
            "clue": str(clue), "slip": slip.number if slip else "", "code": slip.check_code if slip else "",
        }  # fmt: skip
