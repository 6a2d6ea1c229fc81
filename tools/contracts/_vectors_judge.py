"""The two verdicts on a document, and which rule of a schema it breaks.

Private: used by ``tools.contracts.vectors``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any

from jsonschema import (  # type: ignore[import-untyped]  # has no types
    Draft202012Validator,
    ValidationError,
)

from tools.contracts._vectors_forms import Route

CHECKER = Draft202012Validator.FORMAT_CHECKER


class Judge:
    """Asks the reader and the schema.

    Args:
        schema: Without any ``$ref`` to another document.
        accepts: The reader: whether it takes these bytes.
    """

    def __init__(self, schema: Any, accepts: Callable[[bytes], bool]) -> None:
        self._validator = Draft202012Validator(schema, format_checker=CHECKER)
        self._accepts = accepts

    def reader(self, document: object) -> bool:
        """Whether the reader accepts it."""
        text = json.dumps(document, ensure_ascii=False, allow_nan=False)
        return self._accepts(text.encode())

    def schema(self, document: object) -> bool:
        """Whether the schema accepts it."""
        return next(self._validator.iter_errors(document), None) is None

    def errors(self, document: object) -> list[ValidationError]:
        """What the schema has against it."""
        return list(self._validator.iter_errors(document))


def breaks_only(errors: Iterable[ValidationError], route: Route) -> bool:
    """Whether a document would be valid, did the rule at *route* not exist."""
    return all(_would_go(error, (), route) for error in errors)


def routes(errors: Iterable[ValidationError], above: Route = ()) -> Iterator[Route]:
    """The rules that are broken, those of all branches of a union among them."""
    for error in errors:
        route = (*above, *error.relative_schema_path)
        yield route
        yield from routes(error.context or (), route)


def beside(route: Route, other: Route) -> bool:
    """Whether a rule is another one than *other*, and in no other branch of a union."""
    pairs = enumerate(zip(route, other, strict=False))
    at = next((index for index, (a, b) in pairs if a != b), None)
    return at is not None and (at == 0 or route[at - 1] not in ("anyOf", "oneOf"))


def _would_go(error: ValidationError, above: Route, wanted: Route) -> bool:
    route = (*above, *error.relative_schema_path)
    if route == wanted:
        return True
    if wanted[: len(route)] != route:
        return False
    branches = groupby(error.context or (), lambda e: e.relative_schema_path[0])
    return any(
        all(_would_go(each, route, wanted) for each in found) for _, found in branches
    )
