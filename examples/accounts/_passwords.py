"""Password hashes by the standard library's scrypt."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

# OWASP Password Storage Cheat Sheet: N=2^15, r=8, p=3. That is 32 MiB and some 100 ms
# a hash, so the endpoints that hash are plain `def`: FastAPI gives those threads.
_N, _R, _P = 2**15, 8, 3
_SALT_BYTES = 16


def hash_password(password: str) -> str:
    """Return ``scrypt$N$r$p$salt$key``, the last two in base64."""
    salt = os.urandom(_SALT_BYTES)
    parts = [base64.b64encode(part).decode() for part in (salt, _key(password, salt))]
    return "$".join(["scrypt", str(_N), str(_R), str(_P), *parts])


def verify_password(password: str, stored: str) -> bool:
    """Compare in constant time with what `hash_password` returned."""
    _, n, r, p, salt, key = stored.split("$")
    found = _key(password, base64.b64decode(salt), n=int(n), r=int(r), p=int(p))
    return hmac.compare_digest(found, base64.b64decode(key))


def _key(password: str, salt: bytes, *, n: int = _N, r: int = _R, p: int = _P) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=32
    )
