"""Documents with two verdicts: what no keyword says, what programs read otherwise.

Private: used by ``tools.contracts.vectors``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tools.contracts._vectors_draft import Draft
from tools.contracts._vectors_forms import Rule
from tools.contracts._vectors_spots import DisagreementError, Spot, as_text
from tools.contracts.differences import DIFFERENCES, Difference

_TABLES: Final = "tools/contracts/differences.py or the service's contract"
_LONGEST: Final = 200
"""Text that is made for a bound is at most so long: another sample says the same."""


def add_differences(draft: Draft, spots: Sequence[Spot]) -> None:
    """Try each known difference, until one place of the document shows it."""
    for spot in spots:
        for rule in spot.form.rules:
            for difference in of_rule(rule):
                name = f"difference {difference.name}"
                if not draft.has(name) and differ(draft, spot, difference):
                    draft.first(name)


def of_rule(rule: Rule) -> Iterator[Difference]:
    """The differences that are known of a rule."""
    return (
        difference
        for difference in DIFFERENCES
        if difference.keyword == rule.keyword and difference.value in (None, rule.value)
    )


def differ(draft: Draft, spot: Spot, difference: Difference) -> bool:
    """Write a difference down, if there is one at this place."""
    values, judge = draft.values, draft.judge
    make = values.full if spot.form.kind == "array" else values.minimal
    document = spot.put(difference.make(make(spot.form, spot.where)))
    reader, schema = judge.reader(document), judge.schema(document)
    expected = difference.reader in (None, reader) and schema == difference.schema
    if not expected or (reader == schema and difference.ajv in (None, schema)):
        return False
    ajv = {} if difference.ajv is None else {"ajv": difference.ajv}
    draft.differ(
        {
            "name": spot.name(difference.name),
            "pointer": spot.pointer,
            "document": document,
            "reader": reader,
            "schema": schema,
            **ajv,
            "reason": difference.reason,
        }
    )
    return True


def add_unsaid(draft: Draft, spots: Sequence[Spot]) -> None:
    """Break what no keyword says, wherever a function checks it.

    Raises:
        DisagreementError: No sample is known that it refuses, or none fits.
    """
    broken: set[tuple[str, str]] = set()
    for spot in spots:
        for name in spot.form.validators:
            if _break(draft, spot, name):
                broken.add((name, spot.pointer))
    for spot in spots:
        own = [names for part, _ in spot.form.parts if (names := _names(part))]
        for name in {name: None for names in own for name in names}:
            at = spot.pointer
            if not any(n == name and pointer.startswith(at) for n, pointer in broken):
                raise DisagreementError(
                    f"{spot.name(name)}: no sample in UNSAID[{name!r}] of {_TABLES} "
                    "fits here: add one that the schema accepts"
                )


def _names(part: Mapping[str, Any]) -> Sequence[str]:
    names: Sequence[str] = part.get("x-validated-by", ())
    return names


def _break(draft: Draft, spot: Spot, name: str) -> bool:
    known = draft.values.unsaid.get(name)
    if known is None:
        raise DisagreementError(
            f"{spot.name(name)}: it is in x-validated-by, and no sample is known that "
            f"it refuses: add one to UNSAID[{name!r}] in {_TABLES}"
        )
    if known.says:
        draft.note(spot, None, f"{name}: {known.says}")
        return True
    found = False
    for reason, sample in known.refused.items():
        value = sample
        if callable(sample):
            longest = min([_LONGEST + 1, *spot.form.all("maxLength")])
            if longest > _LONGEST:
                continue
            value = sample(longest)
        if isinstance(sample, Mapping) and spot.form.kind == "object":
            value = {**draft.values.minimal(spot.form, spot.where), **sample}
        document = spot.put(value)
        if not draft.judge.schema(document):
            continue  # it is no value of this form, or breaks a keyword
        if draft.judge.reader(document):
            raise DisagreementError(
                f"{spot.name(name)}: the reader accepts {as_text(value)[:100]}, which "
                f"is refused by UNSAID[{name!r}] of {_TABLES}"
            )
        found = True
        draft.refuse(
            {
                "name": spot.name(f"{name}: {reason}"),
                "pointer": spot.pointer,
                "keyword": "x-validated-by",
                "document": document,
                "schema_accepts": True,
                "reason": reason,
            }
        )
    return found
