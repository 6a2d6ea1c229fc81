"""Requests that are carried out once, however often they are sent.

`shared.idempotency.dependencies` reads the Idempotency-Key header in FastAPI.
"""

from shared.idempotency._errors import (
    IdempotencyInProgressException,
    IdempotencyKeyInvalidException,
    IdempotencyKeyMissingException,
    IdempotencyKeyReusedException,
    IdempotencyReplyNotKeptException,
)
from shared.idempotency._key import MAX_KEY_LENGTH, fingerprint, parse_idempotency_key
from shared.idempotency._store import Claim, IdempotencyStore, StoredReply
from shared.idempotency._table import idempotency_table

__all__ = [
    "MAX_KEY_LENGTH",
    "Claim",
    "IdempotencyStore",
    "StoredReply",
    "fingerprint",
    "idempotency_table",
    "parse_idempotency_key",
    # What goes wrong
    "IdempotencyInProgressException",
    "IdempotencyKeyInvalidException",
    "IdempotencyKeyMissingException",
    "IdempotencyKeyReusedException",
    "IdempotencyReplyNotKeptException",
]
