"""Valid documents: small, full, and with each choice and bound.

Private: used by ``tools.contracts.vectors``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, Final

from tools.contracts._vectors_draft import Draft
from tools.contracts._vectors_forms import Form, Rule, kinds_of
from tools.contracts._vectors_spots import DisagreementError, Spot, as_text
from tools.contracts._vectors_values import LONGEST, broken
from tools.contracts.differences import FORMATS, UNREACHABLE

SIZES: Final = ("minLength", "maxLength", "minItems", "maxItems")
UNKNOWN: Final = {"unknown_member": "ignored"}

_FEWEST: Final = 3
_NUMBERS: Final = (0, -1, 12.5)
_TEXTS: Final = {"empty": "", "beyond ASCII": "é😀"}


def add_valid(draft: Draft, spots: Sequence[Spot], examples: Sequence[Any]) -> None:
    """Write down the valid documents.

    Raises:
        DisagreementError: The reader or the schema refuses one of them.
    """
    for index, example in enumerate(examples):
        draft.accept(f"example {index + 1}", example)
    for spot in spots:
        for label, value in _values(draft, spot):
            draft.accept(spot.name(label), spot.put(value))
    _fill_up(draft, spots)


def _values(draft: Draft, spot: Spot) -> Iterator[tuple[str, Any]]:
    form, values = spot.form, draft.values
    yield "minimal", values.minimal(form, spot.where)
    if form.choices is not None:
        yield from ((as_text(value), value) for value in form.choices)
        return
    if form.kind in ("object", "array"):
        yield "full", values.full(form, spot.where)
    for rule in form.rules:
        yield from _at_bound(draft, spot, rule)
    if form.kind == "boolean":
        yield from (("true", True), ("false", False))
    elif form.kind == "string":
        yield from _texts(draft, form)
    elif form.kind in ("number", "integer"):
        fitting = [n for n in _NUMBERS if form.kind in kinds_of(n)]
        yield from ((str(n), n) for n in fitting if not broken(form, n))
    elif form.kind == "array" and not broken(form, []):
        yield "empty", []
    elif form.kind == "object":
        small = values.minimal(form, spot.where)
        if form.other_members is None and not form.closed:
            yield "unknown member", {**small, **UNKNOWN}
        for most in form.all("maxProperties"):
            more = values.members(form, spot.where, most - len(small), small)
            yield "maxProperties", {**small, **more}


def _at_bound(draft: Draft, spot: Spot, rule: Rule) -> Iterator[tuple[str, Any]]:
    keyword = rule.keyword
    if keyword in SIZES and rule.value > LONGEST:
        draft.note(spot, rule, f"a vector would be too long ({rule.value}).")
    elif keyword in ("minLength", "maxLength"):
        yield from _text_at_bound(draft, spot, rule)
    elif keyword in ("minItems", "maxItems"):
        items = draft.values.items(spot.form, spot.where, rule.value)
        if items is None:
            raise spot.cannot(rule, "not so many different items were found")
        yield keyword, items
    elif "imum" in keyword:
        near = draft.values.numbers(spot.form, rule)
        fitting = [number for number in near if not broken(spot.form, number)]
        if not fitting:
            draft.note(spot, rule, "another bound is narrower.")
        yield from ((keyword, number) for number in fitting[:1])


def _text_at_bound(draft: Draft, spot: Spot, rule: Rule) -> Iterator[tuple[str, str]]:
    form, length, values = spot.form, rule.value, draft.values
    # Text beyond ASCII is longer in bytes, and some of it in units of UTF-16.
    wide = rule.keyword == "maxLength" and values.text(form, length, wide=True)
    made = wide or values.text(form, length)
    if made is not None:
        yield rule.keyword, made
        return
    for name in (*form.validators, *form.all("format")):
        if (name, rule.keyword) in UNREACHABLE:
            draft.note(spot, rule, UNREACHABLE[name, rule.keyword])
            return
    # The bound that a pattern has by itself may be a narrower one.
    lengths = values.lengths(form)
    if not lengths:
        raise spot.cannot(rule, "no text of that length keeps to the other rules")
    nearest = min(lengths, key=lambda each: abs(each - length))
    draft.note(spot, rule, f"other rules bound the length by {nearest}.")
    text = values.text(form, nearest)
    if text is not None:
        yield f"{rule.keyword} by other rules", text


def _texts(draft: Draft, form: Form) -> Iterator[tuple[str, str]]:
    for name in form.all("format"):
        if name in FORMATS and draft.first(name):
            yield from ((f"{name} {text}", text) for text in FORMATS[name].others)
    if not (draft.values.sized(form) or form.all("maxLength")):
        for label, text in _TEXTS.items():
            if not broken(form, text):
                yield label, text


def _fill_up(draft: Draft, spots: Sequence[Spot]) -> None:
    """Find documents until there are three, if there are so many."""
    root = spots[0].form
    for spot, length in product(spots, range(64)):
        if len(draft.valid) >= _FEWEST:
            return
        if spot.form.kind == "string" and not spot.form.choices:
            text = draft.values.text(spot.form, length)
            if text is not None:
                draft.accept(spot.name(f"{length} characters"), spot.put(text))
    if root.kind == "object" and not root.closed and root.other_members is None:
        small = draft.values.minimal(root, ())
        for unknown in ("ignored as well", None):
            name = f"document: unknown member {as_text(unknown)}"
            draft.accept(name, {**small, "unknown_member": unknown})
    if len(draft.valid) < _FEWEST and root.choices is None:
        raise DisagreementError(f"only {len(draft.valid)} valid documents were found")
