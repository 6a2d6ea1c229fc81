"""What a failing service does to the caller of its caller, over real connections.

A client with a deadline calls a service of the kernel, which calls a fake of another.
Both calls are made by ``ServiceClient``, so retries could multiply.
"""

from __future__ import annotations

import asyncio
import logging
import math
import resource
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeVar, Unpack

import pytest
import uvicorn

from shared.app import Service, create_service
from shared.app.http_client import add_service_clients
from shared.config import ServiceConfig
from shared.errors import (
    BaseAPIException,
    NotFoundError,
    RateLimitExceededException,
    ServiceUnavailableException,
    UpstreamException,
)
from shared.http_client import BreakerPolicy, ClientOptions, RetryPolicy, ServiceClient
from shared.logging import correlation_id_var
from shared.resilience import Deadline, DeadlineExceededError, deadline_scope
from shared.testing.fake_service import FakeService, Route

T = TypeVar("T")

SUBJECT = "/api/v1/subjects/{id}"
TIMEOUT_HEADER = "x-request-timeout-ms"
# Far longer than any deadline here: what waits for it has not looked at the deadline.
FOREVER = 600.0
# A generous bound on what must be bounded; only tests that fail see it.
GIVE_UP = 60.0
RETRIES = RetryPolicy().max_retries
NEVER_OPENS = BreakerPolicy(failure_threshold=1_000_000)

Call = Callable[[], Awaitable[Any]]


@pytest.fixture
def subjects() -> Iterator[FakeService]:
    """The service that fails."""
    with FakeService() as fake:
        yield fake
        fake.wait_until_idle(timeout=GIVE_UP)


class Served:
    """A service on a port of its own, in a thread."""

    def __init__(self, service: Service) -> None:
        # Idle connections stay, however busy this machine is: one that the service
        # closes as it is used would be a fault that no test here asked for.
        config = uvicorn.Config(
            service.app, log_config=None, lifespan="on", timeout_keep_alive=int(FOREVER)
        )
        self.server = uvicorn.Server(config)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(
            target=self.server.run, args=([self.listener],), daemon=True
        )

    def __enter__(self) -> Served:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join(GIVE_UP)
        self.listener.close()
        assert not self.thread.is_alive()


def reports_of(subjects: FakeService, **options: Unpack[ClientOptions]) -> Service:
    """A service that asks *subjects* for each of its own requests."""
    settings = ServiceConfig(
        service_name="reports", service_urls={"subject-service": subjects.url}
    )
    service = create_service("reports", settings, logging=False)
    # Its own limits are out of the way: only the deadline of the caller is left.
    options = {"timeout": FOREVER, "breaker": NEVER_OPENS, **options}
    client = add_service_clients(service, **options)["subject-service"]

    @service.app.get("/reports/{subject_id}")
    async def report(subject_id: str) -> Any:
        return await client.get(SUBJECT, path_params={"id": subject_id})

    return service


@pytest.fixture
def reports(subjects: FakeService) -> Iterator[Served]:
    """The kernel's service, between the caller and the service that fails."""
    with Served(reports_of(subjects)) as served:
        yield served


@pytest.fixture
async def caller(reports: Served) -> AsyncIterator[ServiceClient]:
    """The first caller. It tries once, so that what is counted is the service's own."""
    async with ServiceClient(
        "reports", reports.url, timeout=FOREVER, retry=RetryPolicy(max_retries=0)
    ) as client:
        yield client


async def within(seconds: float, call: Awaitable[T]) -> T:
    """Await *call*, which has a deadline and is long over it when this gives up."""
    async with asyncio.timeout(GIVE_UP):
        with deadline_scope(Deadline.after(seconds)):
            return await call


