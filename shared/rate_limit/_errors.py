"""The error of a limiter that can't answer.

Private: import it from ``shared.rate_limit``.
"""

from __future__ import annotations

from shared.errors import ServiceUnavailableException


class RateLimitUnavailableException(ServiceUnavailableException):
    """The store behind a rate limiter did not answer, or not in time.

    It may have taken the units nevertheless: the answer is what got lost.
    """

    detail = "Rate limits can't be checked at the moment."
