"""Cost of one JSON log line with a correlation id and three extra fields.

Written to /dev/null, one write a line. The baseline is structlog's native logger with
orjson, the fastest complete peer. Each row's line is parsed and checked first.
"""

from __future__ import annotations

import itertools
import json
import logging
import tempfile
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NamedTuple

import loguru
import orjson
import pythonjsonlogger.json
import pythonjsonlogger.orjson
import structlog

from benchmarks import _harness as harness
from shared.logging import Encoder, JsonFormatter, correlation_id_var, json_encoder
from shared.logging._handler import JsonHandler
from shared.logging.orjson import orjson_encoder

SERVICE, CORRELATION_ID = "orders-api", "4bf92f3577b34da6a3ce929d0e0e4736"
MESSAGE = "request finished"
EXTRA: dict[str, Any] = {
    "user_id": 48213,
    "path": "/orders/48213/lines",
    "duration_ms": 12.75,
}
BASE = "structlog, orjson"
GOALS = [
    harness.Goal("kernel, orjson, no redaction", 1.35),
    harness.Goal("kernel, orjson, redaction", 1.85),
    harness.Goal("kernel, json, redaction", 2.2),
]

_numbers = itertools.count()
peer_correlation_id: ContextVar[str | None] = ContextVar("peer_id", default=None)


class Row(NamedTuple):
    """A logger: one line at INFO, and a call at DEBUG, which is off."""

    log: Callable[..., Any]
    debug: Callable[..., Any]


def standard(handler: logging.Handler) -> Row:
    """The standard API in front of *handler*, by a logger of its own."""
    logger = logging.getLogger(f"benchmark.{next(_numbers)}")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.handlers = [handler]

    def log() -> None:
        logger.info(MESSAGE, extra=EXTRA)

    def debug() -> None:
        logger.debug(MESSAGE, extra=EXTRA)

    return Row(log, debug)


def kernel(encoder: Encoder, *, redaction: bool) -> Callable[[str], Row]:
    """Ours, as configure_logging sets it up."""

    def make(path: str) -> Row:
        options: dict[str, Any] = {} if redaction else {"redactor": None}
        formatter = JsonFormatter(service=SERVICE, encoder=encoder, **options)
        stream = open(path, "wb", buffering=0)  # noqa: SIM115 - for the whole run
        return standard(JsonHandler(formatter, stream))

    return make


class AddContext(logging.Filter):
    """What users of the peers write to get service and id on every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Stamp the record."""
        record.service, record.correlation_id = SERVICE, peer_correlation_id.get()
        return True


def with_formatter(formatter: logging.Formatter) -> Callable[[str], Row]:
    """A peer that is a formatter."""

    def make(path: str) -> Row:
        handler = logging.StreamHandler(open(path, "w"))  # noqa: SIM115
        handler.setFormatter(formatter)
        handler.addFilter(AddContext())
        return standard(handler)

    return make


class Constant(logging.Formatter):
    """The floor: all that the standard library does around a formatter."""

    line = json.dumps(
        {"message": MESSAGE, "level": "INFO", "correlation_id": CORRELATION_ID} | EXTRA
    )

    def format(self, record: logging.LogRecord) -> str:
        """Return the same line always."""
        return self.line


def structlog_native(
    encode: Callable[..., Any], *, binary: bool
) -> Callable[[str], Row]:
    """Without the standard library's logging."""

    def make(path: str) -> Row:
        sink: Any = structlog.BytesLogger if binary else structlog.WriteLogger
        logger = structlog.wrap_logger(
            sink(open(path, "wb" if binary else "w")),  # noqa: SIM115
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.format_exc_info,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.EventRenamer("message"),
                structlog.processors.JSONRenderer(serializer=encode),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            cache_logger_on_first_use=True,
        ).bind()
        structlog.contextvars.bind_contextvars(
            service=SERVICE, correlation_id=CORRELATION_ID
        )
        return Row(
            lambda: logger.info(MESSAGE, **EXTRA),
            lambda: logger.debug(MESSAGE, **EXTRA),
        )

    return make


def loguru_serialized(path: str) -> Row:
    """Loguru's own JSON, with its own fields."""
    loguru.logger.remove()
    loguru.logger.add(open(path, "w"), serialize=True, level="INFO")  # noqa: SIM115
    logger = loguru.logger.patch(
        lambda record: record["extra"].update(
            correlation_id=peer_correlation_id.get(), service=SERVICE
        )
    )
    return Row(
        lambda: logger.bind(**EXTRA).info(MESSAGE),
        lambda: logger.debug(MESSAGE),
    )


FIELDS = "%(message)s %(levelname)s %(name)s"
ROWS: dict[str, Callable[[str], Row]] = {
    "kernel, orjson, no redaction": kernel(orjson_encoder, redaction=False),
    "kernel, orjson, redaction": kernel(orjson_encoder, redaction=True),
    "kernel, json, redaction": kernel(json_encoder, redaction=True),
    "floor: standard logging, constant line": with_formatter(Constant()),
    BASE: structlog_native(orjson.dumps, binary=True),
    "structlog, json": structlog_native(json.dumps, binary=False),
    "python-json-logger, orjson": with_formatter(
        pythonjsonlogger.orjson.OrjsonFormatter(FIELDS, timestamp=True)
    ),
    "python-json-logger, json": with_formatter(
        pythonjsonlogger.json.JsonFormatter(FIELDS, timestamp=True)
    ),
    "loguru, serialize=True": loguru_serialized,
}


def loop_of(call: Callable[..., Any]) -> harness.Loop:
    """Repeat *call* without a lookup between."""

    def loop(count: int) -> None:
        for _ in range(count):
            call()

    return loop


def check(name: str, make: Callable[[str], Row]) -> None:
    """Exit unless the row writes a line with the id, the message and the extras."""
    with tempfile.NamedTemporaryFile() as file:
        make(file.name).log()
        logging.shutdown()
        text = file.read().decode()
    json.loads(text)
    missing = [v for v in (MESSAGE, CORRELATION_ID, EXTRA["path"]) if v not in text]
    if missing:
        raise SystemExit(f"{name} writes no {missing}: {text}")


def main() -> None:
    """Check, measure, print."""
    options = harness.parse(__doc__ or "", rounds=9)
    correlation_id_var.set(CORRELATION_ID)
    peer_correlation_id.set(CORRELATION_ID)
    for name, make in ROWS.items():
        check(name, make)
    made = {name: make("/dev/null") for name, make in ROWS.items()}
    lines = {name: loop_of(row.log) for name, row in made.items()}
    calls = {name: loop_of(row.debug) for name, row in made.items()}
    samples = harness.measure(lines, options.rounds)
    disabled = harness.measure(calls, options.rounds, slice_ms=5)
    body = harness.table(
        samples,
        BASE,
        unit="µs a line",
        goals=GOALS,
        more={"µs a disabled call": harness.medians(disabled)},
    )
    harness.report(
        "JSON log line", body, "structlog", "python-json-logger", "loguru", "orjson"
    )
    harness.save(options.json, {"enabled": samples, "disabled": disabled})


if __name__ == "__main__":
    main()
