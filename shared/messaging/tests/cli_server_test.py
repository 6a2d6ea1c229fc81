"""The command line and a real broker."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar
from uuid import uuid4

import pytest
from aiormq.abc import AbstractChannel
from aiormq.connection import Connection
from pamqp.commands import Basic

from shared.messaging import Reason, cli
from shared.messaging import _cli_broker as cli_broker
from shared.messaging import _cli_hand as cli_hand
from shared.messaging._cli_message import REPLAYED_AT
from shared.messaging._history import OWN_HEADERS, History, death
from shared.messaging._rabbit_consumer import ROUTING_KEY
from shared.testing.servers import rabbitmq_url

T = TypeVar("T")

QUORUM: Final[dict[str, Any]] = {
    "x-queue-type": "quorum",
    "x-delivery-limit": 2**31 - 1,
}
UNKNOWN: Final = (
    b'{"event_id": "8e03978e-40d5-43dd-bc93-6894a57f9324", "event_type": "a.b", '
    b'"correlation_id": "c", "timestamp": "2026-01-01T12:00:00Z", '
    b'"payload": {"token": "hunter2"}}'
)


class Rabbit:
    """A broker, and what the test makes there."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.consumer = f"cli-test-{uuid4().hex[:12]}.book"
        self.dead = f"{self.consumer}.dead"
        self.queues: set[str] = set()
        self.exchanges: set[str] = set()

    def do(self, work: Callable[[AbstractChannel], Awaitable[T]]) -> T:
        """Work on a channel, which is closed after it."""

        async def run() -> T:
            connection = Connection(self.url)
            await connection.connect()
            try:
                return await work(await connection.channel())
            finally:
                await connection.close()

        return asyncio.run(run())

    def declare(self, *names: str, **arguments: Any) -> None:
        """Make queues."""

        async def work(channel: AbstractChannel) -> None:
            for name in names:
                await channel.queue_declare(
                    name, durable=True, arguments={**QUORUM, **arguments}
                )

        self.queues |= set(names)
        self.do(work)

    def put(self, queue: str, *messages: tuple[bytes, Basic.Properties]) -> None:
        """Publish messages into a queue."""

        async def work(channel: AbstractChannel) -> None:
            for body, properties in messages:
                await channel.basic_publish(
                    body, routing_key=queue, properties=properties
                )

        self.do(work)

    def die(self, count: int, *, queue: str | None = None, **values: Any) -> list[str]:
        """Put dead letters, and return their ids."""
        letters = [dead_letter(self.consumer, **values) for _ in range(count)]
        self.put(queue or self.dead, *letters)
        return [str(properties.message_id) for _, properties in letters]

    def take(self, queue: str) -> list[tuple[str, dict[str, Any], bytes]]:
        """Take all messages out of a queue: id, headers and body of each."""

        async def work(
            channel: AbstractChannel,
        ) -> list[tuple[str, dict[str, Any], bytes]]:
            found: list[tuple[str, dict[str, Any], bytes]] = []
            while True:
                got = await channel.basic_get(queue, no_ack=True)
                if isinstance(got.delivery, Basic.GetEmpty):
                    return found
                properties = got.header.properties
                headers = dict(properties.headers or {})
                found.append((str(properties.message_id), headers, got.body))

        return self.do(work)

    def ids(self, queue: str) -> list[str]:
        """Take all messages out of a queue, and say which they were."""
        return [message_id for message_id, _, _ in self.take(queue)]

    def count(self, queue: str) -> int:
        """How many messages wait."""

        async def work(channel: AbstractChannel) -> int:
            found = await channel.queue_declare(queue, passive=True)
            return found.message_count or 0

        return self.do(work)

    def wait(self, condition: Callable[[], bool]) -> None:
        """Until *condition* holds."""
        limit = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < limit
            time.sleep(0.05)

    def remove(self) -> None:
        """Remove what was made."""

        async def work(channel: AbstractChannel) -> None:
            for queue in self.queues:
                await channel.queue_delete(queue)
            for exchange in self.exchanges:
                await channel.exchange_delete(exchange)

        self.do(work)


