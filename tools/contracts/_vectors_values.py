"""Values for a form: plain ones, those at its bounds, those that break one rule.

Private: used by ``tools.contracts.vectors``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from tools.contracts._vectors_forms import (
    RULES,
    Form,
    Place,
    Rule,
    UnsaidError,
    kinds_of,
)
from tools.contracts._vectors_judge import CHECKER
from tools.contracts._vectors_regex import regex
from tools.contracts.differences import (
    FORMATS,
    UNCHECKED_FORMATS,
    Format,
    Sized,
    Unsaid,
)

Where = tuple[str | int, ...]

LONGEST: Final = 10_000
"""Bounds above it get no vectors: nobody would read them, and all would store them."""

_TEXTS: Final = ("text", "ada@example.com", "https://example.com/a")
_NUMBERS: Final = (1, 12.5, 0, -1)
_OTHERS: Final[Sequence[Any]] = ("text", 12, {}, [], True, 12.5)
# What most patterns refuse, in the place of a character or beside one. No line break,
# and no space beyond ASCII: expressions of Python and ECMA-262 differ in them.
_STRANGE: Final = (" ", "!", "#", "-", "A", "a", "0", "é", "\u202e", "\x00")
_DEEPEST: Final = 10


class Values:
    """Makes values.

    Args:
        examples: Whole documents, from which values are taken first.
        unsaid: By their names, the functions in ``x-validated-by``.
    """

    def __init__(self, examples: Iterable[Any], unsaid: Mapping[str, Unsaid]) -> None:
        self._examples = list(examples)
        self.unsaid = unsaid

    def minimal(self, form: Form, where: Where) -> Any:
        """The smallest value: an object with the members that it must have.

        Raises:
            UnsaidError: No value of the form was found.
        """
        if form.kind == "object" and form.choices is None:
            return {
                name: self.of(form.members[name], (*where, name))
                for name in form.required
            } | self._more_members(form, where, len(form.required))
        if form.kind == "array" and form.choices is None:
            count = max([0, *form.all("minItems")])
            return self._required_items(form, where, count)
        return self._scalar(form, where)

    def full(self, form: Form, where: Where) -> Any:
        """A value with all members, and an item in each array."""
        if len(where) > _DEEPEST:
            return self.minimal(form, where)
        if form.kind == "object" and form.choices is None:
            found = {
                name: self.full(place.forms[0], (*where, name))
                for name, place in form.members.items()
            }
            if form.other_members is not None:
                other = form.other_members.forms[0]
                found = found or {"key": self.full(other, (*where, "key"))}
            return found | self._more_members(form, where, len(found))
        if form.kind == "array" and form.choices is None:
            count = max([1, form.prefix, *form.all("minItems")])
            if min([count, *form.all("maxItems")]) < count:
                return self.minimal(form, where)
            found_items = self._required_items(form, where, count)
            first = form.item(0).forms[0]
            return [self.full(first, (*where, 0)), *found_items[1:]]
        return self._scalar(form, where)

    def of(self, place: Place, where: Where) -> Any:
        """The smallest value of a place's first form."""
        if len(where) > _DEEPEST * 2:
            raise UnsaidError(f"{pointer(where)}: no document is finite")
        return self.minimal(place.forms[0], where)

    def items(self, form: Form, where: Where, count: int) -> list[Any] | None:
        """So many items, all different if they must be; None if there are not."""
        places = [form.item(index) for index in range(count)]
        first = [self.of(p, (*where, i)) for i, p in enumerate(places[: form.prefix])]
        if count <= form.prefix or True not in form.all("uniqueItems"):
            rest = [self.of(p, (*where, 0)) for p in places[form.prefix :][:1]]
            return first + rest * (count - len(first))
        found = list(first)
        for value in self._distinct(places[form.prefix], where, count * 2):
            if len(found) == count:
                break
            if _text(value) not in map(_text, found):
                found.append(value)
        return found if len(found) == count else None

    def text(
        self,
        form: Form,
        length: int,
        *,
        wide: bool = False,
        breaking: Rule | None = None,
    ) -> str | None:
        """Text of a length that keeps to every rule but one; None if there is none."""
        for made in self._texts(form, length, wide=wide, breaking=breaking):
            if made is None or len(made) != length:
                continue
            if all(rule is breaking for rule in broken(form, made)):
                return made
        return None

    def lengths(self, form: Form) -> list[int]:
        """How long text can be that keeps to every rule, up to some hundreds."""
        least = max([0, *form.all("minLength")])
        most = min([least + 300, *form.all("maxLength")])
        possible = range(least, most + 1)
        return [n for n in possible if self.text(form, n) is not None]

    def sized(self, form: Form) -> bool:
        """Whether text of this form follows rules that are no keywords."""
        return bool(list(self._sizers(form)))

    def breaking(self, form: Form, rule: Rule, value: Any, where: Where) -> list[Any]:
        """Values that break a rule, those first that break nothing else.

        Args:
            form: What the value should be.
            rule: One of the form's.
            value: A valid one, to begin with.
            where: Its place in the document.
        """
        made = self._broken(form, rule, value, where)
        found = [each for each in made if rule in broken(form, each)]
        unique = list({_text(each): each for each in found}.values())
        return sorted(unique, key=lambda each: len(broken(form, each)))

    def numbers(self, form: Form, rule: Rule) -> Iterator[int | float]:
        """Numbers at a bound and beside it, on the side that is valid."""
        sign = 1 if "inimum" in rule.keyword else -1
        yield rule.value
        near = [1, 0.5, 0.01] if abs(rule.value) >= 1000 else [0.01, 0.5, 1]
        for step in form.all("multipleOf") or ([1] if form.kind == "integer" else near):
            yield _plain(rule.value + sign * step)

    def _hints(self, where: Where) -> Iterator[Any]:
        for example in self._examples:
            value = example
            for token in where:
                if isinstance(token, int):
                    value = value[:1] if isinstance(value, list) else []
                    value = value[0] if value else _NOTHING
                else:
                    value = (
                        value.get(token, _NOTHING)
                        if isinstance(value, dict)
                        else _NOTHING
                    )
            if value is not _NOTHING:
                yield value

    def _scalar(self, form: Form, where: Where) -> Any:
        if form.kind == "null":
            return None
        for value in self._candidates(form, where):
            if form.kind in kinds_of(value) and not broken(form, value):
                return value
        reason = f"no {form.kind} was found that keeps to all rules"
        raise UnsaidError(f"{pointer(where)}: {reason}")

    def _candidates(self, form: Form, where: Where) -> Iterator[Any]:
        yield from self._hints(where)
        yield from form.choices or ()
        for examples in form.annotations("examples"):
            yield from examples
        if form.kind in ("string", "any"):
            for name in form.all("format"):
                if name in FORMATS:
                    yield FORMATS[name].sample
            if not self.sized(form):
                yield from _TEXTS
            least = max([1, *form.all("minLength")])
            lengths = [least, *range(least + 1, least + 64)]
            yield from (self.text(form, length) for length in lengths)
            yield ""
        elif form.kind == "boolean":
            yield True
        else:
            yield from _NUMBERS
            for rule in form.rules:
                if "imum" in rule.keyword:
                    yield from self.numbers(form, rule)
                if rule.keyword == "multipleOf":
                    yield rule.value

    def _sizers(self, form: Form) -> Iterator[Sized]:
        known: list[Unsaid | Format | None] = [
            *map(self.unsaid.get, form.validators),
            *map(FORMATS.get, form.all("format")),
        ]
        for each in known:
            if each and each.sized:
                yield each.sized

    def _texts(
        self, form: Form, length: int, *, wide: bool, breaking: Rule | None
    ) -> Iterator[str | None]:
        for sized in self._sizers(form):
            yield sized(length, wide)
            return
        prefer = list("😀é") if wide else []
        patterns = [
            rule.value
            for rule in form.rules
            if rule.keyword == "pattern" and rule is not breaking
        ]
        for pattern in patterns:
            yield regex(pattern).sample(
                length, lambda at: prefer[at // 2] if at in (0, 2) and prefer else "a"
            )
        yield ("".join(prefer) + "a" * length)[:length]

    def _required_items(self, form: Form, where: Where, count: int) -> list[Any]:
        found = self.items(form, where, count)
        if found is None:
            reason = f"not so many different items were found ({count})"
            raise UnsaidError(f"{pointer(where)}: {reason}")
        return found

    def _more_members(self, form: Form, where: Where, have: int) -> dict[str, Any]:
        wanted = max([0, *form.all("minProperties")]) - have
        if wanted <= 0:
            return {}
        return self.members(form, where, wanted, ())

    def members(
        self, form: Form, where: Where, count: int, known: Container[str]
    ) -> dict[str, Any]:
        """So many members of names that neither a schema nor *known* has."""
        other = form.other_members
        free = (f"key{index}" for index in range(1, LONGEST))
        names = list(islice((name for name in free if name not in known), count))
        return {n: self.of(other, (*where, n)) if other else "text" for n in names}

    def _distinct(self, place: Place, where: Where, count: int) -> Iterator[Any]:
        for form in place.forms:
            first = self.minimal(form, (*where, 0))
            yield first
            yield from form.choices or ()
            if form.kind == "string":
                for index in range(count):
                    for length in (len(first), len(first) + 1, len(first) + 2):
                        digits = str(index)
                        made = first[: max(0, length - len(digits))] + digits
                        if not broken(form, made):
                            yield made
                    made = _renumbered(first, index)
                    if not broken(form, made):
                        yield made
            elif form.kind in ("integer", "number"):
                steps = form.all("multipleOf") or [1]
                for index in range(count):
                    for sign in (1, -1):
                        made_number = _plain(first + sign * index * steps[0])
                        if not broken(form, made_number):
                            yield made_number
            elif form.kind == "boolean":
                yield not first

    def _broken(
        self, form: Form, rule: Rule, value: Any, where: Where
    ) -> Iterator[Any]:
        keyword, bound = rule.keyword, rule.value
        if keyword in ("const", "enum"):
            yield from _not_chosen(form)
        elif keyword == "format":
            yield from FORMATS[bound].broken
        elif keyword == "minLength":
            yield from self._of_length(form, rule, value, bound - 1)
        elif keyword == "maxLength":
            yield from self._of_length(form, rule, value, bound + 1)
        elif keyword == "pattern":
            yield from self._off_pattern(form, rule, value)
        elif keyword in ("minimum", "maximum"):
            sign = -1 if keyword == "minimum" else 1
            for step in (*form.all("multipleOf"), 1, 0.5):
                yield _plain(bound + sign * step)
        elif keyword in ("exclusiveMinimum", "exclusiveMaximum"):
            yield bound
        elif keyword == "multipleOf":
            for part in (0.5, -0.5, *range(1, 12), *range(-11, 0)):
                moved = (
                    value + part * bound if isinstance(part, float) else value + part
                )
                if form.kind in kinds_of(_plain(moved)):
                    yield _plain(moved)
        elif keyword in ("minItems", "maxItems"):
            count = bound - 1 if keyword == "minItems" else bound + 1
            yield self.items(form, where, max(0, count))
        elif keyword == "uniqueItems":
            least = max([2, *form.all("minItems")])
            items = self.items(form, where, least - 1) or []
            yield [*items, *items[:1]]

    def _of_length(
        self, form: Form, rule: Rule, value: str, length: int
    ) -> Iterator[Any]:
        if length < 0:
            return
        yield self.text(form, length, breaking=rule)
        # Where no such text keeps to the other rules, one that breaks a pattern too.
        yield (value + "a" * max(0, length - len(value)))[:length]

    def _off_pattern(self, form: Form, rule: Rule, value: str) -> Iterator[str]:
        least = max([0, *form.all("minLength")])
        for text in (value, self.text(form, least + 1) or value):
            for strange in _STRANGE:
                yield text[:1] + strange + text[2:]
                yield text + strange
                yield strange + text[1:]
                yield strange * max(1, least)
                yield text.replace(":", strange)
            yield text[1:]
            yield text[:-1]
        yield ""


_NOTHING: Final = object()


def pointer(where: Where) -> str:
    """The JSON Pointer of a place in a document."""
    tokens = (str(token).replace("~", "~0").replace("/", "~1") for token in where)
    return "".join(f"/{token}" for token in tokens)


def broken(form: Form, value: Any) -> list[Rule]:
    """The rules that a value breaks, those of its members and items left out."""
    kinds = kinds_of(value)
    if form.kind not in kinds:
        general = [rule for rule in form.rules if RULES[rule.keyword] == ""]
        return [r for r in general if r.keyword == "type" or _breaks(r, value)]
    return [rule for rule in form.rules if _breaks(rule, value)]


def _breaks(rule: Rule, value: Any) -> bool:
    keyword, bound = rule.keyword, rule.value
    if keyword == "const":
        return _text(value) != _text(bound)
    if keyword == "enum":
        return _text(value) not in map(_text, bound)
    if keyword == "format":
        return bound not in UNCHECKED_FORMATS and not CHECKER.conforms(value, bound)
    if keyword == "pattern":
        return not regex(bound).matches(value)
    breaks = _SIZES.get(keyword)
    return breaks is not None and breaks(value, bound)


_SIZES: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "minLength": lambda value, bound: len(value) < bound,
    "maxLength": lambda value, bound: len(value) > bound,
    "minimum": lambda value, bound: value < bound,
    "maximum": lambda value, bound: value > bound,
    "exclusiveMinimum": lambda value, bound: value <= bound,
    "exclusiveMaximum": lambda value, bound: value >= bound,
    "multipleOf": lambda value, bound: _plain(value / bound) % 1 != 0,
    "minItems": lambda value, bound: len(value) < bound,
    "maxItems": lambda value, bound: len(value) > bound,
    "minProperties": lambda value, bound: len(value) < bound,
    "maxProperties": lambda value, bound: len(value) > bound,
    "uniqueItems": lambda value, bound: (
        bound and len(set(map(_text, value))) < len(value)
    ),
}
"""Whether a value breaks a rule."""


