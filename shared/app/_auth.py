"""The keys and the policy that a service's settings ask for.

Private: used by ``shared.app`` only.
"""

from __future__ import annotations

from hashlib import sha256

from shared.auth import KeyRing, KeySource, TokenPolicy
from shared.auth.jwks import Fetch, JWKSClient
from shared.config import ServiceConfig


def keys_from(config: ServiceConfig, fetch: Fetch | None) -> KeyRing | KeySource | None:
    """The keys that *config* names: of an issuer elsewhere, or our own; or none.

    Raises:
        ValueError: The keys would have to be fetched, and nothing does that.
    """
    security = config.security
    if security.jwks_url is not None:
        if fetch is None:
            raise ValueError(
                "JWKS_URL is set, so create_service needs jwks_fetch=, which gets it: "
                "the get of an HTTP client."
            )
        return JWKSClient(
            security.jwks_url,
            fetch=fetch,
            # The settings refuse http:// where it matters.
            allow_plain_http=security.jwks_url.startswith("http://"),
        )
    if security.secret_key is None:
        return None
    ring = _ring(security.secret_key.get_secret_value())
    others = [_ring(key.get_secret_value()) for key in security.previous_secret_keys]
    return ring.also_verifying(*(other for other in others if other.kids != ring.kids))


def policy_from(config: ServiceConfig) -> TokenPolicy:
    """What else a token must be, by *config*."""
    security = config.security
    return TokenPolicy(issuer=security.jwt_issuer, audience=security.jwt_audience)


def _ring(secret: str) -> KeyRing:
    """A ring whose kid follows from the secret, so that all replicas agree on it.

    The kid stands in every token. It tells no more of the secret than the signature
    beside it does: both let one test a guess, of 256 random bits.
    """
    kid = sha256(b"creativeflow kid\0" + secret.encode()).hexdigest()[:16]
    return KeyRing.from_secret(secret, kid=kid)
