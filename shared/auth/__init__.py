"""Access tokens: strict key rings, a policy, and the claims that come out."""

from shared.auth._jwk import KeySetError
from shared.auth._keyring import MAX_TOKEN_LENGTH, KeyRing
from shared.auth._payload import TokenPayload
from shared.auth._policy import MAX_LEEWAY, TokenPolicy
from shared.auth._rejections import TokenRejected, UnknownKey
from shared.auth._tokens import (
    KeySource,
    authenticate,
    create_access_token,
    decode_access_token,
)

__all__ = [
    "MAX_LEEWAY",
    "MAX_TOKEN_LENGTH",
    "KeyRing",
    "KeySetError",
    "KeySource",
    "TokenPayload",
    "TokenPolicy",
    "TokenRejected",
    "UnknownKey",
    "authenticate",
    "create_access_token",
    "decode_access_token",
]
