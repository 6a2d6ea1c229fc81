"""From one plain URL to what the drivers of both worlds want.

Private: used by ``shared.database`` only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from shared.database._errors import DatabaseConfigurationError

_NAMES: Final = {
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "sqlite": "sqlite",
}
_ASYNC: Final = {"postgresql": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}
_SYNC: Final = {"postgresql": "postgresql+psycopg", "sqlite": "sqlite+pysqlite"}

# libpq's spelling of what we set ourselves. asyncpg would send them to the server.
_OURS: Final = frozenset({"application_name", "connect_timeout", "options"})

# SQLAlchemy hides the password before the @ of a URL, and shows these.
_SECRETS: Final = frozenset({"password", "sslpassword"})


@dataclass(frozen=True)
class Target:
    """Where the database is, whoever asks."""

    url: URL = field(repr=False)
    memory: str | None = None  # the URI of a database in memory

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read a URL.

        Raises:
            DatabaseConfigurationError: It is none, or of a database we don't know.
        """
        try:
            url = make_url(text)
        except (ArgumentError, ValueError):
            url = None
        name = _NAMES.get(url.get_backend_name()) if url else None
        if url is None or name is None:
            # Not chained: SQLAlchemy's error quotes the URL with its password.
            raise DatabaseConfigurationError(
                "DATABASE_URL must be postgresql://user:password@host/name or "
                "sqlite:///path (the value is not shown)."
            ) from None
        url = url.set(drivername=name)
        if name == "sqlite" and url.database in (None, "", ":memory:"):
            # SQLite's own way to share a database in memory between connections,
            # with the locks of a file (vfs memdb, since SQLite 3.36).
            return cls(url, f"file:/{uuid4().hex}?vfs=memdb")
        return cls(url)

    @property
    def dialect(self) -> str:
        """``postgresql`` or ``sqlite``."""
        return self.url.drivername

    def sync(self) -> URL:
        """The URL with the synchronous driver, without `secrets`."""
        return self._driven(_SYNC).difference_update_query(_SECRETS)

    def secrets(self) -> dict[str, Any]:
        """What the parameters of the URL have of passwords, for libpq."""
        query = self.url.query
        return {name: query[name] for name in sorted(_SECRETS) if name in query}

    def asynchronous(self) -> URL:
        """The URL with the asynchronous driver.

        asyncpg reads libpq's parameters, such as sslmode, from a DSN only; see `dsn`.
        """
        url = self._driven(_ASYNC)
        return url.set(query={}) if self.dialect == "postgresql" else url

    def dsn(self) -> str:
        """The URL as asyncpg reads it."""
        query: Mapping[str, Any] = {
            name: value for name, value in self.url.query.items() if name not in _OURS
        }
        return self.url.set(query=query).render_as_string(hide_password=False)

    def _driven(self, drivers: Mapping[str, str]) -> URL:
        url = self.url.set(drivername=drivers[self.dialect])
        if self.memory:
            return url.set(
                database=self.memory.partition("?")[0],
                query={"vfs": "memdb", "uri": "true"},
            )
        return url
