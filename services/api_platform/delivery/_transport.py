"""How requests get to targets that strangers chose.

Private: import these names from ``services.api_platform.delivery``.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from shared.http_client import (
    AddressNotPublicError,
    ClientLimits,
    ClientTimeouts,
    PublicTransport,
    Reply,
    Resolve,
)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# The caller's own limit is lower; an endpoint is not to be cut off by a step of it. But
# for the connection: a handshake that the caller breaks off leaves its socket open to
# the next garbage collection, and one that ends by its own time does not.
_LONGEST: Final = 75.0
# Less than servers keep what is idle, of which the shortest that are usual have 2 s.
_IDLE: Final = 1.0
_STEPS: Final = ClientTimeouts(
    connect=5.0, read=_LONGEST, write=_LONGEST, pool=_LONGEST, total=_LONGEST
)


class TargetTransport(PublicTransport):
    """Reaches https on the public internet, and networks that are allowed by name.

    Those may be called without TLS, too: for tests, and for receivers of our own. A
    connection serves what comes for the same name at once: a handshake costs more than
    a delivery.

    Args:
        allow: Networks that may be called although they are not public.
        concurrency: The most requests at a time.
        tls: Whom we trust; else the public certificate authorities.
        resolve: Finds addresses; else the system does, in threads of its own: whose
            name server never answers holds up nobody but others like it.
    """

    def __init__(
        self,
        *,
        allow: Iterable[Network] = (),
        concurrency: int = 100,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        networks = tuple(allow)
        self._threads: ThreadPoolExecutor | None = None
        self._concurrency = concurrency
        find = resolve or self._find
        limits = ClientLimits(max_connections=concurrency)
        super().__init__(
            allow=networks,
            timeouts=_STEPS,
            timeout=_LONGEST,
            tls=tls,
            resolve=find,
            limits=limits,
            idle_seconds=_IDLE,
        )
        # Without networks nothing may be called without TLS.
        self._plain: PublicTransport | None = None
        if networks:
            self._plain = PublicTransport(
                allow=networks,
                schemes=("http",),
                timeouts=_STEPS,
                timeout=_LONGEST,
                resolve=_within(networks, find),
                limits=limits,
                idle_seconds=_IDLE,
            )

    async def post(self, url: str, body: bytes, *, headers: Mapping[str, str]) -> Reply:
        """See `PublicTransport.post`."""
        if self._plain and _is_plain(url):
            return await self._plain.post(url, body, headers=headers)
        return await super().post(url, body, headers=headers)

    async def check(self, url: str) -> None:
        """See `PublicTransport.check`."""
        if self._plain and _is_plain(url):
            await self._plain.check(url)
        else:
            await super().check(url)

    async def aclose(self) -> None:
        """Close what is open."""
        if self._plain:
            await self._plain.aclose()
        await super().aclose()
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)

    async def _find(self, host: str, port: int) -> list[str]:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(
                min(32, self._concurrency), thread_name_prefix="webhook-names"
            )
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _addresses, host, port)


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label that no name may have
        raise OSError("The name is none.") from error
    return [str(entry[4][0]) for entry in found]


def _is_plain(url: str) -> bool:
    return url[:7].lower() == "http://"


def _within(networks: tuple[Network, ...], find: Resolve) -> Resolve:
    """*find*, which finds nothing outside of *networks*."""

    async def resolve(host: str, port: int) -> Iterable[str]:
        addresses = list(await find(host, port))
        if not all(_is_in(networks, address) for address in addresses):
            raise AddressNotPublicError("The URL must be https://host.")
        return addresses

    return resolve


def _is_in(networks: tuple[Network, ...], text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    return any(
        address in network for network in networks if network.version == address.version
    )
