"""FastAPI applications with limited routes."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, WebSocket
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response
from starlette.testclient import TestClient, WebSocketDenialResponse

from shared.errors.handlers import register_exception_handlers
from shared.rate_limit import (
    Decision,
    InMemoryRateLimiter,
    RateLimiter,
    RateLimitPolicy,
    RateLimitUnavailableException,
    Reservation,
)
from shared.rate_limit.dependencies import (
    RateLimitsNotConfiguredError,
    client_address,
    configure_rate_limits,
    ensure_rate_limits_configured,
    rate_limit,
)
from shared.testing import FakeClock
from shared.testing.rate_limit_contract import UnavailableRateLimiter

BURST = RateLimitPolicy("burst", limit=2, window=10)
DAILY = RateLimitPolicy("daily", limit=10, window=86_400)
SHARED = RateLimitPolicy("shared", limit=5, window=60)

Counted = list[tuple[str, str]]


async def caller(x_user: Annotated[str, Header()] = "nobody") -> str:
    """The key: who asks."""
    return x_user


async def everyone() -> str:
    """The key of all callers together."""
    return "all"


async def price(x_price: Annotated[int, Header()] = 1) -> int:
    """The cost: what the caller says."""
    return x_price


def make_app() -> FastAPI:
    """An application with a limited route of each kind, and no limiter yet."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        ensure_rate_limits_configured(app)
        yield

    app = FastAPI(lifespan=lifespan)
    register_exception_handlers(app)
    limited = [Depends(rate_limit(BURST, DAILY, key=caller))]

    @app.get("/free")
    async def free() -> str:
        return "free"

    @app.get("/plain", dependencies=limited)
    async def plain() -> str:
        return "plain"

    @app.get("/own-response", dependencies=limited)
    async def own_response() -> Response:
        return PlainTextResponse("mine")

    @app.get("/error", dependencies=limited)
    async def error() -> str:
        raise HTTPException(404, "gone")

    @app.get("/crash", dependencies=limited)
    async def crash() -> str:
        raise ZeroDivisionError

    @app.get(
        "/priced", dependencies=[Depends(rate_limit(DAILY, key=caller, cost=price))]
    )
    async def priced() -> str:
        return "priced"

    @app.get("/dear", dependencies=[Depends(rate_limit(DAILY, key=caller, cost=4))])
    async def dear() -> str:
        return "dear"

    @app.get(
        "/open",
        dependencies=[Depends(rate_limit(BURST, key=caller, on_failure="open"))],
    )
    async def open_() -> str:
        return "open"

    per_app = Depends(rate_limit(SHARED, key=everyone))

    @app.get("/two", dependencies=[per_app, *limited])
    async def two() -> str:
        return "two"

    @app.get("/refunded")
    async def refunded(
        held: Annotated[
            Reservation, Depends(rate_limit(BURST, key=caller, on_failure="open"))
        ],
    ) -> bool:
        return await held.refund()

    @app.websocket("/ws", dependencies=limited)
    async def ws(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hello")
        await websocket.close()

    return app


@pytest.fixture
def clock() -> FakeClock:
    """Time that stands still."""
    return FakeClock()


@pytest.fixture
def limiter(clock: FakeClock) -> InMemoryRateLimiter:
    """A fresh limiter."""
    return InMemoryRateLimiter(clock=clock.monotonic)


@pytest.fixture
def counted() -> Counted:
    """What the hook was called with."""
    return []


@pytest.fixture
def serve(counted: Counted) -> Callable[[RateLimiter], TestClient]:
    """Return a client of the application with a limiter."""

    def serve(limiter: RateLimiter) -> TestClient:
        app = make_app()
        configure_rate_limits(
            app, limiter, on_decision=lambda *facts: counted.append(facts)
        )
        return TestClient(app, raise_server_exceptions=False)

    return serve


@pytest.fixture
def client(
    serve: Callable[[RateLimiter], TestClient], limiter: InMemoryRateLimiter
) -> TestClient:
    """A client of the application with a fresh limiter."""
    return serve(limiter)


POLICY_FIELD = '"burst";q=2;w=10, "daily";q=10;w=86400'


@pytest.mark.parametrize(
    ("path", "status"),
    [("/plain", 200), ("/own-response", 200), ("/error", 404), ("/crash", 500)],
)
def test_every_reply_has_the_fields(client: TestClient, path: str, status: int) -> None:
    """Also one that the route made itself, and one to an error of it."""
    reply = client.get(path)

    assert reply.status_code == status
    assert reply.headers["RateLimit-Policy"] == POLICY_FIELD
    assert reply.headers["RateLimit"] == '"burst";r=1;t=10, "daily";r=9;t=86400'
    assert "Retry-After" not in reply.headers


def test_a_route_without_limits_has_no_fields(client: TestClient) -> None:
    """They would say nothing."""
    reply = client.get("/free")

    assert (reply.text, "RateLimit" in reply.headers) == ('"free"', False)


def test_a_request_too_many(client: TestClient, counted: Counted) -> None:
    """429: a problem with the policy's name, the fields, and when to come back."""
    replies = [client.get("/plain") for _ in range(3)]

    body = replies[2].json()
    del body["correlation_id"]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert body == {
        "type": "about:blank",
        "title": "Too Many Requests",
        "status": 429,
        "detail": "The limit of policy 'burst' is used up.",
        "instance": "/plain",
        "code": "rate_limit_exceeded",
        "policy": "burst",
        "violated-policies": ["burst"],
        "retry_after": 10,
    }
    assert replies[2].headers["Content-Type"] == "application/problem+json"
    assert replies[2].headers.get_list("Retry-After") == ["10"]
    assert replies[2].headers.get_list("RateLimit-Policy") == [POLICY_FIELD]
    assert replies[2].headers.get_list("RateLimit") == ['"burst";r=0;t=10, "daily";r=8']
    assert counted == [("burst", "allowed"), ("daily", "allowed")] * 2 + [
        ("burst", "refused")
    ]


def test_after_the_wait_it_is_let_in(client: TestClient, clock: FakeClock) -> None:
    """The reply told the truth."""
    for _ in range(2):
        client.get("/plain")
    clock.advance(int(client.get("/plain").headers["Retry-After"]))

    assert client.get("/plain").status_code == 200


def test_keys_have_units_of_their_own(client: TestClient) -> None:
    """One caller does not use up what is another's."""
    for _ in range(3):
        client.get("/plain", headers={"X-User": "ann"})

    assert client.get("/plain", headers={"X-User": "bob"}).status_code == 200


def test_a_refusal_is_a_security_event(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Who was refused what, and by which policy."""
    with caplog.at_level(logging.INFO, "shared.security"):
        for _ in range(3):
            client.get("/plain?token=hidden", headers={"X-User": "ann"})

    (record,) = [r for r in caplog.records if r.name == "shared.security"]
    facts: dict[str, Any] = vars(record)
    assert record.levelno == logging.WARNING
    assert (facts["event"], facts["outcome"]) == ("rate_limited", "denied")
    assert (facts["actor"], facts["target"]) == ("ann", "GET /plain")
    assert (facts["reason"], facts["data"]) == ("burst", {"cost": 1})


def test_the_target_of_the_event_is_the_whole_template(
    limiter: InMemoryRateLimiter, caplog: pytest.LogCaptureFixture
) -> None:
    """With the prefixes of routers, and without what the caller wrote in its place."""
    router = APIRouter(prefix="/v1")
    dear = Depends(rate_limit(BURST, key=everyone, cost=3))

    @router.get("/orders/{order_id}", dependencies=[dear])
    async def order(order_id: str) -> str:
        return order_id

    app = FastAPI()
    register_exception_handlers(app)
    configure_rate_limits(app, limiter)
    app.include_router(router, prefix="/api")
    with caplog.at_level(logging.INFO, "shared.security"):
        status = TestClient(app).get("/api/v1/orders/secret").status_code

    targets = [vars(r)["target"] for r in caplog.records if r.name == "shared.security"]
    assert (status, targets) == (429, ["GET /api/v1/orders/{order_id}"])


def test_a_cost_of_the_route(client: TestClient) -> None:
    """A dear route takes more."""
    replies = [client.get("/dear") for _ in range(3)]

    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert replies[2].headers["RateLimit"] == '"daily";r=2;t=86400'


def test_a_cost_of_the_request(client: TestClient) -> None:
    """A dependency says what it costs."""
    reply = client.get("/priced", headers={"X-Price": "7"})

    assert reply.headers["RateLimit"] == '"daily";r=3;t=86400'


def test_a_cost_that_never_fits(client: TestClient) -> None:
    """429 without a time to come back."""
    reply = client.get("/priced", headers={"X-Price": "11"})

    assert (reply.status_code, reply.json()["policy"]) == (429, "daily")
    assert "Retry-After" not in reply.headers


def test_a_refused_request_pays_none_of_its_limits(client: TestClient) -> None:
    """What an earlier limit took is given back when a later one refuses."""
    replies = [client.get("/two") for _ in range(4)]

    assert [reply.status_code for reply in replies] == [200, 200, 429, 429]
    assert replies[1].headers["RateLimit"] == (
        '"shared";r=3;t=60, "burst";r=0;t=10, "daily";r=8;t=86400'
    )
    other = client.get("/two", headers={"X-User": "bob"})
    assert other.headers["RateLimit"].startswith('"shared";r=2;')


class LimiterThatBreaks(InMemoryRateLimiter):
    """A limiter that answers about the shared units, and fails at all others."""

    def __init__(self, error: BaseException, clock: FakeClock) -> None:
        super().__init__(clock=clock.monotonic)
        self.error = error

    async def acquire(
        self, key: str, policies: Sequence[RateLimitPolicy], cost: int = 1
    ) -> Decision:
        """Take units of SHARED, or fail."""
        if SHARED not in policies:
            raise self.error
        return await super().acquire(key, policies, cost)


@pytest.mark.parametrize(
    ("error", "status"),
    [(RateLimitUnavailableException(), 503), (ValueError("The key is empty."), 500)],
)
async def test_a_request_that_fails_pays_none_of_its_limits(
    serve: Callable[[RateLimiter], TestClient],
    clock: FakeClock,
    error: Exception,
    status: int,
) -> None:
    """What an earlier limit took is given back when a later one can't be asked."""
    limiter = LimiterThatBreaks(error, clock)
    replies = [serve(limiter).get("/two") for _ in range(7)]

    assert [reply.status_code for reply in replies] == [status] * 7
    assert ["RateLimit" in reply.headers for reply in replies] == [False] * 7
    assert (await limiter.peek("all", [SHARED])).remaining == SHARED.limit


async def test_a_later_limit_that_fails_open_keeps_what_was_taken(
    clock: FakeClock,
) -> None:
    """The request is let in, so it pays what could be checked."""
    limiter = LimiterThatBreaks(RateLimitUnavailableException(), clock)
    app = FastAPI()
    configure_rate_limits(app, limiter)
    first = Depends(rate_limit(SHARED, key=everyone))
    second = Depends(rate_limit(BURST, key=everyone, on_failure="open"))

    @app.get("/", dependencies=[first, second])
    async def route() -> None: ...

    reply = TestClient(app).get("/")
    assert (reply.status_code, reply.headers["RateLimit"]) == (200, '"shared";r=4;t=60')
    assert (await limiter.peek("all", [SHARED])).remaining == SHARED.limit - 1


def test_a_route_can_give_back(client: TestClient, counted: Counted) -> None:
    """What the units were for did not happen."""
    replies = [client.get("/refunded") for _ in range(5)]

    assert [reply.json() for reply in replies] == [True] * 5


def test_a_store_that_is_down_closed(
    serve: Callable[[RateLimiter], TestClient],
    counted: Counted,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The default: 503, logged and counted."""
    client = serve(UnavailableRateLimiter())
    with caplog.at_level(logging.WARNING, "shared.rate_limit"):
        reply = client.get("/plain")

    assert (reply.status_code, reply.json()["code"]) == (503, "service_unavailable")
    assert reply.json()["detail"] == "Rate limits can't be checked at the moment."
    assert counted == [("burst", "failed_closed"), ("daily", "failed_closed")]
    assert [
        r.getMessage() for r in caplog.records if r.name == "shared.rate_limit"
    ] == ["rate limits could not be checked, the route failed closed: ConnectionError"]


def test_a_store_that_is_down_open(
    serve: Callable[[RateLimiter], TestClient],
    counted: Counted,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The route's choice: let through, logged and counted, without fields."""
    client = serve(UnavailableRateLimiter())
    with caplog.at_level(logging.WARNING, "shared.rate_limit"):
        reply = client.get("/open")

    assert (reply.status_code, "RateLimit" in reply.headers) == (200, False)
    assert counted == [("burst", "failed_open")]
    assert [r.getMessage() for r in caplog.records] == [
        "rate limits could not be checked, the route failed open: ConnectionError"
    ]


def test_a_route_that_was_let_through_has_nothing_to_give_back(
    serve: Callable[[RateLimiter], TestClient],
) -> None:
    """Its reservation is there, and empty."""
    assert serve(UnavailableRateLimiter()).get("/refunded").json() is False


def test_a_metric_that_fails_refuses_nobody(
    limiter: InMemoryRateLimiter, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged."""

    def broken(policy: str, outcome: str) -> None:
        raise LookupError("no such metric")

    app = make_app()
    configure_rate_limits(app, limiter, on_decision=broken)
    with caplog.at_level(logging.ERROR, "shared.rate_limit"):
        status = TestClient(app).get("/open").status_code

    assert status == 200
    assert [record.getMessage() for record in caplog.records] == ["on_decision failed"]


def test_no_hook(limiter: InMemoryRateLimiter) -> None:
    """Metrics are a choice."""
    app = make_app()
    configure_rate_limits(app, limiter)

    assert TestClient(app).get("/open").status_code == 200


def test_a_websocket_is_limited_too(client: TestClient) -> None:
    """It is refused before it is open, with the same problem."""
    for _ in range(2):
        with client.websocket_connect("/ws") as socket:
            assert socket.receive_text() == "hello"
    with (
        pytest.raises(WebSocketDenialResponse) as denied,
        client.websocket_connect("/ws"),
    ):
        pass

    refused = denied.value
    assert (refused.status_code, refused.json()["policy"]) == (429, "burst")
    assert refused.headers["RateLimit"] == '"burst";r=0;t=10, "daily";r=8'


def test_an_application_without_a_limiter_does_not_start() -> None:
    """The first limited route is named."""
    with (
        pytest.raises(
            RateLimitsNotConfiguredError, match=r"^/plain is limited, but its"
        ),
        TestClient(make_app()),
    ):
        pass


def test_a_mounted_application_needs_its_own_limiter(
    limiter: InMemoryRateLimiter,
) -> None:
    """Its path is named with the mount's."""
    app = FastAPI()
    configure_rate_limits(app, limiter)
    app.mount("/inner", make_app())

    with pytest.raises(RateLimitsNotConfiguredError, match=r"^/inner/plain is limited"):
        ensure_rate_limits_configured(app)


def test_a_mounted_application_shows_its_fields_once(
    limiter: InMemoryRateLimiter,
) -> None:
    """Both middlewares run, and one writes."""
    inner = make_app()
    configure_rate_limits(inner, limiter)
    app = FastAPI()
    configure_rate_limits(app, limiter)
    app.mount("/inner", inner)
    ensure_rate_limits_configured(app)

    reply = TestClient(app).get("/inner/plain")
    assert reply.headers.get_list("RateLimit-Policy") == [POLICY_FIELD]


def test_a_request_without_a_limiter_is_a_500_with_advice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Never an unlimited request."""
    client = TestClient(make_app())

    assert client.get("/plain").status_code == 500
    assert "before configure_rate_limits(app, limiter)" in caplog.text


def test_the_limiter_can_be_replaced(limiter: InMemoryRateLimiter) -> None:
    """Even while it serves, and without a second middleware."""
    app = make_app()
    configure_rate_limits(app, limiter)
    with TestClient(app) as client:
        client.get("/plain")
        configure_rate_limits(app, InMemoryRateLimiter())
        reply = client.get("/plain")

    assert reply.headers["RateLimit"].startswith('"burst";r=1;')
    assert reply.headers.get_list("RateLimit-Policy") == [POLICY_FIELD]


def test_an_application_that_serves_takes_no_middleware(
    limiter: InMemoryRateLimiter,
) -> None:
    """Told with the way out, not with Starlette's words."""
    app = FastAPI()
    TestClient(app).get("/")

    with pytest.raises(RuntimeError, match="before the app is started"):
        configure_rate_limits(app, limiter)


def test_bad_limits_fail_where_they_are_written() -> None:
    """At the import of the routes, not at the first request."""
    anything: Any = "ajar"

    with pytest.raises(ValueError, match="A rate limit needs a policy"):
        rate_limit(key=caller)
    with pytest.raises(ValueError, match="name 'burst' twice"):
        rate_limit(BURST, BURST, key=caller)
    with pytest.raises(ValueError, match="The cost must be a whole number"):
        rate_limit(BURST, key=caller, cost=-1)
    with pytest.raises(ValueError, match=r'"open" or "closed" \(got \'ajar\'\)'):
        rate_limit(BURST, key=caller, on_failure=anything)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("testclient", "testclient"),
    ],
)
async def test_the_client_s_address(host: str, expected: str) -> None:
    """One key for an IPv4 address, and one for an IPv6 network."""
    scope = {"type": "http", "client": (host, 1234)}

    assert await client_address(HTTPConnection(scope)) == expected


async def test_a_client_without_an_address() -> None:
    """All that come through a Unix socket share a key."""
    assert await client_address(HTTPConnection({"type": "http"})) == "unknown"
