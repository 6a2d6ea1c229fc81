"""Quotas: how much a key and its user may use, and what they have used."""

from services.api_platform.quota._add import add_quota, reads_policy
from services.api_platform.quota._billing import (
    BillingClient,
    BillingState,
    BillingStatusDTO,
)
from services.api_platform.quota._discounts import discounted
from services.api_platform.quota._errors import (
    BillingBlockedException,
    InsufficientCreditsException,
)
from services.api_platform.quota._service import Action, QuotaService
from services.api_platform.quota._sweep import UsageSweep
from services.api_platform.quota._usage import Usage

__all__ = [
    "Action",
    "BillingBlockedException",
    "BillingClient",
    "BillingState",
    "BillingStatusDTO",
    "InsufficientCreditsException",
    "QuotaService",
    "Usage",
    "UsageSweep",
    "add_quota",
    "discounted",
    "reads_policy",
]
