"""One INFO line a request, for less than half of what ``Logger.info`` takes.

Most of a call of ``Logger.info`` goes into finding out who called, and into attributes
of the record that were the same the last time. Here the caller is known, and a record
is a copy of the first one but for its time, thread and task.

Private: ``shared.logging.middleware`` writes its lines by it.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from os import getpid
from threading import current_thread, get_ident
from types import CodeType

# What others may put something else in the place of: OpenTelemetry sets a factory,
# ddtrace wraps makeRecord. Then records are made in their way.
_Logger, _LogRecord = logging.Logger, logging.LogRecord
_make_record, _init_record = _Logger.makeRecord, _LogRecord.__init__


class QuickLine:
    """Logs one message at INFO, each time with other extras.

    Handlers and filters get what ``Logger.info`` would give them, but that the flags
    ``logging.logThreads``, ``logProcesses`` and ``logMultiprocessing`` are not asked.

    Args:
        logger: Where to.
        message: Without a percent sign: it is no format.
        source: The function that the lines are to come from.
    """

    __slots__ = ("_logger", "_message", "_pid", "_source", "_start", "_template")

    def __init__(self, logger: logging.Logger, message: str, source: CodeType) -> None:
        self._logger = logger
        self._message = message
        self._source = source
        self._renew()

    def log(self, extra: Mapping[str, object]) -> None:
        """Write the line. No name of *extra* may be one of a record's own."""
        logger = self._logger
        if not logger.isEnabledFor(logging.INFO):
            return
        if not (
            logging.getLogRecordFactory() is _LogRecord
            and type(logger) is _Logger
            and _Logger.makeRecord is _make_record
            and _LogRecord.__init__ is _init_record
        ):
            logger.info(self._message, extra=extra, stacklevel=2)
            return
        pid = getpid()
        if pid != self._pid:  # after a fork
            self._renew()
        record = _LogRecord.__new__(_LogRecord)
        attributes = record.__dict__
        attributes.update(self._template)
        now = time.time()
        attributes["levelname"] = logging.getLevelName(logging.INFO)
        attributes["created"] = now
        attributes["msecs"] = (now - int(now)) * 1000 // 1
        attributes["relativeCreated"] = (now - self._start) * 1000
        attributes["thread"] = get_ident()
        attributes["threadName"] = current_thread().name
        if "taskName" in attributes:  # Python 3.12 and newer
            attributes["taskName"] = _task_name()
        attributes.update(extra)
        logger.handle(record)

    def _renew(self) -> None:
        """Take what does not change from a record that ``logging`` made."""
        code = self._source
        record = _LogRecord(
            self._logger.name,
            logging.INFO,
            code.co_filename,
            code.co_firstlineno,
            self._message,
            (),
            None,
            code.co_name,
        )
        self._template = dict(vars(record))
        self._start = record.created - record.relativeCreated / 1000
        self._pid = getpid()


def _task_name() -> str | None:
    asyncio = sys.modules.get("asyncio")  # no task runs where nobody imported it
    if asyncio is None:
        return None
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        return None
    return None if task is None else str(task.get_name())
