"""Health checks: how often they run, and what the world is told."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.app._health import (
    Check,
    CheckFunction,
    DegradedError,
    Health,
    Status,
)
from shared.errors import ServiceUnavailableException
from shared.resilience import Deadline, current_deadline, deadline_scope
from shared.testing import FakeClock, captured_logs

FOREVER = 3600.0


async def well() -> None:
    """Pass."""


async def ill() -> None:
    """Fail, with a secret in the words."""
    raise ConnectionError("postgresql://user:hunter2@db/x refused")


def check(
    function: CheckFunction = well,
    name: str = "database",
    *,
    timeout: float = FOREVER,
    cache_seconds: float = 0,
    critical: bool = True,
    startup: bool = False,
    clock: FakeClock | None = None,
) -> Check:
    """A check with the usual options."""
    clock = clock or FakeClock()
    return Check(
        name,
        function,
        timeout=timeout,
        cache_seconds=cache_seconds,
        critical=critical,
        startup=startup,
        clock=clock.monotonic,
        now=clock,
    )


def health(*checks: Check, started: bool = True) -> Health:
    """The health of a service with these checks."""
    made = Health("my-service", "1.2.3")
    for one in checks:
        made.add(one)
    made.started = started
    return made


async def test_a_passing_check_is_described() -> None:
    """Name, state, duration and time, in the words of the draft."""
    clock = FakeClock(datetime(2026, 1, 31, 12, tzinfo=UTC))

    async def takes_a_moment() -> None:
        clock.advance(0.25)

    status, body = await health(check(takes_a_moment, clock=clock)).summary()

    assert status == 200
    assert body == {
        "status": "pass",
        "serviceId": "my-service",
        "releaseId": "1.2.3",
        "checks": {
            "database:responseTime": [
                {
                    "status": "pass",
                    "observedValue": 250.0,
                    "observedUnit": "ms",
                    "time": "2026-01-31T12:00:00.250000Z",
                }
            ]
        },
    }


async def test_a_failing_check_shows_no_secret() -> None:
    """The reply names the class of the error; its text is in the log."""
    with captured_logs("shared.app.health") as logs:
        status, body = await health(check(ill)).summary()

    (described,) = body["checks"]["database:responseTime"]
    assert (status, body["status"]) == (503, "fail")
    assert (described["status"], described["output"]) == ("fail", "ConnectionError")
    assert "hunter2" not in json.dumps(body)
    assert logs.messages == ["Health check 'database' fails: ConnectionError."]


async def _says_no() -> bool:
    return False


async def _unavailable() -> None:
    raise ServiceUnavailableException("the password is hunter2")


async def _cancelled() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (_says_no, "refused"),
        (_unavailable, "service_unavailable"),
        (_cancelled, "cancelled"),
    ],
)
async def test_reasons_are_generic(function: CheckFunction, reason: str) -> None:
    """False, an error of ours, a cancellation: a word for each."""
    _, body = await health(check(function)).summary()

    (described,) = body["checks"]["database:responseTime"]
    assert described["output"] == reason


async def test_a_check_that_can_not_be_called_fails() -> None:
    """What raises before it is awaited is a failure, and no error of the reply."""

    def broken() -> Awaitable[None]:
        raise TypeError("hunter2")

    status, body = await health(check(broken)).summary()

    (described,) = body["checks"]["database:responseTime"]
    assert (status, described["output"]) == (503, "TypeError")


async def test_what_is_not_critical_is_a_warning() -> None:
    """The service does without it, and says so."""
    status, body = await health(
        check(ill, "cache", critical=False), check(name="database")
    ).readiness()

    assert (status, body["status"]) == (200, "warn")
    states = {name: one["status"] for name, (one,) in body["checks"].items()}
    assert states == {"cache:responseTime": "warn", "database:responseTime": "pass"}


@pytest.mark.parametrize(("words", "output"), [("busy", "busy"), ("", "degraded")])
async def test_what_still_works_is_a_warning(words: str, output: str) -> None:
    """A critical check may warn: requests should come, and its words are replied."""

    async def busy() -> None:
        raise DegradedError(words)

    degraded = check(busy, startup=True)
    whole = health(degraded, check(well, "disk"))
    with captured_logs("shared.app.health") as logs:
        status, body = await whole.readiness()
        started, _ = await whole.startup()

    (described,) = body["checks"]["database:responseTime"]
    assert (status, body["status"], started) == (200, "warn", 200)
    assert (described["status"], described["output"]) == ("warn", output)
    assert (whole.ready, degraded.passing) == (True, True)
    assert logs.messages == [f"Health check 'database' warns: {output}."]


async def test_a_critical_failure_outweighs_a_warning() -> None:
    """In whatever order they come."""
    status, body = await health(
        check(ill, "database"), check(ill, "cache", critical=False)
    ).summary()

    assert (status, body["status"]) == (503, "fail")


async def test_checks_run_side_by_side() -> None:
    """Two that wait for each other both pass."""
    here, there = asyncio.Event(), asyncio.Event()

    async def one() -> None:
        here.set()
        await there.wait()

    async def other() -> None:
        there.set()
        await here.wait()

    status, _ = await health(check(one, "one"), check(other, "other")).summary()

    assert status == 200


async def test_however_many_ask_it_runs_once() -> None:
    """Single flight: a hundred probes are one query."""
    runs = 0
    go = asyncio.Event()

    async def counted() -> None:
        nonlocal runs
        runs += 1
        await go.wait()

    whole = health(check(counted))
    asking = [asyncio.create_task(whole.summary()) for _ in range(100)]
    await asyncio.sleep(0)
    asking[0].cancel()  # who asked first gives up; the others do not notice
    go.set()
    replies = await asyncio.gather(*asking[1:])

    assert runs == 1
    assert {status for status, _ in replies} == {200}


async def test_a_result_is_good_for_a_while() -> None:
    """cache_seconds from the end of the run, and not longer."""
    clock = FakeClock()
    runs = 0

    async def counted() -> None:
        nonlocal runs
        runs += 1

    whole = health(check(counted, cache_seconds=5, clock=clock))
    seen = []
    for step in (0, 4.9, 0.2):
        clock.advance(step)
        await whole.summary()
        seen.append(runs)

    assert seen == [1, 1, 2]


async def test_a_check_that_hangs_has_failed() -> None:
    """After its time-out, even if it ignores being cancelled; then none is added."""
    release = asyncio.Event()
    runs = 0

    async def stubborn() -> None:
        nonlocal runs
        runs += 1
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    hanging = check(stubborn, timeout=0.001)
    whole = health(hanging)
    outputs = []
    for _ in range(2):
        status, body = await whole.summary()
        outputs.append((status, body["checks"]["database:responseTime"][0]["output"]))
    release.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    status, _ = await whole.summary()

    assert outputs == [(503, "timed out"), (503, "an earlier run still hangs")]
    assert (status, runs) == (200, 2)


async def test_a_check_has_a_context_of_its_own() -> None:
    """The deadline of the request that asks first is not the check's."""
    seen: list[Deadline | None] = []

    async def looks() -> None:
        seen.append(current_deadline())

    with deadline_scope(Deadline.after(1)):
        await health(check(looks)).summary()

    assert seen == [None]


