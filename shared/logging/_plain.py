"""Turning any Python object into plain JSON: bounded, redacted, and without raising.

Private: the names here are used by ``shared.logging`` only.

Plain JSON means exact dict (of str), list, str, int in 64 bits, finite float, bool and
None. Both encoders give the same JSON for it, because neither is asked about anything
else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, time, timedelta
from enum import Enum
from itertools import islice
from typing import Any

from shared.logging._redaction import REDACTED, Redactor

CUT = "[TRUNCATED]"
CIRCLE = "[CIRCULAR]"

MIN_INT, MAX_INT = -(2**63), 2**64 - 1  # what orjson and most log stores can hold

_MAX_DEPTH = 16
_MAX_KEY = 256
# A text is searched this much further than it is kept, so that a secret which begins
# inside the kept part is whole enough to be recognised.
_MARGIN = 4096


class Plain:
    """Makes one record's values plain; made anew for each record.

    Args:
        redactor: What hides secrets; None shows everything.
        budget: How many characters of text, half of it in one text, and an eighth as
            many values the record may have. The rest is cut and `truncated` is set.
    """

    __slots__ = (
        "_chars",
        "_longest",
        "_open",
        "_redactor",
        "_values",
        "hidden",
        "truncated",
    )

    def __init__(self, redactor: Redactor | None, budget: int) -> None:
        self._redactor = redactor
        self._chars = budget
        self._longest = budget // 2
        self._values = budget // 8
        self._open: set[int] = set()
        self.truncated = False
        self.hidden = False

    def field(self, name: str, value: object) -> object:
        """Return *value* as plain JSON, or the mark if a field *name* is secret."""
        if self._redactor is not None and self._redactor.hides(name, value):
            self.hidden = True
            return REDACTED
        return self.value(value)

    def value(self, value: object) -> object:
        """Return *value* as plain JSON."""
        try:
            return self._convert(value)
        except Exception:  # the value's own code raised
            return unprintable(value)

    def text(self, text: str, *, keep_end: bool = False) -> str:
        """Return *text* bounded, redacted, and fit for UTF-8."""
        room = max(min(self._chars, self._longest), 0)
        cut = len(text) > room
        if cut:
            self.truncated = True
            if not room:
                return CUT
            text = text[-room - _MARGIN :] if keep_end else text[: room + _MARGIN]
        try:
            text.encode()
        except UnicodeEncodeError:
            text = scrub(text)
        if self._redactor is not None:
            text = self._redactor.text(text)
        if cut:
            text = CUT + text[-room:] if keep_end else text[:room] + CUT
        self._chars -= len(text)
        return text

    def _convert(self, value: object) -> object:
        self._values -= 1
        if type(value) is str:
            return self.text(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Enum):
            return self.value(value.value)
        if isinstance(value, int):
            return _int(int(value))
        if isinstance(value, float):
            number = float(value)
            return number if number - number == 0 else None  # NaN and infinities
        if isinstance(value, str):
            return self.text(str.__str__(value))
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self._bytes(value)
        if isinstance(value, (date, time)):  # a datetime is a date
            return value.isoformat()
        if isinstance(value, timedelta):
            return value.total_seconds()
        if isinstance(value, BaseException):
            return self.text(f"{type(value).__name__}: {value}")
        return self._nested(value)

    def _nested(self, value: object) -> object:
        pairs = _pairs(value)
        items = value if isinstance(value, (list, tuple, set, frozenset)) else None
        if pairs is None and items is None:
            return self.text(str(value))
        if id(value) in self._open:
            return CIRCLE
        if len(self._open) >= _MAX_DEPTH or self._is_spent():
            self.truncated = True
            return CUT
        self._open.add(id(value))
        try:
            return self._list(items or ()) if pairs is None else self._dict(pairs)
        finally:
            self._open.discard(id(value))

    def _dict(self, pairs: Iterable[tuple[object, object]]) -> dict[str, object]:
        result: dict[str, object] = {}
        # One step in C for a plain dict, so another thread can't change it meanwhile.
        for key, value in list(islice(pairs, self._values + 1)):
            if self._is_spent():
                break
            name = self.key(key)
            result[name] = self.field(name, value)
        return result

    def _list(self, items: Iterable[object]) -> list[object]:
        result: list[object] = []
        for item in list(islice(items, self._values + 1)):
            if self._is_spent():
                break
            result.append(self._item(item))
        return result

    def _is_spent(self) -> bool:
        if self._values > 0 and self._chars > 0:
            return False
        self.truncated = True
        return True

    def _item(self, item: object) -> object:
        """Convert a list's item; a header list is made of (name, value) tuples."""
        if type(item) is tuple and len(item) == 2 and isinstance(item[0], (str, bytes)):
            name = self.key(item[0])
            return [name, self.field(name, item[1])]
        return self.value(item)

    def key(self, key: object) -> str:
        """Return the name of a member, at most 256 characters of it."""
        if isinstance(key, str):
            name = str.__str__(key)
        elif key is None or isinstance(key, bool):
            name = "null" if key is None else str(key).lower()
        else:
            name = str(self.value(key))
        if len(name) > _MAX_KEY:
            self.truncated = True
            name = name[:_MAX_KEY] + CUT
        return self.text(name)

    def _bytes(self, value: bytes | bytearray | memoryview) -> str:
        room = max(self._chars, 0) + _MARGIN
        return self.text(bytes(value[: room + 1]).decode(errors="backslashreplace"))


def _int(number: int) -> int | str:
    if MIN_INT <= number <= MAX_INT:
        return number
    bits = number.bit_length()
    # str() refuses more digits than sys.get_int_max_str_digits(), 640 at the least.
    return str(number) if bits < 2048 else f"<integer of {bits} bits>"


def _pairs(value: Any) -> Iterable[tuple[object, object]] | None:
    """The members of an object that has names for them; None when it has none.

    A field that its class keeps out of ``repr`` is kept out of logs as well.
    """
    if isinstance(value, Mapping):
        return value.items()
    kind: Any = type(value)
    if hasattr(kind, "__dataclass_fields__"):
        from dataclasses import fields  # slow to import, and loaded already

        return [(f.name, getattr(value, f.name)) for f in fields(kind) if f.repr]
    if hasattr(kind, "__repr_args__"):  # pydantic, known by its looks
        members: Iterable[tuple[object, object]] = value.__repr_args__()
        return members
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return zip(kind._fields, value, strict=True)
    return None


def unprintable(value: object) -> str:
    """Return a stand-in for an object whose own methods raise."""
    return f"<unprintable {type(value).__name__}>"


def scrub(text: str) -> str:
    """Return *text* with surrogate pairs joined and lone surrogates replaced."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
