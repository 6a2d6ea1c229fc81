"""Lifting what was written under an older version of an event to the newest one.

Private: import these names from ``shared.events``.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Lift: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Upcaster:
    """One step: makes a payload of the next version from one of ``from_version``.

    Calling it calls the function.
    """

    event_type: str
    from_version: int
    function: Lift

    def __call__(self, payload: dict[str, Any]) -> dict[str, Any]:
        """The payload of the next version."""
        return self.function(payload)


def upcaster(event_type: str, *, from_version: int) -> Callable[[Lift], Upcaster]:
    """Make a step of the function that is decorated, for `EventRegistry`.

    It gets the payload as JSON values, a copy of its own that it may change, and
    returns the payload of the version after *from_version*. A number with a fraction
    is a ``float``, which keeps 15 digits, as many as a ``DecimalNumber`` has. The
    payload was valid once and is not validated again; it may have members that no
    class knows, and the newest class ignores those that are left.

    The function must be pure: an event is lifted each time that it is read.

    Args:
        event_type: Of the event, which stays the same.
        from_version: Of what it takes; it returns the version after this one.

    Raises:
        ValueError: *event_type* is empty, or *from_version* is no positive integer.
        TypeError: What is decorated is no function, or an async one.
    """
    if not event_type:
        raise ValueError("event_type must be the name of an event (got nothing).")
    if type(from_version) is not int or from_version < 1:
        raise ValueError(f"from_version must be from 1 on (got {from_version!r}).")

    def decorate(function: Lift) -> Upcaster:
        given: object = function
        if not callable(given) or inspect.iscoroutinefunction(given):
            raise TypeError(
                f"An upcaster must be a function that is not async (got {given!r})."
            )
        return Upcaster(str(event_type), from_version, function)

    return decorate


def chains(
    steps: Mapping[tuple[str, int], Upcaster], newest: Mapping[str, int]
) -> dict[tuple[str, int], tuple[Upcaster, ...]]:
    """The steps to the newest version, by each type and version that they lead from.

    Args:
        steps: By the type and version that each begins at.
        newest: The newest version of each type that there is a class of.
    """
    found: dict[tuple[str, int], tuple[Upcaster, ...]] = {}
    for event_type in {event_type for event_type, _ in steps}:
        rest: tuple[Upcaster, ...] = ()
        version = newest.get(event_type, 0) - 1
        while (event_type, version) in steps:
            rest = found[event_type, version] = (steps[event_type, version], *rest)
            version -= 1
    return found


def gaps(
    steps: Iterable[tuple[str, int]], newest: Mapping[str, int]
) -> list[tuple[str, int, str]]:
    """Each type and version that upcasters don't lead on from, and why.

    Args:
        steps: The type and version that each upcaster begins at.
        newest: The newest version of each type that there is a class of.
    """
    given: dict[str, set[int]] = {}
    for event_type, version in steps:
        given.setdefault(event_type, set()).add(version)
    found = []
    for event_type, versions in sorted(given.items()):
        last = newest.get(event_type, 0)
        found += [
            (event_type, version, f"there is no class of version {version + 1}")
            for version in sorted(versions)
            if version >= last
        ]
        found += [
            (event_type, version, "there is no upcaster from it")
            for version in range(1, last)
            if version not in versions
        ]
    return found


def apply(step: Upcaster, payload: str) -> str:
    """The JSON text of the next version's payload.

    The text between two steps is what keeps one from changing what another returned.

    Args:
        step: One step.
        payload: JSON text of an object, which is read into values of the step's own.

    Raises:
        Exception: Whatever the function raises.
        TypeError: It returned no dict, or something that JSON has no form for.
        ValueError: It returned NaN, infinity, text that is no Unicode, or itself inside
            of itself.
    """
    lifted: object = step.function(json.loads(payload))
    if not isinstance(lifted, dict):
        raise TypeError(
            f"The upcaster of {step.event_type} from version {step.from_version} must "
            f"return a dict (got {type(lifted).__name__})."
        )
    text = json.dumps(lifted, ensure_ascii=False, allow_nan=False)
    text.encode()  # a lone surrogate is refused here
    return text
