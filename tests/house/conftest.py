"""What the tests of the look share: the gallery rendered without Flask, and the words of the time left."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, FileSystemLoader

ROOT = Path(__file__).parents[2]
NONCE = "dGVzdA"


def _words(msgid: str, /, **values: object) -> str:
    return msgid % values if values else msgid


@pytest.fixture(scope="session")
def gallery_environment() -> Environment:
    """Jinja over templates/, with a gettext that answers the Chinese msgid."""
    env = Environment(loader=FileSystemLoader(ROOT / "templates"), autoescape=True)
    env.globals["_"] = _words
    return env


@pytest.fixture(scope="session")
def macros(gallery_environment: Environment) -> Callable[[str], Any]:
    """The macros of templates/_macros/<name>.html."""
    return lambda name: gallery_environment.get_template(f"_macros/{name}.html").module


@pytest.fixture(scope="session")
def gallery_nonce() -> str:
    return NONCE


@pytest.fixture(scope="session")
def gallery_page(gallery_environment: Environment) -> Callable[[str], str]:
    """A whole gallery page, or an error page, as HTML."""

    def render(name: str) -> str:
        now = datetime.now(UTC).isoformat()
        facts: dict[str, Any] = {"csp_nonce": NONCE, "csrf_token": "t", "now": now, "me": {"role": "环保办"}}
        if name.startswith("errors/"):
            facts |= {"status": 409, "sentence": "这件已是待验收，不能再督办。", "error_id": "8F2C"}
        path = name if "/" in name else f"pages/ui/{name}"
        return gallery_environment.get_template(f"{path}.html").render(facts)

    return render


@pytest.fixture(scope="session")
def left_words() -> list[tuple[int, str, str]]:
    """Seconds left, unit of the limit, what is said; one 工作日 is six hours here."""
    rows = json.loads((ROOT / "tests" / "house" / "left_words.json").read_text("utf-8"))
    return [(left_s, unit, said) for left_s, unit, said in rows]
