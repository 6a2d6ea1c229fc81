"""Cost of one call through a closed circuit breaker, an open one, and a retry.

The function called does nothing, so a row is the guard itself and the call, whose cost
alone is the floor. Coroutines run in an event loop that does nothing else. purgatory is
called as its manual has it, by decorator, and also with its breaker fetched beforehand,
which its manual does not have.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import purgatory
import purgatory.domain.model
import stamina
import tenacity

from benchmarks import _harness as harness
from shared.resilience import CircuitBreaker, CircuitOpenError, RetryBudget, retry

PURGATORY = "purgatory, decorator"
STAMINA = "stamina, decorator"

FOREVER = 10**9


class DownError(Exception):
    """What would be retried."""


def work(value: int) -> int:
    """Do nothing."""
    return value


async def work_async(value: int) -> int:
    """Do nothing, in a coroutine."""
    return value


def sync_loop(function: Callable[[int], Any]) -> harness.Loop:
    """Call it."""

    def loop(count: int) -> None:
        for _ in range(count):
            function(1)

    return loop


def async_loop(
    runner: asyncio.AbstractEventLoop, function: Callable[[int], Awaitable[Any]]
) -> harness.Loop:
    """Await it."""

    async def many(count: int) -> None:
        for _ in range(count):
            await function(1)

    def loop(count: int) -> None:
        runner.run_until_complete(many(count))

    return loop


def refused(function: Callable[[int], Any], error: type[Exception]) -> harness.Loop:
    """Call it, and see it refused."""

    def loop(count: int) -> None:
        for _ in range(count):
            with contextlib.suppress(error):
                function(1)
                raise SystemExit("An open breaker let a call through.")

    return loop


def breaker_rows() -> dict[str, harness.Loop]:
    """A closed breaker around a plain function."""
    kernel, peers = CircuitBreaker("a"), purgatory.SyncCircuitBreakerFactory()
    fetched = peers.get_breaker("b")

    def with_kernel(value: int) -> int:
        with kernel:
            return work(value)

    def with_fetched(value: int) -> int:
        with fetched:
            return work(value)

    return {
        "floor: the call alone": sync_loop(work),
        "kernel, call": sync_loop(lambda value: kernel.call(work, value)),
        "kernel, decorator": sync_loop(kernel(work)),
        "kernel, with": sync_loop(with_kernel),
        PURGATORY: sync_loop(peers("a")(work)),
        "purgatory, with, fetched beforehand": sync_loop(with_fetched),
    }


def async_breaker_rows(runner: asyncio.AbstractEventLoop) -> dict[str, harness.Loop]:
    """A closed breaker around a coroutine."""
    kernel, peers = CircuitBreaker("a"), purgatory.AsyncCircuitBreakerFactory()
    fetched = runner.run_until_complete(peers.get_breaker("b"))

    async def with_kernel(value: int) -> int:
        async with kernel:
            return await work_async(value)

    async def with_fetched(value: int) -> int:
        async with fetched:
            return await work_async(value)

    rows = {
        "floor: the call alone": work_async,
        "kernel, call_async": lambda value: kernel.call_async(work_async, value),
        "kernel, decorator": kernel(work_async),
        "kernel, async with": with_kernel,
        PURGATORY: peers("a")(work_async),
        "purgatory, async with, fetched beforehand": with_fetched,
    }
    return {name: async_loop(runner, row) for name, row in rows.items()}


def open_rows() -> dict[str, harness.Loop]:
    """An open breaker: what a refusal costs."""
    kernel = CircuitBreaker("a", failure_threshold=1, recovery_time=FOREVER)
    peers = purgatory.SyncCircuitBreakerFactory(
        default_threshold=1, default_ttl=FOREVER
    )

    def down(_: int) -> None:
        raise DownError

    ours, theirs = kernel(down), peers("a")(down)
    for function in (ours, theirs):
        with contextlib.suppress(DownError):
            function(1)
    opened = purgatory.domain.model.OpenedState
    return {
        "kernel": refused(ours, CircuitOpenError),
        PURGATORY: refused(theirs, opened),
    }


def retry_rows(runner: asyncio.AbstractEventLoop) -> dict[str, dict[str, harness.Loop]]:
    """A call that succeeds the first time, by function and by coroutine."""
    kernel = retry(on=DownError)
    frugal = retry(on=DownError, budget=RetryBudget())
    stamina_retry = stamina.retry(on=DownError, attempts=4)
    tenacity_retry: Any = tenacity.retry(
        retry=tenacity.retry_if_exception_type(DownError),
        stop=tenacity.stop_after_attempt(4),
        wait=tenacity.wait_random_exponential(1, 30),
        reraise=True,
    )
    guards: dict[str, Callable[[Any], Any]] = {
        "floor: the call alone": lambda function: function,
        "kernel": kernel,
        "kernel, budget": frugal,
        STAMINA: stamina_retry,
        "tenacity, decorator": tenacity_retry,
    }
    return {
        "functions": {k: sync_loop(guard(work)) for k, guard in guards.items()},
        "coroutines": {
            k: async_loop(runner, guard(work_async)) for k, guard in guards.items()
        },
    }


def main() -> None:
    """Measure and print."""
    options = harness.parse(__doc__ or "", rounds=9)
    logging.getLogger("shared.resilience").setLevel(logging.ERROR)
    runner = asyncio.new_event_loop()
    retries = retry_rows(runner)
    tables = {
        "Circuit breaker, closed, functions": (
            breaker_rows(),
            PURGATORY,
            ["kernel, call", "kernel, decorator", "kernel, with"],
        ),
        "Circuit breaker, closed, coroutines": (
            async_breaker_rows(runner),
            PURGATORY,
            ["kernel, call_async", "kernel, decorator", "kernel, async with"],
        ),
        "Circuit breaker, open": (open_rows(), PURGATORY, []),
        "Retry, functions": (
            retries["functions"],
            STAMINA,
            ["kernel", "kernel, budget"],
        ),
        "Retry, coroutines": (
            retries["coroutines"],
            STAMINA,
            ["kernel", "kernel, budget"],
        ),
    }
    everything = {}
    for title, (rows, base, ours) in tables.items():
        samples = harness.measure(rows, options.rounds, slice_ms=40, warm=2000)
        goals = [harness.Goal(row, 0.5) for row in ours]
        body = harness.table(samples, base, unit="µs a call", goals=goals)
        harness.report(title, body, "purgatory", "stamina", "tenacity")
        everything[title] = samples
    runner.close()
    harness.save(options.json, everything)


if __name__ == "__main__":
    main()
