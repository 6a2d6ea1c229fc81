"""Which class reads which event.

Private: import these names from ``shared.events``.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias, TypeVar, overload

from pydantic import ValidationError

from shared.events._document import member_texts, pointer, read_object
from shared.events._envelope import MAX_EVENT_BYTES, BaseEvent
from shared.events._errors import EventFormatError, FormatIssue
from shared.events._tally import Tally, tally_of, took_in_all
from shared.events._unknown import UnknownEvent
from shared.events._upcasting import Upcaster, apply, chains, gaps

# In quotes, as pydantic makes a class of BaseEvent[Any].
E = TypeVar("E", bound="BaseEvent[Any]")
Validate: TypeAlias = "Callable[..., BaseEvent[Any]]"

# What an event gets when it is made, and must bring along when it is read.
_REQUIRED: Final = frozenset({"event_id", "event_type", "correlation_id", "timestamp"})

# Without it, an event is of version 1, whatever default the class has.
_REQUIRED_LATER: Final = _REQUIRED | {"schema_version"}

_find_type: Final = re.compile(rb'"event_type"\s*+:\s*+"([a-z0-9_.]++)"').search


class EventRegistry:
    """The types of events that a program knows, and the reader of their bytes.

    Args:
        events: Classes to begin with. Another registry is such a list, and brings its
            upcasters along; ``[*another, Mine]`` is one of classes only, so pass
            ``upcasters=another.upcasters`` with it.
        upcasters: Lift events of older versions, as soon as they are read. For a type
            that has any, there must be one from each version below the newest class's.

    Raises:
        ValueError: Two classes claim one type and version, or two upcasters one step;
            a chain of upcasters has a gap, or leads to a version without a class.
        TypeError: A class is no finished type of event.
    """

    def __init__(
        self,
        events: Iterable[type[BaseEvent[Any]]] = (),
        *,
        upcasters: Iterable[Upcaster] = (),
    ) -> None:
        self._lock = threading.Lock()
        # Replaced and never changed, so that readers need no lock.
        self._classes: dict[tuple[Any, Any], type[BaseEvent[Any]]] = {}
        self._steps: dict[tuple[str, int], Upcaster] = {}
        self._chains: dict[tuple[str, int], tuple[Upcaster, ...]] = {}
        # By the type's bytes: what reads the version that was read last.
        self._readers: dict[bytes, tuple[int, frozenset[str], Validate, Tally]] = {}
        for cls in events:
            self.register(cls)
        inherited = events.upcasters if isinstance(events, EventRegistry) else ()
        for step in (*inherited, *upcasters):
            self.register(step)
        _refuse(gaps(self._steps, _newest(self._classes)))

    @overload
    def register(self, item: type[E]) -> type[E]: ...

    @overload
    def register(self, item: Upcaster) -> Upcaster: ...

    def register(self, item: Any) -> Any:
        """Add a type of event or an upcaster; as a decorator, where it is written.

        A chain may be registered in any order: until it is complete it lifts nothing.
        Whether it is complete is for `check_upcasters` to say.

        Raises:
            ValueError: Another class has this type and version, or another upcaster.
            TypeError: The class fixes no ``event_type``.
        """
        if isinstance(item, Upcaster):
            key = event_type, version = item.event_type, item.from_version
        else:
            key = event_type, version = _key_of(item)
        with self._lock:
            known: Any
            if isinstance(item, Upcaster):
                known = self._steps.get(key)
                if known is not None and known != item:
                    raise ValueError(
                        f"{_path(item.function)} can't be registered: {event_type} is "
                        f"lifted from version {version} by {_path(known.function)} "
                        "already."
                    )
                self._steps = {**self._steps, key: item}
            else:
                known = self._classes.get(key)
                if known is not None and known is not item:
                    raise ValueError(
                        f"{_path(item)} can't be registered: {event_type} version "
                        f"{version} is {_path(known)} already."
                    )
                self._classes = {**self._classes, key: item}
            self._chains = chains(self._steps, _newest(self._classes))
            self._readers = {}  # what was read as its class may be lifted from now on
        return item

    @property
    def upcasters(self) -> tuple[Upcaster, ...]:
        """By type and version."""
        steps = self._steps
        return tuple(steps[key] for key in sorted(steps))

    def lifted_from(self, event_type: str) -> tuple[int, ...]:
        """The older versions of a type that are read as its newest class."""
        return tuple(sorted(n for name, n in self._chains if name == event_type))

    def check_upcasters(self) -> None:
        """Refuse a type of which an older version can't be read: for a test.

        Each version from 1 up to the newest class's must be lifted or, for a type that
        has no upcasters, have a class of its own.

        Raises:
            ValueError: All that is missing, by type and version.
        """
        classes, steps = self._classes, self._steps
        newest = _newest(classes)
        lifted = {event_type for event_type, _ in steps}
        missing = gaps(steps, newest)
        missing += [
            (event_type, version, "it has neither a class nor an upcaster")
            for event_type, last in sorted(newest.items())
            for version in range(1, last)
            if event_type not in lifted and (event_type, version) not in classes
        ]
        _refuse(missing)

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

        Members that a class does not know are ignored. An older version is lifted
        where upcasters lead from it to the newest class: its payload and its
        ``schema_version`` are new then, and the rest of the envelope is as it was.

        Args:
            data: An envelope as `BaseEvent.encode` writes it, in JSON.
            max_bytes: How large it may be.

        Raises:
            EventFormatError: It is no event, and never will be; or an upcaster failed,
                with the code ``upcast_failed``, and what it raised as the cause.
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
        version, required, validate, tally = known
        try:
            event = validate(data, strict=True, extra="ignore")
        except ValidationError:
            return None
        if (
            event.schema_version == version
            and event.__pydantic_fields_set__ >= required
            and took_in_all(data, tally(event))
        ):
            return event
        return None

    def _parse_any(self, data: bytes) -> BaseEvent[Any]:
        document = read_object(data)
        steps = self._chain_for(document)
        return (
            self._lift(data, document, steps)
            if steps
            else self._validate(data, document)
        )

    def _validate(self, data: bytes, document: dict[str, Any]) -> BaseEvent[Any]:
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
        # Builds the validator once, not in each thread that gets here; and no reader is
        # stored that a class or an upcaster has just been registered against.
        with self._lock:
            try:
                cls = self._classes.get((event_type, version), UnknownEvent)
            except TypeError:  # unhashable: one of them is an array or an object
                cls = UnknownEvent
            cls.model_rebuild()
            validate: Validate = cls.__pydantic_validator__.validate_json
            if cls is not UnknownEvent and (event_type, version) not in self._chains:
                required = _REQUIRED if version == 1 else _REQUIRED_LATER
                reader = (version, required, validate, tally_of(cls))
                self._readers[event_type.encode()] = reader
        return validate

    def _chain_for(self, document: dict[str, Any]) -> tuple[Upcaster, ...]:
        """The steps to the newest class; none if the document is read as it is."""
        event_type: Any = document.get("event_type")
        version: Any = document.get("schema_version", 1)
        # Of JSON's numbers, 1.0 and true are equal to 1 in Python, and no version.
        if type(event_type) is not str or type(version) is not int:
            return ()
        return self._chains.get((event_type, version), ())

    def _lift(
        self,
        data: bytes,
        document: dict[str, Any],
        steps: tuple[Upcaster, ...],
    ) -> BaseEvent[Any]:
        newest = steps[-1].from_version + 1
        members = member_texts(data.decode())
        if isinstance(document.get("payload"), dict):
            try:
                for step in steps:
                    members["payload"] = apply(step, members["payload"])
            except Exception as error:
                raise EventFormatError(
                    [FormatIssue("/payload", "upcast_failed")]
                ) from error
        members["schema_version"] = str(newest)
        lifted = ",".join(
            f"{json.dumps(name)}:{text}" for name, text in members.items()
        )
        try:
            return self._validate(
                f"{{{lifted}}}".encode(), {**document, "schema_version": newest}
            )
        except EventFormatError as error:
            issues = error.issues
        if any(issue.pointer.startswith("/payload") for issue in issues):
            # Those that follow are about what the upcasters made, not about what came.
            issues = (FormatIssue("/payload", "upcast_failed"), *issues)
        raise EventFormatError(issues)


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


def _path(item: Any) -> str:
    name = getattr(item, "__qualname__", None)
    return f"{item.__module__}.{name}" if name else repr(item)


def _newest(keys: Iterable[tuple[str, int]]) -> dict[str, int]:
    """The newest version of each type."""
    return dict(sorted(keys))  # of equal types, the last one stays


def _refuse(missing: list[tuple[str, int, str]]) -> None:
    if missing:
        places = "; ".join(
            f"{event_type} from version {version}: {why}"
            for event_type, version, why in missing
        )
        raise ValueError(f"Old events can't be lifted. {places}.")
