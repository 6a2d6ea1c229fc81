"""Calls to other services in a service: counted, guarded, and closed at the end.

::

    service = create_service("reports", config)
    services = add_service_clients(service, "subject-service")
    subjects = services["subject-service"]  # at SUBJECT_SERVICE_URL

    @service.app.get("/reports/{subject_id}")
    async def report(subject_id: str) -> Report:
        path = "/api/v1/subjects/{id}"
        subject = await subjects.get(path, path_params={"id": subject_id})

What such a call raises is an error that the service's own caller may see, so an
endpoint need not catch it. It ends at the deadline of the request that it is made for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Unpack

from shared.app import Service
from shared.http_client import CallRecord, ClientOptions, ServiceRegistry

__all__ = ["add_service_clients"]


def add_service_clients(
    service: Service,
    *names: str,
    urls: Mapping[str, str | Sequence[str]] | None = None,
    **options: Unpack[ClientOptions],
) -> ServiceRegistry:
    """Give *service* clients of other services.

    Their calls stand in the metrics as ``http_client_request_duration_seconds``, their
    breakers as ``circuit_breaker_state``. When the service stops their connections are
    closed. Nothing is called at the start: a service that is away keeps no other from
    starting.

    Args:
        service: The service.
        names: Whom it calls, each with a URL in the settings; none for all that have
            one there.
        urls: Further ones, or other URLs; several of one service share its calls.
        options: Of all clients; see `ServiceClient`. *caller* is the service's name if
            nothing else is said.

    Raises:
        ConfigurationError: There is no URL for a name; the message has the variable.
        ValueError: A URL or an option is out of range, or there are clients of that
            name already.
    """
    given = dict(urls or {})
    config = service.config
    found: dict[str, str | Sequence[str]] = {
        name: config.service_url(name)
        for name in names or config.service_urls
        if name not in given
    }
    found |= given
    if not found:
        return ServiceRegistry({})
    theirs = options.get("observe")

    def observe(record: CallRecord) -> None:
        service.metrics.observe_call(
            *(record.target, record.method, record.status, record.error),
            record.seconds,
        )
        if theirs is not None:
            theirs(record)

    options["observe"] = observe
    options.setdefault("caller", service.name)
    registry = ServiceRegistry(found, **options)

    @asynccontextmanager
    async def opened() -> AsyncIterator[ServiceRegistry]:
        async with AsyncExitStack() as clients:
            for name in found:
                await clients.enter_async_context(registry[name])
            yield registry

    for breaker in registry.breakers:
        service.metrics.observe_breaker(breaker)
    service.add_resource(f"clients of {', '.join(found)}", opened)
    return registry
