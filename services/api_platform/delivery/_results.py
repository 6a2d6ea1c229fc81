"""Results of attempts, written together with everything that follows from them.

Private: import these names from ``services.api_platform.delivery``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import Table, and_, bindparam, case, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.delivery._leases import (
    DELIVERIES,
    WEBHOOKS,
    padded,
    pending,
    some_of,
)
from services.api_platform.delivery._policy import RetryPolicy
from services.api_platform.delivery._sender import Attempt
from services.api_platform.delivery._standing import Standing
from services.api_platform.models import DeliveryState, WebhookAttempt
from shared.events import (
    BaseEvent,
    WebhookDeliveryFailedEvent,
    WebhookDeliveryFailedPayload,
    WebhookDisabledEvent,
    WebhookDisabledPayload,
)
from shared.messaging.outbox import Outbox
from shared.utils import uuid7

_ATTEMPTS: Final = cast("Table", WebhookAttempt.__table__)
_OWN: Final = "webhook."
"""How the types of events about webhooks begin. Of their deliveries no event tells: an
endpoint that hears of failures and fails would make more of them each time."""


_THERE: Final = (
    select(
        DELIVERIES.c.id,
        # Who ends or replays a delivery ends its lease, too.
        case(
            (
                and_(pending(DELIVERIES), DELIVERIES.c.lease_until.is_not(None)),
                DELIVERIES.c.lease_token,
            )
        ).label("token"),
    )
    .where(DELIVERIES.c.id.in_(some_of("ids")))
    .order_by(DELIVERIES.c.id)
    .with_for_update()
)
_FAILING: Final = select(WEBHOOKS.c.id).where(
    WEBHOOKS.c.id.in_(some_of("ids")),
    or_(WEBHOOKS.c.consecutive_failures > 0, WEBHOOKS.c.failing_since.is_not(None)),
)
_LOCKED: Final = (
    select(
        WEBHOOKS.c.id,
        WEBHOOKS.c.user_id,
        WEBHOOKS.c.is_active,
        WEBHOOKS.c.consecutive_failures,
        WEBHOOKS.c.failing_since,
        WEBHOOKS.c.last_failed_at,
    )
    .where(WEBHOOKS.c.id.in_(some_of("ids")), WEBHOOKS.c.deleted_at.is_(None))
    .order_by(WEBHOOKS.c.id)
    .with_for_update(key_share=True)  # new deliveries refer to it meanwhile
)


class Outcome(StrEnum):
    """What became of a delivery by an attempt."""

    DELIVERED = "delivered"
    RETRIED = "retried"
    FAILED = "failed"
    """There is no further attempt."""
    HELD = "held"
    """We failed, and not the target: it is made again as if nothing had been."""
    STALE = "stale"
    """It stays as it is: another worker has it, or it is over. The attempt is in the
    log, as the target saw it, unless the delivery is gone."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An attempt, and what was written of it."""

    attempt: Attempt
    outcome: Outcome
    next_attempt_at: datetime | None = None
    disabled: str | None = None
    """Why it disabled the webhook, if it did."""


async def record(
    session: AsyncSession,
    attempts: Sequence[Attempt],
    *,
    policy: RetryPolicy,
    outbox: Outbox,
    now: datetime,
) -> list[Recorded]:
    """Write what came of *attempts*, in the transaction of *session*.

    Rows are locked in one order, webhooks before deliveries: workers that write results
    of the same endpoints wait for each other, and for whoever replays or ends their
    deliveries, and never in a circle. What waits for a webhook that this disables is
    ended by `Store.end`.
    """
    there = await _standings(session, [each for each in attempts if not _is_held(each)])
    ours, late = await _found(session, attempts)
    if late:
        await session.execute(insert(_ATTEMPTS), [_row_of(each) for each in late])
    if not ours:
        return [Recorded(attempt, Outcome.STALE) for attempt in attempts]
    standings = _noted(there, ours, policy)
    recorded = {
        attempt.leased.lease: _decide(attempt, standings, policy, now)
        for attempt in ours
    }
    await _write(session, recorded.values(), now)
    await _write_standings(session, standings.values())
    events = _events(recorded.values(), standings, now)
    if events:
        outbox.add(session, *events)
    return [
        recorded.get(attempt.leased.lease) or Recorded(attempt, Outcome.STALE)
        for attempt in attempts
    ]


