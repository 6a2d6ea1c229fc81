"""What tests of services need: tokens, a clock, log lines, problems. Needs no pytest.

Beside it: `shared.testing.servers`, `shared.testing.databases` and the contract suites.
"""

from shared.testing._clock import FakeClock

__all__ = [
    "FakeClock",
]