# Faults, what the first caller catches, and how often the faulty service is asked.
ANSWERED: dict[str, tuple[Callable[[Route], Route], type[BaseAPIException], int]] = {
    "reset": (Route.reset, ServiceUnavailableException, 1 + RETRIES),
    "hangs up": (Route.hang_up, ServiceUnavailableException, 1 + RETRIES),
    "half a body": (Route.half_body, ServiceUnavailableException, 1 + RETRIES),
    "no HTTP": (Route.garbage, ServiceUnavailableException, 1 + RETRIES),
    "503": (
        lambda route: route.reply(503, body="<html>busy</html>"),
        *(ServiceUnavailableException, 1 + RETRIES),
    ),
    "503 of the kernel": (
        lambda route: route.reply_problem(ServiceUnavailableException()),
        *(ServiceUnavailableException, 1 + RETRIES),
    ),
    "503 for longer than there is time": (
        lambda route: route.reply(503, headers={"Retry-After": "60"}),
        *(ServiceUnavailableException, 1),
    ),
    "500": (
        lambda route: route.reply(500, body="Traceback: secret"),
        *(ServiceUnavailableException, 1),
    ),
    "429 for longer than there is time": (
        lambda route: route.reply(429, headers={"Retry-After": "60"}),
        *(RateLimitExceededException, 1),
    ),
    "429 that does not say for how long": (
        lambda route: route.reply(429),
        *(RateLimitExceededException, 1),
    ),
    "404 of the kernel": (
        lambda route: route.reply_problem(NotFoundError("Subject", "7")),
        *(NotFoundError, 1),
    ),
    "a page": (
        lambda route: route.reply(body="<html>", headers={"Content-Type": "text/html"}),
        *(UpstreamException, 1),
    ),
    "a page that says it is JSON": (
        lambda route: route.reply(
            body="<html>", headers={"Content-Type": "application/json"}
        ),
        *(UpstreamException, 1),
    ),
    "redirects": (Route.redirect_loop, UpstreamException, 1),
    "10 GB": (
        lambda route: route.endless_body(declared=10 * 2**30),
        *(UpstreamException, 1),
    ),
    "no end": (Route.endless_body, UpstreamException, 1),
}


@pytest.mark.parametrize("fault", ANSWERED)
async def test_a_service_that_fails(
    subjects: FakeService, caller: ServiceClient, fault: str
) -> None:
    """The first caller gets the right class; it was asked as often as makes sense."""
    fail, expected, requests = ANSWERED[fault]
    fail(subjects.on("GET", SUBJECT))

    with pytest.raises(expected) as caught:
        await within(30, caller.get("/reports/7"))

    assert type(caught.value) is expected
    assert len(subjects.requests_to("GET", SUBJECT)) == requests
    # What is behind the service is its own business.
    told = f"{caught.value.to_problem()}{dict(caught.value.headers)}"
    assert not [word for word in (subjects.url, "secret", "html") if word in told]


SLOW: dict[str, Callable[[Route], Route]] = {
    "slow": lambda route: route.delay(FOREVER).reply(json={}),
    "hangs": Route.hang,
    "drips": lambda route: route.drip(b" " * 1000, seconds=1),
}


@pytest.mark.parametrize("fault", SLOW)
async def test_a_service_that_is_slow(
    subjects: FakeService, caller: ServiceClient, fault: str
) -> None:
    """The deadline counts, whatever else allows more; it is not asked again."""
    SLOW[fault](subjects.on("GET", SUBJECT))

    with pytest.raises(DeadlineExceededError, match="in time"):
        await within(1, caller.get("/reports/7"))

    (request,) = subjects.requests
    assert request.timeout is not None
    assert request.timeout <= 1


async def test_429_is_honoured_if_there_is_time(
    subjects: FakeService, caller: ServiceClient
) -> None:
    """The second request comes when it was asked for, and not before."""
    route = subjects.on("GET", SUBJECT)
    route.reply(429, headers={"Retry-After": "1"}, times=1).reply(json={"name": "Math"})

    assert await within(30, caller.get("/reports/7")) == {"name": "Math"}

    first, second = subjects.requests
    assert second.at - first.at >= 1


async def test_429_for_longer_than_the_deadline(
    subjects: FakeService, caller: ServiceClient
) -> None:
    """Is not waited for: the caller learns at once when to come again."""
    subjects.on("GET", SUBJECT).reply(429, headers={"Retry-After": "5"})

    with pytest.raises(RateLimitExceededException) as caught:
        await within(2, caller.get("/reports/7"))

    assert caught.value.headers["Retry-After"] == "5"
    assert len(subjects.requests) == 1


async def test_a_fault_that_passes_is_not_seen(
    subjects: FakeService, caller: ServiceClient
) -> None:
    """That is what retries are for; they go out under one id, with ever less time."""
    route = subjects.on("GET", SUBJECT)
    route.reset(times=1).half_body(times=1).reply(json={"name": "Math"})
    token = correlation_id_var.set("abc-123")
    try:
        assert await within(30, caller.get("/reports/7")) == {"name": "Math"}
    finally:
        correlation_id_var.reset(token)

    assert [request.correlation_id for request in subjects.requests] == ["abc-123"] * 3
    left = [float(request.headers[TIMEOUT_HEADER]) for request in subjects.requests]
    assert left == sorted(left, reverse=True)
    assert left[0] <= 30_000


