"""GeoPackage into plain features, read only, by SQLite alone: no GDAL, no extension, no view.

A GeoPackage is a program as much as a file (views, triggers, generated columns), so its schema is read and
refused before a single row is.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import shapely

from geodata.errors import GeoError

_HEAD = b"SQLite format 3\x00"
_APPLICATION = (b"GPKG", b"GP10", b"GP11")
_ENVELOPE_BYTES = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}
# What the standard itself puts there; they run on writing, and nothing is written.
_USUAL_TRIGGER = re.compile(r"(rtree|gpkg|trigger_(insert|delete)_feature_count)_", re.IGNORECASE)


def open_gpkg(path: Path) -> tuple[sqlite3.Connection, str, str, str]:
    """The connection, the one feature table, its geometry column, and its word on its system, or "".

    Raises GeoError `bad-gpkg`.
    """
    head = path.open("rb").read(72)
    if head[:16] != _HEAD or (head[68:72] not in _APPLICATION and head[68:72] != b"\0\0\0\0"):
        raise _bad("不是 GeoPackage。")
    base = sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)
    try:
        base.execute("PRAGMA trusted_schema=OFF")
        base.execute("PRAGMA cell_size_check=ON")
        _check_schema(base)
        base.set_authorizer(_only_reading)
        tables = base.execute(
            "SELECT c.table_name, g.column_name, c.srs_id FROM gpkg_contents c"
            " JOIN gpkg_geometry_columns g ON g.table_name = c.table_name"
            " WHERE c.data_type = 'features' LIMIT 20"
        ).fetchall()
        if len(tables) != 1:
            raise _bad(f"里面有 {len(tables)} 个要素图层，请只留一个。" if tables else "里面没有要素图层。")
        table, column, srs = tables[0]
        row = base.execute(
            "SELECT organization, organization_coordsys_id, definition FROM gpkg_spatial_ref_sys WHERE srs_id = ?",
            (srs,),
        ).fetchone()
        real = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        if base.execute(real, (table,)).fetchone() is None or not isinstance(column, str):
            raise _bad("要素图层不是一张表，请重新导出。")
    except sqlite3.Error as error:
        base.close()
        raise _bad("文件不完整或已损坏，请重新导出。") from error
    except GeoError:
        base.close()
        raise
    return base, str(table), column, _said(row)


def read_rows(base: sqlite3.Connection, table: str, column: str) -> Iterator[dict[str, Any]]:
    """GeoJSON-like features one by one. Raises GeoError `bad-gpkg` for a row that is not a geometry."""
    try:
        cursor = base.execute(f"SELECT * FROM {_quoted(table)}")
        names = [str(item[0]) for item in cursor.description]
        for number, row in enumerate(cursor, start=1):
            values = dict(zip(names, row, strict=True))
            blob = values.pop(column, None)
            plain = {key: value for key, value in values.items() if not isinstance(value, bytes)}
            yield {"type": "Feature", "properties": plain, "geometry": _shape(blob, number)}
    except sqlite3.Error as error:
        raise _bad("文件不完整或已损坏，请重新导出。") from error


def _check_schema(base: sqlite3.Connection) -> None:
    for kind, name, sql in base.execute("SELECT type, name, sql FROM sqlite_master"):
        text = str(sql or "").lower()
        if kind == "view":
            raise _bad("里面有视图，不收；请只导出图层本身。")
        if kind == "trigger" and not _USUAL_TRIGGER.match(str(name)):
            raise _bad("里面有触发器，不收；请只导出图层本身。")
        if "create virtual table" in text and not re.search(r"using\s+\"?rtree", text):
            raise _bad("里面有虚拟表，不收；请只导出图层本身。")
        if kind == "table" and re.search(r"\bgenerated\s+always\b|\bas\s*\(", text):
            raise _bad("里面有计算列，不收；请只导出图层本身。")


def _only_reading(action: int, first: str | None, second: str | None, *_: Any) -> int:
    allowed = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ)
    return sqlite3.SQLITE_OK if action in allowed else sqlite3.SQLITE_DENY


def _said(row: tuple[Any, Any, Any] | None) -> str:
    if row is None or str(row[0]).upper() in ("NONE", "UNDEFINED"):
        return ""
    return f"EPSG:{row[1]}" if str(row[0]).upper() == "EPSG" else str(row[2])[:8000]


def _shape(blob: Any, number: int) -> Any:
    if blob is None:
        return None
    if not isinstance(blob, bytes) or len(blob) < 8 or blob[:2] != b"GP":
        raise _bad(f"第 {number} 个要素的图形读不懂。")
    skip = _ENVELOPE_BYTES.get((blob[3] >> 1) & 0b111)
    if skip is None:
        raise _bad(f"第 {number} 个要素的图形读不懂。")
    try:
        return shapely.from_wkb(blob[8 + skip :])
    except NotImplementedError:
        # GEOS reads curves, shapely does not; the layer's rule then refuses this type by name.
        return {"type": "曲线", "coordinates": None}
    except shapely.errors.ShapelyError as error:
        raise _bad(f"第 {number} 个要素的图形读不懂。") from error


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _bad(sentence: str) -> GeoError:
    return GeoError("bad-gpkg", f"GeoPackage：{sentence}", "gpkg")
