"""What happens to an event whose handler fails.

Private: import these names from ``shared.messaging``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite
from typing import Final, Self

_LONGEST_DELAY: Final = 24 * 3600.0
_LONGEST_TIMEOUT: Final = 20 * 60.0
_MOST_DELAYS: Final = 1000

# RabbitMQ closes the channel of a consumer that keeps a message for 30 minutes
# (consumer_timeout, https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout).
LONGEST_HOLD: Final = 20 * 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FailurePolicy:
    """How often a handler is tried, when, and for how long.

    There is a round at once and one after each of *delays*; each round tries the
    handler ``1 + immediate_retries`` times. What fails in the last is a dead letter.

    Args:
        immediate_retries: Tries more in each round, without a wait.
        delays: Seconds before each further round. Each is a queue of its own on a
            broker, so let handlers share a few.
        timeout: Seconds that one try may take; then it is cancelled and has failed.
        never_retry: Errors that another try can't heal: straight to the dead letters.
        hold_on: Errors that no event is to blame for, such as a database that is away.
            They use up no round: the event is tried after each of *delays*, and after
            the last of them again and again. An ordered handler holds it meanwhile, and
            a broker that takes it back after half an hour gives it again.

    Raises:
        ValueError: A number is out of range, or there are no *delays* to *hold_on*.
        TypeError: One of the others is no tuple, or one of errors holds something else
            than classes of exceptions.
    """

    immediate_retries: int = 1
    delays: tuple[float, ...] = (1.0, 10.0, 60.0, 300.0, 1800.0)
    timeout: float = 30.0
    never_retry: tuple[type[Exception], ...] = ()
    hold_on: tuple[type[Exception], ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.immediate_retries <= 100:
            raise ValueError(
                f"immediate_retries must be 0 to 100 (got {self.immediate_retries})."
            )
        if not (isfinite(self.timeout) and 0 < self.timeout <= _LONGEST_TIMEOUT):
            raise ValueError(
                "timeout must be more than 0 and at most 1200 seconds "
                f"(got {self.timeout})."
            )
        for name in ("delays", "never_retry", "hold_on"):
            value: object = getattr(self, name)
            if not isinstance(value, tuple):
                raise TypeError(f"{name} must be a tuple (got {value!r}).")
        if len(self.delays) > _MOST_DELAYS:
            raise ValueError(
                f"delays must be at most {_MOST_DELAYS} (got {len(self.delays)})."
            )
        for delay in self.delays:
            if not (isfinite(delay) and 0.001 <= delay <= _LONGEST_DELAY):
                raise ValueError(
                    f"delays must be from 0.001 to 86400 seconds each (got {delay})."
                )
        for name in ("never_retry", "hold_on"):
            for cls in getattr(self, name):
                if not _is_exception(cls):
                    raise TypeError(
                        f"{name} must hold classes of exceptions (got {cls!r})."
                    )
        if self.hold_on and not self.delays:
            raise ValueError(
                "hold_on needs delays, or there is no pause between tries."
            )

    @property
    def rounds(self) -> int:
        """How many rounds there are."""
        return 1 + len(self.delays)

    @property
    def longest_hold(self) -> float:
        """Seconds that an event is held at most where it is retried in its place.

        Without those for which it is held on.
        """
        tries = self.rounds * (1 + self.immediate_retries)
        return sum(self.delays) + tries * self.timeout

    def holding_delay(self, attempts: int) -> float:
        """The pause behind so many tries, in the last of which it was held on."""
        rounds = max(1, attempts // (1 + self.immediate_retries))
        return self.delays[min(rounds, len(self.delays)) - 1]

    def shortened(self, *, at_most: float) -> Self:
        """This policy without the last delays, so that it holds no event for longer."""
        policy = self
        while policy.delays and policy.longest_hold > at_most:
            policy = replace(policy, delays=policy.delays[:-1])
        return policy


def _is_exception(cls: object) -> bool:
    return isinstance(cls, type) and issubclass(cls, Exception)
