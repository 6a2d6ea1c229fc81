"""Serves the accounts example: ./bazelw run //examples/accounts -- --help."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Any

import uvicorn

from examples.accounts._settings import Settings
from examples.accounts.app import ADMIN_EMAIL, bootstrap
from shared.events import BaseEvent
from shared.logging import log_event, setup_logging

_log = logging.getLogger("accounts")


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 after a clean stop, 1 if it could not start, having said why."""
    options = _parse(arguments)
    try:
        setup_logging("accounts", level=options.log_level)
        settings = Settings.from_environment(os.environ)
        listener = _listen(options.host, options.port)
    except ValueError as error:
        print(f"accounts: {error}", file=sys.stderr)
        return 1

    app = bootstrap(settings, emit=log_emitted)
    # Before "listening", so that whoever waits for that line can connect.
    config = uvicorn.Config(app, log_config=None, access_log=False)
    if settings.secret is None:
        _log.warning("ACCOUNTS_SECRET is not set: tokens end with this process")
    if settings.admin_password is None:
        _log.warning("ACCOUNTS_ADMIN_PASSWORD is not set: there is no %s", ADMIN_EMAIL)
    host, port = listener.getsockname()[:2]
    _log.info("listening on http://%s:%s, API docs at /docs", host, port)
    # Once stopped, uvicorn raises the signal that told it to again: SIGTERM would kill
    # what has ended well, Ctrl+C would end in a traceback.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])
    return 0


def log_emitted(event: BaseEvent[Any]) -> None:
    """Stand in for a broker: the event becomes a log line, its secrets hidden."""
    log_event(
        _log, event.event_type, event.model_dump(mode="json"), event.correlation_id
    )


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="accounts",
        description="Accounts in memory: register, log in, profile, admin-only list.",
        epilog="Environment: ACCOUNTS_SECRET (32 bytes or more) signs the tokens, "
        f"ACCOUNTS_ADMIN_PASSWORD makes the account {ADMIN_EMAIL}.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    parser.add_argument("--port", type=int, default=8000, help="default: %(default)s")
    parser.add_argument("--log-level", default="INFO", help="default: %(default)s")
    return parser.parse_args(arguments)


def _listen(host: str, port: int) -> socket.socket:
    """Bind before anything else is done, so that a taken port is one clear line."""
    try:
        return socket.create_server((host, port))
    except (OSError, OverflowError) as error:
        raise ValueError(
            f"cannot listen on {host}:{port}: {error}. Stop what uses the port, or "
            "choose another one with --port."
        ) from error


if __name__ == "__main__":
    sys.exit(main())
