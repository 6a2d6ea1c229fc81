"""Reading JSON text more strictly than the parsers that validate it.

Neither pydantic's parser nor Python's minds a member that occurs twice. Two readers of
such a document may believe different values, so it is refused.

Private: used by ``shared.events`` only.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from pydantic_core import from_json

from shared.events._errors import EventFormatError, FormatIssue

_SPACE: Final = re.compile(r"[ \t\n\r]*")


def pointer(*tokens: str | int) -> str:
    """The JSON Pointer (RFC 6901) of a place."""
    return "".join(
        "/" + str(token).replace("~", "~0").replace("/", "~1") for token in tokens
    )


def read_object(data: bytes) -> dict[str, Any]:
    """The object that *data* is the JSON text of.

    Raises:
        EventFormatError: *data* is not UTF-8, not JSON (RFC 8259, so no NaN either),
            nested too deeply, no object, or has a member twice.
    """
    try:
        document = from_json(data, allow_inf_nan=False)
    except ValueError:
        raise EventFormatError([FormatIssue("", "json_invalid")]) from None
    if not isinstance(document, dict):
        raise EventFormatError([FormatIssue("", "model_type")])
    # Only now, as from_json has bounded the depth and the length of numbers.
    try:
        json.loads(data, object_pairs_hook=_count, parse_int=str, parse_float=str)
    except _RepeatedError:
        pairs = json.loads(data, object_pairs_hook=tuple, parse_int=str)
        path = _repeated(pairs, ()) or ()
        raise EventFormatError(
            [FormatIssue(pointer(*path), "duplicate_member")]
        ) from None
    return document


class _RepeatedError(Exception):
    """Some member occurs twice."""


def _count(pairs: list[tuple[str, object]]) -> int:
    if len(dict(pairs)) < len(pairs):
        raise _RepeatedError
    return len(pairs)


def _repeated(
    node: object, path: tuple[str | int, ...]
) -> tuple[str | int, ...] | None:
    """Where the first member that occurs twice is. Objects are tuples of pairs."""
    children: list[tuple[str | int, object]] = []
    if isinstance(node, tuple):
        seen = set()
        for name, value in node:
            if name in seen:
                return (*path, name)
            seen.add(name)
            children.append((name, value))
    elif isinstance(node, list):
        children.extend(enumerate(node))
    for token, value in children:
        found = _repeated(value, (*path, token))
        if found is not None:
            return found
    return None


def member_texts(text: str) -> dict[str, str]:
    """The JSON text of each member's value in *text*, a valid JSON object."""
    read = json.JSONDecoder().raw_decode
    members = {}
    at = _skip(text, text.index("{") + 1)
    while text[at] != "}":
        name, at = read(text, at)
        start = _skip(text, _skip(text, at) + 1)
        _, end = read(text, start)
        members[name] = text[start:end]
        at = _skip(text, end)
        at = _skip(text, at + 1) if text[at] == "," else at
    return members


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at
