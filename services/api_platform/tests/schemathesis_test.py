"""The API against its own OpenAPI document, with Schemathesis.

Examples, bounds of each keyword, random input, and sequences of operations along links.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from uuid import UUID

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.python.asgi import shutdown_lifespans

from services.api_platform.app import bootstrap
from services.api_platform.tests import scene
from services.api_platform.tests.webhooks_contract import Patient
from shared.app import Service
from shared.auth import KeyRing, create_access_token

USER = UUID("5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11")
LAX = "Incorrect type"
"""Not held against the service: readers of DTOs take true for 1, and 1 for true. All
that they take is in contracts/README.md, under Where verdicts differ."""
EXAMPLES = 5
"""Of each operation, in each phase; bounds and examples come on top."""


async def resolve(host: str, port: int) -> list[str]:
    """Every name is one of the public internet, where nobody answers."""
    return ["93.184.216.34"]


@pytest.fixture
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str]]:
    """The service, which the first request starts, and a key of a user of it."""
    folder = tmp_path_factory.mktemp("schemathesis")
    url = f"sqlite:///{folder}/test.db"
    with scene.running(url) as before:
        headers = before.as_user(USER)
        made = before.client.post("/api/v1/keys", json={"name": "a"}, headers=headers)
        variables = before.variables()
    # Enough that it is not answered with 429 only.
    variables["QUOTA_WEBHOOKS_PER_MINUTE"] = "1000000"
    variables["QUOTA_KEYS_PER_HOUR"] = "1000000"
    chosen = scene.settings(url, STANDIN_SECONDS="0", **variables)
    transport = Patient(resolve=resolve)
    yield bootstrap(chosen, transport=transport), made.json()["secret"]
    shutdown_lifespans()


@pytest.fixture
def service(started: tuple[Service, str]) -> Service:
    """The service on a database in which there is a key and nothing else."""
    return started[0]


@pytest.fixture
def token(service: Service) -> str:
    """Of a user who may do everything."""
    assert isinstance(service.keys, KeyRing)
    return create_access_token(
        str(USER), keys=service.keys, policy=service.policy, roles=["admin"]
    )


@pytest.fixture
def key(started: tuple[Service, str]) -> str:
    """A key of that user."""
    return started[1]


class Run:
    """What the checks have found, by operation, and which operations have succeeded."""

    def __init__(self, service: Service, credential: str) -> None:
        """Send everything on behalf of a credential's owner."""
        self.found: dict[str, set[str]] = defaultdict(set)
        self.succeeded: set[str] = set()
        schema = schemathesis.openapi.from_asgi(
            "/openapi.json", service.app, config=configured(credential)
        )
        for event in from_schema(schema).execute():
            if isinstance(event, events.NonFatalError):
                self.found[event.label].add(str(event.value))
            if isinstance(event, events.ScenarioFinished):
                self._note(event.recorder)

    def _note(self, recorder: ScenarioRecorder) -> None:
        labels = {
            name: case.value.operation.label for name, case in recorder.cases.items()
        }
        for name, interaction in recorder.interactions.items():
            if interaction.response and 200 <= interaction.response.status_code < 300:
                self.succeeded.add(labels[name])
        for name, checks in recorder.checks.items():
            for check in checks:
                if check.failure_info is not None:
                    failure = check.failure_info.failure
                    if LAX in failure.message:
                        continue
                    self.found[labels[name]].add(
                        f"{check.name}: {failure.title}: {failure.message}"
                        f" -- {check.failure_info.code_sample}"
                    )


def configured(credential: str) -> SchemathesisConfig:
    """All checks, with what is not held against the service."""
    config = SchemathesisConfig()
    config.projects.default.update(headers={"Authorization": f"Bearer {credential}"})
    config.projects.default.generation.update(
        max_examples=EXAMPLES, deterministic=True, no_shrink=True
    )
    checks = config.projects.default.checks
    # What no keyword can say, such as that a cursor was given out here, is refused with
    # these; contracts/README.md lists it. 428: a change without If-Match.
    checks.positive_data_acceptance.expected_statuses += ["400", "422", "428"]
    # Of the routes with one path, Starlette names the methods of the first.
    checks.allow_header_conformance.enabled = False
    return config


def test_a_user_finds_all_as_documented(service: Service, token: str) -> None:
    """Whatever is sent: no 500, no undocumented answer, nothing wrong accepted."""
    run = Run(service, token)

    assert run.found == {}
    # Not only what is refused was looked at.
    assert run.succeeded >= {"POST /api/v1/keys", "POST /api/v1/webhooks"}


def test_a_key_finds_all_as_documented(service: Service, key: str) -> None:
    """The same of what is for keys."""
    run = Run(service, key)

    assert run.found == {}
    assert run.succeeded >= {"POST /api/v1/generations", "POST /api/v1/webhooks"}
