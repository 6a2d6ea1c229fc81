"""The gate's verdict on each change of the table, and on each surface."""

from __future__ import annotations

import pytest

from tools.contracts.compat.compare import RULES, compare_bundles
from tools.contracts.compat.finding import Finding, Impact, Surface
from tools.contracts.compat.place import Place
from tools.contracts.compat.schemas import compare_schemas
from tools.contracts.compat.tests.all_changes import CHANGES
from tools.contracts.compat.tests.changes import IMPACTS, Change, nothing
from tools.contracts.compat.tests.changes_amqp import AMQP_CHANGES
from tools.contracts.compat.tests.changes_documents import DOCUMENT_CHANGES
from tools.contracts.compat.tests.changes_schemas import SCHEMA_CHANGES
from tools.contracts.compat.tests.small_bundle import OF_SURFACE, bundle_of

LEAST = 60


def _name(change: Change) -> str:
    return f"{change.area}: {change.words}"


def _sorted(findings: list[Finding]) -> list[tuple[str, Impact]]:
    return sorted((each.rule, each.impact) for each in findings)


_KNOWN: dict[str, list[Finding]] = {}


def _found(change: Change) -> list[Finding]:
    name = _name(change)
    if name not in _KNOWN:
        before = bundle_of("1.0.0", change.before)
        _KNOWN[name] = compare_bundles(before, bundle_of("now", change.after))
    return _KNOWN[name]


def _gravest(letters: str) -> Impact:
    return IMPACTS[max(letters, key=".WAB".index)]


@pytest.mark.parametrize("surface", list(Surface))
@pytest.mark.parametrize("change", SCHEMA_CHANGES, ids=_name)
def test_a_schema_that_changes(change: Change, surface: Surface) -> None:
    """One rule, and the verdict of the side that reads or writes the document."""
    path = OF_SURFACE[surface]
    found = [each for each in _found(change) if each.document == path]

    assert _sorted(found) == change.found_on(surface)


@pytest.mark.parametrize("surface", list(Surface))
@pytest.mark.parametrize("change", SCHEMA_CHANGES, ids=_name)
def test_a_schema_by_itself(change: Change, surface: Surface) -> None:
    """The verdict is that of the surface, wherever the schema stands."""
    before, after = bundle_of("1.0.0", change.before), bundle_of("now", change.after)
    path = OF_SURFACE[Surface.REQUEST]
    found = compare_schemas(
        Place(before.documents, path, ""), Place(after.documents, path, ""), surface
    )

    assert _sorted(list(found)) == change.found_on(surface)


@pytest.mark.parametrize("change", SCHEMA_CHANGES, ids=_name)
def test_a_schema_changes_nothing_else(change: Change) -> None:
    """What is found is found where it was changed."""
    assert {each.document for each in _found(change)} <= {*OF_SURFACE.values()}


@pytest.mark.parametrize("change", [*DOCUMENT_CHANGES, *AMQP_CHANGES], ids=_name)
def test_a_document_that_changes(change: Change) -> None:
    """One finding for one change, and of one verdict."""
    expected = [(rule, _gravest(how)) for rule, how in sorted(change.findings.items())]

    assert _sorted(_found(change)) == expected


@pytest.mark.parametrize("change", CHANGES, ids=_name)
def test_a_finding_says_who_breaks_and_the_way_out(change: Change) -> None:
    """If it is breaking; else there is nobody to name."""
    for each in _found(change):
        breaking = each.impact is Impact.BREAKING
        assert (bool(each.breaks), bool(each.way_out)) == (breaking, breaking), each
        assert each.says, each
        assert each.before != each.after, each


def test_what_did_not_change_has_no_findings() -> None:
    """The small bundle against itself."""
    assert compare_bundles(bundle_of("1.0.0"), bundle_of("now", nothing)) == []


def test_no_change_is_there_twice() -> None:
    """And there are as many as were asked for."""
    assert len({_name(change) for change in CHANGES}) == len(CHANGES) >= LEAST


def test_every_rule_has_a_change() -> None:
    """What the gate can find, it was seen to find."""
    seen = {rule for change in CHANGES for rule in change.findings}

    assert seen == RULES
