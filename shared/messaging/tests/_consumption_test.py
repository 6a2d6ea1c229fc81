from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.events import (
    EventRegistry,
    UserDeletedEvent,
    UserDeletedPayload,
)
from shared.messaging import FailurePolicy, Observation, Outcome, Subscription
from shared.messaging._consumption import Consumption, DeliveryLostError
from shared.messaging._message import IncomingMessage, MessageWriter
from shared.messaging._subscription import Subscriptions
from shared.testing import FakeClock, captured_logs

ONCE = FailurePolicy(immediate_retries=0, delays=())
ADA, BOB = UUID(int=1), UUID(int=2)

Handler = Callable[[UserDeletedEvent], Awaitable[object]]


class _Settler:
    """Notes what it is told, and raises what it is given."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        self.errors: list[Exception] = []
        self.changed = asyncio.Event()

    async def _settle(self, how: str, message: IncomingMessage) -> None:
        self.changed.set()
        if self.errors:
            raise self.errors.pop(0)
        self.told.append((how, message.tag))

    async def done(self, message: IncomingMessage) -> None:
        await self._settle("done", message)

    async def retry(
        self, message: IncomingMessage, *, delay: float, headers: dict[str, Any]
    ) -> None:
        await self._settle(f"retry in {delay:g}", message)

    async def dead(self, message: IncomingMessage, *, headers: dict[str, Any]) -> None:
        await self._settle(headers["x-reason"], message)

    async def until(self, number: int) -> None:
        async with asyncio.timeout(30):
            while len(self.told) < number:
                self.changed.clear()
                await self.changed.wait()


class _World:
    """A consumption, what it says, and messages for it."""

    def __init__(self) -> None:
        self.settler = _Settler()
        self.told: list[Observation] = []
        self.clock = FakeClock()

    def consumption(
        self,
        handler: Handler,
        *,
        policy: FailurePolicy = ONCE,
        ordered: bool = False,
        concurrency: int = 10,
        **options: Any,
    ) -> Consumption:
        registry = EventRegistry([UserDeletedEvent])
        subscription: Subscription = Subscriptions("a", registry).add(
            UserDeletedEvent,
            handler,
            name="b",
            policy=policy,
            ordered=ordered,
            concurrency=concurrency,
        )
        options = {"sleep": self.clock.async_sleep} | options
        return Consumption(
            subscription,
            self.settler,
            registry=registry,
            observe=self.told.append,
            max_bytes=10_000,
            now=self.clock.now,
            clock=self.clock.monotonic,
            **options,
        )

    def message(self, tag: int, user: UUID | None = None) -> IncomingMessage:
        payload = UserDeletedPayload(user_id=user or uuid4(), requested_by="user")
        body = MessageWriter().write(UserDeletedEvent(payload=payload)).body
        return IncomingMessage(body=body, tag=tag)

    @property
    def outcomes(self) -> list[Outcome]:
        return [each.outcome for each in self.told]


@pytest.fixture
async def world() -> _World:
    """In a loop."""
    return _World()


async def _nothing(_: UserDeletedEvent) -> None: ...


async def _fail(_: UserDeletedEvent) -> None:
    raise ValueError("hunter2")


async def test_what_is_handled_is_settled_and_let_go(world: _World) -> None:
    """Nothing of it stays."""
    consumption = world.consumption(_nothing)
    consumption.accept(world.message(1))
    before = consumption.in_hand
    await world.settler.until(1)
    await consumption.stop(timeout=30)

    assert world.settler.told == [("done", 1)]
    assert (before, consumption.in_hand) == (1, 0)


async def test_a_lost_delivery_is_no_failure(world: _World) -> None:
    """The broker gives it to somebody again, so nobody is told of an error."""
    consumption = world.consumption(_nothing)
    world.settler.errors = [DeliveryLostError()]
    with captured_logs("shared.messaging", level="WARNING") as logs:
        consumption.accept(world.message(1))
        consumption.accept(world.message(2))
        await world.settler.until(1)

    assert world.settler.told == [("done", 2)]
    assert sorted(world.outcomes) == [Outcome.HANDLED, Outcome.RELEASED]
    assert logs == []
    assert consumption.in_hand == 0


async def test_behind_a_lost_delivery_an_aggregate_waits(world: _World) -> None:
    """It would be overtaken: those in hand are lost with it. Others go on."""
    consumption = world.consumption(_nothing, ordered=True, concurrency=1)
    world.settler.errors = [DeliveryLostError()]
    for tag, user in enumerate([ADA, ADA, BOB, ADA, BOB]):
        consumption.accept(world.message(tag, user))
    await world.settler.until(2)

    assert world.settler.told == [("done", 2), ("done", 4)]
    await consumption.stop(timeout=30)
    assert world.outcomes.count(Outcome.RELEASED) == 3
    assert consumption.in_hand == 0


async def test_what_can_not_be_settled_is_logged(world: _World) -> None:
    """It is not acknowledged, so it comes again."""
    consumption = world.consumption(_nothing)
    world.settler.errors = [OSError("no route")]
    with captured_logs("shared.messaging", level="ERROR") as logs:
        consumption.accept(world.message(1))
        consumption.accept(world.message(2))
        await world.settler.until(1)

    assert logs.messages == ["A message of a.b could not be settled."]
    assert Outcome.RELEASED in world.outcomes


async def test_a_handler_that_cancels_itself_has_failed_in_its_place(
    world: _World,
) -> None:
    """The next event of the aggregate waits, and tries are counted."""
    calls: list[UUID] = []

    async def cancel_once(event: UserDeletedEvent) -> None:
        calls.append(event.event_id)
        if len(calls) == 1:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)

    policy = FailurePolicy(immediate_retries=0, delays=(60.0,), timeout=30)
    consumption = world.consumption(cancel_once, ordered=True, policy=policy)
    for tag in (1, 2):
        consumption.accept(world.message(tag, ADA))
    await world.settler.until(2)

    assert world.settler.told == [("done", 1), ("done", 2)]
    assert len(calls) == 3
    assert calls[0] == calls[1]
    assert world.outcomes == [Outcome.RETRIED, Outcome.HANDLED, Outcome.HANDLED]


@pytest.mark.parametrize("ordered", [True, False])
async def test_what_no_event_is_to_blame_for_uses_up_no_round(
    world: _World, ordered: bool
) -> None:
    """However long it lasts; what fails then has all its rounds, and no more."""
    errors = [*[OSError("away")] * 6, *[ValueError("its own")] * 3]
    policy = FailurePolicy(immediate_retries=0, delays=(1.0, 10.0), hold_on=(OSError,))
    slept: list[float] = []
    sent: dict[str, Any] = {}

    async def fail(_: UserDeletedEvent) -> None:
        raise errors.pop(0)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def retry(
        message: IncomingMessage, *, delay: float, headers: dict[str, Any]
    ) -> None:
        slept.append(delay)
        sent.update(headers)
        again = IncomingMessage(body=message.body, tag=1, headers=dict(headers))
        asyncio.get_running_loop().call_soon(consumption.accept, again)

    world.settler.retry = retry  # type: ignore[method-assign]
    consumption = world.consumption(fail, policy=policy, ordered=ordered, sleep=sleep)
    consumption.accept(world.message(1))
    await world.settler.until(1)

    assert slept == [1.0, *[10.0] * 5, 1.0, 10.0]
    assert world.settler.told == [("exhausted", 1)]
    assert errors == []


async def test_a_loop_that_is_closed_is_not_held_up(world: _World) -> None:
    """Its end cancels all tasks; the event is neither handled nor dead."""
    started = asyncio.Event()

    async def hang(_: UserDeletedEvent) -> None:
        started.set()
        await asyncio.Event().wait()

    consumption = world.consumption(hang)
    consumption.accept(world.message(1))
    await started.wait()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    async with asyncio.timeout(30):
        await asyncio.wait(others)

    assert world.settler.told == []
    assert consumption.in_hand == 1
    await consumption.stop(timeout=0)
    assert world.outcomes == [Outcome.RELEASED]


async def test_stop_gives_back_what_was_not_begun(world: _World) -> None:
    """It is told of each, and waits for the one that runs."""
    gate, started = asyncio.Event(), asyncio.Event()

    async def wait(_: UserDeletedEvent) -> None:
        started.set()
        await gate.wait()

    consumption = world.consumption(wait, ordered=True, concurrency=1)
    for tag, user in enumerate([ADA, ADA, BOB, BOB]):
        consumption.accept(world.message(tag, user))
    await started.wait()
    stopping = asyncio.create_task(consumption.stop(timeout=30))
    await asyncio.sleep(0)
    assert consumption.in_hand == 1
    consumption.accept(world.message(5))
    gate.set()
    await stopping

    assert world.settler.told == [("done", 0)]
    assert sorted(world.outcomes) == [Outcome.HANDLED, *[Outcome.RELEASED] * 3]
    assert consumption.in_hand == 0


async def test_stop_before_anything_ran_releases_it(world: _World) -> None:
    """A task that was made and never began counts as well."""
    consumption = world.consumption(_nothing)
    consumption.accept(world.message(1))
    await consumption.stop(timeout=30)

    assert world.outcomes == [Outcome.RELEASED]
    assert consumption.in_hand == 0


async def test_stop_that_is_cancelled_leaves_nothing_running(world: _World) -> None:
    """Who has no time left for handlers has none."""
    ended, started = asyncio.Event(), asyncio.Event()

    async def hang(_: UserDeletedEvent) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    consumption = world.consumption(hang)
    consumption.accept(world.message(1))
    await started.wait()
    stopping = asyncio.create_task(consumption.stop(timeout=3600))
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    async with asyncio.timeout(30):
        await ended.wait()

    assert world.settler.told == []


async def test_stop_does_not_retry_in_hand(world: _World) -> None:
    """A try that fails while the bus stops is the last one here."""
    gate, started = asyncio.Event(), asyncio.Event()
    calls = 0

    async def fail_late(_: UserDeletedEvent) -> None:
        nonlocal calls
        calls += 1
        started.set()
        await gate.wait()
        raise ValueError

    policy = FailurePolicy(immediate_retries=0, delays=(60.0,), timeout=30)
    consumption = world.consumption(fail_late, ordered=True, policy=policy)
    consumption.accept(world.message(1))
    await started.wait()
    stopping = asyncio.create_task(consumption.stop(timeout=30))
    await asyncio.sleep(0)
    gate.set()
    await stopping

    assert calls == 1
    assert world.settler.told == []
    assert world.outcomes[-1] is Outcome.RELEASED


async def test_a_failure_is_logged_with_its_ids(world: _World) -> None:
    """For whoever looks for the event, with the error itself."""
    consumption = world.consumption(_fail, policy=FailurePolicy(delays=(2.0,)))
    with captured_logs("shared.messaging") as logs:
        consumption.accept(world.message(1))
        await world.settler.until(1)
    (line,) = logs.having(level="WARNING")

    assert world.settler.told == [("retry in 2", 1)]
    assert line["message"] == "An event failed, and is tried again in 2 seconds."
    assert (line["consumer"], line["attempts"]) == ("a.b", 2)
    assert line["event_type"] == "user.deleted"
    assert line["correlation_id"] is not None
    assert "ValueError" in str(line["exc_info"])


async def test_a_handled_event_is_logged(world: _World) -> None:
    """Once, with what it took."""
    consumption = world.consumption(_nothing)
    with captured_logs("shared.messaging") as logs:
        consumption.accept(world.message(1))
        await world.settler.until(1)
    (line,) = logs

    assert line["message"] == "user.deleted was handled."
    assert (line["attempts"], line["duration_ms"]) == (1, 0)


async def test_a_reader_that_fails_makes_a_dead_letter(
    world: _World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug in reading must not lose the message, nor end the consumer."""

    def explode(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("shared.messaging._consumption.read_event", explode)
    consumption = world.consumption(_nothing)
    consumption.accept(world.message(1))
    await world.settler.until(1)

    assert world.settler.told == [("malformed", 1)]


async def test_what_sleeps_gives_its_place_to_others(world: _World) -> None:
    """One place: it is free while an ordered event is held, and taken after that."""
    woken = asyncio.Event()
    running, log = 0, []

    async def sleep(_: float) -> None:
        await woken.wait()

    async def handle(event: UserDeletedEvent) -> None:
        nonlocal running
        running += 1
        assert running == 1
        log.append(event.payload.user_id)
        await asyncio.sleep(0)
        running -= 1
        if len(log) == 1:
            raise ValueError

    policy = FailurePolicy(immediate_retries=0, delays=(60.0,), timeout=30)
    consumption = world.consumption(
        handle, ordered=True, concurrency=1, policy=policy, sleep=sleep
    )
    for tag, user in enumerate([ADA, ADA, BOB, BOB]):
        consumption.accept(world.message(tag, user))
    await world.settler.until(2)
    woken.set()
    await world.settler.until(4)

    assert [tag for _, tag in world.settler.told] == [2, 3, 0, 1]
    assert log == [ADA, BOB, BOB, ADA, ADA]
