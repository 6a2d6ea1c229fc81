"""All places of a document, and what goes on around a value that is put there.

Private: used by ``tools.contracts.vectors``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tools.contracts._vectors_forms import Form, Place, Rule
from tools.contracts._vectors_values import Values, Where, pointer

Put = Callable[[Any], Any]
"""A small document with a value at the place in question."""

_DEEPEST: Final = 8


class DisagreementError(ValueError):
    """A vector has not the verdicts that it should have. One line."""


@dataclass(frozen=True)
class Spot:
    """A form at its place in the document."""

    form: Form
    place: Place
    where: Where
    put: Put

    @property
    def pointer(self) -> str:
        """Its JSON Pointer."""
        return pointer(self.where)

    def name(self, label: str) -> str:
        """What a vector is called."""
        form = f" ({self.form.label})" if self.form.label else ""
        return f"{self.pointer or 'document'}{form}: {label}"

    def cannot(self, rule: Rule, reason: str) -> DisagreementError:
        """The error for a rule that no vector is found for."""
        label = self.name(rule.keyword)
        return DisagreementError(f"{label} {as_text(rule.value)}: {reason}")


def walk(
    place: Place,
    values: Values,
    where: Where = (),
    put: Put = lambda value: value,
    above: tuple[int, ...] = (),
) -> Iterator[Spot]:
    """All forms of all places, each before those inside it."""
    for form in place.forms:
        yield Spot(form, place, where, put)
    if len(where) >= _DEEPEST:
        return
    for form in place.forms:
        # A schema that is a part of itself is opened twice and no more.
        here = (*above, id(form.parts[0][0]))
        if here.count(here[-1]) > 2 or form.choices is not None:
            continue
        for token, member, at in _inside(form, values, where, put):
            yield from walk(member, values, (*where, token), at, here)


def _inside(
    form: Form, values: Values, where: Where, put: Put
) -> Iterator[tuple[str | int, Place, Put]]:
    if form.kind == "object":
        small = values.minimal(form, where)
        members = dict(form.members)
        if form.other_members is not None:
            members["key"] = form.other_members
        for name, member in members.items():
            yield name, member, _member(put, small, name)
    if form.kind == "array":
        for index in range(form.prefix + 1):
            least = max([index + 1, *form.all("minItems")])
            items = values.items(form, where, least)
            bounded = any(least > most for most in form.all("maxItems"))
            if items is not None and not bounded:
                yield index, form.item(index), _item(put, items, index)


def _member(put: Put, small: Mapping[str, Any], name: str) -> Put:
    return lambda value: put({**small, name: value})


def _item(put: Put, small: Sequence[Any], index: int) -> Put:
    before, after = small[:index], small[index + 1 :]
    return lambda value: put([*before, value, *after])


def as_text(value: Any) -> str:
    """JSON, the same for the same value: to tell documents apart, and for people."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
