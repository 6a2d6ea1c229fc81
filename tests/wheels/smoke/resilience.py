"""A call that fails is made again, until the breaker opens; no framework is needed."""

import sys

from shared.resilience import CircuitBreaker, CircuitOpenError, Deadline, retry

breaker = CircuitBreaker("target", failure_threshold=3)
attempts: list[int] = []


@retry(on=ConnectionError, delay=0)
@breaker
def fetch() -> None:
    """Ask a server that is down."""
    attempts.append(1)
    raise ConnectionError


try:
    fetch()
except CircuitOpenError as error:
    status, notes = error.status_code, error.__notes__
else:
    status, notes = 0, []

assert (len(attempts), status, len(notes)) == (3, 503, 1)
assert Deadline.after(2).to_header() in ("1999", "2000")
assert "pydantic" not in sys.modules
