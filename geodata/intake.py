"""Vector files from outside into layers of a place: GeoJSON, Shapefile, GeoPackage, KML, opened safely.

The format is told by the first bytes, never by the name. GeoJSON is read here by the strict parser; every
other format in a child process that cannot reach other files' drivers or the network. The coordinate
system is always declared by a person and compared with what the file says and holds.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from geodata.crs import Declared, declared, disagreement
from geodata.drawing import Faults
from geodata.errors import GeoError
from geodata.layers import (
    LAYERS,
    MAX_FEATURES,
    MAX_VERTICES_IN_ALL,
    Feature,
    build,
    raw_features,
    rule_of,
    write_geojson,
    write_whole,
)
from geodata.place_check import check
from geodata.unpack import MAX_UNPACKED_BYTES, unpack

WALL_S = 30
MAX_FILE_BYTES = 64 * 1024 * 1024
_PARTS = {".shx": "索引", ".dbf": "属性表", ".prj": "坐标系"}
_ALIASES = {
    "code": ("code", "编号", "编码", "代码", "id", "bh"),
    "name": ("name", "名称", "名字", "mc", "title"),
    "community": ("community", "社区", "所属社区", "sq"),
}
_NUMBERED = {"key_areas": "KA", "grids": "G", "outfalls": "PK"}
_ROOT = Path(__file__).resolve().parent.parent
_START_AT = "import sys; sys.path.insert(0, {root!r}); from geodata.intake_child import main, others; "
_START = _START_AT + "main({kind!r}, {path!r}, {features}, {vertices})"


@dataclass(frozen=True)
class Imported:
    """What an import did: layer, features, what was done on the way, what a person should look at."""

    layer: str
    features: int
    notes: tuple[str, ...]
    faults: tuple[GeoError, ...]


def read_vector(path: str | Path, layer: str, crs: str) -> list[Feature]:
    """The features of one file for one layer, in WGS-84, every shape checked.

    `crs`: what the file's numbers are (see `geodata.crs.declared`). Raises GeoError, or GeoErrors with every
    fault: `unsupported`, `unknown-crs`, `crs-mismatch`, `too-much`, `bad-zip`, `missing-part` and those of
    `geodata.layers`.
    """
    features, _ = _read(Path(path), layer, crs)
    return features


def import_layer(file: str | Path, layer: str, crs: str, into: str | Path) -> Imported:
    """Reads a file into a layer of a place folder, which is made where absent. All or nothing.

    Raises as `read_vector` does; then the folder is as it was.
    """
    features, notes = _read(Path(file), layer, crs)
    folder = Path(into)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "place.toml").exists():
        write_whole(folder / "place.toml", _new_place(folder.resolve().name))
        notes.append("已新建 place.toml，请填写办公室名称、电话等")
    write_geojson(folder / f"{layer}.geojson", features)
    return Imported(layer, len(features), tuple(notes), tuple(check(folder)))


def _read(path: Path, layer: str, crs: str) -> tuple[list[Feature], list[str]]:
    rule_of(layer)
    system = declared(crs)
    kind = _kind(path)
    faults = Faults(layer)
    notes: list[str] = []
    if kind == "geojson":
        raw = raw_features(path.read_bytes(), layer, system, faults)
    else:
        raw = _from_child(path, kind, layer, system, faults, notes)
    features = build(_renamed(raw, layer, notes), layer, system, faults)
    for feature in features:
        notes += [note for note in feature.notes if note not in notes]
    return features, notes


def _kind(path: Path) -> str:
    if str(path).startswith("/vsi") or "://" in str(path) or ":/" in str(path)[2:]:
        raise GeoError("unsupported", "只收本机文件，不收网址和虚拟路径。", "file")
    if not path.is_file():
        raise GeoError("no-file", f"没有这个文件：{path}", "file")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise GeoError("too-much", f"文件超过 {MAX_FILE_BYTES // 2**20} MB，请先裁剪到本河段。", "file")
    with path.open("rb") as file:
        head = file.read(4096)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"PK\x03\x04") or head.startswith(b"PK\x05\x06"):
        return "zip"
    if head.startswith(b"SQLite format 3\x00"):
        return "gpkg"
    if head.startswith(b"\x00\x00\x27\x0a"):
        return "shapefile"
    if text.startswith((b"{", b"[", b'"')):
        return "geojson"
    if text.startswith(b"<") and re.search(rb"<(\w+:)?kml[\s>]", head):
        return "kml"
    raise GeoError("unsupported", "认不出文件格式：只收 GeoJSON、Shapefile（zip）、GeoPackage、KML。", "file")


def _from_child(path: Path, kind: str, layer: str, system: Declared, faults: Faults, notes: list[str]) -> list[Any]:
    with tempfile.TemporaryDirectory(prefix="layer-") as name:
        room = Path(name)
        room.chmod(0o755)
        if kind == "zip":
            inside = unpack(path, room)
            kind = "shapefile" if inside.suffix == ".shp" else "kml"
        elif kind == "shapefile":
            inside = _gather(path, room)
        else:
            inside = room / f"layer.{kind}"
            shutil.copyfile(path, inside)
        if kind == "shapefile":
            _check_parts(inside, faults)
        answer = _ask_child(kind, inside, room)
    notes += [str(note) for note in answer["notes"]]
    said = str(answer["said"])
    if said:
        wrong = disagreement(system, said)
        if wrong:
            # In the wrong system every single point would be wrong: one sentence says it.
            faults.add("crs-mismatch", wrong)
            faults.close()
    elif system.metres and kind == "kml":
        faults.add("crs-mismatch", f"KML 只能是经纬度，与声明的 {system.name} 不符。")
    elif kind == "gpkg":
        notes.append("文件没写坐标系，按声明的读入")
    return list(answer["features"])


def _gather(shp: Path, room: Path) -> Path:
    total = 0
    for part in shp.parent.iterdir():
        suffix = part.suffix.lower()
        if part.stem == shp.stem and suffix in (".shp", ".cpg", *_PARTS) and part.is_file():
            total += part.stat().st_size
            if total > MAX_UNPACKED_BYTES:
                raise GeoError("too-much", f"Shapefile 超过 {MAX_UNPACKED_BYTES // 2**20} MB，请先裁剪。", "file")
            shutil.copyfile(part, room / f"layer{suffix}")
    return room / "layer.shp"


def _check_parts(shp: Path, faults: Faults) -> None:
    with shp.open("rb") as file:
        if file.read(4) != b"\x00\x00\x27\x0a":
            raise GeoError("bad-shapefile", ".shp 的内容不是 Shapefile，请重新导出。", "file")
    for suffix, what in _PARTS.items():
        if not shp.with_suffix(suffix).exists():
            faults.add("missing-part", f"缺少 {suffix}（{what}），请把同名的几个文件一起打包。")
    faults.close()


def _ask_child(kind: str, inside: Path, room: Path) -> dict[str, Any]:
    start = _START.format(
        root=str(_ROOT),
        kind=kind,
        path=inside.name,
        features=MAX_FEATURES,
        vertices=MAX_VERTICES_IN_ALL,
    )
    # A clean environment: no proxy, no GDAL or PROJ setting of the parent, one numeric thread.
    env = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "GDAL_DISABLE_READDIR_ON_OPEN": "YES"}
    env |= {key: os.environ[key] for key in ("SYSTEMROOT", "LD_LIBRARY_PATH") if key in os.environ}
    if kind == "shapefile":
        env["OGR_SKIP"] = _other_drivers()
    for part in room.iterdir():
        part.chmod(0o644)
    with tempfile.TemporaryFile() as out:
        try:
            ended = subprocess.run(
                [sys.executable, "-I", "-B", "-c", start],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.DEVNULL,
                env=env,
                cwd=room,
                timeout=WALL_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise GeoError("too-much", f"文件 {WALL_S} 秒内读不完，请先裁剪到本河段。", "file") from error
        out.seek(0)
        text = out.read()
    if ended.returncode != 0:
        raise GeoError("unreadable", "文件读不下去（太大或已损坏），请重新导出。", "file")
    answer = json.loads(text)
    if "error" in answer:
        raise GeoError(str(answer["error"]["code"]), str(answer["error"]["sentence"]), "file")
    return dict(answer)


@lru_cache(maxsize=1)
def _other_drivers() -> str:
    """Every driver of this GDAL but the shapefile's, asked once of a process that opens nothing."""
    ask = _START_AT.format(root=str(_ROOT)) + "others()"
    told = subprocess.run([sys.executable, "-I", "-c", ask], capture_output=True, timeout=WALL_S, check=True, text=True)
    return told.stdout.strip()


