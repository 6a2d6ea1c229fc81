"""Tests of the line."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.logging import (
    JsonFormatter,
    Redactor,
    TraceContext,
    correlation_id_var,
    trace_context_var,
)
from shared.logging._formatter import _LAST_RESORT

FIXED = [
    "timestamp",
    "level",
    "message",
    "service",
    "correlation_id",
    "module",
    "funcName",
    "lineno",
    "logger",
]


def record(
    msg: Any = "hello", *args: object, exc_info: Any = None, **extra: Any
) -> logging.LogRecord:
    return logging.getLogger("app.users").makeRecord(
        "app.users", 20, "/src/users.py", 7, msg, args, exc_info, "register", extra
    )


def line(entry: Any, **options: Any) -> dict[str, Any]:
    text = JsonFormatter(**options).format(entry)
    assert text.splitlines() == [text] or "\n" not in text
    parsed = json.loads(text)
    assert isinstance(parsed, dict)
    return parsed


def test_the_shape_of_a_line() -> None:
    """A line has these fields, in this order, and then the extras."""
    entry = record("user %s registered", "bob", user_id=5)
    entry.created = 1767225599.123456

    text = JsonFormatter(service="accounts").format(entry)

    assert text == (
        '{"timestamp":"2025-12-31T23:59:59.123456Z","level":"INFO",'
        '"message":"user bob registered","service":"accounts",'
        '"correlation_id":null,"module":"users","funcName":"register","lineno":7,'
        '"logger":"app.users","user_id":5}'
    )


def test_the_context_is_on_the_line() -> None:
    """Correlation and trace ids come from the context variables."""
    id_token = correlation_id_var.set("abc-123")
    trace_token = trace_context_var.set(TraceContext("a" * 32, "b" * 16))

    fields = line(record())

    trace_context_var.reset(trace_token)
    correlation_id_var.reset(id_token)
    assert fields["correlation_id"] == "abc-123"
    assert fields["trace_id"] == "a" * 32
    assert fields["span_id"] == "b" * 16


def test_the_service_name_of_a_record_goes_first() -> None:
    """A filter may set ``service_name``, as the specification has it."""
    assert line(record())["service"] == "unknown"
    assert line(record(service_name="billing"), service="a")["service"] == "billing"


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        (0.0, "1970-01-01T00:00:00.000000Z"),
        (1.999999, "1970-01-01T00:00:01.999999Z"),
        (1767225600.0, "2026-01-01T00:00:00.000000Z"),
        (1767225600, "2026-01-01T00:00:00.000000Z"),
    ],
)
def test_time_is_utc(created: float, expected: str) -> None:
    """The timestamp is RFC 3339 in UTC, with microseconds."""
    entry = record()
    entry.created = created

    assert line(entry)["timestamp"] == expected
    assert JsonFormatter().formatTime(entry, "%Y") == expected


def test_seconds_go_on_and_back() -> None:
    """The remembered second is right for records that come out of order."""
    formatter = JsonFormatter()
    entry = record()
    stamps = []
    for entry.created in (10.5, 10.25, 11.0, 10.75, 9.999999):
        stamps.append(json.loads(formatter.format(entry))["timestamp"][17:23])

    assert stamps == ["10.500", "10.250", "11.000", "10.750", "09.999"]


@pytest.mark.parametrize("created", [float("nan"), 1e30, -5.0, "soon", None])
def test_a_time_out_of_range_is_now(created: Any) -> None:
    """A record made by hand has a valid timestamp all the same."""
    entry = record()
    entry.created = created

    assert line(entry)["timestamp"].startswith("20")


def test_extras_can_not_pose_as_our_fields() -> None:
    """An extra called like a field of ours gets the prefix ``extra_``."""
    clash = {"level": "x", "service": "x", "correlation_id": "x", "logger": "x"}
    clash |= {"timestamp": "x", "trace_id": "x", "truncated": "x", "format_error": "x"}

    fields = line(record(**clash))

    assert {k: v for k, v in fields.items() if v == "x"} == {
        f"extra_{name}": "x" for name in clash
    }
    assert fields["level"] == "INFO"


def test_extras_of_every_kind() -> None:
    """Plain extras go as they are, others in their plain form."""
    fields = line(
        record(
            i=1, f=1.5, s="x", b=True, n=None, nan=float("nan"), big=2**70, d={"a": {1}}
        )
    )

    assert list(fields.items())[len(FIXED) :] == [
        ("i", 1),
        ("f", 1.5),
        ("s", "x"),
        ("b", True),
        ("n", None),
        ("nan", None),
        ("big", str(2**70)),
        ("d", {"a": [1]}),
    ]


def test_names_that_are_no_text() -> None:
    """A record's attributes can have any name, if they are set by hand."""
    entry = record()
    entry.__dict__[5] = "five"  # type: ignore[index]  # on purpose

    assert line(entry)["extra_5"] == "five"


