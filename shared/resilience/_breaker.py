"""A circuit breaker: after failures in a row, calls fail at once for a while.

    closed     calls go through, until *failure_threshold* of them in a row have failed
    open       calls fail with `CircuitOpenError`, until *recovery_time* is over
    half-open  *probes* calls go through: all succeed and it closes, one fails: it opens

Failures in a row, not a rate over a window: a service that is down answers no call, so
that a row of failures finds it soonest, and a success costs nothing to count.

Private: import these names from ``shared.resilience``.
"""

from __future__ import annotations

import functools
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from enum import StrEnum
from threading import Lock
from types import CoroutineType, TracebackType
from typing import Any, Final, ParamSpec, TypeAlias, TypeVar, cast

from shared.errors import BaseAPIException
from shared.resilience._errors import (
    BulkheadFullError,
    CircuitOpenError,
    DeadlineExceededError,
    leaves,
)
from shared.resilience._functions import ErrorTest, error_test, is_async, plain
from shared.resilience._numbers import count, seconds

_P = ParamSpec("_P")
_R = TypeVar("_R")

_log: Final = logging.getLogger("shared.resilience")


class BreakerState(StrEnum):
    """What a breaker does with calls."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"

    @property
    def level(self) -> int:
        """0 closed, 1 half-open, 2 open: a number for a gauge."""
        return _LEVELS[self]


_LEVELS: Final = {state: level for level, state in enumerate(BreakerState)}


class _Period:
    """One stay in a state. A call belongs to that in which it began.

    So the late result of a call that began before the breaker opened changes nothing
    when the breaker has recovered since.
    """

    __slots__ = ("blocks", "failures", "passed", "running", "since")

    def __init__(self, failures: int, since: float) -> None:
        # Closed: failures in a row. Half-open: 1, so that successes are looked at.
        self.failures = failures
        self.since = since
        self.running = 0
        self.passed = 0
        # Those that have not ended. Adding, discarding and popping need no lock.
        self.blocks: set[_Block] = set()


class _Block:
    """A `with breaker:` block that began after the breaker's first period."""

    __slots__ = ("breaker", "period")

    def __init__(self, breaker: CircuitBreaker, period: _Period) -> None:
        self.breaker = breaker
        self.period = period


# The blocks that this task or thread is in, the innermost first.
_Entered: TypeAlias = "tuple[_Block, _Entered] | None"
_entered: Final[ContextVar[_Entered]] = ContextVar("entered_breakers", default=None)


def is_outage(error: Exception) -> bool:
    """Whether *error* says that the other side is ill: all but the kernel's 4xx.

    A `NotFoundException` is an answer of a service that works. A bulkhead of ours that
    is full, and a caller whose own time is up, tell nothing about the other side.
    """
    if _says_nothing(error):
        return False
    return not isinstance(error, BaseAPIException) or error.status_code >= 500


def _says_nothing(error: Exception) -> bool:
    """Whether *error* comes from this side of the call, neither success nor failure.

    A caller chooses its deadline: were it counted, anybody could open the breaker for
    everybody with a few requests that have a millisecond each.
    """
    return all(
        isinstance(leaf, BulkheadFullError)
        or (isinstance(leaf, DeadlineExceededError) and leaf.of_caller)
        for leaf in leaves(error)
    )


