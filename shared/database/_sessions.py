"""The session classes: flushes raise our errors, and ends take a limited time.

Private: import names from ``shared.database``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from shared.database._errors import DatabaseUnavailableException, StaleRecordException
from shared.resilience import current_deadline

_log = logging.getLogger("shared.database")

# What is left for a rollback when nobody waits for the result any more, in seconds.
_GRACE: Final = 1.0


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


class KernelAsyncSession(AsyncSession):
    """A session whose end does not wait for a server that says nothing.

    It is closed under a shield, which no deadline reaches. A ROLLBACK without an answer
    would keep the request, and its place in the pool, for as long as the network likes.
    SQLAlchemy throws a connection away whose use is cancelled.
    """

    sync_session_class = KernelSession

    def __init__(self, *args: Any, end_within: float, **options: Any) -> None:
        super().__init__(*args, **options)
        self._end_within = end_within

    async def close(self) -> None:
        """Roll back what was begun, and give the connection back or up."""
        try:
            async with asyncio.timeout(self._time_to_end()):
                await super().close()
        except TimeoutError:
            # Not raised: what brought us here is the error to show.
            _log.warning("A rollback had no answer; its connection was given up.")

    async def rollback(self) -> None:
        """Roll back.

        Raises:
            DatabaseUnavailableException: The server does not answer.
        """
        try:
            async with asyncio.timeout(self._time_to_end()):
                await super().rollback()
        except TimeoutError as error:
            raise DatabaseUnavailableException(
                "The database did not answer a rollback."
            ) from error

    def _time_to_end(self) -> float:
        deadline = current_deadline()
        if deadline is None:
            return self._end_within
        return min(self._end_within, max(0.0, deadline.remaining()) + _GRACE)
