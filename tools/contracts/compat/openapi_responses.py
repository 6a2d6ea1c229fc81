"""What clients read: responses, their headers, and the codes of problems."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tools.contracts.compat.finding import Finding, Surface
from tools.contracts.compat.openapi_content import compare_content
from tools.contracts.compat.place import Place
from tools.contracts.compat.rule import addition, breaking
from tools.contracts.compat.walk import (
    changed,
    members_of,
    object_at,
    rest,
    schemas,
    side_by_side,
    value_at,
)

RESPONSE_REMOVED: Final = breaking(
    "response-removed",
    "A status that is no error, or the default response, has gone.",
    "Clients wait for this status and take another one for a failure.",
    "Keep the status; make a new operation for another one.",
)
ERROR_REMOVED: Final = addition(
    "error-response-removed",
    "A 4xx or 5xx status has gone; its codes have a rule of their own.",
)
RESPONSE_ADDED: Final = addition("response-added", "A status is new.")
CODE_REMOVED: Final = breaking(
    "problem-code-removed",
    "An operation no longer documents a problem's code.",
    "Clients that tell their users what happened by this code fall back to the status.",
    "Keep the code, or accept it with the reason why it can't happen any more.",
)
CODE_ADDED: Final = addition(
    "problem-code-added", "An operation documents a new code of a problem."
)
HEADER_REMOVED: Final = breaking(
    "response-header-removed",
    "A response header has gone.",
    "Clients that read the header find nothing.",
    "Keep sending it.",
)
HEADER_ADDED: Final = addition("response-header-added", "A response header is new.")
HEADER_OPTIONAL: Final = breaking(
    "response-header-became-optional",
    "A response header is not always sent.",
    "Clients that rely on the header find nothing at times.",
    "Keep sending it always.",
)
HEADER_REQUIRED: Final = addition(
    "response-header-became-required", "A response header is always sent."
)

RULES: Final = (
    RESPONSE_REMOVED,
    ERROR_REMOVED,
    RESPONSE_ADDED,
    CODE_REMOVED,
    CODE_ADDED,
    HEADER_REMOVED,
    HEADER_ADDED,
    HEADER_OPTIONAL,
    HEADER_REQUIRED,
)

_PROBLEM: Final = "application/problem+json"


def compare_responses(before: Place, after: Place) -> Iterator[Finding]:
    """The responses of an operation; *before* and *after* are operations."""
    old, new = before.at("responses"), after.at("responses")
    members = side_by_side(members_of(old), members_of(new))
    for status in members.removed:
        rule = ERROR_REMOVED if status[:1] in ("4", "5") else RESPONSE_REMOVED
        yield rule.found(old.at(status), f"{status} is gone.", status)
    for status in members.added:
        yield RESPONSE_ADDED.found(new.at(status), f"{status} is new.", None, status)
    for one, other in members.kept.values():
        yield from _response(one, other)
    yield from _codes(old, new)


def _response(before: Place, after: Place) -> Iterator[Finding]:
    yield from compare_content(before, after, Surface.RESPONSE)
    yield from _headers(before.at("headers"), after.at("headers"))
    known = ("content", "headers")
    yield from rest(before, after, known=known, words=("description", "summary"))


def _headers(before: Place, after: Place) -> Iterator[Finding]:
    members = side_by_side(_by_lower_case(before), _by_lower_case(after))
    for name, place in members.removed.items():
        yield HEADER_REMOVED.found(place, f"{name} is gone.", name)
    for name, place in members.added.items():
        yield HEADER_ADDED.found(place, f"{name} is new.", None, name)
    for was, now in members.kept.values():
        one, other = was.follow(), now.follow()
        required = value_at(other.at("required"), False)
        rule = HEADER_REQUIRED if required else HEADER_OPTIONAL
        says = f"It is {'always' if required else 'not always'} sent."
        yield from changed(rule, one.at("required"), other.at("required"), says, False)
        yield from schemas(one.at("schema"), other.at("schema"), Surface.RESPONSE)
        yield from compare_content(one, other, Surface.RESPONSE)
        known = ("required", "schema", "content")
        words = ("description", "example", "examples", "deprecated")
        yield from rest(one, other, known=known, words=words)


def _by_lower_case(place: Place) -> dict[str, Place]:
    return {name.lower(): place.at(name) for name in object_at(place)}


def _codes(before: Place, after: Place) -> Iterator[Finding]:
    """Codes by operation: one that moves to another status is still sent."""
    members = side_by_side(codes_of(before), codes_of(after))
    for code, place in members.removed.items():
        status = place.pointer.removeprefix(before.pointer).split("/")[1]
        yield CODE_REMOVED.found(place, f"{code} ({status}) is gone.", code)
    for code, place in members.added.items():
        yield CODE_ADDED.found(place, f"{code} is new.", None, code)


def codes_of(responses: Place) -> dict[str, Place]:
    """Where the examples of problem responses name a code, by the code."""
    found: dict[str, Place] = {}
    for response in members_of(responses).values():
        media = response.at("content", _PROBLEM)
        examples: dict[str, Place] = {}
        if value_at(media) is not None:
            examples = members_of(media.follow().at("examples"))
        for example in examples.values():
            value: Any = value_at(example.at("value", "code"))
            if isinstance(value, str):
                found.setdefault(value, example)
    return found
