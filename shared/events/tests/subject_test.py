"""The functions that make subject events."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from shared.events.subject import (
    SubjectCreatedEvent,
    SubjectDeletedEvent,
    SubjectUpdatedEvent,
    create_subject_created_event,
    create_subject_deleted_event,
    create_subject_updated_event,
)
from shared.logging import correlation_id_var

DATA = {"name": "Math", "levels": [1, {"hours": 2}]}


@pytest.mark.parametrize(
    ("create", "cls"),
    [
        (create_subject_created_event, SubjectCreatedEvent),
        (create_subject_updated_event, SubjectUpdatedEvent),
    ],
)
def test_the_data_is_kept(create: Callable[..., Any], cls: type[Any]) -> None:
    """As in the Aurora page, whose ids are plain text."""
    event = create(subject_id="123", subject_data=DATA, correlation_id="abc-123")

    assert type(event) is cls
    assert event.payload.subject_id == event.aggregate_id == "123"
    assert event.payload.subject_data["levels"] == (1, {"hours": 2})
    assert event.correlation_id == "abc-123"


def test_a_deleted_subject_has_no_data() -> None:
    """What is gone is named, and no more."""
    event = create_subject_deleted_event(subject_id="123", correlation_id=UUID(int=1))

    assert type(event) is SubjectDeletedEvent
    assert event.payload.model_dump() == {"subject_id": "123"}
    assert event.correlation_id == str(UUID(int=1))


def test_the_data_can_not_be_changed() -> None:
    """Neither in the event nor through the dictionary that it was made from."""
    data = {"name": "Math"}
    event = create_subject_created_event(subject_id="123", subject_data=data)
    data["name"] = "Music"

    assert event.payload.subject_data == {"name": "Math"}
    with pytest.raises(TypeError, match="can't be changed"):
        event.payload.subject_data["name"] = "Music"  # type: ignore[index]


def test_the_correlation_id_is_that_of_the_current_request() -> None:
    """Unless another is passed."""
    token = correlation_id_var.set("req-42")
    try:
        event = create_subject_deleted_event(subject_id="123")
    finally:
        correlation_id_var.reset(token)

    assert event.correlation_id == "req-42"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"subject_id": ""}, "string_too_short"),
        ({"subject_data": {"when": object()}}, "json_value"),
        ({"correlation_id": "a b"}, "string_pattern_mismatch"),
    ],
)
def test_what_can_not_be_sent_is_refused(arguments: dict[str, Any], code: str) -> None:
    """At once, not when the event is published."""
    valid: dict[str, Any] = {"subject_id": "123", "subject_data": {}}
    with pytest.raises(ValidationError, match=code):
        create_subject_created_event(**(valid | arguments))
