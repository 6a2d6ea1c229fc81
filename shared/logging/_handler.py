"""Writing lines to a stream without ever disturbing the caller.

Private: ``shared.logging.configure_logging`` installs the handler.
"""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Callable
from typing import IO, Any

from shared.logging._formatter import JsonFormatter


class JsonHandler(logging.Handler):
    """Writes each record as one line, in one ``write`` of UTF-8 bytes.

    A line that can't be written (closed stream, broken pipe, full disk) is lost, and
    nobody is told: the caller has other things to do, and the place to say it is gone.

    Args:
        formatter: Makes the lines.
        stream: Text or binary; None means what ``sys.stdout`` is at that moment.
    """

    def __init__(
        self, formatter: JsonFormatter, stream: IO[str] | IO[bytes] | None = None
    ) -> None:
        super().__init__()
        # `logging` makes it usable again after a fork; None is for other subclasses.
        self._lock = self.lock or threading.RLock()
        self._fixed_stream = stream
        self._stream: object = None
        self._write: Callable[[bytes], object] = _drop
        self.setFormatter(formatter)

    def setFormatter(self, fmt: logging.Formatter | None) -> None:  # noqa: N802
        """Use *fmt*; one that is not ours gives a text, which is encoded here."""
        super().setFormatter(fmt)
        self._render: Callable[[logging.LogRecord], bytes]
        if isinstance(fmt, JsonFormatter):
            self._render = fmt.render
        else:
            self._render = self._render_text

    def _render_text(self, record: logging.LogRecord) -> bytes:
        return self.format(record).encode(errors="backslashreplace")

    def handle(self, record: logging.LogRecord) -> bool:
        """Write the record's line if the filters let it pass."""
        try:
            if self.filters:
                passed: Any = self.filter(record)
                if not passed:
                    return False
                if isinstance(passed, logging.LogRecord):  # Python 3.12 and newer
                    record = passed
            line = self._render(record) + b"\n"
            stream = self._fixed_stream
            if stream is None:
                stream = sys.stdout
            # Not around the rendering: an object's own code may log, or be slow.
            lock = self._lock
            lock.acquire()  # half the price of `with`
            try:
                if stream is not self._stream:
                    self._write = _writer(stream)
                    self._stream = stream
                self._write(line)
            finally:
                lock.release()
        except Exception:
            self.handleError(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Do as :meth:`handle`, for callers that skip it."""
        self.handle(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Do nothing: a traceback on stderr for each line would help nobody."""


def _drop(line: bytes) -> None:
    """Write to no stream: ``sys.stdout`` is None without a console."""


def _writer(stream: Any) -> Callable[[bytes], object]:
    """Return what writes a whole line to *stream* and flushes it."""
    if stream is None:
        return _drop
    flush = getattr(stream, "flush", _flush_nothing)
    if isinstance(stream, io.RawIOBase):
        return _raw_writer(stream)
    if isinstance(stream, io.BufferedIOBase) or "b" in str(getattr(stream, "mode", "")):
        return _flushing(stream.write, after=flush)
    # The bytes below a text stream: JSON is UTF-8 whatever the locale says. What was
    # printed before is flushed first.
    below = getattr(stream, "buffer", None)
    if isinstance(below, io.RawIOBase):  # PYTHONUNBUFFERED
        return _flushing(_raw_writer(below), before=flush)
    if below is not None:
        return _flushing(below.write, before=flush, after=below.flush)
    return _flushing(lambda line: stream.write(line.decode()), after=flush)


def _flush_nothing() -> None:
    """Do nothing, where there is nothing to flush."""


def _flushing(
    write: Callable[[bytes], object],
    *,
    before: Callable[[], object] = _flush_nothing,
    after: Callable[[], object] = _flush_nothing,
) -> Callable[[bytes], object]:
    def write_and_flush(line: bytes) -> None:
        before()
        write(line)
        after()

    return write_and_flush


def _raw_writer(stream: io.RawIOBase) -> Callable[[bytes], object]:
    write = stream.write

    def write_all(line: bytes) -> None:
        written = write(line)
        while written and written < len(line):  # None: it would block, so give up
            line = line[written:]
            written = write(line)

    return write_all
