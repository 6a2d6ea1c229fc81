"""Reads a Dockerfile: its stages, each a list of instructions."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Stage:
    """What stands between one FROM and the next."""

    image: str
    name: str | None
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, keyword: str) -> list[str]:
        """The arguments of each instruction of that kind."""
        return [text for word, text in self.instructions if word == keyword]

    def last(self, keyword: str) -> str:
        """The one that counts."""
        return self.all(keyword)[-1]

    def command(self, keyword: str) -> list[str]:
        """The words of a CMD or ENTRYPOINT in exec form."""
        words = json.loads(self.last(keyword))
        assert all(isinstance(word, str) for word in words)
        return list(words)


def instructions(text: str) -> list[tuple[str, str]]:
    """Join continued lines, drop comments, and split off the keywords."""
    lines = [line for line in text.splitlines() if not re.match(r"\s*#", line)]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found = [line.split(None, 1) for line in joined.splitlines() if line.strip()]
    return [(keyword.upper(), rest) for keyword, rest in found]


def stages(text: str) -> list[Stage]:
    """The stages in their order; what stands before the first is left out."""
    found: list[Stage] = []
    for keyword, rest in instructions(text):
        if keyword == "FROM":
            image, _, name = rest.partition(" AS ")
            found.append(Stage(image, name or None))
        elif found:
            found[-1].instructions.append((keyword, rest))
    return found
