"""Password hashes by the standard library's scrypt."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import threading

# OWASP Password Storage Cheat Sheet: N=2^15, r=8, p=3. That is 32 MiB and some 100 ms
# a hash, so the endpoints that hash are plain `def`: FastAPI gives those threads.
_N, _R, _P = 2**15, 8, 3
_SALT_BYTES = 16

# More at once than there are CPUs would be no faster: a burst of log-ins would only
# take 32 MiB for each of the pool's 40 threads.
_turns = threading.BoundedSemaphore(os.cpu_count() or 1)


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
    # A log-in form in UTF-7 can hold a lone surrogate. No stored password has one, so
    # it is a wrong password like any other, and takes as long.
    secret = password.encode(errors="surrogatepass")
    with _turns:
        return hashlib.scrypt(
            secret, salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=32
        )
