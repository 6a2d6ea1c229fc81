"""What the OpenAPI document says is what the service does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx2 import Response
from jsonschema import (  # type: ignore[import-untyped]  # has no types
    Draft202012Validator,
)

from services.api_platform.tests.behind import Behind, behind
from services.api_platform.tests.scene import Scene, running
from services.api_platform.tests.webhooks_contract import TARGET, Patient, resolve
from services.api_platform.webhooks import OFFERED, WebhookRequestedEvent
from shared.events import PLATFORM_EVENTS, BaseEvent

VECTORS = Path("contracts/current/vectors/events")
OWNER = UUID("5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11")
"""Whose the things in the vectors are."""
SOMEBODY = UUID("9b2f6c1e-4d7a-4b0e-8a35-2f1c0d9e8b7a")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The service, started."""
    url = f"sqlite:///{tmp_path_factory.mktemp('openapi')}/test.db"
    with running(url, transport=Patient(resolve=resolve)) as scene:
        yield scene


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Behind]:
    """The service, which reads once a minute for each caller."""
    url = f"sqlite:///{tmp_path}/test.db"
    with behind(url, {"QUOTA_READS_PER_MINUTE": "1"}) as started:
        yield started


def document_of(scene: Scene) -> dict[str, Any]:
    """The document as a client gets it, a second time."""
    first = scene.client.get("/openapi.json").json()
    document: dict[str, Any] = scene.client.get("/openapi.json").json()
    assert document == first
    return document


def operations_of(document: dict[str, Any]) -> dict[str, Any]:
    """The operations of the API by their ids."""
    return {
        operation["operationId"]: operation
        for path, item in document["paths"].items()
        for operation in item.values()
        if path != "/probe"  # of the scene
    }


