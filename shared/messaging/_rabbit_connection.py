"""A connection to RabbitMQ that is made again whenever it is lost.

Private: used by ``shared.messaging`` only.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context, ContextVar
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from aiormq.connection import Connection
from aiormq.exceptions import InvalidFrameError

from shared.messaging._rabbit_reader import Careful

_log = logging.getLogger("shared.messaging")

Setup = Callable[[Connection], Awaitable["asyncio.Future[Exception] | None"]]

_CLOSE_SECONDS: Final = 5.0
SETUP_SECONDS: Final = 30.0
_HEARTBEAT: Final = 10

# The last wait, the connection and the consumers must fit into 10 seconds.
_FIRST_DELAY: Final = 0.1
_LAST_DELAY: Final = 4.0
_STEADY_SECONDS: Final = 10.0


class Backoff:
    """How long to wait before the next try: longer each time, and never all at once.

    Args:
        first: Seconds before the second try, at most.
        last: What the wait grows to.
        steady: After how many seconds of success the wait is short again.
        clock: Seconds.
    """

    def __init__(
        self,
        *,
        first: float = _FIRST_DELAY,
        last: float = _LAST_DELAY,
        steady: float = _STEADY_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first = first
        self._last = last
        self._steady = steady
        self._clock = clock
        self._next = first
        self._since: float | None = None

    def succeeded(self) -> None:
        """It works. Whether it lasts is seen when it ends."""
        self._since = self._clock()

    def delay(self) -> float:
        """Seconds to wait now."""
        if self._since is not None and self._clock() - self._since >= self._steady:
            self._next = self._first
        self._since = None
        delay, self._next = self._next, min(self._next * 2, self._last)
        return delay * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


class Link:
    """A connection, as long as `run` runs.

    Args:
        name: What it is for: the broker shows it, and the log.
        url: Of the broker. It holds a password, and is never shown.
        setup: Called with each new connection before anybody else has it. What it
            returns, if anything, ends the connection when it is done.
        connect_timeout: Seconds for one try.
        heartbeat: Seconds after which a silent peer is asked; the URL's, if it has any.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        setup: Setup,
        connect_timeout: float,
        heartbeat: int | None = None,
    ) -> None:
        check_url(url)
        self.name = name
        self.error: Exception | None = None
        """Why there is no connection."""
        self.reached = asyncio.Event()
        """Set as soon as a broker has answered once."""
        self._url = _with_heartbeat(url, heartbeat)
        self._setup = setup
        self._connect_timeout = connect_timeout
        self._connection: Connection | None = None
        self._careful = False
        self._changed = asyncio.Event()
        self._backoff = Backoff()
        _mute_aiormq()

    @property
    def connection(self) -> Connection | None:
        """The connection, if there is one."""
        connection = self._connection
        if connection is None or connection.is_closed:
            return None
        return connection

    async def connected(self) -> Connection:
        """Wait for a connection."""
        while True:
            connection = self.connection
            if connection is not None:
                return connection
            self._changed.clear()
            await self._changed.wait()

    async def run(self) -> None:
        """Connect, and again whenever the connection is lost, until cancelled."""
        while True:
            lost = await self._once()
            first = self.error is None and not self.reached.is_set()  # start says so
            if not first and type(self.error) is not type(lost):
                _log.warning(
                    "No connection to RabbitMQ for %s; trying again. %s",
                    *(self.name, describe(lost)),
                )
            # From a message that can't be decoded, which would come again.
            if isinstance(lost, InvalidFrameError | ValueError | OverflowError):
                self._careful = self.reached.is_set()
            self.error = lost
            await asyncio.sleep(self._backoff.delay())

    async def _once(self) -> Exception:
        """Connect and wait for the end of the connection; why it ended."""
        connection = Connection(
            self._url,
            client_properties={"connection_name": self.name},
            transport_factory=Careful() if self._careful else None,
        )
        try:
            async with asyncio.timeout(self._connect_timeout):
                with replies():
                    await connection.connect()
            self.reached.set()
            closing = connection.closing
            async with asyncio.timeout(SETUP_SECONDS):
                with replies():
                    ended = await self._setup(connection)
            self._backoff.succeeded()
            if self.error is not None:
                _log.info("Connected to RabbitMQ for %s again.", self.name)
            self.error = None
            self._connection = connection
            self._changed.set()
            futures = {closing} if ended is None else {closing, ended}
            await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
            return _cause(closing, ended)
        except Exception as error:
            return error.with_traceback(None)  # which holds on to all that failed
        finally:
            self._connection = None
            await _close(connection)


@contextmanager
def replies() -> Iterator[None]:
    """Around waiting for replies: aiormq cancels who waits when a connection ends.

    A supervisor that took this for its own end would supervise no more.
    """
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise ConnectionError("The connection was closed.") from error


def check_url(url: str) -> None:
    """Refuse what is no address of a broker, without showing it.

    Raises:
        ValueError: It is none.
    """
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("amqp", "amqps") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        valid = False
    if not valid:
        raise ValueError("url must be amqp:// or amqps:// with a host (value hidden).")


def describe(error: BaseException) -> str:
    """One line on *error*, without what could be a password in an address."""
    text = str(error) or "no details"
    return re.sub(r"//[^/@\s]*@", "//***@", f"{type(error).__name__}: {text}")


def own_context() -> Context:
    """A context that has no id, no deadline and no trace of who happens to start."""
    context = Context()
    context.run(_ours.set, True)
    return context


def is_ready(connection: Connection) -> bool:
    """Whether the broker takes messages: it blocks who publishes when it is full.

    aiormq has a coroutine that waits for it, which is asked here for its first step.
    """
    waiting = connection.ready()
    try:
        waiting.send(None)
    except StopIteration:
        return True
    waiting.close()
    return False


def _cause(
    closing: asyncio.Future[Any], ended: asyncio.Future[Exception] | None
) -> Exception:
    if ended is not None and ended.done():
        return ended.result()
    if not closing.cancelled():
        error = closing.exception()
        if isinstance(error, Exception):
            return error
    return ConnectionError("The connection was closed.")


async def _close(connection: Connection) -> None:
    closing = asyncio.ensure_future(connection.close())
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            with suppress(Exception), replies():
                await closing
    except TimeoutError:
        pass


def _with_heartbeat(url: str, heartbeat: int | None) -> str:
    given = parse_qs(urlsplit(url).query).get("heartbeat")
    if given:
        return url
    mark = "&" if urlsplit(url).query else "?"
    return f"{url}{mark}heartbeat={heartbeat or _HEARTBEAT}"


# aiormq logs each failed try as an error, and each end with a traceback. Of our
# connections the log tells once what happened, in words; those of others are theirs.
_ours: Final[ContextVar[bool]] = ContextVar("rabbitmq_bus", default=False)


def _not_ours(_: logging.LogRecord) -> bool:
    return not _ours.get()


def _mute_aiormq() -> None:
    for name in ("aiormq.connection", "aiormq.channel"):
        logger = logging.getLogger(name)
        if _not_ours not in logger.filters:
            logger.addFilter(_not_ours)
