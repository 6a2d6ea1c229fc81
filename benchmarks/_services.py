"""The services that service_overhead.py and service_start.py run.

Run by uvicorn as a factory; VARIANT says which. Log lines go to the file LOG.
"""

import os
import time
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from benchmarks._applications import AUDIENCE, ISSUER, SECRET, bare, peer, router
from shared.app import create_service
from shared.auth import KeyRing, TokenPolicy
from shared.auth.dependencies import get_current_user
from shared.config import CorsConfig, ServiceConfig
from shared.logging import configure_logging
from shared.logging.orjson import orjson_encoder

ORIGIN = "https://app.example.test"


def chassis(*, auth: bool) -> FastAPI:
    """The kernel's chassis, with nothing turned off."""
    configure_logging(
        "orders-api",
        stream=open(os.environ["LOG"], "wb", buffering=0),  # noqa: SIM115
        encoder=orjson_encoder,
    )
    config = ServiceConfig(
        service_name="orders-api", cors=CorsConfig(allow_origins=(ORIGIN,))
    )
    service = create_service(
        "orders-api",
        config,
        keys=KeyRing.from_secret(SECRET),
        policy=TokenPolicy(issuer=ISSUER, audience=AUDIENCE),
        logging=False,
    )
    service.app.include_router(router(*([get_current_user] if auth else [])))
    return service.app


class PeerMetrics:
    """What users of prometheus-client write by hand, pure ASGI."""

    def __init__(self, app: Any) -> None:
        from prometheus_client import Histogram

        self.app = app
        self.seconds = Histogram("seconds", "Time.", ["method", "route", "status"])

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Count method, route, status and time."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def remember(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        await self.app(scope, receive, remember)
        route = getattr(scope.get("route"), "path", "unmatched")
        self.seconds.labels(scope["method"], route, status).observe(
            time.perf_counter() - start
        )


def peers() -> FastAPI:
    """Correlation, access log, PyJWT and metrics of the usual packages."""
    app = peer(auth=True)
    app.add_middleware(PeerMetrics)
    return app


VARIANTS: dict[str, Callable[[], FastAPI]] = {
    "FastAPI": bare,
    "kernel: the chassis without tokens": lambda: chassis(auth=False),
    "kernel: the whole chassis": lambda: chassis(auth=True),
    "peers: correlation, access log, PyJWT, metrics": peers,
}


def make() -> FastAPI:
    """What uvicorn calls."""
    return VARIANTS[os.environ["VARIANT"]]()
