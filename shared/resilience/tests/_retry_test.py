from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import RateLimitExceededException, ServiceUnavailableException
from shared.resilience._budget import RetryBudget
from shared.resilience._deadline import Deadline, deadline_scope
from shared.resilience._errors import CircuitOpenError
from shared.resilience._retry import FailedAttempt, Retrying, retry

NOW = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)


class Target:
    """Fails as often as it is told to, then returns what it was given."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, value: Any = "done") -> Any:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return value

    async def later(self, value: Any = "done") -> Any:
        """The same, in a coroutine."""
        await asyncio.sleep(0)
        return self(value)


class Waits(list[float]):
    """Sleeps that take no time and are kept."""

    async def later(self, seconds: float) -> None:
        """The same, in a coroutine."""
        self.append(seconds)


def make(waits: Waits, **settings: Any) -> Retrying:
    """A policy for the errors of the operating system, without chance or time."""
    return Retrying(
        **{
            "on": OSError,
            "rng": lambda: 1.0,
            "sleep": waits.append,
            "sleep_async": waits.later,
            "now": lambda: NOW,
            **settings,
        }
    )


# ------------------------------------------------------------ the ways of calling


async def by_call(policy: Retrying, target: Target) -> Any:
    return policy.call(target, "x")


async def by_decorator(policy: Retrying, target: Target) -> Any:
    @policy
    def function(value: str) -> Any:
        return target(value)

    return function("x")


async def by_call_given_a_coroutine(policy: Retrying, target: Target) -> Any:
    return await policy.call(target.later, "x")


async def by_call_async(policy: Retrying, target: Target) -> Any:
    return await policy.call_async(target.later, value="x")


async def by_decorator_async(policy: Retrying, target: Target) -> Any:
    @policy
    async def function(value: str) -> Any:
        return await target.later(value)

    return await function("x")


every_way = pytest.mark.parametrize(
    "way",
    [
        by_call,
        by_decorator,
        by_call_given_a_coroutine,
        by_call_async,
        by_decorator_async,
    ],
)
Way = Callable[[Retrying, Target], Awaitable[Any]]


@every_way
async def test_success_is_one_call(way: Way) -> None:
    """And no wait."""
    waits, target = Waits(), Target()

    assert await way(make(waits), target) == "x"
    assert (target.calls, waits) == (1, [])


@every_way
async def test_failures_are_made_good(way: Way) -> None:
    """As long as retries are left; the waits double."""
    waits, target = Waits(), Target(OSError(), TimeoutError(), OSError())

    assert await way(make(waits), target) == "x"
    assert (target.calls, waits) == (4, [1, 2, 4])


@every_way
async def test_last_error_is_raised_as_it_is(way: Way) -> None:
    """With a note of the attempts, and not chained to the errors before it."""
    waits, errors = Waits(), [OSError(number) for number in range(4)]
    target = Target(*errors)

    with pytest.raises(OSError, match=r"^3\n") as raised:
        await way(make(waits), target)

    assert raised.value is errors[3]
    assert raised.value.__context__ is None
    assert raised.value.__notes__ == ["Given up after 4 attempts: no retries are left."]
    assert target.calls == 4


@every_way
async def test_other_errors_pass(way: Way) -> None:
    """At once and untouched, or with a note if there were attempts before."""
    waits = Waits()
    for before, notes in (([], []), ([OSError()], ["Given up after 2 attempts."])):
        target = Target(*before, LookupError("other"))

        with pytest.raises(LookupError, match="other") as raised:
            await way(make(waits), target)

        assert getattr(raised.value, "__notes__", []) == notes


@every_way
@pytest.mark.parametrize(
    "stop", [asyncio.CancelledError, KeyboardInterrupt, SystemExit]
)
async def test_who_stops_it_is_obeyed(way: Way, stop: type[BaseException]) -> None:
    """Whatever is to be retried."""
    target = Target(stop())

    with pytest.raises(stop, match=r"^$"):
        await way(make(Waits(), on=lambda error: True), target)
    assert target.calls == 1


async def test_task_cancelled_in_its_wait_ends() -> None:
    """Nobody waits for the rest."""
    target = Target(OSError())
    policy = make(Waits(), sleep_async=lambda _: asyncio.Event().wait())
    task = asyncio.create_task(policy.call_async(target.later))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert task.cancelled()
    assert target.calls == 1


async def test_decorated_function_looks_like_itself() -> None:
    """Frameworks ask functions for their name, signature and kind; methods bind."""

    class Client:
        @retry(on=OSError)
        def get(self, path: str) -> tuple[Client, str]:
            """Fetch."""
            return self, path

        @retry(on=OSError, budget=RetryBudget())
        async def get_async(self, path: str) -> tuple[Client, str]:
            """Fetch, later."""
            return self, path

    client = Client()

    assert client.get("/a") == (client, "/a")
    assert await client.get_async("/b") == (client, "/b")
    assert (Client.get.__name__, Client.get.__doc__) == ("get", "Fetch.")
    assert list(inspect.signature(client.get).parameters) == ["path"]
    assert inspect.iscoroutinefunction(Client.get_async)


def test_generator_cannot_be_retried() -> None:
    """Its errors come after the call has returned."""

    def rows() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match="is a generator"):
        retry(on=OSError)(rows)


async def test_sleeps_by_itself() -> None:
    """Without settings for tests; a delay of 0 is one."""
    policy = Retrying(on=OSError, delay=0)

    assert policy.call(Target(OSError())) == "done"
    assert await policy.call_async(Target(OSError()).later) == "done"


# -------------------------------------------------------------------- the waits


@settings(deadline=None)
@given(
    st.integers(1, 12),
    st.floats(0, 1e6),
    st.floats(0.01, 1e308),
    st.floats(0, 1e6),
    st.lists(st.floats(0, 1), min_size=12, max_size=12),
)
def test_waits_are_random_below_a_growing_bound(
    retries: int, delay: float, factor: float, most: float, chances: list[float]
) -> None:
    """Full jitter: up to min(max_delay, delay * factor ** n), and no overflow."""
    waits = Waits()
    policy = make(
        waits,
        max_retries=retries,
        delay=delay,
        backoff_factor=factor,
        max_delay=most,
        rng=iter(chances).__next__,
    )
    with pytest.raises(OSError, match="Given up after"):
        policy.call(Target(*(OSError() for _ in range(retries + 1))))
    bounds = []
    for number in range(retries):
        try:
            bounds.append(min(most, delay * factor**number))
        except OverflowError:
            bounds.append(most)

    assert waits == [a * b for a, b in zip(chances, bounds, strict=False)]
    assert all(0 <= wait <= most for wait in waits)


def test_settings_of_the_specification() -> None:
    """MAX_API_RETRIES, API_RETRY_DELAY_SECONDS and API_RETRY_BACKOFF_FACTOR."""
    waits = Waits()
    policy = make(waits, max_retries=2, delay=0.5, backoff_factor=3.0)
    with pytest.raises(OSError, match="Given up after"):
        policy.call(Target(*(OSError() for _ in range(9))))

    assert waits == [0.5, 1.5]


def test_chance_is_used() -> None:
    """Callers that failed together don't come back together."""
    waits = Waits()
    policy = Retrying(on=OSError, sleep=waits.append)
    for _ in range(20):
        policy.call(Target(OSError()))

    assert len(set(waits)) > 1
    assert all(0 <= wait < 1 for wait in waits)


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (RateLimitExceededException(retry_after=7), [8.0]),
        (ServiceUnavailableException(headers={"Retry-After": "7"}), [8.0]),
        (
            ServiceUnavailableException(
                headers={"Retry-After": "Sun, 06 Nov 1994 08:49:47 GMT"}
            ),
            [11.0],
        ),
        (ServiceUnavailableException(headers={"Retry-After": "soon"}), [1.0]),
    ],
)
def test_wish_to_wait_is_respected(error: Exception, waits: list[float]) -> None:
    """The jitter comes on top, else all who were sent away return at that second."""
    waited = Waits()
    make(waited, on=type(error)).call(Target(error))

    assert waited == waits


