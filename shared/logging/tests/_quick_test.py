"""Tests of lines that are made from a template: they must not show it."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from shared.logging import _quick as quick
from shared.logging import configure_logging
from shared.logging._quick import QuickLine

pytestmark = pytest.mark.usefixtures("logging_restored")

EXTRA = {"method": "GET", "status": 200}


class Keep(logging.Handler):
    """Keeps the records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep *record*."""
        self.records.append(record)


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """Return a logger that nobody else has."""
    logger = logging.getLogger("shared.quick")
    logger.setLevel(logging.INFO)
    yield logger
    logger.setLevel(logging.NOTSET)
    logger.filters.clear()


@pytest.fixture
def kept(logger: logging.Logger) -> Iterator[list[logging.LogRecord]]:
    """Return the records that the logger's handlers get."""
    handler = Keep()
    logger.addHandler(handler)
    yield handler.records
    logger.removeHandler(handler)


def line(logger: logging.Logger) -> QuickLine:
    """Return a line that comes from `caller`."""
    return QuickLine(logger, "request", caller.__code__)


def caller(logger: logging.Logger) -> None:
    """Log in the ordinary way."""
    logger.info("request", extra=EXTRA)


def timeless(record: logging.LogRecord) -> dict[str, Any]:
    """Return the attributes that two records a moment apart have in common."""
    changing = {"created", "msecs", "relativeCreated", "lineno"}
    return {k: v for k, v in vars(record).items() if k not in changing}


def test_a_record_is_as_logging_makes_it(
    logger: logging.Logger, kept: list[logging.LogRecord]
) -> None:
    """A handler can't tell: the same attributes, in the same order."""
    caller(logger)
    line(logger).log(EXTRA)

    usual, ours = kept
    assert type(ours) is logging.LogRecord
    assert timeless(ours) == timeless(usual)
    assert list(vars(ours)) == list(vars(usual))
    assert ours.getMessage() == "request"
    assert ours.lineno == caller.__code__.co_firstlineno


def test_the_times_belong_together(
    logger: logging.Logger, kept: list[logging.LogRecord]
) -> None:
    """Each record has its own time, in all three forms."""
    quick_line = line(logger)
    quick_line.log(EXTRA)
    caller(logger)
    quick_line.log(EXTRA)

    first, usual, last = kept
    assert first.created <= usual.created <= last.created
    assert first.msecs == float(int(first.created % 1 * 1000))
    start = usual.created - usual.relativeCreated / 1000
    assert first.created - first.relativeCreated / 1000 == pytest.approx(start)


def test_records_do_not_share_attributes(
    logger: logging.Logger, kept: list[logging.LogRecord]
) -> None:
    """What a handler writes on one record is not on the next."""
    quick_line = line(logger)
    quick_line.log(EXTRA)
    kept[0].exc_text = "x"
    quick_line.log({"status": 500})

    assert kept[1].exc_text is None
    assert not hasattr(kept[1], "method")


def test_a_line_in_another_thread(
    logger: logging.Logger, kept: list[logging.LogRecord]
) -> None:
    """The thread is the one that logs, not the one that was first."""
    quick_line = line(logger)
    thread = threading.Thread(target=quick_line.log, args=[EXTRA], name="other")
    thread.start()
    thread.join()

    assert (kept[0].threadName, kept[0].thread) == ("other", thread.ident)


def test_another_process(
    logger: logging.Logger,
    kept: list[logging.LogRecord],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a fork the record has the child's id, from the first line on."""
    quick_line = line(logger)
    monkeypatch.setattr(quick, "getpid", lambda: -1)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    quick_line.log(EXTRA)

    assert kept[0].process == -1


def test_a_renamed_level(logger: logging.Logger, kept: list[logging.LogRecord]) -> None:
    """``logging.addLevelName`` holds here as well."""
    quick_line = line(logger)
    logging.addLevelName(logging.INFO, "NOTE")
    try:
        quick_line.log(EXTRA)
    finally:
        logging.addLevelName(logging.INFO, "INFO")

    assert kept[0].levelname == "NOTE"


def test_a_level_that_is_off(
    logger: logging.Logger, kept: list[logging.LogRecord]
) -> None:
    """A line that nobody wants is not made."""
    logger.setLevel(logging.WARNING)
    line(logger).log(EXTRA)

    assert kept == []


def test_filters(logger: logging.Logger, kept: list[logging.LogRecord]) -> None:
    """A filter of the logger is asked, and may add to the record."""

    def only_errors(record: logging.LogRecord) -> bool:
        record.seen = True
        return bool(vars(record)["status"] >= 500)

    logger.addFilter(only_errors)
    quick_line = line(logger)
    quick_line.log(EXTRA)
    quick_line.log({"status": 500})

    assert [vars(record)["seen"] for record in kept] == [True]


class Special(logging.Logger):
    """A logger that makes its own records."""

    def makeRecord(self, *args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: N802
        """Mark the record."""
        record = super().makeRecord(*args, **kwargs)
        record.special = True
        return record


def test_a_logger_of_another_class() -> None:
    """``logging.setLoggerClass`` is somebody's wish."""
    special = Special("special", logging.INFO)
    special.manager = logging.Logger.manager
    special.addHandler(handler := Keep())
    line(special).log(EXTRA)

    assert [vars(record)["special"] for record in handler.records] == [True]
    assert handler.records[0].funcName == "test_a_logger_of_another_class"


@pytest.mark.parametrize(
    ("owner", "name"),
    [(logging.Logger, "makeRecord"), (logging.LogRecord, "__init__")],
)
def test_what_others_wrapped(
    logger: logging.Logger,
    kept: list[logging.LogRecord],
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    name: str,
) -> None:
    """Tracers wrap ``logging``'s methods; records are then made by these."""
    original, calls = getattr(owner, name), []

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        calls.append(name)
        return original(*args, **kwargs)

    quick_line = line(logger)
    monkeypatch.setattr(owner, name, wrapped)
    quick_line.log(EXTRA)

    assert calls == [name]
    assert vars(kept[0])["status"] == 200


async def test_the_task(logger: logging.Logger, kept: list[logging.LogRecord]) -> None:
    """From Python 3.12 on a record names its task."""
    quick_line = line(logger)
    quick_line._template["taskName"] = None
    await asyncio.create_task(asyncio.to_thread(quick_line.log, EXTRA))

    async def work() -> None:
        quick_line.log(EXTRA)

    await asyncio.create_task(work(), name="work")
    asyncio.get_running_loop().call_soon(quick_line.log, EXTRA)
    await asyncio.sleep(0)

    tasks = [vars(record)["taskName"] for record in kept]
    assert tasks == [None, "work", None]


def test_no_task_without_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not imported for the sake of a name."""
    monkeypatch.delitem(sys.modules, "asyncio")

    assert quick._task_name() is None


def test_the_line() -> None:
    """Our formatter takes extras by their place, so that is where they must be."""
    stream = io.StringIO()
    configure_logging("svc", stream=stream)
    line(logging.getLogger("shared.quick")).log({"status": 200, "password": "x"})

    written = json.loads(stream.getvalue())
    assert written["message"] == "request"
    assert (written["status"], written["password"]) == (200, "[REDACTED]")
    assert (written["module"], written["funcName"]) == ("_quick_test", "caller")