def schema_of(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A schema, or the one that it refers to: of an array, that of its items."""
    schema = schema.get("items", schema)
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = document["components"]["schemas"].get(name, schema)
    return found


def without_example(document: dict[str, Any]) -> Iterator[str]:
    """Each parameter, body and reply that shows nobody what it is like."""
    for name, operation in operations_of(document).items():
        for parameter in operation.get("parameters", ()):
            if "example" not in json.dumps(parameter):
                yield f"{name}: {parameter['name']}"
        body = operation.get("requestBody", {}).get("content", {})
        replies = [
            (media, content)
            for status, response in operation["responses"].items()
            for media, content in response.get("content", {}).items()
            if status != "default"  # an error of any code
        ]
        for media, content in [*body.items(), *replies]:
            shown = {"example", "examples"} & content.keys()
            if not shown and not schema_of(document, content["schema"]).get("examples"):
                yield f"{name}: {media}"


def test_everything_has_an_example(scene: Scene) -> None:
    """Parameters, bodies and replies, of the chassis too."""
    assert sorted(set(without_example(document_of(scene)))) == []


def test_links_lead_to_parameters_that_there_are(scene: Scene) -> None:
    """Whoever follows one calls an operation that takes what the reply said."""
    operations = operations_of(document_of(scene))
    links = [
        (link["operationId"], parameter.removeprefix("header."))
        for operation in operations.values()
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
        for parameter in link["parameters"]
    ]
    wrong = [
        (name, parameter)
        for name, parameter in links
        if parameter not in [each["name"] for each in operations[name]["parameters"]]
    ]

    assert len(links) >= 15
    assert wrong == []


def value_of(expression: str, reply: Response) -> str:
    """What a runtime expression of a link finds in a reply."""
    _, source, name = expression.replace("#/", ".").split(".", 2)
    found = {"body": reply.json(), "header": reply.headers}[source]
    return str(found[name.lstrip(".")])


def follow(
    scene: Scene, name: str, reply: Response, link: str, body: object
) -> Response:
    """Call the operation that a link of an operation's reply leads to."""
    document = document_of(scene)
    response = operations_of(document)[name]["responses"][str(reply.status_code)]
    target = response["links"][link]
    given = {
        parameter: value_of(expression, reply)
        for parameter, expression in target["parameters"].items()
    }
    headers = {k.removeprefix("header."): v for k, v in given.items() if "." in k}
    ((method, path),) = [
        (method, path)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if operation["operationId"] == target["operationId"]
    ]
    return scene.client.request(
        method,
        path.format_map(given),
        json=body,
        headers={**scene.as_user(SOMEBODY), **headers},
    )


MADE = {"target_url": TARGET, "event_types": ["generation.completed"]}
KEY = ("keys_create_api_key", "/api/v1/keys", {"name": "Shop"})
WEBHOOK = ("webhooks_register_webhook", "/api/v1/webhooks", MADE)


@pytest.mark.parametrize(
    ("start", "link", "body", "status"),
    [
        (KEY, "key", None, 200),
        (KEY, "rotate", {}, 200),
        (KEY, "revoke", None, 200),
        (WEBHOOK, "webhook", None, 200),
        (WEBHOOK, "update", {"ordered": True}, 200),
        (WEBHOOK, "delete", None, 204),
        (WEBHOOK, "rotate", {}, 200),
        (WEBHOOK, "disable", None, 200),
        (WEBHOOK, "ping", None, 202),
        (WEBHOOK, "deliveries", None, 200),
        (WEBHOOK, "replay", {"since": "2026-01-31T12:00:00Z"}, 202),
    ],
)
def test_a_link_leads_to_what_was_made(
    scene: Scene, start: tuple[str, str, object], link: str, body: object, status: int
) -> None:
    """With nothing but what the document says, and the ETag where one is needed."""
    name, path, sent = start
    made = scene.client.post(path, json=sent, headers=scene.as_user(SOMEBODY))
    reply = follow(scene, name, made, link, body)

    assert (made.status_code, reply.status_code) == (201, status), reply.text


@pytest.mark.parametrize(("link", "status"), [("delivery", 200), ("replay", 202)])
def test_a_ping_leads_to_its_delivery(scene: Scene, link: str, status: int) -> None:
    """Which is on its way, or made again."""
    name, path, sent = WEBHOOK
    made = scene.client.post(path, json=sent, headers=scene.as_user(SOMEBODY))
    ping = follow(scene, name, made, "ping", None)
    reply = follow(scene, "webhooks_ping_webhook", ping, link, None)

    assert reply.status_code == status, reply.text
    assert reply.json()["id"] == ping.json()["id"]


def fields_missing(operation: dict[str, Any], reply: Response) -> set[str]:
    """What the document says that a reply has, and it has not."""
    documented = operation["responses"][str(reply.status_code)]["headers"]
    return {name for name in documented if name not in reply.headers}


def test_limits_are_in_the_fields_that_are_documented(limited: Behind) -> None:
    """Of what is let through, and of what is refused until later."""
    key = limited.key()
    usage = operations_of(document_of(limited.scene))["usage_get_usage"]
    path = "/api/v1/usage?format=csv"
    first = limited.scene.client.get(path, headers=key.headers)
    second = limited.scene.client.get(path, headers=key.headers)

    assert (first.status_code, second.status_code) == (200, 429)
    assert fields_missing(usage, first) == set()
    assert fields_missing(usage, second) == set()
    assert usage["responses"]["429"]["headers"].keys() == {
        "RateLimit",
        "RateLimit-Policy",
        "Retry-After",
    }


def test_who_may_not_is_challenged_as_documented(limited: Behind) -> None:
    """Without a key, and with one that lacks the scope."""
    key = limited.key(permissions=["usage:read"])
    operations = operations_of(document_of(limited.scene))
    create = operations["generations_create_generation"]
    unknown = limited.scene.client.post("/api/v1/generations", json={})
    lacking = limited.post(key)

    assert (unknown.status_code, lacking.status_code) == (401, 403)
    assert fields_missing(create, unknown) == fields_missing(create, lacking) == set()


def test_users_bring_a_token_that_is_made_elsewhere(scene: Scene) -> None:
    """The service has no endpoint for passwords, so its document names none."""
    schemes = document_of(scene)["components"]["securitySchemes"]

    assert {name: each["type"] for name, each in schemes.items()} == {
        "ApiKey": "http",
        "UserToken": "http",
    }


def events_of(event_type: str) -> list[BaseEvent[Any]]:
    """Events of every form that the contract knows."""
    documents = json.loads((VECTORS / f"{event_type}.v1.json").read_text())["valid"]
    parsed = [PLATFORM_EVENTS.parse(json.dumps(each["document"])) for each in documents]
    # One is handled once, whatever it says.
    return [each.model_copy(update={"event_id": uuid4()}) for each in parsed]


@pytest.mark.parametrize("event_type", OFFERED)
def test_what_webhooks_get_is_what_the_document_says(
    scene: Scene, event_type: str
) -> None:
    """Every form of every event that is offered, as it is signed and sent."""
    document = document_of(scene)
    made = scene.client.post(
        "/api/v1/webhooks",
        json={"target_url": TARGET, "event_types": [event_type]},
        headers=scene.as_user(OWNER),
    )
    assert made.status_code == 201, made.text
    assert scene.client.portal is not None
    events = events_of(event_type)
    for event in events:
        scene.client.portal.call(scene.bus.publish, event)
    scene.settle()
    bodies = [
        json.loads(event.payload.body)
        for event in scene.webhooks_bus.published
        if isinstance(event, WebhookRequestedEvent)
        and event.payload.delivered_event_type == event_type
        and event.payload.user_id == OWNER
    ]
    validator = Draft202012Validator(
        {**document, "$ref": "#/components/schemas/WebhookDelivery"}
    )

    assert [body["type"] for body in bodies] == [event_type] * len(events)
    assert [
        error.message for body in bodies for error in validator.iter_errors(body)
    ] == []
