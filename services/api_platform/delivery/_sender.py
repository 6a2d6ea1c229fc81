"""One attempt: signed, sent, and what came of it.

Private: import these names from ``services.api_platform.delivery``.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, TypeAlias
from uuid import UUID

from services.api_platform.delivery._codes import DeliveryError, error_of_status
from services.api_platform.delivery._options import Settings
from shared.crypto import InvalidKeyError, WebhookSigner
from shared.database.encryption import EncryptedValueError, SealedText
from shared.http_client import AddressNotPublicError, Fault, FaultKind, Reply
from shared.resilience import parse_retry_after

_log = logging.getLogger("api_platform.delivery")

USER_AGENT: Final = "CreativeFlow-Webhooks/1.0"

_ERRORS: Final = {
    FaultKind.NO_CONNECTION: DeliveryError.CONNECTION_FAILED,
    FaultKind.TIMED_OUT: DeliveryError.TIMED_OUT,
    FaultKind.BROKEN: DeliveryError.CONNECTION_BROKEN,
}
# The body of a success was none that we would read: of other answers these are not
# raised. Nobody wants that body, and the target has taken the event.
_TAKEN: Final = (FaultKind.TOO_LARGE, FaultKind.UNDECODABLE)


Limit: TypeAlias = Callable[[float], AbstractAsyncContextManager[object]]


class Transport(Protocol):
    """What sends; a `PublicTransport`."""

    async def post(self, url: str, body: bytes, *, headers: Mapping[str, str]) -> Reply:
        """Send *body*, and return whatever answer there is."""


@dataclass(frozen=True, slots=True)
class Target:
    """A webhook as it was when a delivery to it was leased."""

    webhook_id: UUID
    user_id: UUID
    url: str
    secret: SealedText
    previous_secret: SealedText | None
    previous_valid_until: datetime | None

    def signer(self, now: datetime) -> WebhookSigner:
        """What signs at *now*: within the grace of a rotation, with both secrets.

        Raises:
            EncryptedValueError: A secret can't be decrypted.
            InvalidKeyError: One is no key.
        """
        secrets = [self.secret.open(self.webhook_id)]
        until = self.previous_valid_until
        if self.previous_secret and until is not None and now < until:
            secrets.append(self.previous_secret.open(self.webhook_id))
        return WebhookSigner(*secrets)


@dataclass(frozen=True, slots=True)
class Leased:
    """A delivery that this worker has, until the lease ends."""

    delivery_id: UUID
    event_id: UUID
    event_type: str
    correlation_id: str | None
    body: bytes
    number: int
    """Of the attempt that is to be made."""
    token: UUID
    until: datetime
    target: Target

    @property
    def lease(self) -> tuple[UUID, UUID]:
        """What nobody else ever has: the delivery, and the token of this lease."""
        return self.delivery_id, self.token


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one try."""

    leased: Leased
    settings: Settings
    started_at: datetime
    ended_at: datetime
    seconds: float
    status: int | None = None
    error: DeliveryError | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int | None = None
    error: DeliveryError | None = None
    retry_after: str | None = None


class Sender:
    """Makes attempts.

    Args:
        transport: Sends.
        now: The clock.
        clock: Seconds, for measuring.
        limit: Raises a `TimeoutError` in what takes more seconds.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
        limit: Limit = asyncio.timeout,
    ) -> None:
        self._limit = limit
        self._transport = transport
        self._now = now
        self._clock = clock

    async def send(self, leased: Leased, settings: Settings) -> Attempt:
        """Try it once. Whatever goes wrong is in what is returned."""
        started_at, began = self._now(), self._clock()
        answer = await self._try(leased, settings, started_at)
        ended_at = self._now()
        asked = answer.retry_after
        wait = None if asked is None else parse_retry_after(asked, now=ended_at)
        return Attempt(
            leased,
            settings,
            started_at,
            ended_at,
            seconds=self._clock() - began,
            status=answer.status,
            error=answer.error,
            retry_after=wait,
        )

    async def _try(self, leased: Leased, settings: Settings, now: datetime) -> _Answer:
        target = leased.target
        try:
            signer = target.signer(now)
        except (EncryptedValueError, InvalidKeyError):
            _log.exception("No delivery to webhook %s is signed.", target.webhook_id)
            return _Answer(error=DeliveryError.SECRET_UNREADABLE)
        headers = {
            **signer.sign(str(leased.event_id), leased.body, now=now),
            "content-type": "application/json",
            "user-agent": USER_AGENT,
        }
        if leased.correlation_id is not None:
            headers["x-correlation-id"] = leased.correlation_id
        try:
            async with self._limit(settings.timeout):
                reply = await self._transport.post(
                    target.url, leased.body, headers=headers
                )
        except Exception as error:
            return _of_exception(error)
        found = error_of_status(reply.status_code)
        asked = reply.headers.get("retry-after") if found else None
        return _Answer(reply.status_code, found, asked)


def _of_exception(error: Exception) -> _Answer:
    match error:
        case AddressNotPublicError():
            return _Answer(error=DeliveryError.ADDRESS_NOT_ALLOWED)
        case Fault() if error.kind in _TAKEN:
            return _Answer()
        case Fault() if error.kind in _ERRORS:
            if any(isinstance(each, ssl.SSLError) for each in _causes(error)):
                return _Answer(error=DeliveryError.TLS_FAILED)
            return _Answer(error=_ERRORS[error.kind])
        case TimeoutError():
            return _Answer(error=DeliveryError.TIMED_OUT)
        case OSError():  # of the resolver: those of connections are faults
            return _Answer(error=DeliveryError.NAME_NOT_RESOLVED)
    _log.error("An attempt failed by a fault of ours.", exc_info=error)
    return _Answer(error=DeliveryError.INTERNAL_ERROR)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__ or at.__context__
