"""Our own css, js, icons and the vendor files: sent packed to whoever can unpack, so that a first visit is small.

Only files of one folder, nothing made from a request: packing them tells nobody anything.
"""

from __future__ import annotations

import functools
import gzip
from pathlib import Path

from flask import Request, Response, send_from_directory
from werkzeug.utils import safe_join

PACKED = frozenset({".css", ".js", ".svg", ".json"})
KEPT_S = 3600


def send(asked: Request, folder: Path, name: str) -> Response:
    """One file of the folder; NotFound where there is none."""
    response = send_from_directory(folder, name)
    response.headers["Cache-Control"] = f"public, max-age={KEPT_S}"
    path = safe_join(str(folder), name)
    if path is None or Path(path).suffix not in PACKED:
        return response
    response.headers["Vary"] = "Accept-Encoding"
    if response.status_code != 200 or not asked.accept_encodings["gzip"]:
        return response
    status = Path(path).stat()
    etag, _ = response.get_etag()
    response.close()
    packed = Response(_packed(path, status.st_mtime_ns, status.st_size), mimetype=response.mimetype)
    packed.headers.update({"Cache-Control": response.headers["Cache-Control"], "Vary": "Accept-Encoding"})
    packed.headers["Content-Encoding"] = "gzip"
    packed.set_etag(f"{etag}-gzip")
    return packed.make_conditional(asked)


@functools.lru_cache(maxsize=256)
def _packed(path: str, changed_ns: int, size: int) -> bytes:
    return gzip.compress(Path(path).read_bytes(), 9, mtime=0)
