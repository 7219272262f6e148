"""What every page shares: the words of its language, the shells' names, and the page doors themselves."""

from __future__ import annotations

from typing import Any

from flask import Flask, request

from patrol.queries.words import shown
from patrol.station import Station
from patrol.web import (
    desk_figures,
    desk_hands,
    desk_rewards,
    desk_shell,
    desk_take,
    desk_work,
    devices,
    gallery,
    hotline,
    language,
    mapdoor,
    nature,
    phone,
    phone_app,
    phone_outbox,
    public,
    signin,
    sky_pages,
    sky_review,
    volunteer,
)


def install_pages(app: Flask, station: Station) -> None:
    """Jinja names that every template rests on, and the page doors."""

    @app.context_processor
    def _shared() -> dict[str, Any]:
        return {"now": shown(station.now()), "lang": language.language(), "tip_phone": station.place.hotline, "log_tips": station.settings.log_tips, "place": station.place,
                "path": request.path}  # fmt: skip

    for bp in (phone.bp, phone_app.bp, phone_outbox.bp):
        app.register_blueprint(bp)
    for doors in (desk_figures, desk_take, desk_work, desk_hands, desk_rewards, sky_pages, sky_review):
        assert doors.__name__  # one blueprint, its doors in several files: importing them registers their routes
    app.register_blueprint(desk_shell.bp)
    for bp in (public.bp, signin.bp, devices.bp, hotline.bp, mapdoor.bp, gallery.bp, volunteer.bp, nature.bp):
        app.register_blueprint(bp)
