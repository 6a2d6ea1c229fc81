"""The official validators of each format, on the committed bundle.

`//contracts:goldens_test` holds that to what the code exports.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import (  # type: ignore[import-untyped]  # has no types
    Draft202012Validator,
    SchemaError,
)
from openapi_spec_validator import OpenAPIV31SpecValidator

from contracts.typescript.needs_node import needs_node
from contracts.typescript.node import Node

CURRENT: Final = Path("contracts/current")
PROGRAMS: Final = Path("contracts/tests")
SCHEMAS: Final = sorted(CURRENT.rglob("*.schema.json"))
OPENAPI: Final = sorted(CURRENT.glob("openapi/*.json"))

Say = Callable[..., list[dict[str, Any]]]

# We write 3.0, which is what the tools of the platform's languages read.
NEWER_THERE_IS: Final = "asyncapi-latest-version"


def read(path: Path) -> Any:
    """The document in a file."""
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    """Node with the packages, unpacked once."""
    return needs_node(tmp_path_factory.mktemp("node"))


@pytest.fixture
def say(node: Node) -> Say:
    """What a validator of Node says of files."""

    def say(program: str, *files: Path) -> list[dict[str, Any]]:
        done = node.run(PROGRAMS / program, *files)
        assert done.returncode == 0, done.stderr
        said: list[dict[str, Any]] = json.loads(done.stdout)
        return [each for each in said if each["code"] != NEWER_THERE_IS]

    return say


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A bundle that a test may spoil."""
    return Path(shutil.copytree(CURRENT, tmp_path / "bundle"))


def spoil(path: Path, change: Callable[[Any], object]) -> Path:
    """Change a document, and return where it is."""
    document = read(path)
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_every_schema_is_one() -> None:
    """By the meta-schema of JSON Schema 2020-12."""
    assert len(SCHEMAS) > 50
    for path in SCHEMAS:
        Draft202012Validator.check_schema(read(path))


def test_every_reference_of_a_schema_leads_to_a_file() -> None:
    """Who takes one schema finds all that it is made of."""
    found = [
        (path, reference.partition("#")[0])
        for path in SCHEMAS
        for reference in re.findall(r'"\$ref": "([^"]+)"', path.read_text("utf-8"))
    ]
    lost = [file for path, file in found if not (path.parent / file).exists()]

    assert len(found) > 50
    assert lost == []


def test_the_schema_of_problems_is_one() -> None:
    """It is in the error catalogue."""
    Draft202012Validator.check_schema(read(CURRENT / "errors.json")["problem"])


def test_what_is_no_schema_is_found() -> None:
    """The test above can fail."""
    schema = read(SCHEMAS[0]) | {"type": "strnig"}

    with pytest.raises(SchemaError, match="'strnig' is not valid"):
        Draft202012Validator.check_schema(schema)


def test_every_service_has_valid_openapi() -> None:
    """By openapi-spec-validator."""
    assert OPENAPI != []
    for path in OPENAPI:
        found = [
            each.message for each in OpenAPIV31SpecValidator(read(path)).iter_errors()
        ]
        assert found == []


def test_what_is_no_openapi_is_found() -> None:
    """The test above can fail."""
    document = read(OPENAPI[0])
    del document["info"]["title"]

    (found,) = OpenAPIV31SpecValidator(document).iter_errors()

    # Its quotes depend on which of two validators is installed.
    assert "title' is a required" in found.message.replace('"', "'")


def test_every_service_passes_redocly(say: Say) -> None:
    """Its examples, too, are what their schemas say."""
    assert say("openapi.mjs", *OPENAPI) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param(
            lambda document: document["info"].pop("title"), "struct", id="no title"
        ),
        pytest.param(
            lambda document: document["components"]["schemas"].pop("Problem"),
            "no-unresolved-refs",
            id="a reference to nothing",
        ),
        pytest.param(
            lambda document: document["paths"]["/users"]["post"]["responses"]["409"][
                "content"
            ]["application/problem+json"]["examples"]["conflict"]["value"].update(
                status="409"
            ),
            "no-invalid-media-type-examples",
            id="an example that is none",
        ),
        pytest.param(
            lambda document: document["paths"]["/users"]["get"].update(
                operationId="users_register"
            ),
            "operation-operationId-unique",
            id="two operations of one name",
        ),
    ],
)
def test_what_redocly_refuses_is_found(
    say: Say, copied: Path, change: Callable[[Any], object], code: str
) -> None:
    """The test above can fail."""
    path = spoil(copied / "openapi/accounts.json", change)

    assert code in {each["code"] for each in say("openapi.mjs", path)}


def test_the_events_are_valid_asyncapi(say: Say) -> None:
    """By @asyncapi/parser, which also follows the references to the schemas."""
    assert say("asyncapi.mjs", CURRENT / "asyncapi.json") == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param(
            lambda document: document["info"].pop("title"),
            "asyncapi-document-resolved",
            id="no title",
        ),
        pytest.param(
            lambda document: document["components"]["messages"][
                "user.registered.v1"
            ].update(payload={"$ref": "events/user.nothing.v1.schema.json"}),
            "invalid-ref",
            id="a schema that is not there",
        ),
        pytest.param(
            lambda document: document["operations"]["accounts.sends.user.registered"][
                "messages"
            ].append({"$ref": "#/components/messages/user.registered.v1"}),
            "asyncapi3-operation-messages-from-referred-channel",
            id="a message of no channel",
        ),
        pytest.param(
            lambda document: document["channels"]["queue.creativeflow.unrouted"][
                "bindings"
            ]["amqp"].update({"is": "que"}),
            "asyncapi-document-resolved",
            id="a binding that is none",
        ),
    ],
)
def test_what_is_no_asyncapi_is_found(
    say: Say, copied: Path, change: Callable[[Any], object], code: str
) -> None:
    """The test above can fail."""
    path = spoil(copied / "asyncapi.json", change)

    assert code in {each["code"] for each in say("asyncapi.mjs", path)}
