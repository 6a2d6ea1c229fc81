"""The API against its own OpenAPI document, with Schemathesis.

Examples, bounds of each keyword, random input, and sequences of operations along links.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.python.asgi import shutdown_lifespans

from services.api_platform._migrate import migrate
from services.api_platform.app import bootstrap
from services.api_platform.tests import scene
from shared.app import Service
from shared.auth import KeyRing, create_access_token

USER = UUID("5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11")
EXAMPLES = 5
"""Of each operation, in each phase; bounds and examples come on top."""


@pytest.fixture
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service on an empty database; whoever sends the first request starts it."""
    folder = tmp_path_factory.mktemp("schemathesis")
    chosen = scene.settings(f"sqlite:///{folder}/test.db", STANDIN_SECONDS="0")
    migrate(chosen.database)
    yield bootstrap(chosen)
    shutdown_lifespans()


@pytest.fixture
def token(service: Service) -> str:
    """Of a user who may do everything."""
    assert isinstance(service.keys, KeyRing)
    return create_access_token(
        str(USER), keys=service.keys, policy=service.policy, roles=["admin"]
    )


def found_by(schema: Any) -> dict[str, set[str]]:
    """What the checks have found, by operation."""
    found: dict[str, set[str]] = defaultdict(set)
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError):
            found[event.label].add(str(event.value))
        if isinstance(event, events.ScenarioFinished):
            for case_id, checks in event.recorder.checks.items():
                case = event.recorder.cases[case_id].value
                for check in checks:
                    if check.failure_info is not None:
                        failure = check.failure_info.failure
                        found[case.operation.label].add(
                            f"{check.name}: {failure.title}: {failure.message}"
                            f" -- {check.failure_info.code_sample}"
                        )
    return dict(found)


def test_every_operation_keeps_to_the_document(service: Service, token: str) -> None:
    """Whatever is sent: no 500, no undocumented answer, nothing wrong accepted."""
    config = SchemathesisConfig()
    config.projects.default.update(headers={"Authorization": f"Bearer {token}"})
    config.projects.default.generation.update(
        max_examples=EXAMPLES, deterministic=True, no_shrink=True
    )
    checks = config.projects.default.checks
    # What no keyword can say, such as that a cursor was given out here, is refused with
    # these; contracts/README.md lists it.
    checks.positive_data_acceptance.expected_statuses += ["400", "422"]
    # Of the routes with one path, Starlette names the methods of the first.
    checks.allow_header_conformance.enabled = False
    schema = schemathesis.openapi.from_asgi("/openapi.json", service.app, config=config)

    assert found_by(schema) == {}
