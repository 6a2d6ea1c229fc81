"""FastAPI dependency: so many requests, and no more.

::

    app = FastAPI()
    configure_rate_limits(app, InMemoryRateLimiter())
    BURST = RateLimitPolicy("burst", limit=20, window=1)
    DAILY = RateLimitPolicy("daily", limit=10_000, window=86_400)

    async def caller(user: Annotated[TokenPayload, Depends(get_current_user)]) -> str:
        return user.sub

    @app.get("/orders", dependencies=[Depends(rate_limit(BURST, DAILY, key=caller))])
    async def orders(): ...

The fields of the reply are added by a middleware, since a dependency sees neither the
replies to errors nor those that a route makes itself.
"""

import ipaddress
import logging
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from weakref import WeakSet

from fastapi import Depends, FastAPI, routing
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.logging import SecurityEvent, log_security_event
from shared.logging.middleware import route_template
from shared.rate_limit._decision import Decision
from shared.rate_limit._errors import RateLimitUnavailableException
from shared.rate_limit._fields import rate_limit_fields, refusal
from shared.rate_limit._limiter import RateLimiter
from shared.rate_limit._policy import RateLimitPolicy, check_cost, check_policies
from shared.rate_limit._reservation import Reservation

__all__ = [
    "Checker",
    "OnDecision",
    "RateLimitsNotConfiguredError",
    "client_address",
    "configure_rate_limits",
    "ensure_rate_limits_configured",
    "rate_limit",
]

_log = logging.getLogger("shared.rate_limit")

_SEEN: Final = "shared.rate_limit"  # in the scope: the reservations of this request

Outcome = Literal["allowed", "refused", "failed_open", "failed_closed"]

# Called with the policy's name and the outcome, for
# rate_limit_decisions_total{policy,outcome}
OnDecision = Callable[[str, Outcome], None]

Checker = Callable[..., Coroutine[Any, Any, Reservation]]

_checkers: WeakSet[Checker] = WeakSet()


class RateLimitsNotConfiguredError(RuntimeError):
    """An application has limited routes and no limiter."""


@dataclass(frozen=True, slots=True)
class _Settings:
    limiter: RateLimiter
    on_decision: OnDecision | None

    def count(self, policies: Iterable[RateLimitPolicy], outcome: Outcome) -> None:
        if self.on_decision is None:
            return
        for policy in policies:
            try:
                self.on_decision(policy.name, outcome)
            except Exception:
                # A request is not refused for a metric.
                _log.exception("on_decision failed")


def configure_rate_limits(
    app: FastAPI, limiter: RateLimiter, *, on_decision: OnDecision | None = None
) -> None:
    """Give ``rate_limit`` its limiter, and the replies of *app* their fields.

    Calling it again, as a test may, replaces the limiter. A mounted application needs
    its own call.

    Args:
        app: The application; its ``state`` holds the settings.
        limiter: Where the units are counted.
        on_decision: Called for every decision with a policy's name and ``allowed``,
            ``refused`` (by the policies that refused), ``failed_open`` or
            ``failed_closed``.

    Raises:
        RuntimeError: The application serves already, so it takes no middleware.
    """
    installed: list[object] = [middleware.cls for middleware in app.user_middleware]
    if _RateLimitFields not in installed:
        if app.middleware_stack is not None:
            raise RuntimeError("Configure the rate limits before the app is started.")
        app.user_middleware.insert(0, Middleware(_RateLimitFields))
    app.state.shared_rate_limit = _Settings(limiter, on_decision)


def ensure_rate_limits_configured(app: FastAPI) -> None:
    """Raise unless *app*, and every application mounted in it, can limit its routes.

    Call it where the application starts. Without it, whoever forgets
    ``configure_rate_limits`` sees a 500 at the first limited request.

    Raises:
        RateLimitsNotConfiguredError: It names the first limited route.
    """
    _ensure(app, prefix="")


async def client_address(connection: HTTPConnection) -> str:
    """Use as ``key``: the address of the client, of IPv6 the network (/64).

    Behind a proxy that is the proxy's address, unless the server is told to trust it
    (``TRUSTED_PROXIES`` of a service's settings; uvicorn: ``--forwarded-allow-ips``,
    which without a word trusts whoever connects from the same machine).
    """
    host = connection.client.host if connection.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host or "unknown"  # a Unix socket has no address
    if isinstance(address, ipaddress.IPv4Address):
        return host
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    # Everyone has at least 2**64 addresses to come from.
    return str(ipaddress.ip_network((int(address), 64), strict=False))


