"""The chassis: a FastAPI application with everything a service needs around it.

Private: import names from ``shared.app``.
"""

from __future__ import annotations

import asyncio
import hmac
import importlib
import os
import platform
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, TypeVar

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.app._application import Layer, ServiceApp
from shared.app._auth import ending, keys_from, policy_from
from shared.app._docs import docs_page
from shared.app._endpoints import Endpoints, Handler
from shared.app._gateway import HSTS, SECURITY_HEADERS, Cors, Gateway
from shared.app._health import HEALTH_MEDIA_TYPE, Check, CheckFunction, Health
from shared.app._metrics import Metrics
from shared.app._openapi import operation_id
from shared.app._resources import (
    CLOSE_SECONDS,
    Factory,
    Resource,
    Resources,
    StartError,
)
from shared.auth import KeyRing, KeySource, TokenPolicy
from shared.auth.dependencies import (
    AuthNotConfiguredError,
    configure_auth,
    ensure_auth_configured,
)
from shared.auth.jwks import Fetch, JWKSClient
from shared.config import ServiceConfig
from shared.errors import AuthenticationException, BaseAPIException
from shared.errors.handlers import register_exception_handlers
from shared.logging import Encoder, configure_logging, json_encoder
from shared.logging.middleware import RequestLogMiddleware

T = TypeVar("T")
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Mapping[str, Any] | None]]

_HEALTH = ("/health", "/health/live", "/health/ready", "/health/startup")
_QUIET = (*_HEALTH, "/metrics")
# What the kernel's packages answer with, and a page may want to read.
_EXPOSED = (
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Correlation-ID",
)
_MIN_TOKEN = 16  # characters


class Service:
    """A service: its application and what surrounds it. Made by `create_service`."""

    def __init__(
        self,
        app: ServiceApp,
        config: ServiceConfig,
        *,
        resources: Resources,
        health: Health,
        metrics: Metrics,
        keys: KeyRing | KeySource | None,
        policy: TokenPolicy,
    ) -> None:
        self.name = config.service_name
        self.config = config
        self.app: FastAPI = app
        self.metrics = metrics
        self.keys = keys
        self.policy = policy
        self._app = app
        self._resources = resources
        self._health = health

    def add_resource(
        self,
        name: str,
        factory: Factory[T],
        *,
        timeout: float = 30.0,
        close_timeout: float = 0.0,
    ) -> Resource[T]:
        """Open something when the service starts, and close it when it stops.

        Resources open in the order in which they are added and close in reverse. If one
        can't be opened, those before it are closed and the service does not start.

        Args:
            name: For messages.
            factory: Makes an async context manager, such as an
                ``@asynccontextmanager`` function without arguments.
            timeout: Seconds that opening may take.
            close_timeout: Seconds that closing may take beyond the 5 that all share.

        Returns:
            Where its `value` is found while the service runs.
        """
        return self._resources.add(
            Resource(name, factory, timeout=timeout, close_timeout=close_timeout)
        )

    def add_check(
        self,
        name: str,
        check: CheckFunction,
        *,
        timeout: float = 2.0,
        cache_seconds: float = 1.0,
        critical: bool = True,
        startup: bool = False,
    ) -> None:
        """Look at something whenever somebody asks for the service's health.

        Args:
            name: Its name in the replies, which everybody may read.
            check: An async function that raises, or returns False, if it is not well.
                The text of the error is logged and not replied. A `DegradedError` is
                a warning.
            timeout: Seconds after which it counts as failed.
            cache_seconds: How long a result is good. However many ask, one looks.
            critical: Its failure is the service's (503); else it is a warning.
            startup: It must pass once before ``/health/startup`` does.
        """
        made = Check(
            name,
            check,
            timeout=timeout,
            cache_seconds=cache_seconds,
            critical=critical,
            startup=startup,
        )
        self._health.add(made)
        self.metrics.observe_check(name, made)

    def add_layer(self, layer: Layer) -> None:
        """Put pure ASGI middleware around the application, inside of the access log.

        Unlike ``app.add_middleware`` it sees the answers to all errors.

        Raises:
            RuntimeError: The application has started.
        """
        if self._app.middleware_stack is not None:
            raise RuntimeError("Add layers before the application is started.")
        self._app.layers.insert(1, layer)

    @property
    def ready(self) -> bool:
        """Whether requests should come, as far as the latest checks say."""
        return self._health.ready

    def run(self, *, host: str | None = None, port: int | None = None) -> None:
        """Serve until SIGTERM or SIGINT, finish what is under way, and return.

        A second signal stops at once.

        Args:
            host: Where to listen; else ``config.server.host``.
            port: On which port, 0 for any free one; else ``config.server.port``.

        Raises:
            SystemExit: 1, if it could not start, which one line explains, or was forced
                to stop with work unfinished.
        """
        # Here: uvicorn is a tenth of the start, and tests do not serve.
        from shared.app._server import serve

        server = self.config.server
        serve(
            self.app,
            name=self.name,
            host=server.host if host is None else host,
            port=server.port if port is None else port,
            shutdown_timeout=server.shutdown_timeout,
            drain_delay=server.shutdown_delay,
            close_timeout=self._resources.close_timeout,
            trusted_proxies=server.trusted_proxies,
            on_stop=self._begin_stop,
        )

    def _begin_stop(self) -> None:
        self._health.stopping = True

    def __repr__(self) -> str:
        return f"<Service {self.name!r}>"


