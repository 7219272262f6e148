"""A multipart body as a client sends it, as plain bytes: the stock test client leaves temporary files open."""

from __future__ import annotations

import json
import secrets
from typing import Any


def multipart(parts: dict[str, Any], photos: list[bytes], name: str = "photo") -> dict[str, Any]:
    """`data` and `content_type` for a test client: JSON parts and files."""
    boundary = "b" + secrets.token_hex(12)
    lines: list[bytes] = []
    for key, value in parts.items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n'
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        kind = "" if isinstance(value, str) else "Content-Type: application/json\r\n"
        lines.append((head + kind + "\r\n" + text + "\r\n").encode())
    for index, data in enumerate(photos):
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{index}.jpg"\r\n'
        lines.append((head + "Content-Type: image/jpeg\r\n\r\n").encode() + data + b"\r\n")
    lines.append(f"--{boundary}--\r\n".encode())
    return {"data": b"".join(lines), "content_type": f"multipart/form-data; boundary={boundary}"}
