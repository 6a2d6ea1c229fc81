"""Header fields that a call may add.

Private: used by ``shared.http_client`` only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeGuard

# RFC 9110, sections 5.6.2 and 5.5; ASCII only, as every server reads it alike.
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE: Final = re.compile(r"[!-~](?:[ \t!-~]*[!-~])?|")
# RFC 6750, section 2.1.
_TOKEN: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
# They say where a message ends or goes, which is the transport's to say.
_FRAMING: Final = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """*headers* by lower-case name.

    Raises:
        ValueError: A name is none or the transport's own, a value would not be one
            line of ASCII, or a name stands there twice. The value is not repeated.
    """
    found: dict[str, str] = {}
    for name, value in headers.items():
        if not _is_text(name) or not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a header.")
        key = name.lower()
        if key in _FRAMING:
            raise ValueError(f"The header {name} is the transport's to set.")
        if key in found:
            raise ValueError(f"The header {name} stands in headers twice.")
        found[key] = checked_value(name, value)
    return found


def checked_value(name: str, value: str) -> str:
    """*value*, if it can be that of the header *name*.

    Raises:
        ValueError: It is not one line of ASCII without space around it.
    """
    if not _is_text(value) or not _VALUE.fullmatch(value):
        raise ValueError(
            f"The header {name} must be one line of ASCII, without space around it "
            "(value hidden)."
        )
    return value


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def is_token(value: object) -> TypeGuard[str]:
    """Whether *value* can stand behind ``Bearer``."""
    return isinstance(value, str) and bool(_TOKEN.fullmatch(value))
