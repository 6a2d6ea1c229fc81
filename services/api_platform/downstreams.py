"""The services behind this one: the real ones, or in development their stand-ins."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from services.api_platform._local import LOCAL
from services.api_platform._settings import AIGEN, BILLING, NAME, Settings
from services.api_platform.parts import Parts
from services.api_platform.standins import BillingStandIn, GenerationStandIn
from shared.app import Service
from shared.app.http_client import add_service_clients
from shared.auth import KeyRing, TokenPolicy, create_access_token
from shared.config import ConfigurationError, ConfigurationProblem
from shared.http_client import (
    ClientOptions,
    ClientTimeouts,
    ServiceClient,
    Transport,
    asgi_transport,
)

_NO_TOKEN: Final = ConfigurationProblem(
    "SERVICE_TOKEN",
    "is not set, and with JWKS_URL nothing signs one: the services behind this one "
    "would not know who calls.",
    "Set it.",
)
_LIFETIME: Final = timedelta(minutes=10)
_RENEWED_BEFORE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Downstreams:
    """Clients of the services behind this one."""

    generations: ServiceClient
    billing: ServiceClient


def add_downstreams(parts: Parts, settings: Settings) -> Downstreams:
    """Give the server clients of the services behind it.

    Raises:
        ConfigurationError: Outside of development a URL or the token is missing; it
            has all that are.
    """
    service = parts.service
    missing = [name for name in (AIGEN, BILLING) if name not in settings.service_urls]
    if settings.environment not in LOCAL:
        signs = isinstance(service.keys, KeyRing)
        if problems := [*missing_downstreams(settings, signs=signs)]:
            raise ConfigurationError(NAME, problems)
    stand_ins: dict[str, Callable[[], Transport]] = {
        AIGEN: lambda: _generation_stand_in(parts, settings),
        BILLING: lambda: asgi_transport(BillingStandIn().app),
    }

    def client(name: str, timeouts: ClientTimeouts) -> ServiceClient:
        options = ClientOptions(
            token_provider=_token_provider(service, settings, name), timeout=timeouts
        )
        urls = {}
        if name in missing:
            urls[name] = f"http://{name}"  # a name that leads nowhere
            options["transport"] = stand_ins[name]()
        return add_service_clients(service, name, urls=urls, **options)[name]

    return Downstreams(
        generations=client(AIGEN, ClientTimeouts.within(settings.aigen_timeout)),
        billing=client(BILLING, ClientTimeouts.within(settings.billing_timeout)),
    )


def missing_downstreams(
    settings: Settings, *, signs: bool
) -> Iterator[ConfigurationProblem]:
    """What a server lacks to call the services behind it, where nothing stands in.

    Args:
        settings: Of the server.
        signs: Whether it has a key that signs tokens.
    """
    for name in (AIGEN, BILLING):
        try:
            settings.service_url(name)
        except ConfigurationError as error:
            yield from error.problems
    if settings.service_token is None and not signs:
        yield _NO_TOKEN


def _generation_stand_in(parts: Parts, settings: Settings) -> Transport:
    stand_in = GenerationStandIn(
        parts.bus.publish, now=parts.now, seconds=settings.standin_seconds
    )
    parts.service.add_resource("stand-in for generations", stand_in.running)
    return asgi_transport(stand_in.app)


def _token_provider(
    service: Service, settings: Settings, audience: str
) -> Callable[[], str] | None:
    fixed = settings.service_token
    if fixed is not None:
        return fixed.get_secret_value
    if not isinstance(service.keys, KeyRing):  # in development, for a stand-in
        return None
    return ServiceToken(service.keys, audience)


class ServiceToken:
    """A token by which another service knows this one, renewed before it expires.

    Args:
        keys: Signs it.
        audience: That service, which no other one takes it for.
        clock: Seconds, for measuring.
    """

    def __init__(
        self,
        keys: KeyRing,
        audience: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = keys
        self._policy = TokenPolicy(issuer=NAME, audience=audience)
        self._clock = clock
        self._token = ""
        self._good_until = float("-inf")

    def __call__(self) -> str:
        """The token of this moment."""
        if self._clock() >= self._good_until:
            self._token = create_access_token(
                NAME, keys=self._keys, policy=self._policy, expires_in=_LIFETIME
            )
            lifetime = _LIFETIME.total_seconds()
            self._good_until = self._clock() + lifetime - _RENEWED_BEFORE
        return self._token
