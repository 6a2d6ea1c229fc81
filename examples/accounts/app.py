"""Accounts on the kernel: register, log in, profile, admin list.

`bootstrap` builds the service and everything in it; nothing happens at import.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, status
from fastapi.security import OAuth2PasswordRequestForm
from sqlalchemy.ext.asyncio import AsyncSession

from examples.accounts._settings import Settings
from examples.accounts._users import User, UserRepository, outbox_events
from shared.app import Service, create_service
from shared.app.database import add_database
from shared.app.messaging import add_event_bus, add_outbox
from shared.auth import KeyRing, TokenPayload, TokenPolicy, create_access_token
from shared.auth.dependencies import get_current_user, require_role
from shared.crypto import hash_password, verify_password
from shared.database import Base, Database
from shared.database.dependencies import get_db_dependency
from shared.dtos.common import Page, PageQuery
from shared.dtos.user import (
    TokenResponseDTO,
    UserCreateDTO,
    UserResponseDTO,
    UserUpdateDTO,
)
from shared.errors import (
    AuthenticationException,
    BadRequestException,
    ConflictException,
    NotFoundException,
    PermissionDeniedException,
    RateLimitExceededException,
    ValidationException,
    responses_for,
)
from shared.events import UserRegisteredEvent, UserRegisteredPayload
from shared.logging import SecurityEvent, log_event, log_security_event
from shared.messaging import EventBus
from shared.messaging.outbox import Outbox
from shared.rate_limit import InMemoryRateLimiter, RateLimitPolicy
from shared.rate_limit.dependencies import (
    client_address,
    configure_rate_limits,
    rate_limit,
)

ADMIN_EMAIL = "admin@example.com"
LOG_INS = RateLimitPolicy("log-in", limit=10, window=60)

Clock = Callable[[], datetime]
CurrentUser = Annotated[TokenPayload, Depends(get_current_user)]

_log = logging.getLogger("accounts")


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


def bootstrap(
    config: Settings, *, bus: EventBus | None = None, now: Clock = utc_now
) -> Service:
    """Build the service.

    Args:
        config: What the start decides.
        bus: Takes the events; else the one of the settings, in this process without
            ``RABBITMQ_URL``.
        now: The clock, of the accounts and of the tokens.
    """
    secret = config.security.secret_key
    keys = KeyRing.from_secret(
        secret.get_secret_value() if secret else secrets.token_urlsafe(48)
    )
    policy = TokenPolicy(issuer="accounts", audience="accounts", now=now)
    service = create_service(
        "accounts",
        config,
        description="Register, log in, profile, admin-only list.",
        keys=keys,
        policy=policy,
    )
    if secret is None:
        _log.warning("ACCOUNTS_SECRET_KEY is not set: tokens end with this process")
    configure_rate_limits(
        service.app,
        InMemoryRateLimiter(),
        on_decision=service.metrics.count_rate_limit,
    )
    database = add_database(
        service, Database(config.database, service_name=config.service_name)
    )

    @asynccontextmanager
    async def tables() -> AsyncIterator[None]:
        async with database.engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        if config.admin_password is None:
            _log.warning("ADMIN_PASSWORD is not set: there is no %s", ADMIN_EMAIL)
        else:
            password = config.admin_password.get_secret_value()
            await _ensure_admin(database, password, now=now())
        yield

    service.add_resource("tables", tables)
    bus = add_event_bus(service, bus)
    outbox = Outbox(outbox_events)
    add_outbox(service, outbox, database=database, bus=bus)
    bus.subscribe(UserRegisteredEvent, send_verification)
    lifetime = timedelta(minutes=config.security.access_token_expire_minutes)
    service.app.include_router(
        _log_in(database, keys=keys, policy=policy, lifetime=lifetime)
    )
    service.app.include_router(_users(database, outbox, now=now))
    return service


def _log_in(
    database: Database, *, keys: KeyRing, policy: TokenPolicy, lifetime: timedelta
) -> APIRouter:
    router = APIRouter()

    @router.post(
        "/auth/token",
        dependencies=[Depends(rate_limit(LOG_INS, key=client_address))],
        responses=responses_for(
            AuthenticationException, BadRequestException, RateLimitExceededException
        ),
        tags=["auth"],
    )
    async def log_in(
        form: Annotated[OAuth2PasswordRequestForm, Depends()],
    ) -> TokenResponseDTO:
        """Exchange e-mail address (as `username`) and password for a bearer token."""
        # Closed before the hash is made: no connection waits for a processor.
        async with database.session(read_only=True) as session:
            user = await UserRepository(session).with_email(form.username)
        # Without a hash it takes as long, so that the time does not tell who exists.
        stored = user.password_hash if user else None
        right = await asyncio.to_thread(verify_password, form.password, stored)
        actor = str(user.id) if user else None
        if not right or user is None:
            log_security_event(
                SecurityEvent.LOG_IN, outcome="failure", target=actor, reason="password"
            )
            raise AuthenticationException("Wrong e-mail address or password.")
        log_security_event(SecurityEvent.LOG_IN, outcome="success", actor=actor)
        token = create_access_token(
            str(user.id),
            keys=keys,
            policy=policy,
            roles=user.roles,
            expires_in=lifetime,
        )
        return TokenResponseDTO(access_token=token)

    return router


def _users(database: Database, outbox: Outbox, *, now: Clock) -> APIRouter:
    router = APIRouter(prefix="/users", tags=["users"])
    session_of_request = Depends(get_db_dependency(database))

    async def repository(
        session: Annotated[AsyncSession, session_of_request],
    ) -> UserRepository:
        return UserRepository(session)

    Users = Annotated[UserRepository, Depends(repository)]  # noqa: N806  # a type

    @router.post(
        "",
        status_code=status.HTTP_201_CREATED,
        responses=responses_for(
            BadRequestException, ConflictException, ValidationException
        ),
    )
    async def register(body: UserCreateDTO) -> UserResponseDTO:
        """Register. The address must be new."""
        moment = now()
        user = User(
            email=body.email,
            password_hash=await asyncio.to_thread(hash_password, body.password),
            created_at=moment,
            updated_at=moment,
        )
        async with database.session() as session:
            await UserRepository(session).register(user)
            payload = UserRegisteredPayload(
                user_id=user.id,
                email=user.email,
                verification_token=secrets.token_urlsafe(32),
            )
            # Published if this commits, so nobody hears of an account that is not.
            outbox.add(session, UserRegisteredEvent(payload=payload))
        return UserResponseDTO.model_validate(user)

    @router.get("/me", responses=responses_for(AuthenticationException))
    async def profile(caller: CurrentUser, users: Users) -> UserResponseDTO:
        """Return the caller's own profile."""
        return UserResponseDTO.model_validate(await _account_of(caller, users))

    @router.patch(
        "/me",
        responses=responses_for(
            AuthenticationException,
            BadRequestException,
            ConflictException,
            ValidationException,
        ),
    )
    async def update(
        body: UserUpdateDTO, caller: CurrentUser, users: Users
    ) -> UserResponseDTO:
        """Change what is sent; null clears, what is absent stays."""
        user = await _account_of(caller, users)
        changed = await users.change(user, now=now(), **body.changes())
        return UserResponseDTO.model_validate(changed)

    @router.get(
        "",
        dependencies=[Depends(require_role("admin"))],
        responses=responses_for(
            AuthenticationException,
            PermissionDeniedException,
            BadRequestException,
            ValidationException,
        ),
    )
    async def accounts(
        query: Annotated[PageQuery, Query()], users: Users
    ) -> Page[UserResponseDTO]:
        """Return all accounts, oldest first. Admins only."""
        page = await users.list(limit=query.limit, cursor=query.cursor)
        return Page[UserResponseDTO].model_validate(page, from_attributes=True)

    return router


async def send_verification(event: UserRegisteredEvent) -> None:
    """Stand in for a mail: the event becomes a log line, its token hidden."""
    log_event(
        _log, event.event_type, event.model_dump(mode="json"), event.correlation_id
    )


async def _account_of(caller: TokenPayload, users: UserRepository) -> User:
    try:
        return await users.get(UUID(caller.sub))
    except (ValueError, NotFoundException) as error:
        # A good token of an account that is gone, as after a restart with one secret.
        raise AuthenticationException("The account no longer exists.") from error


async def _ensure_admin(database: Database, password: str, *, now: datetime) -> None:
    admin = User(
        email=ADMIN_EMAIL,
        password_hash=await asyncio.to_thread(hash_password, password),
        roles=["admin"],
        created_at=now,
        updated_at=now,
    )
    async with database.session() as session:
        users = UserRepository(session)
        if await users.with_email(ADMIN_EMAIL) is None:
            await users.register(admin)
