"""Parts of many APIs: pages and their cursors, details of errors, plain answers."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import AfterValidator, Field, WithJsonSchema

from shared.dtos.base import BaseDTO, with_examples
from shared.validation import Rule, require

T = TypeVar("T")

CursorValue = str | int | bool | None

CURSOR_MAX_LENGTH = 1024
_CURSOR_VERSION = 1


def encode_cursor(position: Mapping[str, CursorValue]) -> str:
    """Return an opaque name for the place behind the last item of a page.

    The name is not encrypted and not signed: put in the values of the columns that
    the list is sorted by, as ``{"created_at": row.created_at.isoformat(), ...}``, and
    nothing that the caller may not see.

    Raises:
        TypeError: A value is neither text, an integer, a boolean nor ``None``.
        ValueError: The name would be longer than 1024 characters.
    """
    for name, value in position.items():
        if not isinstance(value, str | int | None):
            raise TypeError(
                f"A cursor holds text, integers, booleans and None; {name} is a "
                f"{type(value).__name__}: convert it first."
            )
    text = json.dumps([_CURSOR_VERSION, dict(position)], separators=(",", ":"))
    cursor = urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
    if len(cursor) > CURSOR_MAX_LENGTH:
        raise ValueError(
            f"A cursor has at most {CURSOR_MAX_LENGTH} characters (got {len(cursor)}): "
            "sort by shorter columns."
        )
    return cursor


def decode_cursor(cursor: str) -> dict[str, CursorValue]:
    """Return what :func:`encode_cursor` was given.

    The caller of the API can make one up. Use what comes out as you would use any
    other input of theirs: check names and types, and bind it as query parameters.

    Raises:
        ValueError: Code ``cursor_format``; rule ``form``: the text is not exactly what
            ``encode_cursor`` of this version returns.
    """
    position = _read(cursor) if len(cursor) <= CURSOR_MAX_LENGTH else None
    require(
        "cursor_format",
        "Cursor",
        [Rule("form", "the form that the page before gave it", position is not None)],
    )
    return position or {}


def _read(cursor: str) -> dict[str, CursorValue] | None:
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        _, position = json.loads(text)
        # One comparison for padding, stray characters, white space, members that
        # occur twice, types and version.
        same = encode_cursor(position) == cursor
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    return position if same else None


def _check_cursor(cursor: str) -> str:
    decode_cursor(cursor)
    return cursor


Cursor = Annotated[
    str,
    AfterValidator(_check_cursor),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": CURSOR_MAX_LENGTH,
            "pattern": "^[A-Za-z0-9_-]+$",
            "examples": [encode_cursor({"id": 42})],
        }
    ),
]
"""A cursor as a caller sends it: of the right form, and untrusted."""


class PageQuery(BaseDTO):
    """The page of a list that is asked for: ``Annotated[PageQuery, Query()]``."""

    model_config = with_examples({"limit": 50})

    cursor: Cursor | None = Field(
        None, description="The next_cursor of the page before; absent for the first."
    )
    limit: int = Field(50, ge=1, le=200, description="The most items to return.")


class Page(BaseDTO, Generic[T]):
    """Some items of a list, and the way to the next ones."""

    model_config = with_examples({"items": [], "next_cursor": None})

    items: list[T]
    next_cursor: str | None = Field(
        None, description="Ask for the next page with it. Null on the last page."
    )

    @classmethod
    def of(
        cls,
        rows: Sequence[Any],
        *,
        limit: int,
        position: Callable[[Any], Mapping[str, CursorValue]],
    ) -> Self:
        """Make a page of rows that were fetched with ``LIMIT limit + 1``.

        Args:
            rows: ORM objects, dictionaries or DTOs. One more than *limit* means that
                there is a next page; it is not shown.
            limit: The most items of the page, at least 1.
            position: Says where a row stands: what ``encode_cursor`` is given.
        """
        shown = rows[:limit]
        more = len(rows) > limit
        cursor = encode_cursor(position(shown[-1])) if more else None
        return cls.model_validate({"items": shown, "next_cursor": cursor})


class ErrorDetail(BaseDTO):
    """One entry of a problem's ``errors``: what is wrong, and where."""

    model_config = with_examples(
        {
            "pointer": "/email",
            "code": "email_format",
            "detail": "Email address must have the form name@domain, with a "
            "domain of the public internet.",
        }
    )

    pointer: str = Field(
        "",
        description="Where, as a JSON Pointer (RFC 6901). Empty: the whole body.",
        json_schema_extra={"format": "json-pointer"},
    )
    code: str = Field(description="Stable, for programs.")
    detail: str = Field(description="For people; it never quotes the value.")


class StatusResponse(BaseDTO):
    """The answer where there is no entity to show."""

    model_config = with_examples(
        {"status": "disconnected", "message": "Access was withdrawn."}
    )

    status: str
    message: str | None = None
