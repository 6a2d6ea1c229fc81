"""The keys and the policy that a service's settings ask for.

Private: used by ``shared.app`` only.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256

from shared.auth import KeyRing, TokenPolicy
from shared.auth.jwks import Fetch, FetchedDocument, JWKSClient
from shared.config import ServiceConfig
from shared.resilience import deadline_scope


def keys_from(
    config: ServiceConfig, fetch: Fetch | None
) -> KeyRing | JWKSClient | None:
    """The keys that *config* names: of an issuer elsewhere, or our own; or none.

    Args:
        config: The settings.
        fetch: Gets those of an issuer; else the kernel's own HTTP client does.
    """
    security = config.security
    if security.jwks_url is not None:
        return JWKSClient(
            security.jwks_url,
            fetch=_without_deadline(fetch or _own_fetch(config.service_name)),
            # The settings refuse http:// where it matters.
            allow_plain_http=security.jwks_url.startswith("http://"),
        )
    if security.secret_key is None:
        return None
    ring = _ring(security.secret_key.get_secret_value())
    others = [_ring(key.get_secret_value()) for key in security.previous_secret_keys]
    return ring.also_verifying(*(other for other in others if other.kids != ring.kids))


@asynccontextmanager
async def ending(keys: JWKSClient) -> AsyncIterator[JWKSClient]:
    """End the fetch that is under way when the service stops."""
    try:
        yield keys
    finally:
        await keys.aclose()


def policy_from(config: ServiceConfig) -> TokenPolicy:
    """What else a token must be, by *config*."""
    security = config.security
    return TokenPolicy(issuer=security.jwt_issuer, audience=security.jwt_audience)


def _own_fetch(caller: str) -> Fetch:
    # Here: it is a tenth of the start, and most services have a secret instead.
    from shared.http_client import document_fetcher

    return document_fetcher(caller=caller)


def _without_deadline(fetch: Fetch) -> Fetch:
    """*fetch*, however little time the request has that happens to begin it.

    All requests wait for the same one, and for a while none follows one that failed: a
    caller in a hurry would keep the keys from everybody.
    """

    async def unhurried(url: str) -> FetchedDocument:
        with deadline_scope(None):
            return await fetch(url)

    return unhurried


def _ring(secret: str) -> KeyRing:
    """A ring whose kid follows from the secret, so that all replicas agree on it.

    The kid stands in every token. It tells no more of the secret than the signature
    beside it does: both let one test a guess, of 256 random bits.
    """
    kid = sha256(b"creativeflow kid\0" + secret.encode()).hexdigest()[:16]
    return KeyRing.from_secret(secret, kid=kid)
