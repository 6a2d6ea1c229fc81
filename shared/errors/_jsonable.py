"""Turn any Python value into one that every JSON encoder accepts.

An error reply is made of facts that some code passed in while it was failing, so
nothing here raises: what JSON cannot hold becomes a short placeholder.

Private: used by ``shared.errors`` only.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import Enum
from math import isfinite
from typing import Any, Final

_MAX_DEPTH: Final = 32
_MAX_NODES: Final = 10_000
_CUT: Final = "..."


def jsonable(value: object) -> Any:
    """A copy of *value* made of dict, list, str, int, float, bool and None.

    Not-a-number and the infinities become null, integers beyond 64 bits strings,
    lone surrogates U+FFFD. A value of no JSON kind becomes ``"<its type>"``, never
    its repr, which may hold addresses or secrets. Cycles and whatever lies deeper
    than 32 levels or after 10,000 values become ``"..."``.
    """
    return _Copy().of(value, depth=0)


def clean_text(text: str) -> str:
    """*text* such that UTF-8 can hold it: lone surrogates become U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class _Copy:
    """One pass over one value, with what it may still spend."""

    def __init__(self) -> None:
        self._left = _MAX_NODES
        self._open: set[int] = set()

    def of(self, value: object, *, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > _MAX_DEPTH:
            return _CUT
        try:
            return self._convert(value, depth)
        except Exception:  # a hostile __iter__, model_dump, property ...
            return _placeholder(value)

    def _convert(self, value: object, depth: int) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Enum):
            return self.of(value.value, depth=depth + 1)
        if isinstance(value, str):
            return clean_text(value)
        if isinstance(value, int):
            # Python refuses to print integers of more than 4300 digits: `of`
            # then catches the ValueError.
            return int(value) if value.bit_length() <= 64 else str(value)
        if isinstance(value, float):
            return float(value) if isfinite(value) else None
        if isinstance(value, Mapping | list | tuple | AbstractSet):
            return self._container(value, depth)
        return self._uncommon(value, depth)

    def _container(self, value: object, depth: int) -> Any:
        if id(value) in self._open:
            return _CUT
        self._open.add(id(value))
        try:
            if isinstance(value, Mapping):
                return self._members(value, depth)
            return self._items(value, depth)
        finally:
            self._open.discard(id(value))

    def _members(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        copy: dict[str, Any] = {}
        for key, item in value.items():
            if self._left <= 0:
                break
            name = self.of(key, depth=depth + 1)
            copy[name if isinstance(name, str) else str(name)] = self.of(
                item, depth=depth + 1
            )
        return copy

    def _items(self, value: Any, depth: int) -> list[Any]:
        copy: list[Any] = []
        for item in value:
            copy.append(self.of(item, depth=depth + 1))
            if self._left <= 0:
                break
        return copy

    def _uncommon(self, value: object, depth: int) -> Any:
        # Imported here: few errors carry these, and every service pays for what
        # `import shared.errors` loads.
        from datetime import date, time, timedelta
        from decimal import Decimal
        from uuid import UUID

        if isinstance(value, UUID):
            return str(value)
        if isinstance(value, Decimal):
            return self.of(float(value), depth=depth)
        if isinstance(value, date | time):
            return value.isoformat()
        if isinstance(value, timedelta):
            return value.total_seconds()
        if not isinstance(value, type):
            dump = getattr(value, "model_dump", None)  # a pydantic model
            if callable(dump):
                return self.of(dump(mode="json"), depth=depth + 1)
            fields = getattr(value, "__dataclass_fields__", None)
            if fields is not None:
                return self.of(
                    {name: getattr(value, name) for name in fields}, depth=depth
                )
        return _placeholder(value)


def _placeholder(value: object) -> str:
    return clean_text(f"<{type(value).__name__}>")
