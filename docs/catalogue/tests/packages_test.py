"""Packages from graph files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docs.catalogue.packages import PublicTarget, read


def target(label: str, *deps: str, behind: str = "", **more: Any) -> dict[str, Any]:
    """An entry of a graph file."""
    first_party = [label, *behind.split()]
    return {
        "label": label,
        "kind": "py_library",
        "srcs": [],
        "deps": list(deps),
        "first_party": first_party,
        "testonly": False,
        **more,
    }


ERRORS = [
    target(
        "//shared/errors:errors",
        "//shared/errors:_codes",
        behind="//shared/errors:_codes",
    ),
    target("//shared/errors:_codes", "//third_party:orjson"),
    target(
        "//shared/errors:handlers",
        "//shared/errors:errors",
        "//shared/logging:logging",
        "//third_party:fastapi",
        behind="//shared/errors:errors //shared/errors:_codes",
    ),
    target("//shared/errors:fakes", "//shared/cache:cache", testonly=True),
    target("//shared/errors:tests/x_test", "//shared/utils:utils", kind="py_test"),
]


def graphs(folder: Path, **packages: list[dict[str, Any]]) -> list[Path]:
    """Write graph files."""
    files = []
    for name, entries in packages.items():
        file = folder / f"{name}.json"
        file.write_text(json.dumps(entries))
        files.append(file)
    return files


def test_needs_of_the_facade_and_of_glue_are_told_apart(tmp_path: Path) -> None:
    """What only handlers imports is no need of who imports the facade."""
    (errors,) = read(graphs(tmp_path, errors=ERRORS))

    assert (errors.name, errors.floor) == ("errors", 1)
    assert errors.needs == frozenset()
    assert errors.glue_needs == {"logging"}


def test_public_targets_are_listed_facade_first(tmp_path: Path) -> None:
    """As one writes them in deps, with what each brings in."""
    (errors,) = read(graphs(tmp_path, errors=ERRORS))

    assert errors.targets == (
        PublicTarget("//shared/errors", ("orjson",)),
        PublicTarget(
            "//shared/errors:handlers", ("fastapi", "orjson"), ("//shared/logging",)
        ),
    )


def test_packages_come_by_floor_and_test_doubles_last(tmp_path: Path) -> None:
    """Whatever the order of the files; targets outside shared/ are none."""
    files = graphs(
        tmp_path,
        testing=[target("//shared/testing:testing", testonly=True)],
        utils=[target("//shared/utils:utils")],
        tools=[target("//tools/x:x")],
        config=[target("//shared/config:config")],
    )

    assert [(p.name, p.floor) for p in read(files)] == [
        ("config", 2),
        ("utils", 3),
        ("testing", None),
    ]
