"""A service that the tests of signals run as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
import time
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import StreamingResponse

from shared.app import create_service
from shared.config import ServerConfig, ServiceConfig

_log = logging.getLogger("stoppable")


def main(*, shutdown_timeout: float, drain_delay: float, port: int) -> None:
    """Serve until a signal."""
    service = create_service(
        "stoppable",
        ServiceConfig(
            service_name="stoppable",
            server=ServerConfig(
                port=port,
                shutdown_timeout=shutdown_timeout,
                shutdown_delay=drain_delay,
                trusted_proxies=tuple(a for a in sys.argv[4:] if a[0].isdigit()),
            ),
        ),
    )
    app = service.app
    held = asyncio.Event()

    @app.get("/hold")
    async def hold() -> str:
        """Answer once `/release` was asked for."""
        _log.info("holding")
        await held.wait()
        return "finished"

    @app.get("/client")
    async def client(request: Request) -> str | None:
        return request.client and request.client.host

    @app.get("/release")
    async def release() -> None:
        held.set()

    @app.get("/until-intake-stops")
    async def stream(request: Request) -> StreamingResponse:
        host, port = request.scope["server"]

        async def parts() -> AsyncIterator[bytes]:
            yield b"begun "
            _log.info("holding")
            while await _accepts(host, port):  # noqa: ASYNC110  # the system's port
                await asyncio.sleep(0.01)
            yield b"finished"

        return StreamingResponse(parts())

    @app.get("/endless")
    async def endless() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"begun "
            _log.info("holding")
            await held.wait()

        return StreamingResponse(parts())

    @app.get("/thread")
    def thread() -> None:
        """Hold a thread, which nobody can cancel."""
        _log.info("holding")
        while threading.main_thread().is_alive():
            time.sleep(3600)

    @contextlib.asynccontextmanager
    async def first() -> AsyncIterator[None]:
        yield
        _log.info("first closed")

    @contextlib.asynccontextmanager
    async def second() -> AsyncIterator[None]:
        yield
        _log.info("second closed")

    service.add_resource("first", first)
    service.add_resource("second", second)
    if "broken" in sys.argv:

        @contextlib.asynccontextmanager
        async def broken() -> AsyncIterator[None]:
            await _fail()
            yield

        service.add_resource("broken", broken)
    service.run()


async def _fail() -> None:
    raise ConnectionRefusedError("nobody listens there")


async def _accepts(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except ConnectionError:  # refused; reset in the moment when the port closes
        return False
    writer.close()
    return True


if __name__ == "__main__":
    main(
        shutdown_timeout=float(sys.argv[1]),
        drain_delay=float(sys.argv[2]),
        port=int(sys.argv[3]),
    )
