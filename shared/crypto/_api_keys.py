"""API keys that a scanner can recognise and a typo can't pass.

A key is ``cfk_live_<id>_<secret><crc>``: a typed prefix, the environment, 16 characters
that name the key in public, 43 that are the secret (256 bits), and 6 that are the
CRC-32 of everything before them. All are base62, so a double click selects the whole,
and no URL or shell needs to escape it.

Private: import these names from ``shared.crypto``.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from typing import NamedTuple, NoReturn, final
from zlib import crc32

from shared.crypto._errors import InvalidApiKeyError

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH = 16  # 95 bits: no two keys meet
_SECRET_LENGTH = 43  # 62**43 > 2**256
_CRC_LENGTH = 6  # 62**6 > 2**32

_NAME = re.compile(r"[a-z][a-z0-9]{0,15}", re.ASCII)
_KEY_ID = re.compile(rf"[0-9A-Za-z]{{{_ID_LENGTH}}}", re.ASCII)


class ApiKeyAndSecret(NamedTuple):
    """A new API key: what to store, and what to show once."""

    api_key: str
    """The public id: in lists, in logs, and the column that the key is found by."""
    secret: str
    """The whole key, as its owner sends it. Store its hash only."""

    def __repr__(self) -> str:
        return f"ApiKeyAndSecret(api_key={self.api_key!r}, secret=[hidden])"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "An ApiKeyAndSecret does not pickle: its secret would leave with it."
        )


class ApiKey(NamedTuple):
    """What an API key says of itself. That it is genuine, only its hash can tell."""

    environment: str
    key_id: str
    """``ApiKeyAndSecret.api_key``."""


@final
class ApiKeyFormat:
    """The form of a kind of keys.

    Args:
        prefix: Whose keys they are: 1 to 16 lower-case letters and digits.
        environments: What they may be for, each like *prefix*.

    Raises:
        ValueError: The prefix or an environment has another form, there is none, or
            *environments* is one text.
    """

    __slots__ = ("_environments", "_match", "_prefix", "pattern")

    def __init__(
        self, prefix: str = "cfk", environments: Iterable[str] = ("live", "test")
    ) -> None:
        if isinstance(environments, str):  # which is an iterable of its letters
            raise ValueError(
                "The environments of an API key must be a list or tuple of names, such "
                f"as {[environments]} (got {environments!r})."
            )
        self._prefix = prefix
        self._environments = tuple(environments)
        names = (prefix, *self._environments)
        if len(names) < 2 or not all(map(_NAME.fullmatch, names)):
            raise ValueError(
                "An API key needs a prefix and environments of 1 to 16 lower-case "
                f"letters and digits, beginning with a letter (got {names})."
            )
        self.pattern = (
            rf"{prefix}_({'|'.join(self._environments)})"
            rf"_[0-9A-Za-z]{{{_ID_LENGTH}}}"
            rf"_[0-9A-Za-z]{{{_SECRET_LENGTH + _CRC_LENGTH}}}"
        )
        """A regular expression for secret scanners, in syntax that all of them know."""
        self._match = re.compile(self.pattern, re.ASCII).fullmatch

    def generate(
        self, environment: str = "live", *, key_id: str | None = None
    ) -> ApiKeyAndSecret:
        """Return a new key.

        Args:
            environment: One of this format's.
            key_id: Keeps the public id, when an existing key gets a new secret.

        Raises:
            ValueError: There is no such environment, or *key_id* is none of ours.
        """
        if environment not in self._environments:
            raise ValueError(
                f"environment must be one of {', '.join(self._environments)} "
                f"(got {environment!r})."
            )
        if key_id is None:
            key_id = _random(_ID_LENGTH)
        elif not _KEY_ID.fullmatch(key_id):
            raise ValueError(
                f"key_id must be {_ID_LENGTH} letters and digits (value hidden)."
            )
        text = f"{self._prefix}_{environment}_{key_id}_{_random(_SECRET_LENGTH)}"
        return ApiKeyAndSecret(key_id, text + _checksum(text))

    def parse(self, text: str) -> ApiKey:
        """Return what *text* says of itself, without a database.

        Raises:
            InvalidApiKeyError: It has another form, or was mistyped.
        """
        if not self._match(text):
            raise InvalidApiKeyError(
                f"An API key of this kind looks like {self._prefix}_"
                f"{self._environments[0]}_<id>_<secret> (value hidden)."
            )
        # Not a secret: whoever has the text can work it out.
        if _checksum(text[:-_CRC_LENGTH]) != text[-_CRC_LENGTH:]:
            raise InvalidApiKeyError(
                "The API key's checksum does not fit: it was mistyped (value hidden)."
            )
        _, environment, key_id, _ = text.split("_")
        return ApiKey(environment, key_id)


API_KEY_FORMAT = ApiKeyFormat()


def generate_api_key_and_secret(environment: str = "live") -> ApiKeyAndSecret:
    """Return a new ``cfk_`` key: ``(api_key, secret)``.

    Raises:
        ValueError: *environment* is neither ``live`` nor ``test``.
    """
    return API_KEY_FORMAT.generate(environment)


def _random(length: int) -> str:
    return _base62(secrets.randbelow(62**length), length)


def _checksum(text: str) -> str:
    return _base62(crc32(text.encode("ascii")), _CRC_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = ""
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits = _ALPHABET[digit] + digits
    return digits
