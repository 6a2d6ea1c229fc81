"""What the user decided, and the file in which a service remembers it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tools.new_service.errors import BadInputError
from tools.new_service.naming import Names, names
from tools.new_service.quoting import quoted

FILE = ".kernel-service.toml"
MIN_PORT, MAX_PORT = 1024, 65535
MAX_TITLE, MAX_DESCRIPTION = 60, 200


@dataclass(frozen=True, kw_only=True)
class Answers:
    """All that the templates know. `Answers.check` makes one."""

    names: Names
    port: int
    title: str
    description: str

    @classmethod
    def check(
        cls,
        name: str,
        port: int,
        title: str | None = None,
        description: str | None = None,
    ) -> Answers:
        """Take the user's words.

        Raises:
            BadInputError: It says which of them is wrong, and why.
        """
        checked = names(name)
        if not MIN_PORT <= port <= MAX_PORT:
            raise BadInputError(
                f"Port {port} is out of range: {MIN_PORT} to {MAX_PORT}, since a "
                "service runs without the rights for those below."
            )
        title = _line("--title", title or checked.words, MAX_TITLE)
        described = description or f"REST API of the {checked.things}."
        return cls(
            names=checked,
            port=port,
            title=title,
            description=_line("--description", described, MAX_DESCRIPTION),
        )


@dataclass(frozen=True, kw_only=True)
class Remembered:
    """What a service says of itself: its answers, and its files as they were made."""

    answers: Answers
    digests: Mapping[str, str] = field(default_factory=dict)

    def to_toml(self) -> str:
        """The text of the file."""
        answers = self.answers
        lines = [
            "# Written by //tools/new_service, and read by its drift command.",
            f"name = {quoted(answers.names.service)}",
            f"port = {answers.port}",
            f"title = {quoted(answers.title)}",
            f"description = {quoted(answers.description)}",
            "",
            "# SHA-256 of each file as it was generated.",
            "[files]",
            *(f"{quoted(k)} = {quoted(v)}" for k, v in sorted(self.digests.items())),
        ]
        return "\n".join(lines) + "\n"

    @classmethod
    def from_toml(cls, text: str, place: str) -> Remembered:
        """Read the file.

        Raises:
            BadInputError: It is not what `to_toml` writes; *place* says where.
        """
        try:
            found: dict[str, Any] = tomllib.loads(text)
            files = found.pop("files")
            kinds = {"name": str, "port": int, "title": str, "description": str}
            if {key: type(value) for key, value in found.items()} != kinds:
                raise ValueError(f"it must have {', '.join(kinds)} and [files]")
            digests = {str(path): str(digest) for path, digest in files.items()}
            answers = Answers.check(**found)
        except (ValueError, KeyError, AttributeError, BadInputError) as error:
            raise BadInputError(
                f"{place} can't be read ({_reason(error)}). Restore it from version "
                "control."
            ) from error
        return cls(answers=answers, digests=digests)


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError | AttributeError):
        return "there is no table [files]"
    return str(error).splitlines()[0].rstrip(".")


def _line(option: str, text: str, most: int) -> str:
    """The text without outer spaces, if it is one line that can be shown."""
    text = text.strip(" ")
    if not 1 <= len(text) <= most:
        raise BadInputError(
            f"{option} has {len(text)} characters: write 1 to {most} of them."
        )
    if bad := next((char for char in text if not char.isprintable()), None):
        raise BadInputError(
            f"{option} holds U+{ord(bad):04X}, which can't be shown: write one line of "
            "printable characters."
        )
    return text
