"""Who calls: an API key, or a user of the portal. FastAPI reads the annotations."""

import ipaddress
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Security
from fastapi.security import HTTPBearer
from starlette.requests import HTTPConnection

from services.api_platform.keys._last_used import LastUsed
from services.api_platform.keys._scopes import Scope
from services.api_platform.keys._service import APIKeyService
from services.api_platform.models import APIClient
from shared.auth import TokenPayload
from shared.auth.dependencies import get_current_user, oauth2_scheme
from shared.database import Database
from shared.errors import AuthenticationException, PermissionDeniedException
from shared.logging import SecurityEvent, log_security_event

_log = logging.getLogger("api_platform.keys")

_PREFIX: Final = "cfk_"
_key_scheme = HTTPBearer(
    scheme_name="ApiKey",
    description="An API key: Authorization: Bearer cfk_live_...",
    auto_error=False,
)


class AddressNotAllowedException(PermissionDeniedException):
    """The key may not be used from the caller's address."""

    code = "address_not_allowed"
    detail = "This API key may not be used from your address."
    headers = {"WWW-Authenticate": 'Bearer error="access_denied"'}  # noqa: RUF012


class ScopeMissingException(PermissionDeniedException):
    """The API key lacks a permission that the operation needs."""

    code = "scope_missing"
    detail = "This API key lacks the permission."


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf a request is."""

    user_id: UUID
    client: APIClient | None
    """The key; None for a user of the portal, who may do everything with their own."""


@dataclass(frozen=True, slots=True)
class Access:
    """Dependencies that let callers in.

    Attributes:
        keys: Checks API keys.
        database: Where they are read.
        last_used: Is told of each use.
        now: The clock.
    """

    keys: APIKeyService
    database: Database
    last_used: LastUsed
    now: Callable[[], datetime]

    async def get_current_api_client(self, connection: HTTPConnection) -> APIClient:
        """The API key that the request brings.

        Raises:
            AuthenticationException: It brings none, or one that opens nothing.
            AddressNotAllowedException: Not from there.
        """
        secret = _bearer(connection)
        if secret is None or not secret.startswith(_PREFIX):
            raise AuthenticationException("An API key is needed.")
        # Closed before the work begins, which has a session of its own.
        async with self.database.session(read_only=True) as session:
            client = await self.keys.authenticate_api_key(session, secret)
        if client is None:
            _refused(connection, "unknown, revoked or expired")
            raise AuthenticationException(
                "The API key is not valid.",
                headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
            )
        if not _allowed_from(connection, client.allowed_ip_ranges):
            _refused(connection, "address", client.api_key)
            raise AddressNotAllowedException
        if self.keys.needs_rehash(client, secret):
            await self._rehash(client, secret)
        self.last_used.saw(client.id, self.now())
        return client

    async def _rehash(self, client: APIClient, secret: str) -> None:
        """Hash the secret with the newest pepper, if the database takes it now."""
        try:
            async with self.database.session() as session:
                await self.keys.rehash(session, client.id, secret)
        except Exception as error:  # the caller has shown a good key
            _log.warning(
                "The secret of %s keeps its old pepper until its next use: %s",
                client.api_key,
                type(error).__name__,
            )

    def require(self, *scopes: Scope) -> Callable[..., Coroutine[Any, Any, APIClient]]:
        """A dependency: an API key with all of *scopes*."""

        async def api_client(
            connection: HTTPConnection,
            _: Annotated[object, Security(_key_scheme, scopes=[*scopes])],
        ) -> APIClient:
            client = await self.get_current_api_client(connection)
            _check(client, scopes)
            return client

        return api_client

    def require_either(
        self, *scopes: Scope
    ) -> Callable[..., Coroutine[Any, Any, Caller]]:
        """A dependency: an API key with all of *scopes*, or a user's token."""

        # Asked for so that they are documented, one entry each: either will do.
        async def caller(
            connection: HTTPConnection,
            _key: Annotated[object, Security(_key_scheme, scopes=[*scopes])],
            _token: Annotated[object, Depends(oauth2_scheme)],
        ) -> Caller:
            secret = _bearer(connection)
            if secret is not None and secret.startswith(_PREFIX):
                client = await self.get_current_api_client(connection)
                _check(client, scopes)
                return Caller(client.user_id, client)
            return Caller(user_id_of(await get_current_user(connection)), None)

        return caller


async def current_user_id(
    user: Annotated[TokenPayload, Depends(get_current_user)],
) -> UUID:
    """The id of the user whose token the request brings."""
    return user_id_of(user)


def user_id_of(user: TokenPayload) -> UUID:
    """The id in a token's ``sub``.

    Raises:
        AuthenticationException: It is no UUID: a token of something else.
    """
    try:
        return UUID(user.sub)
    except ValueError:
        raise AuthenticationException(
            "The token is not a user's.",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        ) from None


def _bearer(connection: HTTPConnection) -> str | None:
    sent = connection.headers.getlist("authorization")
    if len(sent) != 1:  # of two, a proxy may have looked at the other one
        return None
    scheme, _, secret = sent[0].partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def _check(client: APIClient, scopes: tuple[Scope, ...]) -> None:
    missing = [str(scope) for scope in scopes if scope not in client.permissions]
    if missing:
        log_security_event(
            SecurityEvent.SCOPE_MISSING,
            outcome="denied",
            actor=str(client.user_id),
            target=client.api_key,
            reason=f"lacks {', '.join(missing)}",
        )
        wanted = " ".join(scopes)
        challenge = f'Bearer error="insufficient_scope", scope="{wanted}"'
        raise ScopeMissingException(
            f"This API key lacks {' '.join(missing)}.",
            headers={"WWW-Authenticate": challenge},
        )


def _allowed_from(connection: HTTPConnection, ranges: list[str]) -> bool:
    if not ranges:
        return True
    host = connection.client.host if connection.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # a Unix socket has none
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in ipaddress.ip_network(network) for network in ranges)


def _refused(
    connection: HTTPConnection, reason: str, target: str | None = None
) -> None:
    log_security_event(
        SecurityEvent.KEY_REFUSED,
        outcome="denied",
        target=target,
        reason=reason,
        address=connection.client.host if connection.client else None,
    )
