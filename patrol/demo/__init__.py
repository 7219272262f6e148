"""The sample: a believable week on the bundled river, or one flight without a server.

Everything here is invented and drawn, and says so. It calls the same deeds as the web and the terminal; it
must not write a row of an issue by itself, and it never loads into a folder that holds real data.
"""

from __future__ import annotations

from pathlib import Path

from patrol.settings import Settings


def run(settings: Settings, headless: bool = False, out: Path | None = None) -> int:
    """Load once, show the ways in, serve until Ctrl-C; headless: files in `out`. Returns the exit code."""
    from patrol.demo import screen

    if headless:
        return screen.headless(settings, out or Path("demo"))
    return screen.serve(settings)
