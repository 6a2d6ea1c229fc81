"""Password hashes by Argon2id.

RFC 9106, section 4, second recommended option: 3 passes over 64 MiB with 4 lanes, 128
bits of salt, 256 of hash. That is above each of the minima of OWASP's Password Storage
Cheat Sheet (19 MiB and 2 passes, or 46 MiB and 1). The numbers stand here, not in
argon2-cffi's defaults, so that an upgrade of it changes no hash.

Private: import these names from ``shared.crypto``.
"""

from __future__ import annotations

import os
import re
import threading
from base64 import b64decode, b64encode
from binascii import Error as Base64Error

from argon2 import low_level
from argon2.exceptions import Argon2Error, VerifyMismatchError

from shared.crypto._errors import StoredHashError
from shared.crypto._utf8 import utf8

MAX_PASSWORD_LENGTH = 128  # characters, as in shared.validation: bounds the input

_PASSES = 3
_KIBIBYTES = 64 * 1024
_LANES = 4
_SALT_BYTES = 16
_HASH_BYTES = 32

# The PHC string of Argon2id, version 1.3, with a hash of 32 bytes, as everybody's is.
# `argon2_verify` takes any length, so a hash that was cut off would never fit again.
_STORED = re.compile(
    r"\$argon2id\$v=19\$m=([1-9]\d{0,9}),t=([1-9]\d{0,9}),p=([1-9]\d{0,7})"
    r"\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{43})",
    re.ASCII,
)
# What a stored hash may ask of us: twice and more of all that RFC 9106 recommends.
_MAX_KIBIBYTES = 4 * 1024 * 1024
_MAX_PASSES = 16
_MAX_LANES = 64

# Each hash runs 4 threads and takes 64 MiB. More at once than there are CPUs for would
# be no faster: a burst of log-ins would only take the memory of as many hashes as the
# server has threads.
_turns = threading.BoundedSemaphore(max(1, (os.cpu_count() or 1) // _LANES))


def hash_password(password: str) -> str:
    """Return the PHC string of *password*: ``$argon2id$v=19$m=65536,t=3,p=4$...``.

    It takes some 50 to 200 ms of a thread and 64 MiB: call it in a plain ``def``
    endpoint or by ``asyncio.to_thread``, never on the event loop.

    Raises:
        ValueError: The password is empty, longer than 128 characters, or has a lone
            surrogate. Whether it is a good one is ``shared.validation``'s question.
    """
    if not 1 <= len(password) <= MAX_PASSWORD_LENGTH:
        raise ValueError(
            f"A password must have 1 to {MAX_PASSWORD_LENGTH} characters "
            f"(got {len(password)})."
        )
    secret = utf8(password, "password")
    try:
        with _turns:
            return low_level.hash_secret(
                secret,
                os.urandom(_SALT_BYTES),
                time_cost=_PASSES,
                memory_cost=_KIBIBYTES,
                parallelism=_LANES,
                hash_len=_HASH_BYTES,
                type=low_level.Type.ID,
            ).decode("ascii")
    except Argon2Error as error:
        raise MemoryError(f"Argon2id could not run: {error}.") from error


def verify_password(password: str, stored: str | None) -> bool:
    """Say whether *stored* was made of *password*.

    Args:
        password: As it was sent. One that no password can be (too long, or with a lone
            surrogate) is a wrong one like any other, and takes as long.
        stored: What `hash_password` returned. None, for a user who does not exist,
            takes as long as a wrong password: the time must not tell who has an
            account.

    Raises:
        StoredHashError: It is no Argon2id string, or its parameters are beyond what
            anybody would have chosen.
    """
    possible = stored is not None and len(password) <= MAX_PASSWORD_LENGTH
    stored = _nobodys_hash() if stored is None else stored
    _parameters(stored)
    secret = password[:MAX_PASSWORD_LENGTH].encode(errors="surrogatepass")
    try:
        with _turns:
            low_level.verify_secret(stored.encode("ascii"), secret, low_level.Type.ID)
    except VerifyMismatchError:
        return False
    except Argon2Error as error:
        raise MemoryError(f"Argon2id could not run: {error}.") from error
    return possible


def password_needs_rehash(stored: str) -> bool:
    """Say whether `hash_password` would hash otherwise today.

    Ask after a log-in, while the password is at hand.

    Raises:
        StoredHashError: As for `verify_password`.
    """
    return _parameters(stored) != (_KIBIBYTES, _PASSES, _LANES, _SALT_BYTES)


def _parameters(stored: str) -> tuple[int, int, int, int]:
    """Return memory in KiB, passes, lanes, and the bytes of salt."""
    match = _STORED.fullmatch(stored)
    if not match or not _is_canonical(match[4]) or not _is_canonical(match[5]):
        raise StoredHashError(
            "The stored password hash is no string of Argon2id version 1.3 "
            "(value hidden). Is the column too short?"
        )
    memory, passes, lanes = int(match[1]), int(match[2]), int(match[3])
    # RFC 9106, section 3.1: at least 8 KiB for each lane.
    if (
        not 8 * lanes <= memory <= _MAX_KIBIBYTES
        or passes > _MAX_PASSES
        or lanes > _MAX_LANES
    ):
        raise StoredHashError(
            f"The stored password hash asks for m={memory},t={passes},p={lanes}; "
            f"at most m={_MAX_KIBIBYTES},t={_MAX_PASSES},p={_MAX_LANES} is run."
        )
    return memory, passes, lanes, len(match[4]) * 3 // 4


def _is_canonical(code: str) -> bool:
    """Say whether *code* is base64 without padding or stray bits at its end."""
    try:
        data = b64decode(code + "=" * (-len(code) % 4))
    except Base64Error:
        return False
    return b64encode(data).decode().rstrip("=") == code


def _nobodys_hash() -> str:
    """Return what looks like a hash of today, made of no password."""
    salt, key = (
        b64encode(os.urandom(size)).decode().rstrip("=")
        for size in (_SALT_BYTES, _HASH_BYTES)
    )
    return f"$argon2id$v=19$m={_KIBIBYTES},t={_PASSES},p={_LANES}${salt}${key}"
