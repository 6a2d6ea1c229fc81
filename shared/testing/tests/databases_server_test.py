from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import psycopg
import pytest

from shared.testing import databases
from shared.testing.databases import postgresql_database
from shared.testing.servers import postgresql_url


def name_of(url: str) -> str:
    """Return the database that a URL names."""
    return urlsplit(url).path.removeprefix("/")


def there() -> set[str]:
    """Return the names of all databases of the server."""
    with psycopg.connect(postgresql_url()) as connection:
        rows = connection.execute("SELECT datname FROM pg_database").fetchall()
    return {name for (name,) in rows}


def test_exists_inside_the_block_only() -> None:
    """And is a database of its own, empty and in UTF-8."""
    with postgresql_database() as url:
        assert name_of(url) in there()
        with psycopg.connect(url) as connection:
            encoding = connection.execute("SHOW server_encoding").fetchone()
            tables = connection.execute(
                "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
            ).fetchone()

    assert (encoding, tables) == (("UTF8",), (0,))
    assert name_of(url) not in there()


def test_goes_away_under_an_open_connection() -> None:
    """A pool that the test forgot to close does not keep it."""
    with postgresql_database() as url:
        forgotten = psycopg.connect(url)

    assert name_of(url) not in there()
    with pytest.raises(psycopg.OperationalError, match="terminating connection"):
        forgotten.execute("SELECT 1")
    forgotten.close()


async def test_several_at_once_in_coroutines() -> None:
    """``async with``, and no two are the same."""

    async def make() -> str:
        async with postgresql_database() as url:
            return name_of(url)

    names = await asyncio.gather(make(), make(), make())

    assert len(set(names)) == 3
    assert there().isdisjoint(names)


def test_a_killed_run_is_cleaned_up_after() -> None:
    """Its database goes with the next one; one whose owner lives stays."""
    program = (
        "import time\n"
        "from shared.testing.databases import postgresql_database\n"
        "with postgresql_database() as url:\n"
        "    print(url, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as other:
        assert other.stdout is not None
        theirs = name_of(other.stdout.readline().strip())
        with postgresql_database():
            alive = theirs in there()
        other.send_signal(signal.SIGKILL)
        other.wait()
    _until_the_server_noticed(theirs)
    with postgresql_database():
        dead = theirs in there()

    assert (alive, dead) == (True, False)


def _until_the_server_noticed(name: str) -> None:
    """Wait for the lock of a killed client, which its server process gives back."""
    with psycopg.connect(postgresql_url(), autocommit=True) as connection:
        lock = [databases._lock_of(name)]
        connection.execute("SELECT pg_advisory_lock(%s)", lock)
        connection.execute("SELECT pg_advisory_unlock(%s)", lock)


def test_a_role_that_may_not_create_is_told_so() -> None:
    """In PostgreSQL's own words, and not by a skip."""
    role = f"creativeflow_test_{os.getpid()}"
    server = postgresql_url()
    parts = urlsplit(server)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'".encode())
        try:
            url = parts._replace(
                netloc=f"{role}:x@{parts.netloc.rpartition('@')[2]}"
            ).geturl()
            with (
                pytest.raises(
                    psycopg.errors.InsufficientPrivilege,
                    match="permission denied to create database",
                ),
                postgresql_database(url),
            ):
                pass
        finally:
            connection.execute(f"DROP ROLE {role}".encode())
