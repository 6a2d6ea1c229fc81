"""The changes that the gate is tested on, one by one, and what others say of them.

The table in contracts/README.md is made of this list: see `changes_table`.

`buf`, `confluent` and `asyncapi` are what the documentation of those tools says, and
nothing else; the sources are listed under the table. ``n/a`` is for what a tool can't
have an opinion on: protobuf has no maximum, and HTTP is not for AsyncAPI.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tools.contracts.compat.finding import Impact, Surface

Documents = dict[str, Any]
"""A bundle's documents by path, ``manifest.json`` among them."""
Edit = Callable[[Documents], None]

NOT_FOR_IT: Final = "n/a"
NOT_DOCUMENTED: Final = "not documented"

IMPACTS: Final = {"B": Impact.BREAKING, "A": Impact.ADDITION, "W": Impact.WORDING}


@dataclass(frozen=True, slots=True)
class Change:
    """One row of the table."""

    area: str
    words: str
    """What changes, for people."""
    findings: Mapping[str, str]
    """The verdict of each rule: a letter for request, response and event. ``B`` is
    breaking, ``A`` an addition, ``W`` wording; ``.`` where it finds nothing."""
    before: Edit
    after: Edit
    buf: str
    """``buf breaking`` on the nearest change in protobuf: FILE, then WIRE_JSON."""
    confluent: str
    """The modes that take it: FULL, BACKWARD only, FORWARD only, or none."""
    asyncapi: str
    """What its diff library says: breaking, non-breaking or unclassified."""
    who: str = ""
    """Who breaks, where the column does not say it."""

    def found_on(self, surface: Surface) -> list[tuple[str, Impact]]:
        """What the gate finds on a surface: each rule, and its verdict."""
        index = list(Surface).index(surface)
        return [
            (rule, IMPACTS[letters[index]])
            for rule, letters in sorted(self.findings.items())
            if letters[index] != "."
        ]


def nothing(documents: Documents) -> None:
    """Leaves the bundle as it is."""
    del documents
