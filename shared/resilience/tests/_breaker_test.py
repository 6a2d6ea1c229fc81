from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import re
import threading
from collections.abc import Awaitable, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import NotFoundException, UpstreamException
from shared.resilience._breaker import BreakerState, CircuitBreaker, is_outage
from shared.resilience._errors import (
    BulkheadFullError,
    CircuitOpenError,
    DeadlineExceededError,
)

CLOSED, HALF_OPEN, OPEN = BreakerState

Change = tuple[BreakerState, BreakerState]


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class DownError(Exception):
    """What a service that is down gives."""


def down(*_: object) -> Any:
    """Fail."""
    raise DownError


def up(value: Any = "up") -> Any:
    """Succeed."""
    return value


async def down_async(*_: object) -> Any:
    """Fail, later."""
    await asyncio.sleep(0)
    raise DownError


async def up_async(value: Any = "up") -> Any:
    """Succeed, later."""
    await asyncio.sleep(0)
    return value


@pytest.fixture
def clock() -> Clock:
    """A clock of the test's own."""
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    """Opens at the second failure, and for ten seconds."""
    return CircuitBreaker("db", failure_threshold=2, recovery_time=10, clock=clock)


def fail(breaker: CircuitBreaker, times: int = 2) -> None:
    """Let that many calls fail."""
    for _ in range(times):
        with pytest.raises(DownError, match=r"^$"):
            breaker.call(down)


# -------------------------------------------------------------------- the states


def test_call_as_in_the_specification() -> None:
    """Without any setting, with arguments of any kind."""
    breaker = CircuitBreaker()

    def some_function(one: int, two: int, *, function: int = 0) -> int:
        return one + two + function

    assert breaker.call(some_function, 1, 2) == 3
    assert breaker.call(some_function, 1, two=2, function=3) == 6
    assert (breaker.state, breaker.name) == (CLOSED, "")


def test_opens_after_failures_in_a_row(breaker: CircuitBreaker) -> None:
    """A success between them starts the count again."""
    seen = []
    for function in (down, up, down, up, down):
        with contextlib.suppress(DownError):
            breaker.call(function)
        seen.append(breaker.state)
    fail(breaker, 1)

    assert seen == [CLOSED] * 5
    assert breaker.state is OPEN


def test_open_breaker_makes_no_call(breaker: CircuitBreaker, clock: Clock) -> None:
    """The caller learns when to come again; the seconds shrink."""
    fail(breaker)
    calls: list[int] = []
    clock.now += 4

    with pytest.raises(CircuitOpenError, match="currently unavailable") as refusal:
        breaker.call(calls.append, 1)

    assert (refusal.value.retry_after, refusal.value.breaker) == (6, "db")
    assert (refusal.value.status_code, calls) == (503, [])


def test_probe_that_succeeds_closes(breaker: CircuitBreaker, clock: Clock) -> None:
    """And the failures are forgotten."""
    fail(breaker)
    clock.now += 10

    assert (breaker.state, breaker.call(up), breaker.state) == (OPEN, "up", CLOSED)
    fail(breaker, 1)
    assert breaker.state is CLOSED


