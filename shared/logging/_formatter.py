"""From a log record to one line of JSON.

Private: import these names from ``shared.logging``.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from itertools import islice
from typing import Any, TypeAlias

from shared.logging._context import correlation_id_var, trace_context_var
from shared.logging._plain import CUT, MAX_INT, MIN_INT, Plain, unprintable
from shared.logging._redaction import REDACTED, Redactor

Encoder: TypeAlias = Callable[[dict[str, object]], bytes]
"""Makes one line of UTF-8 JSON, without line end, from plain JSON values.

It raises on a lone surrogate; the formatter then replaces it and asks again.
"""

DEFAULT_REDACTOR = Redactor()
MIN_LINE_BYTES = 2048

_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":")
).encode


def json_encoder(fields: dict[str, object]) -> bytes:
    """Encode with the standard library; the default."""
    return _encode(fields).encode()


# What every record has, and what else libraries put on records without meaning it for
# the line: other handlers' renderings, and uvicorn's message in colours.
_RECORD_SIZE = len(vars(logging.makeLogRecord({})))
_NOT_EXTRA = frozenset(vars(logging.makeLogRecord({}))) | {
    "asctime",
    "color_message",
    "message",
    "service_name",
    "taskName",
}
_FIELDS = (
    "timestamp",
    "level",
    "message",
    "service",
    "correlation_id",
    "module",
    "funcName",
    "lineno",
    "logger",
)
_FIXED = (frozenset(_FIELDS) | {"trace_id", "span_id"}) - {"message"}
# An extra may not look like a field of ours.
_RESERVED = _FIXED | {"args", "format_error", "message", "truncated"}
_SPECIAL = _NOT_EXTRA | _RESERVED
# Bound once: looking the method up takes three times as long as calling it.
_correlation_id = correlation_id_var.get
_trace_context = trace_context_var.get
_TRACES = ("exc_info", "stack_info")
_FIXED_BYTES = 160  # holds a correlation id of 128 characters
_LAST_RESORT = (
    b'{"timestamp":"1970-01-01T00:00:00.000000Z","level":"ERROR",'
    b'"message":"<unloggable record>","service":"unknown","correlation_id":null,'
    b'"module":"","funcName":"","lineno":0,"logger":"","truncated":true}'
)


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object on one line, whatever the record holds.

    Args:
        service: Value of ``service`` for records without a ``service_name`` attribute.
        encoder: Makes the JSON; ``shared.logging.orjson`` has a faster one.
        redactor: Hides secrets; None shows everything.
        max_line_bytes: A longer line is cut to it and marked ``"truncated": true``.

    Raises:
        ValueError: *max_line_bytes* is below 2048, too few for the fixed fields.
    """

    def __init__(
        self,
        *,
        service: str = "unknown",
        encoder: Encoder = json_encoder,
        redactor: Redactor | None = DEFAULT_REDACTOR,
        max_line_bytes: int = 32 * 1024,
    ) -> None:
        super().__init__()
        if max_line_bytes < MIN_LINE_BYTES:
            raise ValueError(
                f"max_line_bytes must be at least {MIN_LINE_BYTES}"
                f" (got {max_line_bytes})."
            )
        self._template: dict[str, object] = dict.fromkeys(_FIELDS)
        self._template["service"] = service
        self._encode = encoder
        self._redactor = redactor
        self._max = max_line_bytes - 1  # the line's end counts
        self._second = (0, "1970-01-01T00:00:00.")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without its end. Never raises."""
        return self.render(record).decode()

    def formatTime(  # noqa: N802  # the standard library's name
        self, record: logging.LogRecord, datefmt: str | None = None
    ) -> str:
        """Return the record's time in UTC by RFC 3339; *datefmt* is not used."""
        return self._timestamp(record.created)

    def render(self, record: logging.LogRecord) -> bytes:
        """Return the line as UTF-8, without its end. Never raises."""
        # One long function: a line costs as much as thirty calls of an empty one.
        fields = self._template.copy()
        try:
            message, problem = record.msg, None
            if record.args or type(message) is not str:
                message, problem = self._message(record)
            second, text = self._second
            micros = (record.created - second) * 1_000_000
            if 0 <= micros < 1_000_000:
                text = "%s%06dZ" % (text, micros)  # noqa: UP031  # the fastest
            else:
                text = self._timestamp(record.created)
            fields["timestamp"] = text
            fields["level"] = record.levelname
            fields["message"] = message
            fields["correlation_id"] = _correlation_id()
            fields["module"] = record.module
            fields["funcName"] = record.funcName
            fields["lineno"] = record.lineno
            fields["logger"] = record.name
            trace = _trace_context()
            if trace is not None:
                fields["trace_id"] = trace.trace_id
                fields["span_id"] = trace.span_id
            # Most records have plain values without a secret. One pass finds that out;
            # the texts are searched together, for a fraction of one by one.
            plain = problem is None
            redactor = self._redactor
            texts = message
            attributes = record.__dict__
            if len(attributes) > _RECORD_SIZE:
                # Extras come last, unless a subclass set some of its own before.
                known = _RECORD_SIZE if type(record) is logging.LogRecord else 0
                for name in islice(attributes, known, None):
                    value = attributes[name]
                    if name in _SPECIAL or type(name) is not str:
                        if name == "service_name":
                            fields["service"] = value
                        if name in _NOT_EXTRA:
                            continue
                        name = f"extra_{name}"
                    kind = type(value)
                    if redactor is not None and redactor.hides(name, value):
                        value = REDACTED
                    elif kind is str:
                        if redactor is not None:
                            texts = f"{texts}\n{value}"
                    elif kind is int:
                        plain = plain and MIN_INT <= value <= MAX_INT
                    elif kind is float:
                        plain = plain and value - value == 0  # finite
                    elif kind is not bool and value is not None:
                        plain = False
                    fields[name] = value
            if (
                not plain
                or record.exc_info
                or record.exc_text
                or record.stack_info
                or (
                    redactor is not None
                    and (len(texts) > self._max or redactor.suspicious(texts))
                )
            ):
                self._make_plain(record, fields, problem)
            try:
                line = self._encode(fields)
            except Exception:  # a lone surrogate, or a fixed field of a wrong type
                return self._retry(fields)
            return line if len(line) <= self._max else self._shorten(fields)
        except Exception as error:  # a record made by hand
            return self._retry(fields, error)

    def _make_plain(
        self,
        record: logging.LogRecord,
        fields: dict[str, object],
        problem: Exception | None,
    ) -> None:
        """Convert what is not plain in *fields*, and add what is rarely there."""
        plain = Plain(self._redactor, self._max)
        fields["message"] = plain.value(fields["message"])
        late: dict[str, object] = {}
        if problem is not None:
            late["format_error"] = plain.value(problem)
            # Which of them was meant for the secret's place can't be told.
            secret = REDACTED in str(fields["message"])
            late["args"] = REDACTED if secret else plain.value(record.args)
        trace = record.exc_text
        if record.exc_info and record.exc_info[0] is not None:
            try:
                trace = self.formatException(record.exc_info)
            except Exception:  # the exception's own code raised
                trace = f"{unprintable(record.exc_info[1])} (no traceback)"
        if trace:
            late["exc_info"] = plain.text(trace, keep_end=True)
        if record.stack_info:
            late["stack_info"] = plain.text(str(record.stack_info), keep_end=True)
        for name, value in fields.items():
            if name not in _FIXED and name != "message":
                fields[name] = plain.value(value)
        fields.update(late)
        if plain.truncated:
            fields["truncated"] = True

    def _message(self, record: logging.LogRecord) -> tuple[str, Exception | None]:
        """Return the message, or what can be shown of it and why it is not whole."""
        text = None
        try:
            if type(record) is not logging.LogRecord:
                return str(record.getMessage()), None  # it may format in its own way
            text = str(self._without_secrets(record.msg))
            if record.args:
                return text % self._without_secrets_in(record.args), None
            return text, None
        except Exception as error:
            return text or unprintable(record.msg), error

    def _without_secrets_in(self, args: Any) -> Any:
        if self._redactor is None:
            return args
        if type(args) is tuple:
            return tuple([self._without_secrets(arg) for arg in args])
        return self._without_secrets(args)

    def _without_secrets(self, value: object) -> object:
        """Return *value*, or a copy in plain JSON if a name in it is secret.

        Once it is text, the end of a value can't be told as surely as here.
        """
        if isinstance(value, (dict, list, tuple)) and self._redactor is not None:
            plain = Plain(self._redactor, self._max)
            copy = plain.value(value)
            if plain.hidden:
                return copy
        return value

    def _timestamp(self, created: float) -> str:
        try:
            second, text = self._second
            if not 0 <= created - second < 1:
                second = int(created)
                if not 0 <= second < 253402300800:  # the year 10000
                    return self._timestamp(time.time())
                text = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
                self._second = second, text
            micros = (created - second) * 1_000_000
            return "%s%06dZ" % (text, micros)  # noqa: UP031  # the fastest of all ways
        except (TypeError, ValueError, OverflowError):  # a record made by hand
            return self._timestamp(time.time())

    def _retry(
        self, fields: dict[str, object], error: Exception | None = None
    ) -> bytes:
        """Encode what there is of *fields* once more, with nothing left to chance."""
        try:
            plain = Plain(self._redactor, self._max)
            fields = {plain.key(k): plain.field(k, v) for k, v in fields.items()}
            if error is not None:
                fields["format_error"] = plain.value(error)
            if fields["timestamp"] is None:
                fields["timestamp"] = self._timestamp(time.time())
            if fields["message"] is None:
                fields["message"] = "<unloggable record>"
            if plain.truncated:
                fields["truncated"] = True
            line = self._encode(fields)
            return line if len(line) <= self._max else self._shorten(fields)
        except Exception:  # no memory or no stack left
            return _LAST_RESORT

    def _shorten(self, fields: dict[str, object]) -> bytes:
        """Encode as much of *fields* as the line may hold, the most needed first."""
        kept: dict[str, object] = {}
        room = self._max - len(b'{"truncated":true}')
        needed = [name for name in fields if name in _FIXED]
        for name in dict.fromkeys((*needed, "message", *_TRACES, *fields)):
            if name not in fields:
                continue
            if name in _FIXED:
                share = _FIXED_BYTES
            elif name == "message" or name in _TRACES:
                share = room // 2
            else:
                share = room
            value = self._fit(name, fields[name], share)
            size = self._size(name, value)
            if size <= share:
                kept[name] = value
                room -= size
        line = {name: kept[name] for name in fields if name in kept}
        return self._encode(line | {"truncated": True})

    def _size(self, name: str, value: object) -> int:
        return len(self._encode({name: value})) - 1  # without braces, with a comma

    def _fit(self, name: str, value: object, room: int) -> object:
        """Return *value*, cut so that it takes *room* bytes if it can be."""
        if self._size(name, value) <= room:
            return value
        if not isinstance(value, str):
            return CUT
        keep_end = name in _TRACES  # a traceback ends with what went wrong
        keep = min(len(value), room)
        while True:
            start = len(value) - keep if keep_end else 0
            part = value[start : start + keep]
            cut = CUT + part if keep_end else part + CUT
            size = self._size(name, cut)
            if size <= room or not keep:
                return cut
            keep = max(0, keep * room // size - len(CUT))
