"""Access tokens: written and read under one policy.

Private: import these names from ``shared.auth``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Protocol
from uuid import uuid4

from pydantic import ValidationError

from shared.auth._keyring import KeyRing, open_token
from shared.auth._payload import SCOPE, TokenPayload
from shared.auth._policy import TokenPolicy
from shared.auth._rejections import TokenRejected, UnknownKey, invalid_token
from shared.auth._strict import MalformedError, load_object
from shared.errors import AuthenticationException

# model_validate without its wrapper, a third of its time.
_validate: Callable[[dict[str, object]], TokenPayload] = (
    TokenPayload.__pydantic_validator__.validate_python
)


class KeySource(Protocol):
    """Where keys come from when they change while the service runs."""

    async def ring(self, *, unknown_kid: str | None = None) -> KeyRing:
        """Return the keys of this moment.

        Args:
            unknown_kid: A token named this key and the last ring lacks it, so that the
                source may look for a newer set. It need not: the name may be made up.
        """
        ...


def create_access_token(
    sub: str,
    *,
    keys: KeyRing,
    policy: TokenPolicy,
    roles: Iterable[str] = (),
    scopes: Iterable[str] = (),
    expires_in: timedelta | None = timedelta(minutes=15),
    claims: Mapping[str, object] | None = None,
    now: datetime | None = None,
) -> str:
    """Return a signed token for *sub* that *policy* accepts from now until it expires.

    ``iss``, ``aud`` and ``typ`` are the policy's; ``iat`` and a random ``jti`` come in.

    Args:
        sub: The user's id.
        keys: Its first signing key signs.
        policy: The policy of those who will read the token.
        roles: The user's roles.
        scopes: What the token may be used for.
        expires_in: From now, in whole seconds. None, a token that never dies, needs a
            policy with ``allow_missing_expiry``.
        claims: More claims, JSON values. They can't replace one of the above.
        now: The time, where the policy's clock is not the one to ask.

    Raises:
        ValueError: The policy would refuse the token, it is too long, or a claim is
            not JSON.
        KeySetError: The ring holds no signing key.
    """
    several_scopes = _several("scopes", scopes)
    if not all(map(SCOPE.fullmatch, several_scopes)):
        raise ValueError("A scope must have neither spaces, quotes nor backslashes.")
    moment = policy.moment(now)
    issued_at = int(moment)
    expires_at = (
        None if expires_in is None else issued_at + int(expires_in.total_seconds())
    )
    standard = {
        "iss": policy.issuer,
        "aud": policy.audience,
        "sub": sub,
        "iat": issued_at,
        "exp": expires_at,
        "jti": uuid4().hex,
        "roles": _several("roles", roles) or None,
        "scope": " ".join(several_scopes) or None,
    }
    extra = dict(claims or {})
    if clash := extra.keys() & (TokenPayload.model_fields.keys()):
        raise ValueError(f"claims must not set {', '.join(sorted(clash))}.")
    present = {name: value for name, value in standard.items() if value is not None}
    try:
        raw = json.dumps(present | extra, separators=(",", ":")).encode()
        policy.check(read_payload(raw), typ=policy.typ, moment=moment)
    except (TypeError, RecursionError) as error:
        raise ValueError("A claim is not a JSON value.") from error
    except TokenRejected as error:
        raise ValueError(f"Nobody would accept this token: {error}.") from error
    return keys.sign(raw, typ=policy.typ)


def decode_access_token(
    token: str, *, keys: KeyRing, policy: TokenPolicy, now: datetime | None = None
) -> TokenPayload:
    """Return what *token* says, if a key of *keys* signed it and *policy* accepts it.

    Args:
        token: The compact form, without ``Bearer``.
        keys: The keys of the issuer.
        policy: What else must hold.
        now: The time, where the policy's clock is not the one to ask.

    Raises:
        AuthenticationException: It is refused; the ``TokenRejected`` that says why is
            its ``__cause__``.
    """
    moment = policy.moment(now)
    try:
        raw, typ = open_token(keys, token)
        payload = read_payload(raw)
        policy.check(payload, typ=typ, moment=moment)
    except TokenRejected as cause:
        raise invalid_token() from cause
    return payload


async def authenticate(
    token: str,
    *,
    keys: KeyRing | KeySource,
    policy: TokenPolicy,
    now: datetime | None = None,
) -> TokenPayload:
    """Do what ``decode_access_token`` does, with keys that may have to be fetched.

    A token that names a key the source does not hold yet is tried once more when the
    source has a newer set.
    """
    if isinstance(keys, KeyRing):
        return decode_access_token(token, keys=keys, policy=policy, now=now)
    ring = await keys.ring()
    try:
        return decode_access_token(token, keys=ring, policy=policy, now=now)
    except AuthenticationException as refusal:
        if not isinstance(refusal.__cause__, UnknownKey):
            raise
        newer = await keys.ring(unknown_kid=refusal.__cause__.kid)
        if newer is ring:
            raise
    return decode_access_token(token, keys=newer, policy=policy, now=now)


def read_payload(raw: bytes) -> TokenPayload:
    """Return the claims in *raw*, or raise ``TokenRejected``."""
    try:
        return _validate(load_object(raw))
    except MalformedError as error:
        raise TokenRejected(f"its payload: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        # from None: the error holds the claims.
        raise TokenRejected(f"its {first['loc'][0]}: {first['msg']}") from None


def _several(what: str, values: Iterable[str]) -> list[str]:
    if isinstance(values, str):
        raise ValueError(f"{what} must be several strings, not one.")
    return list(values)
