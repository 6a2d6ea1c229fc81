"""Setting up a service's logging in one call, and logging one event.

Private: import these names from ``shared.logging``.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import IO

from shared.logging._context import correlation_id_var
from shared.logging._formatter import (
    DEFAULT_REDACTOR,
    Encoder,
    JsonFormatter,
    json_encoder,
)
from shared.logging._handler import JsonHandler
from shared.logging._redaction import Redactor
from shared.logging._security import SECURITY_LOGGER

_TAKEN_OVER = ("uvicorn", "uvicorn.asgi", "uvicorn.error", "py.warnings")
_SILENCED = "uvicorn.access"  # RequestLogMiddleware writes the access lines


def configure_logging(
    service_name: str,
    log_level: str | int = "INFO",
    *,
    stream: IO[str] | IO[bytes] | None = None,
    encoder: Encoder = json_encoder,
    redactor: Redactor | None = DEFAULT_REDACTOR,
    max_line_bytes: int = 32 * 1024,
) -> None:
    """Write what this process logs as one JSON object a line.

    Calling it again replaces the first call's settings. On the root logger it removes
    the handlers that would show a record a second time on the console: plain
    ``StreamHandler`` objects and any that write to stdout or stderr. Others stay:
    files, error trackers, pytest's ``caplog``. Uvicorn's loggers and Python warnings
    come out here too, and uvicorn's own access lines stop; ``uvicorn.run(app)`` in the
    same program undoes that unless it gets ``log_config=None``. Security events are
    written at every *log_level*.

    Args:
        service_name: Value of ``service`` on every line.
        log_level: The least severe level that is written, by name or number.
        stream: Where to, text or binary; None means ``sys.stdout``, also when that is
            exchanged later.
        encoder: Makes the JSON; ``shared.logging.orjson`` has a faster one.
        redactor: Hides secrets; ``Redactor(keys=...)`` knows more names of yours, None
            shows everything.
        max_line_bytes: A longer line is cut to it and marked ``"truncated": true``.

    Raises:
        ValueError: No service name, an unknown level, or *max_line_bytes* below 2048.
    """
    if not service_name:
        raise ValueError("service_name must not be empty.")
    level = _level(log_level)
    formatter = JsonFormatter(
        service=service_name,
        encoder=encoder,
        redactor=redactor,
        max_line_bytes=max_line_bytes,
    )
    root = logging.getLogger()
    _remove_console_handlers(root)
    root.addHandler(JsonHandler(formatter, stream))
    root.setLevel(level)
    for name in _TAKEN_OVER:
        logger = logging.getLogger(name)
        _remove_console_handlers(logger)
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    access = logging.getLogger(_SILENCED)
    _remove_console_handlers(access)
    access.propagate = False
    access.setLevel(logging.CRITICAL + 1)
    # An audit trail has no gaps because somebody wanted less of the rest.
    logging.getLogger(SECURITY_LOGGER).setLevel(min(level, logging.INFO))
    # Off first: whoever restored `warnings.showwarning` did not tell `logging`.
    logging.captureWarnings(False)
    logging.captureWarnings(True)


def setup_logging(name: str, level: str | int = "INFO") -> logging.Logger:
    """Configure logging for the service called *name* and return its logger."""
    configure_logging(name, level)
    return logging.getLogger(name)


def log_event(
    logger: logging.Logger,
    event: str,
    data: Mapping[str, object] | None = None,
    correlation_id: str | None = None,
    *,
    level: int = logging.INFO,
) -> None:
    """Log that *event* happened, with *data* as a field of its own.

    Args:
        logger: Where to.
        event: Name of the event: the message, and the field ``event``.
        data: Facts, in the field ``data``; secrets in it are hidden by name.
        correlation_id: Stands on this line instead of the context's own id.
        level: Severity.
    """
    if not logger.isEnabledFor(level):
        return
    token = correlation_id_var.set(correlation_id or correlation_id_var.get())
    try:
        extra = {"event": event, "data": {} if data is None else data}
        # As an argument: a name with a percent sign is not a format.
        logger.log(level, "%s", event, extra=extra, stacklevel=2)
    finally:
        correlation_id_var.reset(token)


def _level(level: str | int) -> int:
    if isinstance(level, str):
        number = logging.getLevelNamesMapping().get(level.upper())
        if number is None:
            known = ", ".join(logging.getLevelNamesMapping())
            raise ValueError(f"log_level must be one of {known} (got {level!r}).")
        return number
    return level


def _remove_console_handlers(logger: logging.Logger) -> None:
    console = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    for handler in logger.handlers[:]:
        stream = getattr(handler, "stream", None)
        if (
            isinstance(handler, JsonHandler)
            or type(handler) is logging.StreamHandler
            or (stream is not None and stream in console)
        ):
            logger.removeHandler(handler)
            handler.close()
