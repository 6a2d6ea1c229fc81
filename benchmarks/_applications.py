"""The applications that request_overhead.py serves: one endpoint, dressed differently.

Run by uvicorn as a factory; VARIANT says which. Log lines go to the file LOG.
"""

import logging
import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Annotated, Any

import asgi_correlation_id
import jwt
import structlog
from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import Response

from shared.auth import KeyRing, TokenPolicy
from shared.auth.dependencies import configure_auth, get_current_user
from shared.errors.handlers import register_exception_handlers
from shared.logging import configure_logging
from shared.logging.middleware import RequestLogMiddleware
from shared.logging.orjson import orjson_encoder

SECRET = "k" * 64
ISSUER, AUDIENCE = "https://auth.example.test", "orders-api"

ASGIApp = Callable[..., Awaitable[None]]
Message = MutableMapping[str, Any]


class Line(BaseModel):
    """One line of an order."""

    sku: str
    quantity: int
    unit_price: float


class Order(BaseModel):
    """What is posted."""

    customer_id: str
    currency: str
    lines: list[Line]


class Total(BaseModel):
    """What is answered."""

    currency: str
    total: float
    lines: int


def router(*dependencies: Any) -> APIRouter:
    """The endpoint, guarded by *dependencies*."""
    routes = APIRouter(dependencies=[Depends(d) for d in dependencies])

    @routes.post("/orders")
    async def total(order: Order) -> Total:
        amount = sum(line.quantity * line.unit_price for line in order.lines)
        return Total(currency=order.currency, total=amount, lines=len(order.lines))

    return routes


def bare() -> FastAPI:
    """FastAPI and nothing else."""
    app = FastAPI()
    app.include_router(router())
    return app


def kernel(*, auth: bool) -> FastAPI:
    """The kernel's handlers and middleware, and its token check."""
    configure_logging(
        "orders-api",
        stream=open(os.environ["LOG"], "wb", buffering=0),  # noqa: SIM115
        encoder=orjson_encoder,
    )
    app = FastAPI()
    register_exception_handlers(app)
    app.add_middleware(RequestLogMiddleware)
    if auth:
        keys = KeyRing.from_secret(SECRET)
        policy = TokenPolicy(issuer=ISSUER, audience=AUDIENCE)
        configure_auth(app, keys=keys, policy=policy)
        app.include_router(router(get_current_user))
    else:
        app.include_router(router())
    return app


class PeerAccessLog:
    """What users of structlog write by hand, pure ASGI."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.log = structlog.get_logger()

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        """Log method, path, status and time."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def remember(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        await self.app(scope, receive, remember)
        self.log.info(
            "request",
            method=scope["method"],
            path=scope["path"],
            status=status,
            duration_ms=(time.perf_counter() - start) * 1000,
            correlation_id=asgi_correlation_id.correlation_id.get(),
        )


def peer(*, auth: bool) -> FastAPI:
    """asgi-correlation-id, structlog, PyJWT: all pure ASGI."""
    import orjson

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.BytesLoggerFactory(open(os.environ["LOG"], "wb")),  # noqa: SIM115
        cache_logger_on_first_use=True,
    )
    app = FastAPI()
    app.add_middleware(PeerAccessLog)
    app.add_middleware(
        asgi_correlation_id.CorrelationIdMiddleware, header_name="X-Correlation-ID"
    )
    app.include_router(router(*([peer_user] if auth else [])))
    return app


async def peer_user(
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
) -> dict[str, Any]:
    """What FastAPI's documentation shows, with issuer and audience."""
    try:
        claims: dict[str, Any] = jwt.decode(
            credentials.credentials,
            SECRET,
            algorithms=["HS256"],
            issuer=ISSUER,
            audience=AUDIENCE,
            options={"require": ["exp", "iss", "aud"]},
        )
    except jwt.InvalidTokenError as error:
        raise HTTPException(401) from error
    return claims


def base_http_middleware() -> FastAPI:
    """The middleware most tutorials show, doing nothing."""
    app = bare()

    async def pass_on(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        return await call_next(request)

    app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)
    return app


VARIANTS: dict[str, Callable[[], FastAPI]] = {
    "FastAPI": bare,
    "kernel: errors, correlation, access log": lambda: kernel(auth=False),
    "kernel: the same and tokens": lambda: kernel(auth=True),
    "peers: correlation, access log": lambda: peer(auth=False),
    "peers: the same and PyJWT": lambda: peer(auth=True),
    "one BaseHTTPMiddleware that does nothing": base_http_middleware,
}


def make() -> FastAPI:
    """What uvicorn calls."""
    return VARIANTS[os.environ["VARIANT"]]()
