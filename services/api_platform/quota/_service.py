"""Whether a call may be made, and what it costs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite
from typing import Final, Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.limits import Limits, OnFailure
from services.api_platform.models import APIClient, APIUsageLog, UsageState
from services.api_platform.quota._billing import BillingClient, BillingState
from services.api_platform.quota._discounts import Discounts
from services.api_platform.quota._errors import (
    BillingBlockedException,
    InsufficientCreditsException,
)
from services.api_platform.quota._policies import TOLD_FROM, Windows
from services.api_platform.quota._repository import UsageLogRepository
from services.api_platform.quota._usage import Usage
from shared.database import Database
from shared.errors import BaseAPIException
from shared.events import (
    QuotaExceededEvent,
    QuotaExceededPayload,
    QuotaThresholdReachedEvent,
    QuotaThresholdReachedPayload,
)
from shared.logging import SecurityEvent, correlation_id_var, log_security_event
from shared.messaging.outbox import Outbox
from shared.rate_limit import (
    Decision,
    RateLimiter,
    RateLimitPolicy,
    RateLimitUnavailableException,
    Reservation,
    Standing,
    refusal,
)

_log = logging.getLogger("api_platform.quota")

BillingOutcome = Literal["allowed", "refused", "failed_open", "failed_closed"]

_EXCEEDED: Final = "exceeded"


@dataclass(frozen=True, slots=True)
class Action:
    """What is done, and what becomes of it when nobody can say whether it may be.

    Attributes:
        name: In the usage log, such as ``generation.create``.
        without_store: While units can't be counted.
        without_billing: While the business service does not answer.
    """

    name: str
    without_store: OnFailure = "closed"
    without_billing: OnFailure = "closed"


ANY_CALL: Final = Action("api.call")
"""Of no name of its own; refused while nobody can say whether it may be made."""


@dataclass(frozen=True, slots=True)
class Counters:
    """Where decisions are counted: by the policy's name, and of the billing status."""

    limit: Callable[[str, str], object]
    billing: Callable[[BillingOutcome], object]


