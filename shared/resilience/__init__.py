"""Calls that fail well: retries, circuit breakers, deadlines and bulkheads.

All of it for functions and for coroutines, in the standard library alone.
"""

from shared.resilience._breaker import BreakerState, CircuitBreaker, is_outage
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

__all__ = [
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
    # Bulkhead
    "BulkheadFullError",
]
