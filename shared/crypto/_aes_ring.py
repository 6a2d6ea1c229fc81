"""The keys of the token cipher.

Private: import these names from ``shared.crypto``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NoReturn, final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.crypto._errors import InvalidKeyError
from shared.crypto._ring_text import check_distinct, check_id, parse_ring

KEY_BYTES = 32
_WHAT = "AES key ring"


@final
class AesKeyRing:
    """AES-256 keys by id: the first encrypts, all decrypt. It never changes.

    Rotate by putting a new key first: ``k2:...,k1:...``; re-encrypt; then drop the old.

    Args:
        keys: 32 random bytes each, by id.

    Raises:
        InvalidKeyError: There is no key, one is not 32 bytes long, two are the same, or
            an id is not 1 to 32 letters, digits, ``.``, ``_`` and ``-``.
    """

    __slots__ = ("_ciphers", "_ids")

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        keys = dict(keys)
        if not keys:
            raise InvalidKeyError(f"{_WHAT} needs at least one key.")
        for number, (key_id, key) in enumerate(keys.items(), start=1):
            place = f"{_WHAT}, entry {number} of {len(keys)}"
            check_id(key_id, place=place)
            if len(key) != KEY_BYTES:
                raise InvalidKeyError(
                    f"{place}, must be a key of {KEY_BYTES} bytes (value hidden). "
                    "`openssl rand -base64 32` makes one."
                )
        check_distinct(keys, what=_WHAT)
        self._ids = tuple(keys)
        # OpenSSL's contexts are made per call, so threads can share these.
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}

    @classmethod
    def parse(cls, text: str) -> AesKeyRing:
        """Return the ring of a setting: ``k2:base64,k1:base64``, or one bare key.

        A bare key has the id ``k1``, so that the first rotation is ``k2:new,k1:old``.

        Raises:
            InvalidKeyError: As above, or it is not base64.
        """
        return cls(parse_ring(text, what=_WHAT))

    @classmethod
    def generate(cls, key_id: str = "k1") -> AesKeyRing:
        """Return a ring of one new key that nobody else knows, for tests."""
        return cls({key_id: os.urandom(KEY_BYTES)})

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the keys; the first encrypts."""
        return self._ids

    def __repr__(self) -> str:
        return f"AesKeyRing(ids={list(self._ids)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("An AesKeyRing does not pickle: its keys would leave with it.")


def ciphers_of(ring: AesKeyRing) -> Mapping[str, AESGCM]:
    """Return the ring's keys, ready to use; for the token cipher only."""
    return ring._ciphers
