"""What plays the services behind this one where there are none, in development."""

from services.api_platform.standins._billing import (
    BLOCKED_USER,
    POOR_USER,
    BillingStandIn,
)
from services.api_platform.standins._generations import (
    FAILING_PROMPT,
    GenerationStandIn,
)

__all__ = [
    "BLOCKED_USER",
    "FAILING_PROMPT",
    "POOR_USER",
    "BillingStandIn",
    "GenerationStandIn",
]
