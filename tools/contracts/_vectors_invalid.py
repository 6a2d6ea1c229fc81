"""Invalid documents: one for each rule at each place, which breaks that rule alone.

Private: used by ``tools.contracts.vectors``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tools.contracts._vectors_differs import differ, of_rule
from tools.contracts._vectors_draft import Draft
from tools.contracts._vectors_forms import Rule, kinds_of
from tools.contracts._vectors_judge import beside, breaks_only, routes
from tools.contracts._vectors_spots import Put, Spot, as_text
from tools.contracts._vectors_valid import SIZES, UNKNOWN
from tools.contracts._vectors_values import LONGEST, of_another_type
from tools.contracts.differences import UNCHECKED_FORMATS


def add_invalid(draft: Draft, spots: Sequence[Spot]) -> None:
    """Write down the documents that the schema refuses.

    Raises:
        DisagreementError: The reader accepts one of them, or none was found for a rule,
            and no known difference says so.
    """
    for spot in spots:
        at = _At(draft, spot)
        if spot.form is spot.place.forms[0]:
            at.wrong_types()
        for rule in spot.form.rules:
            at.breaks(rule)


class _At:
    """The invalid documents of one place."""

    def __init__(self, draft: Draft, spot: Spot) -> None:
        self._draft = draft
        self._spot = spot
        self._form = spot.form
        self._values = draft.values

    def wrong_types(self) -> None:
        """Values of types that are none of the place's."""
        kinds = self._spot.place.kinds
        others = of_another_type(kinds)
        by_keyword = {rule.keyword: rule for rule in self._form.rules}
        rule = next(filter(None, map(by_keyword.get, ("type", "const", "enum"))), None)
        if rule is None or not others:
            return
        self._refuse(rule, others, "another type")
        if "null" not in kinds:
            self._refuse(rule, [None], "null")
        if self._form.kind == "integer" and "number" not in kinds:
            self._refuse(rule, [self._small() + 0.5, 1.5], "a fraction")

    def breaks(self, rule: Rule) -> None:
        """Values that break a rule."""
        keyword, bound = rule.keyword, rule.value
        if keyword == "required":
            self._missing(rule)
        elif keyword == "additionalProperties":
            if bound is False:
                self._refuse(rule, [{**self._small(), **UNKNOWN}], "unknown member")
        elif keyword in ("minProperties", "maxProperties"):
            self._members(rule)
        elif keyword == "format":
            self._format(rule)
        elif keyword != "type" and not self._says_nothing(rule):
            found = self._broken(rule)
            sign = {"min": "-1", "max": "+1"}.get(keyword[:3], "")
            self._refuse(rule, found, keyword + sign)
            if keyword == "minLength":
                self._too_short_but_wide(rule)

    def _says_nothing(self, rule: Rule) -> bool:
        keyword, bound = rule.keyword, rule.value
        if keyword in ("const", "enum"):
            # Its values of other types are other forms, and have the same rule.
            return not self._draft.first(*map(str, rule.route))
        if keyword in SIZES:
            return bound > LONGEST or (keyword.startswith("min") and bound == 0)
        return keyword == "uniqueItems" and not bound

    def _small(self) -> Any:
        return self._values.minimal(self._form, self._spot.where)

    def _broken(self, rule: Rule) -> list[Any]:
        where = self._spot.where
        return self._values.breaking(self._form, rule, self._small(), where)

    def _missing(self, rule: Rule) -> None:
        small = self._small()
        for name in rule.value:
            rest = {key: value for key, value in small.items() if key != name}
            inside = replace(self._spot, where=(*self._spot.where, name))
            _At(self._draft, inside)._refuse(
                rule, [rest], "missing", put=self._spot.put
            )

    def _members(self, rule: Rule) -> None:
        small = self._small()
        if rule.keyword == "minProperties":
            free = [name for name in small if name not in self._form.required]
            fewer = {k: v for k, v in small.items() if k not in free[-1:]}
            self._refuse(rule, [fewer], "minProperties-1")
        else:
            count = rule.value + 1 - len(small)
            more = self._values.members(self._form, self._spot.where, count, small)
            self._refuse(rule, [{**small, **more}], "maxProperties+1")

    def _format(self, rule: Rule) -> None:
        if rule.value in UNCHECKED_FORMATS:
            return
        found = self._broken(rule)
        self._refuse(rule, found, "format")
        if self._draft.first("format", rule.value):
            for value in found[1:]:  # each of them breaks it in another way
                label = f"format {as_text(value)}"
                self._refuse(rule, [value], label)

    def _too_short_but_wide(self, rule: Rule) -> None:
        """Too few characters, but enough for who counts units of UTF-16."""
        text = self._values.text(self._form, rule.value - 1, wide=True, breaking=rule)
        if text:
            self._refuse(rule, [text], "minLength-1 beyond ASCII")

    def _refuse(
        self, rule: Rule, values: Sequence[Any], label: str, *, put: Put | None = None
    ) -> None:
        """Write down the first of *values* that breaks this rule, alone if possible."""
        second: tuple[Any, list[str]] | None = None
        for value in values:
            document = (put or self._spot.put)(value)
            errors = self._draft.judge.errors(document)
            if not errors:
                continue
            if self._draft.judge.reader(document):
                self._must_be_known(rule, value)
            elif breaks_only(errors, rule.route):
                self._add(rule.keyword, label, document, [])
                return
            elif second is None:
                found = set(routes(errors))
                if rule.route in found:
                    beyond = {str(r[-1]) for r in found if beside(r, rule.route)}
                    second = document, sorted(beyond)
        if second is not None:
            self._add(rule.keyword, label, *second)
        elif put is not None or not self._differs(rule):
            reason = "no value was found that the schema and the reader refuse"
            raise self._spot.cannot(rule, reason)

    def _must_be_known(self, rule: Rule, value: Any) -> None:
        """Raise unless it is known that the reader takes values of this type here."""
        kind = kinds_of(value)[0]
        known = [d for each in self._form.rules for d in of_rule(each)]
        made = [d.make(self._small()) for d in known if d.reader is not False]
        if not any(kinds_of(each)[0] == kind for each in made):
            shown = as_text(value)[:100]
            reason = f"the schema refuses {shown} and the reader accepts it"
            raise self._spot.cannot(rule, reason)

    def _differs(self, rule: Rule) -> bool:
        """Whether a known difference breaks the rule in the place of a vector."""
        known = (each for each in of_rule(rule) if not each.schema)
        return any(differ(self._draft, self._spot, each) for each in known)

    def _add(
        self, keyword: str, label: str, document: Any, also: Sequence[str]
    ) -> None:
        self._draft.refuse(
            {
                "name": self._spot.name(label),
                "pointer": self._spot.pointer,
                "keyword": keyword,
                **({"also": also} if also else {}),
                "document": document,
                "schema_accepts": False,
            }
        )
