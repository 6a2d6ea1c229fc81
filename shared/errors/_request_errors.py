"""FastAPI's RequestValidationError as ``errors[]``: which part of which request.

Private: used by ``shared.errors.handlers`` only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from shared.errors._items import ErrorItem, schema_item
from shared.errors._jsonable import clean_text
from shared.errors._pointer import json_pointer

_MAX_ITEMS: Final = 100
_MAX_KEY: Final = 128
# How long a location may be to be searched through: 2**8 ways in the worst case.
_MAX_SEARCH: Final = 8

_PARAMETERS: Final = (["query"], ["path"], ["header"], ["cookie"])

Tokens = tuple[str | int, ...]


def request_items(errors: Sequence[Mapping[str, Any]], body: object) -> list[ErrorItem]:
    """The first 100 of *errors*, as pydantic found them in a request with *body*.

    A pointer leads into the body. That of a parameter begins with a name that no body
    of ours has: ``/@query/limit``, ``/@path/id``, ``/@header/x-api-key``,
    ``/@cookie/session``; so a client that tries it on its body finds nothing, instead
    of a member that happens to be called the same.
    """
    return [_item(error, body) for error in errors[:_MAX_ITEMS]]


def _item(error: Mapping[str, Any], body: object) -> ErrorItem:
    location = list(error.get("loc", ()))
    if location[:1] in _PARAMETERS:
        place, *rest = location
        # Beyond the name only indexes of repeated parameters; the rest names a union.
        name, *inner = rest or [""]
        indexes = (token for token in inner if isinstance(token, int))
        return schema_item(error, _pointer((f"@{place}", name, *indexes)))
    # Code that raises this error with what a model of its own said has no "body" there.
    rest = location[1:] if location[:1] == ["body"] else location
    item = schema_item(error, _pointer(_tokens_in(body, rest, error)))
    if not rest and isinstance(body, bytes):
        item["detail"] = "The Content-Type of the request must be application/json."
    elif rest and error.get("type") == "json_invalid" and isinstance(body, str):
        item["detail"] = f"The body is not JSON, see its character {rest[-1]}."
    return item


def _pointer(tokens: Tokens) -> str:
    """As far as every key is of a length that is worth repeating."""
    kept: list[str | int] = []
    for token in tokens:
        if isinstance(token, str) and len(token) > _MAX_KEY:
            break
        kept.append(clean_text(token) if isinstance(token, str) else token)
    return json_pointer(*kept)


def _tokens_in(body: object, location: list[Any], error: Mapping[str, Any]) -> Tokens:
    """*location* without the labels that pydantic mixes in.

    It names the branch of a union (``int``, ``list[str]``, a tag) or ``[key]`` like a
    member. What the body does not hold is a label; where a label is called like a
    member (``{"type": "email", "email": ...}``), the way that ends at the very object
    the error was about is the right one.
    """
    if body is None:  # nothing to compare with
        return tuple(location)
    missing = error.get("type") == "missing"
    if len(location) <= _MAX_SEARCH:
        found = _search(body, location, error.get("input"), missing)
        if found is not None:
            return found
    tokens: list[str | int] = []
    for index, token in enumerate(location):
        child = _child(body, token)
        if child is not None:
            body = child[0]
        elif not (missing and index == len(location) - 1):
            continue
        tokens.append(token)
    return tuple(tokens)


def _search(
    node: object, location: Sequence[Any], target: object, missing: bool
) -> Tokens | None:
    if not location:
        return () if node is target else None
    token, *rest = location
    if missing and not rest:
        return (token,) if node is target else None
    child = _child(node, token)
    if child is not None:
        found = _search(child[0], rest, target, missing)
        if found is not None:
            return (token, *found)
    return _search(node, rest, target, missing)


def _child(node: object, token: object) -> tuple[object] | None:
    """What *node* holds under *token*, in a tuple since that can be None."""
    if isinstance(node, Mapping):
        if not isinstance(token, str) or token not in node:
            return None
        # A form repeats its fields.
        many = getattr(node, "getlist", None)
        return (many(token) if many is not None else node[token],)
    if isinstance(node, list) and isinstance(token, int) and token < len(node):
        return (node[token],)
    return None
