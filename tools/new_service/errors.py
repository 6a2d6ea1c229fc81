"""Why the generator stops: one line for the user, and an exit code."""

from __future__ import annotations


class GeneratorError(Exception):
    """Something is in the way. The message says what, why, and what to do."""

    code = 1


class BadInputError(GeneratorError):
    """What was asked for can't be had in any repository."""

    code = 2
