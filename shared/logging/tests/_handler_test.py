"""Tests of writing lines."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from shared.logging import JsonFormatter
from shared.logging._handler import JsonHandler


def record(msg: object = "hello", **extra: object) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": msg, "levelname": "INFO"} | extra)


def messages_in(text: str) -> list[str]:
    return [json.loads(line)["message"] for line in text.splitlines()]


class Writes:
    """A stream of text that is nothing but an object with ``write``."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def __len__(self) -> int:  # a stream may be falsy
        return 0

    def write(self, data: Any) -> None:
        self.calls.append(data)


def test_a_line_is_one_write() -> None:
    """Lines of several threads can't mix, because each is written at once."""
    stream: Any = Writes()
    handler = JsonHandler(JsonFormatter(), stream)

    handler.handle(record("\n"))
    handler.emit(record())

    assert [call.count("\n") for call in stream.calls] == [1, 1]
    assert all(call.endswith("}\n") for call in stream.calls)


def test_every_kind_of_stream(tmp_path: Path) -> None:
    """Text, binary, buffered or raw: the bytes are UTF-8 and there at once."""
    line = JsonFormatter().render(record("\u00e9", created=1.0)) + b"\n"
    path = tmp_path / "log"
    text = io.StringIO()
    binary = io.BytesIO()
    streams: list[Any] = [
        path.open("w", encoding="latin-1"),
        path.open("a", encoding="ascii", newline="\r\n"),
        path.open("ab"),
        path.open("ab", buffering=0),
        os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND), "w", closefd=True),
        io.TextIOWrapper(io.FileIO(path, "a"), write_through=True),
    ]
    wrapped = tempfile.NamedTemporaryFile()  # noqa: SIM115  # closed below

    for stream in [*streams, text, binary, wrapped]:
        JsonHandler(JsonFormatter(), stream).handle(record("\u00e9", created=1.0))

    assert path.read_bytes() == line * len(streams)
    assert Path(wrapped.name).read_bytes() == line
    assert text.getvalue().encode() == line
    assert binary.getvalue() == line
    for stream in [*streams, wrapped]:
        stream.close()


def test_what_was_printed_before_comes_first(tmp_path: Path) -> None:
    """A text stream that still holds something is flushed before the line."""
    path = tmp_path / "log"
    with path.open("w") as stream:
        stream.write("printed\n")
        JsonHandler(JsonFormatter(), stream).handle(record())
        stream.write("more\n")

    first, second, third = path.read_text().splitlines()
    assert (first, third) == ("printed", "more")
    assert json.loads(second)["message"] == "hello"


class Slow(io.RawIOBase):
    """Takes ten bytes at a time, as a pipe may."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: Any) -> int:
        self.data += bytes(data[:10])
        return len(data[:10])


class Full(io.RawIOBase):
    """Would block."""

    def write(self, data: Any) -> None:
        return None


def test_a_raw_stream_that_takes_a_part() -> None:
    """The rest of the line follows; a stream that would block is given up."""
    slow = Slow()

    JsonHandler(JsonFormatter(), slow).handle(record())  # type: ignore[arg-type]  # typeshed's RawIOBase is no IO[bytes]
    JsonHandler(JsonFormatter(), Full()).handle(record())  # type: ignore[arg-type]  # typeshed's RawIOBase is no IO[bytes]

    assert json.loads(slow.data)["message"] == "hello"


def test_standard_output_is_looked_up_each_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever exchanges ``sys.stdout`` gets the lines; without one they are dropped."""
    handler = JsonHandler(JsonFormatter())
    handler.handle(record("one"))
    other = io.StringIO()
    monkeypatch.setattr(sys, "stdout", other)
    handler.handle(record("two"))
    monkeypatch.setattr(sys, "stdout", None)
    handler.handle(record("three"))
    monkeypatch.undo()
    handler.handle(record("four"))

    captured = capsys.readouterr()
    assert messages_in(captured.out) == ["one", "four"]
    assert json.loads(other.getvalue())["message"] == "two"
    assert captured.err == ""


