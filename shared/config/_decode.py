"""A variable's text as what pydantic validates: only lists and objects need a step.

Private: used by ``shared.config`` only.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping, MutableSequence, Sequence, Set
from typing import Any, get_origin

from pydantic import BaseModel

from shared.config._tree import without_none

# Not every Iterable: an ip_network is one.
_LISTS = frozenset(
    (list, tuple, set, frozenset, deque, Sequence, MutableSequence, Set, Iterable)
)


class NotDecodableError(Exception):
    """The text is none of the type: the rule, and what to write."""

    def __init__(self, rule: str, advice: str) -> None:
        super().__init__(rule, advice)
        self.rule = rule
        self.advice = advice


def is_list(annotation: Any) -> bool:
    """Whether a setting of this type is written with commas."""
    return _kind(annotation) in _LISTS


def is_object(annotation: Any) -> bool:
    """Whether a setting of this type is written as a JSON object."""
    return issubclass(_kind(annotation), Mapping | BaseModel)


def decode(annotation: Any, text: str) -> Any:
    """*text* as input for a field of the type.

    Raises:
        NotDecodableError: It is no JSON where JSON is meant.
    """
    if is_object(annotation):
        return _json(text, "Must be a JSON object.", 'Write {"name": "value"}.')
    if not is_list(annotation):
        return text
    if text.startswith("["):
        advice = 'Write ["one","two"], or one,two.'
        return _json(text, "Must be a list.", advice)
    return [part.strip() for part in text.split(",") if part.strip()]


def _kind(annotation: Any) -> type:
    annotation = without_none(annotation)
    origin = get_origin(annotation)
    for candidate in (origin, annotation):
        if isinstance(candidate, type):
            # A model iterates over its fields, and is no list all the same.
            return BaseModel if issubclass(candidate, BaseModel) else candidate
    return object


def _json(text: str, rule: str, advice: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass  # raised below: the parser's error holds the text
    raise NotDecodableError(rule, advice)