class CircuitBreaker:
    """Stops calling what keeps failing. One object per target, shared by all callers.

    Three ways to use it, for functions and for coroutines::

        breaker.call(function, argument)    await breaker.call(function, argument)
        with breaker: ...                   async with breaker: ...
        @breaker                            @breaker
        def function(): ...                 async def function(): ...

    A call that is cancelled, or ended by ``KeyboardInterrupt``, counts as neither. So a
    time-out belongs inside the breaker, where it is a failure. A call that finds our
    own bulkhead full, or whose caller's deadline comes before that time-out, counts as
    neither, whatever *on* says: it tells nothing about the other side.

    Args:
        name: For logs, metrics and errors.
        failure_threshold: The failures in a row that open it.
        recovery_time: Seconds that it stays open. Also how long it waits for a probe
            that does not return before it sends another.
        probes: The calls that go through when half-open, all of which must succeed.
        on: The errors that are failures: a class, several, or a function that tells.
            Other errors are answers, and count as successes.
        on_state_change: Called with the breaker, the old and the new state, in order,
            in whichever thread made the change; what it raises is logged.
        clock: Seconds that never go back.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(
        self,
        name: str = "",
        *,
        failure_threshold: int = 5,
        recovery_time: float = 30.0,
        probes: int = 1,
        on: ErrorTest = is_outage,
        on_state_change: Callable[[CircuitBreaker, BreakerState, BreakerState], object]
        | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._threshold = count("failure_threshold", failure_threshold, least=1)
        self._recovery_time = seconds("recovery_time", recovery_time)
        self._probes = count("probes", probes, least=1)
        self._is_failure = error_test(on)
        self._on_state_change = on_state_change and plain(on_state_change)
        self._clock = clock
        self._lock = Lock()
        self._state = BreakerState.CLOSED
        self._forced = False
        self._period = _Period(0, clock())
        # The period while closed, else None: the one thing that most calls look at.
        self._closed: _Period | None = self._period
        self._first = self._period
        self._changes: deque[tuple[BreakerState, BreakerState]] = deque()
        self._telling = Lock()

    @property
    def state(self) -> BreakerState:
        """What calls meet. It stays open past *recovery_time* until a call comes."""
        return self._state

    def __repr__(self) -> str:
        return f"<CircuitBreaker {self.name!r} {self._state}>"

    # --------------------------------------------------------------------- calls

    def call(
        self, function: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> _R:
        """What ``function(*args, **kwargs)`` returns.

        Given a coroutine function, it returns a coroutine that `call_async` would.

        Raises:
            CircuitOpenError: The call was not made.
        """
        period = self._closed or self._admit()
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            self._settle(period, error)
            raise
        if result.__class__ is CoroutineType:
            return self._later(period, result)
        if period.failures:
            self._settle(period, None)
        return result

    async def call_async(
        self,
        function: Callable[_P, Awaitable[_R]],
        /,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _R:
        """What ``await function(*args, **kwargs)`` returns.

        Raises:
            CircuitOpenError: The call was not made.
        """
        period = self._closed or self._admit()
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            self._settle(period, error)
            raise
        if period.failures:
            self._settle(period, None)
        return result

    def _later(self, period: _Period, coroutine: _R) -> _R:
        """Give *coroutine*, of which nothing has run yet, its own admission."""
        self._withdraw(period)
        return cast("_R", self._awaited(cast("Coroutine[Any, Any, Any]", coroutine)))

    async def _awaited(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        try:
            period = self._closed or self._admit()
        except BaseException:
            coroutine.close()
            raise
        try:
            result = await coroutine
        except BaseException as error:
            self._settle(period, error)
            raise
        if period.failures:
            self._settle(period, None)
        return result

    def __call__(self, function: Callable[_P, _R], /) -> Callable[_P, _R]:
        """*function*, guarded: the breaker as a decorator, of ``async def`` too.

        Raises:
            TypeError: *function* is a generator, or no function.
        """
        # The bodies are those of `call` and `call_async`: a call to these would double
        # what a guarded call costs.
        if is_async(function):
            asynchronous = cast("Callable[_P, Awaitable[Any]]", function)

            @functools.wraps(function)
            async def guarded_async(*args: _P.args, **kwargs: _P.kwargs) -> Any:
                period = self._closed or self._admit()
                try:
                    result = await asynchronous(*args, **kwargs)
                except BaseException as error:
                    self._settle(period, error)
                    raise
                if period.failures:
                    self._settle(period, None)
                return result

            return cast("Callable[_P, _R]", guarded_async)

        @functools.wraps(function)
        def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            period = self._closed or self._admit()
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                self._settle(period, error)
                raise
            if result.__class__ is CoroutineType:
                return self._later(period, result)
            if period.failures:
                self._settle(period, None)
            return result

        return guarded

    def __enter__(self) -> CircuitBreaker:
        if self._closed is not self._first:
            self._enter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None or self._closed is not self._first or self._first.failures:
            self._exit(error)

    async def __aenter__(self) -> CircuitBreaker:
        if self._closed is not self._first:
            self._enter()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None or self._closed is not self._first or self._first.failures:
            self._exit(error)

    def _enter(self) -> None:
        """Remember the period that a block begins in, for its end.

        Until the breaker opens for the first time there is one period only, and nothing
        to remember. A block without a memory that ends later than that is too late.
        """
        period = self._closed or self._admit()
        block = _Block(self, period)
        period.blocks.add(block)
        _entered.set((block, _entered.get()))

    def _exit(self, error: BaseException | None) -> None:
        # Settling counts only what began in the present period.
        period = self._first if self._closed is self._first else self._leave()
        if period is not None:
            self._settle(period, error)

    def _leave(self) -> _Period | None:
        """The period in which the innermost block of this breaker was entered.

        A block that ends in another context than it began in, as a generator that a
        thread pool steps through, is forgotten. It then stands for any block of the
        present period that has not ended; None if there is none, since it is from
        before that.
        """
        inner = []
        entry = _entered.get()
        while entry is not None and entry[0].breaker is not self:
            inner.append(entry[0])
            entry = entry[1]
        if entry is None:
            period = self._period
            try:
                period.blocks.pop()
            except KeyError:
                return None
            return period
        block, rest = entry
        for other in reversed(inner):
            rest = (other, rest)
        _entered.set(rest)
        block.period.blocks.discard(block)
        return block.period

    # ------------------------------------------------------------------ by hand

    def reset(self) -> None:
        """Close it, whatever has happened; calls that run now no longer count."""
        with self._lock:
            self._forced = False
            self._become(BreakerState.CLOSED)
        self._tell()

    def force_open(self) -> None:
        """Let nothing through until `reset`."""
        with self._lock:
            self._forced = True
            self._become(BreakerState.OPEN)
        self._tell()

    # -------------------------------------------------------------- transitions

    def _admit(self) -> _Period:
        """The period that a call begins in, or `CircuitOpenError`."""
        with self._lock:
            period, wait = self._try_admit()
        self._tell()
        if period is None:
            raise CircuitOpenError(self.name, retry_after=wait)
        return period

    def _try_admit(self) -> tuple[_Period | None, float]:
        """Under the lock: the period, or None and the seconds until another try."""
        if self._state is BreakerState.CLOSED:
            return self._period, 0.0
        if self._forced:
            return None, self._recovery_time
        now = self._clock()
        period = self._period
        wait = period.since + self._recovery_time - now
        full = (
            self._state is BreakerState.OPEN
            or period.running + period.passed >= self._probes
        )
        if full and wait > 0:
            # A probe may be back at any moment.
            half_open = self._state is BreakerState.HALF_OPEN
            return None, min(wait, 1.0) if half_open else wait
        if full:
            # It was open for long enough, or its probes hang or were lost.
            self._become(BreakerState.HALF_OPEN)
            period = self._period
        period.running += 1
        period.since = now
        return period, 0.0

    def _settle(self, period: _Period, error: BaseException | None) -> None:
        """A call that began in *period* ended, by *error* unless that is None."""
        if error is not None and (
            not isinstance(error, Exception) or _says_nothing(error)
        ):
            return self._withdraw(period)
        failed = error is not None and self._failed(period, error)
        with self._lock:
            if period is not self._period:
                return None
            period.running -= 1
            if failed:
                period.failures += 1
                if period is not self._closed or period.failures >= self._threshold:
                    self._become(BreakerState.OPEN)
            elif period is self._closed:
                period.failures = 0
            else:
                period.passed += 1
                if period.passed >= self._probes:
                    self._become(BreakerState.CLOSED)
        return self._tell()

    def _withdraw(self, period: _Period) -> None:
        """A call that began in *period* said nothing about the other side."""
        with self._lock:
            period.running -= 1

    def _failed(self, period: _Period, error: Exception) -> bool:
        try:
            return self._is_failure(error)
        except BaseException:
            self._withdraw(period)
            raise

    def _become(self, state: BreakerState) -> None:
        """Under the lock: begin a stay in *state*."""
        closed = state is BreakerState.CLOSED
        self._period = _Period(0 if closed else 1, self._clock())
        self._closed = self._period if closed else None
        if state is not self._state:
            self._changes.append((self._state, state))
            self._state = state

    def _tell(self) -> None:
        """Log the changes and pass them on, outside the lock and one after the other.

        A thread that meets another one at it leaves its changes to that one, so nobody
        sees two of them in the wrong order.
        """
        while self._changes and self._telling.acquire(blocking=False):
            try:
                while self._changes:
                    self._tell_one(*self._changes.popleft())
            finally:
                self._telling.release()

    def _tell_one(self, old: BreakerState, new: BreakerState) -> None:
        level = logging.WARNING if new is BreakerState.OPEN else logging.INFO
        _log.log(level, "Circuit breaker %r is %s, was %s.", self.name, new, old)
        if self._on_state_change is not None:
            try:
                self._on_state_change(self, old, new)
            except Exception:
                _log.exception("on_state_change of breaker %r failed.", self.name)
