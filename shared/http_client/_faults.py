"""What went wrong in a call, for the log: the cause behind the error that is raised.

Private: used by ``shared.http_client`` only.
"""

from __future__ import annotations

from enum import StrEnum


class FaultKind(StrEnum):
    """Where a call ended."""

    # The request did not reach the target, so that any method may be tried again.
    NO_CONNECTION = "no connection"
    # No room in our own pool: says nothing about the target.
    POOL_FULL = "no free connection in the pool"
    # A single step took longer than it may; the target may have done the work.
    TIMED_OUT = "time-out"
    # The connection broke, or what came was not HTTP; the same doubt.
    BROKEN = "broken connection"
    # An answer came, and it can't be used.
    TOO_LARGE = "answer too large"
    UNDECODABLE = "answer can't be decompressed"
    REDIRECT = "redirect"
    NOT_JSON = "answer is not JSON"
    MISMATCH = "answer does not fit response_model"
    CREDENTIAL_REFUSED = "our own credential was refused"
    # Our own side, before anything was sent.
    NO_CREDENTIAL = "token_provider failed"
    INTERNAL = "unexpected error in the transport"


class Fault(Exception):
    """The cause of an error that a client raises; logs show it, replies never do.

    Args:
        kind: Where the call ended.
        reason: What is known beyond that. Never a value of the answer or a secret.
    """

    def __init__(self, kind: FaultKind, reason: str = "") -> None:
        super().__init__(kind, reason)
        self.kind = kind
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.reason}" if self.reason else self.kind.value
