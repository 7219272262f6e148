"""What every page shares: the words of its language, the shells' names, and the page doors themselves."""

from __future__ import annotations

from typing import Any

from flask import Flask, request

from patrol.queries.words import shown
from patrol.station import Station
from patrol.web import phone


def install_pages(app: Flask, station: Station) -> None:
    """Jinja names that every template rests on, and the page doors."""

    def gettext(message: str, /, **values: Any) -> str:
        return message % values if values else message

    app.jinja_env.globals["_"] = gettext

    @app.context_processor
    def _shared() -> dict[str, Any]:
        return {"now": shown(station.now()), "lang": "zh-CN", "tip_phone": station.place.hotline, "place": station.place,
                "path": request.path}  # fmt: skip

    app.register_blueprint(phone.bp)
