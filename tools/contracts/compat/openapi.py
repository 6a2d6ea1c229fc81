"""What a change of an OpenAPI document does to the clients of a service.

Clients know an operation by method and path, generated ones by ``operationId`` too, and
they branch on the ``code`` of a problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tools.contracts.compat import (
    openapi_content,
    openapi_requests,
    openapi_responses,
    openapi_security,
)
from tools.contracts.compat.finding import Finding, Surface
from tools.contracts.compat.openapi_content import compare_content
from tools.contracts.compat.openapi_requests import (
    compare_bodies,
    compare_parameters,
    parameters_of,
)
from tools.contracts.compat.openapi_responses import compare_responses
from tools.contracts.compat.openapi_security import compare_schemes, compare_security
from tools.contracts.compat.place import Place
from tools.contracts.compat.rule import addition, breaking
from tools.contracts.compat.walk import (
    changed,
    list_at,
    members_of,
    rest,
    same,
    side_by_side,
    value_at,
)

OPERATION_REMOVED: Final = breaking(
    "operation-removed",
    "An operation has gone.",
    "Clients that call it get a 404 or 405.",
    "Keep it, deprecated, until the next major version.",
)
OPERATION_MOVED: Final = breaking(
    "operation-moved",
    "An operation has another method or path.",
    "Clients that call it at its old method and path get a 404 or 405.",
    "Serve both until the next major version.",
)
OPERATION_ADDED: Final = addition("operation-added", "An operation is new.")
OPERATION_ID: Final = breaking(
    "operation-id-changed",
    "An operation has another operationId.",
    "Generated clients have a function of that name, and no longer compile.",
    "Keep the operation_id: give it in the route's decorator.",
)
DEPRECATED: Final = addition(
    "operation-deprecated", "An operation is deprecated, or no longer."
)
SCHEMA_REMOVED: Final = breaking(
    "openapi-schema-removed",
    "A named schema of an OpenAPI document has gone.",
    "Generated clients have a type of that name, and no longer compile.",
    "Keep the name of the model.",
)
SCHEMA_ADDED: Final = addition(
    "openapi-schema-added", "A named schema of an OpenAPI document is new."
)
SERVER_REMOVED: Final = breaking(
    "server-removed",
    "A server's URL has gone.",
    "Generated clients have it as their base address.",
    "Keep it, and let it redirect with 308.",
)
SERVER_ADDED: Final = addition("server-added", "A server's URL is new.")
WEBHOOK_REMOVED: Final = breaking(
    "webhook-removed",
    "A webhook has gone.",
    "Those who registered for it wait for what never comes.",
    "Keep sending it until the next major version.",
)
WEBHOOK_ADDED: Final = addition("webhook-added", "A webhook is new.")

RULES: Final = (
    OPERATION_REMOVED,
    OPERATION_MOVED,
    OPERATION_ADDED,
    OPERATION_ID,
    DEPRECATED,
    SCHEMA_REMOVED,
    SCHEMA_ADDED,
    SERVER_REMOVED,
    SERVER_ADDED,
    WEBHOOK_REMOVED,
    WEBHOOK_ADDED,
    *openapi_requests.RULES,
    *openapi_content.RULES,
    *openapi_responses.RULES,
    *openapi_security.RULES,
)

_METHODS: Final = frozenset(
    {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
)
_WORDS: Final = ("summary", "description", "tags", "externalDocs", "info")


@dataclass(frozen=True, slots=True)
class _Operation:
    url: str
    method: str
    path: Place
    place: Place

    @property
    def name(self) -> str:
        return f"{self.method.upper()} {self.url}"

    @property
    def operation_id(self) -> object:
        return value_at(self.place.at("operationId"))


def compare_openapi(before: Place, after: Place) -> Iterator[Finding]:
    """Compare two OpenAPI documents, given as the places of their roots.

    Raises:
        PlaceError: A ``$ref`` leads nowhere, or a part has another form than it must.
    """
    yield from _operations(before, after)
    yield from _webhooks(before.at("webhooks"), after.at("webhooks"))
    components = before.at("components"), after.at("components")
    yield from compare_schemes(*(place.at("securitySchemes") for place in components))
    yield from _schema_names(*(place.at("schemas") for place in components))
    yield from _servers(before, after)
    known = ("paths", "webhooks", "components", "servers", "security")
    yield from rest(before, after, known=known, words=_WORDS)


def _operations(before: Place, after: Place) -> Iterator[Finding]:
    old, new = _operations_of(before), _operations_of(after)
    by_id = {
        operation.operation_id: key
        for key, operation in new.items()
        if key not in old and operation.operation_id is not None
    }
    moved: set[str] = set()
    for key, one in old.items():
        other = new.get(key)
        if other is None and one.operation_id in by_id:
            other = new[by_id[one.operation_id]]
            moved.add(by_id[one.operation_id])
            says = f"{one.name} is at {other.name} now."
            yield OPERATION_MOVED.found(other.place, says, one.name, other.name)
        if other is None:
            yield OPERATION_REMOVED.found(one.place, f"{one.name} is gone.", one.name)
        else:
            yield from _operation(one, other)
    for key, other in new.items():
        if key not in old and key not in moved:
            says = f"{other.name} is new."
            yield OPERATION_ADDED.found(other.place, says, None, other.name)


def _operations_of(document: Place) -> dict[str, _Operation]:
    """By method and path, in which the names of parameters are left out."""
    found = {}
    for url, path in members_of(document.at("paths")).items():
        for method, place in members_of(path).items() if path.node else ():
            if method in _METHODS:
                key = f"{method} {re.sub(r'{[^}]*}', '{}', url)}"
                found[key] = _Operation(url, method, path, place)
    return found


def _operation(before: _Operation, after: _Operation) -> Iterator[Finding]:
    old, new = before.place, after.place
    security = Place(old.documents, old.document, "/security")
    if (
        before.url == after.url
        and same(before.path, after.path)
        and value_at(security)
        == value_at(Place(new.documents, new.document, "/security"))
    ):
        return
    yield from changed(
        OPERATION_ID,
        old.at("operationId"),
        new.at("operationId"),
        f"{after.name} has another operationId.",
    )
    yield from changed(
        DEPRECATED,
        old.at("deprecated"),
        new.at("deprecated"),
        f"Whether {after.name} is deprecated has changed.",
        False,
    )
    yield from compare_parameters(
        parameters_of(before.path, old, before.url),
        parameters_of(after.path, new, after.url),
    )
    yield from compare_bodies(old, new)
    yield from compare_responses(old, new)
    yield from compare_security(old, new)
    known = {"operationId", "deprecated", "parameters", "requestBody", "responses"}
    yield from rest(old, new, known={*known, "security"}, words=_WORDS)


def _webhooks(before: Place, after: Place) -> Iterator[Finding]:
    """Requests that the service sends: who reads them is the client."""
    members = side_by_side(members_of(before), members_of(after))
    for name, place in members.removed.items():
        yield WEBHOOK_REMOVED.found(place, f"{name} is gone.", name)
    for name, place in members.added.items():
        yield WEBHOOK_ADDED.found(place, f"{name} is new.", None, name)
    for one, other in members.kept.values():
        for method in sorted(_METHODS):
            old, new = (p.at(method, "requestBody") for p in (one, other))
            if value_at(old) is not None and value_at(new) is not None:
                yield from compare_content(old.follow(), new.follow(), Surface.RESPONSE)
            elif value_at(old) is not None:
                says = f"{method.upper()} has no body any more."
                yield WEBHOOK_REMOVED.found(old, says, old.node)


def _schema_names(before: Place, after: Place) -> Iterator[Finding]:
    """Their names only: operations lead to what they say."""
    members = side_by_side(members_of(before), members_of(after))
    for name, place in members.removed.items():
        yield SCHEMA_REMOVED.found(place, f"{name} is gone.", name)
    for name, place in members.added.items():
        yield SCHEMA_ADDED.found(place, f"{name} is new.", None, name)


def _servers(before: Place, after: Place) -> Iterator[Finding]:
    members = side_by_side(_urls(before), _urls(after))
    for url, place in members.removed.items():
        yield SERVER_REMOVED.found(place, f"{url} is gone.", url)
    for url, place in members.added.items():
        yield SERVER_ADDED.found(place, f"{url} is new.", None, url)
    for one, other in members.kept.values():
        yield from rest(one, other, known=("url",), words=("description", "name"))


def _urls(document: Place) -> dict[str, Place]:
    listed = document.at("servers")
    places = [listed.at(index) for index in range(len(list_at(listed)))]
    # Without a list, clients call where they found the document.
    return {str(value_at(p.at("url"))): p for p in places} or {"/": listed}
