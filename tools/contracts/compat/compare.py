"""Compares two bundles, whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from tools.contracts.bundle import ASYNCAPI, ERRORS, Bundle
from tools.contracts.compat import asyncapi, catalogue, errors, openapi, walk
from tools.contracts.compat.asyncapi import compare_asyncapi
from tools.contracts.compat.catalogue import (
    compare_dtos,
    compare_events,
    compare_services,
    compare_stored_events,
)
from tools.contracts.compat.errors import compare_errors
from tools.contracts.compat.finding import Finding, Impact
from tools.contracts.compat.openapi import compare_openapi
from tools.contracts.compat.place import Place
from tools.contracts.compat.report import sort_key
from tools.contracts.compat.rule import Rule
from tools.contracts.compat.schemas import RULES as SCHEMA_RULES

DOCUMENT_RULES: Final[dict[str, Rule]] = {
    rule.name: rule
    for module in (catalogue, errors, openapi, asyncapi, walk)
    for rule in module.RULES
}
"""The rules for everything but schemas, by name, in the order of the table."""

RULES: Final = frozenset({*DOCUMENT_RULES, *SCHEMA_RULES})
"""The name of every rule."""

_SEVERITY: Final = tuple(Impact)


def compare_bundles(before: Bundle, after: Bundle) -> list[Finding]:
    """Every difference, sorted by document, each of them once.

    A schema that is both written and read is compared both ways; of what is found twice
    the graver stays.

    Raises:
        PlaceError: A ``$ref`` leads nowhere, or a part of a document has another form
            than it must. The message is one line: where, what.
    """
    return _once(_compared(before, after))


def compare_stored(before: Bundle, after: Bundle) -> list[Finding]:
    """What keeps *after* from reading the events that were stored by *before*.

    Raises:
        PlaceError: As for `compare_bundles`.
    """
    return _once(compare_stored_events(before, after))


def _compared(before: Bundle, after: Bundle) -> Iterator[Finding]:
    yield from compare_dtos(before, after)
    yield from compare_events(before, after)
    yield from compare_services(before, after)
    # These three refer to nothing outside but payloads, which are compared above.
    if _differ(before, after, ERRORS):
        yield from compare_errors(_root(before, ERRORS), _root(after, ERRORS))
    new = after.manifest["services"]
    for name, service in before.manifest["services"].items():
        path = service["openapi"]
        if name not in new:
            continue
        if path != new[name]["openapi"] or _differ(before, after, path):
            other = _root(after, new[name]["openapi"])
            yield from compare_openapi(_root(before, path), other)
    if _differ(before, after, ASYNCAPI):
        yield from compare_asyncapi(
            _root(before, ASYNCAPI), _root(after, ASYNCAPI), _ended(before, after)
        )


def _differ(before: Bundle, after: Bundle, document: str) -> bool:
    return bool(before.documents[document] != after.documents[document])


def _ended(before: Bundle, after: Bundle) -> set[str]:
    """Events and messages that are gone, by the names that AsyncAPI has for them."""
    return _names(before) - _names(after)


def _names(bundle: Bundle) -> set[str]:
    events = bundle.manifest["events"]
    versions = {f"{name}.v{v}" for name in events for v in events[name]["versions"]}
    return {*events, *versions}


def _root(bundle: Bundle, document: str) -> Place:
    return Place(bundle.documents, document, "")


def _once(findings: Iterable[Finding]) -> list[Finding]:
    found: dict[str, Finding] = {}
    for new in findings:
        key = repr((new.rule, new.document, new.pointer, new.before, new.after))
        known = found.setdefault(key, new)
        if _SEVERITY.index(new.impact) < _SEVERITY.index(known.impact):
            found[key] = new
    return sorted(found.values(), key=sort_key)