async def test_the_log_has_the_changes() -> None:
    """Probes come every few seconds: what stays as it is, is not repeated."""
    outcomes = iter([True, False, False, True, True])

    async def changing() -> bool:
        return next(outcomes)

    whole = health(check(changing))
    with captured_logs("shared.app.health", level=logging.INFO) as logs:
        for _ in range(5):
            await whole.summary()

    assert logs.messages == [
        "Health check 'database' fails: refused.",
        "Health check 'database' passes again.",
    ]


async def test_not_ready_before_the_start_and_while_stopping() -> None:
    """No check is asked: the service would not serve anyway."""
    whole = health(check(ill), started=False)
    before = await whole.readiness()
    whole.started = whole.stopping = True
    after = await whole.readiness()

    named = {"status": "fail", "serviceId": "my-service", "releaseId": "1.2.3"}
    assert before == (503, {**named, "output": "starting"})
    assert after == (503, {**named, "output": "stopping"})


async def test_alive_whatever_the_checks_say() -> None:
    """A restart does not mend a database."""
    whole = health(check(ill))
    await whole.summary()

    assert whole.liveness()[0] == 200


async def test_startup_waits_for_its_checks_once() -> None:
    """What has passed once is not asked again; other checks do not count."""
    outcomes = iter([False, True])

    async def warming_up() -> bool:
        return next(outcomes)

    whole = health(check(warming_up, "cache", startup=True), check(ill))
    statuses = [(await whole.startup())[0] for _ in range(3)]
    whole.started = False
    statuses.append((await whole.startup())[0])

    assert statuses == [503, 200, 200, 503]


async def test_ready_is_what_the_latest_results_say() -> None:
    """For the metric: no check runs because somebody looks at it."""
    failing = check(ill)
    whole = health(failing, check(ill, "cache", critical=False))
    unknown = whole.ready, failing.passing
    await whole.summary()
    failed = whole.ready, failing.passing

    assert unknown == (True, None)
    assert failed == (False, False)


Options = dict[str, Any]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": ""}, "needs a name"),
        ({"name": "a:b"}, "without a colon"),
        ({"name": "a\nb"}, "printable"),
        ({"timeout": 0}, "timeout of check 'database' must be positive"),
        ({"timeout": float("inf")}, "timeout of check 'database' must be positive"),
        ({"timeout": float("nan")}, "timeout of check 'database' must be positive"),
        ({"cache_seconds": -1}, "cache_seconds of check 'database' must not be neg"),
    ],
)
def test_options_that_make_no_sense(options: Options, message: str) -> None:
    """They are refused where they are written."""
    with pytest.raises(ValueError, match=message):
        check(**options)


def test_two_checks_of_one_name() -> None:
    """One would hide the other."""
    with pytest.raises(ValueError, match="a check named 'database' already"):
        health(check(), check())


@given(outcomes=st.lists(st.tuples(st.booleans(), st.booleans()), max_size=5))
def test_the_worst_check_decides(outcomes: list[tuple[bool, bool]]) -> None:
    """503 exactly when something critical fails; a warning when only the rest does."""

    def function(passes: bool) -> Callable[[], Awaitable[bool]]:
        async def outcome() -> bool:
            return passes

        return outcome

    whole = health(
        *(
            check(function(passes), f"check-{number}", critical=critical)
            for number, (passes, critical) in enumerate(outcomes)
        )
    )
    status, body = asyncio.run(whole.summary())

    failing = {critical for passes, critical in outcomes if not passes}
    expected = [Status.PASS, Status.WARN, Status.FAIL][max({0, *map(_rank, failing)})]
    assert (status == 503) == (True in failing)
    assert body["status"] == expected


def _rank(critical: bool) -> int:
    return 2 if critical else 1
