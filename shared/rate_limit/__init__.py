"""Rate limits: several windows at once, weighted, all or nothing, with refunds.

`shared.rate_limit.redis` shares the counts between processes, and
`shared.rate_limit.dependencies` puts limits in front of FastAPI routes.
"""

from shared.rate_limit._decision import Decision, Standing
from shared.rate_limit._errors import RateLimitUnavailableException
from shared.rate_limit._fields import rate_limit_fields, refusal
from shared.rate_limit._limiter import RateLimiter
from shared.rate_limit._memory import InMemoryRateLimiter
from shared.rate_limit._policy import RateLimitPolicy
from shared.rate_limit._reservation import Reservation, reserve

__all__ = [
    "Decision",
    "InMemoryRateLimiter",
    "RateLimitPolicy",
    "RateLimitUnavailableException",
    "RateLimiter",
    "Reservation",
    "Standing",
    "rate_limit_fields",
    "refusal",
    "reserve",
]
