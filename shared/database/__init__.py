"""Databases of services: engines, sessions, models, repositories, errors.

`shared.database.dependencies` gives sessions to FastAPI, `shared.database.encryption`
encrypts columns, and `shared.database.migrations` is the kit for Alembic.
"""

from shared.database._async_repository import BaseRepository
from shared.database._base import NAMING_CONVENTION, Base
from shared.database._database import Database, IsolationLevel
from shared.database._errors import (
    DatabaseConfigurationError,
    DatabaseUnavailableException,
    DuplicateException,
    PoolExhaustedException,
    PreconditionRequiredException,
    RecordLockedException,
    ReferenceConflictException,
    RefusedValueError,
    StaleRecordException,
    StatementTimeoutException,
    StorageFullException,
    TransactionAbortedError,
    TransactionConflictException,
)
from shared.database._etags import etag_of, require_match
from shared.database._filters import Contains, IsNot, OneOf, Range
from shared.database._mixins import (
    SoftDeleteMixin,
    TimestampMixin,
    UUIDKeyMixin,
    VersionMixin,
)
from shared.database._paging import InvalidCursorException, RowPage
from shared.database._registry import (
    get_async_db_session,
    get_database,
    get_db_dependency,
    get_db_session,
)
from shared.database._repository import SyncRepository
from shared.database._types import JSON_DOCUMENT, UtcDateTime, utc_now

__all__ = [
    # Engines and sessions
    "Database",
    "IsolationLevel",
    "get_database",
    "get_db_session",
    "get_async_db_session",
    "get_db_dependency",
    # Models
    "Base",
    "NAMING_CONVENTION",
    "UUIDKeyMixin",
    "TimestampMixin",
    "VersionMixin",
    "SoftDeleteMixin",
    "UtcDateTime",
    "JSON_DOCUMENT",
    "utc_now",
    # Rows
    "BaseRepository",
    "SyncRepository",
    "RowPage",
    "OneOf",
    "Range",
    "Contains",
    "IsNot",
    "etag_of",
    "require_match",
    # What goes wrong
    "DuplicateException",
    "ReferenceConflictException",
    "StaleRecordException",
    "RecordLockedException",
    "PreconditionRequiredException",
    "InvalidCursorException",
    "DatabaseUnavailableException",
    "PoolExhaustedException",
    "StatementTimeoutException",
    "TransactionConflictException",
    "StorageFullException",
    "TransactionAbortedError",
    "DatabaseConfigurationError",
    "RefusedValueError",
]
