"""Webhooks on their way: signed, sent, tried again, and given up at last."""

from services.api_platform.delivery._codes import DeliveryError
from services.api_platform.delivery._loop import DeliveryLoop
from services.api_platform.delivery._metrics import DeliveryMetrics
from services.api_platform.delivery._options import (
    Choice,
    DeliveryOptions,
    current_choice,
)
from services.api_platform.delivery._policy import SCHEDULE, RetryPolicy
from services.api_platform.delivery._report import build_router
from services.api_platform.delivery._sender import Sender
from services.api_platform.delivery._store import Store
from services.api_platform.delivery._transport import TargetTransport
from services.api_platform.delivery._wiring import add_delivery, delivery_store

__all__ = [
    # In a process
    "add_delivery",
    "delivery_store",
    "build_router",
    "DeliveryOptions",
    "TargetTransport",
    # The parts of it
    "Choice",
    "DeliveryLoop",
    "DeliveryMetrics",
    "RetryPolicy",
    "SCHEDULE",
    "Sender",
    "Store",
    "current_choice",
    # What goes wrong
    "DeliveryError",
]
