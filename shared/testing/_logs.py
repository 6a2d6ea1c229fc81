"""What was logged, as the service would have written it.

Private: import these names from ``shared.testing``.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from shared.logging import JsonFormatter, Redactor

_NO_FIELD: Final = object()


class CapturedLogs(list[dict[str, Any]]):
    """The lines so far, each a dict of its JSON members, in the order of logging."""

    def having(self, **fields: object) -> list[dict[str, Any]]:
        """Return the lines with these values: ``logs.having(event="login")``."""
        return [
            line
            for line in self
            if all(line.get(n, _NO_FIELD) == value for n, value in fields.items())
        ]

    @property
    def messages(self) -> list[str]:
        """The messages alone."""
        return [line["message"] for line in self]


@contextmanager
def captured_logs(
    logger: str | None = None,
    *,
    level: int | str = logging.DEBUG,
    service: str = "test",
    redactor: Redactor | None = None,
) -> Iterator[CapturedLogs]:
    """Collect what is logged meanwhile, in the JSON that ``shared.logging`` writes.

    Secrets are hidden as in production, so a test can show that one is. Other handlers
    go on working; levels are put back at the end.

    Args:
        logger: The name of the logger to listen to; the root when left out. A logger
            that does not propagate has to be named.
        level: The least severe level that is collected.
        service: Value of ``service`` in each line.
        redactor: Hides secrets; the one of ``configure_logging`` when left out.
    """
    lines = CapturedLogs()
    formatter = JsonFormatter(service=service, redactor=redactor or Redactor())
    handler = _Collector(lines, formatter)
    handler.setLevel(level)
    target = logging.getLogger(logger)
    before = target.level
    target.addHandler(handler)
    # Not raised: somebody else may listen to less severe lines.
    if target.getEffectiveLevel() > handler.level:
        target.setLevel(handler.level)
    try:
        yield lines
    finally:
        target.setLevel(before)
        target.removeHandler(handler)


class _Collector(logging.Handler):
    def __init__(self, lines: CapturedLogs, formatter: JsonFormatter) -> None:
        super().__init__()
        self._lines = lines
        self._formatter = formatter

    def emit(self, record: logging.LogRecord) -> None:
        # At once, while the context variables are those of the caller.
        self._lines.append(json.loads(self._formatter.render(record)))
