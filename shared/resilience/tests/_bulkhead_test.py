from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from shared.resilience._bulkhead import Bulkhead
from shared.resilience._deadline import Deadline, deadline_scope
from shared.resilience._errors import BulkheadFullError, DeadlineExceededError


async def until(condition: Callable[[], bool]) -> None:
    """Let others run until it holds."""
    while not condition():  # noqa: ASYNC110 threads set no event
        await asyncio.sleep(0.001)


class Guests:
    """Tasks that enter, say so, and stay until they are let go."""

    def __init__(self, bulkhead: Bulkhead) -> None:
        self.bulkhead = bulkhead
        self.order: list[int] = []
        self.go: dict[int, asyncio.Event] = {}

    def invite(self, number: int) -> asyncio.Task[None]:
        """Send one in."""
        self.go[number] = asyncio.Event()
        return asyncio.create_task(self._visit(number))

    async def _visit(self, number: int) -> None:
        async with self.bulkhead:
            self.order.append(number)
            await self.go[number].wait()


async def step(times: int = 5) -> None:
    """Let the others run."""
    for _ in range(times):
        await asyncio.sleep(0)


def test_full_is_refused_at_once() -> None:
    """With a hint when to come again, and without the name in the reply."""
    bulkhead = Bulkhead(2, "pdf", retry_after=3)
    refusals = []
    with bulkhead, bulkhead:
        assert bulkhead.running == 2
        with pytest.raises(BulkheadFullError, match="unavailable") as refusal:
            bulkhead.__enter__()
        refusals.append(refusal.value)

    assert bulkhead.running == 0
    assert [(e.status_code, e.bulkhead, e.retry_after) for e in refusals] == [
        (503, "pdf", 3)
    ]


async def test_full_is_refused_at_once_in_a_coroutine() -> None:
    """The same bulkhead, the same places."""
    bulkhead = Bulkhead(1)
    with bulkhead, pytest.raises(BulkheadFullError, match="unavailable"):
        await bulkhead.__aenter__()
    async with bulkhead as same:
        assert same is bulkhead

    assert bulkhead.running == 0


async def test_places_are_given_in_order() -> None:
    """And those who find the queue full are refused."""
    bulkhead = Bulkhead(1, max_waiting=2)
    guests = Guests(bulkhead)
    tasks = [guests.invite(number) for number in range(4)]
    await step()

    assert (bulkhead.running, bulkhead.waiting, guests.order) == (1, 2, [0])
    with pytest.raises(BulkheadFullError, match="unavailable"):
        await tasks[3]
    for number in range(3):
        guests.go[number].set()
    await asyncio.gather(*tasks[:3])
    assert guests.order == [0, 1, 2]
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


async def test_error_inside_frees_the_place() -> None:
    """In a block and in both kinds of function."""
    bulkhead = Bulkhead(1)

    @bulkhead
    def function() -> None:
        raise LookupError("inside")

    @bulkhead
    async def coroutine() -> None:
        raise LookupError("inside")

    for _ in range(2):
        with pytest.raises(LookupError, match="inside"):
            function()
        with pytest.raises(LookupError, match="inside"):
            await coroutine()

    assert bulkhead.running == 0


async def test_who_leaves_the_queue_takes_no_place() -> None:
    """A cancelled task is passed over."""
    bulkhead = Bulkhead(1, max_waiting=3)
    guests = Guests(bulkhead)
    tasks = [guests.invite(number) for number in range(3)]
    await step()
    tasks[1].cancel()
    await step()
    assert bulkhead.waiting == 1
    guests.go[0].set()
    guests.go[2].set()
    await asyncio.gather(tasks[0], tasks[2])

    assert guests.order == [0, 2]
    assert bulkhead.running == 0


async def test_place_given_to_who_is_cancelled_goes_on() -> None:
    """Both happen before the task runs again; the place must not be lost."""
    bulkhead = Bulkhead(1, max_waiting=3)
    guests = Guests(bulkhead)
    tasks = [guests.invite(number) for number in range(3)]
    await step()
    guests.go[0].set()
    await until(lambda: bulkhead.waiting == 1)
    tasks[1].cancel()
    guests.go[1].set()
    guests.go[2].set()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert guests.order[-1] == 2
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


async def test_place_and_cancellation_in_one_moment() -> None:
    """The place was given, and the task ends without having seen it."""
    bulkhead = Bulkhead(1, max_waiting=1)
    with bulkhead:
        task = Guests(bulkhead).invite(0)
        await step()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert task.cancelled()
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


@pytest.mark.parametrize("given", [False, True])
def test_interrupted_thread_keeps_no_place(
    monkeypatch: pytest.MonkeyPatch, given: bool
) -> None:
    """Ctrl-C while it waits, or just as it got its place."""
    bulkhead = Bulkhead(1, max_waiting=1)

    def interrupted(*_: object) -> None:
        if given:
            bulkhead.__exit__(None, None, None)
        raise KeyboardInterrupt

    monkeypatch.setattr("shared.resilience._bulkhead._WaitingThread.wait", interrupted)
    bulkhead.__enter__()
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        bulkhead.__enter__()

    assert (bulkhead.running, bulkhead.waiting) == (int(not given), 0)


