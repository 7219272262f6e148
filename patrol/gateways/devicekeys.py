"""The public half of a phone's key, and whether a signature is by it (ECDSA P-256 with SHA-256, as WebCrypto signs).

Knows no person and keeps nothing.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from patrol.errors import BadInput, Fault

HALF = 32


def _bytes(text: Any) -> bytes:
    try:
        return base64.b64decode(str(text).replace("-", "+").replace("_", "/") + "==", validate=False)
    except (binascii.Error, ValueError):
        return b""


def read_key(jwk: Mapping[str, Any]) -> dict[str, str]:
    """A P-256 public key as it is kept; anything else, and a point off the curve, is refused."""
    x, y = _bytes(jwk.get("x")), _bytes(jwk.get("y"))
    try:
        if jwk.get("kty") != "EC" or jwk.get("crv") != "P-256" or len(x) != HALF or len(y) != HALF:
            raise ValueError
        _point(x, y)
    except ValueError:
        raise BadInput(Fault("key", "bad_key", "手机的钥匙读不出来，请重新绑定。")) from None
    return {"kty": "EC", "crv": "P-256", "x": str(jwk["x"]), "y": str(jwk["y"])}


def _point(x: bytes, y: bytes) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), ec.SECP256R1()).public_key()


def signed_by(jwk: Mapping[str, Any], message: bytes, signature: str) -> bool:
    """Whether `signature` (base64 of r and s) is by the private half of this key."""
    raw = _bytes(signature)
    if len(raw) != 2 * HALF:
        return False
    der = encode_dss_signature(int.from_bytes(raw[:HALF]), int.from_bytes(raw[HALF:]))
    try:
        _point(_bytes(jwk["x"]), _bytes(jwk["y"])).verify(der, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True
