"""The clients of all services that one service calls.

Private: import these names from ``shared.http_client``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Final, Generic, Self, TypeVar, Unpack

from shared.http_client._client import ServiceClient
from shared.http_client._engine import ClientOptions
from shared.http_client._sync import SyncServiceClient
from shared.resilience import CircuitBreaker

_C = TypeVar("_C", ServiceClient, SyncServiceClient)

_log: Final = logging.getLogger("shared.http_client")


class _Registry(Generic[_C]):
    """Makes each client once."""

    def __init__(
        self,
        make: Callable[[str, str | Sequence[str]], _C],
        urls: Mapping[str, str | Sequence[str]],
    ) -> None:
        # Made at once, so that a URL that is none stops the service at its start.
        self._clients: dict[str, _C] = {name: make(name, urls[name]) for name in urls}

    def __getitem__(self, name: str) -> _C:
        """The client of the service called *name*.

        Raises:
            LookupError: There is no URL for it; the message names the setting.
        """
        client = self._clients.get(name)
        if client is None:
            variable = name.upper().replace("-", "_") + "_URL"
            raise LookupError(
                f"No URL is set for {name!r}: set {variable}, or give it to the "
                "registry."
            )
        return client

    def __contains__(self, name: object) -> bool:
        return name in self._clients

    @property
    def breakers(self) -> tuple[CircuitBreaker, ...]:
        """Those of all clients, for metrics."""
        return tuple(b for client in self._clients.values() for b in client.breakers)

    def _to_close(self) -> list[_C]:
        return list(reversed(self._clients.values()))


class ServiceRegistry(_Registry[ServiceClient]):
    """Name to client, made once and closed together.

    ::

        async with ServiceRegistry(config.service_urls, caller=...) as services:
            await services["subject-service"].get("/api/v1/subjects")

    Args:
        urls: Of each service, one or several; ``ServiceConfig.service_urls`` is such.
        options: Of all clients; see `ServiceClient`.

    Raises:
        ValueError: As in `ServiceClient`.
    """

    def __init__(
        self,
        urls: Mapping[str, str | Sequence[str]],
        **options: Unpack[ClientOptions],
    ) -> None:
        super().__init__(lambda name, url: ServiceClient(name, url, **options), urls)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all clients, whatever one of them raises."""
        for client in self._to_close():
            try:
                await client.aclose()
            except Exception:
                _log.exception("The client of %s could not be closed.", client.name)


class SyncServiceRegistry(_Registry[SyncServiceClient]):
    """`ServiceRegistry` for code that is not asynchronous.

    Args:
        urls: As in `ServiceRegistry`.
        options: As in `ServiceRegistry`.
    """

    def __init__(
        self,
        urls: Mapping[str, str | Sequence[str]],
        **options: Unpack[ClientOptions],
    ) -> None:
        super().__init__(
            lambda name, url: SyncServiceClient(name, url, **options), urls
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all clients, whatever one of them raises."""
        for client in self._to_close():
            try:
                client.close()
            except Exception:
                _log.exception("The client of %s could not be closed.", client.name)
