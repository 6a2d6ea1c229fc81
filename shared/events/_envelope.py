"""The envelope around every event, and the base of what is in it.

Private: import these names from ``shared.events``.
"""

# No `from __future__ import annotations`: pydantic would evaluate each annotation from
# its text, which doubles the time that it takes to import a model.

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, Self, TypeVar, cast
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field, PydanticUndefinedAnnotation
from pydantic_core import PydanticSerializationError

from shared.events._definition import check_event, check_payload
from shared.events._fields import CORRELATION_ID, CorrelationId, Timestamp
from shared.logging import correlation_id_var

P_co = TypeVar("P_co", covariant=True)

MAX_EVENT_BYTES = 1024 * 1024
"""How large an event may be that is read, unless the reader says otherwise."""

_CONFIG = ConfigDict(
    frozen=True,
    extra="forbid",  # on construction; a reader ignores what it does not know
    allow_inf_nan=False,
    str_max_length=MAX_EVENT_BYTES,  # also makes pydantic refuse lone surrogates
    hide_input_in_errors=True,
    json_schema_serialization_defaults_required=True,  # we write every member
    # The validator is built at first use: it takes ten times as long as the class.
    defer_build=True,
)


class EventPayload(BaseModel):
    """What an event says. A subclass lists the fields, and nothing of it can change."""

    model_config = _CONFIG

    aggregate_key: ClassVar[str | None] = None
    """The field with the id of the thing that the event is about.

    Events of one thing are delivered in the order in which they were published.
    """

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Check the fields, while the mistake is still in view.

        Raises:
            TypeError: A part can change, a field has an alias or a validator that
                runs before its type's own, or ``aggregate_key`` names none.
        """
        check_payload(cls, payload_base=EventPayload)


def _current_correlation_id() -> str:
    current = correlation_id_var.get()
    if current is not None and re.fullmatch(CORRELATION_ID, current):
        return current
    return str(uuid4())


def _now() -> datetime:
    return datetime.now(UTC)


class BaseEvent(BaseModel, Generic[P_co]):
    """A fact, as it travels: ``BaseEvent[SomePayload]`` is the base of a type of event.

    A subclass fixes two fields::

        class InvoicePaid(BaseEvent[InvoicePaidPayload]):
            event_type: Literal["invoice.paid"] = "invoice.paid"
            schema_version: Literal[1] = 1

    Everything has a default but the payload. Members are on the wire in this order.
    """

    model_config = _CONFIG

    event_id: UUID = Field(
        default_factory=uuid4, description="Names the event: equal ids, same event."
    )
    event_type: str = Field(description="Also the routing key: domain.verb_past.")
    correlation_id: CorrelationId = Field(
        default_factory=_current_correlation_id,
        description="The request, and everything that came of it.",
    )
    timestamp: Timestamp = Field(
        default_factory=_now, description="When it happened, in UTC."
    )
    payload: P_co
    schema_version: int = Field(default=1, ge=1, description="Of the payload.")
    causation_id: UUID | None = Field(
        default=None, description="The event that this one is a consequence of."
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Check a type of event, while the mistake is still in view.

        Raises:
            TypeError: The name can't be a routing key or is not a literal, the version
                is no positive integer, or the payload can change.
        """
        if not cls.model_fields["event_type"].is_required():
            check_event(cls, payload_base=EventPayload)

    @classmethod
    def model_rebuild(
        cls,
        *,
        force: bool = False,
        raise_errors: bool = True,
        _parent_namespace_depth: int = 2,
        _types_namespace: Mapping[str, Any] | None = None,
    ) -> bool | None:
        """Build the validator, which pydantic does by itself at first use.

        Raises:
            PydanticUndefinedAnnotation: The class is `BaseEvent` itself, which has no
                type of payload. ``BaseEvent[X]`` passes over it; building it for
                nothing would take as long as importing all of this package.
        """
        if cls is BaseEvent:
            raise PydanticUndefinedAnnotation(
                "P_co", "BaseEvent has no payload: make a class of BaseEvent[X]."
            )
        return super().model_rebuild(
            force=force,
            raise_errors=raise_errors,
            _parent_namespace_depth=_parent_namespace_depth + 1,
            _types_namespace=_types_namespace,
        )

    @property
    def aggregate_id(self) -> str | None:
        """The id of the thing that the event is about; see ``aggregate_key``."""
        value = self.aggregate()
        return None if value is None else str(value)

    def aggregate(self) -> object:
        """The same as the payload has it, such as a UUID."""
        payload: Any = self.payload
        key = getattr(payload, "aggregate_key", None)
        return None if key is None else getattr(payload, key)

    def caused_by(self, cause: "BaseEvent[Any]") -> Self:
        """Return this event as a consequence of *cause*, with its correlation id.

        Raises:
            ValueError: *cause* is this event.
        """
        if cause.event_id == self.event_id:
            raise ValueError(f"An event can't cause itself ({self.event_id}).")
        return self.model_copy(
            update={
                "correlation_id": cause.correlation_id,
                "causation_id": cause.event_id,
            }
        )

    def encode(self) -> bytes:
        """The event as JSON in UTF-8, secrets included.

        Raises:
            ValueError: A part of the payload has no form in JSON.
        """
        try:
            return self.__pydantic_serializer__.to_json(self)
        except PydanticSerializationError:
            raise _unwritable(self) from None

    def encode_payload(self) -> bytes:
        """The payload alone as JSON in UTF-8, secrets included.

        Raises:
            ValueError: A part of the payload has no form in JSON.
        """
        payload: Any = self.payload
        try:
            return cast("bytes", payload.__pydantic_serializer__.to_json(payload))
        except PydanticSerializationError:
            raise _unwritable(self) from None


def _unwritable(event: object) -> ValueError:
    # Not pydantic's own text, which can quote the value.
    return ValueError(
        f"{type(event).__name__} can't be written as JSON: a value in its payload has "
        "no form there, such as text with lone surrogates."
    )
