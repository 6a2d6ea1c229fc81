"""What the command line is refused with.

Private: used by ``shared.messaging.cli`` only.
"""

from __future__ import annotations


class CommandError(Exception):
    """It can't be done now; one line that a person may read, without a secret."""

    code = 1


class UsageError(CommandError):
    """It is not written as it must be."""

    code = 2
