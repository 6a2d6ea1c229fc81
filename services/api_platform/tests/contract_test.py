"""The contract of the API Platform is what the API Platform does."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

import shared.events as platform
from services.api_platform import contract
from services.api_platform.webhooks import WEBHOOK_EVENTS, WebhookRequestedEvent
from shared.app.messaging import event_buses
from shared.errors import ServiceUnavailableException
from shared.events import PLATFORM_EVENTS, UserDeletedEvent

SOURCES = Path("services/api_platform")
VECTORS = Path("contracts/current/vectors/events")


def test_every_route_is_documented() -> None:
    """Those of the application, and no others but the chassis's own."""
    app = contract.service().app
    routes = {
        (method.lower(), route.path)
        for route in iter_route_contexts(app.routes)
        for method in route.methods or ()
    }
    documented = {
        (method, path): operation["tags"]
        for path, item in app.openapi()["paths"].items()
        for method, operation in item.items()
    }

    assert routes == {
        place for place, tags in documented.items() if tags != ["service"]
    }
    assert {str(path).split("/")[3] for _, path in routes} == {
        "admin",
        "generations",
        "keys",
        "leaked-keys",
        "usage",
        "webhooks",
    }


def test_every_operation_asks_who_calls() -> None:
    """But for the report of leaked keys, which is signed."""
    paths = contract.service().app.openapi()["paths"]
    open_to_all = {
        path
        for path, item in paths.items()
        for operation in item.values()
        if path.startswith("/api/") and "security" not in operation
    }

    assert open_to_all == {"/api/v1/leaked-keys"}


def test_a_key_or_a_token_opens_what_either_may_use() -> None:
    """Each is an alternative of its own, and the key's scopes are with the key."""
    paths = contract.service().app.openapi()["paths"]
    either = {
        path
        for path, item in paths.items()
        for operation in item.values()
        if len(operation.get("security", ())) == 2
    }
    found = paths["/api/v1/usage"]["get"]["security"]

    assert {path.split("/")[3] for path in either} == {"usage", "webhooks"}
    assert found == [{"ApiKey": ["usage:read"]}, {"UserToken": []}]


def test_every_problem_is_documented_as_one() -> None:
    """Each status from 400 on has problem+json, with an example."""
    paths = contract.service().app.openapi()["paths"]
    wrong = [
        (path, method, status)
        for path, item in paths.items()
        for method, operation in item.items()
        for status, response in operation["responses"].items()
        if path.startswith("/api/")
        and status.isdigit()  # "default" is every other one
        and status >= "400"
        and not response["content"]["application/problem+json"].get("examples")
    ]

    assert wrong == []


def test_the_contract_subscribes_to_what_the_service_does() -> None:
    """The buses of the contract are those of the service, not started."""
    found = [
        each.consumer
        for bus in event_buses(contract.service())
        for each in bus.subscriptions
    ]

    assert found == [
        "api-platform.webhooks",
        "api-platform.former_users",
        "api-platform.leaked_keys",
        "api-platform.fan_out",
    ]


def test_an_outage_of_the_database_makes_no_dead_letters() -> None:
    """However long it lasts: what was heard meanwhile is done when it is back."""
    policies = [
        each.policy
        for bus in event_buses(contract.service())
        for each in bus.subscriptions
    ]

    assert {policy.hold_on for policy in policies} == {(ServiceUnavailableException,)}
    assert max(policy.holding_delay(10**6) for policy in policies) == 60.0


def test_the_contract_publishes_what_the_service_does() -> None:
    """Each event that its code names, but for what it hears and what stand-ins play."""
    named = {
        getattr(platform, alias.name)
        for path in SOURCES.rglob("*.py")
        if not {"contract.py", "standins", "tests"} & set(path.parts)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "shared.events"
        for alias in node.names
    }
    events = {cls for cls in named if isinstance(cls, type)} & set(PLATFORM_EVENTS)
    published = set(contract.PUBLISHES)

    assert events - published == {UserDeletedEvent}
    assert published - events == {WebhookRequestedEvent}


def test_two_contracts_are_the_same() -> None:
    """Nothing in it is drawn, and nothing is of this machine."""
    first, second = contract.service(), contract.service()

    assert first.app.openapi() == second.app.openapi()


def test_the_contract_opens_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its document is there without a database, and leaves none behind."""
    monkeypatch.chdir(tmp_path)
    client = TestClient(contract.service().app)

    assert client.get("/openapi.json").status_code == 200
    assert list(tmp_path.iterdir()) == []


def test_stored_events_of_the_service_are_read() -> None:
    """In a queue or an outbox they may be of any version that there was."""
    documents = json.loads((VECTORS / "webhook.requested.v1.json").read_text())
    bodies = [json.dumps(each["document"]) for each in documents["valid"]]

    assert len(bodies) >= 3
    assert {type(WEBHOOK_EVENTS.parse(body)) for body in bodies} == {
        WebhookRequestedEvent
    }
