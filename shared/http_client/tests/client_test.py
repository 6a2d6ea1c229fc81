from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest
from pydantic import BaseModel, Field

from shared.errors import (
    AuthenticationException,
    BaseAPIException,
    ConflictException,
    NotFoundError,
    NotFoundException,
    PermissionDeniedException,
    ServiceUnavailableException,
    UpstreamException,
    ValidationException,
)
from shared.http_client import (
    BreakerPolicy,
    CallRecord,
    ClientLimits,
    ClientTimeouts,
    Fault,
    FaultKind,
    RetryPolicy,
    ServiceClient,
    SyncServiceClient,
)
from shared.http_client.tests.clients import KINDS, Face
from shared.http_client.tests.upstream import (
    FakeUpstream,
    answer,
    gzipped,
    hang,
    message,
    problem,
    raw,
    reset,
    text,
)
from shared.logging import TraceContext, correlation_id_var, trace_context_var
from shared.resilience import (
    BulkheadFullError,
    CircuitOpenError,
    Deadline,
    DeadlineExceededError,
    deadline_scope,
)
from shared.testing import FakeClock, captured_logs

Kind = type[ServiceClient | SyncServiceClient]


class Subject(BaseModel):
    id: int
    name: str


class LedgerDownException(BaseAPIException):
    """An error of a service, declared here as it is there."""

    status_code = 500
    code = "http_client_test_ledger_down"
    detail = "The ledger is down."