async def test_a_body_of_10_gb_takes_no_memory(
    subjects: FakeService, caller: ServiceClient
) -> None:
    """Ten of them at once: what is read of each is bounded."""
    subjects.on("GET", SUBJECT).endless_body(declared=10 * 2**30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    found = await asyncio.gather(
        *(within(60, caller.get(f"/reports/{number}")) for number in range(10)),
        return_exceptions=True,
    )

    assert {type(error) for error in found} == {UpstreamException}
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 300 * 1024  # KiB, of this process: client, service and fake


CALLS = 200
AT_ONCE = 10

STORMS: dict[str, tuple[Callable[[Route], Route], type[BaseAPIException]]] = {
    "reset": (Route.reset, ServiceUnavailableException),
    "503": (lambda route: route.reply(503), ServiceUnavailableException),
    "429": (
        lambda route: route.reply(429, headers={"Retry-After": "0"}),
        RateLimitExceededException,
    ),
}


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Keep no thousand tracebacks."""
    caplog.set_level(logging.CRITICAL)


def impatient(reports: Served, **options: Unpack[ClientOptions]) -> ServiceClient:
    """A first caller that retries as usual. Without a breaker, or it would stop."""
    options = {"timeout": FOREVER, "breaker": NEVER_OPENS, **options}
    return ServiceClient("reports", reports.url, **options)


async def all_fail(call: Call) -> list[BaseException]:
    """Make all calls, some at once, and return what each of them raised."""
    free = asyncio.Semaphore(AT_ONCE)

    async def one() -> Any:
        async with free:
            return await within(GIVE_UP, call())

    found = await asyncio.gather(*(one() for _ in range(CALLS)), return_exceptions=True)
    errors = [answer for answer in found if isinstance(answer, BaseException)]
    assert len(errors) == CALLS
    return errors


def most_attempts(calls: float, seconds: float) -> float:
    """What a client with the usual retries makes at most of so many calls."""
    policy = RetryPolicy()
    # The budget also lets one through each second.
    return calls * (1 + policy.budget_ratio) + policy.budget_burst + seconds + 1


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("fault", STORMS)
async def test_there_is_no_storm_of_retries(subjects: FakeService, fault: str) -> None:
    """Two clients in a row retry, and no breaker helps: it stays near the calls.

    Without budgets each call would come to nine requests.
    """
    fail, expected = STORMS[fault]
    fail(subjects.on("GET", SUBJECT))
    began = time.monotonic()
    with Served(reports_of(subjects)) as reports:
        async with impatient(reports) as caller:
            errors = await all_fail(lambda: caller.get("/reports/7"))
    took = time.monotonic() - began

    assert {type(error) for error in errors} == {expected}
    asked = len(subjects.requests)
    print(f"{fault}: {CALLS} calls, {asked} requests at the failing service")  # noqa: T201
    assert CALLS <= asked <= math.ceil(most_attempts(most_attempts(CALLS, took), took))


@pytest.mark.usefixtures("quiet")
async def test_a_breaker_leaves_a_dead_service_alone(subjects: FakeService) -> None:
    """With the usual settings it is asked a few times, and then not at all."""
    subjects.on("GET", SUBJECT).reply(503)
    policy = BreakerPolicy(recovery_time=FOREVER)
    with Served(reports_of(subjects, breaker=policy)) as reports:
        async with impatient(reports, breaker=policy) as caller:
            errors = await all_fail(lambda: caller.get("/reports/7"))

    assert {isinstance(error, ServiceUnavailableException) for error in errors} == {
        True
    }
    asked = len(subjects.requests)
    print(f"breaker: {CALLS} calls, {asked} requests at the failing service")  # noqa: T201
    # Those that were under way when it opened could not be called back.
    assert asked <= policy.failure_threshold + AT_ONCE


@pytest.mark.usefixtures("quiet")
async def test_slow_answers_bring_no_retries(subjects: FakeService) -> None:
    """Each call has used up its time; a second try would be for nobody."""
    subjects.on("GET", SUBJECT).hang()
    with Served(reports_of(subjects)) as reports:
        async with impatient(reports) as caller:
            found = await asyncio.gather(
                *(within(1, caller.get("/reports/7")) for _ in range(50)),
                return_exceptions=True,
            )

    assert {type(error) for error in found} == {DeadlineExceededError}
    assert len(subjects.requests) <= 50
    subjects.wait_until_idle(timeout=GIVE_UP)
