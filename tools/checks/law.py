"""A law reads the repository and yields what breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tools.checks.repository import Repository


@dataclass(frozen=True, order=True)
class Finding:
    """One place where a law is broken."""

    file: str
    line: int
    law: str  # its number in the architecture, or the name of one that has none
    message: str
    fix: str

    def __str__(self) -> str:
        """``path:line: [law N] What is wrong. Fix: what to do.``."""
        return (
            f"{self.file}:{self.line}: [law {self.law}] {self.message} Fix: {self.fix}"
        )


Law = Callable[[Repository], Iterable[Finding]]
