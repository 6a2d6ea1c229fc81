"""What happens to projects, and to the brand kits that they use."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.events._envelope import BaseEvent, EventPayload
from shared.events._fields import Name

_ChangedFields = Annotated[tuple[Name, ...], Field(min_length=1)]


class _ProjectPayload(EventPayload):
    aggregate_key = "project_id"

    project_id: UUID
    owner_id: UUID
    team_id: UUID | None = None


class ProjectCreatedPayload(_ProjectPayload):
    """The new project."""

    name: Name
    brand_kit_id: UUID | None = None
    target_platform: Name | None = None


class ProjectCreatedEvent(BaseEvent[ProjectCreatedPayload]):
    """A project was created."""

    event_type: Literal["project.created"] = "project.created"
    schema_version: Literal[1] = 1


class ProjectUpdatedPayload(_ProjectPayload):
    """The project after the change."""

    name: Name
    brand_kit_id: UUID | None = None
    target_platform: Name | None = None
    changed_fields: _ChangedFields


class ProjectUpdatedEvent(BaseEvent[ProjectUpdatedPayload]):
    """A project was changed."""

    event_type: Literal["project.updated"] = "project.updated"
    schema_version: Literal[1] = 1


class ProjectDeletedPayload(_ProjectPayload):
    """The project that is gone."""


class ProjectDeletedEvent(BaseEvent[ProjectDeletedPayload]):
    """A project was deleted."""

    event_type: Literal["project.deleted"] = "project.deleted"
    schema_version: Literal[1] = 1


class _BrandKitPayload(EventPayload):
    aggregate_key = "brand_kit_id"

    brand_kit_id: UUID
    owner_id: UUID
    team_id: UUID | None = None


class BrandKitCreatedPayload(_BrandKitPayload):
    """The new brand kit."""

    name: Name
    is_default: bool = False


class BrandKitCreatedEvent(BaseEvent[BrandKitCreatedPayload]):
    """A brand kit was created."""

    event_type: Literal["brand_kit.created"] = "brand_kit.created"
    schema_version: Literal[1] = 1


class BrandKitUpdatedPayload(_BrandKitPayload):
    """The brand kit after the change."""

    name: Name
    is_default: bool = False
    changed_fields: _ChangedFields


class BrandKitUpdatedEvent(BaseEvent[BrandKitUpdatedPayload]):
    """A brand kit was changed: creatives made with it look different from now on."""

    event_type: Literal["brand_kit.updated"] = "brand_kit.updated"
    schema_version: Literal[1] = 1


class BrandKitDeletedPayload(_BrandKitPayload):
    """The brand kit that is gone."""


class BrandKitDeletedEvent(BaseEvent[BrandKitDeletedPayload]):
    """A brand kit was deleted."""

    event_type: Literal["brand_kit.deleted"] = "brand_kit.deleted"
    schema_version: Literal[1] = 1


EVENTS = (
    ProjectCreatedEvent,
    ProjectUpdatedEvent,
    ProjectDeletedEvent,
    BrandKitCreatedEvent,
    BrandKitUpdatedEvent,
    BrandKitDeletedEvent,
)
