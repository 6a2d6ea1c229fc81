"""Switches that work without a restart."""

from services.api_platform.toggles._router import build_router
from services.api_platform.toggles._toggles import (
    CANARY,
    DISCOUNTS,
    VERBOSE,
    CanarySettings,
    Discount,
    DiscountSettings,
    FeatureToggles,
    Toggle,
    VerboseSettings,
)

__all__ = [
    "CANARY",
    "DISCOUNTS",
    "VERBOSE",
    "CanarySettings",
    "Discount",
    "DiscountSettings",
    "FeatureToggles",
    "Toggle",
    "VerboseSettings",
    "build_router",
]
