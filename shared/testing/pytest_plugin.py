"""Readable failures of ``assert reply == is_problem(...)``.

In a ``conftest.py``: ``pytest_plugins = ["shared.testing.pytest_plugin"]``.
"""

from __future__ import annotations

from shared.testing._problems import ProblemMatcher

__all__ = ["pytest_assertrepr_compare"]


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Say what is wrong with a reply that was compared with ``is_problem(...)``."""
    matcher, reply = right, left
    if isinstance(left, ProblemMatcher):
        matcher, reply = left, right
    if op != "==" or not isinstance(matcher, ProblemMatcher):
        return None
    if not hasattr(reply, "status_code"):
        return [f"{reply!r} is not a reply"]
    wrong = matcher.mismatches(reply)
    return ["the reply is not the expected problem:", *(f"  {line}" for line in wrong)]
