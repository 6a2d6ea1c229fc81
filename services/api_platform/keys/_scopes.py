"""What a key may do."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    """A permission of an API key, as in its `permissions` and in 403 replies."""

    GENERATIONS_READ = "generations:read"
    GENERATIONS_WRITE = "generations:write"
    USAGE_READ = "usage:read"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
