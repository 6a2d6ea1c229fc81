"""The vectors of the kernel's own schemas, held to the schemas by other means.

Nothing of the generator is used to judge what it made but `inline`: the verdicts are
those of the plain validator on the documents as they are exported.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from hashlib import sha256
from itertools import pairwise
from typing import Any

import pytest
from jsonschema import (  # type: ignore[import-untyped]  # has no types
    Draft202012Validator,
)
from pydantic import TypeAdapter

from shared import dtos as dto_module
from shared.events import PLATFORM_EVENTS, EventFormatError, EventRegistry, UnknownEvent
from tools.contracts._vectors_inline import inline
from tools.contracts.bundle import ENVELOPE, to_text
from tools.contracts.differences import DIFFERENCES, UNSAID
from tools.contracts.dtos import dto_documents, dtos_of, path_of
from tools.contracts.events import event_documents, key_of
from tools.contracts.events import path_of as path_of_event
from tools.contracts.tests.schemas import Route, rules, siblings, unneeded, values_at
from tools.contracts.vectors import make_vectors

Reader = Callable[[bytes], bool]


def read_dto(adapter: TypeAdapter[Any], data: bytes) -> bool:
    """Whether the DTO takes it."""
    try:
        adapter.validate_json(data)
    except ValueError:
        return False
    return True


def read_event(registry: EventRegistry, known: bool, data: bytes) -> bool:
    """Whether it is an event, and of the one type that the registry has."""
    try:
        return isinstance(registry.parse(data), UnknownEvent) is not known
    except EventFormatError:
        return False


@cache
def kernel() -> tuple[dict[str, Any], dict[str, Reader]]:
    """All documents, and for each its reader."""
    classes = dtos_of([dto_module])
    documents = {
        **dto_documents(classes)[0],
        **event_documents(PLATFORM_EVENTS)[0],
    }
    readers: dict[str, Reader] = {
        path_of(name): partial(read_dto, TypeAdapter(cls))
        for name, cls in classes.items()
    }
    readers[ENVELOPE] = partial(read_event, EventRegistry(), False)
    for event in PLATFORM_EVENTS:
        path = path_of_event(*key_of(event))
        readers[path] = partial(read_event, EventRegistry([event]), True)
    return documents, readers


PATHS = sorted(kernel()[0])


@cache
def vectors(path: str) -> dict[str, Any]:
    """The vectors of a schema of the kernel."""
    documents, readers = kernel()
    return make_vectors(
        documents[path],
        documents=documents,
        path=path,
        accepts=readers[path],
        examples=[],
    )


@cache
def validator(path: str) -> Draft202012Validator:
    """The plain validator, which finds what the schema refers to by its ``$id``."""
    documents = kernel()[0]
    shared = ENVELOPE if path.startswith("events/") else "dtos/"
    beside = {name: each for name, each in documents.items() if shared in name}
    return Draft202012Validator(
        {"$ref": documents[path]["$id"], "$defs": {**beside, path: documents[path]}},
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )


def reads(path: str, document: object) -> bool:
    """The reader's verdict."""
    return kernel()[1][path](json.dumps(document).encode())


@pytest.mark.parametrize("path", PATHS)
def test_valid_for_both(path: str) -> None:
    """The reader and the schema accept each of at least three valid documents."""
    found = vectors(path)["valid"]
    check = validator(path)
    schema_refuses = [v["name"] for v in found if not check.is_valid(v["document"])]
    reader_refuses = [v["name"] for v in found if not reads(path, v["document"])]

    assert len(found) >= 3
    assert schema_refuses == []
    assert reader_refuses == []


