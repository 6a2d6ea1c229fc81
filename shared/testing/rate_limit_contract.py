"""What every `RateLimiter` must do. Needs pytest, pytest-asyncio and hypothesis.

::

    class TestMine(RateLimiterContract):
        @pytest.fixture
        def backend(self) -> RateLimiterBackend:
            clock = FakeClock()
            return RateLimiterBackend(MyLimiter(clock=clock.monotonic), clock)
"""

# ruff: noqa: S101 - this is a test, whose classes run elsewhere

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from math import inf

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.rate_limit import (
    Decision,
    RateLimiter,
    RateLimitPolicy,
    RateLimitUnavailableException,
)
from shared.testing import FakeClock

__all__ = [
    "RateLimiterBackend",
    "RateLimiterContract",
    "Step",
    "UnavailableRateLimiter",
    "steps",
    "take_steps",
]

BURST = RateLimitPolicy("burst", limit=5, window=10)
DAILY = RateLimitPolicy("daily", limit=8, window=3600)
WINDOWS = (BURST, DAILY)

# The fraction of a window for which units may be held longer than the window.
GRAIN = 60

_relaxed = settings(
    deadline=None,
    max_examples=50,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,  # each example has its own key
        HealthCheck.differing_executors,  # it is inherited
        HealthCheck.too_slow,  # a server answers when it does
    ],
)


@dataclass(frozen=True)
class RateLimiterBackend:
    """A limiter under test.

    Attributes:
        limiter: The one that is asked.
        clock: What it takes the time from.
        twin: Another object on the same store, as of another process.
    """

    limiter: RateLimiter
    clock: FakeClock
    twin: RateLimiter | None = None

    @property
    def other(self) -> RateLimiter:
        """The twin, or the limiter itself."""
        return self.twin or self.limiter


class UnavailableRateLimiter:
    """A limiter whose store is down, to test what becomes of its users."""

    async def acquire(
        self, key: str, policies: Sequence[RateLimitPolicy], cost: int = 1
    ) -> Decision:
        """Fail."""
        raise RateLimitUnavailableException from ConnectionError("refused")

    peek = acquire

    async def refund(self, decision: Decision, units: int | None = None) -> None:
        """Fail."""
        raise RateLimitUnavailableException from ConnectionError("refused")


@dataclass(frozen=True)
class Step:
    """After *wait* microseconds: take *cost*, or refund an earlier decision."""

    wait: int
    cost: int
    refund: int | None = None


def steps() -> st.SearchStrategy[list[Step]]:
    """Sequences of questions and refunds, at moments that matter to `WINDOWS`."""
    waits = st.one_of(
        st.integers(0, 200_000),
        st.integers(0, 12_000_000),
        st.sampled_from([0, 1, 9_999_999, 10_000_000, 10_000_001, 3_600_000_000]),
    )
    return st.lists(
        st.builds(
            Step,
            wait=waits,
            cost=st.integers(0, 6),
            refund=st.none() | st.none() | st.integers(0, 9),
        ),
        max_size=25,
    )


async def take_steps(
    limiter: RateLimiter, clock: FakeClock, key: str, todo: Sequence[Step]
) -> list[Decision]:
    """Do them, and return what was answered to the questions."""
    decisions: list[Decision] = []
    refunded: set[int] = set()
    for step in todo:
        clock.advance(timedelta(microseconds=step.wait))
        if step.refund is None or step.refund >= len(decisions):
            decisions.append(await limiter.acquire(key, WINDOWS, step.cost))
        elif step.refund not in refunded:
            refunded.add(step.refund)
            await limiter.refund(decisions[step.refund])
    return decisions


@dataclass
class _Model:
    """The obvious limiter: it keeps every unit with its moment."""

    taken: list[tuple[int, int]] = field(default_factory=list)

    def used(self, within: float, now: int) -> int:
        return sum(units for moment, units in self.taken if moment > now - within)


