"""Access tokens for tests.

Private: import these names from ``shared.testing``.
"""

from __future__ import annotations

import base64
import functools
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.auth import KeyRing, TokenPolicy, create_access_token

_POLICY: Final = TokenPolicy(issuer="https://issuer.test", audience="test")


@dataclass(frozen=True, slots=True)
class MintedToken:
    """A token, and what a service needs to read it: ``configure_auth(app, ...)``.

    Attributes:
        token: The compact form, without ``Bearer``.
        keys: The ring that signed it.
        policy: The policy under which it was made.
    """

    token: str
    keys: KeyRing
    policy: TokenPolicy

    @property
    def headers(self) -> dict[str, str]:
        """The header of a request with this token."""
        return {"Authorization": f"Bearer {self.token}"}

    def __str__(self) -> str:
        return self.token


def mint_token(
    subject: str = "user-1",
    *,
    roles: Iterable[str] = (),
    scopes: Iterable[str] = (),
    claims: Mapping[str, object] | None = None,
    expires_in: timedelta = timedelta(minutes=15),
    expired: bool = False,
    wrong_key: bool = False,
    keys: KeyRing | None = None,
    policy: TokenPolicy | None = None,
) -> MintedToken:
    """Return a token of *subject*, with what is needed to read it.

    Args:
        subject: The user's id.
        roles: The user's roles.
        scopes: What the token may be used for.
        claims: More claims.
        expires_in: How long it lives.
        expired: Make one that was good and has run out, by more than the leeway.
        wrong_key: Make one whose signature does not fit, as that of another key.
        keys: The ring that signs. When left out, one with a random secret, the same
            for all calls in this process.
        policy: What the token says of its issuer and audience, and whose clock counts.
    """
    keys = _default_keys() if keys is None else keys
    policy = _POLICY if policy is None else policy
    now = datetime.fromtimestamp(policy.moment(), UTC)
    if expired:
        now -= expires_in + policy.leeway + timedelta(seconds=1)
    token = create_access_token(
        subject,
        keys=keys,
        policy=policy,
        roles=roles,
        scopes=scopes,
        expires_in=expires_in,
        claims=claims,
        now=now,
    )
    return MintedToken(_tampered(token) if wrong_key else token, keys, policy)


@functools.cache
def _default_keys() -> KeyRing:
    # Random: a secret written here would open whatever was started with it by mistake.
    return KeyRing.from_secret(secrets.token_bytes(32), kid="test")


def _tampered(token: str) -> str:
    """Return *token* with another signature of the same length, whatever the key is."""
    signed, _, signature = token.rpartition(".")
    padding = "=" * (-len(signature) % 4)
    first, *rest = base64.urlsafe_b64decode(signature + padding)
    other = base64.urlsafe_b64encode(bytes([first ^ 1, *rest])).rstrip(b"=")
    return f"{signed}.{other.decode()}"
