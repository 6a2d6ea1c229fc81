"""Services to test, with the settings that matter and nothing from the environment."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.app import Service, create_service
from shared.config import ServerConfig, ServiceConfig

Make = Callable[..., Service]


@pytest.fixture
def make() -> Make:
    """Make a service that leaves logging alone; see the function inside."""

    def make(
        *, server: dict[str, Any] | None = None, config: Any = None, **options: Any
    ) -> Service:
        settings = ServiceConfig(
            service_name="my-service",
            server=ServerConfig(**server or {}),
            **config or {},
        )
        return create_service("my-service", settings, **{"logging": False} | options)

    return make


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """Undo what a test configures."""
    names = ("", "uvicorn", "uvicorn.access", "uvicorn.error", "py.warnings")
    loggers = [logging.getLogger(name) for name in names]
    before = [(log, log.handlers[:], log.level, log.propagate) for log in loggers]
    yield
    logging.captureWarnings(False)
    for log, handlers, level, propagate in before:
        log.handlers[:] = handlers
        log.setLevel(level)
        log.propagate = propagate
