"""Whatever targets, clocks and workers do, no delivery is lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from services.api_platform.delivery import SCHEDULE, DeliveryLoop
from services.api_platform.models import DeliveryState
from services.api_platform.tests.delivery_scene import (
    Behaviour,
    Scene,
    answer,
    never,
    scene_on,
    until,
)
from shared.http_client import Fault, FaultKind, Reply

PENDING, DELIVERED, FAILED = (
    DeliveryState.PENDING,
    DeliveryState.DELIVERED,
    DeliveryState.FAILED,
)
MARGIN: Final = timedelta(seconds=45)
"""The longest lease of the usual settings."""

said = st.sampled_from(
    [
        answer(204),
        answer(500),
        answer(302),
        answer(429, retry_after="3600"),
        Fault(FaultKind.BROKEN),
        TimeoutError(),
    ]
)
steps = st.one_of(
    st.tuples(st.just("add"), st.integers(1, 3)),
    st.tuples(st.just("round"), said),
    st.tuples(st.just("die"), st.none()),
    st.tuples(st.just("stop"), st.none()),
    st.tuples(
        st.just("pass"),
        st.sampled_from([timedelta(seconds=1), MARGIN, *SCHEDULE[1:4]]),
    ),
)


@settings(max_examples=40, deadline=None)
@given(ordered=st.booleans(), steps=st.lists(steps, max_size=12))
def test_nothing_is_lost_or_leased_for_ever(
    ordered: bool, steps: list[tuple[str, object]]
) -> None:
    """When the target is well, all that was not given up gets there, within a day."""
    with TemporaryDirectory() as folder:
        asyncio.run(_play(Path(folder), ordered, steps))


async def _play(folder: Path, ordered: bool, steps: list[tuple[str, object]]) -> None:
    async with scene_on(f"sqlite:///{folder}/test.db") as scene:
        webhook = await scene.webhook(ordered=ordered)
        added = 0
        for kind, value in steps:
            match kind, value:
                case "add", int():
                    await scene.deliver(webhook, value)
                    added += value
                case "pass", timedelta():
                    scene.clock.advance(value)
                case "die", _:
                    await _die(scene)
                case "stop", _:
                    await _stop(scene)
                case _, (Reply() | Exception()) as told:
                    await _round(scene, told)
            await _check(scene, added)
        scene.targets.all_say(answer(204))
        # The longest pause there may be, with the lease of one who died before it.
        scene.clock.advance(MARGIN)
        scene.clock.advance(timedelta(hours=27))
        await scene.finish(scene.make_worker())

        deliveries = await scene.deliveries()
        assert len(deliveries) == added
        assert PENDING not in {each.state for each in deliveries}
        taken = {each.headers["webhook-id"] for each in scene.targets.requests}
        for each in deliveries:
            assert each.state == DELIVERED or each.attempts == 10
            assert str(each.event_id) in taken
            assert (each.lease_until, each.lease_token) == (None, None)


async def _round(scene: Scene, told: Behaviour) -> None:
    scene.targets.all_say(told)
    await scene.make_worker().round()


async def _begin(scene: Scene) -> DeliveryLoop:
    """A worker in the middle of its requests, if there is anything to be done."""
    scene.targets.all_say(never)
    worker = scene.make_worker()
    expected = len(scene.targets.requests) + await worker.begin()
    await until(lambda: len(scene.targets.requests) == expected)
    await asyncio.sleep(0.005)  # until all of them wait for the answer
    return worker


async def _die(scene: Scene) -> None:
    """Kill a worker between the request and the commit: it is never heard of again."""
    await _begin(scene)


async def _stop(scene: Scene) -> None:
    """End a worker in order, with requests under way."""
    worker = await _begin(scene)
    await worker.stop(timeout=0)


async def _check(scene: Scene, added: int) -> None:
    """What holds at every moment."""
    deliveries = await scene.deliveries()
    attempts = await scene.attempts()
    assert len(deliveries) == added
    for each in deliveries:
        numbers = [a.number for a in attempts if a.delivery_id == each.id]
        assert numbers == [*range(1, each.attempts + 1)]
        assert each.lease_until is None or each.lease_until <= scene.clock() + MARGIN
        assert (each.lease_until is None) == (each.lease_token is None)
        assert (each.finished_at is None) == (each.state == PENDING)