def dead_letter(
    consumer: str,
    *,
    event_type: str = "user.registered",
    reason: Reason = Reason.EXHAUSTED,
    error: Exception | None = None,
    age: timedelta = timedelta(),
    body: bytes = b"{}",
) -> tuple[bytes, Basic.Properties]:
    """A message as a bus buries it."""
    now = datetime.now(UTC) - age
    error = error or ValueError("no")
    history = History().after(error, tries=2, now=now)
    headers = history.headers() | death(reason, error, consumer=consumer, now=now)
    headers |= {ROUTING_KEY: event_type, "correlation_id": "abc-123"}
    properties = Basic.Properties(
        headers=headers,
        message_id=str(uuid4()),
        message_type=event_type,
        content_type="application/json",
        delivery_mode=2,
    )
    return body, properties


@pytest.fixture
def rabbit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rabbit]:
    """The broker, with an empty queue of a consumer and one of its dead letters."""
    rabbit = Rabbit(rabbitmq_url())
    rabbit.declare(rabbit.dead, rabbit.consumer)
    monkeypatch.setenv("RABBITMQ_URL", rabbit.url)
    try:
        yield rabbit
    finally:
        rabbit.remove()


@pytest.fixture
def rabbit_url() -> str:
    """Where the broker is."""
    return rabbitmq_url()


@pytest.fixture
def own_names(rabbit: Rabbit, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str, str]:
    """The names of an exchange, of what it can't route, and of a catalogue: ours."""
    names = tuple(f"{rabbit.consumer}.{end}" for end in ("events", "unrouted", "known"))
    events, unrouted, catalogue = names
    for module, name, value in (
        (cli, "EVENTS", events),
        (cli, "UNROUTED", unrouted),
        (cli_broker, "UNROUTED", unrouted),
        (cli_broker, "CATALOGUE", catalogue),
    ):
        monkeypatch.setattr(module, name, value)

    async def work(channel: AbstractChannel) -> None:
        await channel.exchange_declare(unrouted, exchange_type="fanout", durable=True)
        await channel.exchange_declare(
            events,
            exchange_type="topic",
            durable=True,
            arguments={"alternate-exchange": unrouted},
        )

    rabbit.exchanges |= {events, unrouted}
    rabbit.do(work)
    rabbit.declare(unrouted, catalogue)
    rabbit.do(lambda channel: channel.queue_bind(unrouted, unrouted))
    return events, unrouted, catalogue


def started(*arguments: str) -> subprocess.Popen[str]:
    """The program, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "shared.messaging.cli", *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _has(rabbit: Rabbit, enough: int) -> bool:
    return rabbit.count(rabbit.consumer) >= enough


def entry(queue: str, kind: str, **values: Any) -> tuple[bytes, Basic.Properties]:
    """What a bus writes into the catalogue."""
    facts = {"queue": queue, "kind": kind, "service": "accounts", **values}
    return json.dumps(facts).encode(), Basic.Properties(message_id="entry")


def test_peek_shows_and_takes_nothing(
    rabbit: Rabbit, capsys: pytest.CaptureFixture[str]
) -> None:
    """In order, as often as one likes."""
    ids = rabbit.die(3)
    shown = []
    for count in ("2", "10", "10"):
        assert cli.main(["peek", rabbit.dead, "--json", "-n", count]) == 0
        shown.append(json.loads(capsys.readouterr().out))

    assert [[each["id"] for each in found] for found in shown] == [ids[:2], ids, ids]
    first = shown[0][0]
    assert len(first.pop("digest")) == 16
    assert datetime.fromisoformat(first.pop("died_at")).tzinfo is not None
    assert first == {
        "id": ids[0],
        "type": "user.registered",
        "consumer": rabbit.consumer,
        "attempts": 2,
        "reason": "exhausted",
        "error": "ValueError",
        "published_at": None,
        "replayed_at": None,
        "correlation_id": "abc-123",
        "bytes": 2,
    }
    assert rabbit.ids(rabbit.dead) == ids


def test_peek_is_for_people_too(
    rabbit: Rabbit, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what somebody put into a message does not move their terminal."""
    [name] = rabbit.die(1, event_type="user.\x1b[2Jregistered")

    assert cli.main(["peek", rabbit.dead]) == 0

    out = capsys.readouterr().out
    assert out.startswith(f"1. user.\\x1b[2Jregistered  {name}\n   consumer")
    assert "reason         exhausted\n" in out


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ([], False),
        (["--body"], False),
        (["--raw"], True),
        (["--json"], False),
        (["--json", "--body"], False),
        (["--json", "--raw"], True),
    ],
)
def test_peek_hides_what_nobody_knows(
    rabbit: Rabbit,
    capsys: pytest.CaptureFixture[str],
    options: Sequence[str],
    shown: bool,
) -> None:
    """Until somebody asks for it raw."""
    rabbit.die(1, body=UNKNOWN)

    assert cli.main(["peek", rabbit.dead, *options]) == 0
    assert ("hunter2" in capsys.readouterr().out) is shown


