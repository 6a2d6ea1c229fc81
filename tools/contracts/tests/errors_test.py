"""The error catalogue: every code, and what is written of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from shared.errors import UpstreamException, catalogue
from shared.errors.handlers import register_exception_handlers
from tools.contracts.errors import (
    ErrorEntry,
    codes_of,
    entry_of,
    error_document,
    kernel_errors,
)

# A class that declares a code does it in a line of this form.
SOURCES = sorted(Path("shared").rglob("*.py"))


def declared_in(path: Path) -> Iterator[str]:
    """The codes that the classes of a file declare."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ClassDef):
            continue
        names = {statement_name(each): each for each in node.body}
        code = names.get("code")
        value = getattr(code, "value", None)
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value


def statement_name(statement: ast.stmt) -> str:
    """What a statement of a class assigns to, "" if nothing."""
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    return str(getattr(targets[0], "id", ""))


def entry(code: str, package: str = "services.posts") -> ErrorEntry:
    """An error of a service."""
    return {
        "code": code,
        "status": 409,
        "other_statuses": [],
        "title": "Conflict",
        "type": "about:blank",
        "when": "It is so.",
        "package": package,
    }


def test_every_code_that_the_kernel_declares_is_there() -> None:
    """Whichever package declares it: no package is forgotten."""
    runtime = [path for path in SOURCES if not {"tests", "testing"} & {*path.parts}]
    codes = {code for path in runtime for code in declared_in(path)}

    assert len(codes) > 20
    assert codes - codes_of(kernel_errors()) == set()


def test_an_entry_says_what_a_caller_needs() -> None:
    """Of an error with two statuses, both; without Python's markup."""
    found = {each["code"]: each for each in kernel_errors()}

    assert found["upstream_error"] == {
        "code": "upstream_error",
        "status": 502,
        "other_statuses": [504],
        "title": "Bad Gateway",
        "type": "about:blank",
        "when": "A service that this one called answered wrongly (502) or too late "
        "(504).",
        "package": "shared.errors",
    }
    assert found["duplicate"]["package"] == "shared.database"
    assert "``" not in str(found)


def test_the_statuses_of_the_two_that_have_two_are_all() -> None:
    """The table in the module is written by hand."""
    for status in (502, 504):
        assert UpstreamException(status_code=status).status_code == status
    with pytest.raises(ValueError, match="a 502 or a 504"):
        UpstreamException(status_code=503)


def test_each_code_is_there_once_in_the_order_of_statuses() -> None:
    """So that a diff shows what changed."""
    found = [(each["status"], each["code"]) for each in kernel_errors()]

    assert found == sorted(found)
    assert len({code for _, code in found}) == len(found)


def test_a_method_that_is_not_served_is_answered_as_written() -> None:
    """The framework raises it, so no class of ours has the code."""
    app = FastAPI()
    register_exception_handlers(app)
    app.get("/a")(lambda: "")
    problem = TestClient(app).post("/a").json()
    found = {each["code"]: each for each in kernel_errors()}[problem["code"]]

    assert problem["code"] == "method_not_allowed"
    assert {name: problem[name] for name in ("status", "title", "type")} == {
        name: found[name] for name in ("status", "title", "type")
    }


def test_a_service_may_say_where_its_codes_are_explained() -> None:
    """Then that is the type of its problems."""
    found = entry_of(catalogue()["conflict"], type_base="https://docs.example/e/")

    assert found["type"] == "https://docs.example/e/conflict"


def test_services_have_their_own_codes() -> None:
    """Two of them may have one code, for things of their own."""
    document = error_document({"posts": [entry("full")], "accounts": [entry("full")]})

    assert list(document["services"]) == ["accounts", "posts"]
    assert document["services"]["posts"] == [entry("full")]
    assert document["kernel"] == kernel_errors()
    assert document["problem"]["title"] == "Problem"


def test_a_service_has_no_code_of_the_kernel() -> None:
    """A client could not tell which of the two it is."""
    with pytest.raises(
        ValueError, match=r"posts declares the code 'stale_record'.* shared\.database"
    ):
        error_document({"posts": [entry("stale_record")]})