@pytest.mark.parametrize("path", PATHS)
def test_invalid_for_both(path: str) -> None:
    """Both refuse each invalid document; if not the schema, there is a reason."""
    found = vectors(path)["invalid"]
    check = validator(path)
    unlike = [
        v["name"] for v in found if check.is_valid(v["document"]) != v["schema_accepts"]
    ]
    accepted = [v["name"] for v in found if reads(path, v["document"])]
    unsaid = [v for v in found if v["schema_accepts"]]

    assert unlike == []
    assert accepted == []
    assert {v["keyword"] for v in unsaid} <= {"x-validated-by"}
    assert all(v["reason"] for v in unsaid)


@pytest.mark.parametrize("path", PATHS)
def test_differences_are_as_listed(path: str) -> None:
    """Where reader and schema differ, the file says so: both verdicts, and why."""
    check = validator(path)
    found = vectors(path)["differs"]
    wrong = [
        v["name"]
        for v in found
        if (reads(path, v["document"]), check.is_valid(v["document"]))
        != (v["reader"], v["schema"])
    ]

    assert wrong == []
    assert all(v["reason"] for v in found)
    assert all(v["reader"] != v["schema"] or v["ajv"] != v["schema"] for v in found)


@pytest.mark.parametrize("path", PATHS)
def test_every_rule_is_needed(path: str) -> None:
    """Without any one rule of the schema, some invalid vector would be valid.

    Else that rule could be lost, and no vector would tell.
    """
    documents = kernel()[0]
    schema = inline(documents[path], documents, path)

    assert unneeded(schema, vectors(path)) == []


@pytest.mark.parametrize(
    "keyword", ["type", "required", "minLength", "maxLength", "pattern", "format"]
)
def test_a_rule_without_vectors_is_noticed(keyword: str) -> None:
    """Else the test above would be worth nothing."""
    documents = kernel()[0]
    path = "dtos/BrandKitCreateDTO.schema.json"
    schema = inline(documents[path], documents, path)
    found = vectors(path)
    fewer = [v for v in found["invalid"] if v["keyword"] != keyword]

    assert unneeded(schema, {**found, "invalid": fewer, "differs": []}) != []


@pytest.mark.parametrize("path", PATHS)
def test_every_choice_and_bound_is_there(path: str) -> None:
    """Valid documents have each value of an enumeration, each bound, each branch."""
    documents = kernel()[0]
    schema = inline(documents[path], documents, path)
    found = vectors(path)
    seen: dict[Route, list[Any]] = {}
    for vector in found["valid"]:
        for route, values in values_at(schema, vector["document"]).items():
            seen.setdefault(route, []).extend(values)
    noted = " ".join(found["notes"])
    missing = [
        (route, want)
        for route, value in rules(schema)
        for want in wanted(route[-1], value)
        if want not in [measure(route[-1], v) for v in seen.get(route[:-1], [])]
        and f"/{pointer_of(route)}" not in noted
    ]

    assert missing == []


def wanted(keyword: str | int, value: Any) -> list[Any]:
    """What must be there of a rule's values."""
    if keyword == "enum":
        return list(value)
    bounds = ("const", "minLength", "maxLength", "minItems", "maxItems")
    if keyword in bounds or keyword in ("minimum", "maximum"):
        return [value]
    return ["null"] if keyword == "type" and value == "null" else []


def measure(keyword: str | int, value: Any) -> Any:
    """What a rule looks at in a value."""
    if value is None:
        return "null"
    sized = keyword in ("minLength", "maxLength", "minItems", "maxItems")
    return len(value) if sized and isinstance(value, str | list) else value


def pointer_of(route: Route) -> str:
    """Where in the document the schema at a route is."""
    names = pairwise(route)
    return "/".join(str(name) for above, name in names if above == "properties")


@pytest.mark.parametrize("path", PATHS)
def test_longest_text_is_counted_in_code_points(path: str) -> None:
    """Text of the most characters has one beyond the BMP, where it may have any.

    A reader that counts UTF-16 units or bytes would refuse it.
    """
    documents = kernel()[0]
    schema = inline(documents[path], documents, path)
    seen: dict[Route, list[Any]] = {}
    for vector in vectors(path)["valid"]:
        for route, values in values_at(schema, vector["document"]).items():
            seen.setdefault(route, []).extend(values)
    plain = [
        route
        for route, bound in rules(schema)
        if route[-1] == "maxLength"
        and not siblings(schema, route) & {"format", "pattern"}
        and not any(
            isinstance(value, str) and len(value) == bound and max(value) > "\uffff"
            for value in seen[route[:-1]]
        )
    ]

    assert plain == []


