"""What the results of attempts mean for the webhook that they were made for.

Private: import these names from ``services.api_platform.delivery``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from services.api_platform.delivery._codes import DeliveryError
from services.api_platform.delivery._policy import RetryPolicy
from services.api_platform.delivery._sender import Attempt

GONE: Final = "gone"
TOO_MANY_FAILURES: Final = "too_many_failures"


@dataclass(slots=True)
class Standing:
    """How a webhook does, as its row says, and then as attempts change it."""

    webhook_id: UUID
    user_id: UUID
    is_active: bool
    consecutive_failures: int
    failing_since: datetime | None
    last_failed_at: datetime | None
    disabled_reason: str | None = None
    """Why these attempts disabled it, if they did."""
    disabled_by: Attempt | None = None
    first_failures: set[tuple[UUID, UUID]] = field(default_factory=set)
    """The leases of the attempts with which a row of failures began."""

    def note(self, attempt: Attempt, policy: RetryPolicy) -> None:
        """Take the next attempt into account."""
        if attempt.error is None:
            self._forget()
            return
        # Nobody knows how it did while nothing was tried: days of that prove nothing.
        before = self.last_failed_at
        if before is not None and attempt.ended_at - before > policy.gap:
            self._forget()
        self.consecutive_failures += 1
        self.last_failed_at = attempt.ended_at
        if self.failing_since is None:
            self.failing_since = attempt.started_at
            self.first_failures.add(attempt.leased.lease)
        if not self.is_active:
            return
        if attempt.error is DeliveryError.GONE:
            self._disable(GONE, attempt)
        elif attempt.ended_at - self.failing_since >= policy.patience:
            self._disable(TOO_MANY_FAILURES, attempt)

    def _forget(self) -> None:
        self.consecutive_failures = 0
        self.failing_since = self.last_failed_at = None

    def _disable(self, reason: str, attempt: Attempt) -> None:
        self.is_active = False
        self.disabled_reason, self.disabled_by = reason, attempt