@pytest.fixture(params=KINDS, ids=["async", "sync"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Return each of the two clients."""
    found: Kind = request.param
    return found


@pytest.fixture
def upstream() -> Iterator[FakeUpstream]:
    """Return a server that answers with a list."""
    with FakeUpstream(answer([1])) as server:
        yield server


# ------------------------------------------------------------------------- values


async def test_the_page_of_the_specification() -> None:
    """``async with ServiceClient(name, url) as client: await client.get(path)``."""
    with FakeUpstream(answer([{"id": 7}])) as upstream:
        async with ServiceClient("subject-service", upstream.url) as client:
            subjects = await client.get("/api/v1/subjects")

    assert subjects == [{"id": 7}]


@pytest.mark.parametrize(
    ("model", "value", "expected"),
    [
        (Subject, {"id": 7, "name": "Maths"}, Subject(id=7, name="Maths")),
        (list[Subject], [{"id": 7, "name": "a"}], [Subject(id=7, name="a")]),
        (dict[str, Decimal], {"a": 1.10}, {"a": Decimal("1.1")}),
        (Annotated[int, Field(gt=1)], 2, 2),
        (Subject | None, None, None),
    ],
    ids=["model", "list", "dict", "annotated", "optional"],
)
async def test_answers_have_types(
    kind: Kind, model: Any, value: Any, expected: Any
) -> None:
    """``response_model`` is anything that pydantic validates."""
    with FakeUpstream(answer(value)) as upstream:
        async with Face(kind, upstream.url) as client:
            found = await client.get("/a", response_model=model)

    assert found == expected
    assert type(found) is type(expected)


async def test_an_answer_that_does_not_fit(kind: Kind) -> None:
    """The log is told where and why; the value is nowhere in what is raised."""
    secret = "correct horse battery staple"
    with (
        FakeUpstream(answer([{"id": secret, "name": "a"}, {"id": 1}])) as upstream,
        captured_logs("shared.http_client") as logs,
    ):
        async with Face(kind, upstream.url) as client:
            with pytest.raises(UpstreamException, match="upstream") as raised:
                await client.get("/a", response_model=list[Subject])

    cause = raised.value.__cause__
    assert str(cause) == (
        "answer does not fit response_model: int_parsing at 0/id, missing at 1/name"
    )
    assert secret not in "".join(traceback.format_exception(raised.value))
    assert secret not in repr(logs)
    assert logs[-1]["cause"] == str(cause)


async def test_an_answer_that_does_not_fit_is_no_outage(kind: Kind) -> None:
    """It is one endpoint's, and the breaker is that of the whole target."""
    with FakeUpstream(answer({"id": 7})) as upstream:
        async with Face(kind, upstream.url) as client:
            for _ in range(6):
                with pytest.raises(UpstreamException, match="upstream"):
                    await client.get("/a", response_model=list[int])

            assert await client.get("/a") == {"id": 7}


async def test_a_model_that_is_none(kind: Kind, upstream: FakeUpstream) -> None:
    """The mistake shows before anything is sent."""
    async with Face(kind, upstream.url) as client:
        with pytest.raises(TypeError, match="nothing that pydantic can validate"):
            await client.get("/a", response_model=object())

    assert upstream.requests == []


@pytest.mark.parametrize("status", [204, 200])
async def test_no_body(kind: Kind, status: int) -> None:
    """It is None, also as a model that may be None, and an error as another."""
    with FakeUpstream(raw(message(status, b""))) as upstream:
        async with Face(kind, upstream.url) as client:
            values = [
                await client.verb("delete", "/a"),
                await client.verb("delete", "/a", response_model=Subject | None),
            ]
            with pytest.raises(UpstreamException, match="upstream"):
                await client.verb("delete", "/a", response_model=Subject)

    assert values == [None, None]


@pytest.mark.parametrize(
    "media_type", ["application/hal+json", "Application/JSON; a=b"]
)
async def test_other_names_of_json(kind: Kind, media_type: str) -> None:
    """RFC 6839: what ends in +json is JSON."""
    with FakeUpstream(answer([1], headers={"content-type": media_type})) as upstream:
        async with Face(kind, upstream.url) as client:
            assert await client.get("/a") == [1]


async def test_compressed(kind: Kind) -> None:
    """Decompressed as it was asked for."""
    with FakeUpstream(gzipped(list(range(1000)))) as upstream:
        async with Face(kind, upstream.url) as client:
            assert await client.get("/a") == list(range(1000))

    assert upstream.requests[0].headers["accept-encoding"] == "gzip, deflate"


async def test_other_media_types(kind: Kind) -> None:
    """``send`` gives the answer as it came."""
    with FakeUpstream(text("<p>", headers={"x-a": "1", "X-A": "2"})) as upstream:
        async with Face(kind, upstream.url) as client:
            reply = await client.send("GET", "/a")

    assert (reply.status_code, reply.content) == (200, b"<p>")
    assert (reply.media_type, reply.headers["x-a"]) == ("text/html", "1, 2")
    assert upstream.requests[0].headers["accept"] == "*/*"


async def test_head(kind: Kind) -> None:
    """A body that is announced does not come."""
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\netag: x\r\n\r\n"
    with FakeUpstream(raw(head)) as upstream:
        async with Face(kind, upstream.url) as client:
            reply = await client.verb("head", "/a")
            await client.verb("head", "/a")

    assert (reply.headers["etag"], reply.content) == ("x", b"")
    assert (upstream.requests[0].method, upstream.connections) == ("HEAD", 1)


# ----------------------------------------------------------------------- requests


@pytest.mark.parametrize("verb", ["get", "post", "put", "patch", "delete"])
async def test_verbs(kind: Kind, upstream: FakeUpstream, verb: str) -> None:
    """Each sends its method, and `request` sends any."""
    async with Face(kind, upstream.url) as client:
        assert await client.verb(verb, "/a") == [1]
        assert await client.request(verb, "/a") == [1]

    assert [one.method for one in upstream.requests] == [verb.upper()] * 2


async def test_what_is_sent(kind: Kind, upstream: FakeUpstream) -> None:
    """Path and query as they were meant, and headers that name the caller."""
    async with Face(kind, f"{upstream.url}/base/", caller="api-platform/1.2") as client:
        await client.get(
            "/users/{user}/posts",
            path_params={"user": "a/b?c=d"},
            params={"q": "a&b", "tag": ["x", "y"], "on": True, "no": None},
            headers={"X-Own": "yes", "Accept": "application/hal+json"},
        )

    (request,) = upstream.requests
    expected = "/base/users/a%2Fb%3Fc%3Dd/posts?q=a%26b&tag=x&tag=y&on=true"
    assert request.target == expected
    assert request.headers["host"] == f"127.0.0.1:{upstream.port}"
    assert request.headers["user-agent"] == "api-platform/1.2"
    assert request.headers["x-own"] == "yes"
    assert request.headers["accept"] == "application/hal+json"


async def test_json_bodies(kind: Kind, upstream: FakeUpstream) -> None:
    """Models, and whatever pydantic can serialise."""
    body = {
        "subject": Subject(id=7, name="é"),
        "id": UUID(int=7),
        "on": date(2026, 1, 2),
        "at": datetime(2026, 1, 2, tzinfo=UTC),
    }
    async with Face(kind, upstream.url) as client:
        await client.post("/a", json=body)

    (request,) = upstream.requests
    assert request.body.decode() == (
        '{"subject":{"id":7,"name":"é"},"id":"00000000-0000-0000-0000-000000000007",'
        '"on":"2026-01-02","at":"2026-01-02T00:00:00Z"}'
    )
    assert request.headers["content-type"] == "application/json"


async def test_bodies_in_pieces(kind: Kind, upstream: FakeUpstream) -> None:
    """A generator is sent as it comes, under the media type that the caller names."""
    pieces = (piece for piece in [b"a" * 70000, b"b"])
    async with Face(kind, upstream.url) as client:
        await client.post("/a", content=pieces, headers={"Content-Type": "text/csv"})

    (request,) = upstream.requests
    assert request.body == b"a" * 70000 + b"b"
    assert request.headers["content-type"] == "text/csv"


async def test_bodies_in_async_pieces(kind: Kind, upstream: FakeUpstream) -> None:
    """An asynchronous generator too."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.sleep(0)
        yield b"b"

    async with Face(kind, upstream.url) as client:
        await client.post("/a", content=pieces())

    assert upstream.requests[0].body == b"ab"


async def test_pieces_are_sent_once(kind: Kind) -> None:
    """A generator can't be read again, so nothing is retried."""
    with FakeUpstream(reset) as upstream:
        async with Face(kind, upstream.url) as client:
            with pytest.raises(ServiceUnavailableException, match="downstream"):
                await client.request("PUT", "/a", content=iter([b"a"]))

    assert len(upstream.requests) == 1


async def test_pieces_that_fail(kind: Kind, upstream: FakeUpstream) -> None:
    """What the caller's own generator raises is his, and no outage of the target."""

    def pieces() -> Iterator[bytes]:
        yield b"a"
        raise OSError("disk")

    async with Face(kind, upstream.url) as client:
        for _ in range(6):
            with pytest.raises(OSError, match="disk"):
                await client.post("/a", content=pieces())

        assert await client.get("/a") == [1]


@pytest.mark.parametrize(
    ("path", "options", "match"),
    [
        ("//evil.example/a", {}, "begin with one slash"),
        ("http://evil.example/", {}, "begin with one slash"),
        ("a", {}, "begin with one slash"),
        ("/a/../b", {}, "segment"),
        ("/a\r\nX: y", {}, "control"),
        ("/a", {"headers": {"X": "a\r\nY: b"}}, "one line"),
        ("/a", {"headers": {"X\r\nY": "a"}}, "name of a header"),
        ("/a", {"headers": {"Content-Length": "0"}}, "transport's"),
        ("/a", {"json": 1, "content": b"1"}, "not both"),
        ("/a", {"json": float("nan")}, "NaN"),
        ("/a", {"timeout": 0}, "above 0"),
        ("/a", {"retries": 11}, "at most 10"),
        ("/a", {"idempotency_key": ""}, "255"),
    ],
)
async def test_requests_that_make_no_sense(
    kind: Kind, upstream: FakeUpstream, path: str, options: dict[str, Any], match: str
) -> None:
    """They are refused before anything is sent."""
    async with Face(kind, upstream.url) as client:
        with pytest.raises(ValueError, match=match):
            await client.post(path, **options)

    assert upstream.connections == 0


async def test_a_misspelt_option(kind: Kind, upstream: FakeUpstream) -> None:
    """It is an error and not ignored."""
    async with Face(kind, upstream.url) as client:
        with pytest.raises(TypeError, match="param"):
            await client.get("/a", param={})


# ------------------------------------------------------------------------ context


async def test_context_is_passed_on(kind: Kind, upstream: FakeUpstream) -> None:
    """One correlation id, one trace and one deadline run through all services."""
    trace = TraceContext("1" * 32, "2" * 16, "01")
    correlation_id_var.set("abc-123")
    trace_context_var.set(trace)
    async with Face(kind, upstream.url) as client:
        with deadline_scope(Deadline.after(5)):
            await client.get("/a")

    headers = upstream.requests[0].headers
    assert headers["x-correlation-id"] == "abc-123"
    assert headers["traceparent"] == trace.traceparent
    assert 1 <= int(headers["x-request-timeout-ms"]) <= 5000


async def test_a_call_without_context(kind: Kind, upstream: FakeUpstream) -> None:
    """It gets a correlation id of its own, and passes on its own time-out."""
    upstream.then(text("no", status=500))
    correlation_id_var.set(None)
    with captured_logs("shared.http_client") as logs:
        async with Face(kind, upstream.url, timeout=7) as client:
            with pytest.raises(ServiceUnavailableException, match="downstream"):
                await client.get("/a")

    headers = upstream.requests[0].headers
    assert headers["x-correlation-id"] == logs[-1]["correlation_id"]
    assert "traceparent" not in headers
    assert 1 <= int(headers["x-request-timeout-ms"]) <= 7000
    assert correlation_id_var.get() is None


async def test_a_correlation_id_that_is_none(
    kind: Kind, upstream: FakeUpstream
) -> None:
    """What is no id is replaced, and adds no header of its own."""
    correlation_id_var.set("a\r\nX-Evil: 1")
    async with Face(kind, upstream.url) as client:
        await client.get("/a")

    assert "x-evil" not in upstream.requests[0].headers
    assert correlation_id_var.get() == "a\r\nX-Evil: 1"


async def test_a_deadline_of_less_than_a_millisecond(
    kind: Kind, upstream: FakeUpstream
) -> None:
    """It is over: 0 would be refused, or be taken for none."""
    clock = FakeClock()
    async with Face(kind, upstream.url) as client:
        with (
            deadline_scope(Deadline.after(0.0009, clock=clock.monotonic)),
            pytest.raises(DeadlineExceededError, match="in time") as raised,
        ):
            await client.get("/a")

    assert raised.value.of_caller
    assert upstream.requests == []


# ------------------------------------------------------------------------- tokens


async def test_tokens_are_asked_for_at_each_attempt(kind: Kind) -> None:
    """A token that ran out between two attempts is not sent."""
    tokens = iter(["one", "two"])
    with FakeUpstream(reset, answer([1])) as upstream:
        async with Face(
            kind, upstream.url, token_provider=lambda: next(tokens)
        ) as client:
            await client.get("/a")

    sent = [one.headers["authorization"] for one in upstream.requests]
    assert sent == ["Bearer one", "Bearer two"]


async def test_tokens_may_be_awaited(kind: Kind, upstream: FakeUpstream) -> None:
    """The provider may be asynchronous."""

    async def provider() -> str:
        await asyncio.sleep(0)
        return "abc"

    async with Face(kind, upstream.url, token_provider=provider) as client:
        await client.get("/a")

    assert upstream.requests[0].headers["authorization"] == "Bearer abc"


async def test_the_callers_own_credential(kind: Kind, upstream: FakeUpstream) -> None:
    """It is sent instead, and the provider is not asked."""

    def provider() -> str:
        raise AssertionError

    async with Face(kind, upstream.url, token_provider=provider) as client:
        await client.get("/a", headers={"Authorization": "Bearer users-own"})

    assert upstream.requests[0].headers["authorization"] == "Bearer users-own"


@pytest.mark.parametrize("token", ["", "a b", "a\n", "a\r\nX: y", "é", None])
async def test_a_token_that_is_none(
    kind: Kind, upstream: FakeUpstream, token: Any
) -> None:
    """It is not sent, and not shown."""
    with captured_logs("shared.http_client") as logs:
        async with Face(kind, upstream.url, token_provider=lambda: token) as client:
            with pytest.raises(
                ServiceUnavailableException, match="downstream"
            ) as raised:
                await client.get("/a")

    assert str(raised.value.__cause__) == (
        "token_provider failed: it returned no bearer token (value hidden)"
    )
    assert logs[-1]["attempt"] == 0
    assert upstream.requests == []


async def test_a_provider_that_fails(kind: Kind, upstream: FakeUpstream) -> None:
    """It is our trouble: neither its 401 nor its words reach the caller."""
    causes: list[BaseException | None] = []

    def provider() -> str:
        raise AuthenticationException("client_secret s3cret is wrong")

    with captured_logs("shared.http_client") as logs:
        async with Face(kind, upstream.url, token_provider=provider) as client:
            for _ in range(6):
                with pytest.raises(
                    ServiceUnavailableException, match="downstream"
                ) as raised:
                    await client.get("/a")
                causes.append(raised.value.__cause__)
            assert client.breakers[0].state == "closed"

    kinds = [cause.kind for cause in causes if isinstance(cause, Fault)]
    assert kinds == [FaultKind.NO_CREDENTIAL] * 6
    assert "s3cret" not in repr(logs)
    assert upstream.requests == []


async def test_a_provider_that_hangs(kind: Kind, upstream: FakeUpstream) -> None:
    """The time for it is bounded too."""

    async def provider() -> str:
        await asyncio.Event().wait()
        return "never"

    async with Face(
        kind, upstream.url, token_provider=provider, timeout=0.05
    ) as client:
        with pytest.raises(DeadlineExceededError, match="in time"):
            await client.get("/a")

    assert upstream.requests == []


UNAUTHORIZED = {
    "type": "about:blank",
    "title": "Unauthorized",
    "status": 401,
    "detail": "The token has expired.",
    "code": "authentication_failed",
}


async def test_our_own_token_is_refused(kind: Kind) -> None:
    """The caller, who is logged in, is not told to log in."""
    errors: list[UpstreamException] = []
    with FakeUpstream(problem(UNAUTHORIZED)) as upstream:
        async with Face(kind, upstream.url, token_provider=lambda: "abc") as client:
            for _ in range(6):
                with pytest.raises(UpstreamException, match="upstream") as raised:
                    await client.get("/a")
                errors.append(raised.value)
            assert client.breakers[0].state == "closed"

    assert [error.status_code for error in errors] == [502] * 6
    cause = errors[0].__cause__
    assert isinstance(cause, Fault)
    assert cause.kind is FaultKind.CREDENTIAL_REFUSED
    assert isinstance(cause.__cause__, AuthenticationException)


async def test_the_callers_token_is_refused(kind: Kind) -> None:
    """The caller, whose token it was, is told."""
    with FakeUpstream(problem(UNAUTHORIZED)) as upstream:
        async with Face(kind, upstream.url, token_provider=lambda: "abc") as client:
            with pytest.raises(AuthenticationException, match="has expired"):
                await client.get("/a", headers={"authorization": "Bearer his"})


# ------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    "error",
    [
        NotFoundException("No such subject."),
        NotFoundError("Subject", "7"),
        ConflictException("Taken.", field="name"),
        PermissionDeniedException(),
        ValidationException([{"pointer": "/a", "code": "missing", "detail": "b"}]),
        ServiceUnavailableException("The ledger rests.", retry_after=7),
        LedgerDownException(account="7"),
        BaseAPIException(),
        UpstreamException(status_code=504),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_errors_cross_services(kind: Kind, error: BaseAPIException) -> None:
    """What is raised there is raised here: class, detail and facts."""
    with FakeUpstream(problem(error.to_problem())) as upstream:
        async with Face(kind, upstream.url) as client:
            with pytest.raises(type(error)) as raised:
                await client.get("/a", retries=0)

    assert type(raised.value) is type(error)
    assert raised.value.to_problem() == error.to_problem()


async def test_a_foreign_error(kind: Kind) -> None:
    """4xx keep their class and say nothing; a 5xx is a service that is not there."""
    with FakeUpstream(
        text("secret", status=404),
        text("secret", status=500, headers={"retry-after": "9"}),
    ) as upstream:
        async with Face(kind, upstream.url) as client:
            with pytest.raises(NotFoundException) as missing:
                await client.get("/a")
            with pytest.raises(ServiceUnavailableException) as broken:
                await client.get("/a")

    assert missing.value.to_dict() == {"detail": "Resource not found."}
    assert broken.value.to_dict() == {
        "detail": "A required downstream service is currently unavailable.",
        "retry_after": 9,
    }
    cause = broken.value.__cause__
    assert cause is not None
    assert cause.__notes__ == ["The other service answered {'status': 500}."]


async def test_errors_are_small(kind: Kind) -> None:
    """What is too large or can't be read is not passed on; the status decides."""
    large = NotFoundException("x" * 300_000).to_problem()
    packed = {"content-encoding": "gzip"}
    with FakeUpstream(problem(large), problem(large, packed)) as upstream:
        async with Face(kind, upstream.url) as client:
            for _ in range(2):
                with pytest.raises(NotFoundException) as raised:
                    await client.get("/a")
                assert raised.value.to_dict() == {"detail": "Resource not found."}


async def test_a_foreign_problem(kind: Kind) -> None:
    """A 5xx of another framework is foreign too, whatever it says about itself."""
    spring = {"type": "about:blank", "title": "Oops", "status": 500, "detail": "secret"}
    with FakeUpstream(problem(spring)) as upstream:
        async with Face(kind, upstream.url) as client:
            with pytest.raises(ServiceUnavailableException, match="downstream"):
                await client.get("/a")


async def test_a_deadline_that_the_target_met(kind: Kind) -> None:
    """Its 504 counts as an outage only if the deadline was not the caller's."""
    late = problem(DeadlineExceededError().to_problem())
    with FakeUpstream(late) as upstream:
        async with Face(kind, upstream.url) as client:
            for _ in range(6):
                with (
                    deadline_scope(Deadline.after(5)),
                    pytest.raises(DeadlineExceededError, match="in time") as raised,
                ):
                    await client.get("/a", retries=0)
                assert raised.value.of_caller
            assert client.breakers[0].state == "closed"
            for _ in range(5):
                with pytest.raises(DeadlineExceededError, match="in time") as raised:
                    await client.get("/a", retries=0)
                assert not raised.value.of_caller
            assert client.breakers[0].state == "open"


# ------------------------------------------------------------ retries and breakers


async def test_a_key_makes_a_post_safe(kind: Kind) -> None:
    """With an idempotency key any method is tried again, with the same key."""
    with FakeUpstream(text("no", status=503), answer([1])) as upstream:
        async with Face(kind, upstream.url) as client:
            assert await client.post("/a", json=1, idempotency_key="k-1") == [1]

    keys = [one.headers["idempotency-key"] for one in upstream.requests]
    assert keys == ["k-1", "k-1"]
    assert [one.body for one in upstream.requests] == [b"1", b"1"]


async def test_retries_of_one_call(kind: Kind) -> None:
    """Each call may say how many there are."""
    with FakeUpstream(text("no", status=503)) as upstream:
        async with Face(
            kind, upstream.url, breaker=BreakerPolicy(failure_threshold=100)
        ) as client:
            for retries in (0, 4):
                with pytest.raises(ServiceUnavailableException, match="downstream"):
                    await client.get("/a", retries=retries)

    assert len(upstream.requests) == 1 + 5


async def test_waits_grow_and_are_random(kind: Kind) -> None:
    """Full jitter, on the clock that is given."""
    clock = FakeClock()
    with FakeUpstream(text("no", status=503)) as upstream:
        async with Face(
            kind,
            upstream.url,
            retry=RetryPolicy(max_retries=4, delay=1, max_delay=3),
            sleep=clock.async_sleep,
            rng=lambda: 0.5,
            breaker=BreakerPolicy(failure_threshold=100),
        ) as client:
            with pytest.raises(ServiceUnavailableException, match="downstream"):
                await client.get("/a")

    assert clock.slept == [0.5, 1.0, 1.5, 1.5]


async def test_an_open_breaker(kind: Kind) -> None:
    """Calls fail at once, and after a while one is let through."""
    clock = FakeClock()
    with FakeUpstream(text("no", status=500)) as upstream:
        async with Face(
            kind,
            upstream.url,
            clock=clock.monotonic,
            breaker=BreakerPolicy(failure_threshold=2, recovery_time=10),
        ) as client:
            for _ in range(2):
                with pytest.raises(ServiceUnavailableException, match="downstream"):
                    await client.get("/a")
            with pytest.raises(CircuitOpenError, match="downstream") as raised:
                await client.get("/a")
            upstream.then(answer([1]))
            clock.advance(10)

            assert await client.get("/a") == [1]

    assert (raised.value.breaker, raised.value.retry_after) == ("subjects", 10.0)
    assert len(upstream.requests) == 3


async def test_no_room_in_the_pool(kind: Kind) -> None:
    """It is our own limit: a 503 that no breaker counts."""
    with FakeUpstream(hang) as upstream:
        async with Face(
            kind,
            upstream.url,
            limits=ClientLimits(max_connections=1),
            timeout=ClientTimeouts(pool=0.05, read=20, total=20),
        ) as client:
            first = asyncio.create_task(client.get("/a"))
            async with asyncio.timeout(30):
                while not upstream.requests:  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0.001)
            with pytest.raises(BulkheadFullError, match="downstream"):
                await client.get("/a")
            assert client.breakers[0].state == "closed"
            upstream.__exit__()
            with pytest.raises(ServiceUnavailableException, match="downstream"):
                await first


async def test_several_urls(kind: Kind) -> None:
    """Calls are shared out; one that fails is tried elsewhere and then passed over."""
    with FakeUpstream(answer([1])) as good, FakeUpstream(reset) as bad:
        async with Face(
            kind, [good.url, bad.url], retry=RetryPolicy(delay=0, budget_burst=50)
        ) as client:
            answers = [await client.get("/a") for _ in range(60)]
            names = [breaker.name for breaker in client.breakers]
            states = [breaker.state.value for breaker in client.breakers]

    assert answers == [[1]] * 60
    assert names == [f"subjects {good.url}", f"subjects {bad.url}"]
    assert states == ["closed", "open"]
    assert (len(good.requests), len(bad.requests)) == (60, 5)


async def test_a_url_comes_back(kind: Kind) -> None:
    """One that was passed over is probed when its time is up, and used again."""
    clock = FakeClock()
    with FakeUpstream(answer([1])) as good, FakeUpstream(reset) as bad:
        async with Face(
            kind,
            [good.url, bad.url],
            clock=clock.monotonic,
            breaker=BreakerPolicy(failure_threshold=1, recovery_time=10),
        ) as client:
            while client.breakers[1].state != "open":
                await client.get("/a")
            bad.then(answer([2]))
            before = len(bad.requests)
            assert [await client.get("/a") for _ in range(20)] == [[1]] * 20
            clock.advance(10)
            answers = [await client.get("/a") for _ in range(60)]

    assert len(bad.requests) > before
    assert {value for (value,) in answers} == {1, 2}


async def test_all_urls_are_down(kind: Kind) -> None:
    """The soonest of them says when to come back."""
    clock = FakeClock()
    with FakeUpstream(reset) as one, FakeUpstream(reset) as other:
        async with Face(
            kind,
            [one.url, other.url],
            clock=clock.monotonic,
            breaker=BreakerPolicy(failure_threshold=1, recovery_time=10),
        ) as client:
            with pytest.raises(CircuitOpenError, match="after 3 attempts") as raised:
                await client.get("/a")

    assert raised.value.retry_after == 10.0
    assert (len(one.requests), len(other.requests)) == (1, 1)


# ------------------------------------------------------------------ what is told


async def test_records(kind: Kind) -> None:
    """Metrics hear of each call once, with few values."""
    records: list[CallRecord] = []
    with FakeUpstream(
        answer([1]), text("no", status=503), answer([1]), text("no", status=404)
    ) as upstream:
        async with Face(kind, upstream.url, observe=records.append) as client:
            await client.get("/users/{id}", path_params={"id": 7}, params={"a": "b"})
            await client.get("/b")
            with pytest.raises(NotFoundException, match="not found"):
                await client.get("/c")
            upstream.then(text("no"))
            with pytest.raises(UpstreamException, match="upstream"):
                await client.get("/d")

    assert [record._replace(seconds=0) for record in records] == [
        CallRecord("subjects", "GET", "/users/{id}", 200, None, 0, 1),
        CallRecord("subjects", "GET", "/b", 200, None, 0, 2),
        CallRecord("subjects", "GET", "/c", 404, "NotFoundException", 0, 1),
        CallRecord("subjects", "GET", "/d", 200, "UpstreamException", 0, 1),
    ]
    assert all(record.seconds > 0 for record in records)


async def test_an_observer_that_fails(kind: Kind, upstream: FakeUpstream) -> None:
    """The call goes on, and the log says so."""

    def observe(record: CallRecord) -> None:
        raise RuntimeError("no metrics today")

    with captured_logs("shared.http_client") as logs:
        async with Face(kind, upstream.url, observe=observe) as client:
            assert await client.get("/a") == [1]

    (line,) = logs.having(level="ERROR")
    assert "no metrics today" in line["exc_info"]


async def test_failures_are_logged(kind: Kind) -> None:
    """A line for each attempt that failed: whom, what, how, how long; no secrets."""
    with (
        FakeUpstream(text("body-secret", status=503)) as upstream,
        captured_logs("shared.http_client") as logs,
    ):
        async with Face(
            kind, upstream.url, token_provider=lambda: "token-secret"
        ) as client:
            with pytest.raises(ServiceUnavailableException, match="downstream"):
                await client.get(
                    "/users/{id}",
                    path_params={"id": "id-secret"},
                    params={"q": "query-secret"},
                    headers={"x-a": "header-secret"},
                    retries=1,
                )

    assert [line["attempt"] for line in logs] == [1, 2]
    line = logs[0]
    assert line["level"] == "WARNING"
    assert line["message"] == (
        "GET /users/{id} of subjects failed with ServiceUnavailableException."
    )
    assert (line["target"], line["http_method"], line["http_status"]) == (
        "subjects",
        "GET",
        503,
    )
    assert line["duration_ms"] > 0
    assert "secret" not in repr(logs)


async def test_answers_are_no_warnings(kind: Kind) -> None:
    """A 404 is the caller's to judge."""
    missing = problem(NotFoundException().to_problem())
    with (
        FakeUpstream(missing) as upstream,
        captured_logs("shared.http_client", level="INFO") as logs,
    ):
        async with Face(kind, upstream.url) as client:
            with pytest.raises(NotFoundException, match="not found"):
                await client.get("/a")

    assert [line["level"] for line in logs] == ["INFO"]


# --------------------------------------------------------------------- life of it


async def test_closed_is_closed(kind: Kind, upstream: FakeUpstream) -> None:
    """Calls after the end are refused, and closing twice is fine."""
    client = Face(kind, upstream.url)
    await client.get("/a")
    await client.close()
    await client.close()

    with pytest.raises(RuntimeError, match="client of subjects is closed"):
        await client.get("/a")
    assert len(upstream.requests) == 1


async def test_opened_again(kind: Kind, upstream: FakeUpstream) -> None:
    """A service that is started again enters the client that it closed."""
    client = Face(kind, upstream.url)
    for _ in range(2):
        async with client:
            assert await client.get("/a") == [1]


async def test_many_at_once(kind: Kind, upstream: FakeUpstream) -> None:
    """One client serves all tasks and threads."""
    async with Face(kind, upstream.url) as client:
        answers = await asyncio.gather(*(client.get("/a") for _ in range(50)))

    assert answers == [[1]] * 50


async def test_cancelled(upstream: FakeUpstream) -> None:
    """A call that is cancelled leaves nothing behind and counts as nothing."""
    upstream.then(hang)
    async with ServiceClient("subjects", upstream.url) as client:
        for number in range(6):
            call = asyncio.create_task(client.get("/a"))
            async with asyncio.timeout(30):
                while len(upstream.requests) <= number:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        upstream.then(answer([1]))

        assert await client.get("/a") == [1]


def test_event_loops_one_after_the_other(upstream: FakeUpstream) -> None:
    """Each has connections of its own, so a client outlives a loop."""
    client = ServiceClient("subjects", upstream.url, limits=ClientLimits(max_idle=0))

    async def call() -> Any:
        return await client.get("/a")

    assert [asyncio.run(call()) for _ in range(3)] == [[1]] * 3


async def test_event_loops_at_the_same_time(upstream: FakeUpstream) -> None:
    """And so it serves two threads with a loop each."""
    client = ServiceClient("subjects", upstream.url, limits=ClientLimits(max_idle=0))
    answers: list[Any] = []

    async def calls() -> None:
        for _ in range(10):
            answers.append(await client.get("/a"))

    other = threading.Thread(target=lambda: asyncio.run(calls()))
    other.start()
    await calls()
    await asyncio.to_thread(other.join, 30)
    await client.aclose()

    assert answers == [[1]] * 20


async def test_it_shows_itself(kind: Kind) -> None:
    """By name; a URL may be internal."""
    client = kind("subjects", "http://localhost:1")

    assert repr(client) == f"<{kind.__name__} 'subjects'>"
    assert client.name == "subjects"
