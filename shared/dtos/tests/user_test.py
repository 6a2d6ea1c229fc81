import copy
import json
import logging
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from shared.dtos.user import (
    TokenResponseDTO,
    UserCreateDTO,
    UserLoginDTO,
    UserResponseDTO,
    UserUpdateDTO,
)

SECRET = "Correct-Horse-Battery-1"
WITH_PASSWORD = [
    UserCreateDTO(email="ada@example.com", password=SECRET),
    UserLoginDTO(email="ada@example.com", password=SECRET),
]


def user(**fields: Any) -> UserResponseDTO:
    """Make a user with a few *fields* of interest."""
    now = datetime(2026, 1, 31, tzinfo=UTC)
    return UserResponseDTO.model_validate(
        {
            "id": UUID(int=1),
            "created_at": now,
            "updated_at": now,
            "email": "ada@example.com",
            "full_name": None,
            "username": None,
            "subscription_tier": "free",
            "credit_balance": "0",
            **fields,
        }
    )


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (UserCreateDTO, {"email", "password"}),
        (UserLoginDTO, {"email", "password"}),
        (UserUpdateDTO, {"full_name", "username"}),
        (
            UserResponseDTO,
            {"id", "created_at", "updated_at", "email", "full_name", "username"}
            | {"subscription_tier", "credit_balance"},
        ),
        (TokenResponseDTO, {"access_token", "token_type"}),
    ],
)
def test_the_fields_are_those_of_the_spec(model: Any, fields: set[str]) -> None:
    """Names are the contract."""
    assert set(model.model_fields) == fields


@pytest.mark.parametrize("dto", WITH_PASSWORD)
def test_a_password_is_read_in_one_way_only(dto: Any) -> None:
    """``dto.password`` is a string for the hash; nothing else shows it."""
    assert dto.password == SECRET
    for text in (
        repr(dto),
        str(dto),
        f"{dto}",
        dto.model_dump_json(),
        str(dto.model_dump()),
        str(dto.model_dump(mode="json")),
        repr([dto]),
        repr(copy.deepcopy(dto)),
    ):
        assert SECRET not in text


@pytest.mark.parametrize("dto", WITH_PASSWORD)
def test_a_logged_dto_holds_no_password(
    dto: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The careless log line is harmless."""
    logging.getLogger("test").warning("login %s %r", dto, dto)

    assert "ada@example.com" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("password", ["hunter2", "Hunter2hunter2\n", "H2!" + "u" * 200])
def test_a_refused_password_is_not_quoted(password: str) -> None:
    """The error may be logged, and names all rules for who reads it."""
    with pytest.raises(ValidationError, match="Password must have") as caught:
        UserCreateDTO(email="ada@example.com", password=password)

    assert password not in f"{caught.value} {caught.value!r}"
    (error,) = caught.value.errors(include_input=False)
    assert error["type"] == "password_complexity"
    assert password not in json.dumps(error)


def test_a_refused_email_does_not_show_the_password_beside_it() -> None:
    """Other fields of a refused body stay out of the error too."""
    with pytest.raises(ValidationError, match="Email address must have") as caught:
        UserCreateDTO(email="nonsense", password=SECRET)

    assert SECRET not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize("model", [UserCreateDTO, UserLoginDTO])
@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_a_schema_suggests_no_password(model: Any, mode: Any) -> None:
    """Where the password would stand in the example, it says what to put there."""
    schema = model.model_json_schema(mode=mode)

    assert all(example["password"].startswith("<") for example in schema["examples"])
    assert all(
        "examples" not in member and "default" not in member
        for name, member in schema["properties"].items()
        if name == "password"
    )


def test_a_password_to_compare_need_not_be_a_good_one() -> None:
    """A wrong password is answered with 401, not with a lesson."""
    assert UserLoginDTO(email="ada@example.com", password="x").password == "x"


def test_addresses_are_made_uniform() -> None:
    """The login finds the account whose address was typed in another case."""
    assert UserLoginDTO(email="Ada@EXAMPLE.com", password="x").email == (
        "Ada@example.com"
    )


def test_both_names_of_a_profile_can_be_cleared() -> None:
    """Null clears; absent keeps."""
    update = UserUpdateDTO.model_validate_json('{"full_name": null, "username": null}')

    assert update.changes() == {"full_name": None, "username": None}
    assert UserUpdateDTO(username="ada").changes() == {"username": "ada"}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"username": "no spaces"}, "username_format"),
        ({"username": "ab"}, "username_format"),
        ({"full_name": "x" * 101}, "text_format"),
        ({"full_name": "a\nb"}, "text_format"),
    ],
)
def test_names_are_checked(fields: dict[str, str], code: str) -> None:
    """By the same rules as everywhere."""
    with pytest.raises(ValidationError, match="must have") as caught:
        UserUpdateDTO.model_validate(fields)

    assert caught.value.errors()[0]["type"] == code


@pytest.mark.parametrize(
    "balance", ["0.1", "1234567890.12345", "-3", "100", "0.000001"]
)
def test_credits_are_a_number_and_stay_exact(balance: str) -> None:
    """Decimal in Python, a JSON number with the same digits on the wire."""
    dto = user(credit_balance=Decimal(balance))
    wire = json.loads(dto.model_dump_json(), parse_float=Decimal)

    assert dto.credit_balance == Decimal(balance)
    assert wire["credit_balance"] == Decimal(balance)
    assert UserResponseDTO.model_validate_json(dto.model_dump_json()) == dto


def test_stored_names_are_not_judged_again() -> None:
    """A row from before a rule can still be read."""
    assert user(username="Old Name!", full_name="x" * 500).username == "Old Name!"


def test_a_token_is_sent_but_not_shown() -> None:
    """The answer to a login holds the token; its repr doesn't."""
    dto = TokenResponseDTO(access_token="a.b.c")

    assert dto.model_dump() == {"access_token": "a.b.c", "token_type": "bearer"}
    assert "a.b.c" not in f"{dto} {dto!r}"
