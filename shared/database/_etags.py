"""Entity tags of rows with a version, and the If-Match that goes with them.

Private: import names from ``shared.database``.
"""

from __future__ import annotations

import re
from typing import Any, Final

from sqlalchemy import inspect

from shared.database._errors import PreconditionRequiredException, StaleRecordException
from shared.errors import BadRequestException

# RFC 9110, section 8.8.3: no quote inside, and no escapes.
_TAG: Final = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def version_of(row: object) -> Any:
    """The value of the column that counts the changes of *row*.

    Raises:
        TypeError: Its model has none.
    """
    mapper = inspect(type(row))
    if mapper.version_id_col is None:
        raise TypeError(
            f"{type(row).__name__} has no version: add VersionMixin to the model."
        )
    return getattr(row, mapper.get_property_by_column(mapper.version_id_col).key)


def etag_of(row: object) -> str:
    """The strong entity tag of *row*, for the header ``ETag``.

    It holds for the address of the row, as entity tags do. Of a reply that shows more
    than the row it is no tag.

    Raises:
        TypeError: The model has no version.
    """
    return f'"{version_of(row)}"'


def require_match(if_match: str | None, row: object, *, required: bool = True) -> None:
    """Raise unless *row* is in a state that the caller's ``If-Match`` names.

    Tags are compared strongly (RFC 9110, section 13.1.1): a weak one never matches, and
    ``*`` matches any row. The answer to a state that is not named is 409, as to any
    other change that came too late; the RFC leaves the status open.

    Args:
        if_match: The value of the header; several of them joined by commas.
        row: As it is now. Only the version column of the flush that follows makes the
            check atomic, so do both in one transaction.
        required: Whether a change without the header is refused.

    Raises:
        StaleRecordException: The row was changed since.
        PreconditionRequiredException: The header is missing.
        BadRequestException: It is no list of entity tags.
    """
    if if_match is None:
        if required:
            raise PreconditionRequiredException
        return
    tag = etag_of(row)
    if if_match.strip() != "*" and tag not in _strong_tags(if_match):
        raise StaleRecordException(headers={"ETag": tag})


def _strong_tags(header: str) -> list[str]:
    strong: list[str] = []
    seen = False
    position = 0
    while position < len(header):
        # Empty members of a list are to be ignored (section 5.6.1.2).
        if header[position] in " \t,":
            position += 1
            continue
        found = _TAG.match(header, position)
        if found is None or not _ends(header, found.end()):
            break
        seen = True
        position = found.end()
        if not found[1]:
            strong.append(found[2])
    if position < len(header) or not seen:
        raise BadRequestException(
            'If-Match must be * or a list of entity tags, such as "3".'
        )
    return strong


def _ends(header: str, position: int) -> bool:
    return header[position:].lstrip(" \t")[:1] in ("", ",")