def test_wish_to_wait_too_long_ends_it() -> None:
    """Coming earlier than asked would make it worse."""
    waits, target = Waits(), Target(RateLimitExceededException(retry_after=61))

    with pytest.raises(RateLimitExceededException, match="Too many") as raised:
        make(waits, on=RateLimitExceededException).call(target)

    assert raised.value.__notes__ == [
        "Given up after 1 attempt: the other side asks for 61 seconds of rest."
    ]
    assert waits == []


# ------------------------------------------------------------ deadline and budget


@pytest.mark.parametrize(("left", "waits"), [(3.5, [1, 2]), (3.0, [1]), (0.5, [])])
def test_never_waits_past_the_deadline(left: float, waits: list[float]) -> None:
    """The error comes at once, while there is time to say so."""
    now = [0.0]
    waited = Waits()

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        now[0] += seconds

    with (
        deadline_scope(Deadline.after(left, clock=lambda: now[0])),
        pytest.raises(OSError, match="Given up after") as raised,
    ):
        make(waited, sleep=sleep).call(Target(*(OSError() for _ in range(9))))

    assert waited == waits
    assert raised.value.__notes__[0].endswith("the deadline comes before another.")


def test_budget_ends_the_storm() -> None:
    """A hundred calls of which all fail make ten retries, not three hundred."""
    budget = RetryBudget(0.1, per_second=0, burst=1)
    assert budget.withdraw()
    policy = make(Waits(), budget=budget)
    targets = [Target(*(OSError() for _ in range(9))) for _ in range(100)]
    notes = set()
    for target in targets:
        with pytest.raises(OSError, match="Given up after") as raised:
            policy.call(target)
        notes.update(raised.value.__notes__)

    assert sum(target.calls for target in targets) in (109, 110)
    assert "Given up after 1 attempt: the retry budget is spent." in notes


