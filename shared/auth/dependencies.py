"""FastAPI dependencies: who is calling, and may they.

::

    app = FastAPI(lifespan=lifespan)
    configure_auth(app, keys=keys, policy=TokenPolicy(issuer=..., audience=...))

    @app.get("/me")
    async def me(user: Annotated[TokenPayload, Depends(get_current_user)]): ...

    @app.get("/users", dependencies=[Depends(require_role("admin"))])
    async def users(): ...

The dependencies are functions that know no application, and FastAPI offers no hook by
which one of them could stop a start. So the application asks before it serves:
``ensure_auth_configured(app)`` in its lifespan. Whoever forgets both calls gets a 500
with that advice in the log, never an unchecked request.
"""

import re
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Security, routing
from fastapi.security import OAuth2PasswordBearer
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute

from shared.auth import (
    KeyRing,
    KeySource,
    TokenPayload,
    TokenPolicy,
    TokenRejected,
    authenticate,
)
from shared.auth._payload import SCOPE
from shared.errors import AuthenticationException, PermissionDeniedException
from shared.logging import SecurityEvent, log_security_event
from shared.logging.middleware import route_template

__all__ = [
    "AuthNotConfiguredError",
    "configure_auth",
    "ensure_auth_configured",
    "get_current_user",
    "oauth2_scheme",
    "require_any_role",
    "require_role",
    "require_scope",
]

# A quoted-string without escapes (RFC 9110 section 5.6.4)
_QUOTABLE = re.compile(r"[ !#-\[\]-~]+")

Checker = Callable[..., Coroutine[Any, Any, TokenPayload]]

# auto_error would answer before us, with a body that is no problem.
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="auth/token", auto_error=False)


class AuthNotConfiguredError(RuntimeError):
    """An application has protected routes and no keys to check tokens with."""


@dataclass(frozen=True, slots=True)
class _Settings:
    keys: KeyRing | KeySource
    policy: TokenPolicy
    realm: str | None

    def challenge(self, **parameters: str) -> dict[str, str]:
        """Return the header of RFC 6750 section 3."""
        if self.realm is not None:
            parameters = {"realm": self.realm} | parameters
        quoted = ", ".join(f'{name}="{value}"' for name, value in parameters.items())
        return {"WWW-Authenticate": f"Bearer {quoted}".rstrip()}


def configure_auth(
    app: FastAPI,
    *,
    keys: KeyRing | KeySource,
    policy: TokenPolicy,
    realm: str | None = None,
) -> None:
    """Give the dependencies of *app* their keys. A mounted application needs its own.

    Args:
        app: The application; its ``state`` holds the settings.
        keys: A key ring, or what fetches one, such as ``shared.auth.jwks.JWKSClient``.
        policy: What else a token must be.
        realm: Names the protected area in the challenge.

    Raises:
        ValueError: The realm can't stand between the quotes of a header.
    """
    if realm is not None and not _QUOTABLE.fullmatch(realm):
        raise ValueError("realm must be printable ASCII without quotes or backslashes.")
    app.state.shared_auth = _Settings(keys, policy, realm)


def ensure_auth_configured(app: FastAPI) -> None:
    """Raise unless *app*, and every application mounted in it, can check its tokens.

    Call it where the application starts, so that it does not start without keys. A
    test that overrides ``get_current_user`` needs none.

    Raises:
        AuthNotConfiguredError: It names the first protected route.
    """
    _ensure(app, prefix="")


class _CurrentUser(SecurityBase):
    """A dependency that documents itself as the bearer scheme.

    One object instead of a function that depends on ``oauth2_scheme``: each dependency
    that FastAPI solves costs a request some 15 µs.
    """

    model = oauth2_scheme.model
    scheme_name = oauth2_scheme.scheme_name

    async def __call__(self, connection: HTTPConnection) -> TokenPayload:
        """Return what the caller's bearer token says; without a good one, 401."""
        settings = _settings(connection)
        sent = connection.headers.getlist("authorization")
        scheme, _, token = sent[0].partition(" ") if sent else ("", "", "")
        if scheme.lower() != "bearer" or not token:
            # RFC 6750 section 3.1: no error code for a request without credentials.
            raise AuthenticationException(
                "Not authenticated.", headers=settings.challenge()
            )
        try:
            if len(sent) > 1:
                # A proxy may have looked at the other one.
                raise TokenRejected("there are two Authorization headers")
            return await authenticate(token, keys=settings.keys, policy=settings.policy)
        except (AuthenticationException, TokenRejected) as refusal:
            cause = refusal.__cause__ or refusal
            # Whose it is, is not known: what a refused token says is no fact.
            log_security_event(
                SecurityEvent.TOKEN_REFUSED,
                outcome="denied",
                target=_target(connection),
                reason=str(cause),
            )
            raise AuthenticationException(
                "Invalid token.", headers=settings.challenge(error="invalid_token")
            ) from cause


