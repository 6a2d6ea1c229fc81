"""Tests of setting up a service's logging."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import sys
import warnings
from typing import Any

import pytest

from shared.logging import (
    JsonFormatter,
    Redactor,
    configure_logging,
    correlation_id_var,
    json_encoder,
    log_event,
    setup_logging,
)
from shared.logging._handler import JsonHandler

pytestmark = pytest.mark.usefixtures("logging_restored")

log = logging.getLogger("app")


@pytest.fixture
def stream() -> io.StringIO:
    """Return where the lines go."""
    return io.StringIO()


def lines_of(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def our_handlers(name: str = "") -> list[logging.Handler]:
    handlers = logging.getLogger(name).handlers
    return [handler for handler in handlers if isinstance(handler, JsonHandler)]


def test_the_specification_as_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The lines of the two specifications run and give JSON on standard output."""
    configure_logging("my-service")
    logger = setup_logging("my-service", level="INFO")
    logger.info("Service started")
    log_event(logger, "user_created", {"user_id": 123}, "correlation-123")

    started, created = map(json.loads, capsys.readouterr().out.splitlines())
    assert started["message"] == "Service started"
    assert started["service"] == "my-service"
    assert started["logger"] == "my-service"
    assert created["message"] == "user_created"
    assert created["event"] == "user_created"
    assert created["data"] == {"user_id": 123}
    assert created["correlation_id"] == "correlation-123"
    assert created["funcName"] == "test_the_specification_as_printed"
    assert correlation_id_var.get() is None


def test_twice_is_once(stream: io.StringIO) -> None:
    """The second call's settings hold, and a record is one line."""
    configure_logging("first", stream=io.StringIO())
    configure_logging("second", "WARNING", stream=stream)
    log.info("too little")
    log.warning("once")

    (line,) = lines_of(stream)
    assert (line["service"], line["message"]) == ("second", "once")
    assert len(our_handlers()) == 1


class Tracker(logging.Handler):
    """Sends records elsewhere."""

    def emit(self, record: logging.LogRecord) -> None:
        """Send nothing."""


class Console(logging.StreamHandler[Any]):
    """Somebody's own console handler."""


def test_console_handlers_go_and_others_stay(caplog: pytest.LogCaptureFixture) -> None:
    """What would show a record twice is removed; what takes it elsewhere is not."""
    root = logging.getLogger()
    tracker = Tracker()
    kept = logging.StreamHandler(io.StringIO())
    kept.__class__ = Console  # its stream is not the console
    gone = [logging.StreamHandler(io.StringIO()), Console(sys.stdout), Console()]
    for handler in (tracker, kept, *gone):
        root.addHandler(handler)

    configure_logging("svc", stream=io.StringIO())
    log.info("for caplog")

    assert tracker in root.handlers
    assert kept in root.handlers
    assert not set(gone) & set(root.handlers)
    assert caplog.messages == ["for caplog"]


def test_without_a_console_others_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without standard streams loses none of its other handlers."""
    tracker = Tracker()
    logging.getLogger().addHandler(tracker)
    monkeypatch.setattr(sys, "stdout", None)

    configure_logging("svc")

    assert tracker in logging.getLogger().handlers


UVICORN: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {
        "uvicorn": {"handlers": ["console"], "level": "INFO", "propagate": False},
        "uvicorn.error": {"level": "INFO"},
        "uvicorn.access": {
            "handlers": ["console"],
            "level": "INFO",
            "propagate": False,
        },
    },
}


def test_uvicorn_is_taken_over(
    stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own lines come out as JSON at our level, and its access lines not at all."""
    logging.config.dictConfig(UVICORN)

    configure_logging("svc", "DEBUG", stream=stream)
    logging.getLogger("uvicorn.error").debug("Started", extra={"color_message": "S"})
    logging.getLogger("uvicorn.access").info('%s - "%s"', "127.0.0.1", "GET /?token=x")

    (line,) = lines_of(stream)
    assert line["message"] == "Started"
    assert line["logger"] == "uvicorn.error"
    assert "color_message" not in line
    assert not logging.getLogger("uvicorn.access").hasHandlers()
    assert capsys.readouterr() == ("", "")


