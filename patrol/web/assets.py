"""Our own css, js, icons and the vendor files: sent packed to whoever can unpack, so that a first visit is small.

Only files of one folder, nothing made from a request: packing them tells nobody anything.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import mimetypes
from pathlib import Path

from flask import Request, Response, send_from_directory
from werkzeug.security import safe_join

PACKED = frozenset({".css", ".js", ".svg", ".json"})
KEPT_S = 3600


def file_of(asked: Request, folder: Path, name: str) -> Response:
    """One file of the folder; NotFound where there is none."""
    path = safe_join(str(folder), name)
    kept = {"Cache-Control": f"public, max-age={KEPT_S}"}
    packs = path is not None and Path(path).suffix in PACKED and Path(path).is_file()
    if packs:
        kept["Vary"] = "Accept-Encoding"
    if path is None or not packs or not asked.accept_encodings["gzip"]:
        response = send_from_directory(folder, name)
        response.headers.update(kept)
        return response
    status = Path(path).stat()
    body, digest = _packed(path, status.st_mtime_ns, status.st_size)
    packed = Response(body, mimetype=mimetypes.guess_type(name)[0])
    packed.headers.update({**kept, "Content-Encoding": "gzip"})
    packed.set_etag(digest)
    packed.make_conditional(asked)
    return packed


@functools.lru_cache(maxsize=256)
def _packed(path: str, changed_ns: int, size: int) -> tuple[bytes, str]:
    packed = gzip.compress(Path(path).read_bytes(), 9, mtime=0)
    return packed, hashlib.sha256(packed).hexdigest()[:16]