def test_deadline_takes_no_token() -> None:
    """A retry that does not happen costs nothing."""
    budget = RetryBudget(0, per_second=0, burst=1)
    with (
        deadline_scope(Deadline.after(0)),
        pytest.raises(OSError, match="Given up after"),
    ):
        make(Waits(), budget=budget).call(Target(OSError()))

    assert budget.tokens == 1


async def test_each_call_is_one_deposit() -> None:
    """In whichever way it is made."""
    budget = RetryBudget(0.5, per_second=0, burst=10)
    while budget.withdraw():
        pass
    policy = make(Waits(), budget=budget)
    for way in (
        by_call,
        by_decorator,
        by_call_given_a_coroutine,
        by_call_async,
        by_decorator_async,
    ):
        await way(policy, Target())

    assert budget.tokens == 2.5


# --------------------------------------------------------------- what is retried


@pytest.mark.parametrize(
    "on",
    [OSError, (LookupError, OSError), lambda error: isinstance(error, OSError)],
)
def test_errors_can_be_chosen(on: Any) -> None:
    """By class, by several, or by a function."""
    assert make(Waits(), on=on).call(Target(OSError())) == "done"


@pytest.mark.parametrize(
    ("on", "calls"),
    [
        (ServiceUnavailableException, 1),
        ((ServiceUnavailableException, CircuitOpenError), 2),
        (lambda error: True, 2),
    ],
)
def test_open_breaker_is_not_asked_again(on: Any, calls: int) -> None:
    """Failing at once is what it is for, unless somebody says so by its name."""
    target = Target(CircuitOpenError(), CircuitOpenError())
    with pytest.raises(CircuitOpenError, match="unavailable"):
        make(Waits(), on=on, max_retries=1).call(target)

    assert target.calls == calls


# ------------------------------------------------------------------ who is told


def test_retries_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """The callback has it all; the log no text of the error, which may be secret."""
    told: list[FailedAttempt] = []
    errors = [OSError("hunter2"), TimeoutError()]
    caplog.set_level(logging.INFO, "shared.resilience")
    make(Waits(), on_retry=told.append).call(Target(*errors).__call__)

    assert told == [
        FailedAttempt("Target.__call__", 1, errors[0], 1.0),
        FailedAttempt("Target.__call__", 2, errors[1], 2.0),
    ]
    assert [record.getMessage() for record in caplog.records] == [
        f"Attempt {n} of Target.__call__ failed with {error}; the next is in {wait}."
        for n, error, wait in (
            (1, "OSError", "1.000 s"),
            (2, "TimeoutError", "2.000 s"),
        )
    ]


def test_callable_object_is_named_by_its_class() -> None:
    """It has no name of its own."""
    told: list[FailedAttempt] = []
    make(Waits(), on_retry=told.append).call(Target(OSError()))

    assert told[0].function == "Target"


def test_callback_that_fails_breaks_no_call(caplog: pytest.LogCaptureFixture) -> None:
    """The log gets its error."""

    def callback(_: FailedAttempt) -> None:
        raise LookupError("no such counter")

    assert make(Waits(), on_retry=callback).call(Target(OSError())) == "done"
    assert "LookupError: no such counter" in caplog.text


# --------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_retries": -1}, "max_retries must be a whole number of at least 0"),
        ({"delay": -1}, "delay must be a finite number of at least 0"),
        ({"backoff_factor": 0}, "backoff_factor must be a finite number above 0"),
        ({"max_delay": float("inf")}, "max_delay must be a finite number"),
        ({"max_retry_after": -1}, "max_retry_after must be a finite number"),
    ],
)
def test_bad_number_is_refused(settings: dict[str, Any], message: str) -> None:
    """Where it is written."""
    with pytest.raises(ValueError, match=message):
        retry(on=OSError, **settings)


def test_what_stops_a_task_cannot_be_retried() -> None:
    """It must reach whoever cancelled."""
    wrong: Any = asyncio.CancelledError

    with pytest.raises(TypeError, match="on must hold subclasses of Exception only"):
        retry(on=wrong)


def test_callback_that_nobody_would_await_is_refused() -> None:
    """Where it is written."""

    async def callback(_: FailedAttempt) -> None: ...

    with pytest.raises(TypeError, match="must not be async"):
        retry(on=OSError, on_retry=callback)
