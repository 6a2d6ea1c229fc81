"""What all DTOs have in common."""

from collections.abc import Iterable
from typing import Annotated, Any, TypeVar, cast
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
)
from pydantic_core import CoreSchema
from pydantic_core.core_schema import NullableSchema

from shared.validation import UtcDateTime

T = TypeVar("T")


def with_examples(*examples: dict[str, Any]) -> ConfigDict:
    """Return a ``model_config`` that shows *examples* in the schema."""
    return ConfigDict(json_schema_extra={"examples": list(examples)})


class BaseDTO(BaseModel):
    """A value that crosses an API: built from JSON, keywords or an ORM object.

    It is frozen, and its errors quote no input. Unknown members are ignored, so that a
    caller newer than this code is understood, and they are never written.
    """

    model_config = ConfigDict(
        from_attributes=True,
        populate_by_name=True,
        frozen=True,
        hide_input_in_errors=True,
        json_schema_serialization_defaults_required=True,  # we write every member
    )


class BaseResponseDTO(BaseDTO):
    """What an entity is shown as. Its texts are not validated again as on the way in.

    Otherwise a rule that gets stricter would make rows unreadable that are older.
    """

    id: UUID = Field(examples=["5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11"])
    created_at: UtcDateTime
    updated_at: UtcDateTime


class BaseUpdateDTO(BaseDTO):
    """A partial update: a member that is absent stays, one that is null is cleared.

    Every field of a subclass has the default ``None``, which stands for "absent" and
    is neither validated nor written to JSON nor shown in the schema. The type says
    whether null may be sent: ``X | None`` if so, ``NotNull[X]`` if not.
    """

    def changes(self) -> dict[str, Any]:
        """Return the fields that were sent, nested DTOs as dictionaries."""
        return self.model_dump()

    # Written out, an absent member would be null, and clear the field at the reader.
    @model_serializer(mode="wrap")
    def _write_what_was_sent(
        self, handler: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        sent = self.model_fields_set
        fields = type(self).model_fields.items()
        aliases = {field.serialization_alias for name, field in fields if name in sent}
        keys = sent | aliases
        return {key: value for key, value in handler(self).items() if key in keys}

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Show what was sent, and so tell absent from null."""
        sent = self.model_fields_set
        return [arg for arg in super().__repr_args__() if arg[0] in sent]

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        # The serializer's return type says nothing about the members.
        plain = {key: value for key, value in schema.items() if key != "serialization"}
        found = handler(cast("CoreSchema", plain))
        for member in handler.resolve_ref_schema(found).get("properties", {}).values():
            member.pop("default", None)
        return found


class _RefuseNull:
    """Leaves ``None`` to the default value: unlike a value, it is not validated."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        nullable = cast("NullableSchema", handler(source))  # NotNull is T | None
        return nullable["schema"]


NotNull = Annotated[T | None, _RefuseNull()]
"""A field of an update that may be absent and may not be null."""
