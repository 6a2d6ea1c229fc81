"""Documents at any URL, such as the key set of an issuer.

Private: import these names from ``shared.http_client``.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from shared.errors import BaseAPIException
from shared.http_client._answers import error_of_fault
from shared.http_client._body import ACCEPT_ENCODING
from shared.http_client._faults import Fault
from shared.http_client._headers import checked_value
from shared.http_client._numbers import count
from shared.http_client._options import ClientLimits, ClientTimeouts
from shared.http_client._prepare import JSON_ONLY, timeouts_of
from shared.http_client._reply import Reply
from shared.http_client._transport import (
    HttpTransport,
    OutgoingRequest,
    Transport,
    mapped,
)
from shared.http_client._url import BaseUrl, join, parse_base_url
from shared.resilience import timeout as time_limit

# Asked for now and then: no connection is kept, so there is nothing to close.
_NO_POOL: Final = ClientLimits(max_connections=10, max_idle=0)


def document_fetcher(
    *,
    timeout: float | ClientTimeouts = 10.0,
    max_bytes: int = 256 * 1024,
    caller: str = "creativeflow",
    tls: ssl.SSLContext | None = None,
    proxy: str | None = None,
    transport: Transport | None = None,
) -> Callable[[str], Awaitable[Reply]]:
    """A function that gets a document, as ``fetch`` of ``shared.auth.JWKSClient``.

    ::

        keys = JWKSClient(config.security.jwks_url, fetch=document_fetcher())

    It returns the answer whatever its status, follows no redirect, and raises
    `ServiceUnavailableException`, `UpstreamException` (too large) or
    `DeadlineExceededError`, each with its cause; the URL must be http or https and have
    no credentials, else ``ValueError``. Nothing is retried: who asks does that.

    Args:
        timeout: Seconds for the whole, or `ClientTimeouts`.
        max_bytes: The most that is read, decompressed or not.
        caller: As in `ServiceClient`.
        tls: As in `ServiceClient`.
        proxy: As in `ServiceClient`.
        transport: As in `ServiceClient`.

    Raises:
        ValueError: A number is out of range.
    """
    count("max_bytes", max_bytes, least=1)
    timeouts = timeouts_of(timeout)
    agent = checked_value("User-Agent", caller)

    async def fetch(url: str) -> Reply:
        target, host = _target(url)
        request = OutgoingRequest(
            "GET",
            target,
            [
                ("host", host),
                ("accept", f"{JSON_ONLY}, */*;q=0.5"),
                ("accept-encoding", ACCEPT_ENCODING),
                ("user-agent", agent),
                ("connection", "close"),
            ],
            b"",
            timeouts,
            max_bytes,
        )
        own = None
        if transport is None:
            own = HttpTransport(_NO_POOL, tls=tls, proxy=proxy)
        send = own or mapped(transport)  # type: ignore[arg-type]
        failed: BaseAPIException
        try:
            async with time_limit(timeouts.total):
                return await send(request)
        except Fault as fault:
            failed = error_of_fault(fault, host)
            failed.__cause__ = fault
        finally:
            if own is not None:
                await own.aclose()
        raise failed

    return fetch


def _target(url: str) -> tuple[str, str]:
    """The URL as it is sent, and the field ``Host``."""
    text, _, query = url.partition("#")[0].partition("?")
    base = parse_base_url(text)
    path = base.path + "/" * (urlsplit(text).path.endswith("/") or not base.path)
    root = BaseUrl(base.scheme, base.netloc, "")
    if not query.isascii() or not query.isprintable() or " " in query:
        raise ValueError("The query of a URL must be printable ASCII.")
    return join(root, path, query), base.netloc
