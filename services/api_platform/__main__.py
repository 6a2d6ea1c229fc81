"""The command line: serve, worker, migrate, revision, token, health."""

from __future__ import annotations

import argparse
import http.client
import logging
import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from services.api_platform._local import LocalKeysError, with_local_keys
from services.api_platform._migrate import check_migrated, migrate, revise
from services.api_platform._settings import NAME, Settings
from services.api_platform._start import gaps, stand_ins, with_gaps
from services.api_platform.app import bootstrap
from services.api_platform.worker import build_worker
from shared.app import create_service
from shared.auth import KeyRing, create_access_token
from shared.config import ConfigurationError, get_config
from shared.database.migrations import MigrationError
from shared.errors import ServiceUnavailableException
from shared.logging import configure_logging

_log = logging.getLogger("api_platform")


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 when all went well, 1 when it did not, having said why."""
    options = _parse(arguments)
    command = options.command
    _enter_own_folder()
    try:
        settings = get_config(NAME, Settings)
    except ConfigurationError as error:
        return _failed(str(with_gaps(error, command=command)))
    if command == "health":
        return _ask(settings, options.process)
    missing = gaps(settings, command=command)
    if missing and command in ("serve", "worker", "migrate"):
        return _failed(str(ConfigurationError(NAME, missing)))
    if command in ("serve", "worker"):
        configure_logging(NAME, settings.log_level)
        if playing := stand_ins(settings, command=command):
            _log.warning("Stand-ins: %s.", playing)
    try:
        if command in ("serve", "worker", "token"):
            settings = with_local_keys(settings)
    except LocalKeysError as error:
        return _failed(f"{NAME}: {error}")
    if command == "token":
        return _show_token(settings, options.user, options.role)
    try:
        if command == "revision":
            return _revise(options.message)
        # A developer's database is made when it is needed; elsewhere that is a step of
        # its own, since several processes start at once.
        if command == "migrate" or settings.environment == "development":
            migrate(settings.database)
        else:
            check_migrated(settings.database)
    except MigrationError as error:
        return _failed(f"{NAME}: {error}")
    except ServiceUnavailableException as error:
        place = _place(settings.database.connection_string)
        return _failed(f"{NAME}: {error} DATABASE_URL says that it is {place}.")
    if command == "migrate":
        return 0
    try:
        build = build_worker if command == "worker" else bootstrap
        build(settings).run()
    except (ConfigurationError, ValueError) as error:
        return _failed(f"{NAME}: {error}")
    return 0


def _show_token(settings: Settings, user: UUID, roles: Sequence[str]) -> int:
    """Stand in for a log-in, on a machine that has no other one."""
    service = create_service(NAME, settings, logging=False)
    if settings.environment != "development" or not isinstance(service.keys, KeyRing):
        return _failed(f"{NAME}: token is for development, with a SECRET_KEY.")
    token = create_access_token(
        str(user),
        keys=service.keys,
        policy=service.policy,
        roles=roles,
        expires_in=timedelta(hours=12),
    )
    sys.stdout.write(f"{token}\n")
    return 0


def _revise(message: str) -> int:
    """Write a revision, and tell at once what its test would say."""
    written, findings = revise(message)
    sys.stdout.write(f"{written or 'The models have not changed.'}\n")
    sys.stdout.writelines(f"{finding}\n" for finding in findings)
    return 0


def _place(url: str) -> str:
    """Where a database is: no name, no password."""
    parts = urlsplit(url)
    if parts.hostname:
        return f"{parts.hostname}:{parts.port or 5432}"
    return url.partition(":///")[2].partition("?")[0]


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=NAME, epilog="Settings: see .env.example.")
    parser.set_defaults(command="serve", message="")
    commands = parser.add_subparsers(metavar="COMMAND", dest="command")

    def command(name: str, does: str) -> argparse.ArgumentParser:
        epilog = parser.epilog
        return commands.add_parser(name, help=does, description=does, epilog=epilog)

    command("serve", "serve the API; the default")
    command("worker", "deliver webhooks, and publish what is committed")
    command("migrate", "bring the database up to date")
    revision = command("revision", "write a migration to the models")
    revision.add_argument("message", help="what it does, in a few words")
    health = command("health", "ask the process that runs here if it lives")
    health.add_argument(
        "process",
        nargs="?",
        choices=["server", "worker", "either"],
        default="server",
        help="which; the server unless said otherwise, and either in an image",
    )
    token = command("token", "print a user's token, in development")
    token.add_argument(
        "--user", type=UUID, default=uuid4(), help="whose; else a new one"
    )
    token.add_argument("--role", action="append", default=[], help="such as admin")
    found = parser.parse_args(arguments)
    found.command = found.command or "serve"
    return found


def _enter_own_folder() -> None:
    """Under `bazel run`, .env and the SQLite file are those beside these sources."""
    if workspace := os.environ.get("BUILD_WORKSPACE_DIRECTORY"):
        os.chdir(f"{workspace}/services/api_platform")


def _ask(settings: Settings, process: str) -> int:
    """Ask who listens; of either, the server first."""
    known = {"server": settings.server.port, "worker": settings.worker_port}
    ports = [known[process]] if process in known else [*known.values()]
    reason = ""
    for port in ports:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/health/live")
            return int(connection.getresponse().status != http.client.OK)
        except OSError as error:
            reason = f"{NAME}: {error}"
        finally:
            connection.close()
    return _failed(reason)


def _failed(reason: str) -> int:
    """Tell whoever called: there is no log yet."""
    sys.stderr.write(f"{reason}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