def create_service(
    service_name: str,
    config: ServiceConfig,
    *,
    title: str | None = None,
    version: str | None = None,
    description: str | None = None,
    keys: KeyRing | KeySource | None = None,
    policy: TokenPolicy | None = None,
    jwks_fetch: Fetch | None = None,
    lifespan: Lifespan | None = None,
    ensure: Iterable[Callable[[FastAPI], object]] = (),
    logging: bool = True,
    log_encoder: Encoder = json_encoder,
    metrics_token: str | None = None,
    build: str | None = None,
) -> Service:
    """Make a service. Its `app` is a FastAPI application to add routes to.

    Args:
        service_name: The name under which *config* was read.
        config: Its settings.
        title: In the API's documentation; else the name in words.
        version: Else the settings'.
        description: In the API's documentation.
        keys: Check tokens; else those of the settings: ``SECRET_KEY``, or what
            ``JWKS_URL`` publishes.
        policy: What else a token must be; else issuer and audience of the settings.
        jwks_fetch: Gets that URL; else `shared.http_client` does.
        lifespan: A further context, inside of all resources.
        ensure: Called with the application when it starts, before anything opens. A
            ``RuntimeError`` stops the start with its text, as it does for routes that
            are protected without keys; ``ensure_rate_limits_configured`` fits.
        logging: Configure the process's logging; False leaves it alone.
        log_encoder: Makes the JSON of log lines, as in ``configure_logging``.
        metrics_token: The bearer token that ``/metrics`` then asks for.
        build: For ``/info``; else the environment's ``BUILD_SHA``.

    Raises:
        ValueError: *config* is another service's, or *metrics_token* is too short.
    """
    if service_name != config.service_name:
        raise ValueError(
            f"The settings are those of {config.service_name!r}: "
            f"get_config({service_name!r}) reads this service's."
        )
    if metrics_token is not None and len(metrics_token) < _MIN_TOKEN:
        raise ValueError(f"metrics_token must have {_MIN_TOKEN} characters or more.")
    if logging:
        configure_logging(service_name, config.log_level, encoder=log_encoder)
    version = version or config.service_version
    fetched: JWKSClient | None = None
    if keys is None:
        keys = keys_from(config, jwks_fetch)
        fetched = keys if isinstance(keys, JWKSClient) else None
    policy = policy or policy_from(config)

    health = Health(service_name, version)
    resources = Resources()
    metrics = Metrics(
        service_name=service_name, version=version, environment=config.environment
    )
    app = ServiceApp(
        [],
        title=title or service_name.replace("-", " ").title(),
        version=version,
        description=description or "",
        lifespan=_lifespan_of(resources, health, config, lifespan, tuple(ensure)),
        # Ours need no regular expression in front of every request, and no CDN.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=operation_id,
        # FastAPI's own, from 0.140 on, would double the spans of shared.app.tracing.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    register_exception_handlers(app)
    if keys is not None:
        configure_auth(app, keys=keys, policy=policy)
    service = Service(
        app,
        config,
        resources=resources,
        health=health,
        metrics=metrics,
        keys=keys,
        policy=policy,
    )
    if fetched is not None:
        service.add_resource("keys of JWKS_URL", partial(ending, fetched))
    gateways: list[Gateway] = []
    app.layers += _layers(app, config, metrics, gateways)
    metrics.gauge("service_ready").set_function(lambda: float(service.ready))
    metrics.gauge("http_server_active_requests").set_function(
        lambda: float(sum(gateway.active for gateway in gateways))
    )
    handlers = _health_handlers(health)
    handlers["/metrics"] = _metrics_handler(metrics, metrics_token)
    handlers["/info"] = _info_handler(service, version, build)
    if config.server.docs_enabled:
        handlers |= _docs_handlers(app)
    app.router.routes.insert(0, Endpoints(handlers))
    _trace(service)
    return service


def _lifespan_of(
    resources: Resources,
    health: Health,
    config: ServiceConfig,
    inner: Lifespan | None,
    ensure: Iterable[Callable[[FastAPI], object]],
) -> Lifespan:
    timeout = config.server.shutdown_timeout

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Mapping[str, Any] | None]:
        try:
            ensure_auth_configured(app)
        except AuthNotConfiguredError as error:
            raise StartError(
                f"{error} SECRET_KEY or JWKS_URL in the environment does that."
            ) from error
        for check in ensure:
            try:
                check(app)
            except RuntimeError as error:
                raise StartError(str(error)) from error
        loop = asyncio.get_running_loop()

        def budget() -> float:
            return max(1.0, closing_until - loop.time())

        closing_until = loop.time() + CLOSE_SECONDS
        await resources.start(budget=budget)
        try:
            if inner is None:
                health.started = True
                yield None
            else:
                async with inner(app) as state:
                    health.started = True
                    yield state
        finally:
            health.stopping = True
            closing_until = loop.time() + min(CLOSE_SECONDS, max(1.0, timeout))
            await resources.stop(budget=budget)
            # A test client may start the same application again.
            health.started = health.stopping = False

    return lifespan