def test_warnings_are_taken_over(stream: io.StringIO) -> None:
    """A Python warning is a line, however often logging was configured before."""
    for _ in range(2):
        with warnings.catch_warnings():  # restores what `logging` replaces
            warnings.simplefilter("always")
            configure_logging("svc", stream=stream)
            warnings.warn("careful", UserWarning, stacklevel=1)

    first, second = lines_of(stream)
    assert first["logger"] == "py.warnings"
    assert "UserWarning: careful" in first["message"]
    assert second["message"] == first["message"]


def test_options_reach_the_line(stream: io.StringIO) -> None:
    """Encoder, redactor and limit are the formatter's."""
    seen: list[dict[str, object]] = []

    def encoder(fields: dict[str, object]) -> bytes:
        seen.append(fields)
        return json_encoder(fields)

    configure_logging(
        "svc",
        logging.DEBUG,
        stream=stream,
        encoder=encoder,
        redactor=Redactor(keys=["iban"]),
        max_line_bytes=2048,
    )
    log.debug("x" * 5000, extra={"iban": "DE1"})

    (line,) = lines_of(stream)
    assert line["iban"] == "[REDACTED]"
    assert line["truncated"] is True
    assert seen


@pytest.mark.parametrize("level", ["info", "INFO", 20])
def test_levels_by_name_and_number(level: str | int) -> None:
    """Case does not matter."""
    configure_logging("svc", level)

    assert logging.getLogger().level == logging.INFO


@pytest.mark.parametrize(
    ("service", "level", "limit", "problem"),
    [
        ("", "INFO", 4096, "service_name must not be empty"),
        ("svc", "LOUD", 4096, r"one of CRITICAL, .* \(got 'LOUD'\)"),
        ("svc", "INFO", 10, r"max_line_bytes must be at least 2048 \(got 10\)"),
    ],
)
def test_wrong_settings_change_nothing(
    service: str, level: str, limit: int, problem: str
) -> None:
    """A mistake is told at once, and the old handlers are still there."""
    configure_logging("before")
    before = logging.getLogger().handlers[:]

    with pytest.raises(ValueError, match=problem):
        configure_logging(service, level, max_line_bytes=limit)

    assert logging.getLogger().handlers == before


def test_the_formatter_alone_in_a_dict_config(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Those who configure logging themselves name the class, with its options."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": {"()": JsonFormatter, "service": "svc"}},
            "handlers": {
                "out": {
                    "class": "logging.StreamHandler",
                    "stream": "ext://sys.stdout",
                    "formatter": "json",
                }
            },
            "loggers": {"app.own": {"handlers": ["out"], "propagate": False}},
        }
    )
    logging.getLogger("app.own").error("hello")

    assert json.loads(capsys.readouterr().out)["service"] == "svc"


def test_an_event_without_data(stream: io.StringIO) -> None:
    """The context's own id stands where none is given, at any level."""
    configure_logging("svc", stream=stream)
    token = correlation_id_var.set("from-context")
    log_event(log, "100% done", level=logging.WARNING)
    log_event(log, "quiet", level=logging.DEBUG)
    correlation_id_var.reset(token)

    (line,) = lines_of(stream)
    assert line["message"] == "100% done"
    assert line["level"] == "WARNING"
    assert line["data"] == {}
    assert line["correlation_id"] == "from-context"


def test_an_event_s_secrets_are_hidden(stream: io.StringIO) -> None:
    """The data of an event is searched like any extra."""
    configure_logging("svc", stream=stream)

    log_event(log, "login", {"user": "bob", "password": "hunter2"})

    assert lines_of(stream)[0]["data"] == {"user": "bob", "password": "[REDACTED]"}