class RateLimiterContract:
    """Subclass it, and override the fixture ``backend``."""

    @pytest.fixture
    def backend(self) -> RateLimiterBackend:
        """Return the limiter to test, with nothing counted under the keys used."""
        raise NotImplementedError

    @pytest.fixture
    def key(self) -> str:
        """Return a key that nobody else uses."""
        return uuid.uuid4().hex

    async def test_the_limit_is_allowed_and_no_more(
        self, backend: RateLimiterBackend, key: str
    ) -> None:
        """As many as the limit says, and what remains is told each time."""
        answers = [await backend.limiter.acquire(key, [BURST]) for _ in range(6)]

        assert [answer.allowed for answer in answers] == [True] * 5 + [False]
        assert [bool(answer) for answer in answers] == [True] * 5 + [False]
        assert [answer.remaining for answer in answers] == [4, 3, 2, 1, 0, 0]

    async def test_a_refusal_says_when_to_come_back(
        self, backend: RateLimiterBackend, key: str
    ) -> None:
        """The first unit comes back a window after it was taken."""
        await backend.limiter.acquire(key, [BURST])
        backend.clock.advance(4)
        await backend.limiter.acquire(key, [BURST], 4)
        refused = await backend.limiter.acquire(key, [BURST])

        assert (refused.retry_after, refused.violated) == (6.0, (BURST,))
        assert refused.standings[0].reset_after == 6.0
        backend.clock.advance(5.999999)
        assert not (await backend.limiter.acquire(key, [BURST])).allowed
        backend.clock.advance(0.000001)
        assert (await backend.limiter.acquire(key, [BURST])).allowed

    async def test_it_waits_for_as_many_units_as_it_costs(
        self, backend: RateLimiterBackend, key: str
    ) -> None:
        """One unit is there sooner than five."""
        for _ in range(5):
            await backend.limiter.acquire(key, [BURST])
            backend.clock.advance(1)

        waits = [
            (await backend.limiter.peek(key, [BURST], cost)).retry_after
            for cost in (1, 3, 5)
        ]
        assert waits == [5.0, 7.0, 9.0]

    async def test_a_refusal_takes_nothing(
        self, backend: RateLimiterBackend, key: str
    ) -> None:
        """Who keeps asking does not keep waiting."""
        await backend.limiter.acquire(key, [BURST], 5)
        answers = []
        for _ in range(20):
            backend.clock.advance(0.5)
            answers.append((await backend.limiter.acquire(key, [BURST])).allowed)

        assert answers == [False] * 19 + [True]

    async def test_all_policies_or_none(
        self, backend: RateLimiterBackend, key: str
    ) -> None:
        """What one policy refuses is not taken from the others."""
        await backend.limiter.acquire(key, WINDOWS, 5)
        refused = await backend.limiter.acquire(key, WINDOWS)

        assert [s.remaining for s in refused.standings] == [0, 3]
        assert [s.retry_after for s in refused.standings] == [10.0, 0.0]
        assert (refused.violated, refused.remaining) == ((BURST,), 0)
        backend.clock.advance(10)
        both = await backend.limiter.acquire(key, WINDOWS, 3)
        assert [s.remaining for s in both.standings] == [2, 0]
        last = await backend.limiter.acquire(key, WINDOWS, 2)
        assert last.violated == (DAILY,)

    async def test_keys_do_not_share(
        self, backend: RateLimiterBackend, key: str
    ) -> None:
        """Another key has units of its own, whatever it is made of."""
        odd = [
            f"{key}{end}"
            for end in ("", "}", "{a}", ":burst", " ", "\n", "é", "x" * 500)
        ]
        answers = [await backend.limiter.acquire(one, [BURST], 5) for one in odd]

        assert all(answer.allowed for answer in answers)

    async def test_a_higher_limit_keeps_what_was_used(
        self, backend: RateLimiterBackend, key: str
    ) -> None:
        """Policies of one name and window count together, whatever their limits."""
        await backend.limiter.acquire(key, [BURST], 5)
        raised = RateLimitPolicy("burst", limit=7, window=10)
        lowered = RateLimitPolicy("burst", limit=2, window=10)

        assert (await backend.limiter.acquire(key, [raised])).remaining == 1
        low = await backend.limiter.acquire(key, [lowered])
        assert (low.allowed, low.remaining, low.retry_after) == (False, 0, 10.0)

    async def test_peek_takes_nothing(
        self, backend: RateLimiterBackend, key: str
    ) -> None:
        """It answers as if, with what there is."""
        await backend.limiter.acquire(key, [BURST], 3)

        fits = await backend.limiter.peek(key, [BURST], 2)
        too_much = await backend.limiter.peek(key, [BURST], 3)
        assert (fits.allowed, fits.remaining) == (True, 2)
        assert (too_much.allowed, too_much.remaining) == (False, 2)
        assert (await backend.limiter.acquire(key, [BURST], 2)).allowed

    async def test_nothing_used_is_nothing_to_wait_for(
        self, backend: RateLimiterBackend, key: str
    ) -> None:
        """A fresh key has all its units, and none to come back."""
        fresh = await backend.limiter.peek(key, [BURST])

        assert (fresh.remaining, fresh.retry_after) == (5, 0.0)
        assert fresh.standings[0].reset_after == 0.0

    async def test_a_cost_above_the_limit_never_fits(
        self, backend: RateLimiterBackend, key: str
    ) -> None:
        """It is refused for good, and nothing is taken."""
        never = await backend.limiter.acquire(key, WINDOWS, 6)

        assert (never.allowed, never.retry_after) == (False, inf)
        assert [s.remaining for s in never.standings] == [5, 8]

    async def test_a_cost_of_nothing_takes_nothing(
        self, backend: RateLimiterBackend, key: str
    ) -> None:
        """Free actions pass, even when the units are used up."""
        await backend.limiter.acquire(key, [BURST], 5)

        assert (await backend.limiter.acquire(key, [BURST], 0)).allowed

    async def test_a_refund_gives_back_to_all_policies(
        self, backend: RateLimiterBackend, key: str
    ) -> None:
        """The units can be taken again at once."""
        decision = await backend.limiter.acquire(key, WINDOWS, 5)
        await backend.limiter.refund(decision)

        after = await backend.other.acquire(key, WINDOWS, 5)
        assert [s.remaining for s in after.standings] == [0, 3]

    async def test_a_refund_may_be_a_part(
        self, backend: RateLimiterBackend, key: str
    ) -> None:
        """The rest stays taken."""
        decision = await backend.limiter.acquire(key, [BURST], 5)
        await backend.limiter.refund(decision, 2)

        assert (await backend.limiter.peek(key, [BURST])).remaining == 2

    async def test_a_refund_finds_its_own_units(
        self, backend: RateLimiterBackend, key: str
    ) -> None:
        """Those of other moments keep their time to come back."""
        await backend.limiter.acquire(key, [BURST], 2)
        backend.clock.advance(3)
        decision = await backend.limiter.acquire(key, [BURST], 3)
        backend.clock.advance(1)
        await backend.limiter.refund(decision)

        after = await backend.limiter.peek(key, [BURST])
        assert (after.remaining, after.standings[0].reset_after) == (3, 6.0)

    async def test_a_late_refund_does_nothing(
        self, backend: RateLimiterBackend, key: str
    ) -> None:
        """Units that came back with the window do not come back twice."""
        decision = await backend.limiter.acquire(key, [BURST], 5)
        backend.clock.advance(10)
        await backend.limiter.acquire(key, [BURST], 5)
        await backend.limiter.refund(decision)

        assert (await backend.limiter.peek(key, [BURST])).remaining == 0

    async def test_a_refused_decision_has_nothing_to_refund(
        self, backend: RateLimiterBackend, key: str
    ) -> None:
        """It took nothing."""
        await backend.limiter.acquire(key, [BURST], 5)
        refused = await backend.limiter.acquire(key, [BURST], 2)
        await backend.limiter.refund(refused)

        assert (await backend.limiter.peek(key, [BURST])).remaining == 0

    async def test_a_refund_of_more_than_was_taken(
        self, backend: RateLimiterBackend, key: str
    ) -> None:
        """It would make units out of nothing."""
        decision = await backend.limiter.acquire(key, [BURST], 2)

        for units in (3, -1, True):
            with pytest.raises(ValueError, match="from 0 to the 2 that were taken"):
                await backend.limiter.refund(decision, units)

    async def test_bad_questions(self, backend: RateLimiterBackend, key: str) -> None:
        """One clear error, before anything is counted."""
        ask = backend.limiter.acquire

        with pytest.raises(ValueError, match="A rate limit needs a policy"):
            await ask(key, [])
        with pytest.raises(ValueError, match="name 'burst' twice"):
            await ask(key, [BURST, BURST])
        with pytest.raises(ValueError, match="must be text that is not empty"):
            await ask("", [BURST])
        for cost in (-1, True, 1.5, 10**15):
            with pytest.raises(ValueError, match="The cost must be a whole number"):
                await ask(key, [BURST], cost)  # type: ignore[arg-type]
        assert (await backend.limiter.peek(key, [BURST])).remaining == 5

    async def test_a_hundred_tasks(self, backend: RateLimiterBackend, key: str) -> None:
        """However many ask at once, in two processes: never over the limit."""
        hundred = RateLimitPolicy("hundred", limit=37, window=10)
        limiters = [backend.limiter, backend.other] * 50
        answers = await asyncio.gather(
            *(limiter.acquire(key, [hundred, DAILY]) for limiter in limiters)
        )

        assert sum(answer.allowed for answer in answers) == DAILY.limit
        assert (await backend.limiter.peek(key, [hundred])).remaining == 37 - 8

    async def test_a_hundred_tasks_that_refund(
        self, backend: RateLimiterBackend, key: str
    ) -> None:
        """Taking and giving back at once loses and makes no unit."""

        async def take_and_give(limiter: RateLimiter) -> None:
            await limiter.refund(await limiter.acquire(key, WINDOWS))

        limiters = [backend.limiter, backend.other] * 50
        await asyncio.gather(*map(take_and_give, limiters))

        after = await backend.limiter.peek(key, WINDOWS)
        assert [s.remaining for s in after.standings] == [5, 8]

    @_relaxed
    @given(todo=steps())
    async def test_it_agrees_with_the_obvious_limiter(
        self, backend: RateLimiterBackend, todo: list[Step]
    ) -> None:
        """Never over the limit in any window, and no refusal without need.

        Units may be held for the grain of a window longer than the window.
        """
        limiter, clock, key = backend.limiter, backend.clock, uuid.uuid4().hex
        model = _Model()
        decisions: list[Decision] = []
        refunded: set[int] = set()
        for step in todo:
            clock.advance(timedelta(microseconds=step.wait))
            now = round(clock.monotonic() * 1_000_000)
            if step.refund is not None and step.refund < len(decisions):
                earlier = decisions[step.refund]
                entry = (earlier.decided_at, earlier.cost)
                if earlier.allowed and step.refund not in refunded:
                    refunded.add(step.refund)
                    model.taken.remove(entry)
                    await limiter.refund(earlier)
                continue
            decision = await limiter.acquire(key, WINDOWS, step.cost)
            decisions.append(decision)
            spare = []
            for policy in WINDOWS:
                window = policy.window * 1_000_000
                spare.append(policy.limit - model.used(window, now) - step.cost)
                held = model.used(window * (1 + 1 / GRAIN), now)
                certain = policy.limit - held - step.cost >= 0
                assert not certain or policy not in decision.violated
            assert decision.allowed <= (min(spare) >= 0)
            if decision.allowed:
                model.taken.append((now, step.cost))
            for standing in decision.standings:
                window = standing.policy.window * 1_000_000
                free = standing.policy.limit - model.used(window, now)
                assert 0 <= standing.remaining <= free
                assert 0 <= standing.reset_after <= standing.policy.window

    @_relaxed
    @given(todo=steps(), cost=st.integers(1, 5))
    async def test_what_it_promises_comes_true(
        self, backend: RateLimiterBackend, todo: list[Step], cost: int
    ) -> None:
        """After retry_after the cost fits, and a moment earlier it does not."""
        limiter, clock, key = backend.limiter, backend.clock, uuid.uuid4().hex
        await take_steps(limiter, clock, key, todo)
        wait = round((await limiter.peek(key, WINDOWS, cost)).retry_after * 1_000_000)

        clock.advance(timedelta(microseconds=max(0, wait - 1)))
        early = await limiter.peek(key, WINDOWS, cost)
        assert early.allowed == (wait == 0)
        clock.advance(timedelta(microseconds=min(1, wait)))
        assert (await limiter.peek(key, WINDOWS, cost)).allowed
