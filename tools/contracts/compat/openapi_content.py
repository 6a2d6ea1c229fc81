"""The ``content`` of bodies, responses and parameters: media types and schemas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tools.contracts.compat.finding import Finding, Surface
from tools.contracts.compat.place import Place
from tools.contracts.compat.rule import addition, breaking
from tools.contracts.compat.walk import (
    WORDING,
    changed,
    members_of,
    rest,
    schemas,
    side_by_side,
)

REQUEST_TYPE_REMOVED: Final = breaking(
    "request-media-type-removed",
    "A media type is no longer read.",
    "Clients that send it get a 415 or 422.",
    "Read both until the next major version.",
)
REQUEST_TYPE_ADDED: Final = addition(
    "request-media-type-added", "A media type is read that was not."
)
RESPONSE_TYPE_REMOVED: Final = breaking(
    "response-media-type-removed",
    "A media type is no longer written.",
    "Clients that read it get something that they can't read.",
    "Write it for those whose Accept header asks for it.",
)
RESPONSE_TYPE_ADDED: Final = addition(
    "response-media-type-added", "A media type is written that was not."
)
ENCODING: Final = breaking(
    "body-encoding-changed",
    "The parts of a form are encoded in another way.",
    "The parts of a form are written in the old way, and read otherwise.",
    "Add a member with another name that is encoded in the new way.",
)

RULES: Final = (
    REQUEST_TYPE_REMOVED,
    REQUEST_TYPE_ADDED,
    RESPONSE_TYPE_REMOVED,
    RESPONSE_TYPE_ADDED,
    ENCODING,
)


def compare_content(before: Place, after: Place, surface: Surface) -> Iterator[Finding]:
    """What two bodies, responses or parameters hold in ``content``."""
    old, new = before.at("content"), after.at("content")
    request = surface is Surface.REQUEST
    members = side_by_side(members_of(old), members_of(new))
    for name in members.removed:
        rule = REQUEST_TYPE_REMOVED if request else RESPONSE_TYPE_REMOVED
        yield rule.found(old.at(name), f"{name} is gone.", name)
    for name in members.added:
        rule = REQUEST_TYPE_ADDED if request else RESPONSE_TYPE_ADDED
        yield rule.found(new.at(name), f"{name} is new.", None, name)
    for one, other in members.kept.values():
        yield from schemas(one.at("schema"), other.at("schema"), surface)
        yield from _examples(one, other)
        yield from changed(
            ENCODING, one.at("encoding"), other.at("encoding"), "The encoding changed."
        )
        known = ("schema", "encoding", "examples")
        yield from rest(one, other, known=known, words=("example",))


def _examples(before: Place, after: Place) -> Iterator[Finding]:
    """Examples that read otherwise; those that come and go change nothing."""
    members = side_by_side(
        members_of(before.at("examples")), members_of(after.at("examples"))
    )
    for name, (one, other) in members.kept.items():
        if one.node != other.node:
            says = f"The example {name} reads otherwise."
            yield WORDING.found(other, says, one.node, other.node)
