"""A real Chromium and a page server for tests: what a page shows is looked at where people look at it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from werkzeug.serving import make_server

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--no-first-run", "--disable-sync"]  # fmt: skip


@contextmanager
def launched() -> Iterator[Any]:
    """A Chromium without a window; the test is left out, with the reason, where there is none."""
    if not PROGRAM:
        pytest.skip("no Chromium here: apt install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=PROGRAM, args=QUIET)
        yield browser
        browser.close()


@contextmanager
def answering(app: Any) -> Iterator[str]:
    """The address at which an app answers while the block runs."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    with turning(server):
        yield f"http://127.0.0.1:{server.server_port}"


@contextmanager
def turning(server: Any) -> Iterator[None]:
    """A server that serves on a thread of its own while the block runs."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield
    server.shutdown()
    thread.join()
    server.server_close()