def _renamed(raw: list[Any], layer: str, notes: list[str]) -> Iterator[Any]:
    """Gives features the property names a layer needs, from the usual Chinese and capital spellings."""
    required = LAYERS[layer].required
    for number, feature in enumerate(raw, start=1):
        given = feature.get("properties") if isinstance(feature, dict) else "none"
        if not required or not (given is None or isinstance(given, dict)):
            yield feature
            continue
        kept = dict(given or {})
        folded = {str(key).strip().lower(): value for key, value in kept.items()}
        for wanted in required:
            for alias in _ALIASES[wanted]:
                value = folded.get(alias)
                if isinstance(value, float) and value.is_integer():
                    value = int(value)
                if value is not None and not isinstance(value, (bool, dict, list)) and str(value).strip():
                    kept[wanted] = str(value).strip()
                    break
        if "code" in required and not kept.get("code"):
            kept["code"] = f"{_NUMBERED[layer]}{number:02d}"
            if "没有编号的要素已按顺序编号" not in notes:
                notes.append("没有编号的要素已按顺序编号")
        yield feature | {"properties": kept}


def _new_place(name: str) -> str:
    letters = re.sub(r"[^A-Za-z]", "", name).upper()
    quoted = json.dumps(name, ensure_ascii=False)
    return "\n".join(
        [
            f"code = {quoted}",
            f"name = {quoted}",
            "schematic = false",
            'office = "（请填写：如 某区人民政府某街道办事处）"',
            'slip_prefix = "（请填写）"',
            f'number_prefix = "{letters[:2] if len(letters) >= 2 else "PL"}"',
            'hotline = "（请填写）"',
            "notes = []",
            "",
        ]
    )