def test_probe_that_fails_opens_for_another_while(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    """One failure is enough."""
    fail(breaker)
    clock.now += 10
    fail(breaker, 1)
    clock.now += 9.5

    with pytest.raises(CircuitOpenError, match="unavailable") as refusal:
        breaker.call(up)
    assert refusal.value.retry_after == 0.5


def test_no_more_probes_than_allowed(clock: Clock) -> None:
    """Others are refused while they run, and all of them must succeed."""
    breaker = CircuitBreaker(
        failure_threshold=1, recovery_time=10, probes=2, clock=clock
    )
    fail(breaker, 1)
    clock.now += 10
    seen = []

    with breaker, breaker:
        with pytest.raises(CircuitOpenError, match="unavailable") as refusal:
            breaker.call(up)
        seen.append(breaker.state)
    seen.append(breaker.state)

    assert seen == [HALF_OPEN, CLOSED]
    assert refusal.value.retry_after == 1


def test_one_success_of_two_does_not_close(clock: Clock) -> None:
    """The second probe still counts, and the slot of the first is not given again."""
    breaker = CircuitBreaker(
        failure_threshold=1, recovery_time=10, probes=2, clock=clock
    )
    fail(breaker, 1)
    clock.now += 10
    breaker.call(up)

    assert breaker.state is HALF_OPEN
    fail(breaker, 1)
    assert breaker.state is OPEN


def test_late_result_of_an_earlier_time_is_nothing(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    """Calls from before an outage don't open a breaker that recovered from it."""

    def outage(then: Callable[[], object]) -> None:
        fail(breaker)
        clock.now += 10
        breaker.call(up)
        then()

    for _ in range(3):
        with pytest.raises(DownError, match=r"^$"):
            breaker.call(outage, down)

    assert breaker.state is CLOSED


def test_late_success_does_not_close(breaker: CircuitBreaker) -> None:
    """A call from before the outage says nothing about after it."""
    with breaker:
        fail(breaker)

    assert breaker.state is OPEN


def test_probe_that_never_returns_is_given_up(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    """A hanging call must not keep the breaker half-open for ever."""
    fail(breaker)
    clock.now += 10
    hanging = breaker.call_async(up_async)
    hanging.send(None)
    with pytest.raises(CircuitOpenError, match="unavailable"):
        breaker.call(up)
    clock.now += 10

    assert (breaker.call(up), breaker.state) == ("up", CLOSED)
    hanging.close()
    assert breaker.state is CLOSED


def test_breaker_that_closes_as_a_call_comes(breaker: CircuitBreaker) -> None:
    """The call that saw it open is made."""
    assert breaker._admit() is breaker._closed


# --------------------------------------------------------------- what is counted


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        (OSError(), True),
        (UpstreamException(), True),
        (CircuitOpenError(), True),
        (NotFoundException(), False),
        (DeadlineExceededError(), True),
        (DeadlineExceededError(of_caller=True), False),
        (BulkheadFullError(), False),
    ],
)
def test_error_of_the_caller_is_no_outage(error: Exception, outage: bool) -> None:
    """Who answers "no such thing" is well."""
    assert is_outage(error) is outage


LOCAL = [
    DeadlineExceededError(of_caller=True),
    BulkheadFullError("ours"),
    ExceptionGroup("of tasks", [DeadlineExceededError(of_caller=True)]),
]


@pytest.mark.parametrize("on", [is_outage, Exception])
@pytest.mark.parametrize("error", LOCAL, ids=lambda error: type(error).__name__)
def test_what_comes_from_this_side_is_neither(
    error: Exception, on: Any, clock: Clock
) -> None:
    """A caller's short deadline, or our lack of room, opens no breaker, closes none."""
    breaker = CircuitBreaker(failure_threshold=2, recovery_time=10, on=on, clock=clock)
    fail(breaker, 1)
    for _ in range(3):
        with pytest.raises(type(error), match=re.escape(error.args[0])):
            breaker.call(raising, error)
    assert breaker.state is CLOSED
    fail(breaker, 1)
    assert breaker.state is OPEN
    clock.now += 10
    for _ in range(3):
        with pytest.raises(type(error), match=re.escape(error.args[0])):
            breaker.call(raising, error)

    assert breaker.state is HALF_OPEN
    assert (breaker.call(up), breaker.state) == ("up", CLOSED)


def test_group_with_a_failure_is_one(breaker: CircuitBreaker) -> None:
    """What else is in it does not hide that the other side is down."""
    group = ExceptionGroup("both", [DeadlineExceededError(of_caller=True), OSError()])
    for _ in range(2):
        with pytest.raises(ExceptionGroup, match="both"):
            breaker.call(raising, group)

    assert breaker.state is OPEN


@pytest.mark.parametrize(
    "on", [DownError, (OSError, DownError), lambda error: isinstance(error, DownError)]
)
def test_failures_can_be_chosen(on: Any, clock: Clock) -> None:
    """By class, by several, or by a function; other errors count as answers."""
    breaker = CircuitBreaker(failure_threshold=1, on=on, clock=clock)
    with pytest.raises(LookupError, match="mine"):
        breaker.call(raising, LookupError("mine"))

    assert breaker.state is CLOSED
    fail(breaker, 1)
    assert breaker.state is OPEN


def raising(error: BaseException) -> None:
    """Raise *error*."""
    raise error


def test_answer_that_is_an_error_starts_the_count_again(
    breaker: CircuitBreaker,
) -> None:
    """The other side has answered."""
    fail(breaker, 1)
    with pytest.raises(NotFoundException, match="not found"):
        breaker.call(raising, NotFoundException())
    fail(breaker, 1)

    assert breaker.state is CLOSED


def test_test_that_fails_itself_blocks_nothing(clock: Clock) -> None:
    """Its error is seen, and the probe is free again."""

    def bad_test(error: Exception) -> bool:
        if isinstance(error, ZeroDivisionError):
            raise LookupError("bad test")
        return True

    breaker = CircuitBreaker(
        failure_threshold=1, recovery_time=10, on=bad_test, clock=clock
    )
    fail(breaker, 1)
    clock.now += 10
    with pytest.raises(LookupError, match="bad test"):
        breaker.call(raising, ZeroDivisionError())

    assert (breaker.call(up), breaker.state) == ("up", CLOSED)


@pytest.mark.parametrize(
    "stop", [asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit]
)
def test_probe_that_is_stopped_frees_its_place(
    stop: type[BaseException], breaker: CircuitBreaker, clock: Clock
) -> None:
    """It says nothing about the other side, so the next call is the probe."""
    fail(breaker)
    clock.now += 10
    with pytest.raises(stop, match=r"^$"):
        breaker.call(raising, stop())

    assert breaker.state is HALF_OPEN
    assert (breaker.call(up), breaker.state) == ("up", CLOSED)


async def test_cancelled_probe_frees_its_place(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    """A client that leaves must not lock everybody out."""
    fail(breaker)
    clock.now += 10
    probe = asyncio.create_task(breaker.call_async(asyncio.Event().wait))
    await asyncio.sleep(0)
    with pytest.raises(CircuitOpenError, match="unavailable"):
        await breaker.call_async(up_async)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe

    assert probe.cancelled()
    assert (await breaker.call_async(up_async), breaker.state) == ("up", CLOSED)


# ----------------------------------------------------------- the ways of calling


def by_call(breaker: CircuitBreaker, function: Callable[[], Any]) -> Any:
    return breaker.call(function)


def by_decorator(breaker: CircuitBreaker, function: Callable[[], Any]) -> Any:
    return breaker(function)()


def by_block(breaker: CircuitBreaker, function: Callable[[], Any]) -> Any:
    with breaker as same:
        assert same is breaker
        return function()


@pytest.mark.parametrize("way", [by_call, by_decorator, by_block])
def test_each_way_of_calling(
    way: Callable[[CircuitBreaker, Callable[[], Any]], Any],
    breaker: CircuitBreaker,
    clock: Clock,
) -> None:
    """They differ in nothing but looks."""
    assert way(breaker, up) == "up"
    for _ in range(2):
        with pytest.raises(DownError, match=r"^$"):
            way(breaker, down)
    with pytest.raises(CircuitOpenError, match="unavailable"):
        way(breaker, up)
    clock.now += 10
    with pytest.raises(DownError, match=r"^$"):
        way(breaker, down)
    clock.now += 10

    assert (way(breaker, up), breaker.state) == ("up", CLOSED)


async def by_call_given_a_coroutine(
    breaker: CircuitBreaker, function: Callable[[], Awaitable[Any]]
) -> Any:
    return await breaker.call(function)


async def by_call_async(
    breaker: CircuitBreaker, function: Callable[[], Awaitable[Any]]
) -> Any:
    return await breaker.call_async(function)


async def by_decorator_async(
    breaker: CircuitBreaker, function: Callable[[], Awaitable[Any]]
) -> Any:
    return await breaker(function)()


async def by_block_async(
    breaker: CircuitBreaker, function: Callable[[], Awaitable[Any]]
) -> Any:
    async with breaker as same:
        assert same is breaker
        return await function()


@pytest.mark.parametrize(
    "way",
    [by_call_given_a_coroutine, by_call_async, by_decorator_async, by_block_async],
)
async def test_each_way_of_awaiting(
    way: Callable[[CircuitBreaker, Callable[[], Awaitable[Any]]], Awaitable[Any]],
    breaker: CircuitBreaker,
    clock: Clock,
) -> None:
    """They differ in nothing but looks, and a coroutine never awaited is closed."""
    assert await way(breaker, up_async) == "up"
    for _ in range(2):
        with pytest.raises(DownError, match=r"^$"):
            await way(breaker, down_async)
    with pytest.raises(CircuitOpenError, match="unavailable"):
        await way(breaker, up_async)
    clock.now += 10
    with pytest.raises(DownError, match=r"^$"):
        await way(breaker, down_async)
    clock.now += 10

    assert (await way(breaker, up_async), breaker.state) == ("up", CLOSED)


async def test_coroutine_is_admitted_when_it_is_awaited(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    """Making it is no call: a probe of which nothing came would be lost."""
    fail(breaker)
    clock.now += 10
    first, second = breaker.call(up_async), breaker.call(up_async)

    assert await first == "up"
    assert breaker.state is CLOSED
    breaker.force_open()
    with pytest.raises(CircuitOpenError, match="unavailable"):
        await second


async def test_function_that_hands_out_a_coroutine(breaker: CircuitBreaker) -> None:
    """It is guarded to its end, although it is no ``async def``."""

    @breaker
    def function() -> Awaitable[Any]:
        return down_async()

    for _ in range(2):
        with pytest.raises(DownError, match=r"^$"):
            await function()

    assert breaker.state is OPEN


async def test_decorated_function_looks_like_itself(breaker: CircuitBreaker) -> None:
    """Frameworks ask functions for their name, signature and kind; methods bind."""

    class Client:
        @breaker
        def get(self, path: str) -> tuple[Client, str]:
            """Fetch."""
            return self, path

        @breaker
        async def get_async(self, path: str) -> tuple[Client, str]:
            """Fetch, later."""
            return self, path

    client = Client()

    assert client.get("/a") == (client, "/a")
    assert await client.get_async("/b") == (client, "/b")
    assert (Client.get.__name__, Client.get.__doc__) == ("get", "Fetch.")
    assert list(inspect.signature(client.get).parameters) == ["path"]
    assert inspect.iscoroutinefunction(Client.get_async)
    assert not inspect.iscoroutinefunction(Client.get)


def test_generator_cannot_be_guarded(breaker: CircuitBreaker) -> None:
    """It would count as a success before it did anything."""

    def rows() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match="is a generator"):
        breaker(rows)


def inside(breaker: CircuitBreaker) -> Generator[None, None, None]:
    """A block that lasts from one step to the next."""
    with breaker:
        yield


def twice(breaker: CircuitBreaker) -> CircuitBreaker:
    """*breaker* in its second period, in which blocks remember where they began."""
    breaker.reset()
    return breaker


def end(block: Generator[None, None, None]) -> None:
    """Let it end by a failure."""
    with pytest.raises(DownError, match=r"^$"):
        block.throw(DownError())


@pytest.mark.parametrize("prepare", [twice, lambda breaker: breaker])
def test_blocks_of_several_breakers_may_overlap(
    prepare: Callable[[CircuitBreaker], CircuitBreaker], clock: Clock
) -> None:
    """Two generators, stepped in turn, leave in another order than they entered."""
    one = prepare(CircuitBreaker("one", failure_threshold=1, clock=clock))
    two = prepare(CircuitBreaker("two", failure_threshold=1, clock=clock))
    first, second = inside(one), inside(two)
    next(first), next(second)
    end(first)
    assert (one.state, two.state) == (OPEN, CLOSED)
    end(second)

    assert two.state is OPEN


@pytest.mark.parametrize("prepare", [twice, lambda breaker: breaker])
def test_block_from_before_an_outage_is_nothing(
    prepare: Callable[[CircuitBreaker], CircuitBreaker],
    breaker: CircuitBreaker,
    clock: Clock,
) -> None:
    """As with calls: it began before the breaker opened, and ends after that."""
    prepare(breaker)
    blocks = [inside(breaker) for _ in range(3)]
    for block in blocks:
        next(block)
    fail(breaker)
    clock.now += 10
    breaker.call(up)
    for block in reversed(blocks):
        end(block)

    assert breaker.state is CLOSED


def begun(breaker: CircuitBreaker) -> Generator[None, None, None]:
    """A block that ends in another context than it began in.

    As where a thread pool steps through a generator.
    """
    block = inside(breaker)
    copy_context().run(next, block)
    return block


@pytest.mark.parametrize("prepare", [twice, lambda breaker: breaker])
def test_block_that_ends_in_another_context_opens_it(
    prepare: Callable[[CircuitBreaker], CircuitBreaker], breaker: CircuitBreaker
) -> None:
    """In the first period as in any later one."""
    prepare(breaker)
    for _ in range(2):
        copy_context().run(end, begun(breaker))

    assert breaker.state is OPEN


@pytest.mark.parametrize("probes", [1, 2])
def test_probes_that_end_in_another_context_close_it(probes: int, clock: Clock) -> None:
    """All of them, at once; else it would send probes for ever."""
    breaker = CircuitBreaker(
        failure_threshold=2, recovery_time=10, probes=probes, clock=clock
    )
    fail(breaker)
    clock.now += 10
    blocks = [begun(breaker) for _ in range(probes)]
    for block in blocks:
        assert breaker.state is HALF_OPEN
        assert copy_context().run(list, block) == []

    assert breaker.state is CLOSED


def test_probe_that_fails_in_another_context_opens_it(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    """As any probe does, and for as long."""
    fail(breaker)
    clock.now += 10
    copy_context().run(end, begun(breaker))
    assert breaker.state is OPEN
    clock.now += 9
    with pytest.raises(CircuitOpenError, match="unavailable"):
        breaker.call(up)

    assert breaker.state is OPEN


def test_probe_that_was_no_block_is_not_settled_by_one(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    """A block from before the outage ends while a call is the probe: nothing."""
    old = inside(breaker)
    next(old)
    fail(breaker)
    clock.now += 10

    def probe() -> BreakerState:
        end(old)
        return breaker.state

    assert breaker.call(probe) is HALF_OPEN
    assert breaker.state is CLOSED


# ----------------------------------------------------------- changes and by hand


def test_changes_are_told_in_order(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """To the callback and to the log, each once."""
    told: list[tuple[CircuitBreaker, BreakerState, BreakerState]] = []
    breaker = CircuitBreaker(
        "db",
        failure_threshold=1,
        recovery_time=10,
        clock=clock,
        on_state_change=lambda *change: told.append(change),
    )
    caplog.set_level(logging.INFO, "shared.resilience")
    fail(breaker, 1)
    clock.now += 10
    breaker.call(up)
    breaker.call(up)

    assert told == [
        (breaker, CLOSED, OPEN),
        (breaker, OPEN, HALF_OPEN),
        (breaker, HALF_OPEN, CLOSED),
    ]
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("WARNING", "Circuit breaker 'db' is open, was closed."),
        ("INFO", "Circuit breaker 'db' is half_open, was open."),
        ("INFO", "Circuit breaker 'db' is closed, was half_open."),
    ]


def test_callback_that_fails_breaks_no_call(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller gets the error of its own call; the log gets the callback's."""

    def callback(*_: object) -> None:
        raise LookupError("no such gauge")

    breaker = CircuitBreaker(
        failure_threshold=1, recovery_time=10, on_state_change=callback, clock=clock
    )
    fail(breaker, 1)
    clock.now += 10

    assert breaker.call(up) == "up"
    assert caplog.text.count("LookupError: no such gauge") == 3


def test_callback_may_use_the_breaker(clock: Clock) -> None:
    """It is called outside the lock, and what it changes is told after."""
    told: list[Change] = []

    def callback(breaker: CircuitBreaker, old: BreakerState, new: BreakerState) -> None:
        if new is OPEN:
            breaker.reset()
        told.append((old, new))

    breaker = CircuitBreaker(failure_threshold=1, on_state_change=callback, clock=clock)
    fail(breaker, 1)

    assert told == [(CLOSED, OPEN), (OPEN, CLOSED)]
    assert breaker.state is CLOSED


def test_callback_that_nobody_would_await_is_refused() -> None:
    """Where it is written, not when the breaker opens one night."""

    async def callback(*_: object) -> None: ...

    with pytest.raises(TypeError, match="must not be async"):
        CircuitBreaker(on_state_change=callback)


def test_by_hand(breaker: CircuitBreaker, clock: Clock) -> None:
    """Forced open it stays so, whatever the clock says, until it is reset."""
    breaker.force_open()
    clock.now += 1000
    with pytest.raises(CircuitOpenError, match="unavailable") as refusal:
        breaker.call(up)
    assert (refusal.value.retry_after, breaker.state) == (10, OPEN)
    breaker.reset()

    assert (breaker.call(up), breaker.state) == ("up", CLOSED)


def test_reset_forgets_failures(breaker: CircuitBreaker) -> None:
    """Also those of calls that still run."""
    fail(breaker, 1)
    breaker.reset()
    fail(breaker, 1)

    assert breaker.state is CLOSED


def test_level_is_a_number_for_a_gauge() -> None:
    """0 closed, 1 half-open, 2 open, as the metric's help says."""
    assert [(state.value, state.level) for state in BreakerState] == [
        ("closed", 0),
        ("half_open", 1),
        ("open", 2),
    ]


def test_repr(breaker: CircuitBreaker) -> None:
    """What a log line needs."""
    assert repr(breaker) == "<CircuitBreaker 'db' closed>"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"failure_threshold": 0}, "failure_threshold must be a whole number"),
        ({"recovery_time": 0}, "recovery_time must be a finite number above 0"),
        ({"recovery_time": float("inf")}, "recovery_time must be a finite number"),
        ({"probes": 0}, "probes must be a whole number of at least 1"),
    ],
)
def test_bad_number_is_refused(settings: dict[str, Any], message: str) -> None:
    """A breaker that never opens, or never closes, helps nobody."""
    with pytest.raises(ValueError, match=message):
        CircuitBreaker(**settings)


@pytest.mark.parametrize(
    ("on", "message"),
    [
        (asyncio.CancelledError, "on must hold subclasses of Exception only"),
        ((OSError, BaseException), "on must hold subclasses of Exception only"),
        ((OSError, "OSError"), "on must hold subclasses of Exception only"),
        (int, "on must hold subclasses of Exception only"),
        ("OSError", r"on must be exception classes.*\(got str\)"),
    ],
)
def test_bad_choice_of_errors_is_refused(on: Any, message: str) -> None:
    """What cancels a task must reach whoever cancelled it."""
    with pytest.raises(TypeError, match=message):
        CircuitBreaker(on=on)


# ----------------------------------------------------------------------- threads


def test_threads_see_changes_in_order_and_no_call_is_lost() -> None:
    """Many threads at once: each change starts where the one before it ended."""
    told: list[Change] = []
    clock = Clock()
    breaker = CircuitBreaker(
        failure_threshold=3,
        recovery_time=0.5,
        clock=clock,
        on_state_change=lambda _, old, new: told.append((old, new)),
    )
    start = threading.Barrier(8)

    def work(number: int) -> int:
        start.wait()
        made = 0
        for turn in range(300):
            clock.now += 0.05
            try:
                breaker.call(down if (turn // 20 + number) % 3 == 0 else up)
            except DownError:
                made += 1
            except CircuitOpenError:
                continue
            else:
                made += 1
        return made

    with ThreadPoolExecutor(8) as pool:
        made = sum(pool.map(work, range(8)))
    ends = [CLOSED, *(new for _, new in told)]

    assert made > 0
    assert [old for old, _ in told] == ends[:-1]
    assert breaker.state is ends[-1]


def test_only_one_thread_probes(clock: Clock) -> None:
    """All come at the moment at which the time is over."""
    breaker = CircuitBreaker(failure_threshold=1, recovery_time=10, clock=clock)
    fail(breaker, 1)
    clock.now += 10
    start, done = threading.Barrier(8), threading.Barrier(8)
    calls: list[int] = []

    def probe(number: int) -> None:
        calls.append(number)
        done.wait()

    def work(number: int) -> str:
        start.wait()
        try:
            breaker.call(probe, number)
        except CircuitOpenError:
            done.wait()
            return "refused"
        return "called"

    with ThreadPoolExecutor(8) as pool:
        results = sorted(pool.map(work, range(8)))

    assert results == ["called"] + ["refused"] * 7
    assert len(calls) == 1


# ------------------------------------------------------------------------- tasks


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from(["up", "down", "cancel"]), min_size=1, max_size=8),
        max_size=8,
    ),
    st.integers(1, 3),
)
def test_never_stuck(rounds: list[list[str]], probes: int) -> None:
    """Whatever becomes of tasks that run together, after the pause it recovers."""
    clock = Clock()
    breaker = CircuitBreaker(
        failure_threshold=2, recovery_time=10, probes=probes, clock=clock
    )

    async def work(kind: str) -> Any:
        await asyncio.sleep(0)
        return await (down_async() if kind == "down" else up_async())

    async def together(kinds: list[str]) -> None:
        tasks = [asyncio.create_task(breaker.call_async(work, kind)) for kind in kinds]
        await asyncio.sleep(0)
        for task, kind in zip(tasks, kinds, strict=True):
            if kind == "cancel":
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def main() -> None:
        for kinds in rounds:
            await together(kinds)
            clock.now += 5
        clock.now += 5
        for _ in range(probes):
            assert await breaker.call(up_async) == "up"

    asyncio.run(main())

    assert breaker.state is CLOSED


