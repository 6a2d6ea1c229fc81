"""One error for all the rules that a value breaks.

Private: import from ``shared.validation``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import LiteralString, NamedTuple

from pydantic_core import PydanticCustomError


class Rule(NamedTuple):
    """A rule, and whether the value at hand keeps it."""

    name: str
    """Stable, for programs: ``min_length``."""
    phrase: str
    """For people, after "must have": ``at least 12 characters``."""
    holds: bool


def require(code: LiteralString, subject: str, rules: Iterable[Rule]) -> None:
    """Raise one error that names every rule broken, and never the value.

    Args:
        code: The stable error type that pydantic reports and a problem shows.
        subject: What the message is about: ``Password``.
        rules: All of them, kept or broken.

    Raises:
        PydanticCustomError: A ``ValueError``. Its context holds the names of the
            broken rules under ``rules``.
    """
    broken = [rule for rule in rules if not rule.holds]
    if broken:
        *most, last = [rule.phrase for rule in broken]
        phrases = f"{', '.join(most)} and {last}" if most else last
        raise PydanticCustomError(
            code,
            "{subject} must have {phrases}.",
            {
                "subject": subject,
                "phrases": phrases,
                "rules": [rule.name for rule in broken],
            },
        )
