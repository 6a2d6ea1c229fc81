"""Accounts on the six packages of the kernel: register, log in, profile, admin list.

`bootstrap` builds the application and everything in it; nothing happens at import.
"""

import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Query, status
from fastapi.security import OAuth2PasswordRequestForm

from examples.accounts._passwords import hash_password, verify_password
from examples.accounts._settings import Settings
from examples.accounts._store import User, UserStore
from shared.auth import KeyRing, TokenPayload, TokenPolicy, create_access_token
from shared.auth.dependencies import (
    configure_auth,
    ensure_auth_configured,
    get_current_user,
    require_role,
)
from shared.dtos.common import Page, PageQuery, StatusResponse, decode_cursor
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
    ValidationException,
    responses_for,
)
from shared.errors.handlers import register_exception_handlers
from shared.events import BaseEvent, UserRegisteredEvent, UserRegisteredPayload
from shared.logging.middleware import RequestLogMiddleware

ADMIN_EMAIL = "admin@example.com"
TOKEN_LIFETIME = timedelta(hours=1)

Clock = Callable[[], datetime]
Emit = Callable[[BaseEvent[Any]], None]
CurrentUser = Annotated[TokenPayload, Depends(get_current_user)]


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


def bootstrap(settings: Settings, *, emit: Emit, now: Clock = utc_now) -> FastAPI:
    """Build the service.

    Args:
        settings: What the start decides.
        emit: Takes each event; a message broker's publish in a real service.
        now: The clock, of the accounts and of the tokens.
    """
    keys = KeyRing.from_secret(settings.secret or secrets.token_urlsafe(48))
    policy = TokenPolicy(issuer="accounts", audience="accounts", now=now)
    store = UserStore()
    if settings.admin_password:
        _register_admin(store, settings.admin_password, now=now())

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        ensure_auth_configured(app)
        yield

    app = FastAPI(
        title="Accounts",
        summary="Register, log in, profile, admin-only list. Everything in memory.",
        version="0.1.0",
        lifespan=lifespan,
    )
    configure_auth(app, keys=keys, policy=policy, realm="accounts")
    register_exception_handlers(app)
    app.add_middleware(RequestLogMiddleware, quiet_paths={"/health"})
    app.include_router(_health())
    app.include_router(_log_in(store, keys=keys, policy=policy))
    app.include_router(_users(store, emit=emit, now=now))
    return app


def _health() -> APIRouter:
    router = APIRouter()

    @router.get("/health")
    async def health() -> StatusResponse:
        return StatusResponse(status="ok")

    return router


def _log_in(store: UserStore, *, keys: KeyRing, policy: TokenPolicy) -> APIRouter:
    router = APIRouter()
    # Compared with when nobody has the address, so that the time does not tell.
    nobody = hash_password(secrets.token_urlsafe())

    # Plain `def`: scrypt runs in the thread pool, not in the event loop.
    @router.post(
        "/auth/token",
        responses=responses_for(AuthenticationException, BadRequestException),
        tags=["auth"],
    )
    def log_in(
        form: Annotated[OAuth2PasswordRequestForm, Depends()],
    ) -> TokenResponseDTO:
        """Exchange e-mail address (as `username`) and password for a bearer token."""
        user = store.find_by_email(form.username)
        stored = user.password_hash if user else nobody
        if not verify_password(form.password, stored) or user is None:
            raise AuthenticationException("Wrong e-mail address or password.")
        token = create_access_token(
            str(user.id),
            keys=keys,
            policy=policy,
            roles=user.roles,
            expires_in=TOKEN_LIFETIME,
        )
        return TokenResponseDTO(access_token=token)

    return router


def _users(store: UserStore, *, emit: Emit, now: Clock) -> APIRouter:
    router = APIRouter(prefix="/users", tags=["users"])

    @router.post(
        "",
        status_code=status.HTTP_201_CREATED,
        responses=responses_for(
            BadRequestException, ConflictException, ValidationException
        ),
    )
    def register(body: UserCreateDTO) -> UserResponseDTO:
        """Register. The address must be new."""
        moment = now()
        user = User(
            email=body.email,
            password_hash=hash_password(body.password),
            created_at=moment,
            updated_at=moment,
        )
        store.add(user)
        emit(
            UserRegisteredEvent(
                payload=UserRegisteredPayload(
                    user_id=user.id,
                    email=user.email,
                    verification_token=secrets.token_urlsafe(32),
                )
            )
        )
        return UserResponseDTO.model_validate(user)

    @router.get("/me", responses=responses_for(AuthenticationException))
    async def profile(caller: CurrentUser) -> UserResponseDTO:
        """Return the caller's own profile."""
        return UserResponseDTO.model_validate(_account_of(caller, store))

    @router.patch(
        "/me",
        responses=responses_for(
            AuthenticationException,
            BadRequestException,
            ConflictException,
            ValidationException,
        ),
    )
    async def update(body: UserUpdateDTO, caller: CurrentUser) -> UserResponseDTO:
        """Change what is sent; null clears, what is absent stays."""
        user = _account_of(caller, store)
        changed = store.update(user.id, now=now(), **body.changes())
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
    async def users(query: Annotated[PageQuery, Query()]) -> Page[UserResponseDTO]:
        """Return all accounts, oldest first. Admins only."""
        rows = store.page(after=_position(query.cursor), size=query.limit + 1)
        return Page[UserResponseDTO].of(
            rows, limit=query.limit, position=lambda user: {"id": str(user.id)}
        )

    return router


def _account_of(caller: TokenPayload, store: UserStore) -> User:
    try:
        return store.get(UUID(caller.sub))
    except (ValueError, NotFoundException) as error:
        # A good token of an account that is gone, as after a restart with one secret.
        raise AuthenticationException("The account no longer exists.") from error


def _position(cursor: str | None) -> UUID | None:
    if cursor is None:
        return None
    try:
        return UUID(str(decode_cursor(cursor)["id"]))
    except (KeyError, ValueError) as error:
        raise BadRequestException("The cursor is not one of this list.") from error


def _register_admin(store: UserStore, password: str, *, now: datetime) -> None:
    store.add(
        User(
            email=ADMIN_EMAIL,
            password_hash=hash_password(password),
            roles=("admin",),
            created_at=now,
            updated_at=now,
        )
    )