def of_another_type(kinds: Iterable[str]) -> list[Any]:
    """Values of types that are none of *kinds*."""
    accepted = set(kinds)
    if accepted & {"any"}:
        return []
    return [value for value in _OTHERS if not accepted.intersection(kinds_of(value))]


def _not_chosen(form: Form) -> Iterator[Any]:
    first, *_ = form.choices or [None]
    if isinstance(first, str):
        yield f"{first}-other"
        yield first.swapcase()
    elif isinstance(first, bool):
        yield not first
    elif isinstance(first, int | float):
        numbers = [each for each in form.choices or () if isinstance(each, int | float)]
        yield max(numbers) + 1
    elif isinstance(first, list):
        yield [*first, "other"]
    elif isinstance(first, dict):
        yield {**first, "other": True}
    yield "other"


def _renumbered(text: str, index: int) -> str:
    """*text* with its last digits replaced, as those of a UUID or a time."""
    digits = str(index)
    return text[: -len(digits)] + digits if len(text) > len(digits) else digits


def _plain(number: float) -> int | float:
    """Without the noise of binary fractions: 0.1 + 0.2 is 0.3."""
    short = round(number, 9)
    return int(short) if float(short).is_integer() else short


def _text(value: Any) -> str:
    """Tells values apart as JSON does: 1 from true, and not 1 from 1.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True)
