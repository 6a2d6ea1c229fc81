"""An event that fails once and is handled then, and one that nobody wants."""

import asyncio
import logging
from uuid import UUID

from shared.events import UserDeletedEvent, UserDeletedPayload
from shared.messaging import FailurePolicy, InMemoryBus, current_delivery

USER = UUID("7ad29fee-3ed3-4ee2-8d5c-6c4fe6d4e6a5")


async def main() -> None:
    """Publish, fail, be retried, be handled."""
    attempts: list[int] = []
    done = asyncio.Event()

    async def clean_up(_: UserDeletedEvent) -> None:
        delivery = current_delivery()
        assert delivery is not None
        attempts.append(delivery.attempt)
        if delivery.attempt == 1:
            raise RuntimeError("not yet")
        done.set()

    event = UserDeletedEvent(
        payload=UserDeletedPayload(user_id=USER, requested_by="user")
    )
    policy = FailurePolicy(immediate_retries=0, delays=(0.01,))
    async with InMemoryBus("accounts") as deaf:
        await deaf.publish(event)
    bus = InMemoryBus("accounts")
    bus.subscribe(UserDeletedEvent, clean_up, policy=policy)
    async with bus, asyncio.timeout(30):
        await bus.publish(event)
        await done.wait()

    assert attempts == [1, 2]
    assert (deaf.unrouted_count, bus.unrouted_count) == (1, 0)
    assert bus.dead_letters() == ()


logging.getLogger("shared.messaging").setLevel(logging.CRITICAL)
asyncio.run(main())
