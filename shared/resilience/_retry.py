"""Calls that are made again after they failed.

Private: import these names from ``shared.resilience``.
"""

from __future__ import annotations

import functools
import logging
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from types import CoroutineType
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar, cast

from shared.resilience._budget import RetryBudget
from shared.resilience._deadline import current_deadline
from shared.resilience._errors import CircuitOpenError
from shared.resilience._functions import ErrorTest, error_test, is_async, plain
from shared.resilience._numbers import count, seconds
from shared.resilience._retry_after import retry_after_of

_P = ParamSpec("_P")
_R = TypeVar("_R")

_log: Final = logging.getLogger("shared.resilience")


class FailedAttempt(NamedTuple):
    """What ``on_retry`` is told before the wait."""

    function: str
    number: int  # 1 for the first
    error: Exception
    wait: float  # seconds until the next


class Retrying:
    """Makes a call again when it failed, after a wait that doubles and is random.

    Before retry number n it waits ``rng() * min(max_delay, delay * backoff_factor **
    (n - 1))`` seconds: "full jitter", which spreads callers that failed together. Where
    the error says ``Retry-After``, it waits that long in addition. It gives up at once
    when the wait would reach past the current deadline, and raises the last error as it
    is, with a note that says how many attempts there were and why there is no other.

    Use it as a decorator, of ``async def`` too, or by `call` and `call_async`; one
    object serves all threads and tasks.

    Args:
        on: The errors after which to try again: a class, several, or a function that
            tells. Only those that a second call can heal, of calls that may be made
            twice. Classes don't take in `CircuitOpenError` unless they name it.
        max_retries: The most calls after the first.
        delay: Seconds, the most before the first retry.
        backoff_factor: What *delay* grows by from retry to retry.
        max_delay: Seconds that it does not grow past.
        max_retry_after: The longest ``Retry-After`` to wait for. A side that asks for
            more is not asked again too soon, but not at all.
        budget: Keeps retries a share of the calls to one target.
        on_retry: Called with a `FailedAttempt` before each wait; what it raises is
            logged.
        rng: A random number from 0 to 1.
        sleep: Waits, in a plain function.
        sleep_async: Waits, in a coroutine; `asyncio.sleep` when left out.
        now: The present moment, for a ``Retry-After`` that is a date.

    Raises:
        ValueError: A number is out of range.
        TypeError: *on* holds something else than subclasses of `Exception`.
    """

    def __init__(
        self,
        *,
        on: ErrorTest,
        max_retries: int = 3,
        delay: float = 1.0,
        backoff_factor: float = 2.0,
        max_delay: float = 30.0,
        max_retry_after: float = 60.0,
        budget: RetryBudget | None = None,
        on_retry: Callable[[FailedAttempt], object] | None = None,
        rng: Callable[[], float] = random.random,
        sleep: Callable[[float], object] = time.sleep,
        sleep_async: Callable[[float], Awaitable[object]] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._is_worth_it = error_test(on, but=CircuitOpenError)
        self._max_retries = count("max_retries", max_retries, least=0)
        self._delay = seconds("delay", delay, zero=True)
        self._factor = seconds("backoff_factor", backoff_factor)
        self._max_delay = seconds("max_delay", max_delay, zero=True)
        self._max_retry_after = seconds("max_retry_after", max_retry_after, zero=True)
        self._budget = budget
        # All that a call which succeeds costs, beside the call itself.
        self._deposit = None if budget is None else budget.deposit
        self._on_retry = on_retry and plain(on_retry)
        self._rng = rng
        self._sleep = sleep
        self._sleep_async = sleep_async
        self._now = now

    def call(
        self, function: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> _R:
        """What ``function(*args, **kwargs)`` returns, at whichever attempt.

        Given a coroutine function, it returns what `call_async` does.
        """
        if self._deposit is not None:
            self._deposit()
        failed = 0
        while True:
            try:
                result = function(*args, **kwargs)
            except Exception as error:
                failed += 1
                wait = self._wait_after(error, failed, function)
                if wait is None:
                    raise
            else:
                if result.__class__ is not CoroutineType:
                    return result
                # Nothing of it has run yet.
                cast("Coroutine[Any, Any, Any]", result).close()
                asynchronous = cast("Callable[..., Awaitable[Any]]", function)
                return cast("_R", self._run(asynchronous, args, kwargs))
            # Out of the except block: the next error is not chained to this one.
            self._sleep(wait)

    async def call_async(
        self,
        function: Callable[_P, Awaitable[_R]],
        /,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _R:
        """What ``await function(*args, **kwargs)`` returns, at whichever attempt."""
        if self._deposit is not None:
            self._deposit()
        return await self._run(function, args, kwargs)

    async def _run(
        self,
        function: Callable[..., Awaitable[_R]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> _R:
        failed = 0
        while True:
            try:
                return await function(*args, **kwargs)
            except Exception as error:
                failed += 1
                wait = self._wait_after(error, failed, function)
                if wait is None:
                    raise
            await self._pause(wait)

    def __call__(self, function: Callable[_P, _R], /) -> Callable[_P, _R]:
        """*function*, made again when it fails: the object as a decorator.

        Raises:
            TypeError: *function* is a generator, or no function.
        """
        if is_async(function):
            asynchronous = cast("Callable[_P, Awaitable[Any]]", function)
            deposit, run = self._deposit, self._run

            @functools.wraps(function)
            async def persistent_async(*args: _P.args, **kwargs: _P.kwargs) -> Any:
                if deposit is not None:
                    deposit()
                return await run(asynchronous, args, kwargs)

            return cast("Callable[_P, _R]", persistent_async)

        call = self.call

        @functools.wraps(function)
        def persistent(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            return call(function, *args, **kwargs)

        return persistent

    async def _pause(self, wait: float) -> None:
        if self._sleep_async is None:
            # Not at the top: whoever is not asynchronous does not pay for its import.
            import asyncio

            self._sleep_async = asyncio.sleep
        await self._sleep_async(wait)

    def _wait_after(
        self, error: Exception, failed: int, function: Callable[..., object]
    ) -> float | None:
        """The seconds until the next attempt; None, and a note, if there is none."""
        wait, reason = self._decide(error, failed)
        if wait is None:
            if reason or failed > 1:
                attempts = f"{failed} attempt" + "s" * (failed > 1)
                error.add_note(f"Given up after {attempts}{reason and ': '}{reason}.")
            return None
        name = getattr(function, "__qualname__", type(function).__qualname__)
        _log.info(
            "Attempt %d of %s failed with %s; the next is in %.3f s.",
            failed,
            name,
            type(error).__name__,
            wait,
        )
        if self._on_retry is not None:
            try:
                self._on_retry(FailedAttempt(name, failed, error, wait))
            except Exception:
                _log.exception("on_retry of %s failed.", name)
        return wait

    def _decide(self, error: Exception, failed: int) -> tuple[float | None, str]:
        """The seconds to wait, or None and why there is no other attempt."""
        if not self._is_worth_it(error):
            return None, ""
        if failed > self._max_retries:
            return None, "no retries are left"
        asked = retry_after_of(error, now=self._now()) or 0.0
        if asked > self._max_retry_after:
            return None, f"the other side asks for {asked:.0f} seconds of rest"
        wait = asked + self._rng() * self._ceiling(failed)
        deadline = current_deadline()
        if deadline is not None and wait >= deadline.remaining():
            return None, "the deadline comes before another"
        # Last, since it takes a token.
        if self._budget is not None and not self._budget.withdraw():
            return None, "the retry budget is spent"
        return wait, ""

    def _ceiling(self, failed: int) -> float:
        try:
            grown = self._delay * self._factor ** (failed - 1)
        except OverflowError:
            return self._max_delay
        return min(self._max_delay, grown)


# Reads as what it does above a function.
retry = Retrying