def test_what_other_handlers_leave_behind_is_no_extra() -> None:
    """Their rendering of the message and uvicorn's colours are not repeated."""
    entry = record(color_message="\x1b[36mhello\x1b[0m")
    logging.Formatter("%(asctime)s %(message)s").format(entry)

    assert list(line(entry)) == FIXED


def test_a_record_that_was_sent_keeps_its_extras() -> None:
    """Copied and pickled records have the same line."""
    entry = record("user %s", "bob", user_id=5)

    assert line(copy.copy(entry)) == line(entry)
    assert line(pickle.loads(pickle.dumps(entry))) == line(entry)


class OwnRecord(logging.LogRecord):
    """Formats with braces, and sets an attribute before the usual ones."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.early = "here"
        super().__init__(*args, **kwargs)

    def getMessage(self) -> str:  # noqa: N802  # the standard library's name
        return str(self.msg).format(*self.args or ())


def test_a_record_class_of_ones_own() -> None:
    """A factory's records format in their own way, and lose no attribute."""
    entry = OwnRecord("a", 20, "/a.py", 1, "user {}", ("bob",), None)

    assert line(entry)["message"] == "user bob"
    assert line(entry)["early"] == "here"
    entry.msg = "{"
    assert line(entry)["format_error"].startswith("ValueError: ")


def _raised(error: BaseException) -> Any:
    try:
        raise error
    except BaseException:
        return sys.exc_info()


def test_an_exception_is_in_exc_info() -> None:
    """The traceback is one text, and its line breaks are escaped."""
    fields = line(record(exc_info=_raised(ValueError("bad"))))

    assert fields["exc_info"].startswith("Traceback (most recent call last):\n")
    assert fields["exc_info"].endswith("\nValueError: bad")


def test_no_exception_is_no_field() -> None:
    """``logger.exception`` outside of an except block has nothing to say."""
    assert "exc_info" not in line(record(exc_info=(None, None, None)))


def test_a_traceback_that_was_text_already() -> None:
    """A record from another process brings its traceback as text."""
    entry = record()
    entry.exc_text = "Traceback: token=abc"
    entry.stack_info = "Stack: token=abc"

    assert line(entry)["exc_info"] == "Traceback: token=[REDACTED]"
    assert line(entry)["stack_info"] == "Stack: token=[REDACTED]"