async def _found(
    session: AsyncSession, attempts: Sequence[Attempt]
) -> tuple[list[Attempt], list[Attempt]]:
    """Lock the deliveries that there are.

    Returns:
        The attempts whose delivery nobody else has taken, and those that came too late.
    """
    asked = {"ids": padded([attempt.leased.delivery_id for attempt in attempts])}
    holders = {row.id: row.token for row in await session.execute(_THERE, asked)}
    ours: list[Attempt] = []
    late: list[Attempt] = []
    for attempt in attempts:
        delivery_id, token = attempt.leased.lease
        if delivery_id in holders:
            if holders[delivery_id] == token:
                ours.append(attempt)
            elif not _is_held(attempt):
                late.append(attempt)
    return ours, late


def _is_held(attempt: Attempt) -> bool:
    """Whether it counts for nothing, as we failed."""
    return attempt.error is not None and attempt.error.is_ours


async def _standings(
    session: AsyncSession, attempts: Iterable[Attempt]
) -> Mapping[UUID, Standing]:
    """Lock the webhooks of *attempts* that do another way behind them, perhaps.

    A webhook that has not failed and does not is left alone: then workers that deliver
    to it need not wait for each other. One that is deleted is nobody's any more.
    """
    failed, others = set[UUID](), set[UUID]()
    for attempt in attempts:
        webhooks = others if attempt.error is None else failed
        webhooks.add(attempt.leased.target.webhook_id)
    failing = await _failing(session, others - failed)
    locked = await _locked(session, failed | failing)
    return {standing.webhook_id: standing for standing in locked}


def _noted(
    standings: Mapping[UUID, Standing], attempts: Iterable[Attempt], policy: RetryPolicy
) -> Mapping[UUID, Standing]:
    """Those of *standings* that *attempts* are about, with what they say."""
    noted: dict[UUID, Standing] = {}
    for attempt in sorted(attempts, key=lambda each: each.ended_at):
        standing = standings.get(attempt.leased.target.webhook_id)
        if standing is not None and not _is_held(attempt):
            standing.note(attempt, policy)
            noted[standing.webhook_id] = standing
    return noted


async def _failing(session: AsyncSession, webhooks: Collection[UUID]) -> set[UUID]:
    if not webhooks:
        return set()
    asked = {"ids": padded(webhooks)}
    return {row.id for row in await session.execute(_FAILING, asked)}


async def _locked(session: AsyncSession, webhooks: Collection[UUID]) -> list[Standing]:
    if not webhooks:
        return []
    rows = await session.execute(_LOCKED, {"ids": padded(webhooks)})
    return [Standing(*row) for row in rows]


def _decide(
    attempt: Attempt,
    standings: Mapping[UUID, Standing],
    policy: RetryPolicy,
    now: datetime,
) -> Recorded:
    if attempt.error is None:
        return Recorded(attempt, Outcome.DELIVERED)
    if _is_held(attempt):
        return Recorded(attempt, Outcome.HELD, policy.after_mending(now))
    standing = standings.get(attempt.leased.target.webhook_id)
    if standing is None:  # deleted meanwhile
        return Recorded(attempt, Outcome.FAILED)
    disabled = standing.disabled_reason if standing.disabled_by is attempt else None
    following = None
    if standing.is_active:
        following = policy.next_attempt(
            attempt.leased.number, now=now, retry_after=attempt.retry_after
        )
    outcome = Outcome.FAILED if following is None else Outcome.RETRIED
    return Recorded(attempt, outcome, following, disabled)


_STATES: Final = {
    Outcome.DELIVERED: DeliveryState.DELIVERED,
    Outcome.RETRIED: DeliveryState.PENDING,
    Outcome.FAILED: DeliveryState.FAILED,
    Outcome.HELD: DeliveryState.PENDING,
}
_UPDATE: Final = (
    update(DELIVERIES)
    .where(DELIVERIES.c.id == bindparam("delivery"))
    .values(
        state=bindparam("new_state"),
        attempts=bindparam("number"),
        next_attempt_at=bindparam("following"),
        finished_at=bindparam("finished"),
        lease_until=None,
        lease_token=None,
    )
)


