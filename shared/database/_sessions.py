"""The session class: what goes wrong in a flush is ours too.

Private: import names from ``shared.database``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from shared.database._errors import StaleRecordException


class KernelSession(Session):
    """A session whose every flush tells of a stale record as a 409."""

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        """Write what has changed.

        Raises:
            StaleRecordException: A row with a version is not as it was when read.
        """
        try:
            super().flush(objects)
        except StaleDataError as error:
            raise StaleRecordException from error
