from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from shared.errors._exceptions import (
    AuthenticationException,
    ConflictException,
    NotFoundError,
    NotFoundException,
    RateLimitExceededException,
    UpstreamException,
)
from shared.errors._openapi import (
    PROBLEM_MEDIA_TYPE,
    PROBLEM_SCHEMA,
    responses_for,
    with_problems,
)

REF = {"$ref": "#/components/schemas/Problem"}
FASTAPI_422 = {
    "description": "Validation Error",
    "content": {
        "application/json": {
            "schema": {"$ref": "#/components/schemas/HTTPValidationError"}
        }
    },
}
FASTAPI_SCHEMAS: dict[str, Any] = {
    "HTTPValidationError": {
        "properties": {
            "detail": {"items": {"$ref": "#/components/schemas/ValidationError"}}
        }
    },
    "ValidationError": {"type": "object"},
    "User": {"type": "object"},
}


def document(**members: Any) -> dict[str, Any]:
    return copy.deepcopy({"openapi": "3.1.0", "paths": {}, **members})


def test_class_is_documented_by_its_description() -> None:
    """The status, the schema and one example, named after the code."""
    responses = responses_for(NotFoundException)

    assert responses == {
        404: {
            "description": "The thing asked for does not exist, or the caller may not "
            "know of it.",
            "content": {
                "application/problem+json": {
                    "schema": dict(PROBLEM_SCHEMA),
                    "examples": {
                        "not_found": {
                            "summary": responses[404]["description"],
                            "value": NotFoundException().to_problem(),
                        }
                    },
                }
            },
        }
    }


def test_errors_of_one_status_are_examples_side_by_side() -> None:
    """OpenAPI has one response per status; each error is a named example in it."""
    job, user = NotFoundError("Job", "7"), NotFoundError("User", "a")
    responses = responses_for(NotFoundException, job, user, ConflictException)
    examples = responses[404]["content"][PROBLEM_MEDIA_TYPE]["examples"]

    assert list(responses) == [404, 409]
    assert list(examples) == ["not_found", "resource_not_found", "resource_not_found_2"]
    assert examples["resource_not_found_2"]["value"] == user.to_problem()
    assert len(responses[404]["description"].split("\n\n")) == 2


def test_headers_are_documented() -> None:
    """A client that should wait must be able to read how long."""
    responses = responses_for(
        AuthenticationException,
        RateLimitExceededException(retry_after=30),
        UpstreamException(status_code=504),
    )

    assert list(responses[401]["headers"]) == ["WWW-Authenticate"]
    assert list(responses[429]["headers"]) == ["Retry-After"]
    assert "headers" not in responses[504]


def test_class_with_required_arguments_has_an_example() -> None:
    """The class is not constructed for it."""
    (response,) = responses_for(NotFoundError).values()
    example = response["content"][PROBLEM_MEDIA_TYPE]["examples"]["resource_not_found"]

    assert example["value"]["detail"] == "Resource not found."


@pytest.mark.parametrize("given", [404, ValueError, "NotFoundException"])
def test_only_errors_are_documented(given: Any) -> None:
    """A status or another exception says nothing about the reply."""
    with pytest.raises(TypeError, match="takes errors and their classes"):
        responses_for(given)


def test_responses_share_nothing() -> None:
    """FastAPI and others change the dict that they are given."""
    responses_for(NotFoundException)[404]["content"].clear()

    assert responses_for(NotFoundException)[404]["content"]
    assert json.dumps(responses_for(NotFoundException))


def test_fastapis_own_422_becomes_a_problem() -> None:
    """The document says what the handlers answer, also in webhooks and callbacks."""
    operation = {"responses": {"422": FASTAPI_422}}
    calling = {
        "responses": {"200": {"description": "OK"}},
        "callbacks": {"done": {"{$request.body#/url}": {"post": operation}}},
    }
    changed = with_problems(
        document(
            paths={"/a": {"post": calling, "summary": "A", "parameters": []}},
            webhooks={"w": {"post": operation}},
            components={"schemas": FASTAPI_SCHEMAS},
        )
    )
    callback = changed["paths"]["/a"]["post"]["callbacks"]["done"]
    refused = changed["webhooks"]["w"]["post"]["responses"]["422"]
    content = refused["content"][PROBLEM_MEDIA_TYPE]

    assert callback["{$request.body#/url}"]["post"]["responses"]["422"] == refused
    assert refused["description"] == "The request does not fit the schema."
    assert list(refused["content"]) == [PROBLEM_MEDIA_TYPE]
    assert content["schema"] == REF
    assert list(content["examples"]) == ["validation_error"]
    assert content["examples"]["validation_error"]["value"]["status"] == 422
    assert list(changed["components"]["schemas"]) == ["Problem", "User"]


def test_schema_of_an_application_called_like_fastapis_is_kept() -> None:
    """A model named ValidationError that something else uses is not ours to remove."""
    use = {"schema": {"$ref": "#/components/schemas/ValidationError"}}
    response = {"200": {"content": {"application/json": use}}}
    changed = with_problems(
        document(
            paths={"/a": {"get": {"responses": response}}},
            components={"schemas": FASTAPI_SCHEMAS},
        )
    )

    assert list(changed["components"]["schemas"]) == ["ValidationError", "User"]


def test_schema_called_problem_is_kept() -> None:
    """If the application has a Problem of its own, ours stays where it is used."""
    own = {"type": "object", "title": "A problem in arithmetic"}
    responses = {"404": responses_for(NotFoundException)[404]}
    changed = with_problems(
        document(
            paths={"/a": {"get": {"responses": responses}}},
            components={"schemas": {"Problem": own}},
        )
    )
    (content,) = changed["paths"]["/a"]["get"]["responses"]["404"]["content"].values()

    assert changed["components"]["schemas"] == {"Problem": own}
    assert content["schema"] == PROBLEM_SCHEMA


def test_document_is_changed_once() -> None:
    """FastAPI caches its document, so it comes by again."""
    responses = {"404": responses_for(NotFoundException)[404]}
    once = with_problems(document(paths={"/a": {"get": {"responses": responses}}}))
    twice = with_problems(copy.deepcopy(once))

    assert twice == once
    assert once["components"]["schemas"] == {"Problem": PROBLEM_SCHEMA}


def test_document_without_errors_stays_as_it_is() -> None:
    """No schema is added that nothing refers to."""
    assert with_problems(document()) == document()
