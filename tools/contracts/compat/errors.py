"""What a change of the error catalogue does to those who branch on ``code``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tools.contracts.compat.finding import Finding, Surface
from tools.contracts.compat.place import Place, PlaceError
from tools.contracts.compat.rule import addition, breaking
from tools.contracts.compat.walk import (
    changed,
    list_at,
    object_at,
    rest,
    schemas,
    side_by_side,
    value_at,
)

CODE_REMOVED: Final = breaking(
    "error-removed",
    "An error code has gone from the catalogue.",
    "Clients that tell their users what happened by this code fall back to the status.",
    "Keep the class of the error, and raise it where it was raised.",
)
CODE_ADDED: Final = addition("error-added", "An error code is new.")
STATUS: Final = breaking(
    "error-status-changed",
    "An error comes with another status.",
    "Clients that branch on the status, and proxies that retry on it, do something "
    "else.",
    "Make a new error with the new status.",
)
OTHER_STATUSES: Final = addition(
    "error-other-statuses-changed", "An error comes with further statuses, or fewer."
)
TYPE: Final = breaking(
    "error-type-changed",
    "The type of a problem is another URI.",
    "Clients that branch on type, as RFC 9457 has it, no longer know the problem.",
    "Keep the type: it is a name, and need not be where the documentation is.",
)

RULES: Final = (CODE_REMOVED, CODE_ADDED, STATUS, OTHER_STATUSES, TYPE)

_WORDS: Final = ("title", "when", "package")


def compare_errors(before: Place, after: Place) -> Iterator[Finding]:
    """Compare two error catalogues, given as the places of their roots.

    Raises:
        PlaceError: A part has another form than it must.
    """
    yield from schemas(before.at("problem"), after.at("problem"), Surface.RESPONSE)
    kernel = _codes_of(after.at("kernel"))
    yield from _codes(_codes_of(before.at("kernel")), kernel)
    services = object_at(after.at("services"))
    for name in dict.fromkeys([*object_at(before.at("services")), *services]):
        old = _codes_of(before.at("services", name))
        new = _codes_of(after.at("services", name))
        # What the kernel took over, any service may answer with.
        new |= {code: kernel[code] for code in old if code in kernel}
        yield from _codes(old, new)
    yield from rest(before, after, known=("problem", "kernel", "services"))


def _codes_of(place: Place) -> dict[str, Place]:
    found = {}
    for index in range(len(list_at(place))):
        entry = place.at(index)
        code: Any = object_at(entry).get("code")
        if not isinstance(code, str):
            raise PlaceError(f"{entry} must have a code.")
        found[code] = entry
    return found


def _codes(before: dict[str, Place], after: dict[str, Place]) -> Iterator[Finding]:
    members = side_by_side(before, after)
    for code, place in members.removed.items():
        yield CODE_REMOVED.found(place, f"{code} is gone.", code)
    for code, place in members.added.items():
        yield CODE_ADDED.found(place, f"{code} is new.", None, code)
    for code, (one, other) in members.kept.items():
        says = f"{code} has status {value_at(other.at('status'))} now."
        yield from changed(STATUS, one.at("status"), other.at("status"), says)
        yield from changed(
            OTHER_STATUSES,
            one.at("other_statuses"),
            other.at("other_statuses"),
            f"{code} comes with other statuses than before.",
        )
        yield from changed(
            TYPE, one.at("type"), other.at("type"), f"{code} has another type."
        )
        known = ("code", "status", "other_statuses", "type")
        yield from rest(one, other, known=known, words=_WORDS)
