"""How the making of creatives goes on, from the request to the asset."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.events._envelope import BaseEvent, EventPayload
from shared.events._fields import Code, Name, Prose
from shared.validation import DecimalNumber

_Credits = Annotated[DecimalNumber, Field(ge=0)]


class _GenerationPayload(EventPayload):
    aggregate_key = "generation_id"

    generation_id: UUID
    user_id: UUID


class GenerationAsset(EventPayload):
    """A file that was made."""

    asset_id: UUID
    url: Annotated[str, Field(min_length=1, max_length=2048)] = Field(
        description="A public URL, or a path in the object store."
    )
    asset_type: Name = Field(examples=["image", "video"])
    mime_type: Name = Field(examples=["image/png"])


class GenerationRequestedPayload(_GenerationPayload):
    """What is to be made."""

    project_id: UUID | None = None
    brand_kit_id: UUID | None = None
    api_key_id: UUID | None = Field(
        default=None, description="Set when the request came in by the platform's API."
    )
    prompt: Annotated[Prose, Field(min_length=1)]
    format: Name = Field(examples=["instagram-post"])
    style_hints: tuple[Name, ...] = ()
    sample_count: int = Field(default=1, ge=1, le=10)
    locale: Name | None = None


class GenerationRequestedEvent(BaseEvent[GenerationRequestedPayload]):
    """Somebody asked for creatives."""

    event_type: Literal["generation.requested"] = "generation.requested"
    schema_version: Literal[1] = 1


class GenerationStartedPayload(_GenerationPayload):
    """The try that began."""

    attempt: int = Field(default=1, ge=1)
    model: Name | None = None


class GenerationStartedEvent(BaseEvent[GenerationStartedPayload]):
    """A worker took the job."""

    event_type: Literal["generation.started"] = "generation.started"
    schema_version: Literal[1] = 1


class GenerationCompletedPayload(_GenerationPayload):
    """What was made, and what it cost."""

    status: Literal["Completed"] = "Completed"
    final_asset_id: UUID
    assets: tuple[GenerationAsset, ...] = ()
    credits_used: _Credits | None = None


class GenerationCompletedEvent(BaseEvent[GenerationCompletedPayload]):
    """The final asset is there."""

    event_type: Literal["generation.completed"] = "generation.completed"
    schema_version: Literal[1] = 1


class GenerationFailedPayload(_GenerationPayload):
    """Why nothing was made."""

    status: Literal["Failed"] = "Failed"
    error_code: Code
    error_message: Prose | None = Field(
        default=None, description="For people, without internals."
    )
    credits_refunded: _Credits | None = None


class GenerationFailedEvent(BaseEvent[GenerationFailedPayload]):
    """The job ended without a result."""

    event_type: Literal["generation.failed"] = "generation.failed"
    schema_version: Literal[1] = 1


class GenerationCancelledPayload(_GenerationPayload):
    """Who stopped the job."""

    status: Literal["Cancelled"] = "Cancelled"
    cancelled_by: Literal["user", "admin", "system"]
    credits_refunded: _Credits | None = None


class GenerationCancelledEvent(BaseEvent[GenerationCancelledPayload]):
    """The job was stopped before its end."""

    event_type: Literal["generation.cancelled"] = "generation.cancelled"
    schema_version: Literal[1] = 1


EVENTS = (
    GenerationRequestedEvent,
    GenerationStartedEvent,
    GenerationCompletedEvent,
    GenerationFailedEvent,
    GenerationCancelledEvent,
)
