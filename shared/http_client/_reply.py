"""An answer as it came.

Private: import these names from ``shared.http_client``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer whose body has been read and decompressed.

    Args:
        status_code: The HTTP status.
        headers: By lower-case name; fields that came several times are joined by
            commas, as RFC 9110, section 5.3 says.
        content: The body; not shown by ``repr``.
    """

    status_code: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)

    def json(self) -> Any:
        """The body, read as JSON.

        Raises:
            ValueError: It is none.
        """
        return from_json(self.content, allow_inf_nan=False)

    @property
    def media_type(self) -> str:
        """The media type in lower case, without parameters."""
        media_type, _, _ = self.headers.get("content-type", "").partition(";")
        return media_type.strip().lower()
