"""Keys for a machine on which nobody has set any, kept beside the database.

In development only. They have to outlive the process: what is stored was hashed and
encrypted with them.
"""

from __future__ import annotations

import json
import os
import secrets
from base64 import b64encode
from pathlib import Path
from typing import Final

from services.api_platform._settings import Settings
from shared.config import SecurityConfig

KEYS_FILE: Final = Path("api-platform.keys.json")
LOCAL: Final = ("development", "test")
"""Environments in which what is not set may be played by something built in."""

_FIELDS: Final = ("secret_key", "aes_key", "api_key_peppers")


class LocalKeysError(Exception):
    """The file with the keys can't be read or written."""


def with_local_keys(settings: Settings, file: Path = KEYS_FILE) -> Settings:
    """The settings with every key that is needed and not set, outside of production.

    A test gets keys that end with it; development those of *file*, which is made when
    it is missing.

    Raises:
        LocalKeysError: The file is not what this function wrote, or can't be written.
    """
    missing = missing_keys(settings)
    if not missing or settings.environment not in LOCAL:
        return settings
    keys = _new() if settings.environment == "test" else _kept(file)
    security = settings.security.model_dump()
    security |= {name: keys[name] for name in missing}
    return settings.model_copy(update={"security": SecurityConfig(**security)})


def missing_keys(settings: Settings) -> list[str]:
    """The names of the fields that have no key.

    Tokens may be checked with the keys at JWKS_URL instead.
    """
    security = settings.security
    elsewhere = {"secret_key"} if security.jwks_url else set()
    return [
        name
        for name in _FIELDS
        if getattr(security, name) is None and name not in elsewhere
    ]


def _new() -> dict[str, str]:
    return {name: b64encode(secrets.token_bytes(32)).decode() for name in _FIELDS}


def _kept(file: Path) -> dict[str, str]:
    try:
        if not file.exists():
            _write(file)
        found = json.loads(file.read_text())
        return {name: str(found[name]) for name in _FIELDS}
    except OSError as error:
        raise LocalKeysError(
            f"{file} can't be read or written ({error.strerror}): start where this "
            "user may, or set the keys; docs/keys.md says how."
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise LocalKeysError(
            f"{file} can't be used ({type(error).__name__}): delete it together with "
            "the database, or set the keys; docs/keys.md says how."
        ) from None


def _write(file: Path) -> None:
    """All of it or nothing, readable by its owner; whoever comes second keeps it."""
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as out:
        json.dump(_new(), out, indent=2)
    try:
        os.link(partial, file)
    except FileExistsError:
        pass
    finally:
        partial.unlink()