def rate_limit(
    *policies: RateLimitPolicy,
    key: Callable[..., Any],
    cost: int | Callable[..., Any] = 1,
    on_failure: Literal["open", "closed"] = "closed",
) -> Checker:
    """Return a dependency that takes *cost* units of *key*, or refuses with 429.

    A route that asks for its value gets a `Reservation`, to give units back when what
    they were for failed. Of several limits in front of a route, all are charged or
    none: what the earlier ones took is given back when a later one refuses, or can't be
    asked.

    Args:
        policies: All of them have to allow it.
        key: A dependency that returns whose units they are, as text that is no secret:
            it is logged. Write it with ``async def``, as FastAPI sends the others
            through a thread.
        cost: Whole units, or a dependency that returns them.
        on_failure: What becomes of a request when the limiter's store is down: let
            through ("open"), or answered with 503.

    Raises:
        ValueError: No policy, a name twice, a negative cost, or another *on_failure*.
    """
    check_policies(policies)
    if on_failure not in ("open", "closed"):
        raise ValueError(f'on_failure must be "open" or "closed" (got {on_failure!r}).')
    limit = _Limit(policies, fails_open=on_failure == "open")
    checker: Checker
    if callable(cost):

        async def checker_with_cost(
            connection: HTTPConnection,
            key_value: Annotated[str, Depends(key)],
            units: Annotated[int, Depends(cost)],
        ) -> Reservation:
            return await limit.charge(connection, key_value, units)

        checker = checker_with_cost
    else:
        check_cost(cost)

        async def checker_of_one(
            connection: HTTPConnection, key_value: Annotated[str, Depends(key)]
        ) -> Reservation:
            return await limit.charge(connection, key_value, cost)

        checker = checker_of_one
    _checkers.add(checker)
    return checker


@dataclass(frozen=True, slots=True)
class _Limit:
    policies: tuple[RateLimitPolicy, ...]
    fails_open: bool

    async def charge(
        self, connection: HTTPConnection, key: str, cost: int
    ) -> Reservation:
        settings = _settings(connection)
        # A WebSocket has no reply to put fields in.
        seen: list[Reservation] = connection.scope.setdefault(_SEEN, [])
        try:
            decision = await self._ask(settings, key, cost)
        except BaseException:
            await _give_back(seen)
            raise
        reservation = Reservation(settings.limiter, decision)
        if decision is None:
            return reservation
        if decision.allowed:
            settings.count(self.policies, "allowed")
            seen.append(reservation)
            return reservation
        settings.count(decision.violated, "refused")
        _log_refusal(connection, decision)
        await _give_back(seen)
        seen.append(reservation)
        raise refusal(decision)

    async def _ask(self, settings: _Settings, key: str, cost: int) -> Decision | None:
        """Return the limiter's decision; None if it has none and that is no matter."""
        try:
            return await settings.limiter.acquire(key, self.policies, cost)
        except RateLimitUnavailableException as error:
            self._report(settings, error)
            if not self.fails_open:
                raise
            return None

    def _report(
        self, settings: _Settings, error: RateLimitUnavailableException
    ) -> None:
        outcome: Outcome = "failed_open" if self.fails_open else "failed_closed"
        settings.count(self.policies, outcome)
        _log.warning(
            "rate limits could not be checked, the route %s: %s",
            outcome.replace("_", " "),
            type(error.__cause__ or error).__name__,
            extra={"policies": [policy.name for policy in self.policies]},
        )


async def _give_back(seen: list[Reservation]) -> None:
    """Refund what earlier limits of the request took; its reply says none of it."""
    for earlier in seen:
        await earlier.refund()
    seen.clear()


def _log_refusal(connection: HTTPConnection, decision: Decision) -> None:
    method = connection.scope.get("method", "WEBSOCKET")
    log_security_event(
        SecurityEvent.RATE_LIMITED,
        outcome="denied",
        actor=decision.key,
        # The template, since the path itself may hold anything
        target=f"{method} {route_template(connection.scope)}",
        reason=refusal(decision).extra_info["policy"],
        cost=decision.cost,
    )


class _RateLimitFields:
    """Middleware that writes the decisions of a request into its reply."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _SEEN in scope:
            # The second: a mounted application, whose outer one does it.
            await self._app(scope, receive, send)
            return
        seen: list[Reservation] = []
        scope[_SEEN] = seen

        async def send_with_fields(message: Message) -> None:
            if seen and message["type"] == "http.response.start":
                decisions = [
                    held.decision for held in seen if held.decision is not None
                ]
                fields = rate_limit_fields(*decisions)
                MutableHeaders(scope=message).update(fields)
            await send(message)

        await self._app(scope, receive, send_with_fields)


def _settings(connection: HTTPConnection) -> _Settings:
    settings = getattr(connection.app.state, "shared_rate_limit", None)
    if not isinstance(settings, _Settings):
        raise RateLimitsNotConfiguredError(
            "A limited route was called before configure_rate_limits(app, limiter). "
            "Call ensure_rate_limits_configured(app) in the lifespan to see this at "
            "the start."
        )
    return settings


def _ensure(app: FastAPI, prefix: str) -> None:
    ready = getattr(app.state, "shared_rate_limit", None) is not None
    for route in _flat(app.routes):
        path = prefix + str(getattr(route, "path", ""))
        mounted = getattr(route, "app", None)
        if isinstance(mounted, FastAPI):
            _ensure(mounted, path)
        elif not ready and _is_limited(getattr(route, "dependant", None)):
            raise RateLimitsNotConfiguredError(
                f"{path} is limited, but its application has no limiter: call "
                "configure_rate_limits(app, limiter) before it starts."
            )


def _flat(routes: Iterable[BaseRoute]) -> Iterator[object]:
    """Yield the routes with those of included routers, which FastAPI 0.137 folds up."""
    unfold = getattr(routing, "iter_route_contexts", iter)
    yield from unfold(routes)


def _is_limited(dependant: Any) -> bool:
    return dependant is not None and (
        dependant.call in _checkers or any(map(_is_limited, dependant.dependencies))
    )
