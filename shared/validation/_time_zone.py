"""Time zones of the IANA database.

Private: import these names from ``shared.validation``.
"""

from __future__ import annotations

import re
import zoneinfo
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from shared.validation._rules import Rule, require

MAX_LENGTH = 64

# Looking a zone up opens the file of that name, so a name that could leave the
# database's folder (a dot, a leading slash, NUL) must not get that far.
_NAME = r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z][A-Za-z0-9_+-]*){0,2}"

# Files beside the zones, and second copies of them, that name no zone.
_NOT_ZONES = re.compile(r"(?:posix|right)/.*|posixrules|localtime|Factory")


def _exists(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        # No such file; a file that is no zone (leapseconds); a folder (America).
        return False
    return True


def validate_time_zone(name: str) -> str:
    """Return *name* unchanged, if the machine's time zone database has it.

    Aliases such as ``US/Pacific`` are accepted. ``zoneinfo`` keeps the zones that it
    has read, so a name seen before costs no file access.

    Raises:
        ValueError: Code ``time_zone_name``; rule ``known``.
        RuntimeError: The machine has no time zone database, which is not the
            caller's fault.
    """
    known = (
        len(name) <= MAX_LENGTH
        and re.fullmatch(_NAME, name) is not None
        and not _NOT_ZONES.fullmatch(name)
        and _exists(name)
    )
    if not known and not _exists("UTC"):
        raise RuntimeError(
            "This machine has no IANA time zone database: install the tzdata package "
            "of the system or of the package index."
        )
    require(
        "time_zone_name",
        "Time zone",
        [Rule("known", "a name of the IANA database, such as Europe/Berlin", known)],
    )
    return name


TimeZoneName = Annotated[
    str,
    AfterValidator(validate_time_zone),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_LENGTH,
            "pattern": f"^{_NAME}$",
            "examples": ["Europe/Berlin"],
        }
    ),
]
"""A name that ``zoneinfo.ZoneInfo`` opens."""
