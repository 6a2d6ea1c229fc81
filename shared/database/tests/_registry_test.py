from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from shared.config import ConfigurationError
from shared.database import _registry
from shared.database._registry import (
    get_async_db_session,
    get_database,
    get_db_dependency,
    get_db_session,
)


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test has databases of its own, by the usual variable."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/all.db")
    monkeypatch.setattr(_registry, "_databases", {})
    yield
    for database in _registry._databases.values():
        database.dispose_sync()


def test_one_database_for_a_service() -> None:
    """Asked twice, the same; for another service, another."""
    assert get_database("math-service") is get_database("math-service")
    assert get_database("math-service") is not get_database("art-service")
    assert get_database("math-service").service_name == "math-service"


async def test_sessions_by_name() -> None:
    """Of both kinds, each a transaction in the same database."""
    with get_db_session("subject-service") as db:
        db.execute(text("CREATE TABLE subject (name TEXT)"))
        db.execute(text("INSERT INTO subject VALUES ('Math')"))
    async with get_async_db_session("subject-service", read_only=True) as session:
        assert await session.scalar(text("SELECT name FROM subject")) == "Math"
    await get_database("subject-service").dispose()


def test_a_wrong_setting_is_the_error_of_the_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Which names the variable and hides its value."""
    monkeypatch.setenv("BROKEN_SERVICE_DATABASE_URL", "mysql://u:hush@h/d")
    with pytest.raises(ConfigurationError, match="DATABASE_URL") as caught:
        get_database("broken-service")

    assert "hush" not in str(caught.value)


def test_the_dependency_needs_its_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without FastAPI the error says what to install."""
    monkeypatch.setitem(sys.modules, "shared.database.dependencies", None)
    with pytest.raises(ModuleNotFoundError, match="dependencies") as caught:
        get_db_dependency("subject-service")

    assert "creativeflow-shared-database[fastapi]" in caught.value.__notes__[0]
