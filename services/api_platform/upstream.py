"""What a caller is told when a service behind this one fails."""

from __future__ import annotations

from shared.errors import (
    BaseAPIException,
    RateLimitExceededException,
    ServiceUnavailableException,
    UpstreamException,
)
from shared.resilience import DeadlineExceededError

_LATER = "Retry-After"


def upstream_error(error: BaseAPIException) -> BaseAPIException:
    """What to raise from *error*, which the call of a service ended with.

    A 502, 503 or 504 without what that service said about itself: its words are about
    things that our caller neither knows nor can mend.
    """
    if isinstance(error, DeadlineExceededError):
        return error
    if isinstance(error, ServiceUnavailableException | RateLimitExceededException):
        later = error.headers.get(_LATER)
        return ServiceUnavailableException(headers={_LATER: later} if later else None)
    return UpstreamException(status_code=504 if error.status_code == 504 else 502)
