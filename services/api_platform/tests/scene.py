"""The service on a database that a test may fill, and who calls it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID, uuid4

from fastapi import Depends
from fastapi.testclient import TestClient

from services.api_platform._local import with_local_keys
from services.api_platform._migrate import migrate
from services.api_platform._settings import NAME, Settings
from services.api_platform.app import bootstrap
from services.api_platform.keys import Access, Scope
from services.api_platform.webhooks import WEBHOOK_EVENTS
from shared.app import Service
from shared.auth import KeyRing, create_access_token
from shared.config import load_config
from shared.database import utc_now
from shared.http_client import PublicTransport
from shared.testing.messaging import RecordingBus, settled

ADDRESS = "203.0.113.5"
"""From where the service is called."""


def settings(url: str, **variables: str) -> Settings:
    """Settings as the environment would give them, and nothing of this machine's."""
    read = load_config(
        NAME,
        Settings,
        environ={
            "ENVIRONMENT": "test",
            "DATABASE_URL": url,
            # Nobody waits for a target that never answers.
            "SHUTDOWN_TIMEOUT": "0.5",
            **variables,
        },
        env_file=None,
        secrets_dir=None,
    )
    return with_local_keys(read)


class Scene:
    """A running service. `as_user` makes the headers of a user's requests."""

    def __init__(
        self,
        client: TestClient,
        service: Service,
        bus: RecordingBus,
        webhooks_bus: RecordingBus,
    ) -> None:
        self.client = client
        self.service = service
        self.bus = bus
        self.webhooks_bus = webhooks_bus

    def as_user(self, user_id: UUID | None = None, *roles: str) -> dict[str, str]:
        """A bearer token of a user, of a new one unless said otherwise."""
        token = create_access_token(
            str(user_id or uuid4()),
            keys=self.keys,
            policy=self.service.policy,
            roles=roles,
        )
        return {"Authorization": f"Bearer {token}"}

    def settle(self) -> None:
        """Wait until everything that was committed is published and handled."""
        portal = self.client.portal
        assert portal is not None
        portal.call(self._settle)

    async def _settle(self) -> None:
        state = self.service.app.state
        # Only the relay knows when it is done, and tells nobody.
        for outbox, bus in (
            (state.outbox, self.bus),
            (state.webhook_outbox, self.webhooks_bus),
        ):
            while (await outbox.lag(state.database)).rows:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            await settled(bus)

    def variables(self) -> dict[str, str]:
        """The keys of this service, for another one on the same database."""
        security = self.service.config.security
        found = {
            "SECRET_KEY": security.secret_key,
            "AES_KEY": security.aes_key,
            "API_KEY_PEPPERS": security.api_key_peppers,
        }
        return {name: key.get_secret_value() for name, key in found.items() if key}

    @property
    def keys(self) -> KeyRing:
        """What signs and checks users' tokens."""
        assert isinstance(self.service.keys, KeyRing)
        return self.service.keys


@contextmanager
def running(
    url: str,
    *,
    now: Callable[[], datetime] = utc_now,
    transport: PublicTransport | None = None,
    **variables: str,
) -> Iterator[Scene]:
    """The service on a migrated database, started."""
    chosen = settings(url, **variables)
    migrate(chosen.database)
    bus = RecordingBus(NAME)
    webhooks_bus = RecordingBus(NAME, registry=WEBHOOK_EVENTS, exchange="webhooks")
    service = bootstrap(
        chosen, bus=bus, webhooks_bus=webhooks_bus, transport=transport, now=now
    )
    access: Access = service.app.state.access

    @service.app.get("/probe", dependencies=[Depends(access.require(Scope.USAGE_READ))])
    async def probe() -> None:
        """What an API key opens, before there is anything else."""

    with TestClient(service.app, client=(ADDRESS, 50_000)) as client:
        yield Scene(client, service, bus, webhooks_bus)
