"""Rings of named keys as one setting: ``k2:base64,k1:base64``, the first in use.

Private: ``AesKeyRing`` and ``PepperRing`` read their settings by it.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode

from shared.crypto._errors import InvalidKeyError

# The name of a key that came without one: what AES_KEY holds before the first rotation.
FIRST_ID = "k1"
MAX_ID_LENGTH = 32

_ID = re.compile(r"[A-Za-z0-9._-]{1,32}", re.ASCII)
# RFC 4648 sections 4 and 5: either alphabet, padded.
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]+|[A-Za-z0-9_-]+)={0,2}", re.ASCII)


def parse_ring(text: str, *, what: str, first_id: str = FIRST_ID) -> dict[str, bytes]:
    """Return the keys of *text* by their ids, in its order.

    Raises:
        InvalidKeyError: It names the entry by its number: an id may be a misplaced key.
    """
    entries = [entry.strip() for entry in text.split(",")]
    keys: dict[str, bytes] = {}
    for number, entry in enumerate(entries, start=1):
        place = f"{what}, entry {number} of {len(entries)}"
        key_id, colon, code = entry.rpartition(":")
        if not colon:
            if len(entries) > 1:
                raise InvalidKeyError(
                    f"{place}, has no id: in a ring of several, write id:base64."
                )
            key_id = first_id
        check_id(key_id, place=place)
        if key_id in keys:
            raise InvalidKeyError(f"{place}, has the id of an earlier entry.")
        keys[key_id] = decode_key(code, place=place)
    return keys


def check_id(key_id: str, *, place: str) -> None:
    """Raise unless *key_id* can stand in a setting, a token and a log line."""
    if not _ID.fullmatch(key_id):
        raise InvalidKeyError(
            f"{place}, needs an id of 1 to {MAX_ID_LENGTH} letters, digits, '.', '_' "
            "and '-' (value hidden)."
        )


def decode_key(code: str, *, place: str) -> bytes:
    """Return the bytes of *code*, base64 in one of its two alphabets, padded."""
    if not _BASE64.fullmatch(code) or len(code) % 4:
        raise InvalidKeyError(
            f"{place}, must be base64 with its padding (value hidden)."
        )
    return urlsafe_b64decode(code.replace("+", "-").replace("/", "_"))


def check_distinct(keys: dict[str, bytes], *, what: str) -> None:
    """Raise if two ids have one key, which is a rotation that did not happen."""
    if len(set(keys.values())) != len(keys):
        raise InvalidKeyError(f"{what}: two ids have the same key.")
