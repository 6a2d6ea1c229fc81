"""Serving, and stopping as an orchestrator asks for it.

    SIGTERM   ready goes false, so that no new requests are sent here
      drain_delay: requests are still answered, until everybody has noticed
    intake stops: the port is closed, idle connections too
      shutdown_timeout: requests under way finish, what is left is cancelled
    resources close in reverse, exit code 0

Private: used by ``shared.app`` only.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from shared.app._resources import CLOSE_SECONDS

_log = logging.getLogger("shared.app")

_MARGIN: Final = 2.0  # uvicorn looks ten times a second, and waits twice


class Server(uvicorn.Server):
    """uvicorn, whose first signal begins a stop and whose second ends it.

    Args:
        config: Of uvicorn.
        on_stop: Called in the event loop when a stop begins.
        drain_delay: Seconds from there until the port closes.
        bound: Seconds from there until the process ends, whatever still runs.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        on_stop: Callable[[], None],
        drain_delay: float,
        bound: float,
    ) -> None:
        super().__init__(config)
        self._on_stop = on_stop
        self._drain_delay = drain_delay
        self._bound = bound
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False
        self._watchdog: threading.Timer | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal says stop."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal. uvicorn's own method would raise it again at the end.

        SIGTERM would then kill what has ended well, SIGINT end in a traceback.
        """
        if self._loop is None or self._stopping:
            self.force_exit = True
            self.should_exit = True
            return
        self._stopping = True
        # A signal comes in the middle of anything, a request with its ids for one.
        self._loop.call_soon_threadsafe(
            self._begin, signal.Signals(sig).name, context=contextvars.Context()
        )

    def _begin(self, name: str) -> None:
        _log.info("%s: stopping", name)
        self._watchdog = threading.Timer(self._bound, _give_up)
        self._watchdog.daemon = True
        self._watchdog.start()
        self._on_stop()
        if self._loop is None or self._drain_delay <= 0 or not self.started:
            self._close_port()
        else:
            self._loop.call_later(self._drain_delay, self._close_port)

    def _close_port(self) -> None:
        self.should_exit = True

    def call_off(self) -> None:
        """Let the process live on: everything has ended."""
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog.join()


def _give_up() -> None:
    """End the process: a thread, for one, can't be cancelled."""
    _log.error("The stop took too long; what still runs is cut off.")
    logging.shutdown()
    os._exit(1)


def serve(
    app: ASGIApp,
    *,
    name: str,
    host: str,
    port: int,
    shutdown_timeout: float,
    drain_delay: float,
    close_timeout: float,
    trusted_proxies: Sequence[str],
    on_stop: Callable[[], None],
) -> None:
    """Serve until a signal, and return after a clean stop.

    Raises:
        SystemExit: 1, when it could not start, having said why, or was forced to stop.
    """
    try:
        listener = listen(host, port)
    except ValueError as error:
        print(f"{name}: {error}", file=sys.stderr)  # noqa: T201  # logs may be elsewhere
        raise SystemExit(1) from None
    with listener:
        _log.info("listening on http://%s", address_of(listener))
        config = uvicorn.Config(
            app,
            log_config=None,  # ours stays
            access_log=False,  # RequestLogMiddleware writes it
            lifespan="on",
            server_header=False,
            # By default uvicorn believes whoever connects from this machine.
            proxy_headers=bool(trusted_proxies),
            forwarded_allow_ips=list(trusted_proxies),
            timeout_graceful_shutdown=max(1, math.ceil(shutdown_timeout)),
        )
        server = Server(
            config,
            on_stop=on_stop,
            drain_delay=drain_delay,
            bound=drain_delay
            + shutdown_timeout
            + CLOSE_SECONDS
            + close_timeout
            + _MARGIN,
        )
        before = set(threading.enumerate())
        try:
            server.run(sockets=[listener])
        except SystemExit:  # the start failed; the lifespan has said why
            raise SystemExit(1) from None
    if not _any_busy(before):
        server.call_off()
    if server.force_exit:
        raise SystemExit(1)


def _any_busy(before: set[threading.Thread]) -> bool:
    """Whether a thread of a handler still runs, on which the interpreter would wait.

    An idle one of the pool ends by itself in a moment.
    """
    born = [t for t in threading.enumerate() if not t.daemon and t not in before]
    for thread in born:
        thread.join(_MARGIN / len(born))
    return any(thread.is_alive() for thread in born)


def listen(host: str, port: int) -> socket.socket:
    """Bind before anything else is done, so that a taken port is one clear line.

    Raises:
        ValueError: It can't be bound.
    """
    if not 0 <= port <= 65_535:
        raise ValueError(f"cannot listen on {host}:{port}: a port is at most 65535.")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=2048)
        # Connections have it from here. asyncio sets it only on sockets that were made
        # with a protocol, and a reply is two writes: its end would wait for 40 ms until
        # the client acknowledges its beginning.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        raise ValueError(
            f"cannot listen on {host}:{port}: {error}. Stop what uses the port, or "
            "choose another one with PORT."
        ) from error


def address_of(listener: socket.socket) -> str:
    """Return host and port, as they stand in a URL."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
