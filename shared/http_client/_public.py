"""Requests to URLs that strangers gave, which never reach what is not public.

::

    send = PublicTransport()
    reply = await send.post(url, body, headers={"content-type": "application/json"})

A URL that somebody registered may name a server of ours, or a name that does so from
tomorrow on (server-side request forgery, CWE-918). So the name is resolved once, every
address that it has must be public, and the connection goes to the address that was
looked at. A certificate is still that of the name. Redirects are not followed: they
are an answer like any other.

Private: import these names from ``shared.http_client``.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from shared.http_client._kept import KeptConnections
from shared.http_client._options import ClientLimits, ClientTimeouts
from shared.http_client._reply import Reply
from shared.http_client._transport import HttpTransport, OutgoingRequest

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

Resolve: TypeAlias = Callable[[str, int], Awaitable[Iterable[str]]]
"""Given a name and a port, its addresses; raises an OSError if there are none."""

_PORTS: Final = {"http": 80, "https": 443}
_LONGEST: Final = 2048

# Addresses that are IPv4 in disguise (RFC 6052, RFC 8215); 6to4 and IPv4-mapped ones
# are known to the standard library.
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAT64: Final = ipaddress.IPv6Network("64:ff9b:1::/48")


class AddressNotPublicError(ValueError):
    """A URL leads to what is not public, or is none that may be called at all.

    The message says which rule, and repeats neither the URL nor an address: it may be
    shown to whoever gave the URL, who must not learn how our network looks.
    """


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet's, by the IANA registries."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _LOCAL_NAT64 or address.teredo:
            return False
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified
    )


class PublicTransport:
    """Sends single requests to public addresses.

    Each is on a connection of its own, or on one that was made for the same name and to
    the address that the name has now.

    Args:
        allow: Networks that may be called although they are not public: for tests, and
            for servers of ours that are meant.
        schemes: What a URL may begin with.
        timeouts: Of the steps; `timeout` below is of the whole.
        timeout: Seconds for all of it, resolving included.
        max_response_bytes: Of an answer.
        tls: Whom we trust; else the public certificate authorities.
        resolve: Finds addresses; else the system does.
        limits: Of connections.
        idle_seconds: How long a connection stays open for the next request; 0: not at
            all. A request that finds it broken is sent again, once, on a new one: a
            target that closes what is idle may get it twice.
    """

    def __init__(
        self,
        *,
        allow: Iterable[Network] = (),
        schemes: Iterable[str] = ("https",),
        timeouts: ClientTimeouts | None = None,
        timeout: float = 15.0,
        max_response_bytes: int = 64 * 1024,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve | None = None,
        limits: ClientLimits | None = None,
        idle_seconds: float = 0.0,
    ) -> None:
        self._allow = tuple(allow)
        self._schemes = frozenset(schemes)
        self._timeouts = timeouts or ClientTimeouts()
        self._timeout = timeout
        self._max = max_response_bytes
        self._resolve = resolve or _resolve
        most = (limits or ClientLimits()).max_connections
        # None is kept: a pool knows connections by address, and could hand one that
        # was made for another name's certificate.
        self._transport = HttpTransport(
            ClientLimits(max_connections=most, max_idle=0), tls=tls, proxy=None
        )
        self._kept: KeptConnections | None = None
        if idle_seconds:
            self._kept = KeptConnections(
                self._transport,
                seconds=idle_seconds,
                max_connections=most,
                tls=tls,
            )

    async def post(self, url: str, body: bytes, *, headers: Mapping[str, str]) -> Reply:
        """Send *body*, and return whatever answer there is.

        Raises:
            AddressNotPublicError: The URL leads elsewhere than to the public internet.
            Fault: There is no answer that could be read.
            TimeoutError: It took too long.
        """
        async with asyncio.timeout(self._timeout):
            request = await self._aimed("POST", url, body, headers)
            return await (self._kept or self._transport)(request)

    async def check(self, url: str) -> None:
        """Look whether *url* could be called now, for whoever registers it.

        Raises:
            AddressNotPublicError: No.
            OSError: The name has no address.
            TimeoutError: The name server did not answer.
        """
        async with asyncio.timeout(self._timeout):
            await self._aimed("POST", url, b"", {})

    async def aclose(self) -> None:
        """Close what is open."""
        if self._kept is not None:
            await self._kept.aclose()
        await self._transport.aclose()

    async def _aimed(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> OutgoingRequest:
        scheme, host, port, rest = self._split(url)
        address = await self._address_of(host, port)
        literal = f"[{address}]" if address.version == 6 else str(address)
        name = f"[{host}]" if ":" in host else host
        own = "" if port == _PORTS[scheme] else f":{port}"
        fields = [
            (key, value) for key, value in headers.items() if key.lower() != "host"
        ]
        fields += [("host", f"{name}{own}"), ("content-length", str(len(body)))]
        return OutgoingRequest(
            method,
            f"{scheme}://{literal}:{port}{rest}",
            fields,
            body,
            self._timeouts,
            self._max,
            server_name=host,
        )

    def _split(self, url: str) -> tuple[str, str, int, str]:
        if len(url) > _LONGEST or not url.isascii() or not url.isprintable():
            raise AddressNotPublicError(
                f"The URL must be ASCII, of at most {_LONGEST} characters."
            )
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port, parts = None, None, urlsplit("")
        if parts.scheme not in self._schemes or not host:
            wanted = " or ".join(sorted(f"{scheme}://host" for scheme in self._schemes))
            raise AddressNotPublicError(f"The URL must be {wanted}.")
        if "@" in parts.netloc or "\\" in url or " " in url:
            raise AddressNotPublicError(
                "The URL must have no user name, password, space or backslash."
            )
        path = parts.path or "/"
        rest = f"{path}?{parts.query}" if parts.query else path
        default = _PORTS[parts.scheme]
        return parts.scheme, host, default if port is None else port, rest

    async def _address_of(self, host: str, port: int) -> Address:
        found = [
            ipaddress.ip_address(text.partition("%")[0])
            for text in await self._resolve(host, port)
        ]
        if not found:
            raise OSError("The name has no address.")
        # All: of a name with a public and a private one, nobody knows which is meant.
        if not all(map(self._may_be_called, found)):
            raise AddressNotPublicError(
                "The URL must lead to the public internet: one of its addresses does "
                "not."
            )
        return found[0]

    def _may_be_called(self, address: Address) -> bool:
        return is_public(address) or any(
            address in network
            for network in self._allow
            if network.version == address.version
        )


async def _resolve(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    entries = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in entries]
