"""What is wrong with a configuration: everything at once, and never a value.

Private: import these names from ``shared.config``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConfigurationProblem:
    """One setting that can't be used.

    Args:
        name: The variable, as the reader finds it where it is set.
        rule: What it breaks. Without the value, which may be a secret.
        advice: What to do about it.
        origin: Where it is set; empty when it is not.
    """

    name: str
    rule: str
    advice: str
    origin: str = ""

    def __str__(self) -> str:
        place = f" ({self.origin})" if self.origin else ""
        return f"{self.name}{place}: {self.rule} {self.advice}".rstrip()


class ConfigurationError(ValueError):
    """A service can't start with these settings.

    Args:
        service_name: Whose configuration it is.
        problems: All of them, in the order in which they are shown.
    """

    def __init__(
        self, service_name: str, problems: Iterable[ConfigurationProblem]
    ) -> None:
        self.service_name = service_name
        self.problems = tuple(problems)
        super().__init__(service_name, self.problems)

    def __str__(self) -> str:
        count = len(self.problems)
        noun = "setting" if count == 1 else "settings"
        head = f"{self.service_name}: {count} {noun} to correct (values hidden):"
        return "\n".join([head, *(f"  {problem}" for problem in self.problems)])
