"""The generation API: jobs of the generation service, within the quotas."""

from services.api_platform.generations._add import (
    add_generations,
    clean_idempotency_keys,
)
from services.api_platform.generations._client import (
    AIGenOrchestrationClient,
    UserContext,
)
from services.api_platform.generations._errors import GenerationRefusedException
from services.api_platform.generations._service import GenerationService

__all__ = [
    "AIGenOrchestrationClient",
    "GenerationRefusedException",
    "GenerationService",
    "UserContext",
    "add_generations",
    "clean_idempotency_keys",
]
