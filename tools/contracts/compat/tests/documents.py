"""Small documents of every kind, and bundles made of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

from tools.contracts.bundle import (
    ASYNCAPI,
    BASE,
    ENVELOPE,
    ERRORS,
    FORMAT,
    MANIFEST,
    Bundle,
    to_text,
    vectors_of,
)
from tools.contracts.compat.baselines import RELEASE, digests_of, facts_of
from tools.contracts.compat.finding import Finding
from tools.contracts.compat.place import Place
from tools.contracts.compat.versions import Version

Document = dict[str, Any]
Change = Callable[[Document], object]

DTO: Final[Document] = {
    "$id": f"{BASE}dtos/UserDTO.schema.json",
    "title": "UserDTO",
    "description": "A user.",
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 20},
        "age": {"type": "integer"},
    },
    "required": ["name"],
    "x-written": ["name", "age"],
}
_EVENT: Final[Document] = {
    "title": "user.registered",
    "type": "object",
    "properties": {
        "event_id": {"$ref": "envelope.schema.json#/$defs/event_id"},
        "event_type": {"const": "user.registered"},
        "schema_version": {"const": 1},
        "payload": {"$ref": "#/$defs/UserRegisteredPayload"},
    },
    "required": ["event_id", "event_type", "payload"],
    "$defs": {
        "UserRegisteredPayload": {
            "type": "object",
            "properties": {"email": {"type": "string", "maxLength": 50}},
            "required": ["email"],
        }
    },
}
_ENVELOPE: Final[Document] = {
    "$id": f"{BASE}{ENVELOPE}",
    "type": "object",
    "properties": {"event_id": {"$ref": "#/$defs/event_id"}},
    "required": ["event_id"],
    "$defs": {"event_id": {"type": "string", "format": "uuid"}},
}
_PATH: Final = "events/user.registered.v{}.schema.json"

PROBLEM: Final[Document] = {
    "type": "object",
    "properties": {"code": {"type": "string"}, "status": {"type": "integer"}},
    "required": ["code", "status"],
}


def error(code: str, status: int, **more: Any) -> Document:
    """An entry of the catalogue."""
    return {
        "code": code,
        "status": status,
        "other_statuses": [],
        "title": code.capitalize(),
        "type": "about:blank",
        "when": f"It is {code}.",
        "package": "shared.errors",
        **more,
    }


def errors() -> Document:
    """``errors.json``: two codes of the kernel, one of a service."""
    return {
        "problem": copy.deepcopy(PROBLEM),
        "kernel": [error("bad_request", 400), error("conflict", 409)],
        "services": {"accounts": [error("quota_used", 409)]},
    }


def files() -> dict[str, Document]:
    """A bundle: a DTO, an event of one version, a service; by path."""
    return {
        MANIFEST: {
            "format": FORMAT,
            "dtos": {"UserDTO": dto_entry("UserDTO")},
            "events": {
                "user.registered": {
                    "versions": {"1": event_version(1)},
                    "lifted_from": [],
                    "aggregate_key": "user_id",
                    "target": "//shared/events:user",
                    "producers": ["accounts"],
                    "consumers": [],
                }
            },
            "services": {
                "accounts": {
                    "openapi": "openapi/accounts.json",
                    "target": "//examples/accounts:contract",
                    "publishes": ["user.registered"],
                    "consumes": {},
                }
            },
            "validated_by": [],
        },
        ENVELOPE: copy.deepcopy(_ENVELOPE),
        "dtos/UserDTO.schema.json": copy.deepcopy(DTO),
        _PATH.format(1): copy.deepcopy(_EVENT),
        ERRORS: errors(),
        ASYNCAPI: {"asyncapi": "3.0.0", "info": {"title": "Events"}},
        "openapi/accounts.json": {"openapi": "3.1.0", "info": {}, "paths": {}},
        "vectors/dtos/UserDTO.json": {"valid": [], "invalid": []},
    }


def dto_entry(name: str, direction: str = "both") -> Document:
    """A DTO in the manifest."""
    path = f"dtos/{name}.schema.json"
    return {
        "schema": path,
        "vectors": vectors_of(path),
        "direction": direction,
        "target": "//shared/dtos:user",
    }


def event_version(number: int) -> Document:
    """A version of user.registered in the manifest."""
    path = _PATH.format(number)
    return {
        "schema": path,
        "vectors": vectors_of(path),
        "payload": "UserRegisteredPayload",
    }


def add_version(bundle: Document, number: int) -> None:
    """Give user.registered another version."""
    document = copy.deepcopy(_EVENT)
    document["properties"]["schema_version"]["const"] = number
    bundle[_PATH.format(number)] = document
    versions = bundle[MANIFEST]["events"]["user.registered"]["versions"]
    versions[str(number)] = event_version(number)


def drop_version(bundle: Document, number: int, *, lifted: bool) -> None:
    """Take a version away, with or without an upcaster in its place."""
    del bundle[_PATH.format(number)]
    event = bundle[MANIFEST]["events"]["user.registered"]
    del event["versions"][str(number)]
    if lifted:
        event["lifted_from"].append(number)


def nothing(_: Document) -> None:
    """No change."""


def texts(change: Change = nothing) -> dict[str, bytes]:
    """The files of a bundle after a change, as they are written."""
    documents = files()
    change(documents)
    return {path: to_text(each).encode() for path, each in documents.items()}


def write_files(folder: Path, written: Mapping[str, bytes]) -> Path:
    """Write files below a folder."""
    for path, data in written.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def write_bundle(folder: Path, change: Change = nothing) -> Path:
    """Write a bundle to a folder."""
    return write_files(folder, texts(change))


def write_archive(path: Path, change: Change = nothing) -> Path:
    """Write a bundle as //contracts:bundle does."""
    with ZipFile(path, "w") as archive:
        for name, data in texts(change).items():
            archive.writestr(name, data)
    return path


def write_release(
    released: Path,
    version: str,
    change: Change = nothing,
    *,
    previous: str | None = None,
) -> Path:
    """Write a baseline, as :release does."""
    folder = write_bundle(released / version, change)
    facts = facts_of(
        Version.parse(version),
        Version.parse(previous) if previous else None,
        None,
        digests_of(folder),
    )
    (folder / RELEASE).write_text(to_text(facts))
    return folder


def bundle(change: Change = nothing) -> Bundle:
    """A bundle in memory."""
    documents = files()
    change(documents)
    manifest = documents.pop(MANIFEST)
    return Bundle("made", Path("/none"), manifest, documents)  # type: ignore[arg-type]


def root(document: Document, name: str = "document.json") -> Place:
    """The place of a whole document."""
    return Place({name: document}, name, "")


def told(findings: list[Finding]) -> list[tuple[str, str, str]]:
    """What a test compares: rule, impact and pointer of each, sorted."""
    return sorted((each.rule, each.impact.value, each.pointer) for each in findings)