class Failing(io.StringIO):
    def write(self, text: str) -> int:
        raise self.error

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


@pytest.mark.parametrize(
    "error",
    [BrokenPipeError(), OSError(28, "full"), ValueError("closed"), RuntimeError("re")],
)
def test_a_stream_that_fails_disturbs_nobody(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    """The caller sees no exception and standard error no traceback."""
    JsonHandler(JsonFormatter(), Failing(error)).handle(record())

    assert capsys.readouterr() == ("", "")


def test_a_pipe_nobody_reads(capsys: pytest.CaptureFixture[str]) -> None:
    """A closed pipe and a closed stream are the same to the caller."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as stream:
        JsonHandler(JsonFormatter(), stream).handle(record())
    JsonHandler(JsonFormatter(), stream).handle(record())

    assert capsys.readouterr() == ("", "")


def test_filters_work_as_usual() -> None:
    """A filter stops a record, changes it, or gives another one (Python 3.12)."""
    stream = io.StringIO()
    handler = JsonHandler(JsonFormatter(), stream)

    def other(entry: logging.LogRecord) -> Any:
        return {"stop": False, "other": record("another")}.get(str(entry.msg), True)

    handler.addFilter(other)
    results = [handler.handle(record(msg)) for msg in ("stop", "other", "pass")]
    handler.addFilter(lambda entry: 1 / 0 > 0)
    results.append(handler.handle(record("lost")))

    assert results == [False, True, True, True]
    messages = messages_in(stream.getvalue())
    assert messages[-1] == "pass"
    assert "lost" not in messages


def test_another_formatter() -> None:
    """Somebody else's formatter gives text, also with a lone surrogate."""
    stream = io.StringIO()
    handler = JsonHandler(JsonFormatter(), stream)

    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    handler.handle(record("a\ud800"))
    handler.setFormatter(JsonFormatter())
    handler.handle(record("b"))

    text, line = stream.getvalue().splitlines()
    assert text == "INFO a\\ud800"
    assert json.loads(line)["message"] == "b"


def test_many_threads(tmp_path: Path) -> None:
    """Lines of many threads are whole."""
    path = tmp_path / "log"
    with path.open("w") as stream:
        handler = JsonHandler(JsonFormatter(), stream)

        def log(number: int) -> None:
            for _ in range(50):
                handler.handle(record(str(number) * 3000))

        threads = [threading.Thread(target=log, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    messages = messages_in(path.read_text())
    assert sorted(messages) == sorted(
        str(n) * 3000 for n in range(8) for _ in range(50)
    )


class LoggingText:
    """An object whose text logs through the same handler."""

    def __init__(self, handler: logging.Handler) -> None:
        self.handler = handler

    def __str__(self) -> str:
        self.handler.handle(record("inner"))
        return "outer"


def test_logging_while_logging() -> None:
    """The inner line comes first, and nothing waits for itself."""
    stream = io.StringIO()
    handler = JsonHandler(JsonFormatter(), stream)

    handler.handle(record(LoggingText(handler)))

    messages = messages_in(stream.getvalue())
    assert messages == ["inner", "outer"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_after_a_fork(tmp_path: Path) -> None:
    """A child can log although the lock was held elsewhere when it was made."""
    path = tmp_path / "log"
    with path.open("ab", buffering=0) as stream:
        handler = JsonHandler(JsonFormatter(), stream)
        held, release = threading.Event(), threading.Event()

        def hold() -> None:
            with handler._lock:
                held.set()
                release.wait(10)

        holder = threading.Thread(target=hold)
        holder.start()
        held.wait(10)
        child = os.fork()
        if child == 0:
            handler.handle(record("child"))
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        release.set()
        holder.join()
        handler.handle(record("parent"))

    assert status == 0
    messages = messages_in(path.read_text())
    assert messages == ["child", "parent"]
