"""The moment by which a request must be answered, known to all that serves it.

Private: import these names from ``shared.resilience``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Final

from shared.resilience._errors import DeadlineExceededError
from shared.resilience._numbers import seconds as checked

# Remaining milliseconds: a moment would need two clocks that agree.
DEADLINE_HEADER: Final = "X-Request-Timeout-Ms"

_MILLISECONDS: Final = re.compile(r"[0-9]{1,12}", re.ASCII)

_current: Final[ContextVar[Deadline | None]] = ContextVar("deadline", default=None)


class Deadline:
    """A moment on a clock that never goes back."""

    __slots__ = ("_clock", "_moment")

    def __init__(self, moment: float, *, clock: Callable[[], float]) -> None:
        self._moment = moment
        self._clock = clock

    @classmethod
    def after(
        cls, seconds: float, *, clock: Callable[[], float] = time.monotonic
    ) -> Deadline:
        """The deadline in *seconds* from now. Zero is one that has passed.

        Raises:
            ValueError: *seconds* is negative, infinite or no number.
        """
        return cls(clock() + checked("seconds", seconds, zero=True), clock=clock)

    @classmethod
    def from_header(
        cls,
        value: str | None,
        *,
        at_most: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> Deadline | None:
        """The deadline that a caller sent in `DEADLINE_HEADER`.

        Args:
            value: What the header says: milliseconds, as 1 to 12 digits.
            at_most: The most seconds that a caller may ask for; more become these.
            clock: What is read for the present moment.

        Returns:
            None for a header that is absent or says anything else. Such a header is
            ignored and no error, since a deadline is a help and not a demand.
        """
        if value is None or not _MILLISECONDS.fullmatch(value.strip(" \t")):
            return None
        wanted = int(value) / 1000
        if at_most is not None:
            wanted = min(wanted, at_most)
        return cls.after(wanted, clock=clock)

    def to_header(self) -> str:
        """What to send in `DEADLINE_HEADER`: the milliseconds left, rounded down."""
        return str(int(self.remaining() * 1000))

    def remaining(self) -> float:
        """Seconds left, never fewer than 0."""
        return max(0.0, self._moment - self._clock())

    @property
    def expired(self) -> bool:
        """Whether no time is left."""
        return self._clock() >= self._moment

    def check(self) -> None:
        """Stop here if no time is left, before work that nobody waits for.

        Raises:
            DeadlineExceededError: No time is left. It is *of_caller*, which no breaker
                counts, unless it leaves a `timeout` that has set the deadline.
        """
        if self.expired:
            raise DeadlineExceededError(of_caller=True)

    def __repr__(self) -> str:
        return f"<Deadline in {self.remaining():.3f} s>"


def current_deadline() -> Deadline | None:
    """The deadline of what runs now; None where nobody set one."""
    return _current.get()


class deadline_scope:  # noqa: N801 it reads as a function
    """Sets the deadline of what runs inside, tasks started there included.

    The sooner of it and the one outside counts: what is inside never has more time than
    what waits for it. None lifts the deadline, for work that outlives the request.
    """

    __slots__ = ("_deadline", "_token")

    _token: Token[Deadline | None]

    def __init__(self, deadline: Deadline | None) -> None:
        self._deadline = deadline

    def __enter__(self) -> Deadline | None:
        inner, outer = self._deadline, _current.get()
        if (
            inner is not None
            and outer is not None
            and outer.remaining() <= inner.remaining()
        ):
            inner = outer
        self._token = _current.set(inner)
        return inner

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _current.reset(self._token)
