"""The operations of an OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from docs.catalogue.parts import Text, anchor, joined, words
from docs.catalogue.schemas import Linker, Rule, rules, type_of

Document = Mapping[str, Any]

_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_HOPS: Final = 20


@dataclass(frozen=True)
class Parameter:
    """A parameter of an operation."""

    name: str
    place: str
    required: bool
    type: Text
    rules: tuple[Rule, ...]
    description: str


@dataclass(frozen=True)
class Reply:
    """What an operation answers under one status."""

    status: str
    description: str
    type: Text
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Operation:
    """A method of a path."""

    id: str
    method: str
    path: str
    operation_id: str
    summary: str
    description: str
    deprecated: bool
    security: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    body: Text
    replies: tuple[Reply, ...]
    schemas: frozenset[str]
    """The names of the components that its bodies are."""

    @property
    def name(self) -> str:
        """``GET /users``."""
        return f"{self.method} {self.path}"


def operations_of(
    document: Document, service: str, link: Linker
) -> Iterator[Operation]:
    """Every operation, in the order of the document."""
    for path, item in document.get("paths", {}).items():
        shared = item.get("parameters", [])
        for method in _METHODS:
            if method in item:
                operation = item[method]
                yield _operation(
                    document, service, link, path, method, operation, shared
                )


def _operation(
    document: Document,
    service: str,
    link: Linker,
    path: str,
    method: str,
    operation: Document,
    shared: list[Document],
) -> Operation:
    parameters = [*shared, *operation.get("parameters", ())]
    name = operation.get("operationId", "")
    body = _resolved(document, operation.get("requestBody", {}))
    replies = operation.get("responses", {})
    bodies = [body, *(_resolved(document, reply) for reply in replies.values())]
    security = operation.get("security", document.get("security", ()))
    return Operation(
        id=anchor("operation", service, name or f"{method}_{path}"),
        method=method.upper(),
        path=path,
        operation_id=name,
        summary=operation.get("summary", ""),
        description=operation.get("description", ""),
        deprecated=operation.get("deprecated", False),
        security=tuple(dict.fromkeys(scheme for each in security for scheme in each)),
        parameters=tuple(
            _parameter(_resolved(document, each), link) for each in parameters
        ),
        body=_type_of_body(body, link),
        replies=tuple(
            _reply(document, status, _resolved(document, reply), link)
            for status, reply in replies.items()
        ),
        schemas=frozenset(name for each in bodies for name in _names(each)),
    )


def _parameter(parameter: Document, link: Linker) -> Parameter:
    schema = parameter.get("schema", True)
    return Parameter(
        name=parameter.get("name", ""),
        place=parameter.get("in", ""),
        required=parameter.get("required", False),
        type=type_of(schema, link),
        rules=tuple(rules(schema, link)),
        description=parameter.get("description", ""),
    )


def _reply(document: Document, status: str, reply: Document, link: Linker) -> Reply:
    return Reply(
        status=status,
        description=reply.get("description", ""),
        type=_type_of_body(reply, link),
        codes=tuple(dict.fromkeys(_codes(document, reply))),
    )


def _codes(document: Document, reply: Document) -> Iterator[str]:
    """The error codes of a reply: its schema or its examples say them."""
    for media in reply.get("content", {}).values():
        schema = _resolved(document, media.get("schema", {}))
        member = _resolved(document, schema.get("properties", {}).get("code", {}))
        yield from [member["const"]] if "const" in member else member.get("enum", [])
        for example in media.get("examples", {}).values():
            value = _resolved(document, example).get("value")
            if isinstance(value, dict) and isinstance(value.get("code"), str):
                yield value["code"]


def _type_of_body(body: Document, link: Linker) -> Text:
    types = {
        media: type_of(content.get("schema", True), link)
        for media, content in body.get("content", {}).items()
    }
    if list(types) == ["application/json"]:
        return types["application/json"]
    return joined(
        ((*found, *words(f" ({media})")) for media, found in types.items()), " or "
    )


def _names(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield value.rpartition("/")[2].removesuffix(".schema.json")
            elif key not in ("example", "examples"):
                yield from _names(value)
    elif isinstance(node, list):
        for value in node:
            yield from _names(value)


def _resolved(document: Document, node: Document) -> Document:
    """What a ``$ref`` inside of the document leads to."""
    for _ in range(_HOPS):
        ref = node.get("$ref", "")
        if not ref.startswith("#/"):
            break
        found: Any = document
        for part in ref.removeprefix("#/").split("/"):
            found = found.get(part.replace("~1", "/").replace("~0", "~"), {})
        node = found
    return node
