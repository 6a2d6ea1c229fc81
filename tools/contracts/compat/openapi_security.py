"""Who may call: security requirements and the schemes that they name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tools.contracts.compat.finding import Finding
from tools.contracts.compat.place import Place, PlaceError
from tools.contracts.compat.rule import addition, breaking
from tools.contracts.compat.walk import (
    list_at,
    members_of,
    object_at,
    rest,
    side_by_side,
    value_at,
)

TIGHTENED: Final = breaking(
    "security-tightened",
    "An operation asks for credentials that it did without.",
    "Clients that called without it get a 401.",
    "Make a new operation that asks for more.",
)
SCOPE_ADDED: Final = breaking(
    "security-scope-required",
    "An operation asks for another scope.",
    "Clients whose token lacks the scope get a 403.",
    "Accept the old scope too: one more alternative in security.",
)
LOOSENED: Final = addition(
    "security-loosened", "An operation asks for less, or takes an alternative."
)
SCHEME_CHANGED: Final = breaking(
    "security-scheme-changed",
    "A security scheme changed its type, place, URL or flow.",
    "Clients get or send their credentials in the old way.",
    "Add a scheme with another name, and let operations take either.",
)
SCHEME_REMOVED: Final = breaking(
    "security-scheme-removed",
    "A security scheme has gone.",
    "Generated clients that are configured with it no longer compile.",
    "Keep the scheme until the next major version.",
)
SCHEME_ADDED: Final = addition(
    "security-scheme-added", "A security scheme, or a flow of one, is new."
)
SCOPE_GONE: Final = breaking(
    "security-scope-removed",
    "A scope has gone from a flow.",
    "Clients that ask for the scope get an invalid_scope from the token's issuer.",
    "Keep the scope, and let it allow nothing.",
)
SCOPE_NEW: Final = addition("security-scope-added", "A scope is new in a flow.")

RULES: Final = (
    TIGHTENED,
    SCOPE_ADDED,
    LOOSENED,
    SCHEME_CHANGED,
    SCHEME_REMOVED,
    SCHEME_ADDED,
    SCOPE_GONE,
    SCOPE_NEW,
)

Alternative = dict[str, frozenset[str]]
"""The schemes that are asked for together, and the scopes of each."""


def compare_security(before: Place, after: Place) -> Iterator[Finding]:
    """What an operation asks for; *before* and *after* are operations."""
    old, new = _effective(before), _effective(after)
    was, now = _alternatives(old), _alternatives(new)
    at = after.at("security")
    facts = value_at(old, []), value_at(new, [])
    refused = [a for a in was if not any(_fits(n, a) for n in now)]
    if not refused:
        if any(not any(_fits(a, n) for a in was) for n in now):
            yield LOOSENED.found(at, "It asks for less.", *facts)
        return
    # Where only scopes are missing, the same credentials are asked for.
    scopes = all(any(n.keys() <= a.keys() for n in now) for a in refused)
    rule = SCOPE_ADDED if scopes else TIGHTENED
    says = "It asks for another scope." if scopes else "It asks for more."
    yield rule.found(at, says, *facts)


def _effective(operation: Place) -> Place:
    own = operation.at("security")
    if value_at(own) is not None:
        return own
    return Place(operation.documents, operation.document, "/security")


def _alternatives(place: Place) -> list[Alternative]:
    found: list[Alternative] = []
    for entry in list_at(place):
        if not isinstance(entry, dict):
            raise PlaceError(f"{place} must hold objects.")
        found.append({name: frozenset(scopes) for name, scopes in entry.items()})
    return found or [{}]  # an empty list asks for nothing


def _fits(asked: Alternative, held: Alternative) -> bool:
    """Whether who holds *held* has what is *asked* for."""
    return all(name in held and asked[name] <= held[name] for name in asked)


def compare_schemes(before: Place, after: Place) -> Iterator[Finding]:
    """The schemes of two documents; the places are ``components/securitySchemes``."""
    members = side_by_side(members_of(before), members_of(after))
    for name, place in members.removed.items():
        says = f"The scheme {name} is gone."
        yield SCHEME_REMOVED.found(place, says, place.node)
    for name, place in members.added.items():
        yield SCHEME_ADDED.found(place, f"The scheme {name} is new.", None, place.node)
    for one, other in members.kept.values():
        words = ("description", "bearerFormat")
        yield from rest(
            one, other, known=("flows",), words=words, unknown=SCHEME_CHANGED
        )
        yield from _flows(one.at("flows"), other.at("flows"))


def _flows(before: Place, after: Place) -> Iterator[Finding]:
    members = side_by_side(members_of(before), members_of(after))
    for name, place in members.removed.items():
        says = f"The flow {name} is gone."
        yield SCHEME_CHANGED.found(place, says, place.node)
    for name, place in members.added.items():
        yield SCHEME_ADDED.found(place, f"The flow {name} is new.", None, place.node)
    for one, other in members.kept.values():
        yield from rest(one, other, known=("scopes",), unknown=SCHEME_CHANGED)
        yield from _scopes(one.at("scopes"), other.at("scopes"))


def _scopes(before: Place, after: Place) -> Iterator[Finding]:
    old, new = object_at(before), object_at(after)
    for scope in old:
        if scope not in new:
            yield SCOPE_GONE.found(before.at(scope), f"{scope} is gone.", scope)
    for scope in new:
        if scope not in old:
            yield SCOPE_NEW.found(after.at(scope), f"{scope} is new.", None, scope)
