"""A town behind the JSON doors: tokens of every role, requests as outsiders make them, and what is kept."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from patrol import models as m
from patrol.actions import people
from patrol.rules.rights import ROLES
from patrol.station import ANYONE, SYSTEM, Actor, Station
from patrol.web import limits
from patrol.web.app import create_app
from tests.walk import Town, picture

PROBLEM = "application/problem+json"


@dataclass
class Api:
    """The app of a station, its town, and a client of each role."""

    station: Station
    app: Flask = field(init=False)
    town: Town = field(init=False)
    tokens: dict[tuple[Any, ...], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.app = create_app(self.station)
        self.app.testing = True  # a fault of ours stays an error, so that no test takes a 500 for an answer
        self.town = Town(self.station, seed=4000)
        limits.reset()
        for role in ROLES:  # made now, so that a first call by a role changes nothing
            self.token(role)

    def token(self, role: str, *, unit: str | None = None, grids: tuple[str, ...] | None = None,
              name: str | None = None) -> str:  # fmt: skip
        """The bearer token of a role; a unit's people belong to `water` unless said otherwise."""
        if role == "unit" and unit is None:
            unit = "water"
        key = (role, unit, grids, name)
        if key not in self.tokens:
            who = name or "-".join(filter(None, (role, unit, *(grids or ()))))
            with self.station.work(SYSTEM) as work:
                self.tokens[key] = people.add_token(work, who, role, unit=unit, grids=grids)
        return self.tokens[key]

    def actor(self, role: str, **who: Any) -> Actor:
        with self.station.look(ANYONE) as look:
            return people.actor_of_token(look, self.token(role, **who))

    def call(self, method: str, path: str, role: str | None = None, *, token: str | None = None,
             headers: dict[str, str] | None = None, version: int | None = None, who: dict[str, Any] | None = None,
             **request: Any) -> TestResponse:  # fmt: skip
        """One request, by a role's token, a literal token, or nobody."""
        sent = dict(headers or {})
        if role is not None:
            token = self.token(role, **(who or {}))
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if version is not None:
            sent["If-Match"] = f'"{version}"'
        return self.app.test_client().open(path, method=method, headers=sent, **request)

    def get(self, path: str, role: str | None = None, **more: Any) -> TestResponse:
        return self.call("GET", path, role, **more)

    def post(self, path: str, body: Any = None, role: str | None = None, **more: Any) -> TestResponse:
        if body is not None:
            more["json"] = body
        return self.call("POST", path, role, **more)

    def step(self, number: str, verb: str, role: str, body: dict[str, Any] | None = None, **more: Any) -> TestResponse:
        more.setdefault("version", self.town.issue(number).version)
        return self.post(f"/api/v1/issues/{number}/steps/{verb}", body or {}, role, **more)

    def report(self, role: str | None = None, photos: tuple[bytes, ...] = (), **fields: Any) -> TestResponse:
        """POST /reports with sensible fields; multipart as soon as there is a photo."""
        fields.setdefault("client_id", str(uuid.uuid4()))
        fields.setdefault("kind", "floating_debris")
        fields.setdefault("position", self.town.at())
        body = {name: value for name, value in fields.items() if value is not None}
        if not photos:
            return self.post("/api/v1/reports", body, role)
        return self.call("POST", "/api/v1/reports", role, **form({"report": body}, photos))

    def photo(self, number: str, stage: str, role: str, data: bytes | None = None, claim: dict[str, Any] | None = None,
              **more: Any) -> TestResponse:  # fmt: skip
        self.town.seed += 1
        if claim is None:
            claim = {"position": self.town.at(), "taken_at": self.station.now().isoformat()}
        sent = form({"claim": claim} if claim else {}, [picture(self.town.seed) if data is None else data])
        return self.call("POST", f"/api/v1/issues/{number}/photos?stage={stage}", role, **sent, **more)

    def kept(self) -> dict[str, Any]:
        """Everything that is kept: the rows of every table as a digest, and the names in the photo store."""
        found: dict[str, Any] = {"store": sorted(self.station.store.digests())}
        with self.station.look() as look:
            for table in m.Base.metadata.sorted_tables:
                if table.name == "beat":
                    continue
                rows = sorted(repr(tuple(row)) for row in look.session.execute(select(table)).all())
                found[table.name] = (len(rows), hashlib.sha256("\n".join(rows).encode()).hexdigest())
        return found

    def count(self, model: type[Any]) -> int:
        with self.station.look() as look:
            return look.session.query(model).count()


def form(parts: dict[str, Any], photos: Sequence[bytes], *, boundary: str = "b7c1f0d2") -> dict[str, Any]:
    """A multipart body of JSON parts and photos, whole and of known length."""
    pieces = [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
              + json.dumps(value).encode() + b"\r\n" for name, value in parts.items()]  # fmt: skip
    for index, data in enumerate(photos):
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="photo"; filename="{index}.jpg"\r\n'
        pieces.append(head.encode() + b"Content-Type: image/jpeg\r\n\r\n" + data + b"\r\n")
    body = b"".join(pieces) + f"--{boundary}--\r\n".encode()
    return {"data": body, "content_type": f"multipart/form-data; boundary={boundary}"}


def problem(response: TestResponse, status: int) -> dict[str, Any]:
    """The body of a refusal, in the one shape every refusal has."""
    assert response.status_code == status, (response.status_code, response.get_data(as_text=True)[:500])
    assert response.mimetype == PROBLEM
    body = json.loads(response.data)
    assert {"type", "title", "status", "detail", "errors", "request_id"} <= set(body)
    assert body["status"] == status and "Traceback" not in response.get_data(as_text=True)
    assert any("\u4e00" <= letter <= "\u9fff" for letter in body["detail"]), body["detail"]
    return dict(body)


def codes(body: dict[str, Any]) -> set[str]:
    return {fault["code"] for fault in body["errors"]}
