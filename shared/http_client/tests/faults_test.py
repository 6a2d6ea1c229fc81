from __future__ import annotations

import asyncio
import tracemalloc
from typing import Any

import pytest

from shared.errors import (
    BaseAPIException,
    RateLimitExceededException,
    ServiceUnavailableException,
    UpstreamException,
)
from shared.http_client import (
    BreakerPolicy,
    CallRecord,
    ClientTimeouts,
    Fault,
    FaultKind,
    RetryPolicy,
    ServiceClient,
    SyncServiceClient,
)
from shared.http_client.tests.clients import KINDS, Face
from shared.http_client.tests.upstream import (
    Behaviour,
    FakeUpstream,
    announced,
    answer,
    answer_and_hang_up,
    bad_status_line,
    drip,
    drip_head,
    endless,
    gzip_bomb,
    gzipped,
    half_body,
    half_gzip,
    hang,
    hang_up,
    raw,
    redirect_to_itself,
    reset,
    text,
)
from shared.resilience import (
    CircuitOpenError,
    Deadline,
    DeadlineExceededError,
    deadline_scope,
)
from shared.testing import FakeClock, captured_logs

Kind = type[ServiceClient | SyncServiceClient]

# Short, as somebody has to wait for it. On a busy machine a request may not even arrive
# in the time of DRIPPING, so what arrived is bounded from above only.
HANGING = ClientTimeouts(connect=30, pool=30, read=0.3, total=60)
DRIPPING = ClientTimeouts(connect=30, pool=30, total=0.6)


