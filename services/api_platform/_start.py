"""What is looked at before a start: what is missing, and what plays its part."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Final

from services.api_platform._certificates import trusting
from services.api_platform._local import KEYS_FILE, LOCAL, missing_keys
from services.api_platform._settings import AIGEN, BILLING, NAME, Settings
from services.api_platform.downstreams import missing_downstreams
from services.api_platform.keys import ReportersKeys
from shared.config import ConfigurationError, ConfigurationProblem, load_config

_KEYS_GUIDE: Final = "docs/keys.md says how to make one."
_KEYS: Final = {
    "secret_key": "is not set, and neither is JWKS_URL: users' tokens could not be "
    "checked.",
    "aes_key": "is not set, and webhooks' secrets are encrypted with it.",
    "api_key_peppers": "is not set, and API keys are hashed with it.",
}
_NO_BROKER: Final = ConfigurationProblem(
    "RABBITMQ_URL",
    "is not set, and in production events must not end with the process.",
    "Set it.",
)
_NO_REDIS: Final = ConfigurationProblem(
    "REDIS_URL",
    "is not set, and in production each server would allow the whole of a quota.",
    "Set it.",
)
_NO_DATABASE: Final = ConfigurationProblem(
    "DATABASE_URL",
    "is not set, and in production nothing is kept in a file beside the program.",
    "Set it.",
)
_NO_REPORTERS: Final = ConfigurationProblem(
    "LEAK_REPORTERS",
    "must be a JSON object of public keys: PEM, P-256.",
    "Correct it.",
)
_ENVIRONMENT: Final = "environment"  # where a problem is, in a problem's words


def gaps(settings: Settings, *, command: str) -> list[ConfigurationProblem]:
    """What *command* needs and the settings do not have: all of it."""
    return [*_gaps(settings, command)]


def with_gaps(error: ConfigurationError, *, command: str) -> ConfigurationError:
    """*error*, which is about wrong settings, with those that are missing as well.

    Only where all that is wrong is in the environment: what else a file says can't be
    read without it.
    """
    wrong = {problem.name for problem in error.problems}
    if any(problem.origin != _ENVIRONMENT for problem in error.problems):
        return error
    environ = {name: text for name, text in os.environ.items() if name not in wrong}
    try:
        settings = load_config(NAME, Settings, environ=environ)
    except ConfigurationError:
        return error
    missing = [
        problem
        for problem in gaps(settings, command=command)
        # It may be told of with a prefix, or as the name of a file.
        if not any(problem.name in name for name in wrong)
    ]
    return ConfigurationError(NAME, [*error.problems, *missing])


def stand_ins(settings: Settings, *, command: str) -> str:
    """What *command* has in the place of what is not set, in words; "" for nothing."""
    return "; ".join(_stand_ins(settings, command))


def _gaps(settings: Settings, command: str) -> Iterator[ConfigurationProblem]:
    if command == "serve" and not _are_keys(settings.leak_reporters):
        yield _NO_REPORTERS
    if command in ("serve", "worker"):
        try:
            trusting(settings.webhook_ca_file)
        except ConfigurationError as error:
            yield from error.problems
    if settings.environment == "production" and _is_embedded(settings):
        yield _NO_DATABASE
    if command == "migrate" or settings.environment in LOCAL:
        return
    for name in missing_keys(settings):
        yield ConfigurationProblem(name.upper(), _KEYS[name], _KEYS_GUIDE)
    in_production = settings.environment == "production"
    if in_production and settings.rabbitmq.url is None:
        yield _NO_BROKER
    if command == "serve":
        if in_production and settings.redis.url is None:
            yield _NO_REDIS
        # A SECRET_KEY that is missing is told already.
        signs = settings.security.jwks_url is None
        yield from missing_downstreams(settings, signs=signs)


def _stand_ins(settings: Settings, command: str) -> Iterator[str]:
    if _is_embedded(settings):
        file = settings.database.connection_string.partition(":///")[2]
        yield f"SQLite in {file} (no DATABASE_URL)"
    if settings.rabbitmq.url is None:
        yield "events in this process (no RABBITMQ_URL)"
    if command == "serve":
        yield from _stand_ins_of_server(settings)
    if settings.environment not in LOCAL:
        return
    keys = missing_keys(settings)
    if keys:
        where = KEYS_FILE if settings.environment == "development" else "memory"
        yield f"keys in {where} (no {', '.join(key.upper() for key in keys)})"


def _stand_ins_of_server(settings: Settings) -> Iterator[str]:
    if settings.redis.url is None:
        yield "quotas counted in this process (no REDIS_URL)"
    # Elsewhere they are needed, so that there is no start without them.
    if AIGEN not in settings.service_urls:
        yield "a built-in generation service (no AIGEN_ORCH_SERVICE_URL)"
    if BILLING not in settings.service_urls:
        yield "a built-in business service (no ODOO_BUSINESS_SERVICE_URL)"


def _is_embedded(settings: Settings) -> bool:
    default = type(settings)(service_name=NAME).database
    return settings.database.connection_string == default.connection_string


def _are_keys(reporters: Mapping[str, str]) -> bool:
    try:
        ReportersKeys(reporters)
    except ValueError:
        return False
    return True