def test_peek_of_nothing(rabbit: Rabbit, capsys: pytest.CaptureFixture[str]) -> None:
    """No error, and for programs an empty list."""
    assert cli.main(["peek", rabbit.dead]) == 0
    assert capsys.readouterr() == ("", f"There is no message in {rabbit.dead}.\n")
    assert cli.main(["peek", rabbit.dead, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_peek_into_an_ordered_queue(
    rabbit: Rabbit, capsys: pytest.CaptureFixture[str]
) -> None:
    """RabbitMQ gives its messages to one consumer only, and if it does it is said."""
    ordered = f"{rabbit.consumer}-ordered"
    rabbit.declare(ordered, **{"x-single-active-consumer": True})
    ids = rabbit.die(2, queue=ordered)
    assert cli.main(["peek", ordered, "--json"]) == 0
    assert [each["id"] for each in json.loads(capsys.readouterr().out)] == ids

    async def consume(channel: AbstractChannel) -> int:
        taken = asyncio.Event()

        async def take(_: object) -> None:
            taken.set()

        await channel.basic_qos(prefetch_count=1)
        await channel.basic_consume(ordered, take)
        async with asyncio.timeout(30):
            await taken.wait()
        return await asyncio.to_thread(cli.main, ["peek", ordered])

    assert rabbit.do(consume) == 1
    assert "is ordered: its messages are handed to one" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [["queues"], ["peek"], ["replay", "--to", "x"], ["replay"], ["purge", "--yes"]],
)
def test_no_such_queue(
    rabbit: Rabbit, capsys: pytest.CaptureFixture[str], command: Sequence[str]
) -> None:
    """One line, and the code of what is not as it should be."""
    name, *options = command
    queue = f"{rabbit.consumer}-none.dead"

    code = cli.main([name, queue, *options])

    out, err = capsys.readouterr()
    assert (code, out) == (1, "")
    assert err.startswith("messaging: There is no queue '")
    assert err.count("\n") == 1


def test_a_replay_moves_all(rabbit: Rabbit, capsys: pytest.CaptureFixture[str]) -> None:
    """In order, each as it was at first."""
    ids = rabbit.die(5, body=b"as it was")

    assert cli.main(["replay", rabbit.dead, "--rate", "1000/s"]) == 0

    found = rabbit.take(rabbit.consumer)
    assert [message_id for message_id, _, _ in found] == ids
    assert {body for _, _, body in found} == {b"as it was"}
    for _, headers, _ in found:
        assert not OWN_HEADERS & headers.keys()
        assert headers["correlation_id"] == "abc-123"
        assert datetime.fromisoformat(headers[REPLAYED_AT]).tzinfo is not None
    assert rabbit.count(rabbit.dead) == 0
    err = capsys.readouterr().err
    assert err == f"5 of 5 messages of {rabbit.dead} were replayed.\n"


def test_a_replay_of_some(rabbit: Rabbit) -> None:
    """The others stay in their order, before those that come later."""
    [first] = rabbit.die(1, event_type="post.published")
    meant = rabbit.die(2, age=timedelta(hours=2))
    [young] = rabbit.die(1)
    [rejected] = rabbit.die(1, reason=Reason.REJECTED, age=timedelta(hours=2))
    conditions = "type=user.* reason=exhausted error=Value* older=1h"

    assert cli.main(["replay", rabbit.dead, "--filter", conditions]) == 0
    [last] = rabbit.die(1)

    assert rabbit.ids(rabbit.consumer) == meant
    assert rabbit.ids(rabbit.dead) == [first, young, rejected, last]


def test_portions_are_not_seen(
    rabbit: Rabbit, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Messages come in portions; none is left out, and all go back to their places."""
    monkeypatch.setattr(cli_hand, "_PORTION", 3)
    ids = rabbit.die(40)
    for count in (40, 7, 40, 39, 40):
        assert cli.main(["peek", rabbit.dead, "--json", "-n", str(count)]) == 0
        shown = json.loads(capsys.readouterr().out)
        assert [each["id"] for each in shown] == ids[:count]

    wanted = ids[::9]
    for message_id in wanted:
        assert cli.main(["replay", rabbit.dead, "--filter", f"id={message_id}"]) == 0

    assert rabbit.ids(rabbit.consumer) == wanted
    assert rabbit.ids(rabbit.dead) == [each for each in ids if each not in wanted]


async def test_fewer_messages_than_were_counted(
    rabbit_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else took them meanwhile: it ends with those that are there."""
    monkeypatch.setattr(cli_hand, "_QUIET_SECONDS", 0.05)
    rabbit = Rabbit(rabbit_url)
    await asyncio.to_thread(rabbit.declare, rabbit.dead)
    try:
        ids = await asyncio.to_thread(rabbit.die, 3)
        async with (
            cli_broker.connected(rabbit_url) as broker,
            broker.hand(rabbit.dead, at_most=1000, there=1000) as hand,
        ):
            taken = [await hand.take() for _ in range(5)]
    finally:
        await asyncio.to_thread(rabbit.remove)

    found = [message and message.properties.message_id for message in taken]
    assert found == [*ids, None, None]


def test_a_replay_has_a_limit(rabbit: Rabbit) -> None:
    """The oldest first."""
    ids = rabbit.die(4)

    assert cli.main(["replay", rabbit.dead, "--limit", "3"]) == 0

    assert rabbit.ids(rabbit.consumer) == ids[:3]
    assert rabbit.ids(rabbit.dead) == ids[3:]


def test_a_replay_to_another_queue(rabbit: Rabbit) -> None:
    """Such as one in which somebody looks at them."""
    other = f"{rabbit.consumer}-other"
    rabbit.declare(other)
    ids = rabbit.die(2)

    assert cli.main(["replay", rabbit.dead, "--to", other]) == 0
    assert rabbit.ids(other) == ids


def test_a_replay_without_its_consumer(
    rabbit: Rabbit, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its queue is gone: nothing is moved, and nothing is lost."""
    other = f"{rabbit.consumer}-gone.dead"
    rabbit.declare(other)
    ids = rabbit.die(2, queue=other)

    assert cli.main(["replay", other]) == 1

    assert f"There is no queue '{rabbit.consumer}-gone' at" in capsys.readouterr().err
    assert rabbit.ids(other) == ids


def test_a_replay_into_a_full_queue(
    rabbit: Rabbit, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it does not take stays, and it is told how many it took."""
    full = f"{rabbit.consumer}-full"
    rabbit.declare(full, **{"x-max-length": 1, "x-overflow": "reject-publish"})
    ids = rabbit.die(20)

    assert cli.main(["replay", rabbit.dead, "--to", full]) == 1

    err = capsys.readouterr().err
    moved = rabbit.ids(full)
    assert "messaging: A message was not moved." in err
    assert f"{len(moved)} messages are done, and stay so." in err
    assert moved + rabbit.ids(rabbit.dead) == ids


def test_a_dry_run_changes_nothing(
    rabbit: Rabbit, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says how many, and what they have in common."""
    ids = rabbit.die(2) + rabbit.die(3, error=KeyError("k"), reason=Reason.REJECTED)
    for command in (["replay"], ["purge"]):
        assert cli.main([*command, rabbit.dead, "--dry-run"]) == 0
        out, err = capsys.readouterr()
        assert f"5 of 5 messages of {rabbit.dead} would be" in err
        _, first, second = out.splitlines()
        assert first.split()[:3] == ["user.registered", "rejected", "KeyError"]
        assert first.endswith(" 3")
        assert second.split()[:3] == ["user.registered", "exhausted", "ValueError"]

    assert rabbit.ids(rabbit.dead) == ids


def test_an_unrouted_event_goes_to_whoever_wants_it_now(
    rabbit: Rabbit, own_names: tuple[str, str, str]
) -> None:
    """With its own key; for which there is still nobody, it is unrouted again, once."""
    events, unrouted, _ = own_names

    def publish(key: str) -> str:
        name = str(uuid4())
        rabbit.do(
            lambda channel: channel.basic_publish(
                b"{}",
                exchange=events,
                routing_key=key,
                properties=Basic.Properties(message_id=name, message_type="other"),
            )
        )
        return name

    wanted, unwanted = publish("user.registered"), publish("user.deleted")
    rabbit.do(
        lambda channel: channel.queue_bind(rabbit.consumer, events, "user.registered")
    )

    assert cli.main(["replay", unrouted]) == 0

    assert rabbit.ids(rabbit.consumer) == [wanted]
    assert rabbit.ids(unrouted) == [unwanted]


def test_dead_letters_to_the_exchange(
    rabbit: Rabbit, own_names: tuple[str, str, str]
) -> None:
    """Published anew: with the key that they were first published with."""
    _, unrouted, _ = own_names
    ids = rabbit.die(2)

    assert cli.main(["replay", rabbit.dead, "--to", "exchange"]) == 0

    found = rabbit.take(unrouted)
    assert [message_id for message_id, _, _ in found] == ids
    assert all(ROUTING_KEY not in headers for _, headers, _ in found)


def test_two_do_not_replay_at_once(
    rabbit: Rabbit, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second would find the queue emptier than it is."""
    monkeypatch.setattr(cli_broker, "_BUSY_SECONDS", 0.3)
    rabbit.die(3)

    first = started("replay", rabbit.dead, "--rate", "1/m")
    try:
        rabbit.wait(lambda: rabbit.count(rabbit.consumer) == 1)

        assert cli.main(["replay", rabbit.dead]) == 1
        assert cli.main(["peek", rabbit.dead]) == 1
        assert "Somebody else is looking into" in capsys.readouterr().err
    finally:
        first.kill()
        first.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_replay_ends_in_order(
    rabbit: Rabbit, number: signal.Signals
) -> None:
    """With a count; the rest is where it was."""
    ids = rabbit.die(50)

    process = started("replay", rabbit.dead, "--rate", "20/s")
    rabbit.wait(lambda: rabbit.count(rabbit.consumer) >= 3)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)

    moved = rabbit.ids(rabbit.consumer)
    assert process.returncode == 130
    assert err == (
        f"{len(moved)} of 50 messages of {rabbit.dead} were replayed.\n"
        "messaging: interrupted.\n"
    )
    assert moved + rabbit.ids(rabbit.dead) == ids


def test_a_killed_replay_loses_nothing(rabbit: Rabbit) -> None:
    """At worst one message is at both places."""
    ids = rabbit.die(300)

    for enough in (30, 60, 90):
        process = started("replay", rabbit.dead, "--rate", "400/s")
        rabbit.wait(partial(_has, rabbit, enough))
        process.kill()
        process.communicate()
    # The broker notices, and gives back what it had in hand.
    rabbit.wait(
        lambda: rabbit.count(rabbit.consumer) + rabbit.count(rabbit.dead) >= 300
    )

    moved, left = rabbit.ids(rabbit.consumer), rabbit.ids(rabbit.dead)
    assert sorted({*moved, *left}) == sorted(ids)
    assert len(moved) + len(left) <= 303
    assert left == ids[-len(left) :]


def test_a_purge(rabbit: Rabbit, capsys: pytest.CaptureFixture[str]) -> None:
    """All that waits is gone."""
    rabbit.die(3)

    assert cli.main(["purge", rabbit.dead, "--yes"]) == 0
    assert f"3 of 3 messages of {rabbit.dead} were dropped." in capsys.readouterr().err
    assert rabbit.count(rabbit.dead) == 0


def test_a_purge_of_some(rabbit: Rabbit) -> None:
    """The others stay in their order."""
    kept = rabbit.die(1)
    rabbit.die(2, event_type="post.published")
    kept += rabbit.die(1)

    options = ["--filter", "type=post.*", "--yes"]
    assert cli.main(["purge", rabbit.dead, *options]) == 0
    assert rabbit.ids(rabbit.dead) == kept


@pytest.mark.parametrize(
    ("answer", "code", "left"),
    [("{queue}\n", 0, 0), ("yes\n", 1, 2), ("\n", 1, 2), ("", 1, 2)],
)
def test_a_purge_asks(rabbit: Rabbit, answer: str, code: int, left: int) -> None:
    """For the name of the queue: a y is typed too easily."""
    rabbit.die(2)

    done = subprocess.run(
        [sys.executable, "-m", "shared.messaging.cli", "purge", rabbit.dead],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        input=answer.format(queue=rabbit.dead),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (code, "")
    assert f"{rabbit.dead} has 2 messages." in done.stderr
    assert "Traceback" not in done.stderr
    assert rabbit.count(rabbit.dead) == left


def test_queues_are_those_of_the_catalogue(
    rabbit: Rabbit,
    own_names: tuple[str, str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each once, without those that are gone; looking changes nothing."""
    _, unrouted, catalogue = own_names
    types = ["user.registered"]
    main = entry(rabbit.consumer, "main", consumer=rabbit.consumer, event_types=types)
    entries = [
        main,
        main,
        entry(rabbit.dead, "dead", consumer=rabbit.consumer, event_types=types),
        entry(f"{rabbit.consumer}-gone", "main"),
        (b"rubbish", Basic.Properties()),
        (b'{"queue": 1}', Basic.Properties()),
        (b'["queue"]', Basic.Properties()),
    ]
    rabbit.put(catalogue, *entries)
    rabbit.die(2)
    for _ in range(2):
        assert cli.main(["queues", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)

        common = {"service": "accounts", "consumer": rabbit.consumer, "consumers": 0}
        common |= {"event_types": types}
        assert found == [
            {"queue": rabbit.consumer, "kind": "main", "messages": 0, **common},
            {"queue": rabbit.dead, "kind": "dead", "messages": 2, **common},
            {
                "queue": unrouted,
                "kind": "unrouted",
                "service": None,
                "consumer": None,
                "event_types": [],
                "messages": 0,
                "consumers": 0,
            },
        ]
    assert rabbit.count(catalogue) == len(entries)


def test_queues_for_people(
    rabbit: Rabbit,
    own_names: tuple[str, str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A line each, whole also in a pipe; names restrict them."""
    _, _, catalogue = own_names
    rabbit.put(catalogue, entry(rabbit.dead, "dead", event_types=["a.b", "c.d"]))
    rabbit.die(2)

    assert cli.main(["queues", rabbit.dead]) == 0

    head, line = capsys.readouterr().out.splitlines()
    assert head.split() == ["QUEUE", "KIND", "MESSAGES", "CONSUMERS", "EVENTS"]
    assert line.split() == [rabbit.dead, "dead", "2", "0", "a.b,", "c.d"]


def test_many_look_at_the_queues_at_once(
    rabbit: Rabbit, own_names: tuple[str, str, str]
) -> None:
    """Each sees all of them, though only one may have the catalogue in hand."""
    _, unrouted, catalogue = own_names
    rabbit.put(catalogue, *(entry(rabbit.dead, "dead") for _ in range(50)))

    async def look() -> list[str]:
        async with cli_broker.connected(rabbit.url) as broker:
            return [facts.queue for facts in await broker.queues()]

    async def together() -> list[list[str]]:
        return await asyncio.gather(*(look() for _ in range(4)))

    assert asyncio.run(together()) == 4 * [[rabbit.dead, unrouted]]


def test_the_wrong_password(rabbit: Rabbit, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, without it."""
    place = rabbit.url.rpartition("@")[2]

    code = cli.main(["queues", "--url", f"amqp://nobody:hunter2-4711@{place}"])

    err = capsys.readouterr().err
    assert code == 1
    assert err.startswith("messaging: No connection to RabbitMQ at ")
    assert err.count("\n") == 1
    assert "hunter2" not in err


def test_no_such_virtual_host(
    rabbit: Rabbit, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line."""
    code = cli.main(["queues", "--url", f"{rabbit.url.rstrip('/')}/no-such-host"])

    err = capsys.readouterr().err
    assert code == 1
    assert err.startswith("messaging: No connection to RabbitMQ at ")
    assert err.count("\n") == 1
