"""Webhooks signed and verified by Standard Webhooks 1.0.

What is signed is ``<id>.<timestamp>.<body>``; the header may bring several signatures,
so that either side can change its keys at its own time.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

Private: import these names from ``shared.crypto``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, NoReturn, final

from shared.crypto._errors import (
    InvalidKeyError,
    RefusedWebhookError,
    WebhookVerificationError,
)
from shared.crypto._utf8 import utf8
from shared.crypto._webhook_keys import checking_key, signing_key

_ID, _TIMESTAMP, _SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_SIGNATURES = 16  # each costs a verification; nobody rotates through more

# Visible ASCII but a full stop: with one, an id could pass for an id and a timestamp.
_MESSAGE_ID = re.compile(r"[!-\-/-~]{1,255}", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,11}", re.ASCII)  # to the year 5138


class VerifiedWebhook(NamedTuple):
    """What is known of a webhook besides its body. Handle each *message_id* once."""

    message_id: str
    sent_at: datetime
    """When this attempt was signed; the message itself may be older."""


@final
class WebhookSigner:
    """Signs with every key it has.

    Args:
        keys: ``whsec_`` secrets and ``whsk_`` private keys: the current ones, and
            during a rotation the old ones behind them.

    Raises:
        InvalidKeyError: There is no key, or one is malformed.
    """

    __slots__ = ("_keys",)

    def __init__(self, *keys: str) -> None:
        if not keys:
            raise InvalidKeyError("A webhook signer needs at least one key.")
        self._keys = [
            signing_key(key, place=f"Webhook key {number} of {len(keys)}")
            for number, key in enumerate(keys, start=1)
        ]

    def sign(
        self, message_id: str, body: bytes | str, *, now: datetime | None = None
    ) -> dict[str, str]:
        """Return the three headers to send with *body*, which must go out as it is.

        Args:
            message_id: The same for each attempt to deliver a message.
            body: What will be sent, byte for byte.
            now: The time of this attempt, with a zone.

        Raises:
            ValueError: *message_id* is not 1 to 255 visible ASCII characters without a
                full stop, *now* has no zone, or *body* is text UTF-8 can't hold.
        """
        if not _MESSAGE_ID.fullmatch(message_id):
            raise ValueError(
                "message_id must be 1 to 255 visible ASCII characters without a full "
                f"stop (got {message_id!r})."
            )
        timestamp = str((_moment(now) - _EPOCH) // timedelta(seconds=1))
        content = _content(message_id, timestamp, body)
        return {
            _ID: message_id,
            _TIMESTAMP: timestamp,
            _SIGNATURE: " ".join(key.sign(content) for key in self._keys),
        }

    def __repr__(self) -> str:
        return f"WebhookSigner(<{len(self._keys)} keys>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A WebhookSigner does not pickle: its keys would leave with it."
        )


@final
class WebhookVerifier:
    """Accepts what any of its keys signed.

    Args:
        keys: ``whsec_`` secrets and ``whpk_`` public keys.
        tolerance: How far the sender's clock, and the way here, may be off in either
            direction.

    Raises:
        InvalidKeyError: There is no key, or one is malformed.
        ValueError: The tolerance is not positive.
    """

    __slots__ = ("_keys", "_tolerance")

    def __init__(self, *keys: str, tolerance: timedelta = timedelta(minutes=5)) -> None:
        if not keys:
            raise InvalidKeyError("A webhook verifier needs at least one key.")
        if tolerance <= timedelta():
            raise ValueError(f"tolerance must be positive (got {tolerance}).")
        self._keys = [
            checking_key(key, place=f"Webhook key {number} of {len(keys)}")
            for number, key in enumerate(keys, start=1)
        ]
        self._tolerance = tolerance

    def verify(
        self,
        headers: Mapping[str, str],
        body: bytes | str,
        *,
        now: datetime | None = None,
    ) -> VerifiedWebhook:
        """Return whose message *body* is, if one of the keys signed it just now.

        Args:
            headers: All headers of the request; their names may be in any case.
            body: What came, before anything parsed it.
            now: The time, with a zone.

        Raises:
            WebhookVerificationError: It is not to be believed.
        """
        moment = _moment(now)
        try:
            return self._verify(headers, body, moment)
        except RefusedWebhookError as cause:
            raise WebhookVerificationError from cause

    def _verify(
        self, headers: Mapping[str, str], body: bytes | str, now: datetime
    ) -> VerifiedWebhook:
        message_id = _header(headers, _ID)
        timestamp = _header(headers, _TIMESTAMP)
        signatures = _header(headers, _SIGNATURE).split()
        if not _MESSAGE_ID.fullmatch(message_id):
            raise RefusedWebhookError("its id is no visible ASCII without a full stop")
        if not _SECONDS.fullmatch(timestamp):
            raise RefusedWebhookError("its timestamp is no number of seconds")
        sent_at = _EPOCH + timedelta(seconds=int(timestamp))
        if now - sent_at > self._tolerance:
            raise RefusedWebhookError("it is too old, or a clock is wrong")
        if sent_at - now > self._tolerance:
            raise RefusedWebhookError("it is from the future, or a clock is wrong")
        if len(signatures) > _MAX_SIGNATURES:
            raise RefusedWebhookError(f"it has more than {_MAX_SIGNATURES} signatures")
        content = _content(message_id, timestamp, body)
        if not any(key.fits(signatures, content) for key in self._keys):
            raise RefusedWebhookError("none of its signatures is from a key we know")
        return VerifiedWebhook(message_id, sent_at)

    def __repr__(self) -> str:
        return f"WebhookVerifier(<{len(self._keys)} keys>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A WebhookVerifier does not pickle: its keys would leave with it."
        )


def _header(headers: Mapping[str, str], name: str) -> str:
    # items() of Starlette's headers has a repeated one as often as it came.
    values = [value for key, value in headers.items() if key.lower() == name]
    if len(values) != 1:
        raise RefusedWebhookError(
            f"it has no {name} header" if not values else f"it has two {name} headers"
        )
    return values[0]


def _content(message_id: str, timestamp: str, body: bytes | str) -> bytes:
    data = utf8(body, "body of the webhook") if isinstance(body, str) else body
    return f"{message_id}.{timestamp}.".encode("ascii") + data


def _moment(now: datetime | None) -> datetime:
    if now is None:
        return datetime.now(UTC)
    if now.tzinfo is None:
        raise ValueError("now must have a time zone, such as datetime.now(UTC).")
    return now
