from __future__ import annotations

import pytest

from tools.contracts.compat.errors import RULES, compare_errors
from tools.contracts.compat.place import PlaceError
from tools.contracts.compat.tests.documents import Change, error, errors, root, told

B, A, W = "breaking", "addition", "wording"
CASES: dict[str, tuple[Change, list[tuple[str, str, str]]]] = {
    "a code goes": (
        lambda d: d["kernel"].pop(0),
        [("error-removed", B, "/kernel/0")],
    ),
    "a code of a service goes": (
        lambda d: d["services"]["accounts"].clear(),
        [("error-removed", B, "/services/accounts/0")],
    ),
    "a service with its codes goes": (
        lambda d: d["services"].clear(),
        [("error-removed", B, "/services/accounts/0")],
    ),
    "the kernel takes a service's code over": (
        lambda d: d["kernel"].append(d["services"]["accounts"].pop()),
        [("error-added", A, "/kernel/2")],
    ),
    "a service keeps a code of the kernel for itself": (
        lambda d: d["services"]["accounts"].append(d["kernel"].pop(0)),
        [
            ("error-added", A, "/services/accounts/1"),
            ("error-removed", B, "/kernel/0"),
        ],
    ),
    "a code comes": (
        lambda d: d["kernel"].insert(0, error("aborted", 400)),
        [("error-added", A, "/kernel/0")],
    ),
    "a code has another status": (
        lambda d: d["kernel"][1].update(status=412),
        [("error-status-changed", B, "/kernel/1/status")],
    ),
    "a code has another status too": (
        lambda d: d["kernel"][1].update(other_statuses=[412]),
        [("error-other-statuses-changed", A, "/kernel/1/other_statuses")],
    ),
    "a code has another type": (
        lambda d: d["kernel"][1].update(type="/errors/conflict"),
        [("error-type-changed", B, "/kernel/1/type")],
    ),
    "a title": (
        lambda d: d["kernel"][1].update(title="Clash"),
        [("wording-changed", W, "/kernel/1/title")],
    ),
    "when it happens": (
        lambda d: d["kernel"][1].update(when="At times."),
        [("wording-changed", W, "/kernel/1/when")],
    ),
    "a part without a rule": (
        lambda d: d["kernel"][1].update(retry=True),
        [("unknown-changed", B, "/kernel/1/retry")],
    ),
    "a member of every problem goes": (
        lambda d: d["problem"]["properties"].pop("status"),
        [("property-removed", B, "/problem/properties/status")],
    ),
    "other order": (lambda d: d["kernel"].reverse(), []),
}


@pytest.mark.parametrize("case", CASES)
def test_a_change(case: str) -> None:
    """Each change is found once, by its rule, where it was made."""
    change, expected = CASES[case]
    before, after = errors(), errors()
    change(after)

    assert told(list(compare_errors(root(before), root(after)))) == expected


def test_every_rule_is_tried() -> None:
    """Each rule of this module is found by a case above."""
    tried = {rule for _, expected in CASES.values() for rule, _, _ in expected}

    assert {rule.name for rule in RULES} <= tried


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(kernel={}), "#/kernel must be an array"),
        (lambda d: d["kernel"].append(1), "#/kernel/2 must be an object"),
        (lambda d: d["kernel"].append({}), "#/kernel/2 must have a code"),
        (lambda d: d.update(services=[]), "#/services must be an object"),
    ],
)
def test_a_broken_catalogue(change: Change, message: str) -> None:
    """One line says where the document is not as it must be."""
    after = errors()
    change(after)

    with pytest.raises(PlaceError, match=message):
        list(compare_errors(root(errors()), root(after)))
