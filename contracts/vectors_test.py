"""The committed vectors: what this checkout's readers and JSON Schema say of each."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import (  # type: ignore[import-untyped]  # has no types
    Draft202012Validator,
)

from shared import dtos as kernel
from shared.events import PLATFORM_EVENTS
from tools.contracts.bundle import ENVELOPE, Bundle, vectors_of
from tools.contracts.differences import DIFFERENCES, UNREACHABLE, UNSAID
from tools.contracts.dtos import dtos_of
from tools.contracts.verified import Verdict, verdicts

CURRENT = Path("contracts/current")
README = Path("contracts/README.md")

READERS = verdicts(dtos_of([kernel]), PLATFORM_EVENTS)


@cache
def bundle() -> Bundle:
    """What is committed."""
    return Bundle.load(CURRENT, "current")


@cache
def validator(path: str) -> Draft202012Validator:
    """JSON Schema's verdict: what a schema refers to is there by its ``$id``."""
    documents = bundle().documents
    shared = ENVELOPE if path.startswith("events/") else "dtos/"
    beside = {name: each for name, each in documents.items() if shared in name}
    return Draft202012Validator(
        {"$ref": documents[path]["$id"], "$defs": {**beside, path: documents[path]}},
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )


def said(path: str, document: object) -> tuple[bool, bool]:
    """The verdicts of the reader and of the schema."""
    reader: Verdict = READERS[path]
    text = json.dumps(document, ensure_ascii=False).encode()
    return reader(text), validator(path).is_valid(document)


@pytest.mark.parametrize("path", sorted(READERS))
def test_verdicts_are_those_in_the_file(path: str) -> None:
    """Of the reader and of the schema, also where they differ."""
    found = bundle().vectors(vectors_of(path))
    expected: list[tuple[Any, tuple[bool, bool]]] = [
        *((v, (True, True)) for v in found["valid"]),
        *((v, (False, v["schema_accepts"])) for v in found["invalid"]),
        *((v, (v["reader"], v["schema"])) for v in found["differs"]),
    ]
    wrong = [v["name"] for v, want in expected if said(path, v["document"]) != want]

    assert wrong == []
    assert len(found["valid"]) >= 3


def test_every_schema_has_vectors() -> None:
    """Each DTO and each version of an event that the manifest lists."""
    manifest = bundle().manifest
    versions = [v for e in manifest["events"].values() for v in e["versions"].values()]
    files = [each["vectors"] for each in [*manifest["dtos"].values(), *versions]]

    assert files != []
    assert [name for name in files if not (CURRENT / name).is_file()] == []


def test_every_function_in_the_manifest_is_broken_by_a_vector() -> None:
    """What only code checks has documents that only code refuses, or a note."""
    silent = [
        (entry["schema"], name)
        for entry in bundle().manifest["validated_by"]
        for name in entry["by"]
        if f" {name}: " not in told_of(entry["schema"])
    ]

    assert silent == []


def told_of(schema: str) -> str:
    """The names of the vectors that only code refuses, and the notes."""
    found = bundle().vectors(vectors_of(schema))
    names = [v["name"] for v in found["invalid"] if v["schema_accepts"]]
    return "\n".join([*names, *found["notes"]])


def test_the_readme_lists_every_difference() -> None:
    """With its reason, in the words of the tables that the vectors are made from."""
    text = " ".join(README.read_text("utf-8").replace("|", " ").split())
    entries = bundle().manifest["validated_by"]
    samples = [
        vector["reason"]
        for entry in entries
        for vector in bundle().vectors(vectors_of(entry["schema"]))["invalid"]
        if vector["schema_accepts"]
    ]
    functions = {f"`{name}`" for entry in entries for name in entry["by"]}
    reasons = [difference.reason for difference in DIFFERENCES]
    told = [each.says for each in UNSAID.values() if each.says]
    wanted = [*samples, *functions, *reasons, *told, *UNREACHABLE.values()]

    assert [line for line in wanted if " ".join(line.split()) not in text] == []
    assert [each.name for each in DIFFERENCES if each.name not in text] == []
