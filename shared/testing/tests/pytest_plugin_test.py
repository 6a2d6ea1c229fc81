from __future__ import annotations

import httpx2

from shared.testing import is_problem
from shared.testing.pytest_plugin import pytest_assertrepr_compare

MATCHER = is_problem(status=404, code="not_found")
REPLY = httpx2.Response(
    409,
    json={"status": 409, "code": "conflict"},
    headers={"Content-Type": "application/problem+json"},
)
LINES = [
    "the reply is not the expected problem:",
    "  status is 409, not 404",
    "  member status is 409, not 404",
    "  code is 'conflict', not 'not_found'",
]


def test_a_failure_is_a_line_each() -> None:
    """On whichever side the reply stands."""
    assert pytest_assertrepr_compare("==", REPLY, MATCHER) == LINES
    assert pytest_assertrepr_compare("==", MATCHER, REPLY) == LINES


def test_a_thing_that_is_no_reply_is_said_to_be_none() -> None:
    """As when the ``.json()`` of a reply is compared."""
    lines = pytest_assertrepr_compare("==", {"status": 404}, MATCHER)

    assert lines == ["{'status': 404} is not a reply"]


def test_other_comparisons_are_left_to_pytest() -> None:
    """None means: not ours."""
    assert pytest_assertrepr_compare("!=", REPLY, MATCHER) is None
    assert pytest_assertrepr_compare("==", 1, 2) is None