class Nasty(Exception):
    """An exception that can't be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


def test_an_exception_that_can_not_be_shown() -> None:
    """The traceback is there as far as it can be."""
    fields = line(record("failed: %s", Nasty(), exc_info=_raised(Nasty())))

    assert "Nasty" in fields["exc_info"]
    assert fields["message"] == "failed: %s"
    assert fields["format_error"] == "RuntimeError: no"
    assert fields["args"] == ["<unprintable Nasty>"]


def test_a_traceback_that_can_not_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """If even the standard library fails, the class of the exception is there."""
    monkeypatch.setattr(logging.Formatter, "formatException", _raised)

    fields = line(record(exc_info=_raised(ValueError("x"))))

    assert fields["exc_info"] == "<unprintable ValueError> (no traceback)"


@pytest.mark.parametrize(
    ("msg", "args", "shown", "problem"),
    [
        ("%d items", ("x",), ["x"], "TypeError: %d format"),
        ("%s %s", ("x",), ["x"], "TypeError: not enough arguments"),
        ("100%", ("x",), ["x"], "ValueError: incomplete format"),
        ("%(a)s", ({"b": "x"},), {"b": "x"}, "KeyError: 'a'"),
        ("%d items", ("token=abc",), ["token=[REDACTED]"], "TypeError: %d format"),
        ("password=%s %s", ("hunter2",), "[REDACTED]", "TypeError: not enough"),
        ("token: %(t)s %(x)s", ({"t": "hunter2"},), "[REDACTED]", "KeyError: 'x'"),
    ],
)
def test_arguments_that_do_not_fit(
    msg: str, args: tuple[object, ...], shown: object, problem: str
) -> None:
    """The message stays as it is; the arguments and the reason are beside it."""
    fields = line(record(msg, *args))

    assert fields["message"][:4] == msg[:4]
    assert fields["args"] == shown
    assert fields["format_error"].startswith(problem)


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("msg", "message"),
    [
        (5, "5"),
        (None, "None"),
        (ValueError("bad"), "bad"),
        ({"password": "a b", "n": 1}, "{'password': '[REDACTED]', 'n': 1}"),
        (Unprintable(), "<unprintable Unprintable>"),
    ],
)
def test_a_message_of_any_type(msg: object, message: str) -> None:
    """The message is always text."""
    assert line(record(msg))["message"] == message


@pytest.mark.parametrize(
    ("msg", "args", "message"),
    [
        ("password=%s", ("hunter2",), "password=[REDACTED]"),
        ("%(password)s", ({"password": "hunter2"},), "[REDACTED]"),
        ("%(n)03d", ({"password": "hunter2", "n": 7},), "007"),
        ("got %s", ({"password": "a, 'b"},), "got {'password': '[REDACTED]'}"),
        ("got %s %d", ([{"token": "a b"}], 1), "got [{'token': '[REDACTED]'}] 1"),
        ("got %r", ({1: frozenset()},), "got {1: frozenset()}"),
    ],
)
def test_secrets_in_arguments(msg: str, args: tuple[object, ...], message: str) -> None:
    """They are looked for before they are text, when their names are still known."""
    assert line(record(msg, *args))["message"] == message


def test_secrets_in_extras_and_tracebacks() -> None:
    """Every place of a line is searched."""
    secret = "Zq7Zq7Zq7"
    entry = record(
        "url postgres://u:%s@h/",
        secret,
        exc_info=_raised(ValueError(f"token={secret}")),
        password=secret,
        nested={"a": [{"api_key": secret}]},
        text=f"Bearer {secret}",
    )
    entry.stack_info = f"secret: {secret}"

    assert secret not in JsonFormatter().format(entry)


def test_redaction_can_be_changed_and_switched_off() -> None:
    """A redactor of one's own knows more names; None knows none."""
    entry = record("token=%s", "abc", iban="DE1", password={"a": 1})

    assert line(entry, redactor=Redactor(keys=["iban"]))["iban"] == "[REDACTED]"
    off = line(entry, redactor=None)
    assert off["message"] == "token=abc"
    assert off["iban"] == "DE1"
    assert off["password"] == {"a": 1}


@pytest.mark.parametrize("redactor", [None, Redactor()])
@pytest.mark.parametrize(
    "extra",
    [
        {"a": "x" * 100_000},
        {"a": "\x00" * 30_000},
        {"a": "\U0001f600" * 30_000},
        {"a": "x" * 30_000, "b": "y" * 30_000},
        {"a": list(range(20_000))},
        {"a": ["x" * 100] * 1000},
        {f"k{n}": n for n in range(10_000)},
        {f"k{n}": "v" * 200 for n in range(1000)},
        {"k" * 50_000: 1},
        {"service_name": "s" * 100_000},
        {"a": "\ud800" * 40_000},
    ],
)
@pytest.mark.parametrize("msg", ["hello", "m" * 100_000, "\n" * 40_000])
def test_a_long_line_is_cut_and_says_so(
    redactor: Redactor | None, extra: dict[str, Any], msg: str
) -> None:
    """With its end a line has at most so many bytes, and the fixed fields are there."""
    entry = record(msg, exc_info=_raised(ValueError("e" * 50_000)), **extra)
    formatter = JsonFormatter(redactor=redactor, max_line_bytes=4096)

    text = formatter.format(entry)

    fields = json.loads(text)
    assert len(text.encode()) < 4096
    assert fields["truncated"] is True
    assert list(fields)[: len(FIXED)] == FIXED
    assert fields["message"][:1] == msg[:1]
    assert fields["exc_info"][-1:] == "e"
    assert fields["lineno"] == 7


