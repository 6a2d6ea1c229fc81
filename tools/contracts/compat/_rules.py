"""The rules for JSON Schemas, and their verdict on each surface.

Private: import these names from ``tools.contracts.compat.schemas``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from tools.contracts.compat.finding import Impact, Surface


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the table in contracts/README.md."""

    id: str
    text: str
    """One line: what has changed."""
    request: Impact
    response: Impact
    event: Impact
    unless: str = ""
    """When the verdict is a milder one than in the columns; empty if never."""

    def on(self, surface: Surface) -> Impact:
        """The verdict on a surface."""
        verdicts = {
            Surface.REQUEST: self.request,
            Surface.RESPONSE: self.response,
            Surface.EVENT: self.event,
        }
        return verdicts[surface]


_B, _A, _W = Impact.BREAKING, Impact.ADDITION, Impact.WORDING

# What the new schema accepts, beside what the old one did.
_LESS: Final = (_B, _A, _B)
_MORE: Final = (_A, _B, _B)
_OTHER: Final = (_B, _B, _B)
_SAFE: Final = (_A, _A, _A)
_WORDS: Final = (_W, _W, _W)

BOUNDS: Final[Mapping[str, str]] = {
    "minimum": "minimum",
    "exclusiveMinimum": "exclusive-minimum",
    "maximum": "maximum",
    "exclusiveMaximum": "exclusive-maximum",
    "multipleOf": "multiple-of",
    "minLength": "min-length",
    "maxLength": "max-length",
    "minItems": "min-items",
    "maxItems": "max-items",
    "uniqueItems": "unique-items",
    "minProperties": "min-properties",
    "maxProperties": "max-properties",
}
"""Keyword to the first part of its two rules."""

_OMITTED: Final = "nobody who kept to the old contract leaves the member out: wording"


def _rules() -> Iterator[Rule]:
    yield Rule("type-narrowed", "A type is no longer accepted.", *_LESS)
    yield Rule("type-widened", "A type is accepted that was not.", *_MORE)
    yield Rule("type-changed", "One type has taken the place of another.", *_OTHER)
    yield Rule("null-refused", "null is no longer accepted.", *_LESS)
    yield Rule("null-allowed", "null is accepted where it was not.", *_MORE)

    yield Rule("enum-added", "Any value was accepted, now only listed ones.", *_LESS)
    yield Rule("enum-removed", "The values are no longer listed.", *_MORE)
    yield Rule("enum-value-added", "A value is new in the list.", *_MORE)
    yield Rule("enum-value-removed", "A value has gone from the list.", *_LESS)
    yield Rule("const-changed", "The only accepted value is another one.", *_OTHER)

    for keyword, name in BOUNDS.items():
        yield Rule(f"{name}-tightened", f"{keyword} accepts less than before.", *_LESS)
        yield Rule(f"{name}-loosened", f"{keyword} accepts more than before.", *_MORE)
    for name in ("pattern", "format"):
        yield Rule(f"{name}-added", f"A {name} is asked for that was not.", *_LESS)
        yield Rule(f"{name}-removed", f"A {name} is no longer asked for.", *_MORE)
        text = f"A {name} has changed; which accepts more, the gate can't tell."
        yield Rule(f"{name}-changed", text, *_OTHER)
    text = "Text is encoded in another way."
    yield Rule("content-encoding-changed", text, *_OTHER)
    text = "Code refuses values that no keyword refuses (x-validated-by)."
    yield Rule("validator-added", text, *_LESS)
    text = "Code that refused values has gone (x-validated-by)."
    yield Rule("validator-removed", text, *_MORE)

    yield Rule("property-added", "An optional member is new.", *_SAFE)
    text = "A member is new, and the old schema refuses unknown members."
    yield Rule("property-added-to-closed", text, _A, _B, _B)
    text = "A member is new and required."
    yield Rule("required-property-added", text, *_LESS)
    yield Rule("property-removed", "A member has gone.", *_OTHER)
    yield Rule(
        "required-added",
        "A member that could be left out is required.",
        *_LESS,
        unless="on events: x-written already promised it: addition",
    )
    yield Rule(
        "required-removed",
        "A member that was required may be left out.",
        *_MORE,
        unless="x-written still promises it: addition",
    )
    text = "A member is always written from now on (x-written)."
    yield Rule("written-added", text, _W, _A, _A)
    text = "A member is no longer always written (x-written)."
    yield Rule("written-removed", text, _W, _B, _B)
    text = "A default is said where the contract left it open."
    yield Rule("default-added", text, _A, _W, _A)
    text = "Leaving the member out means another value."
    yield Rule("default-changed", text, *_OTHER, unless=_OMITTED)
    text = "What leaving the member out means is no longer said."
    yield Rule("default-removed", text, *_OTHER, unless=_OMITTED)

    text = "Unknown members were ignored or kept, and are refused."
    yield Rule("additional-refused", text, *_LESS)
    text = "Members of any name were kept, and are ignored."
    yield Rule("additional-dropped", text, *_LESS)
    text = "Unknown members were refused, and are ignored."
    yield Rule("additional-tolerated", text, *_SAFE)
    text = "Unknown members were ignored, and are kept."
    yield Rule("additional-opened", text, *_SAFE)
    text = "Unknown members were refused, and are kept."
    yield Rule("additional-allowed", text, *_MORE)

    yield Rule("union-branch-added", "A form is new in a union.", *_MORE)
    yield Rule("union-branch-removed", "A form has gone from a union.", *_LESS)
    tagged = "every form requires the member: wording"
    text = "A union is told apart by a member."
    yield Rule("discriminator-added", text, *_LESS, unless=tagged)
    text = "A union is no longer told apart by a member."
    yield Rule("discriminator-removed", text, *_MORE, unless=tagged)
    text = "A union is told apart by another member."
    yield Rule("discriminator-changed", text, *_OTHER)

    yield Rule("read-only-added", "A member is for reading only.", _B, _W, _W)
    text = "A member is no longer for reading only."
    yield Rule("read-only-removed", text, _A, _W, _W)
    yield Rule("write-only-added", "A member is for writing only.", _W, _B, _B)
    text = "A member is no longer for writing only."
    yield Rule("write-only-removed", text, _W, _A, _A)

    yield Rule("title-changed", "A title.", *_WORDS)
    yield Rule("description-changed", "A description.", *_WORDS)
    yield Rule("examples-changed", "Examples.", *_WORDS)
    yield Rule("deprecated-changed", "A deprecation, or the end of one.", *_WORDS)
    yield Rule("comment-changed", "A comment.", *_WORDS)
    text = "A definition has another name, or stands elsewhere."
    yield Rule("reference-renamed", text, *_WORDS)
    text = "Something that the gate has no rule for: it can't tell."
    yield Rule("schema-changed", text, *_OTHER)


RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {rule.id: rule for rule in _rules()}
)
"""By id, in the order of the table."""
