"""Both clients behind one face, so that each test is written once."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, Unpack

from shared.http_client import (
    ClientOptions,
    Reply,
    RetryPolicy,
    ServiceClient,
    SyncServiceClient,
)

KINDS: Final = (ServiceClient, SyncServiceClient)

# Retries without waits: what is waited has tests of its own.
AT_ONCE: Final = RetryPolicy(delay=0)


class Face:
    """A client whose methods are awaited, whichever it is; the blocking in a thread."""

    def __init__(
        self,
        kind: type[ServiceClient | SyncServiceClient],
        url: str | Sequence[str],
        **options: Unpack[ClientOptions],
    ) -> None:
        options.setdefault("retry", AT_ONCE)
        self.client = kind("subjects", url, **options)
        self.breakers = self.client.breakers

    async def __aenter__(self) -> Self:
        if isinstance(self.client, ServiceClient):
            await self.client.__aenter__()
        else:
            await asyncio.to_thread(self.client.__enter__)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close it, by the name that it has there."""
        name = "aclose" if isinstance(self.client, ServiceClient) else "close"
        await self._run(name)

    async def get(self, path: str, **options: Any) -> Any:
        """Return what ``get`` does."""
        return await self._run("get", path, **options)

    async def post(self, path: str, **options: Any) -> Any:
        """Return what ``post`` does."""
        return await self._run("post", path, **options)

    async def request(self, method: str, path: str, **options: Any) -> Any:
        """Return what ``request`` does."""
        return await self._run("request", method, path, **options)

    async def send(self, method: str, path: str, **options: Any) -> Reply:
        """Return what ``send`` does."""
        reply = await self._run("send", method, path, **options)
        assert isinstance(reply, Reply)
        return reply

    async def verb(self, name: str, *args: Any, **options: Any) -> Any:
        """Return what the method called *name* does."""
        return await self._run(name, *args, **options)

    async def _run(self, name: str, *args: Any, **options: Any) -> Any:
        method = getattr(self.client, name)
        # So that a call that never ends fails its test.
        async with asyncio.timeout(60):
            if inspect.iscoroutinefunction(method):
                return await method(*args, **options)
            return await asyncio.to_thread(partial(method, *args, **options))
