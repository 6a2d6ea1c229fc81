"""What a database can refuse, as errors of the API.

    ConflictException
      DuplicateException               409  duplicate
      ReferenceConflictException       409  reference_conflict
      StaleRecordException             409  stale_record
      RecordLockedException            409  record_locked
    PreconditionRequiredException      428  precondition_required
    ServiceUnavailableException
      DatabaseUnavailableException     503  database_unavailable
      PoolExhaustedException           503  database_busy
      StatementTimeoutException        503  database_timeout
      TransactionConflictException     503  transaction_conflict
      StorageFullException             503  storage_full

Private: import these names from ``shared.database``.
"""

from __future__ import annotations

from shared.errors import (
    BaseAPIException,
    ConflictException,
    ServiceUnavailableException,
)


class DuplicateException(ConflictException):
    """A record with the same unique values exists; ``fields`` names them."""

    code = "duplicate"
    detail = "A record with the same values already exists."


class ReferenceConflictException(ConflictException):
    """The record refers to one that does not exist, or others still refer to it."""

    code = "reference_conflict"
    detail = "A record that this one refers to is missing, or others refer to this one."


class StaleRecordException(ConflictException):
    """Somebody else changed the record since it was read."""

    code = "stale_record"
    detail = "The record was changed since you read it. Read it again, then repeat."


class RecordLockedException(ConflictException):
    """Somebody else is changing the record at this moment."""

    code = "record_locked"
    detail = "The record is being changed by another request."


class PreconditionRequiredException(BaseAPIException):
    """The request has to say, in If-Match, which state of the record it changes."""

    status_code = 428
    code = "precondition_required"
    detail = "Send the ETag of the record you read in the If-Match header."


class DatabaseUnavailableException(ServiceUnavailableException):
    """The database can't be reached, or the connection to it was lost."""

    code = "database_unavailable"
    detail = "The database is not available."


class PoolExhaustedException(ServiceUnavailableException):
    """All connections are in use, here or at the server, or SQLite is locked."""

    code = "database_busy"
    detail = "The database is busy."


class StatementTimeoutException(ServiceUnavailableException):
    """The database took longer than a statement may take."""

    code = "database_timeout"
    detail = "The database took too long."


class TransactionConflictException(ServiceUnavailableException):
    """Two transactions got in each other's way, and repeating did not help."""

    code = "transaction_conflict"
    detail = "The change collided with another one. Try again."


class StorageFullException(ServiceUnavailableException):
    """There is no room left where the database keeps its data."""

    code = "storage_full"
    detail = "The storage of the database is full."


class TransactionAbortedError(RuntimeError):
    """A commit of which nothing would have been kept: a mistake of the service."""


class DatabaseConfigurationError(ValueError):
    """The settings of a database can't work. The message shows no value of them."""


class RefusedValueError(ValueError):
    """A column type of ours refuses a value: a mistake of the service."""