def test_names_tell_vectors_apart() -> None:
    """In each list of a file, a name is there once."""
    lists = [
        [vector["name"] for vector in vectors(path)[part]]
        for path in PATHS
        for part in ("valid", "invalid", "differs")
    ]

    assert [names for names in lists if len(set(names)) < len(names)] == []


def test_every_known_difference_is_seen() -> None:
    """The tables list no sample that the kernel has no place for."""
    tables = {difference.name for difference in DIFFERENCES}
    seen = {
        vector["name"].partition(": ")[2]
        for path in PATHS
        for vector in vectors(path)["differs"]
    }
    functions = {
        name
        for document in kernel()[0].values()
        for route_names in unsaid_in(document)
        for name in route_names
    }

    assert tables - seen == NOT_IN_THE_KERNEL
    assert functions <= UNSAID.keys()


# No model of the kernel has a set, a plain float, or these formats. The models of
# vectors_models_test have.
NOT_IN_THE_KERNEL = {
    "a number for a duration",
    "a number for a time of day",
    "a number for an IPv4 address",
    "a number for an IPv6 address",
    "a time of day without a zone",
    "an item twice",
    "true for a number",
}


def unsaid_in(schema: Any) -> Iterator[list[str]]:
    """The lists in ``x-validated-by`` of a document."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "x-validated-by":
                yield value
            yield from unsaid_in(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from unsaid_in(value)


def test_each_function_has_its_own_vectors() -> None:
    """What a schema leaves to code is broken in a vector, or a note says why not."""
    silent = [
        (path, name)
        for path in PATHS
        for names in unsaid_in(inline(kernel()[0][path], kernel()[0], path))
        for name in names
        if not any(f" {name}: " in v["name"] for v in vectors(path)["invalid"])
        and not any(f" {name}: " in note for note in vectors(path)["notes"])
    ]

    assert silent == []


def test_an_event_is_held_to_its_own_type() -> None:
    """Another type or version is read as `UnknownEvent`, and so not as this event."""
    found = vectors("events/user.registered.v1.schema.json")["invalid"]
    const = {v["pointer"]: v for v in found if v["keyword"] == "const"}

    assert const.keys() == {"/event_type", "/schema_version"}
    assert const["/schema_version"]["document"]["schema_version"] == 2


def test_a_password_lacks_one_kind_of_characters_at_a_time() -> None:
    """No keyword says it: the schema accepts these passwords, each with its reason."""
    found = vectors("dtos/UserCreateDTO.schema.json")["invalid"]
    passwords = {
        v["reason"]: v["document"]["password"]
        for v in found
        if v["keyword"] == "x-validated-by" and v["pointer"] == "/password"
    }

    assert passwords["No uppercase letter."] == "aaaaaaaaaa1-"
    assert len(passwords) == 5


_DIGEST = """
import hashlib
from tools.contracts.tests import vectors_test as t
text = "".join(t.to_text(t.vectors(path)) for path in t.PATHS)
print(hashlib.sha256(text.encode()).hexdigest())
"""


@pytest.mark.parametrize("seed", ["1", "2"])
def test_same_bytes_in_every_run(seed: str) -> None:
    """Another process, with another order of sets, makes the same files."""
    text = "".join(to_text(vectors(path)) for path in PATHS)
    other = subprocess.run(
        [sys.executable, "-c", _DIGEST],
        env={
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        },
        capture_output=True,
        text=True,
        check=True,
    )

    assert other.stdout.strip() == sha256(text.encode()).hexdigest()
