"""What happens to subjects, whose data each service defines for itself."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from shared.events._envelope import BaseEvent, EventPayload
from shared.events._json import JsonObject


class _SubjectPayload(EventPayload):
    aggregate_key = "subject_id"

    subject_id: Annotated[str, Field(min_length=1, max_length=200)]


class SubjectCreatedPayload(_SubjectPayload):
    """The new subject."""

    subject_data: JsonObject


class SubjectCreatedEvent(BaseEvent[SubjectCreatedPayload]):
    """A subject was created."""

    event_type: Literal["subject.created"] = "subject.created"
    schema_version: Literal[1] = 1


class SubjectUpdatedPayload(_SubjectPayload):
    """The subject after the change."""

    subject_data: JsonObject


class SubjectUpdatedEvent(BaseEvent[SubjectUpdatedPayload]):
    """A subject was changed."""

    event_type: Literal["subject.updated"] = "subject.updated"
    schema_version: Literal[1] = 1


class SubjectDeletedPayload(_SubjectPayload):
    """The subject that is gone."""


class SubjectDeletedEvent(BaseEvent[SubjectDeletedPayload]):
    """A subject was deleted."""

    event_type: Literal["subject.deleted"] = "subject.deleted"
    schema_version: Literal[1] = 1


def create_subject_created_event(
    *,
    subject_id: str,
    subject_data: Mapping[str, Any],
    correlation_id: str | UUID | None = None,
) -> SubjectCreatedEvent:
    """Make the event; without a correlation id it gets that of the current request.

    Raises:
        ValueError: An id has the wrong form, or *subject_data* is no JSON.
    """
    payload = SubjectCreatedPayload(subject_id=subject_id, subject_data=subject_data)
    return SubjectCreatedEvent(payload=payload, **_correlated(correlation_id))


def create_subject_updated_event(
    *,
    subject_id: str,
    subject_data: Mapping[str, Any],
    correlation_id: str | UUID | None = None,
) -> SubjectUpdatedEvent:
    """Make the event from the subject's data after the change; else as for a new one.

    Raises:
        ValueError: An id has the wrong form, or *subject_data* is no JSON.
    """
    payload = SubjectUpdatedPayload(subject_id=subject_id, subject_data=subject_data)
    return SubjectUpdatedEvent(payload=payload, **_correlated(correlation_id))


def create_subject_deleted_event(
    *, subject_id: str, correlation_id: str | UUID | None = None
) -> SubjectDeletedEvent:
    """Make the event; without a correlation id it gets that of the current request.

    Raises:
        ValueError: An id has the wrong form.
    """
    payload = SubjectDeletedPayload(subject_id=subject_id)
    return SubjectDeletedEvent(payload=payload, **_correlated(correlation_id))


def _correlated(correlation_id: str | UUID | None) -> dict[str, Any]:
    return {} if correlation_id is None else {"correlation_id": correlation_id}


EVENTS = (
    SubjectCreatedEvent,
    SubjectUpdatedEvent,
    SubjectDeletedEvent,
)
