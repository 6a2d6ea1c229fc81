"""The life of an API key, from the secret that is shown once to its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.audit import log_when_committed
from services.api_platform.keys._repository import APIClientRepository
from services.api_platform.keys._revocation import revoke
from services.api_platform.keys._schemas import APIKeyCreateDTO
from services.api_platform.models import APIClient
from services.api_platform.users import lock_user
from shared.crypto import (
    API_KEY_FORMAT,
    InvalidApiKeyError,
    PepperRing,
    api_secret_needs_rehash,
    generate_api_key_and_secret,
    hash_api_secret,
    verify_api_secret,
)
from shared.errors import ConflictException, ValidationException
from shared.events import (
    ApiKeyCreatedEvent,
    ApiKeyCreatedPayload,
    ApiKeyLeakedEvent,
    ApiKeyLeakedPayload,
    ApiKeyRotatedEvent,
    ApiKeyRotatedPayload,
)
from shared.logging import SecurityEvent
from shared.messaging.outbox import Outbox

MOST_KEYS: Final = 100
"""Of a user, that are good: each has quotas of its own."""


class KeyRevokedException(ConflictException):
    """The key was revoked, which is for good: make a new one."""

    code = "api_key_revoked"
    detail = "This API key is revoked."


class KeyLimitException(ConflictException):
    """The user has as many keys as there may be: revoke one first."""

    code = "api_key_limit"
    detail = f"There may be {MOST_KEYS} API keys that are neither revoked nor expired."


@dataclass(frozen=True, slots=True)
class APIKeyService:
    """Use cases of keys. Each change and its event are of the caller's transaction.

    Attributes:
        peppers: Hash the secrets.
        outbox: Takes the events.
        now: The clock.
    """

    peppers: PepperRing
    outbox: Outbox
    now: Callable[[], datetime]

    async def create_new_api_key(
        self, db: AsyncSession, user_id: UUID, key: APIKeyCreateDTO
    ) -> tuple[APIClient, str]:
        """Make a key, and return it with the text that its owner sends.

        Raises:
            ValidationException: It would have expired already.
            AuthenticationException: The user was deleted.
            KeyLimitException: The user has too many.
        """
        now = self.now()
        if key.expires_at is not None and key.expires_at <= now:
            raise ValidationException(
                [
                    {
                        "pointer": "/expires_at",
                        "code": "in_the_past",
                        "detail": "A key must expire in the future.",
                    }
                ]
            )
        keys = APIClientRepository(db)
        await lock_user(db, user_id)
        if await keys.count_good(user_id, now=now) >= MOST_KEYS:
            raise KeyLimitException
        made = generate_api_key_and_secret(key.environment)
        client = APIClient(
            user_id=user_id,
            name=key.name,
            api_key=made.api_key,
            environment=key.environment,
            secret_hash=hash_api_secret(made.secret, peppers=self.peppers),
            permissions=[str(scope) for scope in dict.fromkeys(key.permissions)],
            allowed_ip_ranges=list(key.allowed_ip_ranges),
            expires_at=key.expires_at,
            created_at=now,
            updated_at=now,
        )
        await keys.create_api_client(client)
        payload = ApiKeyCreatedPayload(
            api_key_id=client.id,
            user_id=user_id,
            name=client.name,
            key_prefix=prefix_of(client),
            permissions=tuple(client.permissions),
            expires_at=client.expires_at,
        )
        self.outbox.add(db, ApiKeyCreatedEvent(payload=payload))
        _log(db, SecurityEvent.KEY_CREATED, client)
        return client, made.secret

    async def rotate_api_key(
        self, db: AsyncSession, user_id: UUID, key_id: UUID, grace: timedelta
    ) -> tuple[APIClient, str]:
        """Give a key a new secret; the one before it is good for *grace* more.

        A second rotation within the grace period ends the oldest secret: no key has
        three.

        Raises:
            NotFoundError: The user has no such key.
            KeyRevokedException: It is revoked or expired.
        """
        now = self.now()
        keys = APIClientRepository(db)
        client = await keys.of_user(user_id, key_id, for_update=True)
        if not client.is_good(now):
            raise KeyRevokedException
        made = API_KEY_FORMAT.generate(client.environment, key_id=client.api_key)
        until = now + grace if grace else None
        await keys.update(
            client,
            {
                "previous_secret_hash": client.secret_hash if until else None,
                "previous_valid_until": until,
                "secret_hash": hash_api_secret(made.secret, peppers=self.peppers),
                "updated_at": now,
            },
        )
        payload = ApiKeyRotatedPayload(
            api_key_id=client.id,
            user_id=user_id,
            name=client.name,
            key_prefix=prefix_of(client),
            previous_valid_until=until,
        )
        self.outbox.add(db, ApiKeyRotatedEvent(payload=payload))
        _log(db, SecurityEvent.KEY_ROTATED, client)
        return client, made.secret

    async def revoke_api_key(
        self, db: AsyncSession, user_id: UUID, api_key_id: UUID
    ) -> APIClient:
        """Switch a key off for good. One that is off stays so, without another event.

        Raises:
            NotFoundError: The user has no such key.
        """
        keys = APIClientRepository(db)
        client = await keys.of_user(user_id, api_key_id, for_update=True)
        if client.is_active:
            await revoke(db, client, by="user", outbox=self.outbox, now=self.now())
        return client

    async def report_leak(
        self, db: AsyncSession, secret: str, *, found_url: str | None
    ) -> APIClient | None:
        """Revoke the key that *secret* opens, and tell its owner by an event.

        A report that comes again finds it revoked, and changes nothing.

        Returns:
            The key; None if the secret opens none, so that nothing leaked.
        """
        client = await self._find(db, secret, for_update=True)
        if client is None or not client.is_active:
            return client
        payload = ApiKeyLeakedPayload(
            api_key_id=client.id,
            user_id=client.user_id,
            name=client.name,
            found_by="secret_scanning",
            found_url=found_url,
            revoked=True,
        )
        self.outbox.add(db, ApiKeyLeakedEvent(payload=payload))
        await revoke(
            db,
            client,
            by="system",
            reason="The secret was found.",
            outbox=self.outbox,
            now=self.now(),
        )
        return client

    async def authenticate_api_key(
        self, db: AsyncSession, api_key: str
    ) -> APIClient | None:
        """The key that *api_key* opens now; None if it opens none.

        A mistyped one is refused without a look at the database; any other costs one
        read of an index.
        """
        client = await self._find(db, api_key)
        return client if client is not None and client.is_good(self.now()) else None

    def needs_rehash(self, client: APIClient, secret: str) -> bool:
        """Whether *secret* is the key's latest, and hashed with an old pepper.

        The one before it is not hashed anew: it ends with its grace.
        """
        old = api_secret_needs_rehash(client.secret_hash, peppers=self.peppers)
        return old and self._opens(client.secret_hash, secret)

    async def rehash(self, db: AsyncSession, key_id: UUID, secret: str) -> None:
        """Hash the secret that was just used with the newest pepper."""
        keys = APIClientRepository(db)
        client = await keys.get_for_update(key_id)
        # Between the check and now it may have been rotated, or hashed by another.
        if self.needs_rehash(client, secret):
            fresh = hash_api_secret(secret, peppers=self.peppers)
            await keys.update(client, {"secret_hash": fresh})

    async def _find(
        self, db: AsyncSession, secret: str, *, for_update: bool = False
    ) -> APIClient | None:
        try:
            said = API_KEY_FORMAT.parse(secret)
        except InvalidApiKeyError:
            return None
        keys = APIClientRepository(db)
        client = await keys.get_by_api_key(said.key_id)
        if client is None or said.environment != client.environment:
            return None
        if for_update:
            client = await keys.get_for_update(client.id)
        if self._opens(client.secret_hash, secret):
            return client
        old = client.previous_secret_hash
        until = client.previous_valid_until
        # A revoked key has the one that was good when it was revoked.
        known = not client.is_active or (until is not None and self.now() < until)
        return client if known and old and self._opens(old, secret) else None

    def _opens(self, stored: str, secret: str) -> bool:
        return verify_api_secret(secret, stored, peppers=self.peppers)


def prefix_of(client: APIClient) -> str:
    """What of a key may be shown: ``cfk_live_3kT9``."""
    return f"cfk_{client.environment}_{client.api_key[:4]}"


def _log(db: AsyncSession, event: SecurityEvent, client: APIClient) -> None:
    log_when_committed(db, event, actor=str(client.user_id), target=client.api_key)
