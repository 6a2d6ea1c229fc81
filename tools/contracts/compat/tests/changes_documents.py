"""Changes of what is around schemas: the manifest, OpenAPI, errors."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

from tools.contracts.bundle import ERRORS, MANIFEST
from tools.contracts.compat.tests.changes import (
    NOT_FOR_IT,
    Change,
    Documents,
    Edit,
    nothing,
)
from tools.contracts.compat.tests.small_bundle import ASK, MADE, OPENAPI

Path = tuple[str | int, ...]

_GET: Final[Path] = ("paths", "/things/{thing_id}", "get")
_POST: Final[Path] = ("paths", "/things", "post")
_OK: Final[Path] = (*_GET, "responses", "200")


def put(document: str, path: Path, value: Any) -> Edit:
    """Sets a member of a document, or appends to an array at ``-``."""

    def edit(found: Documents) -> None:
        *way, last = path
        node = found[document]
        for token in way:
            node = node[token]
        if last == "-":
            node.append(deepcopy(value))
        else:
            node[last] = deepcopy(value)

    return edit


def drop(document: str, path: Path) -> Edit:
    """Takes a member of a document away."""

    def edit(found: Documents) -> None:
        *way, last = path
        node = found[document]
        for token in way:
            node = node[token]
        del node[last]

    return edit


def both(*edits: Edit) -> Edit:
    """One after the other."""

    def edit(found: Documents) -> None:
        for each in edits:
            each(found)

    return edit


def _change(
    area: str,
    words: str,
    findings: dict[str, str],
    after: Edit,
    *,
    before: Edit = nothing,
    buf: str = NOT_FOR_IT,
    confluent: str = NOT_FOR_IT,
    asyncapi: str = NOT_FOR_IT,
    who: str = "",
) -> Change:
    return Change(area, words, findings, before, after, buf, confluent, asyncapi, who)


_MESSAGE_GONE: Final = "breaking: MESSAGE_NO_DELETE; WIRE_JSON passes"
_RPC_GONE: Final = "breaking: RPC_NO_DELETE; WIRE_JSON passes"


def _dtos() -> Iterator[Change]:
    entry = {
        "schema": ASK,
        "vectors": "vectors/none.json",
        "direction": "request",
        "target": "//shared/dtos:shop",
    }
    dto: Path = ("dtos", "MoreDTO")
    yield _change(
        "DTO",
        "a DTO is new",
        {"dto-added": "AA."},
        put(MANIFEST, dto, entry),
        buf="passes",
    )
    yield _change(
        "DTO",
        "a DTO has gone",
        {"dto-removed": "BB."},
        nothing,
        before=put(MANIFEST, dto, entry),
        buf=_MESSAGE_GONE,
        who="generated code",
    )
    direction: Path = ("dtos", "Colour", "direction")
    yield _change(
        "DTO",
        "a DTO that went both ways is a response only",
        {"dto-direction-removed": "B.."},
        put(MANIFEST, direction, "response"),
    )
    yield _change(
        "DTO",
        "a response is read as a request, too",
        {"dto-direction-added": "A.."},
        nothing,
        before=put(MANIFEST, direction, "response"),
    )
    yield _change(
        "DTO",
        "a DTO has another Bazel target",
        {"target-moved": "WW."},
        put(MANIFEST, ("dtos", "AskDTO", "target"), "//shared/dtos:ask"),
    )


_THING: Final[Path] = ("events", "thing.made")


def _events() -> Iterator[Change]:
    entry: dict[str, Any] = {
        "versions": {},
        "lifted_from": [],
        "aggregate_key": None,
        "target": "//shop:events",
        "producers": ["shop"],
        "consumers": [],
    }
    version = {"schema": MADE, "vectors": "vectors/none.json", "payload": "P"}
    yield _change(
        "event",
        "a type of event is new",
        {"event-added": "..A"},
        put(MANIFEST, ("events", "thing.lost"), entry),
        buf="passes",
        asyncapi="non-breaking",
    )
    yield _change(
        "event",
        "a type of event has gone",
        {"event-removed": "..B"},
        nothing,
        before=put(MANIFEST, ("events", "thing.lost"), entry),
        buf=_MESSAGE_GONE,
        asyncapi="breaking",
    )
    yield _change(
        "event",
        "a version of an event is new",
        {"event-version-added": "..A"},
        put(MANIFEST, (*_THING, "versions", "2"), version),
        buf="passes",
        asyncapi="non-breaking",
    )
    two = put(MANIFEST, (*_THING, "versions", "2"), version)
    yield _change(
        "event",
        "the class of a version has gone, and nothing lifts it",
        {"event-version-unreadable": "..B"},
        both(two, drop(MANIFEST, (*_THING, "versions", "1"))),
        before=two,
        buf=_MESSAGE_GONE,
        asyncapi="breaking",
        who="stored events",
    )
    yield _change(
        "event",
        "the class of a version has gone, and an upcaster lifts it",
        {"event-version-lifted": "..A"},
        both(
            two,
            drop(MANIFEST, (*_THING, "versions", "1")),
            put(MANIFEST, (*_THING, "lifted_from"), [1]),
        ),
        before=two,
        buf=_MESSAGE_GONE,
        asyncapi="breaking",
    )
    yield _change(
        "event",
        "an upcaster has gone, and with it the only reader of a version",
        {"event-version-unreadable": "..B"},
        put(MANIFEST, (*_THING, "versions"), {"2": version}),
        before=both(
            put(MANIFEST, (*_THING, "versions"), {"2": version}),
            put(MANIFEST, (*_THING, "lifted_from"), [1]),
        ),
        who="stored events",
    )
    key: Path = (*_THING, "aggregate_key")
    yield _change(
        "event",
        "events are kept in order by another member",
        {"event-aggregate-key-changed": "..B"},
        put(MANIFEST, key, "shop_id"),
    )
    yield _change(
        "event",
        "events are kept in order that were not",
        {"event-aggregate-key-added": "..A"},
        nothing,
        before=put(MANIFEST, key, None),
    )
    yield _change(
        "event",
        "the last service that published an event stopped",
        {"event-no-longer-produced": "..B"},
        put(MANIFEST, (*_THING, "producers"), []),
        asyncapi="breaking",
    )
    yield _change(
        "event",
        "a second service publishes an event",
        {"event-producers-changed": "..W"},
        put(MANIFEST, (*_THING, "producers"), ["shop", "stock"]),
        asyncapi="non-breaking",
    )


def _operations() -> Iterator[Change]:
    other = {"operationId": "things.count", "responses": {"200": {"description": ""}}}
    count: Path = ("paths", "/count")
    yield _change(
        "OpenAPI",
        "an operation is new",
        {"operation-added": "A.."},
        put(OPENAPI, count, {"get": other}),
        buf="passes",
    )
    yield _change(
        "OpenAPI",
        "an operation has gone",
        {"operation-removed": "B.."},
        nothing,
        before=put(OPENAPI, count, {"get": other}),
        buf=_RPC_GONE,
    )
    yield _change(
        "OpenAPI",
        "an operation has another path",
        {"operation-moved": "B.."},
        put(OPENAPI, ("paths", "/number"), {"get": other}),
        before=put(OPENAPI, count, {"get": other}),
    )
    yield _change(
        "OpenAPI",
        "an operation has another method",
        {"operation-moved": "B.."},
        put(OPENAPI, count, {"post": other}),
        before=put(OPENAPI, count, {"get": other}),
    )
    yield _change(
        "OpenAPI",
        "an operation has another `operationId`",
        {"operation-id-changed": "B.."},
        put(OPENAPI, (*_GET, "operationId"), "things.read"),
        buf=_RPC_GONE,
        who="generated code",
    )
    yield _change(
        "OpenAPI",
        "an operation is deprecated",
        {"operation-deprecated": "A.."},
        put(OPENAPI, (*_GET, "deprecated"), True),
        buf="passes",
    )
    yield _change(
        "OpenAPI",
        "the summary of an operation",
        {"wording-changed": "W.."},
        put(OPENAPI, (*_GET, "summary"), "Read a thing."),
        buf="passes",
    )
    yield _change(
        "OpenAPI",
        "the base URL is another one",
        {"server-added": "A..", "server-removed": "B.."},
        put(OPENAPI, ("servers",), [{"url": "/v2/shop"}]),
    )


def _parameters() -> Iterator[Change]:
    text = {"type": "string"}
    page = {"name": "page", "in": "query", "schema": text}
    parameters: Path = (*_GET, "parameters")
    fields: Path = (*parameters, 1)
    yield _change(
        "OpenAPI",
        "an optional parameter is new",
        {"parameter-added-optional": "A.."},
        put(OPENAPI, (*parameters, "-"), page),
        buf="passes",
    )
    yield _change(
        "OpenAPI",
        "a required parameter is new",
        {"parameter-added-required": "B.."},
        put(OPENAPI, (*parameters, "-"), {**page, "required": True}),
        buf="proto2: breaking, MESSAGE_SAME_REQUIRED_FIELDS in both",
    )
    yield _change(
        "OpenAPI",
        "a parameter has gone",
        {"parameter-removed": "B.."},
        drop(OPENAPI, fields),
        buf="breaking: FIELD_NO_DELETE; FIELD_NO_DELETE_UNLESS_NAME_RESERVED",
    )
    yield _change(
        "OpenAPI",
        "an optional parameter is required",
        {"parameter-became-required": "B.."},
        put(OPENAPI, (*fields, "required"), True),
        buf="proto2: breaking, MESSAGE_SAME_REQUIRED_FIELDS in both",
    )
    yield _change(
        "OpenAPI",
        "a required parameter is optional",
        {"parameter-became-optional": "A.."},
        nothing,
        before=put(OPENAPI, (*fields, "required"), True),
        buf="proto2: breaking, MESSAGE_SAME_REQUIRED_FIELDS in both",
    )
    yield _change(
        "OpenAPI",
        "a parameter takes less (`maxLength`)",
        {"max-length-tightened": "B.."},
        put(OPENAPI, (*fields, "schema", "maxLength"), 10),
    )
    yield _change(
        "OpenAPI",
        "a parameter in the path has another name",
        {"path-parameter-renamed": "B.."},
        both(
            put(OPENAPI, (*parameters, 0, "name"), "id"),
            _move_path,
        ),
        buf="breaking: FIELD_SAME_NAME in both",
        who="generated code",
    )
    yield _change(
        "OpenAPI",
        "arrays in a parameter are written in another way (`explode`)",
        {"parameter-style-changed": "B.."},
        put(OPENAPI, (*fields, "explode"), False),
    )
    yield _change(
        "OpenAPI",
        "a parameter is deprecated",
        {"parameter-deprecated": "A.."},
        put(OPENAPI, (*fields, "deprecated"), True),
        buf="passes",
    )


def _move_path(found: Documents) -> None:
    paths = found[OPENAPI]["paths"]
    paths["/things/{id}"] = paths.pop("/things/{thing_id}")


def _bodies() -> Iterator[Change]:
    body: Path = (*_POST, "requestBody")
    yield _change(
        "OpenAPI",
        "a request may have a body",
        {"request-body-added-optional": "A.."},
        put(OPENAPI, (*body, "required"), False),
        before=drop(OPENAPI, body),
        buf="breaking: RPC_SAME_REQUEST_TYPE in both",
    )
    yield _change(
        "OpenAPI",
        "a request must have a body",
        {"request-body-added-required": "B.."},
        nothing,
        before=drop(OPENAPI, body),
        buf="breaking: RPC_SAME_REQUEST_TYPE in both",
    )
    yield _change(
        "OpenAPI",
        "a request has no body any more",
        {"request-body-removed": "B.."},
        drop(OPENAPI, body),
        buf="breaking: RPC_SAME_REQUEST_TYPE in both",
    )
    yield _change(
        "OpenAPI",
        "an optional body is required",
        {"request-body-became-required": "B.."},
        nothing,
        before=put(OPENAPI, (*body, "required"), False),
    )
    yield _change(
        "OpenAPI",
        "a required body is optional",
        {"request-body-became-optional": "A.."},
        put(OPENAPI, (*body, "required"), False),
    )
    form: Path = (*body, "content", "multipart/form-data")
    yield _change(
        "OpenAPI",
        "a media type is read that was not",
        {"request-media-type-added": "A.."},
        put(OPENAPI, form, {}),
    )
    yield _change(
        "OpenAPI",
        "a media type is no longer read",
        {"request-media-type-removed": "B.."},
        nothing,
        before=put(OPENAPI, form, {}),
    )
    encoding = {"file": {"contentType": "image/png"}}
    yield _change(
        "OpenAPI",
        "a part of a form is encoded in another way",
        {"body-encoding-changed": "B.."},
        put(OPENAPI, form, {"encoding": {"file": {"contentType": "image/webp"}}}),
        before=put(OPENAPI, form, {"encoding": encoding}),
    )
    new: Path = ("components", "schemas", "NewThing")
    yield _change(
        "OpenAPI",
        "the body of a request takes less (`maximum`)",
        {"maximum-tightened": "B.."},
        put(OPENAPI, (*new, "properties", "size", "maximum"), 5),
    )
    thing: Path = ("components", "schemas", "Thing")
    yield _change(
        "OpenAPI",
        "the body of a response promises more (`maximum`)",
        {"maximum-tightened": ".A."},
        put(OPENAPI, (*thing, "properties", "size", "maximum"), 5),
    )
    yield _change(
        "OpenAPI",
        "the body of a response may lack a member",
        {"required-removed": ".B."},
        put(OPENAPI, (*thing, "required"), []),
        buf="proto2: breaking, MESSAGE_SAME_REQUIRED_FIELDS in both",
    )


def _responses() -> Iterator[Change]:
    accepted: Path = (*_GET, "responses", "202")
    yield _change(
        "OpenAPI",
        "a status is new",
        {"response-added": ".A."},
        put(OPENAPI, accepted, {"description": "Soon."}),
    )
    yield _change(
        "OpenAPI",
        "a status that is no error has gone",
        {"response-removed": ".B."},
        nothing,
        before=put(OPENAPI, accepted, {"description": "Soon."}),
    )
    gone: Path = (*_GET, "responses", "410")
    yield _change(
        "OpenAPI",
        "a status that is an error has gone",
        {"error-response-removed": ".A."},
        nothing,
        before=put(OPENAPI, gone, {"description": "Gone."}),
    )
    examples: Path = (
        *(*_GET, "responses", "404", "content"),
        *("application/problem+json", "examples"),
    )
    another = {"value": {"status": 404, "code": "deleted"}}
    yield _change(
        "OpenAPI",
        "an operation answers with a new code of a problem",
        {"problem-code-added": ".A."},
        put(OPENAPI, (*examples, "deleted"), another),
    )
    yield _change(
        "OpenAPI",
        "an operation no longer answers with a code",
        {"problem-code-removed": ".B."},
        nothing,
        before=put(OPENAPI, (*examples, "deleted"), another),
    )
    headers: Path = (*_OK, "headers")
    yield _change(
        "OpenAPI",
        "a response has a new header",
        {"response-header-added": ".A."},
        put(OPENAPI, (*headers, "Age"), {"schema": {"type": "integer"}}),
    )
    yield _change(
        "OpenAPI",
        "a response header has gone",
        {"response-header-removed": ".B."},
        drop(OPENAPI, (*headers, "ETag")),
    )
    yield _change(
        "OpenAPI",
        "a response header is not always sent",
        {"response-header-became-optional": ".B."},
        put(OPENAPI, (*headers, "ETag", "required"), False),
    )
    yield _change(
        "OpenAPI",
        "a response header is always sent",
        {"response-header-became-required": ".A."},
        nothing,
        before=put(OPENAPI, (*headers, "ETag", "required"), False),
    )
    content: Path = (*_OK, "content")
    yield _change(
        "OpenAPI",
        "a media type is written that was not",
        {"response-media-type-added": ".A."},
        put(OPENAPI, (*content, "text/csv"), {}),
    )
    yield _change(
        "OpenAPI",
        "a media type is no longer written",
        {"response-media-type-removed": ".B."},
        nothing,
        before=put(OPENAPI, (*content, "text/csv"), {}),
    )


def _security() -> Iterator[Change]:
    own: Path = (*_GET, "security")
    yield _change(
        "OpenAPI",
        "an operation asks for credentials that it did without",
        {"security-tightened": "B.."},
        nothing,
        before=put(OPENAPI, own, []),
    )
    yield _change(
        "OpenAPI",
        "an operation does without credentials",
        {"security-loosened": "A.."},
        put(OPENAPI, own, []),
    )
    yield _change(
        "OpenAPI",
        "an operation asks for a scope",
        {"security-scope-required": "B.."},
        put(OPENAPI, own, [{"bearer": ["things:read"]}]),
    )
    yield _change(
        "OpenAPI",
        "credentials are sent in another way",
        {"security-scheme-changed": "B.."},
        put(OPENAPI, ("components", "securitySchemes", "bearer", "scheme"), "basic"),
    )

    schemes: Path = ("components", "securitySchemes")
    key = {"type": "apiKey", "in": "header", "name": "X-Key"}
    yield _change(
        "OpenAPI",
        "a security scheme is new",
        {"security-scheme-added": "A.."},
        put(OPENAPI, (*schemes, "key"), key),
    )
    yield _change(
        "OpenAPI",
        "a security scheme has gone",
        {"security-scheme-removed": "B.."},
        nothing,
        before=put(OPENAPI, (*schemes, "key"), key),
        who="generated code",
    )
    flow = {"tokenUrl": "/token", "scopes": {"read": "Read."}}
    oauth = {"type": "oauth2", "flows": {"clientCredentials": flow}}
    scopes: Path = (*schemes, "oauth", "flows", "clientCredentials", "scopes")
    one = put(OPENAPI, (*schemes, "oauth"), oauth)
    two = both(one, put(OPENAPI, (*scopes, "write"), "Write."))
    yield _change(
        "OpenAPI",
        "a scope is new",
        {"security-scope-added": "A.."},
        two,
        before=one,
    )
    yield _change(
        "OpenAPI",
        "a scope has gone",
        {"security-scope-removed": "B.."},
        one,
        before=two,
    )


def _names() -> Iterator[Change]:
    named: Path = ("components", "schemas", "More")
    yield _change(
        "OpenAPI",
        "a named schema is new",
        {"openapi-schema-added": "A.."},
        put(OPENAPI, named, {"type": "object"}),
        buf="passes",
    )
    yield _change(
        "OpenAPI",
        "a named schema has gone",
        {"openapi-schema-removed": "B.."},
        nothing,
        before=put(OPENAPI, named, {"type": "object"}),
        buf=_MESSAGE_GONE,
        who="generated code",
    )
    hook: dict[str, Any] = {"thing.made": {"post": {"requestBody": {"content": {}}}}}
    yield _change(
        "OpenAPI",
        "a webhook is new",
        {"webhook-added": ".A."},
        put(OPENAPI, ("webhooks",), hook),
        buf="passes",
    )
    yield _change(
        "OpenAPI",
        "a webhook has gone",
        {"webhook-removed": ".B."},
        nothing,
        before=put(OPENAPI, ("webhooks",), hook),
        buf=_RPC_GONE,
    )
    yield _change(
        "OpenAPI",
        "a part that the gate does not know",
        {"unknown-changed": "B.."},
        put(OPENAPI, (*_GET, "callbacks"), {"done": {}}),
        who="nobody knows",
    )


def _services() -> Iterator[Change]:
    entry = {
        "openapi": OPENAPI,
        "target": "//stock:contract",
        "publishes": [],
        "consumes": {},
    }
    stock: Path = ("services", "stock")
    yield _change(
        "service",
        "a service is new",
        {"service-added": "A.."},
        put(MANIFEST, stock, entry),
        buf="passes",
    )
    yield _change(
        "service",
        "a service has gone",
        {"service-removed": "B.."},
        nothing,
        before=put(MANIFEST, stock, entry),
        buf="breaking: SERVICE_NO_DELETE; WIRE_JSON passes",
    )


def _errors() -> Iterator[Change]:
    kernel: Path = ("kernel",)
    own: Path = ("services", "shop")
    entry = {
        "code": "too_late",
        "status": 409,
        "other_statuses": [],
        "title": "Too late",
        "type": "about:blank",
        "when": "It is.",
        "package": "shared.errors",
    }
    yield _change(
        "error",
        "an error code is new",
        {"error-added": ".A."},
        put(ERRORS, (*kernel, "-"), entry),
        buf="passes",
    )
    yield _change(
        "error",
        "an error code has gone",
        {"error-removed": ".B."},
        nothing,
        before=put(ERRORS, (*kernel, "-"), entry),
        buf="breaking: ENUM_VALUE_NO_DELETE; ENUM_VALUE_NO_DELETE_UNLESS_NAME_RESERVED",
    )
    yield _change(
        "error",
        "an error code has another name",
        {"error-added": ".A.", "error-removed": ".B."},
        put(ERRORS, (*kernel, 0, "code"), "missing"),
        buf="breaking: ENUM_VALUE_SAME_NAME in both",
    )
    yield _change(
        "error",
        "an error comes with another status",
        {"error-status-changed": ".B."},
        put(ERRORS, (*kernel, 1, "status"), 412),
    )
    yield _change(
        "error",
        "an error comes with a further status",
        {"error-other-statuses-changed": ".A."},
        put(ERRORS, (*kernel, 1, "other_statuses"), [412]),
    )
    yield _change(
        "error",
        "the `type` of a problem is another URI",
        {"error-type-changed": ".B."},
        put(ERRORS, (*kernel, 1, "type"), "/problems/conflict"),
    )
    yield _change(
        "error",
        "a code of a service is one of the kernel",
        {"error-added": ".A."},
        both(put(ERRORS, (*kernel, "-"), entry), put(ERRORS, own, [])),
        before=put(ERRORS, own, [entry]),
    )
    yield _change(
        "error",
        "the title of an error, or when it comes",
        {"wording-changed": ".W."},
        put(ERRORS, (*kernel, 1, "when"), "Two at once."),
        buf="passes",
    )
    yield _change(
        "error",
        "the body of every problem lacks a member",
        {"required-removed": ".B."},
        put(ERRORS, ("problem", "required"), ["code"]),
        buf="proto2: breaking, MESSAGE_SAME_REQUIRED_FIELDS in both",
    )


DOCUMENT_CHANGES: Final = (
    *_dtos(),
    *_events(),
    *_operations(),
    *_parameters(),
    *_bodies(),
    *_responses(),
    *_security(),
    *_names(),
    *_services(),
    *_errors(),
)
