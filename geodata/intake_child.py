"""The child process that opens a stranger's Shapefile, GeoPackage or KML; one file each.

It holds the only call into GDAL. Before it looks at the file it limits its own memory, time and output,
cuts itself off from the network and from root where the system allows, and makes sure that GDAL knows one
driver only. It prints one JSON document and decides nothing about places.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import os
import sys
from pathlib import Path
from typing import Any

MEMORY_BYTES = 1024**3
CPU_S = 20
OUTPUT_BYTES = 128 * 1024**2
NOBODY = 65534
ROOT = 0
SHAPEFILE = "ESRI Shapefile"
_NEW_USER_AND_NETWORK = 0x10000000 | 0x40000000
_NEW_NETWORK = 0x40000000


def main(kind: str, path: str, most_features: int, most_vertices: int) -> None:
    """Prints `{"said": …, "notes": […], "features": […]}` or `{"error": {"code", "sentence"}}`."""
    _limit()
    from geodata.errors import GeoError

    try:
        said, notes, features = _read(kind, Path(path), most_features)
        found: dict[str, Any] = {"said": said, "notes": notes, "features": []}
        for feature in features:
            if len(found["features"]) > most_features:
                break
            feature["properties"] = _finite(feature["properties"])
            feature["geometry"], count = _plain(feature["geometry"], found["notes"])
            most_vertices -= count
            if most_vertices < 0:
                raise GeoError("too-much", "顶点太多，请先简化或裁剪到本河段。", "file")
            found["features"].append(feature)
        answer = found
    except GeoError as error:
        answer = {"error": {"code": error.code, "sentence": error.sentence}}
    except MemoryError:
        answer = {"error": {"code": "too-much", "sentence": "文件展开后太大，请先裁剪到本河段。"}}
    json.dump(answer, sys.stdout, ensure_ascii=True, allow_nan=False)


def others() -> None:
    """Prints the value of OGR_SKIP that leaves GDAL the one driver."""
    import pyogrio

    print(",".join(sorted(set(pyogrio.list_drivers()) - {SHAPEFILE})))


def _limit() -> None:
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT_BYTES, OUTPUT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _isolate() -> None:
    """No network and no root from here on, as far as the system lets us; the driver list is the hard wall."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.unshare(_NEW_NETWORK if os.geteuid() == ROOT else _NEW_USER_AND_NETWORK)
    if os.geteuid() == ROOT:
        with contextlib.suppress(OSError):
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)


def _read(kind: str, path: Path, most_features: int) -> tuple[str, list[str], Any]:
    if kind == "kml":
        from geodata.kml import read_kml

        _isolate()
        return "", [], read_kml(path.read_bytes())
    if kind == "gpkg":
        from geodata.gpkg import open_gpkg, read_rows

        _isolate()
        base, table, column, said = open_gpkg(path)
        return said, [], read_rows(base, table, column)
    return _shapefile(path, most_features)


def _shapefile(path: Path, most_features: int) -> tuple[str, list[str], Any]:
    import pyogrio
    import pyogrio.raw
    import shapely  # noqa: F401  (before root is given up: its files may be out of reach after)
    from pyogrio import errors

    from geodata.errors import GeoError

    # GDAL registers drivers on import, all but those that the parent forbade by name in OGR_SKIP.
    if set(pyogrio.list_drivers()) != {SHAPEFILE}:
        raise GeoError("unsafe", "本机的 GDAL 无法只留 Shapefile 一种格式，不能安全打开。", "file")
    encoding, notes = _encoding(path)
    _isolate()
    said = path.with_suffix(".prj").read_text("utf-8", "replace")[:8000]
    try:
        meta, _, shapes, columns = pyogrio.raw.read(
            str(path), encoding=encoding, max_features=most_features + 1, datetime_as_string=True
        )
    except (errors.DataSourceError, errors.DataLayerError, errors.FeatureError) as error:
        raise GeoError("bad-shapefile", "Shapefile 不完整或已损坏，请重新导出。", "file") from error
    except UnicodeDecodeError as error:
        raise GeoError("bad-encoding", f"属性表不是 {encoding} 编码，请附上 .cpg 文件。", "file") from error
    names = [str(name) for name in meta["fields"]]
    return said, notes, _rows(names, columns, shapes)


def _rows(names: list[str], columns: Any, shapes: Any) -> Any:
    import shapely

    from geodata.errors import GeoError

    for number, blob in enumerate(shapes):
        values = {name: _value(column[number]) for name, column in zip(names, columns, strict=True)}
        try:
            shape = None if blob is None else shapely.from_wkb(blob)
        except shapely.errors.ShapelyError as error:
            raise GeoError("bad-shapefile", f"第 {number + 1} 个要素的图形读不懂。", "file") from error
        yield {"type": "Feature", "properties": values, "geometry": shape}


def _encoding(path: Path) -> tuple[str, list[str]]:
    """What the attribute table is written in: what .cpg says, else GB18030, the habit of Chinese exports."""
    import codecs

    cpg = path.with_suffix(".cpg")
    said = cpg.read_text("ascii", "replace").strip()[:40] if cpg.exists() else ""
    with contextlib.suppress(LookupError):
        if said:
            return codecs.lookup(said if not said.isdigit() else f"cp{said}").name, []
    return "gb18030", ["没有可用的 .cpg，属性按 GB18030 读入，请核对汉字"]


def _value(item: Any) -> Any:
    plain = item.item() if hasattr(item, "item") else item
    if isinstance(plain, float) and not math.isfinite(plain):
        return None
    return plain if isinstance(plain, (str, int, float, bool)) else None if plain is None else str(plain)


def _plain(shape: Any, notes: list[str]) -> tuple[Any, int]:
    """A shapely shape as a GeoJSON dict; NaN and Infinity become null, which the checks behind name."""
    if shape is None or isinstance(shape, dict):
        return _finite(shape), 0 if shape is None else _count(shape.get("coordinates"))
    import shapely
    from shapely.geometry import mapping

    if shape.geom_type not in ("Point", "LineString", "Polygon", "MultiPolygon", "MultiLineString"):
        return {"type": shape.geom_type, "coordinates": None}, 0
    if (shape.has_z or shapely.has_m(shape)) and "高程已略去" not in notes:
        notes.append("高程已略去")
    flat = shapely.force_2d(shape)
    return _finite(mapping(flat)), int(shapely.count_coordinates(flat))


def _count(item: Any) -> int:
    nested = isinstance(item, list) and item and isinstance(item[0], list)
    return sum(_count(part) for part in item) if nested else 1


def _finite(item: Any) -> Any:
    if isinstance(item, dict):
        return {key: _finite(value) for key, value in item.items()}
    if isinstance(item, (list, tuple)):
        return [_finite(part) for part in item]
    return None if isinstance(item, float) and not math.isfinite(item) else item