@pytest.fixture(params=KINDS, ids=["async", "sync"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Return each of the two clients."""
    found: Kind = request.param
    return found


def patience(behaviour: Behaviour) -> ClientTimeouts:
    """Return short time-outs where one has to pass, and long ones elsewhere."""
    usual = ClientTimeouts.within(60)
    short: dict[Behaviour, ClientTimeouts] = {
        hang: HANGING,
        drip: DRIPPING,
        drip_head: DRIPPING,
    }
    return short.get(behaviour, usual)


def cause_of(error: BaseException) -> FaultKind | None:
    """Return what the log is told."""
    return error.__cause__.kind if isinstance(error.__cause__, Fault) else None


# What the target does, what is raised, what the log is told, and how many requests the
# target gets of a call that may be made three times.
FAULTS: list[tuple[Behaviour, type[BaseAPIException], FaultKind | None, int]] = [
    (hang, DeadlineExceededError, FaultKind.TIMED_OUT, 3),
    (drip, DeadlineExceededError, None, 3),
    (drip_head, DeadlineExceededError, None, 3),
    (reset, ServiceUnavailableException, FaultKind.BROKEN, 3),
    (hang_up, ServiceUnavailableException, FaultKind.BROKEN, 3),
    (half_body, ServiceUnavailableException, FaultKind.BROKEN, 3),
    (bad_status_line, ServiceUnavailableException, FaultKind.BROKEN, 3),
    (text("no", status=502), ServiceUnavailableException, None, 3),
    (text("no", status=503), ServiceUnavailableException, None, 3),
    (text("no", status=504), ServiceUnavailableException, None, 3),
    (text("no", status=500), ServiceUnavailableException, None, 1),
    (text("<html>"), UpstreamException, FaultKind.NOT_JSON, 1),
    (answer(float("nan")), UpstreamException, FaultKind.NOT_JSON, 1),
    (redirect_to_itself, UpstreamException, FaultKind.REDIRECT, 1),
    (endless, UpstreamException, FaultKind.TOO_LARGE, 1),
    (announced(10**13), UpstreamException, FaultKind.TOO_LARGE, 1),
    (gzip_bomb, UpstreamException, FaultKind.TOO_LARGE, 1),
    (half_gzip, UpstreamException, FaultKind.UNDECODABLE, 1),
    (
        answer([], headers={"content-encoding": "gzip, gzip"}),
        UpstreamException,
        FaultKind.UNDECODABLE,
        1,
    ),
    (
        answer([], headers={"content-encoding": "gzip"}),
        UpstreamException,
        FaultKind.UNDECODABLE,
        1,
    ),
]
NAMES = [
    "hang",
    "drip",
    "drip_head",
    "reset",
    "hang_up",
    "half_body",
    "bad_status_line",
    "502",
    "503",
    "504",
    "500",
    "wrong_type",
    "nan",
    "redirect_loop",
    "10_GB",
    "announced_10_TB",
    "gzip_bomb",
    "half_gzip",
    "gzip_in_gzip",
    "no_gzip",
]


@pytest.mark.parametrize(("behaviour", "error", "cause", "requests"), FAULTS, ids=NAMES)
async def test_each_fault_has_its_error(
    kind: Kind,
    behaviour: Behaviour,
    error: type[BaseAPIException],
    cause: FaultKind | None,
    requests: int,
) -> None:
    """The right class, no word of the target's, and as many requests as are allowed."""
    records: list[CallRecord] = []
    with FakeUpstream(behaviour) as upstream:
        async with Face(
            kind,
            upstream.url,
            timeout=patience(behaviour),
            observe=records.append,
            max_response_bytes=10**6,
        ) as client:
            with pytest.raises(error, match=error.detail) as raised:
                await client.get("/a")

    assert type(raised.value) is error
    assert raised.value.extra_info == {}
    assert cause_of(raised.value) == cause
    assert raised.value.__cause__ is not None
    assert [record.attempts for record in records] == [requests]
    assert len(upstream.requests) <= requests


@pytest.mark.parametrize(("behaviour", "error", "cause", "requests"), FAULTS, ids=NAMES)
async def test_a_post_is_sent_once(
    kind: Kind,
    behaviour: Behaviour,
    error: type[BaseAPIException],
    cause: FaultKind | None,
    requests: int,
) -> None:
    """What may have had its effect is not sent again, whatever went wrong."""
    with FakeUpstream(behaviour) as upstream:
        async with Face(
            kind,
            upstream.url,
            timeout=patience(behaviour),
            max_response_bytes=10**6,
        ) as client:
            with pytest.raises(error, match=error.detail):
                await client.post("/a", json={"a": 1})

    assert len(upstream.requests) <= 1


@pytest.mark.parametrize("behaviour", [hang, drip, drip_head, half_body, reset])
async def test_a_deadline_ends_every_fault(kind: Kind, behaviour: Behaviour) -> None:
    """Whatever time-outs and retries there are, it is over when the caller's time is.

    That is the caller's doing and counts against nobody, save where the target failed
    by itself before.
    """
    with FakeUpstream(behaviour) as upstream:
        async with Face(
            kind, upstream.url, timeout=50, retry=RetryPolicy(max_retries=10, delay=50)
        ) as client:
            with (
                deadline_scope(Deadline.after(0.5)),
                pytest.raises(
                    (DeadlineExceededError, ServiceUnavailableException)
                ) as raised,
            ):
                await client.get("/a")

    assert raised.value.status_code in (503, 504)
    told = [int(one.headers["x-request-timeout-ms"]) for one in upstream.requests]
    assert all(0 < milliseconds <= 500 for milliseconds in told)


async def test_the_callers_deadline_is_no_outage(kind: Kind) -> None:
    """Many callers with too little time don't close a target to all others."""
    with FakeUpstream(hang) as upstream:
        async with Face(kind, upstream.url) as client:
            for _ in range(6):
                with (
                    deadline_scope(Deadline.after(0.05)),
                    pytest.raises(DeadlineExceededError, match="in time") as raised,
                ):
                    await client.get("/a")
                assert raised.value.of_caller
            upstream.then(answer([]))

            assert await client.get("/a") == []


async def test_our_own_time_out_is_an_outage(kind: Kind) -> None:
    """A target that hangs is left alone, even if callers have all the time."""
    with FakeUpstream(hang) as upstream:
        async with Face(kind, upstream.url, timeout=HANGING) as client:
            for _ in range(2):
                with (
                    deadline_scope(Deadline.after(600)),
                    pytest.raises(
                        (CircuitOpenError, DeadlineExceededError),
                        match=r"unavailable|in time",
                    ),
                ):
                    await client.get("/a")

            assert client.breakers[0].state == "open"
    assert len(upstream.requests) <= 5


async def test_no_time_left(kind: Kind) -> None:
    """Nobody is called for an answer that nobody waits for."""
    with FakeUpstream(answer([])) as upstream:
        async with Face(kind, upstream.url) as client:
            with (
                deadline_scope(Deadline.after(0)),
                pytest.raises(DeadlineExceededError, match="in time") as raised,
            ):
                await client.get("/a")

    assert raised.value.of_caller
    assert upstream.connections == 0


async def test_nobody_listens(kind: Kind, unused_tcp_port: int) -> None:
    """What can't have arrived is sent again, a POST too; the cause is for the log."""
    sent: list[CallRecord] = []
    async with Face(
        kind, f"http://127.0.0.1:{unused_tcp_port}", observe=sent.append
    ) as client:
        with pytest.raises(ServiceUnavailableException, match="downstream") as raised:
            await client.post("/a", json=1)

    assert cause_of(raised.value) == FaultKind.NO_CONNECTION
    assert raised.value.__notes__ == ["Given up after 3 attempts: no retries are left."]
    assert sent[0].attempts == 3


async def test_a_name_that_nobody_has(kind: Kind) -> None:
    """A host that has no address is a target that can't be reached."""
    async with Face(kind, "http://nobody.invalid") as client:
        with pytest.raises(ServiceUnavailableException) as raised:
            await client.get("/a", retries=0)

    assert cause_of(raised.value) == FaultKind.NO_CONNECTION


async def test_a_fault_that_heals(kind: Kind) -> None:
    """One bad answer costs nothing but time."""
    with FakeUpstream(half_body, reset, answer([7])) as upstream:
        async with Face(kind, upstream.url) as client:
            assert await client.get("/a") == [7]


async def test_a_connection_that_the_server_closed(kind: Kind) -> None:
    """A kept connection that is dead when it is used fails no GET."""
    with FakeUpstream(answer(1), hang_up, answer(2)) as upstream:
        async with Face(kind, upstream.url) as client:
            answers = [await client.get("/a"), await client.get("/a")]

    assert answers == [1, 2]
    # The second request went over the kept connection, the third over a new one.
    assert (len(upstream.requests), upstream.connections) == (3, 2)


async def test_a_server_that_closes_each_connection(kind: Kind) -> None:
    """No error comes of it, for no method."""
    with FakeUpstream(answer_and_hang_up([1])) as upstream:
        async with Face(kind, upstream.url) as client:
            answers = [await client.get("/a") for _ in range(5)]

    assert answers == [[1]] * 5


async def test_connections_are_kept(kind: Kind) -> None:
    """Calls one after the other need one connection."""
    with FakeUpstream(answer([1])) as upstream:
        async with Face(kind, upstream.url) as client:
            for _ in range(5):
                await client.get("/a")

    assert (len(upstream.requests), upstream.connections) == (5, 1)


@pytest.mark.parametrize("behaviour", [endless, gzip_bomb, announced(10**10)])
async def test_what_is_too_large_is_not_held(kind: Kind, behaviour: Behaviour) -> None:
    """Reading ends at the limit: the memory it takes is that and a little."""
    limit = 1_000_000
    with FakeUpstream(behaviour) as upstream:
        async with Face(kind, upstream.url, max_response_bytes=limit) as client:
            tracemalloc.start()
            try:
                with pytest.raises(UpstreamException, match="upstream"):
                    await client.get("/a")
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()

    # The server is in this process: its pieces, and the bomb that it packs, count too.
    assert peak < 12 * limit


async def test_what_is_too_large_is_not_reused(kind: Kind) -> None:
    """The rest of a body is never taken for the next answer; nor is it an outage."""
    with FakeUpstream(endless) as upstream:
        async with Face(kind, upstream.url, max_response_bytes=10**6) as client:
            for _ in range(6):
                with pytest.raises(UpstreamException, match="upstream"):
                    await client.get("/a")
            upstream.then(answer([7]))

            assert await client.get("/a") == [7]


async def test_a_body_at_the_limit(kind: Kind) -> None:
    """The limit itself is allowed, before and after decompression."""
    body = ["x" * 96]  # 100 bytes of JSON
    with FakeUpstream(answer(body), gzipped(body)) as upstream:
        async with Face(kind, upstream.url, max_response_bytes=100) as client:
            assert await client.get("/a") == body
            assert await client.get("/a") == body
        upstream.then(answer(body), gzipped(body))
        async with Face(kind, upstream.url, max_response_bytes=99) as client:
            for _ in range(2):
                with pytest.raises(UpstreamException, match="upstream"):
                    await client.get("/a")


async def test_too_many_requests(kind: Kind) -> None:
    """``Retry-After`` is waited for; where the caller has not the time, he is told."""
    clock = FakeClock()
    slow_down = text("no", status=429, headers={"retry-after": "3"})
    with FakeUpstream(slow_down, answer([1]), slow_down) as upstream:
        async with Face(
            kind, upstream.url, sleep=clock.async_sleep, clock=clock.monotonic
        ) as client:
            assert await client.get("/a") == [1]
            assert clock.slept == [3.0]

            with (
                deadline_scope(Deadline.after(2)),
                pytest.raises(RateLimitExceededException) as raised,
            ):
                await client.get("/a")

    assert raised.value.headers["Retry-After"] == "3"
    assert "the deadline comes before another" in raised.value.__notes__[-1]
    assert (len(upstream.requests), clock.slept) == (3, [3.0])


async def test_too_many_requests_without_a_time(kind: Kind) -> None:
    """Who does not say when is not asked again."""
    with FakeUpstream(text("no", status=429)) as upstream:
        async with Face(kind, upstream.url) as client:
            with pytest.raises(RateLimitExceededException, match="Too many"):
                await client.get("/a")

    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    "behaviour",
    [reset, half_body, text("no", status=503)],
    ids=["reset", "half", "503"],
)
async def test_no_retry_storm(kind: Kind, behaviour: Behaviour) -> None:
    """However often a target that is down is called, retries are a share of it.

    With all breakers away; these would end it sooner still.
    """
    calls = 100
    retry = RetryPolicy(delay=0, max_retries=5, budget_ratio=0.1, budget_burst=10)
    with FakeUpstream(behaviour) as upstream:
        async with Face(
            kind,
            upstream.url,
            retry=retry,
            breaker=BreakerPolicy(failure_threshold=10**6),
            clock=lambda: 1000.0,  # the budget's trickle by time stands still
        ) as client:
            for _ in range(calls):
                with pytest.raises(ServiceUnavailableException, match="downstream"):
                    await client.get("/a")

    assert calls < len(upstream.requests) <= calls + 10 + calls // 10


async def test_a_target_that_is_down_is_left_alone(kind: Kind) -> None:
    """The breaker stops calls, of whatever number, after its threshold."""
    with FakeUpstream(text("no", status=503)) as upstream:
        async with Face(kind, upstream.url) as client:

            async def call() -> Any:
                with pytest.raises(ServiceUnavailableException, match="downstream"):
                    await client.get("/a")

            for _ in range(3):
                await call()
            before = len(upstream.requests)
            await asyncio.gather(*(call() for _ in range(20)))

    assert before == len(upstream.requests) == 5


async def test_rubbish_is_not_logged(kind: Kind) -> None:
    """What came instead of HTTP may be anything, so no line repeats it."""
    secret = b"HTTP/1.1 200 OK\r\nset-cookie s3cret\r\n\r\n"
    with (
        FakeUpstream(raw(secret)) as upstream,
        captured_logs("shared.http_client") as logs,
    ):
        async with Face(kind, upstream.url) as client:
            with pytest.raises(ServiceUnavailableException, match="downstream"):
                await client.get("/a")

    assert logs[-1]["cause"] == "broken connection: RemoteProtocolError"
    assert "s3cret" not in repr(logs)
