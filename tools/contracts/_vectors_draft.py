"""What is written down so far, and who is asked before it is.

Private: used by ``tools.contracts.vectors``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tools.contracts._vectors_forms import Rule
from tools.contracts._vectors_judge import Judge
from tools.contracts._vectors_spots import DisagreementError, Spot, as_text
from tools.contracts._vectors_values import Values
from tools.contracts.differences import Unsaid

Vector = dict[str, Any]


class Draft:
    """The lists of a vectors file.

    Args:
        schema: Without any ``$ref`` to another document.
        accepts: The reader.
        examples: Documents that it accepts.
        unsaid: What the functions in ``x-validated-by`` refuse.
    """

    def __init__(
        self,
        schema: Mapping[str, Any],
        accepts: Callable[[bytes], bool],
        examples: Sequence[Any],
        unsaid: Mapping[str, Unsaid],
    ) -> None:
        self.judge = Judge(schema, accepts)
        self.values = Values(examples, unsaid)
        self.valid: dict[str, Vector] = {}
        self._invalid: dict[str, Vector] = {}
        self._differs: dict[str, Vector] = {}
        self._notes: dict[str, None] = {}
        self._seen: set[str] = set()

    def first(self, *words: str) -> bool:
        """Whether these are asked for the first time: once in a file is enough."""
        key = " ".join(words)
        first = key not in self._seen
        self._seen.add(key)
        return first

    def has(self, *words: str) -> bool:
        """Whether these were asked for."""
        return " ".join(words) in self._seen

    def accept(self, name: str, document: Any) -> None:
        """Write a valid document down, unless it is there.

        Raises:
            DisagreementError: The reader or the schema refuses it.
        """
        key = as_text(document)
        if key in self.valid:
            return
        for error in self.judge.errors(document):
            raise DisagreementError(
                f"{name}: the schema refuses it: {error.message[:200]}"
            )
        if not self.judge.reader(document):
            raise DisagreementError(
                f"{name}: the schema accepts {key[:200]} and the reader refuses it"
            )
        self.valid[key] = {"name": name, "document": document}

    def refuse(self, vector: Vector) -> None:
        """Write an invalid document down, unless it is there."""
        self._invalid.setdefault(as_text(vector["document"]), vector)

    def differ(self, vector: Vector) -> None:
        """Write down a document with two verdicts, unless it is there."""
        self._differs.setdefault(as_text(vector["document"]), vector)

    def note(self, spot: Spot, rule: Rule | None, reason: str) -> None:
        """Say what there is no vector for."""
        label = f"{rule.keyword}: {reason}" if rule else reason
        self._notes[spot.name(label)] = None

    def finished(self) -> dict[str, Any]:
        """The lists, in which every vector has a name of its own."""
        return {
            "valid": _named(self.valid),
            "invalid": _named(self._invalid),
            "differs": _named(self._differs),
            "notes": list(self._notes),
        }


def _named(vectors: Mapping[str, Vector]) -> list[Vector]:
    seen: dict[str, int] = {}
    found = []
    for vector in vectors.values():
        name = vector["name"]
        seen[name] = seen.get(name, 0) + 1
        again = f" ({seen[name]})" if seen[name] > 1 else ""
        found.append({**vector, "name": name + again})
    return found