# --------------------------------------------------------------------- the model


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["up", "down", "wait", "reset", "force"]), max_size=60),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_follows_the_model(events: list[str], threshold: int, probes: int) -> None:
    """One call after the other, it does what the three states say and nothing else."""
    clock = Clock()
    breaker = CircuitBreaker(
        failure_threshold=threshold, recovery_time=10, probes=probes, clock=clock
    )
    state, count, opened = CLOSED, 0, clock.now
    for event in events:
        if event == "wait":
            clock.now += 5
        elif event == "reset":
            breaker.reset()
            state, count, opened = CLOSED, 0, clock.now
        elif event == "force":
            breaker.force_open()
            state, count, opened = OPEN, 0, float("inf")
        else:
            if state is OPEN and clock.now >= opened + 10:
                state, count = HALF_OPEN, 0
            outcome = "refused" if state is OPEN else event
            assert attempt(breaker, event) == outcome
            count = count + 1 if (event == "down") == (state is CLOSED) else 0
            limit = threshold if state is CLOSED else 1
            if event == "down" and state is not OPEN and max(count, 1) >= limit:
                state, opened = OPEN, clock.now
            elif state is HALF_OPEN and count >= probes:
                state, count = CLOSED, 0
        assert breaker.state is state


def attempt(breaker: CircuitBreaker, event: str) -> str:
    """What came of a call."""
    try:
        breaker.call(down if event == "down" else up)
    except DownError:
        return "down"
    except CircuitOpenError:
        return "refused"
    return "up"
