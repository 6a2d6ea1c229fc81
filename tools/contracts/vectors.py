"""Test vectors of a schema: valid documents, and for each rule one that breaks it.

    valid     the smallest document, the full one, the examples, one for each value of
              an enumeration, each bound and each branch of a union
    invalid   for each keyword at each place one document that breaks it, and for each
              function in ``x-validated-by``, which no keyword can say
    differs   documents on which the schema and the reader have two opinions
    notes     what there is no document for, and why

An invalid vector breaks the rule that it names and no other one; else ``also`` lists
the keywords that it has to break, too, as no value breaks the one alone.

Nothing is drawn or timed: the same schema has the same vectors. Each one is given to
the reader and to the schema before it is written down; a verdict that nobody expects
ends the export.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tools.contracts._vectors_differs import add_differences, add_unsaid
from tools.contracts._vectors_draft import Draft
from tools.contracts._vectors_forms import Place, UnsaidError
from tools.contracts._vectors_inline import inline
from tools.contracts._vectors_invalid import add_invalid
from tools.contracts._vectors_spots import DisagreementError, as_text, walk
from tools.contracts._vectors_valid import add_valid
from tools.contracts.bundle import BASE
from tools.contracts.differences import UNSAID, Unsaid


class VectorsError(ValueError):
    """No vectors can be made. One line: the schema, the place, the rule, the reason."""


def make_vectors(
    schema: Mapping[str, Any],
    *,
    documents: Mapping[str, Any],
    path: str,
    accepts: Callable[[bytes], bool],
    examples: Sequence[Any],
    unsaid: Mapping[str, Unsaid] = UNSAID,
) -> dict[str, Any]:
    """The vectors file of a schema.

    Args:
        schema: The document.
        documents: All of them by path, for ``$ref``.
        path: That of *schema*.
        accepts: The reader: whether it takes JSON in UTF-8 for this very schema. An
            event that is read as another type, or as an unknown one, is not taken.
        examples: Documents that the reader accepts, beside those in the schema.
        unsaid: What the functions in ``x-validated-by`` refuse.

    Raises:
        VectorsError: A rule has no document on which the reader and the schema agree,
            and it is not in the tables of `tools.contracts.differences`.
    """
    try:
        whole = inline(schema, documents, path)
        shown = [*whole.get("examples", ()), *examples]
        unique = list({as_text(each): each for each in shown}.values())
        draft = Draft(whole, accepts, unique, unsaid)
        root = Place(((whole, ()),), (), whole.get("$defs", {}))
        spots = list(walk(root, draft.values))
        add_valid(draft, spots, unique)
        add_invalid(draft, spots)
        add_unsaid(draft, spots)
        add_differences(draft, spots)
    except (DisagreementError, UnsaidError) as error:
        raise VectorsError(f"{path}: {error}.") from None
    return {"schema": schema.get("$id", BASE + path), **draft.finished()}
