from __future__ import annotations

import pytest
from pydantic import ValidationError

from shared.auth import TokenPayload


def test_defaults() -> None:
    """A payload needs a subject and nothing else."""
    payload = TokenPayload(sub="u1")

    assert payload.roles == []
    assert payload.scopes == ()
    assert payload.model_dump(exclude_none=True) == {"sub": "u1", "roles": []}


def test_further_claims_are_kept() -> None:
    """What an issuer adds is there, and never replaces what the class itself has."""
    payload = TokenPayload.model_validate(
        {"sub": "u1", "tenant": {"id": 7}, "scopes": ["x"], "model_dump": "y"}
    )

    assert payload.model_extra == {
        "tenant": {"id": 7},
        "scopes": ["x"],
        "model_dump": "y",
    }
    assert payload.scopes == ()
    assert payload.model_dump()["sub"] == "u1"


def test_scopes() -> None:
    """Scopes are divided by single spaces and nothing else (RFC 6749 section 3.3)."""
    assert TokenPayload(sub="u", scope="a:r b").scopes == ("a:r", "b")
    assert TokenPayload(sub="u", scope="").scopes == ()
    assert "b" not in TokenPayload(sub="u", scope="a\u00a0b\tb").scopes


def test_payload_is_frozen() -> None:
    """Nobody becomes somebody else after the check."""
    payload = TokenPayload(sub="u1")

    with pytest.raises(ValidationError, match="Instance is frozen"):
        payload.sub = "admin"  # type: ignore[misc]  # the point of the test


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("sub", None),
        ("sub", ""),
        ("sub", 7),
        ("roles", "admin"),
        ("roles", None),
        ("roles", [["admin"]]),
        ("roles", [7]),
        ("roles", {"admin": True}),
        ("scope", ["a"]),
        ("iss", 7),
        ("aud", 7),
        ("aud", [["orders"]]),
        ("aud", ["orders", None]),
        ("aud", {"orders": 1}),
        ("exp", "1800000000"),
        ("exp", True),
        ("exp", -1),
        ("exp", 10**30),
        ("exp", 253_402_300_800),
        ("exp", float("inf")),
        ("exp", float("nan")),
        ("iat", [1]),
        ("nbf", {}),
        ("jti", 7),
    ],
)
def test_nothing_is_converted(claim: str, value: object) -> None:
    """A claim of the wrong type is refused, not read as if it were the right one."""
    with pytest.raises(ValidationError, match=rf"for TokenPayload\n{claim}") as caught:
        TokenPayload.model_validate({"sub": "u1"} | {claim: value})

    assert "input_value" not in str(caught.value)


def test_schema_documents_the_claims() -> None:
    """The class stands in OpenAPI documents, with only the subject required."""
    schema = TokenPayload.model_json_schema()

    assert schema["required"] == ["sub"]
    assert set(schema["properties"]) == {
        *("sub", "roles", "scope", "iss", "aud", "exp", "iat", "nbf", "jti"),
    }
