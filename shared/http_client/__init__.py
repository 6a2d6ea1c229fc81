"""Calls between services that fail well: time-outs, retries, breakers, typed answers.

Async by `ServiceClient`, blocking by `SyncServiceClient`.
"""

from shared.http_client._client import ServiceClient
from shared.http_client._documents import document_fetcher
from shared.http_client._engine import ClientOptions
from shared.http_client._faults import Fault, FaultKind
from shared.http_client._options import (
    BodyOptions,
    BreakerPolicy,
    CallOptions,
    CallRecord,
    ClientLimits,
    ClientTimeouts,
    RetryPolicy,
)
from shared.http_client._public import (
    AddressNotPublicError,
    PublicTransport,
    Resolve,
    is_public,
)
from shared.http_client._registry import ServiceRegistry, SyncServiceRegistry
from shared.http_client._reply import Reply
from shared.http_client._sync import SyncServiceClient
from shared.http_client._transport import OutgoingRequest, Transport, asgi_transport

__all__ = [
    # Clients
    "ServiceClient",
    "SyncServiceClient",
    "ServiceRegistry",
    "SyncServiceRegistry",
    "Reply",
    # Settings
    "BreakerPolicy",
    "ClientLimits",
    "ClientOptions",
    "ClientTimeouts",
    "RetryPolicy",
    # Of one call
    "BodyOptions",
    "CallOptions",
    "CallRecord",
    # To URLs that strangers gave
    "AddressNotPublicError",
    "PublicTransport",
    "Resolve",
    "is_public",
    # Behind an error
    "Fault",
    "FaultKind",
    # For tests, and for key sets
    "OutgoingRequest",
    "Transport",
    "asgi_transport",
    "document_fetcher",
]
