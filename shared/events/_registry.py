"""Which class reads which event.

Private: import these names from ``shared.events``.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias, TypeVar

from pydantic import ValidationError

from shared.events._document import pointer, read_object
from shared.events._envelope import MAX_EVENT_BYTES, BaseEvent
from shared.events._errors import EventFormatError, FormatIssue
from shared.events._tally import Tally, tally_of, took_in_all
from shared.events._unknown import UnknownEvent

# In quotes, as pydantic makes a class of BaseEvent[Any].
E = TypeVar("E", bound="BaseEvent[Any]")
Validate: TypeAlias = "Callable[..., BaseEvent[Any]]"

# What an event gets when it is made, and must bring along when it is read.
_REQUIRED: Final = frozenset({"event_id", "event_type", "correlation_id", "timestamp"})

_find_type: Final = re.compile(rb'"event_type"\s*+:\s*+"([a-z0-9_.]++)"').search


class EventRegistry:
    """The types of events that a program knows, and the reader of their bytes.

    Args:
        events: Classes to begin with; another registry is such a list, too.

    Raises:
        ValueError: Two classes claim one type and version.
        TypeError: A class is no finished type of event.
    """

    def __init__(self, events: Iterable[type[BaseEvent[Any]]] = ()) -> None:
        self._lock = threading.Lock()
        # Replaced and never changed, so that readers need no lock.
        self._classes: dict[tuple[Any, Any], type[BaseEvent[Any]]] = {}
        # By the type's bytes: the version that was read last, and what reads it.
        self._readers: dict[bytes, tuple[int, Validate, Tally]] = {}
        for cls in events:
            self.register(cls)

    def register(self, cls: type[E]) -> type[E]:
        """Add a type of event; as a decorator, where the class is written.

        Raises:
            ValueError: Another class has this type and version.
            TypeError: The class fixes no ``event_type``.
        """
        key = event_type, version = _key_of(cls)
        with self._lock:
            known = self._classes.get(key)
            if known is not None and known is not cls:
                raise ValueError(
                    f"{_path(cls)} can't be registered: {event_type} version {version} "
                    f"is {_path(known)} already."
                )
            self._classes = {**self._classes, key: cls}
        return cls

    def __iter__(self) -> Iterator[type[BaseEvent[Any]]]:
        """The classes, by type and version."""
        classes = self._classes
        return iter([classes[key] for key in sorted(classes)])

    def __len__(self) -> int:
        return len(self._classes)

    def find(
        self, event_type: str, schema_version: int | None = None
    ) -> type[BaseEvent[Any]] | None:
        """The class of a type, of its newest version unless said otherwise."""
        classes = self._classes
        if schema_version is None:
            versions = [version for name, version in classes if name == event_type]
            schema_version = max(versions, default=0)
        return classes.get((event_type, schema_version))

    def parse(
        self, data: bytes | bytearray | str, *, max_bytes: int = MAX_EVENT_BYTES
    ) -> BaseEvent[Any]:
        """Read an event; one without a class here is kept whole as `UnknownEvent`.

        Members that a class does not know are ignored.

        Args:
            data: An envelope as `BaseEvent.encode` writes it, in JSON.
            max_bytes: How large it may be.

        Raises:
            EventFormatError: It is no event, and never will be.
        """
        raw = data if type(data) is bytes else to_bytes(data)
        if len(raw) > max_bytes:
            raise EventFormatError([FormatIssue("", "too_large")])
        event = self.parse_plain(raw)
        return self._parse_any(raw) if event is None else event

    def parse_plain(self, data: bytes) -> BaseEvent[Any] | None:
        """Read an event in one pass; None when that would not be safe.

        It is when an event of that type and version was read before, the first text
        that looks like the type is it, and nothing in *data* is unknown or repeated.
        """
        hint = _find_type(data)
        known = self._readers.get(hint[1]) if hint else None
        if known is None:
            return None
        version, validate, tally = known
        try:
            event = validate(data, strict=True, extra="ignore")
        except ValidationError:
            return None
        if (
            event.schema_version == version
            and event.__pydantic_fields_set__ >= _REQUIRED
            and took_in_all(data, tally(event))
        ):
            return event
        return None

    def _parse_any(self, data: bytes) -> BaseEvent[Any]:
        document = read_object(data)
        validate = self._validator_for(document)
        issues = [
            FormatIssue(pointer(name), "missing")
            for name in sorted(_REQUIRED - document.keys())
        ]
        try:
            event = validate(data, strict=True, extra="ignore")
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False)
            issues += [FormatIssue(pointer(*e["loc"]), e["type"]) for e in found]
        else:
            if not issues:
                return event.keep(data) if isinstance(event, UnknownEvent) else event
        raise EventFormatError(dict.fromkeys(issues))

    def _validator_for(self, document: dict[str, Any]) -> Validate:
        event_type: Any = document.get("event_type")
        version: Any = document.get("schema_version", 1)
        try:
            cls = self._classes.get((event_type, version), UnknownEvent)
        except TypeError:  # unhashable: one of them is an array or an object
            cls = UnknownEvent
        with self._lock:  # builds the validator once, not in each thread that gets here
            cls.model_rebuild()
        validate: Validate = cls.__pydantic_validator__.validate_json
        if cls is not UnknownEvent:
            self._readers[event_type.encode()] = (version, validate, tally_of(cls))
        return validate


def to_bytes(data: bytes | bytearray | str) -> bytes:
    """*data* in UTF-8.

    Raises:
        EventFormatError: It is text that UTF-8 can't hold.
    """
    try:
        return data.encode() if isinstance(data, str) else bytes(data)
    except UnicodeEncodeError:
        raise EventFormatError([FormatIssue("", "json_invalid")]) from None


def _key_of(cls: type[BaseEvent[Any]]) -> tuple[str, int]:
    event_type, version = (
        cls.model_fields[name].default for name in ("event_type", "schema_version")
    )
    if not isinstance(event_type, str):
        raise TypeError(
            f"{_path(cls)} can't be registered: it fixes no event_type, such as "
            'event_type: Literal["invoice.paid"] = "invoice.paid".'
        )
    return event_type, version


def _path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
