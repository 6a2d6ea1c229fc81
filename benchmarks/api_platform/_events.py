"""Events of the service, by the thousand: copies of some that it wrote itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import uuid4

import psycopg

from benchmarks.api_platform import _scene as scene

KEYS: Final = "/api/v1/keys"
WEBHOOKS: Final = "/api/v1/webhooks"
CREATED: Final = "api_key.created"
"""What webhooks may hear, so that every worker consumes it."""
REGISTERED: Final = "webhook.registered"
"""What nobody may hear: it is published, and consumed by no worker."""

_COLUMNS: Final = (
    "id, partition, aggregatetype, aggregateid, type, payload, content_type, headers,"
    " occurred_at, created_at"
)
# Each is another event, about another thing of the same user: as text, since the id of
# the event stands in its envelope too.
_COPY: Final = f"""
INSERT INTO outbox ({_COLUMNS})
SELECT one.id, mod(one.number, 16), model.aggregatetype,
       CASE WHEN model.aggregateid IS NULL THEN NULL ELSE one.about END, model.type,
       convert_to(
           replace(
               replace(
                   convert_from(model.payload, 'UTF8'), model.id::text, one.id::text
               ),
               coalesce(model.aggregateid, model.id::text), one.about
           ),
           'UTF8'
       ),
       model.content_type, model.headers, now(), now()
FROM (
    SELECT number, gen_random_uuid() AS id, gen_random_uuid()::text AS about
    FROM generate_series(1, %(count)s) AS number
) AS one
JOIN model ON model.type = %(type)s
    AND model.owner = 1 + mod(one.number, %(owners)s)
"""  # noqa: S608 - names of ours
_WAKE: Final = "SELECT pg_notify('creativeflow_outbox_' || 'outbox'::regclass::oid, '')"
_WORN: Final = "outbox, webhook_outbox, inbox, webhook_attempts, webhook_deliveries"


class Outbox:
    """The service's outbox, filled from here.

    Args:
        url: Of a database that is migrated and has no events.
    """

    def __init__(self, url: str) -> None:
        self._own = psycopg.connect(url, autocommit=True)

    def close(self) -> None:
        """Hang up."""
        self._own.close()

    def learn(
        self,
        server: scene.Program,
        variables: dict[str, str],
        targets: Sequence[str],
    ) -> list[tuple[str, str]]:
        """Have a user for each target make a webhook to it and a key.

        Those events are the models from now on.

        Returns:
            Each user's token, and the id of the webhook.
        """
        made = []
        for target in targets:
            token = scene.token_of(uuid4(), variables)
            asked = {"target_url": target, "event_types": [CREATED]}
            webhook = scene.ask(server.port, "POST", WEBHOOKS, token, asked)
            made.append((token, str(scene.expect(201, webhook)["id"])))
            key = scene.ask(server.port, "POST", KEYS, token, {"name": "Load"})
            scene.expect(201, key)
        self._own.execute(
            "CREATE TABLE model AS SELECT *, row_number() OVER"
            " (PARTITION BY type ORDER BY position) AS owner FROM outbox"
        )
        self._own.execute(f"TRUNCATE {_WORN}")
        return made

    def fill(self, event_type: str, count: int, *, owners: int = 1) -> None:
        """Add so many events at once, of that many users in turn, and wake relays."""
        values = {"type": event_type, "count": count, "owners": owners}
        with self._own.transaction():
            added = self._own.execute(_COPY, values).rowcount
            self._own.execute(_WAKE)
        if added != count:
            raise SystemExit(f"{added} events of {event_type} instead of {count}.")

    @property
    def empty(self) -> bool:
        """Whether all is published."""
        row = self._own.execute("SELECT NOT EXISTS (SELECT FROM outbox)").fetchone()
        return row == (True,)

    def rest(self) -> None:
        """Let each round find tables of the same size. No worker may run."""
        self._own.execute(f"TRUNCATE {_WORN}")
        self._own.execute("CHECKPOINT")

    def states(self) -> dict[str, Any]:
        """How many deliveries there are in each state."""
        rows = self._own.execute(
            "SELECT state, count(*) FROM webhook_deliveries GROUP BY state"
        )
        return dict(rows.fetchall())
