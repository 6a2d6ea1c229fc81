"""Checks of settings that are no URLs: names, levels, and keys.

Their sentences repeat nothing of the value, as those of the URLs.

Private: used by ``shared.config`` only.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode

from pydantic import SecretStr

from shared.config._urls import refuse

MIN_SECRET_BYTES = 32
_AES_BYTES = 32
_MIN_PEPPER_BYTES = 32
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_SERVICE = re.compile(r"[a-z](?:[a-z0-9]|-(?=[a-z0-9])){0,62}")
_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,32}", re.ASCII)
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]+|[A-Za-z0-9_-]+)={0,2}", re.ASCII)
_PLACEHOLDER = re.compile(
    r"change|secret|password|example|insecure|replace", re.IGNORECASE
)
_MIN_DISTINCT = 9  # of 32 random hex digits, one in 370,000 has fewer

_NEW_SECRET = "`openssl rand -base64 48` makes one."  # noqa: S105 - how to make one
_NEW_KEY = "`openssl rand -base64 32` makes one."


def is_service_name(name: str) -> bool:
    """Whether *name* is a DNS label, as names of services are in every orchestrator."""
    return bool(_SERVICE.fullmatch(name))


def check_service_name(name: str) -> str:
    """Check the name of a service."""
    if not is_service_name(name):
        refuse(
            "The name of a service is lower-case letters, digits and single hyphens, "
            "63 at most, and begins with a letter.",
            "Write it like subject-service.",
        )
    return name


def check_log_level(level: str) -> str:
    """Check the name of a level; any case will do."""
    if level.upper() not in _LEVELS:
        refuse(f"Must be one of {', '.join(_LEVELS)}.", "Write for example INFO.")
    return level.upper()


def check_signing_key(key: SecretStr) -> SecretStr:
    """Check the length of a secret: RFC 7518 section 3.2 wants 256 bits for HS256."""
    if len(key.get_secret_value().encode()) < MIN_SECRET_BYTES:
        refuse(f"Must have {MIN_SECRET_BYTES} or more bytes.", _NEW_SECRET)
    return key


def is_guessable(key: SecretStr) -> bool:
    """Whether *key* was typed by a person, or is the one of an example."""
    text = key.get_secret_value()
    return bool(_PLACEHOLDER.search(text)) or len(set(text)) < _MIN_DISTINCT


def check_aes_keys(ring: SecretStr) -> SecretStr:
    """Check a key ring for AES-256: ``base64``, or ``k2:base64,k1:base64``."""
    for number, key in _ring(ring):
        if len(key) != _AES_BYTES:
            refuse(f"Key {number} is not {_AES_BYTES} bytes long.", _NEW_KEY)
    return ring


def check_peppers(ring: SecretStr) -> SecretStr:
    """Check a ring of peppers: ``base64``, or ``p2:base64,p1:base64``."""
    for number, key in _ring(ring):
        if len(key) < _MIN_PEPPER_BYTES:
            refuse(
                f"Pepper {number} has fewer than {_MIN_PEPPER_BYTES} bytes.", _NEW_KEY
            )
    return ring


def _ring(ring: SecretStr) -> list[tuple[int, bytes]]:
    entries = [entry.strip() for entry in ring.get_secret_value().split(",")]
    shape = "Write id:base64, or id2:base64,id1:base64 with the one in use first."
    ids: set[str] = set()
    keys: list[tuple[int, bytes]] = []
    for number, entry in enumerate(entries, start=1):
        key_id, colon, code = entry.rpartition(":")
        if not colon:
            if len(entries) > 1:
                refuse(f"Entry {number} has no id.", shape)
        elif not _KEY_ID.fullmatch(key_id) or key_id in ids:
            refuse(
                f"Entry {number} needs an id of its own, of 1 to 32 letters, digits, "
                "'.', '_' and '-'.",
                shape,
            )
        ids.add(key_id)
        if not _BASE64.fullmatch(code) or len(code) % 4:
            refuse(f"Entry {number} is not base64 with its padding.", _NEW_KEY)
        keys.append((number, urlsafe_b64decode(code.translate(_URL_SAFE))))
    if len({key for _, key in keys}) != len(keys):
        refuse("Two ids have the same key.", _NEW_KEY)
    return keys


_URL_SAFE = str.maketrans("+/", "-_")
