"""Serves the accounts example: ./bazelw run //examples/accounts -- --help."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from examples.accounts._settings import Settings
from examples.accounts.app import ADMIN_EMAIL, bootstrap
from shared.config import ConfigurationError, get_config


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 after a clean stop, 1 if it could not start, having said why."""
    options = _parse(arguments)
    try:
        config = get_config("accounts", Settings)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 1
    service = bootstrap(config)
    service.run(host=options.host, port=options.port)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="accounts",
        description="Accounts: register, log in, profile, admin-only list.",
        epilog=f"ADMIN_PASSWORD in the environment makes the account {ADMIN_EMAIL}. "
        "`./bazelw run //shared/config:explain -- accounts --model "
        "examples.accounts._settings:Settings` shows every setting.",
    )
    parser.add_argument("--host", help="default: SERVER_HOST, or 127.0.0.1")
    parser.add_argument("--port", type=int, help="default: PORT, or 8000")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
