"""The error of a cache that can't be written.

Private: import it from ``shared.cache``.
"""

from __future__ import annotations

from shared.errors import ServiceUnavailableException


class CacheUnavailableException(ServiceUnavailableException):
    """The store behind a cache did not take a write, or did not say so in time.

    Until its TTL is over, it may serve the value that was to be replaced or deleted.
    """

    detail = "The cache can't be written at the moment."
