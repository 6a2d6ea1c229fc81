"""User events: the secrets and the money in them."""

import json
from decimal import Decimal
from typing import assert_type
from uuid import UUID

import pytest
from pydantic import ValidationError

from shared.events.user import (
    UserCreditsChangedPayload,
    UserRegisteredEvent,
    UserRegisteredPayload,
)

USER_ID = UUID("5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11")


def test_the_verification_token_is_on_the_wire_only() -> None:
    """It is for the mail, not for the log."""
    event = UserRegisteredEvent(
        payload=UserRegisteredPayload(
            user_id=USER_ID, email="ada@example.com", verification_token="hunter2"
        )
    )

    assert json.loads(event.encode())["payload"]["verification_token"] == "hunter2"
    assert "hunter2" not in f"{event} {event!r} {event.model_dump()}"


def test_a_payload_may_be_a_dictionary() -> None:
    """As in the specification; it is validated all the same."""
    members = {"user_id": USER_ID, "email": "a@b.c", "verification_token": "x"}

    assert UserRegisteredEvent(payload=members).payload.email == "a@b.c"
    with pytest.raises(ValidationError, match=r"payload\.email"):
        UserRegisteredEvent(payload={**members, "email": "nobody"})


def test_payloads_are_typed() -> None:
    """A type checker knows what is in an event, and in one that it causes."""
    event = UserRegisteredEvent(
        payload=UserRegisteredPayload(
            user_id=USER_ID, email="ada@example.com", verification_token="x"
        )
    )
    effect = UserRegisteredEvent(payload=event.payload).caused_by(event)

    assert type(assert_type(effect, UserRegisteredEvent)) is UserRegisteredEvent
    assert assert_type(effect.payload.user_id, UUID) == USER_ID


def test_credits_are_exact() -> None:
    """Decimal in Python, a number on the wire, no rounding between them."""
    payload = UserCreditsChangedPayload(
        user_id=USER_ID,
        amount=Decimal("-0.1"),
        credit_balance=Decimal("12.30"),
        reason="generation",
    )
    written = json.loads(payload.model_dump_json())
    found = UserCreditsChangedPayload.model_validate_json(payload.model_dump_json())

    assert (written["amount"], written["credit_balance"]) == (-0.1, 12.3)
    assert (found.amount, found.credit_balance) == (Decimal("-0.1"), Decimal("12.3"))
