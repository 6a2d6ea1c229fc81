"""Reading a bundle: all of it, or one line about what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools.contracts.bundle import Bundle, BundleError, to_text, vectors_of

SCHEMA = "dtos/UserDTO.schema.json"


def write(folder: Path, **changes: Any) -> Path:
    """A small bundle with *changes* to its manifest."""
    entry = {"schema": SCHEMA, "vectors": vectors_of(SCHEMA), "direction": "both"}
    manifest = {
        "format": 1,
        "dtos": {"UserDTO": {**entry, "target": "//a:b"}},
        "events": {},
        "services": {},
        "validated_by": [],
        **changes,
    }
    documents = {
        "manifest.json": manifest,
        "asyncapi.json": {},
        "errors.json": {},
        SCHEMA: {"title": "UserDTO"},
        vectors_of(SCHEMA): {"valid": [], "invalid": []},
    }
    for path, document in documents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(to_text(document))
    return folder


def test_a_bundle_is_read_with_all_its_documents(tmp_path: Path) -> None:
    """Vectors, which are most of it, only when they are asked for."""
    bundle = Bundle.load(write(tmp_path), "worktree")

    assert bundle.name == "worktree"
    assert bundle.documents[SCHEMA] == {"title": "UserDTO"}
    assert sorted(bundle.documents) == ["asyncapi.json", SCHEMA, "errors.json"]
    assert bundle.vectors(vectors_of(SCHEMA)) == {"valid": [], "invalid": []}


def test_vectors_stand_beside_the_schemas() -> None:
    """In a folder of their own, under the same name."""
    assert vectors_of(SCHEMA) == "vectors/dtos/UserDTO.json"


def test_a_folder_that_is_no_bundle_is_named(tmp_path: Path) -> None:
    """A release that does not exist, most of the time."""
    with pytest.raises(BundleError, match=r"9\.9\.9 is no bundle: it has no manifest"):
        Bundle.load(tmp_path / "9.9.9", "9.9.9")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "format must be 1 (got 2)."),
        ({"dtos": []}, "dtos must be an object."),
        ({"dtos": {"X": {}}}, "has an entry that is none (KeyError: 'schema')."),
        ({"events": {"a.b": 1}}, "has an entry that is none (TypeError: "),
        (
            {"dtos": {"X": {"schema": "../../secret.json"}}},
            "(ValueError: ../../secret.json leads out of the bundle).",
        ),
    ],
)
def test_a_broken_manifest_is_one_line(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    """It names the file and the rule."""
    with pytest.raises(BundleError) as caught:
        Bundle.load(write(tmp_path, **changes), "1.0.0")

    assert str(caught.value).startswith(f"{tmp_path}/manifest.json")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON: "),
        ("[]", "must hold a JSON object."),
        ("[" * 100_000, "is no JSON: "),
    ],
)
def test_a_broken_document_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    """Of which file is said."""
    (write(tmp_path) / SCHEMA).write_text(text)

    with pytest.raises(BundleError) as caught:
        Bundle.load(tmp_path, "1.0.0")
    assert str(caught.value).startswith(f"{tmp_path}/{SCHEMA} {message}")
    assert "\n" not in str(caught.value)


def test_a_missing_document_is_one_line(tmp_path: Path) -> None:
    """The manifest promises it."""
    (write(tmp_path) / SCHEMA).unlink()

    with pytest.raises(BundleError, match=r"UserDTO\.schema\.json is missing\.$"):
        Bundle.load(tmp_path, "1.0.0")


def test_text_has_one_form() -> None:
    """Characters as they are, two spaces, an end of line: diffs stay small."""
    assert to_text({"é": [1]}) == '{\n  "é": [\n    1\n  ]\n}\n'
    assert json.loads(to_text({"é": [1]})) == {"é": [1]}


def test_a_vector_is_one_line() -> None:
    """A change of one is one line of a diff, and the file is JSON all the same."""
    vectors = {"schema": "x", "valid": [{"a": 1}, {"b": "é"}], "invalid": []}

    assert to_text(vectors) == (
        '{\n  "schema": "x",\n  "valid": [\n    {"a": 1},\n    {"b": "é"}\n  ],\n'
        '  "invalid": []\n}\n'
    )
    assert json.loads(to_text(vectors)) == vectors


def test_text_refuses_what_json_has_not() -> None:
    """NaN would be read by Python alone."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_text({"x": float("nan")})
