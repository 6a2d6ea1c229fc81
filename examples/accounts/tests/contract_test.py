"""The contract of accounts is what accounts does."""

from __future__ import annotations

import time

from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from examples.accounts import contract
from examples.accounts._settings import Settings
from examples.accounts.app import bootstrap
from shared.app.messaging import event_buses
from shared.events import BaseEvent
from shared.testing import captured_logs
from shared.testing.messaging import RecordingBus

PASSWORD = "Correct-Horse-9"


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

    assert len(routes) == 5
    assert routes == {
        place for place, tags in documented.items() if tags != ["service"]
    }


def test_every_documented_path_is_served() -> None:
    """Also those of the chassis."""
    app = contract.service().app
    with TestClient(app) as client:
        replies = [
            client.request(method, path).status_code
            for path, item in app.openapi()["paths"].items()
            for method in item
        ]

    assert {404, 405, 500}.isdisjoint(replies)
    assert len(replies) == 10


def test_the_contract_publishes_what_the_service_publishes() -> None:
    """Each of its events for a reason that a user can give."""
    bus = RecordingBus("accounts")
    service = bootstrap(Settings(service_name="accounts"), bus=bus)
    body = {"email": "ada@example.com", "password": PASSWORD}
    with TestClient(service.app) as client:
        assert client.post("/users", json=body).status_code == 201
        published = waited_for(bus, len(contract.PUBLISHES))

    assert {type(event) for event in published} == {*contract.PUBLISHES}


def waited_for(bus: RecordingBus, number: int) -> list[BaseEvent[object]]:
    """What was published, once there is so much; the relay takes a moment."""
    until = time.monotonic() + 60
    while len(bus.published) < number and time.monotonic() < until:
        time.sleep(0.01)
    return bus.published


def test_the_contract_subscribes_to_what_the_service_does() -> None:
    """The bus of the contract is that of the service, not started."""
    (bus,) = event_buses(contract.service())

    assert [each.consumer for each in bus.subscriptions] == [
        "accounts.send_verification"
    ]


def test_two_contracts_are_the_same() -> None:
    """Nothing in it is drawn, and nothing is of this machine."""
    first, second = contract.service(), contract.service()

    assert first.app.openapi() == second.app.openapi()


def test_the_contract_asks_for_nothing() -> None:
    """No broker is missed; the secret is, since a service has one."""
    with captured_logs() as logs:
        contract.service()

    assert [message.partition(" ")[0] for message in logs.messages] == [
        "ACCOUNTS_SECRET_KEY"
    ]