async def test_wait_has_an_end() -> None:
    """For a task and for a thread."""
    bulkhead = Bulkhead(1, max_waiting=1, max_wait=0.001)
    with bulkhead:
        with pytest.raises(BulkheadFullError, match="unavailable"):
            await bulkhead.__aenter__()
        with pytest.raises(BulkheadFullError, match="unavailable"):
            await asyncio.to_thread(bulkhead.__enter__)

    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


async def test_thread_of_the_loop_must_not_wait() -> None:
    """It would wait for itself; to be refused at once is fine."""
    bulkhead = Bulkhead(1, max_waiting=1)
    with bulkhead, pytest.raises(RuntimeError, match="In a coroutine write `async"):
        bulkhead.__enter__()

    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


def test_without_asyncio_there_is_no_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program without coroutines does not import it for this."""
    monkeypatch.delitem(sys.modules, "asyncio")
    bulkhead = Bulkhead(1, max_waiting=1, max_wait=0.001)
    with bulkhead, pytest.raises(BulkheadFullError, match="unavailable"):
        bulkhead.__enter__()

    assert "asyncio" not in sys.modules


@pytest.mark.parametrize("max_wait", [None, 60])
async def test_deadline_ends_the_wait(max_wait: float | None) -> None:
    """It is the time that was short, not the room; and the caller's time."""
    bulkhead = Bulkhead(1, max_waiting=1, max_wait=max_wait)
    late = pytest.raises(DeadlineExceededError, match="did not finish in time")
    with bulkhead, deadline_scope(Deadline.after(0.001)):
        with late as first:
            await bulkhead.__aenter__()
        with late as second:
            await asyncio.to_thread(bulkhead.__enter__)

    assert first.value.of_caller
    assert second.value.of_caller
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


async def test_shorter_patience_than_the_deadline() -> None:
    """Then it was the room."""
    bulkhead = Bulkhead(1, max_waiting=1, max_wait=0.001)
    with (
        bulkhead,
        deadline_scope(Deadline.after(60)),
        pytest.raises(BulkheadFullError, match="unavailable"),
    ):
        await bulkhead.__aenter__()

    assert bulkhead.waiting == 0


def test_threads_never_exceed_the_bound() -> None:
    """And all of them get in."""
    bulkhead = Bulkhead(3, max_waiting=100)
    lock, inside, most = threading.Lock(), [0], [0]

    def work(_: int) -> None:
        with bulkhead:
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            with lock:
                inside[0] -= 1

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(500)))

    assert most[0] <= 3
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


async def test_threads_and_tasks_share_the_places() -> None:
    """Whoever leaves wakes the next, of either kind."""
    bulkhead = Bulkhead(1, max_waiting=2)
    entered, go = threading.Event(), threading.Event()

    def visit() -> str:
        with bulkhead:
            entered.set()
            go.wait()
        return "thread"

    async def visit_async() -> str:
        async with bulkhead:
            return "task"

    with ThreadPoolExecutor(2) as pool:
        loop = asyncio.get_running_loop()
        first = loop.run_in_executor(pool, visit)
        await until(entered.is_set)
        second = asyncio.create_task(visit_async())
        await until(lambda: bulkhead.waiting == 1)
        third = loop.run_in_executor(pool, visit)
        await until(lambda: bulkhead.waiting == 2)
        go.set()
        results = await asyncio.gather(first, second, third)

    assert list(results) == ["thread", "task", "thread"]
    assert bulkhead.running == 0


def test_loop_that_was_closed_is_passed_over() -> None:
    """Its tasks will never run again, so their place goes to the next."""
    bulkhead = Bulkhead(1, max_waiting=3)
    loop = asyncio.new_event_loop()
    entered: Future[None] = Future()
    with bulkhead:
        waiting = bulkhead.__aenter__()

        async def start() -> None:
            # Steps the coroutine to its wait, and leaves it there.
            waiting.send(None)

        loop.run_until_complete(start())
        loop.close()
        assert bulkhead.waiting == 1

        def visit() -> None:
            with bulkhead:
                entered.set_result(None)

        thread = threading.Thread(target=visit)
        thread.start()
        while bulkhead.waiting < 2:
            thread.join(0.001)
    thread.join()

    assert entered.done()
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


def test_decorated_function_looks_like_itself() -> None:
    """Frameworks ask for name and kind."""
    bulkhead = Bulkhead(1)

    @bulkhead
    def function() -> int:
        return bulkhead.running

    @bulkhead
    async def coroutine() -> int:
        return bulkhead.running

    def rows() -> Iterator[int]:
        yield 1

    assert (function(), function.__name__) == (1, "function")
    assert asyncio.run(coroutine()) == 1
    assert inspect.iscoroutinefunction(coroutine)
    with pytest.raises(TypeError, match="is a generator"):
        bulkhead(rows)


def test_repr() -> None:
    """What a log line needs."""
    assert repr(Bulkhead(2, "pdf", max_waiting=1)) == (
        "<Bulkhead 'pdf' 0/2 running, 0/1 waiting>"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_concurrent": 0}, "max_concurrent must be a whole number of at least 1"),
        ({"max_waiting": -1}, "max_waiting must be a whole number of at least 0"),
        ({"max_wait": 0}, "max_wait must be a finite number above 0"),
        ({"retry_after": -1}, "retry_after must be a finite number of at least 0"),
    ],
)
def test_bad_number_is_refused(settings: dict[str, Any], message: str) -> None:
    """Where it is written."""
    with pytest.raises(ValueError, match=message):
        Bulkhead(**{"max_concurrent": 1, **settings})
