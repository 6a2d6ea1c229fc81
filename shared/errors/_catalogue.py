"""All codes of the running program, for documentation and for tests.

Private: import these names from ``shared.errors``.
"""

from __future__ import annotations

from typing import NamedTuple

from shared.errors._codes import title_of
from shared.errors._exceptions import BaseAPIException, owners


class CatalogueEntry(NamedTuple):
    """What the documentation says about one code."""

    code: str
    exception: type[BaseAPIException]
    status: int
    title: str
    description: str  # the first paragraph of the class's docstring, on one line


def catalogue() -> dict[str, CatalogueEntry]:
    """Every code once, with the class that declares it, by status and code.

    Holds the classes that are imported by now: a program that documents a service
    imports the service first. Errors without a class of their own, such as the
    framework's 405, are not in here; their code is the phrase of their status.
    """
    entries = [entry_of(cls) for cls in owners().values()]
    entries.sort(key=lambda entry: (entry.status, entry.code))
    return {entry.code: entry for entry in entries}


def entry_of(cls: type[BaseAPIException]) -> CatalogueEntry:
    """The entry of *cls*, which may share the code of its parent."""
    # vars: a class without a docstring would show its parent's. None under -OO.
    text = vars(cls).get("__doc__") or cls.detail
    return CatalogueEntry(
        code=cls.code,
        exception=cls,
        status=cls.status_code,
        title=cls.title or title_of(cls.status_code),
        description=" ".join(text.strip().split("\n\n")[0].split()),
    )
