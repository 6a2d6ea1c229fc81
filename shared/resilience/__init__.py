"""Calls that fail well: retries, circuit breakers, deadlines and bulkheads.

All of it for functions and for coroutines, in the standard library alone.
"""

from shared.resilience._breaker import BreakerState, CircuitBreaker, is_outage
from shared.resilience._budget import RetryBudget
from shared.resilience._bulkhead import Bulkhead
from shared.resilience._deadline import (
    DEADLINE_HEADER,
    Deadline,
    current_deadline,
    deadline_scope,
)
from shared.resilience._errors import (
    BulkheadFullError,
    CircuitOpenError,
    DeadlineExceededError,
)
from shared.resilience._retry import FailedAttempt, Retrying, retry
from shared.resilience._retry_after import parse_retry_after, retry_after_of
from shared.resilience._timeout import timeout

__all__ = [
    # Retry
    "FailedAttempt",
    "RetryBudget",
    "Retrying",
    "parse_retry_after",
    "retry",
    "retry_after_of",
    # Circuit breaker
    "BreakerState",
    "CircuitBreaker",
    "CircuitOpenError",
    "is_outage",
    # Deadline
    "DEADLINE_HEADER",
    "Deadline",
    "DeadlineExceededError",
    "current_deadline",
    "deadline_scope",
    "timeout",
    # Bulkhead
    "Bulkhead",
    "BulkheadFullError",
]
