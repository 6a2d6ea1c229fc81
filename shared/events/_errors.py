"""What is raised for bytes that are no event.

Private: import these names from ``shared.events``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

_SHOWN = 5
_LONGEST = 200  # a pointer can hold names from the message


class FormatIssue(NamedTuple):
    """One thing that is wrong with a message. It never holds a value of it."""

    pointer: str
    """Where, as a JSON Pointer (RFC 6901); ``""`` is the message as a whole."""
    code: str
    """Stable, for programs: ``missing``, ``uuid_parsing``, ``duplicate_member``."""


class EventFormatError(ValueError):
    """A message that can't be read as an event, now or when it comes again.

    Args:
        issues: Everything that is wrong with it, as far as it could be read.
    """

    def __init__(self, issues: Iterable[FormatIssue]) -> None:
        self.issues = tuple(issues)
        super().__init__(self.issues)

    def __str__(self) -> str:
        shown = [
            f"{pointer[:_LONGEST] or 'the message'} ({code})"
            for pointer, code in self.issues[:_SHOWN]
        ]
        more = len(self.issues) - _SHOWN
        rest = f" and {more} more" if more > 0 else ""
        return f"Not a valid event: {', '.join(shown)}{rest}."