async def _write(
    session: AsyncSession, recorded: Collection[Recorded], now: datetime
) -> None:
    """The deliveries, which are locked, and the log of their attempts."""
    connection = await session.connection()
    await connection.execute(
        _UPDATE,
        [
            {
                "delivery": each.attempt.leased.delivery_id,
                "new_state": _STATES[each.outcome],
                "number": each.attempt.leased.number - (each.outcome is Outcome.HELD),
                # What is over keeps the moment at which it was due: it has to have one.
                "following": each.next_attempt_at or each.attempt.started_at,
                "finished": None if each.next_attempt_at is not None else now,
            }
            for each in recorded
        ],
    )
    made = [
        _row_of(each.attempt) for each in recorded if each.outcome is not Outcome.HELD
    ]
    if made:
        await connection.execute(insert(_ATTEMPTS), made)


def _row_of(attempt: Attempt) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "delivery_id": attempt.leased.delivery_id,
        "number": attempt.leased.number,
        "started_at": attempt.started_at,
        "duration_ms": round(attempt.seconds * 1000),
        "status_code": attempt.status,
        "error_code": attempt.error,
        "settings": attempt.settings.name,
    }


async def _write_standings(
    session: AsyncSession, standings: Collection[Standing]
) -> None:
    connection = await session.connection()
    for standing in standings:
        # Not through the mapper: the version is that of the owner's own changes.
        values: dict[str, Any] = {
            "consecutive_failures": standing.consecutive_failures,
            "failing_since": standing.failing_since,
            "last_failed_at": standing.last_failed_at,
            "updated_at": WEBHOOKS.c.updated_at,
        }
        if standing.disabled_reason is not None:
            values |= {
                "is_active": False,
                "disabled_reason": standing.disabled_reason,
            }
        await connection.execute(
            update(WEBHOOKS).where(WEBHOOKS.c.id == standing.webhook_id).values(values)
        )


def _events(
    recorded: Iterable[Recorded], standings: Mapping[UUID, Standing], now: datetime
) -> list[BaseEvent[Any]]:
    """What the owners are told: the first failure of a row, what is given up, the end.

    Not each failure: a delivery has up to ten, and there may be thousands of them.
    """
    events: list[BaseEvent[Any]] = []
    for each in recorded:
        standing = standings.get(each.attempt.leased.target.webhook_id)
        if (
            standing is not None
            and not each.attempt.leased.event_type.startswith(_OWN)
            and (
                each.outcome is Outcome.FAILED
                or each.attempt.leased.lease in standing.first_failures
            )
        ):
            events.append(_failure_of(each, standing, now))
    events += [
        _end_of(standing, standing.disabled_by, now)
        for standing in standings.values()
        if standing.disabled_by is not None
    ]
    return events


def _failure_of(
    recorded: Recorded, standing: Standing, now: datetime
) -> WebhookDeliveryFailedEvent:
    attempt, leased = recorded.attempt, recorded.attempt.leased
    status = attempt.status
    payload = WebhookDeliveryFailedPayload(
        webhook_id=standing.webhook_id,
        user_id=standing.user_id,
        delivery_id=leased.delivery_id,
        delivered_event_id=leased.event_id,
        delivered_event_type=leased.event_type,
        attempt=leased.number,
        # The event has only those that HTTP has.
        status_code=status if status is not None and 100 <= status <= 599 else None,
        error_code=str(attempt.error),
        next_attempt_at=recorded.next_attempt_at,
    )
    return WebhookDeliveryFailedEvent(
        payload=payload, timestamp=now, causation_id=leased.event_id, **_id_of(attempt)
    )


def _end_of(
    standing: Standing, attempt: Attempt, now: datetime
) -> WebhookDisabledEvent:
    payload = WebhookDisabledPayload(
        webhook_id=standing.webhook_id,
        user_id=standing.user_id,
        reason="too_many_failures",
        consecutive_failures=standing.consecutive_failures,
        error_code=str(attempt.error),
    )
    return WebhookDisabledEvent(
        payload=payload,
        timestamp=now,
        causation_id=attempt.leased.event_id,
        **_id_of(attempt),
    )


def _id_of(attempt: Attempt) -> dict[str, Any]:
    correlation_id = attempt.leased.correlation_id
    return {} if correlation_id is None else {"correlation_id": correlation_id}
