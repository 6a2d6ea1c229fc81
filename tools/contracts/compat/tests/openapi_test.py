from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from tools.contracts.compat.openapi import RULES, compare_openapi
from tools.contracts.compat.place import PlaceError
from tools.contracts.compat.tests.documents import Change, Document, root, told
from tools.contracts.compat.tests.openapi_documents import (
    openapi,
    problem,
    read,
    register,
)

POST = "/paths/~1users/post"
GET = "/paths/~1users~1{user_id}/get"
FORM = "application/x-www-form-urlencoded"
FORM_BODY = f"{POST}/requestBody/content/application~1x-www-form-urlencoded"
PROBLEMS = f"{POST}/responses/409/content/application~1problem+json/examples"


def compare(change: Change) -> list[tuple[str, str, str]]:
    """What is found after a change."""
    before, after = openapi(), openapi()
    change(after)
    return told(list(compare_openapi(root(before), root(after))))


def body(document: Document) -> Document:
    """The request body of POST /users."""
    found: Document = register(document)["requestBody"]
    return found


def created(document: Document) -> Document:
    """The response 201 of POST /users."""
    found: Document = register(document)["responses"]["201"]
    return found


def tenant(document: Document) -> Document:
    """The required header parameter of GET."""
    found: Document = read(document)["parameters"][1]
    return found


def fields(document: Document) -> Document:
    """The optional query parameter of GET."""
    found: Document = read(document)["parameters"][0]
    return found


def flow(document: Document) -> Document:
    """The flow of the OAuth scheme."""
    schemes = document["components"]["securitySchemes"]
    found: Document = schemes["oauth"]["flows"]["password"]
    return found


def rename_path_parameter(document: Document) -> None:
    """{user_id} becomes {id}."""
    paths = document["paths"]
    paths["/users/{id}"] = paths.pop("/users/{user_id}")
    paths["/users/{id}"]["parameters"][0]["name"] = "id"


def move(document: Document) -> None:
    """GET /users/{user_id} to GET /people/{user_id}."""
    paths = document["paths"]
    paths["/people/{user_id}"] = paths.pop("/users/{user_id}")


def parameter(name: str, **more: Any) -> Document:
    """A query parameter."""
    return {"name": name, "in": "query", "schema": {}, **more}


