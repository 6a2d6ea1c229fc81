"""Why a user who pays for nothing gets nothing."""

from __future__ import annotations

from shared.errors import BaseAPIException, PermissionDeniedException


class BillingBlockedException(PermissionDeniedException):
    """The business service has blocked the user's account."""

    code = "billing_blocked"
    detail = "Your account is blocked; its billing page says why."


class InsufficientCreditsException(BaseAPIException):
    """The user has no credits left."""

    status_code = 402
    code = "insufficient_credits"
    detail = "You have no credits left."
