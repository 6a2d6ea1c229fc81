"""Puts the process's logging back as it was."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

_LOGGERS = (
    "",
    "uvicorn",
    "uvicorn.access",
    "uvicorn.error",
    "py.warnings",
    "shared.security",
)


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """Undo what a test configures."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(log, log.handlers[:], log.level, log.propagate) for log in loggers]
    yield
    logging.captureWarnings(False)
    for log, handlers, level, propagate in before:
        log.handlers[:] = handlers
        log.setLevel(level)
        log.propagate = propagate
