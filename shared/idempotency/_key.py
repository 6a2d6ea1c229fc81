"""Reading the Idempotency-Key header, and what tells one request from another.

Private: import these names from ``shared.idempotency``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Final

from shared.idempotency._errors import IdempotencyKeyInvalidException

MAX_KEY_LENGTH: Final = 255

# RFC 8941: a String (section 3.3.3) and the parameters that may follow it (3.1.2), of
# which none is defined for this field.
_STRING: Final = r'"((?:[ !#-\[\]-~]|\\["\\])*)"'
_BARE: Final = r"(?:[^;\"\\]|\"(?:[ !#-\[\]-~]|\\[\"\\])*\")*"
_ITEM: Final = re.compile(rf"{_STRING}(?: *; *[a-z*][a-z0-9_.*-]*(?:={_BARE})?)*")
_ESCAPE: Final = re.compile(r"\\(.)")
# Without quotes, as most clients write it: no character that means something in a list.
_PLAIN: Final = re.compile(r"[!#-+\--:<-\[\]-~]+")


def parse_idempotency_key(fields: Sequence[str]) -> str:
    """Return the key in the Idempotency-Key header.

    The draft of the IETF makes it a quoted string; what Stripe and its clients send, a
    plain word, is read too and is the same key.

    Args:
        fields: The value of each such header of the request.

    Raises:
        IdempotencyKeyInvalidException: There are several, or it is no key of 1 to 255
            characters. The message does not repeat it.
    """
    if len(fields) != 1:
        raise IdempotencyKeyInvalidException(
            "Send one Idempotency-Key header, not several."
        )
    text = fields[0].strip(" \t")
    if quoted := _ITEM.fullmatch(text):
        key = _ESCAPE.sub(r"\1", quoted[1])
    elif _PLAIN.fullmatch(text):
        key = text
    else:
        raise IdempotencyKeyInvalidException(
            'The Idempotency-Key header must be a string of ASCII, as in "8e03978e".'
        )
    if not 1 <= len(key) <= MAX_KEY_LENGTH:
        raise IdempotencyKeyInvalidException(
            f"The Idempotency-Key must have 1 to {MAX_KEY_LENGTH} characters."
        )
    return key


def digest(*parts: str | bytes) -> bytes:
    """Return the SHA-256 of *parts*, each with its length, so that none runs over."""
    found = hashlib.sha256()
    for part in parts:
        # A path may hold what UTF-8 can't; it only has to differ from others.
        raw = part.encode(errors="surrogatepass") if isinstance(part, str) else part
        found.update(len(raw).to_bytes(8))
        found.update(raw)
    return found.digest()


def fingerprint(method: str, path: str, query: str | bytes, body: bytes) -> bytes:
    """Return what must be the same in each repetition of a request."""
    return digest(method.upper(), path, query, body)
