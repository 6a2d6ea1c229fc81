"""The database of a service by the service's name.

Private: import names from ``shared.database``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from importlib import import_module
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from shared.config import get_config
from shared.database._database import Database

_databases: Final[dict[str, Database]] = {}
_lock: Final = threading.Lock()


def get_database(service_name: str) -> Database:
    """The one `Database` of a service in this process, by its configuration.

    Raises:
        shared.config.ConfigurationError: A setting is missing or wrong.
    """
    with _lock:
        if service_name not in _databases:
            config = get_config(service_name).database
            _databases[service_name] = Database(config, service_name=service_name)
        return _databases[service_name]


def get_db_session(
    service_name: str, *, read_only: bool = False
) -> AbstractContextManager[Session]:
    """A block that is one transaction in the database of a service.

    ::

        with get_db_session("subject-service") as db:
            db.add(Subject(name="Math"))

    Committed at the end of the block; rolled back when an exception leaves it.
    """
    return get_database(service_name).sync_session(read_only=read_only)


def get_async_db_session(
    service_name: str, *, read_only: bool = False
) -> AbstractAsyncContextManager[AsyncSession]:
    """The same with ``async with``."""
    return get_database(service_name).session(read_only=read_only)


def get_db_dependency(service: str | Database) -> Callable[..., Any]:
    """What ``Depends`` takes; see ``shared.database.dependencies``.

    Here so that it can be imported from ``shared.database``; the module behind it needs
    FastAPI and is a target of its own.

    Raises:
        ModuleNotFoundError: That target, or FastAPI, is not there.
    """
    try:
        glue = import_module("shared.database.dependencies")
    except ModuleNotFoundError as error:
        error.add_note(
            "get_db_dependency needs //shared/database:dependencies, or in a wheel "
            "creativeflow-shared-database[fastapi]."
        )
        raise
    dependency: Callable[..., Any] = glue.get_db_dependency(service)
    return dependency
