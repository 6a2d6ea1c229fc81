"""Which properly signed tokens are good enough.

Private: import ``TokenPolicy`` from ``shared.auth``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import time

from shared.auth._payload import TokenPayload
from shared.auth._rejections import TokenRejected

MAX_LEEWAY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPolicy:
    """What a token must say to be accepted, and what a new one is made to say.

    Strict: a token that names an issuer, audience or type the policy does not is
    refused, as is one that lacks what the policy names. Each ``allow_`` loosens one
    rule and can be found in a review by its name.

    Args:
        issuer: The only ``iss``.
        audience: This service. It must be the ``aud`` or one of them.
        typ: The header's type (RFC 8725 section 3.11): ``JWT``, or ``at+jwt`` where the
            issuer follows RFC 9068. None: the token must not have one.
        leeway: How far clocks may differ, at most ten minutes.
        max_lifetime: The longest time from ``iat`` to ``exp``. Both become required.
        now: The clock, an aware datetime. None: the machine's.
        allow_missing_expiry: Accept a token that never dies.
        allow_any_issuer: Don't look at ``iss``.
        allow_any_audience: Don't look at ``aud``.
        allow_any_type: Don't look at ``typ``.

    Raises:
        ValueError: The policy contradicts itself.
    """

    issuer: str | None = None
    audience: str | None = None
    typ: str | None = "JWT"
    leeway: timedelta = timedelta()
    max_lifetime: timedelta | None = None
    now: Callable[[], datetime] | None = None
    allow_missing_expiry: bool = False
    allow_any_issuer: bool = False
    allow_any_audience: bool = False
    allow_any_type: bool = False

    def __post_init__(self) -> None:
        if not timedelta() <= self.leeway <= MAX_LEEWAY:
            raise ValueError("leeway must be from zero to ten minutes.")
        if "" in (self.issuer, self.audience, self.typ):
            raise ValueError("issuer, audience and typ must not be empty.")
        if self.allow_any_issuer and self.issuer is not None:
            raise ValueError("allow_any_issuer contradicts issuer.")
        if self.allow_any_audience and self.audience is not None:
            raise ValueError("allow_any_audience contradicts audience.")
        if self.max_lifetime is not None:
            if self.max_lifetime <= timedelta():
                raise ValueError("max_lifetime must be positive.")
            if self.allow_missing_expiry:
                raise ValueError("allow_missing_expiry contradicts max_lifetime.")

    def moment(self, now: datetime | None = None) -> float:
        """Return *now*, or else the clock's time, in seconds since 1970.

        Raises:
            ValueError: It has no zone, so it could mean any of 24 moments.
        """
        if now is None:
            if self.now is None:
                return time()
            now = self.now()
        if now.utcoffset() is None:
            raise ValueError("now must be an aware datetime.")
        return now.timestamp()

    def check(self, payload: TokenPayload, *, typ: str | None, moment: float) -> None:
        """Raise ``TokenRejected`` unless *payload* is good at *moment*."""
        if typ != self.typ and not self.allow_any_type:
            self._check_type(typ)
        if payload.iss != self.issuer and not self.allow_any_issuer:
            raise TokenRejected("its issuer is not the expected one")
        if (
            payload.aud != self.audience
            and not (isinstance(payload.aud, list) and self.audience in payload.aud)
            and not self.allow_any_audience
        ):
            raise TokenRejected("it is not meant for this audience")
        leeway = self.leeway.total_seconds()
        exp, nbf, iat = payload.exp, payload.nbf, payload.iat
        if exp is None:
            if not self.allow_missing_expiry:
                raise TokenRejected("it has no expiry")
        elif moment >= exp + leeway:
            raise TokenRejected("it has expired")
        if nbf is not None and nbf > moment + leeway:
            raise TokenRejected("it is not valid yet")
        if iat is not None and iat > moment + leeway:
            raise TokenRejected("it was issued in the future")
        if exp is not None and (
            (nbf is not None and exp <= nbf) or (iat is not None and exp <= iat)
        ):
            raise TokenRejected("it expires before it begins")
        if self.max_lifetime is not None and exp is not None:
            if iat is None:
                raise TokenRejected("it does not say when it was issued")
            if exp - iat > self.max_lifetime.total_seconds():
                raise TokenRejected("it lives too long")

    def _check_type(self, typ: str | None) -> None:
        """Compare as RFC 7515 section 4.1.9: no case, ``application/`` optional."""
        if self.typ is None or typ is None or _media(typ) != _media(self.typ):
            raise TokenRejected("its typ is not the expected one")


def _media(typ: str) -> str:
    return typ.lower().removeprefix("application/")
