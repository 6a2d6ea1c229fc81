from __future__ import annotations

import json
import re
from typing import Any

import httpx2
import pytest
from starlette.responses import JSONResponse

from shared.testing import is_problem

NAME = ("/name", "missing")
AGE = {"pointer": "/age", "code": "too_low", "detail": "Too low."}
PROBLEM = {
    "type": "about:blank",
    "title": "Unprocessable Content",
    "status": 422,
    "detail": "Validation error.",
    "code": "validation_error",
    "errors": [
        {"pointer": "/name", "code": "missing", "detail": "Field required."},
        AGE,
    ],
}


def reply(
    problem: object = PROBLEM,
    *,
    status: int = 422,
    media_type: str = "application/problem+json",
) -> httpx2.Response:
    """Make what a client of the service holds."""
    return httpx2.Response(
        status,
        content=json.dumps(problem).encode(),
        headers={"Content-Type": media_type, "Retry-After": "3"},
    )


@pytest.mark.parametrize(
    "expected",
    [
        {"code": "validation_error"},
        {"detail": "Validation error."},
        {"detail": re.compile("^Valid")},
        {"errors": {"/age": "too_low", "/name": "missing"}},
        {"errors": [{"pointer": "/name"}, {"code": "too_low", "pointer": "/age"}]},
        {"headers": {"retry-after": "3"}},
        {"title": "Unprocessable Content", "type": "about:blank"},
        {},
    ],
)
def test_equal_when_all_that_is_named_fits(expected: dict[str, Any]) -> None:
    """What is not named may be anything."""
    assert reply() == is_problem(status=422, **expected)
    assert is_problem(status=422, **expected) == reply()


@pytest.mark.parametrize(
    ("expected", "wrong"),
    [
        ({"status": 404}, ["status is 422, not 404", "member status is 422, not 404"]),
        ({"code": "x"}, ["code is 'validation_error', not 'x'"]),
        ({"detail": "x"}, ["detail is 'Validation error.', not 'x'"]),
        ({"detail": re.compile("x$")}, ["detail is 'Validation error.', without 'x$'"]),
        ({"headers": {"Allow": "GET"}}, ["header Allow is missing, expected 'GET'"]),
        ({"quota": 3}, ["quota is missing, expected 3"]),
        (
            {"errors": {"/name": "missing"}},
            [f"errors is {[('/age', 'too_low'), NAME]}, not {[NAME]}"],
        ),
        (
            {"errors": [{"pointer": "/name"}]},
            [f"errors is {[{'pointer': '/name'}, AGE]}, not {[{'pointer': '/name'}]}"],
        ),
        (
            {"errors": [{"code": "a"}, {"b": 1}]},
            [f"errors is {[{'code': 'missing'}, {}]}, not {[{'code': 'a'}, {'b': 1}]}"],
        ),
    ],
)
def test_unequal_says_what_is_wrong(expected: dict[str, Any], wrong: list[str]) -> None:
    """One sentence for each difference, with what came and what was expected."""
    matcher = is_problem(**{"status": 422, **expected})

    assert reply() != matcher
    assert matcher.mismatches(reply()) == wrong
    assert repr(matcher) == f"<not this problem: {'; '.join(wrong)}>"


def test_a_reply_of_another_kind_says_so() -> None:
    """HTML, broken JSON, and JSON that is no object."""
    matcher = is_problem(status=422)
    broken = httpx2.Response(
        422, content=b"{", headers={"Content-Type": "application/problem+json"}
    )

    assert matcher.mismatches(reply(media_type="text/html")) == [
        "content-type is 'text/html', not 'application/problem+json'"
    ]
    assert matcher.mismatches(broken) == ["the body is not JSON"]
    assert matcher.mismatches(reply([1])) == ["the body is not a JSON object"]


def test_the_media_type_may_have_parameters() -> None:
    """``charset`` says nothing about the kind."""
    assert reply(media_type="application/problem+json; charset=utf-8") == is_problem(
        status=422
    )


def test_responses_that_an_application_makes() -> None:
    """Starlette's own have ``body`` where a client's have ``content``."""
    made = JSONResponse(PROBLEM, 422, media_type="application/problem+json")

    assert made == is_problem(status=422, code="validation_error")


def test_what_is_no_reply_is_unequal() -> None:
    """A dict or a number has no status."""
    assert is_problem(status=422) != PROBLEM


def test_repr_before_a_comparison_is_the_call() -> None:
    """What pytest shows for a parameter."""
    matcher = is_problem(status=404, code="not_found", quota=3)

    assert repr(matcher) == "is_problem(status=404, code='not_found', quota=3)"


def test_is_not_hashable() -> None:
    """It equals many things, so a set could not hold it."""
    with pytest.raises(TypeError, match="unhashable"):
        hash(is_problem(status=404))
