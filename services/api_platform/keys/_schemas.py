"""What crosses the API about keys."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from services.api_platform.keys._scopes import Scope
from services.api_platform.requests import RequestDTO
from shared.dtos.base import BaseResponseDTO, with_examples
from shared.validation import BoundedText, Rule, UtcDateTime, require

_ID = "0190f3c4-7a1e-7c3a-9f5e-0c1f2e3d4a5b"
_USER = "5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11"
_SHOWN = {
    "id": _ID,
    "created_at": "2026-01-31T12:00:00Z",
    "updated_at": "2026-01-31T12:00:00Z",
    "user_id": _USER,
    "name": "Storefront",
    "api_key": "3kT9xQzR7mLb2VfA",
    "environment": "live",
    "permissions": ["generations:read", "generations:write"],
    "allowed_ip_ranges": [],
    "is_active": True,
    "expires_at": None,
    "last_used_at": None,
    "previous_valid_until": None,
}
MAX_GRACE_SECONDS = 30 * 24 * 3600
_MAPPED_BITS = 96


def _check_ip_range(text: str) -> str:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        network = None
    require(
        "ip_range_format",
        "IP range",
        [
            Rule(
                "form",
                "the form of a network, such as 203.0.113.0/24 or 2001:db8::/32, "
                "with no bit set behind its length",
                network is not None,
            )
        ],
    )
    return str(_plain(network)) if network else text


def _plain(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """One of IPv4 addresses as such, as callers' addresses are looked at."""
    if network.version == 6 and network.prefixlen >= _MAPPED_BITS:
        begin = network.network_address.ipv4_mapped
        if begin is not None:
            length = network.prefixlen - _MAPPED_BITS
            return ipaddress.IPv4Network((int(begin), length))
    return network


IpRange = Annotated[
    str,
    Field(
        max_length=49,
        pattern="^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$",
        examples=["203.0.113.0/24"],
    ),
    AfterValidator(_check_ip_range),
]


class APIKeyCreateDTO(RequestDTO):
    """A new key."""

    model_config = with_examples(
        {"name": "Storefront", "permissions": ["generations:read", "generations:write"]}
    )

    name: Annotated[str, BoundedText(max_length=100)]
    environment: Literal["live", "test"] = "live"
    permissions: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))] = (
        Field(default_factory=lambda: list(Scope))
    )
    allowed_ip_ranges: Annotated[tuple[IpRange, ...], Field(max_length=50)] = Field(
        default=(), description="Networks that it may be used from; none for all."
    )
    expires_at: UtcDateTime | None = Field(
        None, description="When it stops to work; must be in the future."
    )


class APIKeyRotateDTO(RequestDTO):
    """A new secret for a key."""

    model_config = with_examples({"grace_seconds": 86_400})

    grace_seconds: int = Field(
        86_400,
        ge=0,
        le=MAX_GRACE_SECONDS,
        description="How long the old secret is still accepted; 0: not any more. "
        "The one before it ends with this rotation.",
    )


class APIKeyResponseDTO(BaseResponseDTO):
    """A key as its owner sees it. The secret is not in it."""

    model_config = with_examples(_SHOWN)

    user_id: UUID
    name: str
    api_key: str = Field(description="The public id, which stands in the key.")
    environment: str
    permissions: list[str]
    allowed_ip_ranges: list[str]
    is_active: bool
    expires_at: UtcDateTime | None
    last_used_at: UtcDateTime | None = Field(description="Up to some seconds late.")
    previous_valid_until: UtcDateTime | None = Field(
        description="Until when the secret before the last rotation is accepted."
    )


class APIKeyCreateResponseDTO(APIKeyResponseDTO):
    """A new key, or a new secret: the one time that it is shown."""

    model_config = with_examples({**_SHOWN, "secret": "<shown once>"})

    secret: str = Field(
        repr=False,
        description="The whole key, as it is sent: Authorization: Bearer cfk_live_...",
    )
