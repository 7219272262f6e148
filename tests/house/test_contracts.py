"""Who may import whom: the contracts of pyproject.toml hold, and can break."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, '.'); {LINT}"],
        cwd=folder, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip


def modules(*rooms: str) -> Iterator[tuple[str, ast.Module]]:
    for room in rooms:
        found = sorted((ROOT / room).rglob("*.py")) if (ROOT / room).is_dir() else [ROOT / f"{room}.py"]
        for path in found:
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text("utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_all_contracts_hold() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout
    assert "Contracts: 11 kept, 0 broken." in done.stdout


STRAYS = {
    "patrol/helpers.py": ("", "2. "),
    "geodata/stray.py": ("import patrol.errors\n", "1. "),
    "patrol/rules/stray.py": ("import requests\n", "6. "),
    "patrol/models/stray.py": ("import patrol.gateways.cards\n", "2. "),
    "patrol/gateways/stray.py": ("import patrol.gateways.robots\n", "10. "),
    "patrol/queries/stray.py": ("import flask\n", "7. "),
    "patrol/actions/stray.py": ("import folium\n", "9. "),
    "patrol/web/strayd.py": ("import celery\n", "8. "),
    "geodata/strayd.py": ("import sqlalchemy\n", "5. "),
    "patrol/web/tips.py": ("import patrol.web.reports\n", "3. "),
    "patrol/errors.py": ("import patrol.settings\n", "4. "),
}


def test_every_contract_breaks_on_what_it_forbids(tmp_path: Path) -> None:
    for room in ("patrol", "geodata", "worker"):
        for path in (ROOT / room).rglob("*.py"):
            target = tmp_path / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    for name, (line, _) in STRAYS.items():
        path = tmp_path / name
        path.write_text((path.read_text("utf-8") if path.exists() else "") + "\n" + line, "utf-8")
    said = lint(tmp_path).stdout
    broken = {line.split(". ")[0] + ". " for line in said.splitlines() if " BROKEN" in line}
    assert broken == {number for _, number in STRAYS.values()}, said


def test_the_law_imports_the_standard_library_and_itself() -> None:
    for name, tree in modules("patrol/rules"):
        for module in imported(tree):
            top = module.partition(".")[0]
            assert module.startswith("patrol.rules") or top in sys.stdlib_module_names, (name, module)


def test_every_door_is_in_the_contract_of_doors() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "doors")
    listed = {f"patrol.web.{name.strip()}" for layer in layers for name in layer.split("|")}
    doors = set()
    for name, tree in modules("patrol/web"):
        decorators = (
            decorator
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef)
            for decorator in node.decorator_list
        )
        if any(isinstance(each, ast.Call) and getattr(each.func, "id", "") == "door" for each in decorators):
            doors.add(name.removesuffix(".py").replace("/", "."))
    covered = {door for door in doors if any(door == each or door.startswith(each + ".") for each in listed)}
    assert doors == covered and doors, doors - covered


def test_only_delivery_sends_through_a_robot() -> None:
    senders = {
        name
        for name, tree in modules("patrol", "worker")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "send"
    }
    outside = {name for name in senders if not name.startswith("patrol/gateways/")}
    assert outside, "nothing sends: the search no longer finds what it looks for"
    assert all(name.startswith("patrol/actions/delivery") for name in outside), outside


@pytest.mark.parametrize("room", ["patrol", "geodata", "worker"])
def test_no_naked_except(room: str) -> None:
    """`except Exception` only around an errand and in the handler of the last resort."""
    found = []
    for name, tree in modules(room):
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler):
                caught = node.type
                if caught is None or (isinstance(caught, ast.Name) and caught.id == "Exception"):
                    found.append(name)
    allowed = ("patrol/actions/delivery", "patrol/web/guard.py")
    assert [name for name in found if not name.startswith(allowed)] == []


@pytest.mark.parametrize("module", ["patrol.cli", "geodata.errors"])
def test_help_is_quick_because_nothing_heavy_is_imported(module: str) -> None:
    heavy = [
        "sqlalchemy",
        "numpy",
        "flask",
        "pydantic",
        "typst",
        "PIL",
        "nacl",
        "requests",
        "geopandas",
        "alembic",
    ]
    code = f"import sys, {module}; print(sorted(set(sys.modules) & set({heavy!r})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
