from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import pytest
from fastapi import Body, FastAPI, Form, Query
from fastapi.exceptions import RequestValidationError
from fastapi.testclient import TestClient
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from starlette.requests import Request
from starlette.responses import JSONResponse

from shared.errors._request_errors import request_items


class Mail(BaseModel):
    type: Literal["email"]
    email: dict[str, str] | None = None
    subject: str


class Text(BaseModel):
    type: Literal["sms"]
    number: int


class Node(BaseModel):
    child: Node | None = None
    value: int = 0


class Job(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field("a", alias="jobName")
    channel: Annotated[Mail | Text, Field(discriminator="type")] | None = None
    channels: list[Annotated[Mail | Text, Field(discriminator="type")]] = []
    union: int | list[int] | Node | None = None
    counts: dict[str, int] = {}
    keys: dict[int, int] = {}
    pair: tuple[int, str] = (1, "a")
    tree: Node | None = None
    upper: int | dict[str, int] = 0

    @field_validator("upper", mode="before")
    @classmethod
    def copied(cls, value: object) -> object:
        """Give pydantic another object than the body holds."""
        return dict(value) if isinstance(value, dict) else value

    @model_validator(mode="after")
    def name_is_free(self) -> Job:
        """A rule about the whole."""
        if self.name == "taken":
            raise ValueError("The job exists.")
        return self


app = FastAPI()


@app.exception_handler(RequestValidationError)
async def show(request: Request, error: RequestValidationError) -> JSONResponse:
    return JSONResponse(request_items(error.errors(), error.body), status_code=422)


@app.post("/jobs")
async def make(job: Job) -> None:
    """One model is the whole body."""


@app.post("/lists")
async def make_many(jobs: list[Job]) -> None:
    """The body is an array."""


@app.post("/both/{number}")
async def both(
    number: int, job: Annotated[Job, Body()], count: Annotated[int, Body()]
) -> None:
    """Two members make the body."""


@app.post("/forms")
async def form(age: Annotated[int, Form()], tags: Annotated[list[int], Form()]) -> None:
    """The body is a form."""


class Filters(BaseModel):
    limit: int | Literal["all"] = 1
    tags: list[int] = []


@app.get("/search")
async def search(filters: Annotated[Filters, Query()]) -> None:
    """The query is a model."""


client = TestClient(app)


def pointers(response: Any) -> list[str]:
    assert response.status_code == 422
    return [item["pointer"] for item in response.json()]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"jobName": 1}, ["/jobName"]),
        ({"counts": {"a/b~c": "x"}}, ["/counts/a~1b~0c"]),
        ({"keys": {"x": 1}}, ["/keys/x"]),
        ({"pair": [1]}, ["/pair/1"]),
        ({"unknown": 1}, ["/unknown"]),
        ({"jobName": "taken"}, [""]),
        ({"channel": {"type": "sms"}}, ["/channel/number"]),
        ({"channel": {"type": "fax"}}, ["/channel"]),
        ({"channels": [{"type": "sms", "number": "x"}]}, ["/channels/0/number"]),
        ({"union": "x"}, ["/union", "/union", "/union"]),
        ({"union": ["x"]}, ["/union", "/union/0", "/union"]),
        ({"union": {"value": "x"}}, ["/union", "/union", "/union/value"]),
        # The tag is called like a member: the object in error decides.
        ({"channel": {"type": "email", "email": {"to": "x"}}}, ["/channel/subject"]),
        (
            {"channel": {"type": "email", "email": {"to": 1}, "subject": ""}},
            ["/channel/email/to"],
        ),
        ({"upper": {"int": "x"}}, ["/upper/int", "/upper/int"]),
        ({"k" * 200: 1}, [""]),
        ({"counts": {"k" * 200: "x"}}, ["/counts"]),
        ({"\ud800": 1}, [""]),  # pydantic has escaped the name in its location
        ([], [""]),
        ("text", [""]),
    ],
)
def test_pointer_leads_to_what_is_wrong(body: object, expected: list[str]) -> None:
    """It names a place in the body that was sent, or the one where something lacks."""
    response = client.post("/jobs", content=json.dumps(body), headers=JSON)

    assert pointers(response) == expected


JSON = {"content-type": "application/json"}


def test_pointer_into_an_array() -> None:
    """The index comes first."""
    assert pointers(client.post("/lists", json=[{}, {"jobName": 1}])) == ["/1/jobName"]


def test_deep_pointer() -> None:
    """A recursive model, deeper than is searched through."""
    body: dict[str, Any] = {"value": "x"}
    for _ in range(50):
        body = {"child": body}

    assert pointers(client.post("/jobs", json={"tree": body})) == [
        "/tree" + "/child" * 50 + "/value"
    ]


def test_parameters_cannot_be_taken_for_members_of_the_body() -> None:
    """A pointer of a parameter leads nowhere in the body."""
    response = client.post("/both/x", json={"job": {"jobName": 1}})
    query = client.get("/search?limit=x&tags=1&tags=x")

    assert pointers(response) == ["/@path/number", "/job/jobName", "/count"]
    assert pointers(query) == ["/@query/limit", "/@query/limit", "/@query/tags/1"]


def test_form_fields() -> None:
    """A field is a member of the body, a repeated one an array."""
    response = client.post("/forms", data={"age": "x", "tags": ["1", "x"]})

    assert pointers(response) == ["/age", "/tags/1"]


def test_missing_body() -> None:
    """Nothing was sent where something is required."""
    response = client.post("/jobs")

    assert response.json() == [
        {"pointer": "", "code": "missing", "detail": "This is required."}
    ]


def test_malformed_json_tells_where() -> None:
    """The place is told, the text there is not."""
    response = client.post("/jobs", content=b'{"a": "\\q"}', headers=JSON)

    assert response.json() == [
        {
            "pointer": "",
            "code": "json_invalid",
            "detail": "The body is not JSON, see its character 7.",
        }
    ]


def test_body_of_an_unknown_type() -> None:
    """The commonest slip with curl gets a hint."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    (item,) = client.post("/jobs", content=b"{}", headers=headers).json()

    assert item["detail"] == "The Content-Type of the request must be application/json."


@pytest.mark.parametrize(
    ("error", "pointer"),
    [
        ({"type": "missing", "loc": ("name", 0)}, "/name/0"),
        ({"type": "missing", "loc": ()}, ""),
        ({}, ""),
    ],
)
def test_error_that_an_endpoint_raised_itself(
    error: dict[str, Any], pointer: str
) -> None:
    """What a model of its own said about some value has no place in the request."""
    (item,) = request_items([error], None)

    assert item["pointer"] == pointer


def test_pointer_is_unicode() -> None:
    """A lone surrogate in a name can't be sent."""
    error = {"type": "extra_forbidden", "loc": ("body", "\ud800"), "input": 1}
    (item,) = request_items([error], {"\ud800": 1})

    assert item["pointer"] == "/\ufffd"


def test_number_of_items_is_bounded() -> None:
    """A large wrong body makes no large reply."""
    response = client.post("/lists", json=[1] * 5_000)

    assert pointers(response) == [f"/{index}" for index in range(100)]
