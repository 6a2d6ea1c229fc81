"""What the page shows of a bundle, ready to be laid out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from docs.catalogue.channels import (
    Exchange,
    Subscription,
    exchange_of,
    exchanges_of,
    subscriptions_of,
)
from docs.catalogue.errors import ErrorEntry, errors_of
from docs.catalogue.operations import Operation, operations_of
from docs.catalogue.parts import Part, anchor, code
from docs.catalogue.schemas import Linker, Row, Rule, Schema, rows, rules, type_of
from tools.contracts.bundle import ASYNCAPI, ENVELOPE, ERRORS, Bundle

# What a member is that its schema does not ask for, and that is written all the same.
_WRITTEN: Final = {"response": "always there", "both": "always there in replies"}


@dataclass(frozen=True)
class Table:
    """A schema under its name."""

    id: str
    name: str
    description: str
    rows: tuple[Row, ...]
    values: tuple[str, ...] = ()
    """Of an enumeration."""
    rules: tuple[Rule, ...] = ()
    """Of the whole document, beside those of its members."""
    validated_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dto:
    """A DTO or an enumeration."""

    id: str
    name: str
    direction: str
    target: str
    table: Table
    examples: tuple[str, ...]
    used_by: tuple[Part, ...]
    """The entries whose schemas name it."""


@dataclass(frozen=True)
class Version:
    """One version of an event."""

    number: str
    tables: tuple[Table, ...]
    """The payload first, then what it is made of."""
    example: str


@dataclass(frozen=True)
class Event:
    """A type of event with its versions, the newest first."""

    id: str
    name: str
    description: str
    versions: tuple[Version, ...]
    lifted_from: tuple[int, ...]
    aggregate_key: str | None
    target: str
    producers: tuple[Part, ...]
    consumers: tuple[Subscription, ...]
    exchange: str


@dataclass(frozen=True)
class Service:
    """A service, with what it offers and what it says and hears."""

    id: str
    name: str
    title: str
    version: str
    description: str
    target: str
    operations: tuple[Operation, ...]
    publishes: tuple[Part, ...]
    consumes: tuple[Subscription, ...]
    tables: tuple[Table, ...]
    """Schemas of its document that are no DTOs of the kernel."""


@dataclass(frozen=True)
class CodeRule:
    """A member with a rule that only code can check."""

    document: Part
    pointer: str
    by: tuple[str, ...]


@dataclass(frozen=True)
class Contents:
    """Everything in a bundle."""

    name: str
    envelope: Table | None
    events: tuple[Event, ...]
    dtos: tuple[Dto, ...]
    errors: tuple[ErrorEntry, ...]
    problem: Table
    """The body of every error."""
    services: tuple[Service, ...]
    subscriptions: tuple[Subscription, ...]
    exchanges: tuple[Exchange, ...]
    code_rules: tuple[CodeRule, ...]


def contents_of(bundle: Bundle) -> Contents:
    """Read all that the page shows.

    Raises:
        BundleError: A file of vectors is missing or is no JSON.
    """
    manifest = bundle.manifest
    envelope = bundle.documents.get(ENVELOPE)
    errors = bundle.documents[ERRORS]
    return Contents(
        name=bundle.name,
        envelope=_table(
            "envelope-members",
            "The envelope",
            _flat(envelope),
            _linker(bundle),
            _WRITTEN["response"],
        )
        if envelope
        else None,
        events=tuple(_event(bundle, name) for name in sorted(manifest["events"])),
        dtos=tuple(_dto(bundle, name) for name in sorted(manifest["dtos"])),
        errors=errors_of(errors),
        problem=_table(
            "problem-members", "Problem", errors["problem"], _linker(bundle)
        ),
        services=tuple(_service(bundle, name) for name in sorted(manifest["services"])),
        subscriptions=subscriptions_of(bundle.documents[ASYNCAPI]),
        exchanges=exchanges_of(bundle.documents[ASYNCAPI]),
        code_rules=tuple(_code_rules(bundle)),
    )


def _linker(bundle: Bundle, here: str = "") -> Linker:
    """Leads a ``$ref`` to the entry of a DTO, the envelope, or a table of *here*."""

    def link(ref: str) -> Part:
        document, _, pointer = ref.partition("#")
        name = (pointer or document).rpartition("/")[2].removesuffix(".schema.json")
        if document.endswith("envelope.schema.json"):
            return Part(name, code=True, anchor="envelope")
        if name in bundle.manifest["dtos"]:
            return Part(name, code=True, anchor=anchor("dto", name))
        if here:
            return Part(name, code=True, anchor=anchor(here, name))
        return Part(name, code=True)

    return link


def _flat(schema: Schema) -> Schema:
    """The schema with its own definitions in their places, where members are those."""
    definitions = {
        f"#/$defs/{name}": each for name, each in schema.get("$defs", {}).items()
    }
    members = {
        name: definitions.get(member.get("$ref", ""), member)
        for name, member in schema["properties"].items()
    }
    return {**schema, "properties": members}


def _table(
    id_: str, name: str, schema: Schema, link: Linker, written: str = ""
) -> Table:
    whole = {key: value for key, value in schema.items() if key != "enum"}
    found = tuple(rows(schema, link, written=written))
    if not found and "enum" not in schema:
        value = {k: v for k, v in schema.items() if k != "description"}
        kind = type_of(value, link)
        found = (Row("", kind, tuple(rules(value, link)), "", "", ()),)
        whole = {}
    return Table(
        id=id_,
        name=name,
        description=str(schema.get("description", "")),
        rows=found,
        values=tuple(_inline(value) for value in schema.get("enum", ())),
        rules=tuple(rules(whole, link)),
        validated_by=tuple(schema.get("x-validated-by", ())),
    )


def _dto(bundle: Bundle, name: str) -> Dto:
    entry = bundle.manifest["dtos"][name]
    schema = bundle.documents[entry["schema"]]
    id_ = anchor("dto", name)
    examples = schema.get("examples") or _valid(bundle, entry["vectors"])[:1]
    return Dto(
        id=id_,
        name=name,
        direction=entry["direction"],
        target=entry["target"],
        table=_table(
            f"{id_}-members",
            name,
            schema,
            _linker(bundle),
            _WRITTEN.get(entry["direction"], ""),
        ),
        examples=tuple(_pretty(example) for example in examples),
        used_by=tuple(_users(bundle, name)),
    )


def _users(bundle: Bundle, name: str) -> Iterator[Part]:
    for other, entry in sorted(bundle.manifest["dtos"].items()):
        refs = _refs(bundle.documents[entry["schema"]])
        if other != name and any(ref.startswith(f"{name}.schema.json") for ref in refs):
            yield Part(other, code=True, anchor=anchor("dto", other))
    for service, listed in sorted(bundle.manifest["services"].items()):
        for operation in operations_of(
            bundle.documents[listed["openapi"]], service, _linker(bundle)
        ):
            if name in operation.schemas:
                yield Part(operation.name, code=True, anchor=operation.id)


def _refs(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from _refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from _refs(value)


def _event(bundle: Bundle, name: str) -> Event:
    entry = bundle.manifest["events"][name]
    newest = sorted(entry["versions"], key=int, reverse=True)
    document = bundle.documents[entry["versions"][newest[0]]["schema"]]
    asyncapi = bundle.documents[ASYNCAPI]
    return Event(
        id=anchor("event", name),
        name=name,
        description=str(document.get("description", "")),
        versions=tuple(_version(bundle, name, number) for number in newest),
        lifted_from=tuple(sorted(entry["lifted_from"])),
        aggregate_key=entry["aggregate_key"],
        target=entry["target"],
        producers=tuple(_to_service(bundle, each) for each in entry["producers"]),
        consumers=_subscriptions(bundle, entry["consumers"]),
        exchange=exchange_of(asyncapi, name),
    )


def _version(bundle: Bundle, name: str, number: str) -> Version:
    entry = bundle.manifest["events"][name]["versions"][number]
    document = bundle.documents[entry["schema"]]
    here = anchor("event", name, f"v{number}")
    link = _linker(bundle, here)
    definitions = document.get("$defs", {})
    order = sorted(definitions, key=lambda each: (each != entry["payload"], each))
    tables = [
        _table(anchor(here, each), each, definitions[each], link, _WRITTEN["response"])
        for each in order
    ]
    valid = _valid(bundle, entry["vectors"])
    return Version(number, tuple(tables), _pretty(valid[0]) if valid else "")


def _service(bundle: Bundle, name: str) -> Service:
    entry = bundle.manifest["services"][name]
    document = bundle.documents[entry["openapi"]]
    here = anchor("service", name)
    link = _linker(bundle, here)
    info = document.get("info", {})
    schemas = document.get("components", {}).get("schemas", {})
    return Service(
        id=here,
        name=name,
        title=str(info.get("title", name)),
        version=str(info.get("version", "")),
        description=str(info.get("description", "")),
        target=entry["target"],
        operations=tuple(operations_of(document, name, link)),
        publishes=tuple(_to_event(bundle, each) for each in entry["publishes"]),
        consumes=_subscriptions(bundle, entry["consumes"]),
        tables=tuple(
            _table(anchor(here, each), each, schema, link)
            for each, schema in sorted(schemas.items())
            if each not in bundle.manifest["dtos"]
        ),
    )


def _subscriptions(bundle: Bundle, names: Iterable[str]) -> tuple[Subscription, ...]:
    wanted = set(names)
    found = subscriptions_of(bundle.documents[ASYNCAPI])
    return tuple(each for each in found if each.name in wanted)


def _to_event(bundle: Bundle, name: str) -> Part:
    known = name in bundle.manifest["events"]
    return Part(name, code=True, anchor=anchor("event", name) if known else "")


def _to_service(bundle: Bundle, name: str) -> Part:
    known = name in bundle.manifest["services"]
    return Part(name, code=True, anchor=anchor("service", name) if known else "")


def _code_rules(bundle: Bundle) -> Iterator[CodeRule]:
    places = {
        entry["schema"]: Part(name, code=True, anchor=anchor("dto", name))
        for name, entry in bundle.manifest["dtos"].items()
    }
    for name, event in bundle.manifest["events"].items():
        for number, version in event["versions"].items():
            at = anchor("event", name)
            places[version["schema"]] = Part(f"{name} v{number}", True, at)
    for rule in bundle.manifest["validated_by"]:
        path = rule["schema"]
        document = places.get(path, code(path)[0])
        yield CodeRule(document, rule["pointer"], tuple(rule["by"]))


def _valid(bundle: Bundle, path: str) -> list[Any]:
    return [each["document"] for each in bundle.vectors(path)["valid"]]


def _pretty(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)


def _inline(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
