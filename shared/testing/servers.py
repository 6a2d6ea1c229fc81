"""Where the servers of an integration test are. Needs pytest.

::

    def test_against_redis() -> None:
        client = Redis.from_url(redis_url())

Without a server the test is skipped, and where ``CI`` is set it fails, so that a green
run in CI has run everything. The address comes from the first of ``TEST_DATABASE_URL``,
``DATABASE_URL`` (``TEST_REDIS_URL``, ...) that is set, or is the usual one of a server
on this machine.

Nothing is logged in to: a server that answers and refuses the password is a mistake to
see, not a reason to skip.
"""

from __future__ import annotations

import functools
import os
import socket
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

__all__ = ["postgresql_url", "rabbitmq_url", "redis_url"]

_CONNECT_SECONDS: Final = 2.0
_HOW = "docs/servers.md says how to start one"


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    variable: str
    schemes: tuple[str, ...]  # the first is the one that is handed out
    port: int
    tls_port: int
    default: str


_POSTGRESQL = _Kind(
    name="PostgreSQL",
    variable="DATABASE_URL",
    schemes=("postgresql", "postgres"),
    port=5432,
    tls_port=5432,
    default="postgresql://postgres@127.0.0.1:5432/test",
)
_REDIS = _Kind(
    name="Redis",
    variable="REDIS_URL",
    schemes=("redis", "rediss", "unix"),
    port=6379,
    tls_port=6379,
    default="redis://127.0.0.1:6379/0",
)
_RABBITMQ = _Kind(
    name="RabbitMQ",
    variable="RABBITMQ_URL",
    schemes=("amqp", "amqps"),
    port=5672,
    tls_port=5671,
    default="amqp://guest:guest@127.0.0.1:5672/",
)


def postgresql_url() -> str:
    """Return the address of PostgreSQL, without a driver: ``postgresql://...``.

    The database it names belongs to everyone: make your own with
    ``shared.testing.databases.postgresql_database``.
    """
    url = _url_of(_POSTGRESQL)
    return "postgresql" + url[url.index("://") :]


def redis_url() -> str:
    """Return the address of Redis. Its keys belong to everyone: use a prefix."""
    return _url_of(_REDIS)


def rabbitmq_url() -> str:
    """Return the address of RabbitMQ. Its names belong to everyone: use a prefix."""
    return _url_of(_RABBITMQ)


def _url_of(kind: _Kind) -> str:
    origin, url = _configured(kind)
    problem = _unreachable(kind, url)
    if problem is None:
        return url
    reason = f"No {kind.name} ({origin}): {problem}; {_HOW}."
    if _in_ci():
        pytest.fail(f"{reason} CI is set, so this is not skipped.", pytrace=False)
    pytest.skip(reason)


def _configured(kind: _Kind) -> tuple[str, str]:
    """Return where the address comes from, and the address."""
    explicit = f"TEST_{kind.variable}"
    if url := os.environ.get(explicit):
        if _is_of(kind, url):
            return explicit, url
        # Meant for this test and wrong: skipping would hide it.
        pytest.fail(
            f"{explicit} must begin with {kind.schemes[0]}:// (value hidden).",
            pytrace=False,
        )
    url = os.environ.get(kind.variable)
    # The application's own variable may well name SQLite.
    if url and _is_of(kind, url):
        return kind.variable, url
    return f"{explicit} is not set, tried the usual address", kind.default


def _is_of(kind: _Kind, url: str) -> bool:
    # SQLAlchemy writes the driver into the scheme: postgresql+asyncpg
    return url.partition("://")[0].partition("+")[0].lower() in kind.schemes


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


@functools.cache  # a host that swallows packets costs its two seconds once
def _unreachable(kind: _Kind, url: str) -> str | None:
    """Return why no connection can be made, or None."""
    try:
        path, host, port = _address(kind, url)
    except ValueError:
        return "its address has no valid host and port"
    try:
        if path is None:
            connection = socket.create_connection((host, port), _CONNECT_SECONDS)
        else:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(_CONNECT_SECONDS)
        with connection:
            if path is not None:
                connection.connect(path)
    except OSError as error:
        return f"no connection ({error.strerror or type(error).__name__})"
    return None


def _address(kind: _Kind, url: str) -> tuple[str | None, str, int]:
    """Return the path of a Unix socket or None, and host and port."""
    parts = urlsplit(url)
    port = parts.port or (kind.tls_port if parts.scheme[-1] == "s" else kind.port)
    if parts.scheme == "unix":
        return unquote(parts.path), "", port
    host = parts.hostname or parse_qs(parts.query).get("host", ["127.0.0.1"])[0]
    if host.startswith("/"):
        return f"{host}/.s.PGSQL.{port}", "", port
    return None, host, port
