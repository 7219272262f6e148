"""Every benchmark in this folder, short: `python bench/_all.py [--whole] [NAME ...]`, or `make bench`.

Standard output carries JSON lines only; what else a benchmark prints goes to standard error. A benchmark that lacks
its input, takes longer than a minute or breaks is one line that says so, and the others still run; the exit code is
then 1, unless only input was lacking. `--whole` runs each as it is by itself, without a limit.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SAMPLES = Path(os.environ.get("PATROL_TEST_DATA", HERE.parents[1] / "shared" / "data"))
EXPOSURE = SAMPLES / "multispectral" / "sequoia_garfield"
LIMIT_S = 60
# what makes one short; a benchmark that is not named here runs as it is
SHORT: dict[str, list[str]] = {
    "align": [str(EXPOSURE)],
    "detect": ["--runs", "3"],
    "recognise": ["--runs", "1"],
    "recognition_scores": ["--scenes", "2", "--only", "all"],
}
ALWAYS: dict[str, list[str]] = {"align": [str(EXPOSURE)]}  # needs it even when whole
MODELS = HERE.parent / "data" / "models"
NEEDS: dict[str, tuple[Path, str]] = {
    "align": (EXPOSURE, "its sample files are not here: set PATROL_TEST_DATA"),
    "detect": (MODELS, "no model is installed: patrol models install"),
}


def line(bench: str, case: str, seconds: float, note: str) -> None:
    print(json.dumps({"bench": bench, "case": case, "seconds": round(seconds, 1), "note": note}), flush=True)


def run(name: str, arguments: list[str], limit_s: float | None) -> bool:
    """Run one benchmark; returns whether it went well, or only lacked its input."""
    lacking = [why for path, why in [NEEDS[name]] if not path.exists()] if name in NEEDS else []
    if lacking:
        line(name, "left_out", 0.0, lacking[0])
        return True
    began = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, str(HERE / f"{name}.py"), *arguments], stdout=subprocess.PIPE, text=True, timeout=limit_s,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        said, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired as late:
        said, code = (late.stdout or b"").decode() if isinstance(late.stdout, bytes) else late.stdout or "", None
    for each in said.splitlines():
        print(each, file=sys.stdout if each.startswith("{") else sys.stderr, flush=True)
    took_s = time.monotonic() - began
    if code is None:
        line(name, "stopped", took_s, f"longer than {LIMIT_S} s on this machine now: run it by itself, or --whole")
    else:
        line(name, "ended" if code == 0 else "broken", took_s, f"exit {code}")
    return code == 0


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--whole", action="store_true", help="each as it is by itself, without a limit")
    asked.add_argument("names", nargs="*", metavar="NAME")
    said = asked.parse_args()
    known = sorted(path.stem for path in HERE.glob("[a-z]*.py"))
    if wrong := set(said.names) - set(known):
        asked.error(f"no such benchmark: {', '.join(sorted(wrong))}; there are {', '.join(known)}")
    arguments, limit_s = (ALWAYS, None) if said.whole else (SHORT, LIMIT_S)
    went = [run(name, arguments.get(name, []), limit_s) for name in said.names or known]
    return 0 if all(went) else 1


if __name__ == "__main__":
    sys.exit(main())
