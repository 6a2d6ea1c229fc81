"""A bundle of contracts as files: where everything stands, and the one way to read it.

    manifest.json                          what there is: see `Manifest`
    errors.json                            codes of the kernel, and of each service
    asyncapi.json                          AsyncAPI 3.0: channels, queues, messages
    openapi/<service>.json                 OpenAPI 3.1
    dtos/<Name>.schema.json                JSON Schema 2020-12, one a DTO or enum
    events/envelope.schema.json            the members that all events share
    events/<type>.v<version>.schema.json   one document an event: envelope and payload
    vectors/<path of the schema>.json      documents that are valid, and that are not

``contracts/current`` is the bundle of this checkout, ``contracts/released/<version>``
are those that were released.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal, TypedDict

FORMAT: Final = 1
"""Of the bundle's layout; a reader refuses another one."""

MANIFEST: Final = "manifest.json"
ERRORS: Final = "errors.json"
ASYNCAPI: Final = "asyncapi.json"
ENVELOPE: Final = "events/envelope.schema.json"

BASE: Final = "https://contracts.creativeflow.example/"
"""Before the path of every ``$id``. A name, and nothing to fetch (RFC 2606)."""

Direction = Literal["request", "response", "both"]
"""Who writes a DTO: the caller, the service, or either."""


class DtoEntry(TypedDict):
    """A DTO or enum in the manifest."""

    schema: str
    vectors: str
    direction: Direction
    target: str
    """The Bazel target to depend on: ``//shared/dtos:user``."""


class EventVersion(TypedDict):
    """One version of an event in the manifest."""

    schema: str
    vectors: str
    payload: str
    """The name of the payload's class, and of its definition in the schema."""


class EventEntry(TypedDict):
    """A type of event in the manifest."""

    versions: dict[str, EventVersion]
    """By number, as text: JSON has no other keys."""
    lifted_from: list[int]
    """Older versions that upcasters bring to the newest one."""
    aggregate_key: str | None
    target: str
    producers: list[str]
    """Services."""
    consumers: list[str]
    """Queues: ``accounts.send_verification``."""


class ServiceEntry(TypedDict):
    """A service in the manifest."""

    openapi: str
    target: str
    publishes: list[str]
    consumes: dict[str, list[str]]
    """Each queue, and the routing keys that are bound to it."""


class ValidatedBy(TypedDict):
    """A rule that JSON Schema can't say: code checks it."""

    schema: str
    pointer: str
    by: list[str]


class Manifest(TypedDict):
    """What is in a bundle."""

    format: int
    dtos: dict[str, DtoEntry]
    events: dict[str, EventEntry]
    services: dict[str, ServiceEntry]
    validated_by: list[ValidatedBy]


class BundleError(ValueError):
    """A bundle can't be read. The message is one line: the file, what is wrong."""


@dataclass(frozen=True)
class Bundle:
    """A bundle in memory. Vectors are read when they are asked for."""

    name: str
    """What people call it: ``1.0.0``, ``worktree``."""
    folder: Path
    manifest: Manifest
    documents: Mapping[str, Any]
    """Every JSON document but vectors and the manifest, by its path in the bundle."""

    @classmethod
    def load(cls, folder: Path, name: str) -> Bundle:
        """Read a bundle from its folder.

        Raises:
            BundleError: The folder is none, a file is missing or is no JSON, or the
                layout is another one.
        """
        path = folder / MANIFEST
        if not path.is_file():
            raise BundleError(f"{folder} is no bundle: it has no {MANIFEST}.")
        manifest = _object(path)
        found = manifest.get("format")
        if found != FORMAT:
            raise BundleError(f"{path}: format must be {FORMAT} (got {found!r}).")
        for section in ("dtos", "events", "services"):
            if not isinstance(manifest.get(section), dict):
                raise BundleError(f"{path}: {section} must be an object.")
        names = [ASYNCAPI, ERRORS, *_listed(manifest, path)]
        documents = {name: _object(folder / name) for name in sorted(set(names))}
        return cls(name, folder, manifest, documents)  # type: ignore[arg-type]

    def vectors(self, path: str) -> dict[str, Any]:
        """The vectors at *path*.

        Raises:
            BundleError: The file is missing or is no JSON.
        """
        return _object(self.folder / path)


def vectors_of(schema: str) -> str:
    """Where the vectors of the schema at a path are."""
    return f"vectors/{schema.removesuffix('.schema.json')}.json"


def to_text(document: object) -> str:
    """*document* as every file of a bundle is written: one way only.

    Two spaces a level; a vector, of which there are thousands, is one line.

    Raises:
        ValueError: It has a number that JSON has no form for.
    """
    if isinstance(document, dict) and "valid" in document and "schema" in document:
        return _vectors_text(document)
    return _json(document, indent=2) + "\n"


def _vectors_text(document: dict[str, Any]) -> str:
    members = []
    for name, value in document.items():
        if isinstance(value, list) and value:
            lines = ",\n".join(f"    {_json(each)}" for each in value)
            members.append(f'  "{name}": [\n{lines}\n  ]')
        else:
            members.append(f'  "{name}": {_json(value)}')
    return "{\n" + ",\n".join(members) + "\n}\n"


def _json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)


def _listed(manifest: dict[str, Any], path: Path) -> Iterator[str]:
    try:
        if manifest["events"]:
            yield ENVELOPE
        for dto in manifest["dtos"].values():
            yield _inside(dto["schema"])
        for event in manifest["events"].values():
            for version in event["versions"].values():
                yield _inside(version["schema"])
        for service in manifest["services"].values():
            yield _inside(service["openapi"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise BundleError(f"{path} has an entry that is none ({reason}).") from None


def _inside(path: str) -> str:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts:
        raise ValueError(f"{path} leads out of the bundle")
    return path


def _object(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(f"{path} is missing.") from None
    except OSError as error:
        raise BundleError(f"{path} can't be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} is no JSON: {error}.") from None
    if not isinstance(document, dict):
        raise BundleError(f"{path} must hold a JSON object.")
    return document
