"""The laws that the verdicts follow, held by the `jsonschema` library as the judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st

from tools.contracts.compat.finding import Finding, Impact, Surface
from tools.contracts.compat.place import Place, PlaceError
from tools.contracts.compat.schemas import compare_schemas
from tools.contracts.compat.tests._schemas import Writer, changes, schemas, validator

Change = tuple[dict[str, Any], dict[str, Any]]
DOCUMENTS = 40

slow = settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def find(before: Any, after: Any, surface: Surface) -> list[Finding]:
    """Compare two documents."""
    old, new = (
        Place({"s.json": before}, "s.json", ""),
        Place({"s.json": after}, "s.json", ""),
    )
    try:
        return list(compare_schemas(old, new, surface))
    except PlaceError:
        reject()  # the change made a $ref that leads back to itself


def breaks(findings: list[Finding]) -> bool:
    """Whether one of them is breaking."""
    return any(finding.impact is Impact.BREAKING for finding in findings)


def written(schema: Any, seed: int, *, promises: bool) -> Iterator[Any]:
    """Documents that a closed writer makes, and that are valid."""
    writer = Writer(schema, Random(seed))  # noqa: S311 - to be repeated, no secret
    # A promise in a branch of a oneOf may make a document valid: both are asked.
    judges = [validator(schema), validator(schema, promises=promises)]
    for _ in range(DOCUMENTS):
        document = writer.write(schema)
        if all(judge.is_valid(document) for judge in judges):
            yield document


def reads(schema: Any, *, promises: bool) -> Callable[[Any], bool]:
    """Decides whether a reader gets what its schema says, with its promises."""
    judge = validator(schema, promises=promises and "oneOf" not in repr(schema))
    return lambda document: bool(judge.is_valid(document))


@slow
@given(change=changes(), seed=st.integers(0, 2**32))
def test_request(change: Change, seed: int) -> None:
    """If nothing is breaking, today accepts all that clients of yesterday write."""
    before, after = change
    assume(not breaks(find(before, after, Surface.REQUEST)))
    reads_it = reads(after, promises=False)

    refused = [
        document
        for document in written(before, seed, promises=False)
        if not reads_it(document)
    ]

    assert refused == []


@slow
@given(change=changes(), seed=st.integers(0, 2**32))
def test_response(change: Change, seed: int) -> None:
    """If nothing is breaking, clients of yesterday get what they were promised."""
    before, after = change
    assume(not breaks(find(before, after, Surface.RESPONSE)))
    reads_it = reads(before, promises=True)

    refused = [
        document
        for document in written(after, seed, promises=True)
        if not reads_it(document)
    ]

    assert refused == []


@slow
@given(change=changes(), seed=st.integers(0, 2**32))
def test_event(change: Change, seed: int) -> None:
    """If nothing is breaking, stored events are read, and new ones by old readers."""
    before, after = change
    assume(not breaks(find(before, after, Surface.EVENT)))
    today, yesterday = reads(after, promises=False), reads(before, promises=True)

    stored = [
        document
        for document in written(before, seed, promises=True)
        if not today(document)
    ]
    published = [
        document
        for document in written(after, seed, promises=True)
        if not yesterday(document)
    ]

    assert (stored, published) == ([], [])


def heard(schema: Any, document: Any) -> dict[str, Any]:
    """The members of a document that a reader makes use of, and its defaults."""
    named = schema.get("properties", {})
    others = schema.get("additionalProperties", "properties" not in schema)
    defaults = {
        name: member["default"]
        for name, member in named.items()
        if isinstance(member, dict) and "default" in member
    }
    kept = {
        name: value
        for name, value in document.items()
        if name in named or others is not False
    }
    return {**defaults, **kept}


def _agree(meant: dict[str, Any], taken: dict[str, Any]) -> bool:
    return all(name in taken and taken[name] == meant[name] for name in meant)


@slow
@given(change=changes(), seed=st.integers(0, 2**32))
def test_meaning(change: Change, seed: int) -> None:
    """If nothing is breaking, a request means today what it meant yesterday."""
    before, after = change
    assume(all(schema.get("type") == "object" for schema in change))
    assume(not breaks(find(before, after, Surface.REQUEST)))

    misread = [
        document
        for document in written(before, seed, promises=False)
        if not _agree(heard(before, document), heard(after, document))
    ]

    assert misread == []


def turned(node: Any) -> Any:
    """The same schema with its keywords, members and listed values turned round."""
    if isinstance(node, list):
        return [turned(item) for item in node]
    if not isinstance(node, dict):
        return node
    found = {name: turned(node[name]) for name in reversed(node)}
    for keyword in {"enum", "required", "x-written"} & set(found):
        found[keyword] = found[keyword][::-1]
    return found


@pytest.mark.parametrize("surface", Surface)
@slow
@given(schema=schemas())
def test_identity(surface: Surface, schema: Any) -> None:
    """A schema compared with itself gives nothing, in whatever order it is written."""
    assert find(schema, schema, surface) == []
    assert find(schema, turned(schema), surface) == []


@slow
@given(change=changes())
def test_a_response_is_a_request_the_other_way(change: Change) -> None:
    """... as far as documents go: members that go, and defaults, are not symmetric."""
    before, after = change
    assume("properties" not in repr(change) and "additional" not in repr(change))
    assume("x-written" not in repr(change))

    there = find(before, after, Surface.REQUEST)
    back = find(after, before, Surface.RESPONSE)

    assert breaks(there) == breaks(back)


@slow
@given(change=changes())
def test_a_breaking_finding_says_who_breaks_and_what_to_do(change: Change) -> None:
    """Every finding has a sentence; only breaking ones have more."""
    for surface in Surface:
        for finding in find(*change, surface):
            breaking = finding.impact is Impact.BREAKING
            told = finding.says.endswith("."), finding.breaks.endswith(".")

            assert (*told, bool(finding.way_out)) == (True, breaking, breaking)
