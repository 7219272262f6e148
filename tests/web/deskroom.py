"""A browser at the desk, for the tests of its pages: signed in, and posting forms as browsers write them."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask

from patrol.actions import people
from patrol.station import ANYONE
from patrol.web.access import COOKIE
from tests.walk import Town

PASSWORD = "ten-letters-long"


class Desk:
    """A signed-in browser at the desk."""

    def __init__(self, town: Town, app: Flask, *roles: str, name: str, unit: str | None = None) -> None:
        self.town, self.client = town, app.test_client()
        with town.station.work(ANYONE) as work:
            people.add_account(work, name, PASSWORD, roles, name=name, unit=unit)
        self.name = name
        self.sign_in()

    def sign_in(self) -> None:
        with self.town.station.work(ANYONE) as work:
            value = people.sign_in(work, self.name, PASSWORD)
        assert value is not None
        self.client.set_cookie(COOKIE, value, domain="localhost")

    def get(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path)
        assert answer.status_code == status, answer.get_data(as_text=True)[:800]
        return answer.get_data(as_text=True)

    @property
    def token(self) -> str:
        found = re.search(r'name="csrf-token" content="([^"]+)"', self.get("/desk"))
        assert found is not None
        return found[1]

    def post(self, path: str, fields: dict[str, Any], status: int = 303, *, plain: bool = False) -> str:
        given = {"csrf_token": self.token, **fields}
        if plain:
            answer = self.client.post(path, data=given, content_type="application/x-www-form-urlencoded")
        else:
            answer = self.client.post(path, data=encoded(given), content_type="multipart/form-data; boundary=desk")
        assert answer.status_code == status, answer.get_data(as_text=True)[:3000]
        return answer.headers.get("Location", "") if status == 303 else answer.get_data(as_text=True)

    def step(self, number: str, step: str, status: int = 303, **fields: Any) -> str:
        fields.setdefault("version", str(self.town.issue(number).version))
        return self.post(f"/desk/issues/{number}/steps/{step}", fields, status)


def encoded(fields: dict[str, Any]) -> bytes:
    """A multipart body as browsers write it; Werkzeug's own client leaves out the line end of an empty value."""
    parts = []
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            file = f'; filename="{name}.jpg"\r\nContent-Type: image/jpeg' if isinstance(one, bytes) else ""
            body = one if isinstance(one, bytes) else str(one).encode()
            head = f'--desk\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
            parts.append(head.encode() + body + b"\r\n")
    return b"".join(parts) + b"--desk--\r\n"
