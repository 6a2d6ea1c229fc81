"""What is raised instead of a call, or of its result.

    ServiceUnavailableException     503
      CircuitOpenError              503  the breaker let nothing through
      BulkheadFullError             503  no room, and no room to wait
    UpstreamException, TimeoutError
      DeadlineExceededError         504  the time is up

The two 503s share the code of their parent on purpose: a service that calls this one
gets a plain `ServiceUnavailableException` from it, and can't take our open breaker
for its own.

Private: import these names from ``shared.resilience``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shared.errors import ServiceUnavailableException, UpstreamException


class CircuitOpenError(ServiceUnavailableException):
    """The call was not made: too many before it failed.

    Args:
        breaker: The breaker's name. For logs; the reply does not have it.
        retry_after: Seconds until the breaker tries again.
    """

    def __init__(self, breaker: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(retry_after=retry_after)
        self.breaker = breaker
        self.retry_after = retry_after


class BulkheadFullError(ServiceUnavailableException):
    """The call was not made: as many as may run are running.

    Args:
        bulkhead: The bulkhead's name. For logs; the reply does not have it.
        retry_after: Seconds after which there may be room.
    """

    def __init__(self, bulkhead: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(retry_after=retry_after)
        self.bulkhead = bulkhead
        self.retry_after = retry_after


class DeadlineExceededError(UpstreamException, TimeoutError):
    """The operation did not finish in the time it was given.

    Args:
        detail: See `BaseAPIException`.
        headers: See `BaseAPIException`.
        of_caller: The time was not that of a `timeout` around the operation but what
            its caller had left, which may be anything: it says nothing about the other
            side, and breakers do not count it. Not part of the reply.
        extra: See `BaseAPIException`.
    """

    status_code = 504
    code = "deadline_exceeded"
    detail = "The operation did not finish in time."
    of_caller: bool = False

    def __init__(
        self,
        detail: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        of_caller: bool = False,
        **extra: Any,
    ) -> None:
        super().__init__(
            detail or self.detail, status_code=504, headers=headers, **extra
        )
        self.of_caller = of_caller

    def __setstate__(self, state: dict[str, Any] | None) -> None:
        # OSError takes its arguments in __init__, which unpickling leaves out.
        super().__setstate__(state)
        self.args = (self.detail,)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """*error*, or what is in it if it is a group, as of a ``TaskGroup``."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error
