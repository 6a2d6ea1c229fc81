"""What a caller can do wrong with an idempotency key, and what can come in its way.

    BadRequestException
      IdempotencyKeyMissingException    400  idempotency_key_missing
      IdempotencyKeyInvalidException    400  idempotency_key_invalid
    ValidationException
      IdempotencyKeyReusedException     422  idempotency_key_reused
    ConflictException
      IdempotencyInProgressException    409  idempotency_in_progress
      IdempotencyReplyNotKeptException  409  idempotency_reply_not_kept

Private: import these names from ``shared.idempotency``.
"""

from __future__ import annotations

from math import ceil

from shared.errors import (
    BadRequestException,
    ConflictException,
    ErrorItem,
    ValidationException,
)

_POINTER = "/@header/idempotency-key"


class IdempotencyKeyMissingException(BadRequestException):
    """The operation needs an Idempotency-Key, and the request has none."""

    code = "idempotency_key_missing"
    detail = (
        "Send an Idempotency-Key header with a value of your own that is new for each "
        "operation, such as a UUID, and the same one when you repeat the request."
    )


class IdempotencyKeyInvalidException(BadRequestException):
    """The Idempotency-Key header can't be read."""

    code = "idempotency_key_invalid"
    detail = "The Idempotency-Key header is invalid."


class IdempotencyKeyReusedException(ValidationException):
    """The Idempotency-Key was used before, for another request."""

    code = "idempotency_key_reused"
    detail = (
        "This Idempotency-Key belongs to a request with another path, query or body. "
        "Use a new key for a new operation."
    )

    def __init__(self) -> None:
        item: ErrorItem = {
            "pointer": _POINTER,
            "code": "reused",
            "detail": "The key belongs to another request.",
        }
        super().__init__([item], self.detail)


class IdempotencyInProgressException(ConflictException):
    """The first request with this Idempotency-Key is still being processed.

    Args:
        retry_after: Seconds after which it is worth trying again, rounded up.
    """

    code = "idempotency_in_progress"
    detail = (
        "A request with this Idempotency-Key is being processed. Repeat yours later to "
        "get its reply."
    )

    def __init__(self, retry_after: float = 1) -> None:
        seconds = max(1, ceil(retry_after))
        super().__init__(headers={"Retry-After": str(seconds)}, retry_after=seconds)


class IdempotencyReplyNotKeptException(ConflictException):
    """The request was carried out before, and its reply can't be given again."""

    code = "idempotency_reply_not_kept"
    detail = (
        "The request with this Idempotency-Key was carried out, and its reply was not "
        "kept. Read the result where the operation put it."
    )
