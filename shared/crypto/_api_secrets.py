"""Hashes of API secrets: HMAC-SHA256 under a pepper that the database does not hold.

A slow hash protects what people choose. A random secret of 256 bits can't be guessed at
any speed, and one slow hash a request would be a way to bring the service down.

Private: import these names from ``shared.crypto``.
"""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Mapping
from typing import NoReturn, final

from shared.crypto._errors import InvalidKeyError, StoredHashError
from shared.crypto._ring_text import check_distinct, check_id, parse_ring

_WHAT = "Pepper ring"
_FIRST_ID = "p1"
_MIN_PEPPER_BYTES = 32  # RFC 2104, section 3: no shorter than the hash
_MIN_SECRET_LENGTH = 43  # 256 bits in base62, base64 or hexadecimal digits

_STORED = re.compile(r"hmac-sha256\$([A-Za-z0-9._-]{1,32})\$([0-9a-f]{64})", re.ASCII)


@final
class PepperRing:
    """Keys for hashes of API secrets, by id: the first hashes, all verify.

    A pepper can't be exchanged behind the owners' backs, as a hash can't be undone: put
    the new one first, replace a hash when its key is used next
    (``api_secret_needs_rehash``), and drop the old pepper when no row names it.

    Args:
        peppers: At least 32 random bytes each, by id.

    Raises:
        InvalidKeyError: There is none, one is too short, two are the same, or an id is
            not 1 to 32 letters, digits, ``.``, ``_`` and ``-``.
    """

    __slots__ = ("_peppers",)

    def __init__(self, peppers: Mapping[str, bytes]) -> None:
        peppers = dict(peppers)
        if not peppers:
            raise InvalidKeyError(f"{_WHAT} needs at least one pepper.")
        for number, (pepper_id, pepper) in enumerate(peppers.items(), start=1):
            place = f"{_WHAT}, entry {number} of {len(peppers)}"
            check_id(pepper_id, place=place)
            if len(pepper) < _MIN_PEPPER_BYTES:
                raise InvalidKeyError(
                    f"{place}, must be a pepper of at least {_MIN_PEPPER_BYTES} bytes "
                    "(value hidden). `openssl rand -base64 32` makes one."
                )
        check_distinct(peppers, what=_WHAT)
        self._peppers = peppers

    @classmethod
    def parse(cls, text: str) -> PepperRing:
        """Return the ring of a setting: ``p2:base64,p1:base64``, or one bare pepper.

        A bare pepper has the id ``p1``.

        Raises:
            InvalidKeyError: As above, or it is not base64.
        """
        return cls(parse_ring(text, what=_WHAT, first_id=_FIRST_ID))

    @classmethod
    def generate(cls, pepper_id: str = _FIRST_ID) -> PepperRing:
        """Return a ring of one new pepper that nobody else knows, for tests."""
        return cls({pepper_id: os.urandom(_MIN_PEPPER_BYTES)})

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the peppers; the first hashes."""
        return tuple(self._peppers)

    def __repr__(self) -> str:
        return f"PepperRing(ids={list(self._peppers)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A PepperRing does not pickle: its keys would leave with it.")


def hash_api_secret(secret: str, *, peppers: PepperRing) -> str:
    """Return ``hmac-sha256$<pepper id>$<64 hexadecimal digits>``.

    Args:
        secret: ``generate_api_key_and_secret().secret``, or another random text. The
            hash is fast, so it is not for what a person thought up.
        peppers: The first one hashes.

    Raises:
        ValueError: The secret has fewer than 43 characters, so fewer than 256 bits in
            base62, or is not ASCII.
    """
    if len(secret) < _MIN_SECRET_LENGTH or not secret.isascii():
        raise ValueError(
            f"An API secret must be at least {_MIN_SECRET_LENGTH} random ASCII "
            "characters (value hidden); generate_api_key_and_secret makes one."
        )
    pepper_id = peppers.ids[0]
    return f"hmac-sha256${pepper_id}${_digest(secret, peppers._peppers[pepper_id])}"


def verify_api_secret(
    plain_secret: str, hashed_secret: str, *, peppers: PepperRing
) -> bool:
    """Say whether *hashed_secret* was made of *plain_secret*, in constant time.

    Raises:
        StoredHashError: *hashed_secret* is no such hash, or its pepper is not in the
            ring, so that no secret could ever fit.
    """
    pepper_id, digest = _parse(hashed_secret)
    pepper = peppers._peppers.get(pepper_id)
    if pepper is None:
        raise StoredHashError(
            f"The stored hash was made with pepper {pepper_id!r}, which is not in the "
            "ring."
        )
    return hmac.compare_digest(_digest(plain_secret, pepper), digest)


def api_secret_needs_rehash(hashed_secret: str, *, peppers: PepperRing) -> bool:
    """Say whether another pepper than the ring's first made *hashed_secret*.

    Raises:
        StoredHashError: It is no such hash.
    """
    return _parse(hashed_secret)[0] != peppers.ids[0]


def _parse(hashed_secret: str) -> tuple[str, str]:
    match = _STORED.fullmatch(hashed_secret)
    if not match:
        raise StoredHashError(
            "The stored hash of an API secret must be hmac-sha256$<pepper id>$<64 "
            "hexadecimal digits> (value hidden)."
        )
    return match[1], match[2]


def _digest(secret: str, pepper: bytes) -> str:
    # A header is decoded as latin-1, but a lone surrogate costs nothing to survive.
    data = secret.encode(errors="surrogatepass")
    return hmac.digest(pepper, data, "sha256").hex()