@dataclass(frozen=True, slots=True)
class QuotaService:
    """Counts units in several windows at once, per key and per user.

    Attributes:
        database: Where the usage log is.
        limiter: Counts.
        billing: Knows who pays.
        discounts: Lower the cost.
        outbox: Takes the events.
        limits: Of the settings.
        counters: Metrics.
        now: The clock.
    """

    database: Database
    limiter: RateLimiter
    billing: BillingClient
    discounts: Discounts
    outbox: Outbox
    limits: Limits
    counters: Counters
    now: Callable[[], datetime]

    async def check_and_log_usage(
        self,
        db: AsyncSession,
        api_client: APIClient,
        action_cost: int,
        *,
        action: Action = ANY_CALL,
    ) -> Usage:
        """Reserve *action_cost* units, or refuse.

        The reservation is in the usage log, committed, when this returns: a process
        that dies leaves it there, for `UsageSweep`.

        Args:
            db: The session whose transaction keeps the units; see `Usage.commit`. It
                holds no connection meanwhile if it has begun nothing.
            api_client: The key that calls.
            action_cost: Units, before discounts.
            action: What they are for.

        Raises:
            RateLimitExceededException: They are not there; the problem has the
                policy's name.
            BillingBlockedException: The user is blocked.
            InsufficientCreditsException: The user has no credits.
            ServiceUnavailableException: Nobody can say, and *action* fails closed; or
                an `UpstreamException` for a wrong answer.
        """
        await self._check_billing(api_client, action)
        cost = await self.discounts.cost_for(api_client.user_id, action_cost)
        reservations = await self._take(api_client, cost, action)
        told: list[Reservation] = []
        try:
            usage_id = await self._reserve(api_client, cost, action, reservations, told)
        except BaseException:
            await _give_back([*reservations, *told])
            raise
        return Usage(
            usage_id,
            cost,
            db=db,
            database=self.database,
            reservations=reservations,
        )

    # ------------------------------------------------------------------- billing

    async def _check_billing(self, client: APIClient, action: Action) -> None:
        try:
            status = await self.billing.get_billing_status(client.user_id)
        except BaseAPIException as error:
            fails_open = action.without_billing == "open"
            self.counters.billing("failed_open" if fails_open else "failed_closed")
            _log.warning(
                "the billing status is not known, %s %s: %s",
                action.name,
                "goes on" if fails_open else "is refused",
                error.code,
            )
            if not fails_open:
                raise
            return
        blocked = status.status is BillingState.BLOCKED
        allowed = not blocked and status.credit_balance > 0
        self.counters.billing("allowed" if allowed else "refused")
        if blocked:
            raise BillingBlockedException
        if not allowed:
            raise InsufficientCreditsException

    # --------------------------------------------------------------------- units

    async def _take(
        self, client: APIClient, cost: int, action: Action
    ) -> list[Reservation]:
        """Take the units of the key and of the user, or of none of them."""
        taken: list[Reservation] = []
        owners = Windows.of(self.limits).owners(client.id, client.user_id)
        for owner, key_id, policies in owners:
            try:
                decision = await self.limiter.acquire(owner, policies, cost)
            except RateLimitUnavailableException as error:
                fails_open = action.without_store == "open"
                self._report(policies, action, error)
                if not fails_open:
                    await _give_back(taken)
                    raise
                continue
            except BaseException:
                await _give_back(taken)
                raise
            if not decision.allowed:
                await _give_back(taken)
                await self._refused(client, key_id, decision, action)
                raise refusal(decision)
            self._count(policies, "allowed")
            taken.append(Reservation(self.limiter, decision))
        return taken

    def _report(
        self,
        policies: Iterable[RateLimitPolicy],
        action: Action,
        error: RateLimitUnavailableException,
    ) -> None:
        outcome = f"failed_{action.without_store}"
        self._count(policies, outcome)
        _log.warning(
            "quotas can't be counted, %s %s: %s",
            action.name,
            outcome,
            type(error.__cause__ or error).__name__,
        )

    def _count(self, policies: Iterable[RateLimitPolicy], outcome: str) -> None:
        for policy in policies:
            self.counters.limit(policy.name, outcome)

    async def _reserve(
        self,
        client: APIClient,
        cost: int,
        action: Action,
        reservations: list[Reservation],
        told: list[Reservation],
    ) -> UUID:
        usage = APIUsageLog(
            api_client_id=client.id,
            user_id=client.user_id,
            action=action.name,
            cost=cost,
            state=UsageState.RESERVED,
            correlation_id=correlation_id_var.get() or None,
            created_at=self.now(),
        )
        near = await self._near_the_end(reservations, told)
        async with self.database.session() as session:
            UsageLogRepository(session).add(usage)
            for decision, standing in near:
                key_id = client.id if decision.key.startswith("key:") else None
                payload = QuotaThresholdReachedPayload(
                    **_facts(client, key_id, standing),
                    period_ends_at=self._later(standing.reset_after),
                    threshold_percent=self.limits.threshold_percent,
                )
                self.outbox.add(session, QuotaThresholdReachedEvent(payload=payload))
        return usage.id

    # ------------------------------------------------------------ what owners hear

    async def _near_the_end(
        self, reservations: list[Reservation], told: list[Reservation]
    ) -> list[tuple[Decision, Standing]]:
        """The quotas of which so much is used that it is time to say so."""
        percent = self.limits.threshold_percent
        near = []
        for reservation in reservations:
            decision = reservation.decision
            for standing in decision.standings if decision else ():
                used = standing.policy.limit - standing.remaining
                if (
                    decision is not None
                    and standing.policy.window >= TOLD_FROM
                    and used * 100 >= standing.policy.limit * percent
                    and await self._first(decision.key, standing, f"{percent}", told)
                ):
                    near.append((decision, standing))
        return near

    async def _refused(
        self,
        client: APIClient,
        key_id: UUID | None,
        decision: Decision,
        action: Action,
    ) -> None:
        self._count(decision.violated, "refused")
        log_security_event(
            SecurityEvent.RATE_LIMITED,
            outcome="denied",
            actor=str(client.user_id),
            target=client.api_key,
            reason=", ".join(policy.name for policy in decision.violated),
            action=action.name,
            cost=decision.cost,
        )
        told: list[Reservation] = []
        over = [
            standing
            for standing in decision.standings
            if standing.retry_after
            and isfinite(standing.retry_after)
            and standing.policy.window >= TOLD_FROM
            and await self._first(decision.key, standing, _EXCEEDED, told)
        ]
        if not over:
            return
        try:
            async with self.database.session() as session:
                for standing in over:
                    payload = QuotaExceededPayload(
                        **_facts(client, key_id, standing),
                        period_ends_at=self._later(standing.retry_after),
                    )
                    self.outbox.add(session, QuotaExceededEvent(payload=payload))
        except BaseException:
            await _give_back(told)
            raise

    async def _first(
        self, owner: str, standing: Standing, what: str, told: list[Reservation]
    ) -> bool:
        """Whether nobody has said so yet in this window, in any process."""
        policy = standing.policy
        once = RateLimitPolicy(f"{policy.name}.{what}", 1, policy.window)
        try:
            decision = await self.limiter.acquire(owner, [once])
        except RateLimitUnavailableException:
            return False
        told.append(Reservation(self.limiter, decision))
        return decision.allowed

    def _later(self, seconds: float) -> datetime:
        return self.now() + timedelta(seconds=seconds)


def _facts(
    client: APIClient, key_id: UUID | None, standing: Standing
) -> dict[str, object]:
    policy = standing.policy
    return {
        "user_id": client.user_id,
        "api_key_id": key_id,
        "quota": policy.name,
        "limit": policy.limit,
        "used": policy.limit - standing.remaining,
    }


async def _give_back(reservations: Iterable[Reservation]) -> None:
    for reservation in reservations:
        await reservation.refund()
