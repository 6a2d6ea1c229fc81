"""What a client can be told, once for all calls or with one call.

Private: import these names from ``shared.http_client``.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias, TypedDict

from shared.http_client._numbers import count, seconds

MAX_RETRIES: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTimeouts:
    """Seconds that the parts of one attempt may take; there is no way to wait forever.

    Args:
        connect: To make a connection, TLS included.
        read: From one piece of the answer to the next.
        write: From one piece of the request to the next.
        pool: For a free connection, when all are in use.
        total: For the attempt as a whole, however slowly the answer drips. The caller's
            deadline ends it sooner.

    Raises:
        ValueError: One is not above 0.
    """

    connect: float = 2.0
    read: float = 5.0
    write: float = 5.0
    pool: float = 1.0
    total: float = 10.0

    def __post_init__(self) -> None:
        for name in ("connect", "read", "write", "pool", "total"):
            seconds(f"timeout.{name}", getattr(self, name))

    @classmethod
    def within(cls, total: float) -> ClientTimeouts:
        """Time-outs of which none is longer than *total*, nor than the usual one."""
        usual = cls()
        return cls(
            connect=min(usual.connect, total),
            read=total,
            write=total,
            pool=min(usual.pool, total),
            total=total,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """How many connections there are to each URL.

    Args:
        max_connections: The most at a time. A call that finds all in use waits
            ``timeout.pool`` seconds for one.
        max_idle: The most that are kept open for later calls.
        idle_seconds: How long. Less than what servers wait (uvicorn: 5 seconds), since
            a connection that the server closes while a request is on its way fails it.

    Raises:
        ValueError: A number is out of range.
    """

    max_connections: int = 100
    max_idle: int = 20
    idle_seconds: float = 4.0

    def __post_init__(self) -> None:
        count("limits.max_connections", self.max_connections, least=1)
        count("limits.max_idle", self.max_idle, least=0)
        seconds("limits.idle_seconds", self.idle_seconds, zero=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and when a call that may be made twice is made again.

    Waits are those of `shared.resilience.Retrying`: a random part of a ceiling that
    doubles, and ``Retry-After`` on top; never past the caller's deadline.

    Args:
        max_retries: The most attempts after the first.
        delay: Seconds, the most before the first retry.
        max_delay: Seconds that the ceiling does not grow past.
        max_retry_after: The longest ``Retry-After`` to wait for.
        budget_ratio: Retries per call when all calls fail: 0.1 is one for ten.
        budget_burst: Retries that may be made before that share counts.

    Raises:
        ValueError: A number is out of range.
    """

    max_retries: int = 2
    delay: float = 0.1
    max_delay: float = 2.0
    max_retry_after: float = 10.0
    budget_ratio: float = 0.1
    budget_burst: int = 10

    def __post_init__(self) -> None:
        retries("retry.max_retries", self.max_retries)
        seconds("retry.delay", self.delay, zero=True)
        seconds("retry.max_delay", self.max_delay, zero=True)
        seconds("retry.max_retry_after", self.max_retry_after, zero=True)
        seconds("retry.budget_ratio", self.budget_ratio, zero=True)
        count("retry.budget_burst", self.budget_burst, least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When a URL is left alone; see `shared.resilience.CircuitBreaker`.

    Args:
        failure_threshold: The failures in a row that open its breaker.
        recovery_time: Seconds until it is tried again.

    Raises:
        ValueError: A number is out of range.
    """

    failure_threshold: int = 5
    recovery_time: float = 30.0

    def __post_init__(self) -> None:
        count("breaker.failure_threshold", self.failure_threshold, least=1)
        seconds("breaker.recovery_time", self.recovery_time)


def retries(name: str, value: int) -> None:
    """Refuse a number of retries that nobody means.

    Raises:
        ValueError: It is not a whole number from 0 to `MAX_RETRIES`.
    """
    count(name, value, least=0)
    if value > MAX_RETRIES:
        raise ValueError(f"{name} must be at most {MAX_RETRIES} (got {value}).")


class CallRecord(NamedTuple):
    """What ``observe`` is told at the end of a call; all of it has few values."""

    target: str
    """The client's name."""
    method: str
    route: str
    """The path as it was written: with ``path_params``, a template."""
    status: int | None
    """Of the last answer; None if the last attempt got none."""
    error: str | None
    """The class of what was raised; None for a success."""
    seconds: float
    attempts: int
    """0 if nothing was sent, as when the breaker is open."""


TokenProvider: TypeAlias = Callable[[], str | Awaitable[str]]
Observer: TypeAlias = Callable[[CallRecord], object]


class CallOptions(TypedDict, total=False):
    """What each method of a client takes beside the path.

    Keys:
        path_params: Fill the ``{names}`` in the path, quoted. Logs then have the path
            with the names, not the values.
        params: The query. A sequence gives its name several times, None leaves it out.
        headers: Further fields. They replace the client's own, save those of the
            connection, which are refused.
        idempotency_key: Sent as ``Idempotency-Key``; makes retries safe for any method,
            where the target honours it.
        timeout: Seconds for each attempt, or `ClientTimeouts`.
        retries: The most attempts after the first.
    """

    path_params: Mapping[str, object] | None
    params: Mapping[str, object] | None
    headers: Mapping[str, str] | None
    idempotency_key: str | None
    timeout: float | ClientTimeouts | None
    retries: int | None


class BodyOptions(CallOptions, total=False):
    """What methods with a body take as well.

    Keys:
        json: Anything that pydantic can serialise; None for no body.
        content: Bytes, text or pieces of bytes as they are, with a ``Content-Type`` in
            *headers*. Pieces can be sent once, so they are never retried.
    """

    json: Any
    content: Content | None


Content: TypeAlias = bytes | str | Iterable[bytes] | AsyncIterable[bytes]