def _layers(
    app: ServiceApp, config: ServiceConfig, metrics: Metrics, gateways: list[Gateway]
) -> list[Layer]:
    """From the outside to the inside."""

    async def refuse(
        scope: Scope, receive: Receive, send: Send, error: BaseAPIException
    ) -> None:
        scope["app"] = app
        answer: Any = app.exception_handlers[BaseAPIException]
        response: Response = await answer(Request(scope), error)
        await response(scope, receive, send)

    def access_log(inner: ASGIApp) -> ASGIApp:
        return RequestLogMiddleware(
            inner, quiet_paths=_QUIET, observe=metrics.observe_request
        )

    origins = config.cors.allow_origins

    def cors(inner: ASGIApp) -> ASGIApp:
        return Cors(
            inner,
            allow_origins=origins,
            allow_credentials=config.cors.allow_credentials,
            allow_methods=config.cors.allow_methods,
            allow_headers=config.cors.allow_headers,
            expose_headers=_EXPOSED,
            max_age=config.cors.max_age,
        )

    def gateway(inner: ASGIApp) -> ASGIApp:
        production = config.environment == "production"
        made = Gateway(
            inner,
            refuse=refuse,
            headers=[
                *SECURITY_HEADERS,
                *([HSTS] if production else []),
                # For caches, on replies to pages of no other origin too.
                *([(b"vary", b"Origin")] if origins else []),
            ],
            max_body_bytes=config.server.max_body_bytes,
            timeout=config.server.request_timeout,
            cors=cors if origins else None,
        )
        gateways.append(made)
        return made

    return [access_log, gateway]


def _health_handlers(health: Health) -> dict[str, Handler]:
    def reply(answer: tuple[int, dict[str, Any]]) -> Response:
        status, body = answer
        return JSONResponse(body, status, media_type=HEALTH_MEDIA_TYPE)

    async def summary(request: Request) -> Response:
        return reply(await health.summary())

    async def live(request: Request) -> Response:
        return reply(health.liveness())

    async def ready(request: Request) -> Response:
        return reply(await health.readiness())

    async def startup(request: Request) -> Response:
        return reply(await health.startup())

    return dict(zip(_HEALTH, (summary, live, ready, startup), strict=True))


def _metrics_handler(metrics: Metrics, token: str | None) -> Handler:
    expected = None if token is None else f"Bearer {token}".encode()

    async def handler(request: Request) -> Response:
        if expected is not None:
            sent = request.headers.get("authorization", "").encode("latin-1")
            if not hmac.compare_digest(sent, expected):
                raise AuthenticationException(
                    "Not authenticated.", headers={"WWW-Authenticate": "Bearer"}
                )
        body, media_type = metrics.render(request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": media_type})

    return handler


def _info_handler(service: Service, version: str, build: str | None) -> Handler:
    facts = {
        "name": service.name,
        "version": version,
        "environment": service.config.environment,
        "build": build or os.environ.get("BUILD_SHA") or None,
        "python_version": platform.python_version(),
    }

    async def handler(request: Request) -> Response:
        return JSONResponse(facts)

    return handler


def _docs_handlers(app: FastAPI) -> dict[str, Handler]:
    async def document(request: Request) -> Response:
        described = app.openapi()
        if root := request.scope.get("root_path", "").rstrip("/"):
            described = {**described, "servers": [{"url": root}]}
        return JSONResponse(described)

    async def page(request: Request) -> Response:
        html, policy = docs_page()
        return Response(
            html,
            media_type="text/html",
            headers={"Content-Security-Policy": policy},
        )

    return {"/openapi.json": document, "/docs": page}


def _trace(service: Service) -> None:
    """Trace requests where a collector is named. The SDK is an extra."""
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return
    try:
        tracing = importlib.import_module("shared.app.tracing")
    except ModuleNotFoundError as missing:
        raise ValueError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but traces need //shared/app:tracing, "
            f"in wheels creativeflow-shared-app[tracing]: {missing.name} is missing."
        ) from None
    tracing.add_tracing(service)
