"""What tests of services need: tokens, a clock, log lines, problems. Needs no pytest.

Beside it: `shared.testing.servers`, `shared.testing.databases` and the contract suites.
"""

from shared.testing._clock import FakeClock
from shared.testing._logs import CapturedLogs, captured_logs
from shared.testing._problems import ProblemMatcher, is_problem
from shared.testing._tokens import MintedToken, mint_token

__all__ = [
    "CapturedLogs",
    "FakeClock",
    "MintedToken",
    "ProblemMatcher",
    "captured_logs",
    "is_problem",
    "mint_token",
]
