"""The DTOs behind a web framework, as services use them."""

import json
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest
from fastapi import FastAPI, Query
from starlette.testclient import TestClient

from shared import dtos

app = FastAPI()
ROW = {
    "id": UUID(int=1),
    "created_at": "2026-01-31T13:00:00+01:00",
    "updated_at": "2026-01-31T12:00:00Z",
    "email": "ada@example.com",
    "full_name": None,
    "username": "ada",
    "subscription_tier": "pro",
    "credit_balance": Decimal("0.1"),
    "password_hash": "scrypt$...",
}


class Row:
    """Like an ORM object."""

    def __init__(self, **columns: Any) -> None:
        self.__dict__.update(columns)


@app.post("/users", status_code=201)
async def create(body: dtos.UserCreateDTO) -> int:
    """Show that the password gets here."""
    return len(body.password)


@app.patch("/users/1")
async def update(body: dtos.UserUpdateDTO) -> dict[str, Any]:
    """Show what was sent."""
    return body.changes()


@app.get("/users", response_model=dtos.Page[dtos.UserResponseDTO])
async def list_users(query: Annotated[dtos.PageQuery, Query()]) -> Any:
    """Show two rows of many."""
    return dtos.Page[dtos.UserResponseDTO].of(
        [Row(**ROW)] * (query.limit + 1),
        limit=query.limit,
        position=lambda row: {"id": str(row.id)},
    )


@app.post("/contracts")
async def contracts(
    kit: dtos.BrandKitUpdateDTO,
    generation: dtos.GenerationCreateRequestDTO,
    invite: dtos.TeamMemberInviteDTO,
) -> dtos.GenerationStatusResponseDTO:
    """Stand in the OpenAPI document."""
    raise NotImplementedError


@pytest.fixture(scope="module")
def client() -> TestClient:
    """Call the service."""
    return TestClient(app)


def test_a_password_arrives(client: TestClient) -> None:
    """It is kept out of dumps, not out of the service."""
    body = {"email": "ada@example.com", "password": "Correct-Horse-1"}

    assert client.post("/users", json=body).json() == 15


@pytest.mark.parametrize(
    "body", [{}, {"full_name": None}, {"username": "ada", "full_name": "Ada"}]
)
def test_absent_and_null_arrive_as_they_were_sent(
    client: TestClient, body: dict[str, Any]
) -> None:
    """The framework's own parsing keeps the difference."""
    assert client.patch("/users/1", json=body).json() == body


def test_a_page_of_rows_is_written_as_the_contract_says(client: TestClient) -> None:
    """Numbers are numbers, times end in Z, and nothing else of the row is shown."""
    answer = client.get("/users", params={"limit": 1})
    page = json.loads(answer.text, parse_float=Decimal)
    (user,) = page["items"]

    assert user["credit_balance"] == Decimal("0.1")
    assert user["created_at"] == "2026-01-31T12:00:00Z"
    assert "password_hash" not in user
    assert dtos.decode_cursor(page["next_cursor"]) == {"id": str(UUID(int=1))}


def test_the_cursor_of_a_page_asks_for_the_next(client: TestClient) -> None:
    """What was given out is taken back; anything else is a client's error."""
    cursor = client.get("/users").json()["next_cursor"]

    assert client.get("/users", params={"cursor": cursor}).status_code == 200
    assert client.get("/users", params={"cursor": "garbage"}).status_code == 422


def test_the_openapi_document_holds_the_contracts(client: TestClient) -> None:
    """All kinds of DTOs can be documented, with their examples."""
    schemas = client.get("/openapi.json").json()["components"]["schemas"]

    assert schemas["UserCreateDTO"]["required"] == ["email", "password"]
    assert schemas["UserUpdateDTO"]["examples"]
    assert "default" not in schemas["BrandKitUpdateDTO"]["properties"]["name"]
    assert schemas["UserResponseDTO"]["properties"]["credit_balance"]["type"] == (
        "number"
    )
