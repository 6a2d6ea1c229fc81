"""The floors of the kernel, and what each package may bring in. This table is the law.

A package depends on packages of lower floors only. Of third_party/, all its targets
may reach the aliases in `reaches`, and a glue target those that stand beside its name
too. A glue target is one module with a target of its own, which the package's facade
does not reach. Whoever writes a new package says here first what it reaches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Package:
    """What one package of shared/ may depend on."""

    floor: int
    reaches: frozenset[str]
    glue: Mapping[str, frozenset[str]]

    def allows(self, target: str) -> frozenset[str]:
        """The aliases that the target of this name may reach.

        A private module may serve any glue of its package. That it serves nothing else
        shows in the public targets, which are the only way to it from outside.
        """
        glue = self.glue.values() if target.startswith("_") else [self.glue.get(target)]
        return self.reaches.union(*filter(None, glue))


def _package(floor: int, reaches: str, **glue: str) -> Package:
    names = {target: frozenset(aliases.split()) for target, aliases in glue.items()}
    return Package(floor, frozenset(reaches.split()), names)


_NOTHING = ""
_PYDANTIC = "pydantic pydantic_core email_validator"
_SETTINGS = f"{_PYDANTIC} pydantic_settings"
_JOSE = "python_jose cryptography"
_CRYPTO = "cryptography argon2_cffi"
_FASTAPI = "fastapi starlette"
_SQL = "sqlalchemy aiosqlite asyncpg psycopg"
_TRACES = "opentelemetry_api opentelemetry_sdk opentelemetry_exporter_otlp_proto_http"
_HTTP = "httpx2"
_AMQP = "aiormq pamqp"
_CHASSIS = f"{_SETTINGS} {_JOSE} {_FASTAPI} {_HTTP} prometheus_client uvicorn"

FLOORS: Mapping[str, Package] = {
    # 0: needs nothing
    "logging": _package(0, _NOTHING, orjson="orjson", middleware=_NOTHING),
    # 1
    "errors": _package(1, _NOTHING, handlers=_FASTAPI),
    # 2: leaves
    "config": _package(2, _SETTINGS),
    "crypto": _package(2, _CRYPTO),
    "resilience": _package(2, _NOTHING),
    "validation": _package(2, _PYDANTIC),
    # 3: contracts
    "dtos": _package(3, _PYDANTIC),
    "events": _package(3, _PYDANTIC),
    "utils": _package(3, _PYDANTIC),
    # 4: adapters to the outside world
    "auth": _package(4, f"{_PYDANTIC} {_JOSE}", dependencies=_FASTAPI),
    "cache": _package(4, _NOTHING, redis="redis"),
    "database": _package(
        4,
        f"{_SETTINGS} {_SQL}",
        dependencies=_FASTAPI,
        encryption=_CRYPTO,
        migrations="alembic",
        migration_lint=f"alembic {_CRYPTO}",  # a program: it imports services' models
    ),
    "http_client": _package(4, f"{_PYDANTIC} {_HTTP}"),
    "rate_limit": _package(4, _NOTHING, redis="redis", dependencies=_FASTAPI),
    # 5
    "idempotency": _package(5, f"{_SETTINGS} {_SQL}", dependencies=_FASTAPI),
    "messaging": _package(
        5,
        _PYDANTIC,
        rabbitmq=_AMQP,
        outbox=f"{_SETTINGS} {_SQL}",
        inbox=f"{_SETTINGS} {_SQL}",
        cli=f"{_AMQP} {_SETTINGS} typer rich",
        topology=_NOTHING,
    ),
    # 6: the chassis of a service
    "app": _package(
        6, _CHASSIS, database=_SQL, messaging=f"{_SQL} {_AMQP}", tracing=_TRACES
    ),
    # 7: its other name
    "base_app": _package(7, _CHASSIS),
}

# Test doubles and fixtures for all floors: testonly, and no runtime target reaches it.
TESTING = "testing"