def test_a_line_that_just_fits_is_whole() -> None:
    """The limit counts the line's end, and nothing is cut below it."""
    size = len(JsonFormatter().format(record("")).encode())
    fits, cut = "x" * (4095 - size), "x" * (4096 - size)

    assert "truncated" not in line(record(fits), max_line_bytes=4096)
    assert line(record(cut), max_line_bytes=4096)["truncated"] is True


def test_a_cut_line_keeps_its_correlation_id() -> None:
    """An id of the longest kind is whole in the shortest line."""
    token = correlation_id_var.set("c" * 128)

    fields = line(record("x" * 5000), max_line_bytes=2048)

    correlation_id_var.reset(token)
    assert fields["correlation_id"] == "c" * 128
    assert fields["message"].endswith("x[TRUNCATED]")


def test_a_limit_too_low_is_refused() -> None:
    """The fixed fields need room."""
    with pytest.raises(ValueError, match=r"at least 2048 \(got 100\)"):
        JsonFormatter(max_line_bytes=100)


def test_a_record_that_is_none() -> None:
    """Without the usual attributes there is a line with the usual fields."""
    entry = logging.makeLogRecord({})
    entry.__dict__.clear()

    fields = line(entry, service="svc")

    assert list(fields)[: len(FIXED)] == FIXED
    assert fields["message"] == "<unloggable record>"
    assert fields["service"] == "svc"
    assert "AttributeError" in fields["format_error"]


def test_fixed_fields_of_wrong_types() -> None:
    """A record made by hand may have anything anywhere."""
    entry = logging.makeLogRecord(
        {"levelname": {1}, "module": b"m", "lineno": "x", "exc_info": True, "msg": "m"}
    )

    fields = line(entry)

    assert fields["level"] == [1]
    assert fields["module"] == "m"


def test_an_encoder_that_fails_leaves_the_last_resort() -> None:
    """Even then the line is JSON with the fixed fields."""

    def broken(fields: dict[str, object]) -> bytes:
        raise MemoryError

    fields = line(record(), encoder=broken)

    assert list(fields)[: len(FIXED)] == FIXED
    assert json.loads(_LAST_RESORT) == fields


def test_no_stack_left() -> None:
    """A line is written even where the stack is nearly used up."""
    formatter = JsonFormatter()
    entry = record(deep=[[[[1]]]])
    texts: list[str] = []

    def dive() -> None:
        try:
            dive()
        finally:
            texts.append(formatter.format(entry))

    with pytest.raises(RecursionError, match="maximum recursion depth"):
        dive()

    assert {json.loads(text)["funcName"] for text in texts} <= {"register", ""}


class Logging:
    """An object that logs while it is logged."""

    def __init__(self, formatter: JsonFormatter) -> None:
        self.formatter = formatter
        self.inner = ""

    def __str__(self) -> str:
        self.inner = self.formatter.format(record("inner"))
        return "outer"


def test_an_object_that_logs_itself() -> None:
    """Formatting within formatting gives two whole lines."""
    formatter = JsonFormatter()
    value = Logging(formatter)

    outer = formatter.format(record("%s", value))

    assert json.loads(outer)["message"] == "outer"
    assert json.loads(value.inner)["message"] == "inner"


@settings(deadline=None, max_examples=100)
@given(
    msg=st.text(st.characters()) | st.integers() | st.none() | st.binary(),
    args=st.lists(st.text(st.characters()) | st.integers() | st.none(), max_size=3),
    extra=st.dictionaries(
        st.text(st.characters(), min_size=1).filter(
            lambda name: name not in vars(record()) and name != "asctime"
        ),
        st.text(st.characters()) | st.floats() | st.integers() | st.binary(),
        max_size=4,
    ),
)
def test_any_record_is_one_line_of_json(
    msg: object, args: list[object], extra: dict[str, Any]
) -> None:
    """Whatever is logged, there is one line, it parses, and the fields are there."""
    extra.pop("message", None)

    text = JsonFormatter().format(record(msg, *args, **{"x": 1} | extra))

    assert "\n" not in text
    assert "\r" not in text
    assert list(json.loads(text))[: len(FIXED)] == FIXED
