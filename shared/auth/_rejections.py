"""Why a token was refused: for the log, never for the client.

Private: import these names from ``shared.auth``.
"""

from __future__ import annotations

from shared.errors import AuthenticationException


class TokenRejected(Exception):
    """The ``__cause__`` of every refusal. Its text is ours and quotes no token."""


class UnknownKey(TokenRejected):
    """The token names a key that the ring does not hold; maybe a newer set does."""

    def __init__(self, kid: str) -> None:
        super().__init__("its kid is not in the key ring")
        self.kid = kid

    def __reduce__(self) -> tuple[type[UnknownKey], tuple[str]]:
        return (type(self), (self.kid,))


def invalid_token() -> AuthenticationException:
    """Return the one reply to every bad token (RFC 6750 section 3.1)."""
    return AuthenticationException(
        "Invalid token.",
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
    )