B, A, W = "breaking", "addition", "wording"
CASES: dict[str, tuple[Change, list[tuple[str, str, str]]]] = {
    "an operation goes": (
        lambda d: d["paths"]["/users"].pop("post"),
        [("operation-removed", B, POST)],
    ),
    "a path goes": (
        lambda d: d["paths"].pop("/users"),
        [("operation-removed", B, POST)],
    ),
    "an operation moves, its id tells": (
        move,
        [("operation-moved", B, "/paths/~1people~1{user_id}/get")],
    ),
    "an operation comes": (
        lambda d: d["paths"]["/users"].update(put={"responses": {}}),
        [("operation-added", A, "/paths/~1users/put")],
    ),
    "an operation gets another id": (
        lambda d: register(d).update(operationId="sign_up"),
        [("operation-id-changed", B, f"{POST}/operationId")],
    ),
    "an operation is deprecated": (
        lambda d: register(d).update(deprecated=True),
        [("operation-deprecated", A, f"{POST}/deprecated")],
    ),
    "a summary": (
        lambda d: register(d).update(summary="Sign up"),
        [("wording-changed", W, f"{POST}/summary")],
    ),
    "an extension": (
        lambda d: register(d).update({"x-codegen": 1}),
        [("wording-changed", W, f"{POST}/x-codegen")],
    ),
    "a part without a rule": (
        lambda d: register(d).update(callbacks={}),
        [("unknown-changed", B, f"{POST}/callbacks")],
    ),
    "a path parameter is renamed": (
        rename_path_parameter,
        [
            (
                "path-parameter-renamed",
                B,
                "/paths/~1users~1{id}/parameters/0/name",
            )
        ],
    ),
    "a parameter goes": (
        lambda d: read(d)["parameters"].pop(0),
        [("parameter-removed", B, f"{GET}/parameters/0")],
    ),
    "a required parameter comes": (
        lambda d: read(d)["parameters"].append(parameter("at", required=True)),
        [("parameter-added-required", B, f"{GET}/parameters/2")],
    ),
    "an optional parameter comes": (
        lambda d: read(d)["parameters"].append(parameter("at")),
        [("parameter-added-optional", A, f"{GET}/parameters/2")],
    ),
    "a parameter becomes required": (
        lambda d: fields(d).update(required=True),
        [("parameter-became-required", B, f"{GET}/parameters/0/required")],
    ),
    "a parameter becomes optional": (
        lambda d: tenant(d).pop("required"),
        [("parameter-became-optional", A, f"{GET}/parameters/1/required")],
    ),
    "a parameter is sent elsewhere": (
        lambda d: tenant(d).update({"in": "query"}),
        [
            ("parameter-added-required", B, f"{GET}/parameters/1"),
            ("parameter-removed", B, f"{GET}/parameters/1"),
        ],
    ),
    "a header parameter in other case": (
        lambda d: tenant(d).update(name="x-tenant"),
        [],
    ),
    "a parameter is exploded no more": (
        lambda d: fields(d).update(explode=False),
        [("parameter-style-changed", B, f"{GET}/parameters/0")],
    ),
    "a parameter says the style it had": (
        lambda d: fields(d).update(style="form", explode=True),
        [],
    ),
    "a header says the style it had": (
        lambda d: tenant(d).update(style="simple", explode=False),
        [],
    ),
    "a parameter is deprecated": (
        lambda d: fields(d).update(deprecated=True),
        [("parameter-deprecated", A, f"{GET}/parameters/0/deprecated")],
    ),
    "a parameter moves to its path": (
        lambda d: d["paths"]["/users/{user_id}"]["parameters"].append(
            read(d)["parameters"].pop(0)
        ),
        [],
    ),
    "a parameter reads less": (
        lambda d: d["paths"]["/users/{user_id}"]["parameters"][0]["schema"].update(
            maxLength=9
        ),
        [
            (
                "max-length-tightened",
                B,
                "/paths/~1users~1{user_id}/parameters/0/schema/maxLength",
            )
        ],
    ),
    "a parameter reads more": (
        lambda d: d["paths"]["/users/{user_id}"]["parameters"][0]["schema"].update(
            maxLength=99
        ),
        [
            (
                "max-length-loosened",
                A,
                "/paths/~1users~1{user_id}/parameters/0/schema/maxLength",
            )
        ],
    ),
    "a body goes": (
        lambda d: register(d).pop("requestBody"),
        [("request-body-removed", B, f"{POST}/requestBody")],
    ),
    "a body becomes required": (
        lambda d: read(d)["requestBody"].update(required=True),
        [("request-body-became-required", B, f"{GET}/requestBody/required")],
    ),
    "a body becomes optional": (
        lambda d: body(d).update(required=False),
        [("request-body-became-optional", A, f"{POST}/requestBody/required")],
    ),
    "a media type is read no more": (
        lambda d: body(d)["content"].pop(FORM),
        [
            (
                "request-media-type-removed",
                B,
                FORM_BODY,
            )
        ],
    ),
    "a media type is read": (
        lambda d: body(d)["content"].update({"text/csv": {}}),
        [
            (
                "request-media-type-added",
                A,
                f"{POST}/requestBody/content/text~1csv",
            )
        ],
    ),
    "a form is encoded in another way": (
        lambda d: body(d)["content"][FORM].update(encoding={"a": {"explode": False}}),
        [
            (
                "body-encoding-changed",
                B,
                f"{FORM_BODY}/encoding",
            )
        ],
    ),
    "a success goes": (
        lambda d: register(d)["responses"].pop("201"),
        [("response-removed", B, f"{POST}/responses/201")],
    ),
    "the default response goes": (
        lambda d: register(d)["responses"].pop("default"),
        [("response-removed", B, f"{POST}/responses/default")],
    ),
    "an error goes, and its codes": (
        lambda d: register(d)["responses"].pop("409"),
        [
            ("error-response-removed", A, f"{POST}/responses/409"),
            *(
                (
                    "problem-code-removed",
                    B,
                    f"{PROBLEMS}/{code}",
                )
                for code in ("conflict", "email_taken")
            ),
        ],
    ),
    "a status comes": (
        lambda d: register(d)["responses"].update({"202": {"description": "Later."}}),
        [("response-added", A, f"{POST}/responses/202")],
    ),
    "a code goes": (
        lambda d: register(d)["responses"].update({"409": problem("conflict")}),
        [
            (
                "problem-code-removed",
                B,
                f"{PROBLEMS}/email_taken",
            )
        ],
    ),
    "a code comes": (
        lambda d: register(d)["responses"].update(
            {"409": problem("conflict", "email_taken", "closed")}
        ),
        [
            (
                "problem-code-added",
                A,
                f"{PROBLEMS}/closed",
            )
        ],
    ),
    "a code has another status here": (
        lambda d: register(d)["responses"].update(
            {"409": problem("conflict"), "422": problem("email_taken")}
        ),
        [("response-added", A, f"{POST}/responses/422")],
    ),
    "the sentence of a code": (
        lambda d: register(d)["responses"]["409"]["content"][
            "application/problem+json"
        ]["examples"]["conflict"].update(summary="Other"),
        [
            (
                "wording-changed",
                W,
                f"{PROBLEMS}/conflict",
            )
        ],
    ),
    "a response's description": (
        lambda d: created(d).update(description="Registered."),
        [("wording-changed", W, f"{POST}/responses/201/description")],
    ),
    "a media type is written no more": (
        lambda d: created(d)["content"].pop("text/csv"),
        [
            (
                "response-media-type-removed",
                B,
                f"{POST}/responses/201/content/text~1csv",
            )
        ],
    ),
    "a media type is written": (
        lambda d: created(d)["content"].update({"text/html": {}}),
        [
            (
                "response-media-type-added",
                A,
                f"{POST}/responses/201/content/text~1html",
            )
        ],
    ),
    "a response header goes": (
        lambda d: created(d)["headers"].pop("ETag"),
        [("response-header-removed", B, f"{POST}/responses/201/headers/ETag")],
    ),
    "a response header in other case": (
        lambda d: created(d)["headers"].update(etag=created(d)["headers"].pop("ETag")),
        [],
    ),
    "a response header comes": (
        lambda d: created(d)["headers"].update(Age={"schema": {}}),
        [("response-header-added", A, f"{POST}/responses/201/headers/Age")],
    ),
    "a response header is not always sent": (
        lambda d: created(d)["headers"]["Location"].update(required=False),
        [
            (
                "response-header-became-optional",
                B,
                f"{POST}/responses/201/headers/Location/required",
            )
        ],
    ),
    "a response header is always sent": (
        lambda d: created(d)["headers"]["ETag"].update(required=True),
        [
            (
                "response-header-became-required",
                A,
                f"{POST}/responses/201/headers/ETag/required",
            )
        ],
    ),
    "an open operation asks for a token": (
        lambda d: register(d).update(security=[{"oauth": []}]),
        [("security-tightened", B, f"{POST}/security")],
    ),
    "the whole document asks for a token": (
        lambda d: d.update(security=[{"key": []}]),
        [("security-tightened", B, f"{POST}/security")],
    ),
    "an operation asks for a second credential": (
        lambda d: read(d).update(security=[{"oauth": ["read"], "key": []}]),
        [("security-tightened", B, f"{GET}/security")],
    ),
    "an operation asks for another scope": (
        lambda d: read(d).update(security=[{"oauth": ["read", "write"]}]),
        [("security-scope-required", B, f"{GET}/security")],
    ),
    "an operation takes a key too": (
        lambda d: read(d).update(security=[{"oauth": ["read"]}, {"key": []}]),
        [("security-loosened", A, f"{GET}/security")],
    ),
    "an operation is open": (
        lambda d: read(d).update(security=[]),
        [("security-loosened", A, f"{GET}/security")],
    ),
    "a scheme goes": (
        lambda d: d["components"]["securitySchemes"].pop("key"),
        [("security-scheme-removed", B, "/components/securitySchemes/key")],
    ),
    "a scheme comes": (
        lambda d: d["components"]["securitySchemes"].update(k={"type": "http"}),
        [("security-scheme-added", A, "/components/securitySchemes/k")],
    ),
    "a key is sent elsewhere": (
        lambda d: d["components"]["securitySchemes"]["key"].update({"in": "query"}),
        [("security-scheme-changed", B, "/components/securitySchemes/key/in")],
    ),
    "tokens come from elsewhere": (
        lambda d: flow(d).update(tokenUrl="/auth/token"),
        [
            (
                "security-scheme-changed",
                B,
                "/components/securitySchemes/oauth/flows/password/tokenUrl",
            )
        ],
    ),
    "a scope goes": (
        lambda d: flow(d)["scopes"].pop("write"),
        [
            (
                "security-scope-removed",
                B,
                "/components/securitySchemes/oauth/flows/password/scopes/write",
            )
        ],
    ),
    "a scope comes": (
        lambda d: flow(d)["scopes"].update(admin="All."),
        [
            (
                "security-scope-added",
                A,
                "/components/securitySchemes/oauth/flows/password/scopes/admin",
            )
        ],
    ),
    "a server goes": (
        lambda d: d["servers"].pop(0),
        [("server-removed", B, "/servers/0")],
    ),
    "a server comes": (
        lambda d: d["servers"].append({"url": "https://us.example"}),
        [("server-added", A, "/servers/2")],
    ),
    "a named schema goes": (
        lambda d: (
            d["components"]["schemas"].update(
                Account=d["components"]["schemas"].pop("User")
            ),
            body(d)["content"]["application/json"]["schema"].update(
                {"$ref": "#/components/schemas/Account"}
            ),
            created(d)["content"]["application/json"]["schema"].update(
                {"$ref": "#/components/schemas/Account"}
            ),
        ),
        [
            ("openapi-schema-added", A, "/components/schemas/Account"),
            ("openapi-schema-removed", B, "/components/schemas/User"),
        ],
    ),
    "a webhook goes": (
        lambda d: d["webhooks"].pop("registered"),
        [("webhook-removed", B, "/webhooks/registered")],
    ),
    "a webhook comes": (
        lambda d: d["webhooks"].update(left={"post": {}}),
        [("webhook-added", A, "/webhooks/left")],
    ),
    "the title of the document": (
        lambda d: d["info"].update(title="People"),
        [("wording-changed", W, "/info")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_change(case: str) -> None:
    """Each change is found once, by its rule, where it was made."""
    change, expected = CASES[case]

    found = [each for each in compare(change) if each[0] != "reference-renamed"]
    assert found == sorted(expected)


def test_no_change_is_no_finding() -> None:
    """A document is compatible with itself."""
    assert compare(lambda d: None) == []


def test_every_rule_is_tried() -> None:
    """Each rule of this module is found by a case above or below."""
    tried = {rule for _, expected in CASES.values() for rule, _, _ in expected}
    # Their case is the reverse of another one: see the test below.
    tried |= {"request-body-added-required", "request-body-added-optional"}

    assert {rule.name for rule in RULES} <= tried


@pytest.mark.parametrize(
    ("operation", "rule", "impact"),
    [
        (register, "request-body-added-required", B),
        (read, "request-body-added-optional", A),
    ],
)
def test_a_body_comes(operation: Any, rule: str, impact: str) -> None:
    """A new body is as grave as it is required."""
    before = openapi()
    del operation(before)["requestBody"]

    found = told(list(compare_openapi(root(before), root(openapi()))))
    assert [each[:2] for each in found] == [(rule, impact)]


@pytest.mark.parametrize(
    ("length", "impacts"), [(9, {B, A}), (99, {A, B})], ids=["less", "more"]
)
def test_a_schema_that_goes_both_ways(length: int, impacts: set[str]) -> None:
    """A request may only widen and a response only narrow; this schema is both."""
    found = compare(
        lambda d: d["components"]["schemas"]["User"]["properties"]["name"].update(
            maxLength=length
        )
    )

    assert {impact for _, impact, _ in found} == impacts


@pytest.mark.parametrize(("length", "impact"), [(8, A), (10, B)])
def test_a_webhook_is_read_by_clients(length: int, impact: str) -> None:
    """What the service sends may only narrow."""
    found = compare(
        lambda d: d["webhooks"]["registered"]["post"]["requestBody"]["content"][
            "application/json"
        ]["schema"].update(maxLength=length)
    )

    assert [each[1] for each in found] == [impact]


def test_a_schema_that_was_not_there_narrows_a_request() -> None:
    """Without a schema anything is read."""
    before, after = openapi(), openapi()
    del before["paths"]["/users/{user_id}"]["parameters"][0]["schema"]

    found = told(list(compare_openapi(root(before), root(after))))
    assert {impact for _, impact, _ in found} == {B}


def test_a_reference_in_an_example_is_no_reference() -> None:
    """Examples are documents, and may hold anything."""
    before, after = openapi(), openapi()
    for document in (before, after):
        fields(document)["schema"]["examples"] = [{"$ref": "#/nowhere"}]
    register(after)["summary"] = "Sign up"
    read(after)["summary"] = "Show"

    found = told(list(compare_openapi(root(before), root(after))))
    assert [each[0] for each in found] == ["wording-changed"] * 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda d: d.update(paths=[]),
            "document.json#/paths must be an object.",
        ),
        (
            lambda d: read(d).update(parameters={}),
            f"document.json#{GET}/parameters must be an array.",
        ),
        (
            lambda d: read(d)["parameters"].append({"name": "x"}),
            f"document.json#{GET}/parameters/2 must have a name and in.",
        ),
        (
            lambda d: register(d)["responses"].update({"200": {"$ref": "#/none"}}),
            f"document.json#{POST}/responses/200: $ref '#/none' leads nowhere.",
        ),
        (
            lambda d: d.update(security=["key"]),
            "document.json#/security must hold objects.",
        ),
    ],
)
def test_a_broken_document(change: Change, message: str) -> None:
    """One line says where the document is not as it must be."""
    after = openapi()
    change(after)

    with pytest.raises(PlaceError, match=f"^{re.escape(message)}$"):
        list(compare_openapi(root(copy.deepcopy(openapi())), root(after)))
