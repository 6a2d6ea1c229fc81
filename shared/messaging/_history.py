"""What became of a message so far: in its headers, so that it survives everybody.

    x-round              rounds that it has been through
    x-attempts           tries in all of them
    x-history            JSON: the latest failures: round, at, error and digest of each
    x-consumer           who failed, on a dead letter
    x-reason             why it is one: see `Reason`
    x-error              the class of the last error
    x-traceback-digest   equal for failures at the same place in the code
    x-died-at            when

No header holds the text of an error, which may quote a secret: that is in the log.

Private: used by ``shared.messaging`` only.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import PurePath
from typing import Any, Final, Self

ROUND: Final = "x-round"
ATTEMPTS: Final = "x-attempts"
HISTORY: Final = "x-history"
CONSUMER: Final = "x-consumer"
REASON: Final = "x-reason"
ERROR: Final = "x-error"
DIGEST: Final = "x-traceback-digest"
DIED_AT: Final = "x-died-at"

OWN_HEADERS: Final = frozenset(
    (ROUND, ATTEMPTS, HISTORY, CONSUMER, REASON, ERROR, DIGEST, DIED_AT)
)
"""What a replay leaves out, so that the message begins anew."""

_REMEMBERED: Final = 20
_MOST: Final = 2**31 - 1
_LONGEST_NAME: Final = 200
_LONGEST: Final = 20_000  # of a header that somebody else may have written


class Reason(StrEnum):
    """Why a message is a dead letter."""

    MALFORMED = "malformed"
    """It is no event: no JSON, members missing or of a wrong type."""
    UNKNOWN_SCHEMA = "unknown_schema"
    """An event of a type or a version that the consumer does not know."""
    REJECTED = "rejected"
    """The handler raised one of the errors that are never retried."""
    EXHAUSTED = "exhausted"
    """It failed in every round."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed round."""

    round: int
    at: datetime
    error: str
    digest: str


@dataclass(frozen=True, slots=True)
class History:
    """The part of a message's past that decides what happens next."""

    rounds: int = 0
    attempts: int = 0
    failures: tuple[Failure, ...] = ()

    @classmethod
    def of(cls, headers: Mapping[str, Any]) -> Self:
        """Read the headers. What is not as we write it counts as absent."""
        return cls(
            rounds=_count(headers.get(ROUND)),
            attempts=_count(headers.get(ATTEMPTS)),
            failures=_failures(headers.get(HISTORY)),
        )

    def after(self, error: BaseException, *, tries: int, now: datetime) -> Self:
        """With one more round, in which *error* was the last of *tries* failures."""
        failure = Failure(self.rounds + 1, now, error_name(error), digest_of(error))
        return replace(
            self,
            rounds=min(self.rounds + 1, _MOST),
            attempts=min(self.attempts + tries, _MOST),
            failures=(*self.failures, failure)[-_REMEMBERED:],
        )

    def held(self, *, tries: int) -> Self:
        """With a round that does not count, of *tries*."""
        return replace(self, attempts=min(self.attempts + tries, _MOST))

    def headers(self) -> dict[str, Any]:
        """To be sent with the message."""
        return {
            ROUND: self.rounds,
            ATTEMPTS: self.attempts,
            HISTORY: json.dumps(
                [
                    {
                        "round": failure.round,
                        "at": failure.at.isoformat(),
                        "error": failure.error,
                        "digest": failure.digest,
                    }
                    for failure in self.failures
                ]
            ),
        }


def death(
    reason: Reason, error: BaseException | None, *, consumer: str, now: datetime
) -> dict[str, Any]:
    """The headers that a dead letter has beside its history."""
    headers: dict[str, Any] = {
        CONSUMER: consumer,
        REASON: reason.value,
        DIED_AT: now.isoformat(),
    }
    if error is not None:
        headers[ERROR] = error_name(error)
        headers[DIGEST] = digest_of(error)
    return headers


def error_name(error: BaseException) -> str:
    """The class of *error*, by which it is imported."""
    cls = type(error)
    name = cls.__qualname__
    if cls.__module__ != "builtins":
        name = f"{cls.__module__}.{name}"
    return name[:_LONGEST_NAME]


def digest_of(error: BaseException) -> str:
    """16 hexadecimal digits: the class, and the lines that it went through.

    Files by their name alone, so that it is the same on every machine.
    """
    # Not extract_tb, which reads the files.
    frames = (
        f"{PurePath(frame.f_code.co_filename).name}:{frame.f_code.co_name}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
    )
    return sha256("\n".join((error_name(error), *frames)).encode()).hexdigest()[:16]


def _count(value: object) -> int:
    return value if type(value) is int and 0 <= value <= _MOST else 0


def _failures(text: object) -> tuple[Failure, ...]:
    if not isinstance(text, str) or len(text) > _LONGEST:
        return ()
    try:
        return tuple(
            Failure(
                int(item["round"]),
                datetime.fromisoformat(item["at"]),
                str(item["error"])[:_LONGEST_NAME],
                str(item["digest"])[:16],
            )
            for item in json.loads(text)
        )[-_REMEMBERED:]
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return ()
