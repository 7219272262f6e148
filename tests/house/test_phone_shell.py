"""The shell a phone keeps is whole: every module it holds finds the modules it imports without a network."""

from __future__ import annotations

import re

from patrol.web.phone_app import ASSETS, SCRIPTS, SHEETS


def test_every_module_of_the_shell_finds_its_imports_in_it() -> None:
    missing = {
        (name, wanted)
        for name in SCRIPTS
        for wanted in re.findall(r'from "\./([\w-]+)\.js"', (ASSETS / "js" / f"{name}.js").read_text("utf-8"))
        if wanted not in SCRIPTS
    }
    assert missing == set()
    assert all((ASSETS / "css" / f"{name}.css").is_file() for name in SHEETS)


def test_every_script_of_the_phone_is_in_the_shell() -> None:
    ours = {path.stem for path in (ASSETS / "js").glob("phone*.js")} - {"phone-sw"}
    assert ours <= set(SCRIPTS)
