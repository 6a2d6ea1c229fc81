"""What a service may not do in production, each with its reason.

Private: used by ``shared.config`` only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from shared.config._keys import is_guessable
from shared.config._urls import is_loopback

WEAK = "weak_settings"


class Weakness(NamedTuple):
    """A setting that is right by itself and wrong in production."""

    path: tuple[str, ...]
    rule: str
    advice: str


def weaknesses(config: Any) -> Iterator[Weakness]:
    """The weak settings of a ``ServiceConfig``."""
    yield from _database(config.database)
    yield from _security(config.security)
    yield from _cors(config.cors)


def _database(database: Any) -> Iterator[Weakness]:
    if database.echo:
        yield Weakness(
            ("database", "echo"),
            "In production SQL with its parameters, which are personal data and "
            "secrets, must not go to the log.",
            "Remove it.",
        )


def _security(security: Any) -> Iterator[Weakness]:
    previous = ("security", "previous_secret_keys")
    keys = [(("security", "secret_key"), security.secret_key)]
    keys += [(previous, key) for key in security.previous_secret_keys]
    guessable = {path: None for path, key in keys if key and is_guessable(key)}
    for path in guessable:
        yield Weakness(
            path,
            "In production a key must be random, and this one is a placeholder or "
            "typed by hand: whoever guesses it signs tokens of his own.",
            "`openssl rand -base64 48` makes one.",
        )
    url = security.jwks_url
    if url and url.lower().startswith("http:") and not is_loopback(url):
        yield Weakness(
            ("security", "jwks_url"),
            "In production keys must not come over plain http, where anybody on the "
            "way can put in his own.",
            "Write https://.",
        )


def _cors(cors: Any) -> Iterator[Weakness]:
    plain = any(origin.startswith("http:") for origin in cors.allow_origins)
    if cors.allow_credentials and plain:
        yield Weakness(
            ("cors", "allow_origins"),
            "In production a page that came over plain http, which anybody on the way "
            "can change, must not send credentials.",
            "Write https://, or set CORS_ALLOW_CREDENTIALS=false.",
        )
