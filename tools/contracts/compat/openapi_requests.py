"""What clients send: parameters and bodies. They may only widen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from tools.contracts.compat.finding import Finding, Surface
from tools.contracts.compat.openapi_content import compare_content
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

_OPTIONAL: Final = "Make it optional, with a default for those who don't send it."

PARAMETER_REMOVED: Final = breaking(
    "parameter-removed",
    "A parameter has gone.",
    "Clients still send it, and are no longer heard: a filter filters nothing.",
    "Keep it, deprecated, or make a new operation without it.",
)
PARAMETER_ADDED_REQUIRED: Final = breaking(
    "parameter-added-required",
    "A parameter is new and required.",
    "Clients don't send it, and get a 422.",
    _OPTIONAL,
)
PARAMETER_ADDED: Final = addition(
    "parameter-added-optional", "A parameter is new and optional."
)
PARAMETER_REQUIRED: Final = breaking(
    "parameter-became-required",
    "An optional parameter is required.",
    "Clients that left it out get a 422.",
    _OPTIONAL,
)
PARAMETER_OPTIONAL: Final = addition(
    "parameter-became-optional", "A required parameter is optional."
)
PARAMETER_STYLE: Final = breaking(
    "parameter-style-changed",
    "style, explode or allowReserved of a parameter changed.",
    "Clients write arrays and objects the old way, which is read otherwise.",
    "Add a parameter with another name in the new style.",
)
PARAMETER_RENAMED: Final = breaking(
    "path-parameter-renamed",
    "A parameter in a path has another name.",
    "Generated clients have the name in their functions, and no longer compile. The "
    "URL is the same.",
    "Keep the name.",
)
PARAMETER_DEPRECATED: Final = addition(
    "parameter-deprecated", "A parameter is deprecated, or no longer."
)
BODY_REMOVED: Final = breaking(
    "request-body-removed",
    "An operation reads no body any more.",
    "Clients still send it, and are no longer heard.",
    "Make a new operation without a body.",
)
BODY_ADDED_REQUIRED: Final = breaking(
    "request-body-added-required",
    "An operation asks for a body.",
    "Clients don't send it, and get a 422.",
    _OPTIONAL,
)
BODY_ADDED: Final = addition(
    "request-body-added-optional", "An operation takes a body."
)
BODY_REQUIRED: Final = breaking(
    "request-body-became-required",
    "An optional body is required.",
    "Clients that left it out get a 422.",
    _OPTIONAL,
)
BODY_OPTIONAL: Final = addition(
    "request-body-became-optional", "A required body is optional."
)

RULES: Final = (
    PARAMETER_REMOVED,
    PARAMETER_ADDED_REQUIRED,
    PARAMETER_ADDED,
    PARAMETER_REQUIRED,
    PARAMETER_OPTIONAL,
    PARAMETER_STYLE,
    PARAMETER_RENAMED,
    PARAMETER_DEPRECATED,
    BODY_REMOVED,
    BODY_ADDED_REQUIRED,
    BODY_ADDED,
    BODY_REQUIRED,
    BODY_OPTIONAL,
)

_TEMPLATE: Final = re.compile(r"\{([^}]*)\}")
_WORDS: Final = ("description", "example", "examples")
_STYLE: Final = ("style", "explode", "allowReserved")

Key = tuple[str, str | int]


def parameters_of(path: Place, operation: Place, url: str) -> dict[Key, Place]:
    """The parameters of an operation: its own, then those of its path.

    Known by where they are sent and their name; those of the path by their position,
    for a client writes them there whatever they are called.

    Raises:
        PlaceError: One is none.
    """
    names = _TEMPLATE.findall(url)
    found: dict[Key, Place] = {}
    for owner in (operation, path):
        listed = owner.at("parameters")
        for index in range(len(list_at(listed))):
            place = listed.at(index).follow()
            parameter = object_at(place)
            where, name = parameter.get("in"), parameter.get("name")
            if not isinstance(where, str) or not isinstance(name, str):
                raise PlaceError(f"{place} must have a name and in.")
            key: Key = (where, name.lower() if where == "header" else name)
            if where == "path" and name in names:
                key = (where, names.index(name))
            found.setdefault(key, place)
    return found


def compare_parameters(
    before: dict[Key, Place], after: dict[Key, Place]
) -> Iterator[Finding]:
    """The parameters of one operation in two documents."""
    # In one mapping by text, which is all that the comparison needs.
    members = side_by_side(
        {str(key): place for key, place in before.items()},
        {str(key): place for key, place in after.items()},
    )
    for place in members.removed.values():
        yield PARAMETER_REMOVED.found(place, f"{_name(place)} is gone.", place.node)
    for place in members.added.values():
        name, required = _name(place), value_at(place.at("required"), False)
        rule = PARAMETER_ADDED_REQUIRED if required else PARAMETER_ADDED
        yield rule.found(place, f"{name} is new.", None, place.node)
    for old, new in members.kept.values():
        yield from _parameter(old, new)


def _parameter(before: Place, after: Place) -> Iterator[Finding]:
    name = _name(after)
    if value_at(before.at("in")) == "path":
        says = f"{_name(before)} is called {name} now."
        yield from changed(PARAMETER_RENAMED, before.at("name"), after.at("name"), says)
    required = value_at(after.at("required"), False)
    rule = PARAMETER_REQUIRED if required else PARAMETER_OPTIONAL
    says = f"{name} is {'required' if required else 'optional'} now."
    yield from changed(rule, before.at("required"), after.at("required"), says, False)
    yield from changed(
        PARAMETER_DEPRECATED,
        before.at("deprecated"),
        after.at("deprecated"),
        f"Whether {name} is deprecated has changed.",
        False,
    )
    old, new = _style_of(before), _style_of(after)
    if old != new:
        says = f"{name} is written in another way."
        yield PARAMETER_STYLE.found(after, says, old, new)
    yield from schemas(before.at("schema"), after.at("schema"), Surface.REQUEST)
    yield from compare_content(before, after, Surface.REQUEST)
    known = {"name", "in", "required", "deprecated", "schema", "content", *_STYLE}
    yield from rest(before, after, known=known, words=_WORDS)


def _style_of(place: Place) -> dict[str, Any]:
    parameter = object_at(place)
    forms = parameter.get("in") in ("query", "cookie")
    style = parameter.get("style", "form" if forms else "simple")
    return {
        "style": style,
        "explode": parameter.get("explode", style == "form"),
        "allowReserved": parameter.get("allowReserved", False),
        "content": "content" in parameter,
    }


def _name(place: Place) -> str:
    parameter = object_at(place)
    return f"The {parameter.get('in')} parameter {parameter.get('name')}"


def compare_bodies(before: Place, after: Place) -> Iterator[Finding]:
    """The request bodies of an operation; *before* and *after* are operations."""
    old, new = before.at("requestBody"), after.at("requestBody")
    was, now = value_at(old) is not None, value_at(new) is not None
    if was and now:
        yield from _body(old.follow(), new.follow())
    elif was:
        yield BODY_REMOVED.found(old, "There is no request body any more.", old.node)
    elif now:
        required = value_at(new.follow().at("required"), False)
        rule = BODY_ADDED_REQUIRED if required else BODY_ADDED
        yield rule.found(new, "The request body is new.", None, new.node)


def _body(before: Place, after: Place) -> Iterator[Finding]:
    required = value_at(after.at("required"), False)
    rule = BODY_REQUIRED if required else BODY_OPTIONAL
    says = f"The body is {'required' if required else 'optional'} now."
    yield from changed(rule, before.at("required"), after.at("required"), says, False)
    yield from compare_content(before, after, Surface.REQUEST)
    yield from rest(before, after, known=("required", "content"), words=_WORDS)
