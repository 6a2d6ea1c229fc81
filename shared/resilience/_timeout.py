"""A bound on how long a coroutine may take.

Private: import these names from ``shared.resilience``.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from shared.resilience._deadline import Deadline, current_deadline, deadline_scope
from shared.resilience._errors import DeadlineExceededError, leaves
from shared.resilience._numbers import seconds as checked

if TYPE_CHECKING:
    import asyncio


class timeout:  # noqa: N801 it reads as a function
    """``async with timeout(2):`` ends what is inside after so many seconds.

    Or at the current deadline, if that is sooner. Inside, the moment is the current
    deadline, so that calls to other services pass it on.

    Args:
        seconds: None for the current deadline alone, if there is one.

    Raises:
        ValueError: *seconds* is not above 0.
        DeadlineExceededError: The time was up, inside or before. It is *of_caller* if
            that was the deadline outside and not *seconds*. A ``TimeoutError`` of
            something inside passes as it is.
    """

    __slots__ = ("_inner", "_own", "_scope", "_seconds")

    _inner: asyncio.Timeout
    _own: bool
    _scope: deadline_scope

    def __init__(self, seconds: float | None) -> None:
        self._seconds = None if seconds is None else checked("seconds", seconds)

    async def __aenter__(self) -> Deadline | None:
        # Not at the top: whoever is not asynchronous does not pay for its import.
        import asyncio

        outer = current_deadline()
        own = None if self._seconds is None else Deadline.after(self._seconds)
        self._scope = deadline_scope(own or outer)
        deadline = self._scope.__enter__()
        self._own = own is not None and deadline is own
        try:
            delay = None
            if deadline is not None:
                if deadline.expired:
                    raise DeadlineExceededError(of_caller=not self._own)
                delay = deadline.remaining()
            self._inner = asyncio.timeout(delay)
            await self._inner.__aenter__()
        except BaseException:
            self._scope.__exit__(None, None, None)
            raise
        return deadline

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._inner.__aexit__(kind, error, trace)
        except TimeoutError as late:
            raise DeadlineExceededError(of_caller=not self._own) from late
        finally:
            self._scope.__exit__(kind, error, trace)
        if self._own and error is not None:
            # The deadline that something inside met was ours.
            for leaf in leaves(error):
                if isinstance(leaf, DeadlineExceededError):
                    leaf.of_caller = False