get_current_user = _CurrentUser()


def require_role(required_role: str) -> Checker:
    """Return a dependency that lets in users with *required_role*; others get 403."""

    async def role_checker(
        connection: HTTPConnection,
        current_user: Annotated[TokenPayload, Depends(get_current_user)],
    ) -> TokenPayload:
        if required_role not in current_user.roles:
            _log_denial(
                SecurityEvent.ROLE_MISSING, connection, current_user, required_role
            )
            raise PermissionDeniedException(
                f"User lacks required role: {required_role}",
                headers=_settings(connection).challenge(error="insufficient_scope"),
            )
        return current_user

    return role_checker


def require_any_role(*accepted_roles: str) -> Checker:
    """Return a dependency that lets in users with at least one of *accepted_roles*."""
    if not accepted_roles:
        raise ValueError("require_any_role needs a role.")

    async def role_checker(
        connection: HTTPConnection,
        current_user: Annotated[TokenPayload, Depends(get_current_user)],
    ) -> TokenPayload:
        if not set(accepted_roles) & set(current_user.roles):
            _log_denial(
                SecurityEvent.ROLE_MISSING, connection, current_user, *accepted_roles
            )
            raise PermissionDeniedException(
                f"User lacks any of the required roles: {', '.join(accepted_roles)}",
                headers=_settings(connection).challenge(error="insufficient_scope"),
            )
        return current_user

    return role_checker


def require_scope(*required_scopes: str) -> Checker:
    """Return a dependency that lets in tokens with all of *required_scopes*.

    The OpenAPI document shows the scopes at the operation.
    """
    if not required_scopes or not all(map(SCOPE.fullmatch, required_scopes)):
        raise ValueError("require_scope needs scopes, each without spaces or quotes.")
    wanted = frozenset(required_scopes)

    # The scheme is asked for with the scopes so that they are documented. The user
    # comes from a plain Depends, which FastAPI shares with the route's own.
    async def scope_checker(
        connection: HTTPConnection,
        current_user: Annotated[TokenPayload, Depends(get_current_user)],
        _: Annotated[str | None, Security(oauth2_scheme, scopes=[*required_scopes])],
    ) -> TokenPayload:
        if not wanted.issubset(current_user.scopes):
            _log_denial(
                SecurityEvent.SCOPE_MISSING, connection, current_user, *required_scopes
            )
            raise PermissionDeniedException(
                f"Token lacks required scope: {' '.join(required_scopes)}",
                headers=_settings(connection).challenge(
                    error="insufficient_scope", scope=" ".join(required_scopes)
                ),
            )
        return current_user

    return scope_checker


def _log_denial(
    event: SecurityEvent, connection: HTTPConnection, user: TokenPayload, *required: str
) -> None:
    log_security_event(
        event,
        outcome="denied",
        actor=user.sub,
        target=_target(connection),
        reason=f"lacks {', '.join(required)}",
        required=required,
    )


def _target(connection: HTTPConnection) -> str:
    """Name the route, never the path: ids and one-time links stand in a path."""
    scope = connection.scope
    return f"{scope.get('method', 'WEBSOCKET')} {route_template(scope)}"


def _settings(connection: HTTPConnection) -> _Settings:
    settings = getattr(connection.app.state, "shared_auth", None)
    if not isinstance(settings, _Settings):
        raise AuthNotConfiguredError(
            "A protected route was called before configure_auth(app, keys=..., "
            "policy=...). Call ensure_auth_configured(app) in the lifespan to see this "
            "at the start."
        )
    return settings


def _ensure(app: FastAPI, prefix: str) -> None:
    ready = (
        getattr(app.state, "shared_auth", None) is not None
        or get_current_user in app.dependency_overrides
    )
    for route in _flat(app.routes):
        path = prefix + str(getattr(route, "path", ""))
        mounted = getattr(route, "app", None)
        if isinstance(mounted, FastAPI):
            _ensure(mounted, path)
        elif not ready and _asks_for_user(getattr(route, "dependant", None)):
            raise AuthNotConfiguredError(
                f"{path} is protected, but its application has no keys: call "
                "configure_auth(app, keys=..., policy=...) before it starts."
            )


def _flat(routes: Iterable[BaseRoute]) -> Iterator[object]:
    """Yield the routes with those of included routers, which FastAPI 0.137 folds up."""
    unfold = getattr(routing, "iter_route_contexts", iter)
    yield from unfold(routes)


def _asks_for_user(dependant: Any) -> bool:
    return dependant is not None and (
        dependant.call is get_current_user
        or any(map(_asks_for_user, dependant.dependencies))
    )
