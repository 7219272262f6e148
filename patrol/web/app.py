"""The Flask app around a Station: guard first, then one blueprint a door."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, request
from flask.wrappers import Response

from patrol.station import Station
from patrol.web import (
    access,
    aftermath,
    figures,
    flights,
    guard,
    hands,
    health,
    issues,
    keys,
    language,
    live,
    openapi,
    papers,
    reports,
    rewards,
    tips,
    walks,
)
from patrol.web import assets as files
from patrol.web.pages import install_pages

TEMPLATES = Path(__file__).parents[2] / "templates"


def create_app(station: Station) -> Flask:
    """An app that serves this station; everything else is in its doors."""
    app = Flask("patrol", template_folder=str(TEMPLATES), static_folder=None)
    app.json.ensure_ascii = False  # type: ignore[attr-defined]  # the default provider has it
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["patrol"] = station
    app.config["TRUSTED_PROXIES"] = station.settings.proxies
    app.config["LOG_TIPS"] = station.settings.log_tips
    names = [name.strip() for name in station.settings.hosts.split(",") if name.strip()]
    install_pages(app, station)
    guard.install(app, csrf_key=station.keys.session, hosts=[*names, station.settings.host],
                  session_of=lambda _: access.session_value())  # fmt: skip
    language.install(app)
    for bp in (
        reports.bp,
        flights.bp,
        live.bp,
        aftermath.bp,
        issues.bp,
        figures.bp,
        papers.bp,
        tips.bp,
        keys.bp,
        rewards.bp,
        hands.bp,
        health.bp,
        openapi.bp,
        walks.bp,
    ):
        app.register_blueprint(bp)

    @app.get("/assets/<path:name>")
    def assets(name: str) -> Response:
        return files.file_of(request, TEMPLATES / "assets", name)

    return app
