"""Which messages are meant, and how fast they go: as it is typed.

Private: used by ``shared.messaging.cli`` only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Final

from shared.messaging._cli_errors import UsageError
from shared.messaging._history import Reason

# Of messages that RabbitMQ itself made dead letters of.
_BROKER_REASONS: Final = ("delivery_limit", "expired", "maxlen", "rejected")
REASONS: Final = tuple(dict.fromkeys([*(r.value for r in Reason), *_BROKER_REASONS]))

_PATTERNS: Final = ("type", "reason", "error", "digest", "id", "correlation")
_OLDER: Final = "older"
_HOW: Final = f"{', '.join(f'{name}=...' for name in (*_PATTERNS, _OLDER))}"

_WILD: Final = re.compile(r"[*?\[]")
_AGE: Final = re.compile(r"([0-9]{1,9})([smhd])", re.ASCII)
_RATE: Final = re.compile(r"([0-9]{1,9})(?:/([smh]))?", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """Conditions that a message must all meet; without any it meets them."""

    patterns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    older: timedelta | None = None

    def matches(
        self, facts: Mapping[str, str | None], moment: datetime | None, now: datetime
    ) -> bool:
        """Whether a message is meant.

        Args:
            facts: What is known of it. What is not known meets no condition.
            moment: When it died or, if it did not, was published.
            now: The time of day.
        """
        for name, pattern in self.patterns.items():
            value = facts.get(name)
            if value is None or not fnmatchcase(value, pattern):
                return False
        if self.older is None:
            return True
        return moment is not None and now - moment >= self.older


def parse_filter(text: str | None) -> MessageFilter:
    """Read ``type=user.* reason=exhausted older=1h``; None is no condition.

    Raises:
        UsageError: It is written otherwise, or is empty: an empty variable in a script
            must not mean all messages.
    """
    if text is None:
        return MessageFilter()
    patterns: dict[str, str] = {}
    for word in text.split():
        name, equals, value = word.partition("=")
        if name not in (*_PATTERNS, _OLDER) or not equals or not value:
            raise UsageError(f"--filter has conditions such as {_HOW} (got {word!r}).")
        if name in patterns:
            raise UsageError(f"--filter says {name}= twice.")
        patterns[name] = value
    if not patterns:
        raise UsageError(f"--filter is empty; it has conditions such as {_HOW}.")
    reason = patterns.get("reason", "*")
    if not _WILD.search(reason) and reason not in REASONS:
        raise UsageError(
            f"--filter reason= is one of {', '.join(REASONS)} (got {reason!r})."
        )
    age = patterns.pop(_OLDER, None)
    older = None if age is None else _age(age)
    return MessageFilter(MappingProxyType(patterns), older)


def _age(text: str) -> timedelta:
    match = _AGE.fullmatch(text)
    if match is None:
        raise UsageError(
            "--filter older= is a number and s, m, h or d, such as 90s or 1h "
            f"(got {text!r})."
        )
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def parse_rate(text: str) -> float:
    """Read ``50/s``, ``50``, ``600/m`` or ``10/h``: the seconds from one to the next.

    Raises:
        UsageError: It is written otherwise.
    """
    match = _RATE.fullmatch(text)
    if match is None or not int(match[1]):
        raise UsageError(
            f"--rate is messages per second, minute or hour, such as 50/s, 600/m or "
            f"10/h (got {text!r})."
        )
    return _SECONDS[match[2] or "s"] / int(match[1])
