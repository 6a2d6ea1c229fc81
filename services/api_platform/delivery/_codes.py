"""Why an attempt failed, in one word: all that is kept of it, and shown.

Private: import these names from ``services.api_platform.delivery``.
"""

from __future__ import annotations

from enum import StrEnum


class DeliveryError(StrEnum):
    """What went wrong with an attempt. The list is part of the API: it only grows."""

    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    """The target is not on the public internet, or not https."""
    NAME_NOT_RESOLVED = "name_not_resolved"
    CONNECTION_FAILED = "connection_failed"
    TLS_FAILED = "tls_failed"
    """No certificate of that name from an authority that we trust, or no TLS at all."""
    CONNECTION_BROKEN = "connection_broken"
    """It ended before there was an answer, or what came was no HTTP."""
    TIMED_OUT = "timed_out"
    REDIRECT = "redirect"
    """3xx: nobody follows it. The webhook's target has to be changed."""
    GONE = "gone"
    """410: the target wants no more, and the webhook is disabled."""
    CLIENT_ERROR = "client_error"
    """Any other 4xx."""
    SERVER_ERROR = "server_error"
    """5xx, and statuses that HTTP does not have."""
    SECRET_UNREADABLE = "secret_unreadable"  # noqa: S105 - a code
    """The secret can't be decrypted, or is none: a fault of ours."""
    INTERNAL_ERROR = "internal_error"
    """Any other fault of ours."""

    @property
    def is_ours(self) -> bool:
        """Whether the target has nothing to do with it. No owner is shown these."""
        return self in (DeliveryError.SECRET_UNREADABLE, DeliveryError.INTERNAL_ERROR)


def error_of_status(status: int) -> DeliveryError | None:
    """What a status means; None for a success."""
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return DeliveryError.REDIRECT
    if status == 410:
        return DeliveryError.GONE
    if 400 <= status < 500:
        return DeliveryError.CLIENT_ERROR
    return DeliveryError.SERVER_ERROR
