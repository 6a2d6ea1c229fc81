"""What is checked of an event or a payload when its class is written.

Private: used by ``shared.events`` only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping, MutableSequence, MutableSet
from typing import Annotated, Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, PlainValidator, WrapValidator
from pydantic.fields import FieldInfo

_MAX_LENGTH: Final = 255  # of an AMQP 0-9-1 routing key, which the name becomes
_EVENT_TYPE: Final = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+")
_CONVERTING: Final = (BeforeValidator, PlainValidator, WrapValidator)
_MUTABLE: Final = (MutableSequence, MutableMapping, MutableSet)


def check_event(cls: type[BaseModel], *, payload_base: type[BaseModel]) -> None:
    """Refuse an event that could not be routed, told apart, or relied on.

    Raises:
        TypeError: The class says what is wrong with it.
    """
    fields = cls.model_fields
    name = fields["event_type"].default
    literal = fields["event_type"].annotation
    if get_origin(literal) is not Literal or get_args(literal) != (name,):
        raise TypeError(
            f"{cls.__qualname__}.event_type must be one literal and its own default: "
            'event_type: Literal["invoice.paid"] = "invoice.paid".'
        )
    if not _EVENT_TYPE.fullmatch(name) or len(name) > _MAX_LENGTH:
        raise TypeError(
            f"{cls.__qualname__}.event_type must be domain.verb_past, such as "
            "invoice.paid: lowercase ASCII words, digits and underscores, two or more "
            f"parts, at most {_MAX_LENGTH} characters, no wildcards (got {name!r})."
        )
    version = fields["schema_version"].default
    if type(version) is not int or version < 1:
        raise TypeError(
            f"{cls.__qualname__}.schema_version must have a default from 1 on: "
            "schema_version: Literal[2] = 2."
        )
    payload = fields["payload"].annotation
    if not (isinstance(payload, type) and issubclass(payload, payload_base)):
        raise TypeError(
            f"{cls.__qualname__}.payload must be an EventPayload: "
            f"class {cls.__name__}(BaseEvent[SomePayload])."
        )


def check_payload(cls: type[BaseModel], *, payload_base: type[BaseModel]) -> None:
    """Refuse a payload whose parts can change, or look different on the wire.

    Raises:
        TypeError: The class says what is wrong with it.
    """
    if not cls.__pydantic_fields_complete__:
        raise TypeError(
            f"{cls.__qualname__} has a field whose type is not known yet: define or "
            "import it above the class."
        )
    for name, field in cls.model_fields.items():
        part = _mutable_part(field.annotation, payload_base)
        if part is not None:
            raise TypeError(
                f"{cls.__qualname__}.{name} must not hold a {part.__name__}, which can "
                "change: use tuple[X, ...], frozenset[X], JsonObject or an "
                "EventPayload."
            )
        if field.alias or field.validation_alias or field.serialization_alias:
            raise TypeError(
                f"{cls.__qualname__}.{name} must not have an alias: the field's name "
                "is its name on the wire."
            )
        if any(isinstance(item, _CONVERTING) for item in _metadata(field)):
            raise _converting(f"{cls.__qualname__}.{name}")
    decorators = cls.__pydantic_decorators__
    validators: dict[str, Any] = {
        **decorators.field_validators,
        **decorators.model_validators,
    }
    for name, validator in validators.items():
        if validator.info.mode != "after":
            raise _converting(f"{cls.__qualname__}.{name}")
    key = getattr(cls, "aggregate_key", None)
    if key is not None and key not in cls.model_fields:
        raise TypeError(
            f"{cls.__qualname__}.aggregate_key must name one of its fields "
            f"(got {key!r})."
        )


def _mutable_part(annotation: Any, payload_base: type[BaseModel]) -> type | None:
    kind = get_origin(annotation) or annotation
    if isinstance(kind, type) and (
        issubclass(kind, _MUTABLE)
        or (issubclass(kind, BaseModel) and not issubclass(kind, payload_base))
    ):
        return kind
    if kind is Literal:
        return None
    for argument in get_args(annotation):
        part = _mutable_part(argument, payload_base)
        if part is not None:
            return part
    return None


def _metadata(field: FieldInfo) -> Iterator[object]:
    yield from field.metadata
    pending: list[Any] = [field.annotation]
    while pending:
        annotation = pending.pop()
        if get_origin(annotation) is Annotated:
            yield from annotation.__metadata__
        pending.extend(get_args(annotation))


def _converting(name: str) -> TypeError:
    # Events are read strictly. Text is a datetime in strict JSON, but not in strict
    # Python, and what such a validator passes on counts as Python.
    return TypeError(
        f"{name} must not be validated before the type's own validation: events are "
        "read strictly, and would not be readable. Use AfterValidator, and Timestamp "
        "for UtcDateTime."
    )
