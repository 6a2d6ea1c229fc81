from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tools.vendor.sbom import compose
from tools.vendor.tests.shop import digest, wheel
from tools.vendor.wheels import Wheel, closure

NONE: frozenset[str] = frozenset()
TEXT = "Permission is hereby granted, free of charge, to any person " * 2


def describe(*paths: Path, created: datetime | None = None) -> str:
    """Compose the SBOM of wheels of which the first was asked for."""
    wheels = [Wheel(path) for path in paths]
    root = wheels[0].name
    chosen = closure({w.name: w for w in wheels}, {root: NONE})
    return compose(chosen, direct=[root], created=created)


def test_components_and_edges_are_complete_and_valid(tmp_path: Path) -> None:
    """Names, versions, digests and who needs whom, by CycloneDX's own schema."""
    app = wheel(tmp_path, "app", "1", "web-kit>=2")
    web = wheel(tmp_path, "web-kit", "2.1")

    text = describe(app, web)

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document = json.loads(text)
    components = {c["purl"]: c for c in document["components"]}
    assert sorted(components) == ["pkg:pypi/app@1", "pkg:pypi/web-kit@2.1"]
    assert components["pkg:pypi/web-kit@2.1"]["hashes"] == [
        {"alg": "SHA-256", "content": digest(web)}
    ]
    edges = {d["ref"]: d.get("dependsOn", []) for d in document["dependencies"]}
    assert edges == {
        "root": ["pkg:pypi/app@1"],
        "pkg:pypi/app@1": ["pkg:pypi/web-kit@2.1"],
        "pkg:pypi/web-kit@2.1": [],
    }


@pytest.mark.parametrize(
    ("fields", "licences"),
    [
        ("License-Expression: MIT\n", [{"license": {"id": "MIT"}}]),
        (
            "License-Expression: MIT OR Apache-2.0\n",
            [{"expression": "MIT OR Apache-2.0"}],
        ),
        ("License: BSD-3-Clause\n", [{"license": {"id": "BSD-3-Clause"}}]),
        ("License: Our own\n", [{"license": {"name": "Our own"}}]),
        (
            f"License: {TEXT}\nClassifier: License :: OSI Approved :: MIT License\n",
            [{"license": {"name": "MIT License"}}],
        ),
        ("", None),
    ],
)
def test_the_licence_is_told_as_declared(
    tmp_path: Path, fields: str, licences: list[dict[str, Any]] | None
) -> None:
    """SPDX expression, else short text, else classifiers; nothing is guessed."""
    text = describe(wheel(tmp_path, "app", "1", fields=fields))

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    plain = text.replace('"acknowledgement": "declared",', "")
    assert json.loads(plain)["components"][0].get("licenses") == licences


def test_equal_wheels_give_equal_text(tmp_path: Path) -> None:
    """An SBOM in version control changes when the wheels do, and only then."""
    app = wheel(tmp_path, "app", "1")
    first = describe(app)
    again = describe(app)
    changed = describe(wheel(tmp_path, "app", "1", fields="License-Expression: ISC\n"))

    assert first == again
    assert "timestamp" not in first
    assert json.loads(first)["serialNumber"] != json.loads(changed)["serialNumber"]


def test_a_moment_of_creation_is_written_when_given(tmp_path: Path) -> None:
    """SOURCE_DATE_EPOCH is how a release build says when it was."""
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    document = json.loads(describe(wheel(tmp_path, "app", "1"), created=moment))

    assert document["metadata"]["timestamp"] == "2026-01-02T03:04:05+00:00"
