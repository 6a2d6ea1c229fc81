"""A database in a service."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from shared.app import Service, StartError
from shared.app.database import add_database
from shared.config import DatabaseConfig
from shared.database import Database, get_database
from shared.testing import captured_logs

Make = Callable[..., Service]


def sqlite(folder: Path, **settings: Any) -> Database:
    """A database in a file."""
    config = DatabaseConfig(url=f"sqlite:///{folder}/x.db", **settings)
    return Database(config, service_name="my-service")


@pytest.fixture
def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def unreachable(port: int) -> Database:
    """A database whose server is not there."""
    url = f"postgresql://user:hunter2@127.0.0.1:{port}/x"
    return Database(DatabaseConfig(url=url), service_name="my-service")


def test_it_is_checked_and_counted(make: Make, tmp_path: Path) -> None:
    """In the health reply, and in the metrics, connections in use included."""
    service = make()
    database = add_database(service, sqlite(tmp_path, pool_size=3, max_overflow=4))

    @service.app.get("/used")
    async def used() -> tuple[float | None, ...]:
        async with database.session() as session:
            await session.execute(text("SELECT 1"))
            return pool(service)

    with TestClient(service.app) as client:
        health = client.get("/health").json()
        during = tuple(client.get("/used").json())
        after = pool(service)

    (check,) = health["checks"]["database:responseTime"]
    assert (health["status"], check["status"]) == ("pass", "pass")
    assert during == (0, 1, 7)
    assert after == (1, 0, 7)


def test_the_pool_of_threads_is_counted(make: Make, tmp_path: Path) -> None:
    """Under a name of its own, so that it can be full; no engine is made to be seen."""
    service = make()
    database = add_database(
        service, sqlite(tmp_path, pool_size=2, max_overflow=0), connect=False
    )

    unused = pool(service), pool(service, "database_sync")
    made = [pool for pool in (database.pool, database.sync_pool) if pool is not None]
    with database.sync_engine.connect(), database.sync_engine.connect():
        during = pool(service), pool(service, "database_sync")
    database.dispose_sync()

    assert made == []
    assert [*unused, *during] == [(0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 2, 2)]


@pytest.fixture
def busy(make: Make, tmp_path: Path) -> Iterator[tuple[TestClient, Path]]:
    """A service of which a request holds the only connection, and its database."""
    folder = tmp_path / "data"
    folder.mkdir()
    service = make()
    database = add_database(
        service, sqlite(folder, pool_size=1, max_overflow=0), cache_seconds=0
    )
    with TestClient(service.app) as client:
        assert client.portal is not None
        session = client.portal.wrap_async_context_manager(database.session())
        with session as held:
            client.portal.call(held.execute, text("SELECT 1"))
            yield client, folder


def test_a_full_pool_is_a_warning(busy: tuple[TestClient, Path]) -> None:
    """It does not take the service, and all others like it, out of the balancer."""
    client, _ = busy
    with captured_logs("shared.app.health"):
        reply = client.get("/health/ready")

    (check,) = reply.json()["checks"]["database:responseTime"]
    assert (reply.status_code, check["status"]) == (200, "warn")
    assert check["output"] == "database_busy"


def test_a_full_pool_does_not_hide_that_the_database_is_away(
    busy: tuple[TestClient, Path],
) -> None:
    """Unreachable is a failure, whoever has the connections."""
    client, folder = busy
    away = folder.rename(folder.with_name("away"))
    with captured_logs("shared.app.health"):
        reply = client.get("/health/ready")
    away.rename(folder)

    (check,) = reply.json()["checks"]["database:responseTime"]
    assert (reply.status_code, check["status"]) == (503, "fail")


def pool(service: Service, name: str = "database") -> tuple[float | None, ...]:
    """Idle connections, those in use, and the most there can be."""
    value = service.metrics.registry.get_sample_value
    count, labels = "db_client_connection_count", {"pool": name}
    return (
        value(count, labels | {"state": "idle"}),
        value(count, labels | {"state": "used"}),
        value("db_client_connection_max", labels),
    )


def test_it_is_closed_with_the_service(make: Make, tmp_path: Path) -> None:
    """No connection stays behind, and the engine is made anew when it is used."""
    service = make()
    database = add_database(service, sqlite(tmp_path))
    with TestClient(service.app):
        before = database.engine

    assert database.engine is not before


def test_a_server_that_is_not_there_at_the_start(make: Make, closed_port: int) -> None:
    """The service does not start, and one line says why, without the password."""
    service = make()
    add_database(service, unreachable(closed_port))

    with (
        pytest.raises(StartError, match="'database' could not be opened: ") as caught,
        TestClient(service.app),
    ):
        pass

    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_server_that_may_come_later(make: Make, closed_port: int) -> None:
    """The service starts, is not ready, and shows no secret."""
    service = make()
    add_database(service, unreachable(closed_port), connect=False)
    with TestClient(service.app) as client, captured_logs("shared.app.health"):
        ready, live = client.get("/health/ready"), client.get("/health/live")

    assert (ready.status_code, live.status_code) == (503, 200)
    assert "hunter2" not in ready.text
    assert str(closed_port) not in ready.text


def test_the_database_of_the_settings(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The one that `get_database` gives to everybody."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/x.db")

    assert add_database(make()) is get_database("my-service")
