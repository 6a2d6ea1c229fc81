"""Kinds of fields that events have.

An event is a fact about the past, so texts are bounded and no more: an address that
was good enough to register with must not make the event unreadable when the rules for
addresses change.

Private: ``Timestamp`` and ``Secret`` are exported by ``shared.events``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias
from uuid import UUID

from pydantic import (
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    SecretStr,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

CORRELATION_ID = r"^[A-Za-z0-9._-]{1,128}$"

_DATE_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"


_DATE_TIME_WITH_OFFSET = rf"^{_DATE_TIME}(?:[Zz]|[+-][0-9]{{2}}:[0-9]{{2}})$"


def _from_text(text: str) -> datetime:
    return _to_utc(datetime.fromisoformat(text.upper()))


def _to_utc(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise PydanticCustomError(
            "timestamp_naive",
            "A timestamp must have a time zone: datetime.now(UTC), not utcnow().",
        )
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # within hours of what datetime can say
        raise PydanticCustomError(
            "timestamp_range", "A timestamp must have a year from 1 to 9999 in UTC."
        ) from None


def _from_python(value: object, read_text: ValidatorFunctionWrapHandler) -> object:
    return _to_utc(value) if isinstance(value, datetime) else read_text(value)


def _read(pattern: str, function: Any) -> CoreSchema:
    return core_schema.chain_schema(
        [
            core_schema.str_schema(pattern=pattern),
            core_schema.no_info_plain_validator_function(function),
        ]
    )


class _Timestamp:
    """RFC 3339, section 5.6, in; ``Z`` out.

    Unlike pydantic's ``datetime`` it takes no numbers, no text holding a number and
    no shortened forms. What ends in ``Z``, which is what we write, is read without
    calling back into Python code.
    """

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        text = core_schema.custom_error_schema(
            core_schema.union_schema(
                [
                    _read(f"^{_DATE_TIME}Z$", datetime.fromisoformat),
                    _read(_DATE_TIME_WITH_OFFSET, _from_text),
                ],
                mode="left_to_right",
            ),
            custom_error_type="timestamp_format",
            custom_error_message=(
                "A timestamp must have the form of RFC 3339 with a time zone, such as "
                "2026-01-31T12:00:00Z."
            ),
        )
        return core_schema.json_or_python_schema(
            json_schema=text,
            python_schema=core_schema.no_info_wrap_validator_function(
                _from_python, text
            ),
            serialization=core_schema.simple_ser_schema("datetime"),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {
            "type": "string",
            "format": "date-time",
            "examples": ["2026-01-31T12:00:00Z"],
        }


Timestamp: TypeAlias = Annotated[datetime, _Timestamp()]
"""An aware ``datetime`` in UTC; a naive one is refused, not guessed at."""


def _correlation_text(value: object) -> object:
    return str(value) if isinstance(value, UUID) else value


class _CorrelationId:
    """The ids that travel in ``X-Correlation-ID``; in Python also a ``UUID``."""

    pattern = CORRELATION_ID

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        text = core_schema.str_schema(pattern=self.pattern, max_length=128)
        return core_schema.json_or_python_schema(
            json_schema=text,
            python_schema=core_schema.no_info_before_validator_function(
                _correlation_text, text
            ),
        )


CorrelationId: TypeAlias = Annotated[str, _CorrelationId()]


def _reveal(secret: SecretStr) -> str:
    return secret.get_secret_value()


Secret: TypeAlias = Annotated[
    SecretStr,
    ValidatorFunctionWrapHandler,
    Field(min_length=1, max_length=4096),
    PlainSerializer(_reveal, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 4096}),
]
"""Text that is on the wire, and masked in ``repr``, ``str`` and ``model_dump()``."""

Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=200)]
Prose: TypeAlias = Annotated[str, Field(max_length=4000)]
Code: TypeAlias = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Email: TypeAlias = Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
Url: TypeAlias = Annotated[str, Field(max_length=2048, pattern=r"^https?://[^\s]+$")]
