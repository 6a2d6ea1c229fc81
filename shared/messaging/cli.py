"""Looks into the queues of event buses on RabbitMQ, and moves what lies in them.

    ./bazelw run //shared/messaging:cli -- queues
    python -m shared.messaging.cli queues                where the wheel is installed

    queues [QUEUE...]     what there is, and how much lies in it
    peek QUEUE            what lies in it, which stays there
    replay QUEUE.dead     dead letters back to their consumer
    purge QUEUE           drops what lies in it

The broker is the one of RABBITMQ_URL. What a command finds is on stdout; progress and
what went wrong is on stderr. Exit codes: 0 done; 1 the broker or a queue is not as it
should be; 2 wrong arguments; 130 interrupted.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from shared.messaging._cli_broker import Broker, QueueFacts, connected
from shared.messaging._cli_errors import CommandError, UsageError
from shared.messaging._cli_filter import parse_filter, parse_rate
from shared.messaging._cli_message import Message, printable
from shared.messaging._cli_move import Pace, Stop, Tally, Walk, drop
from shared.messaging._cli_move import replay as replaying
from shared.messaging._subscription import EVENTS
from shared.messaging._topology import UNROUTED, consumer_of_dead

PROGRAM: Final = "./bazelw run //shared/messaging:cli --"
EXCHANGE: Final = "exchange"
_DEFAULT_URL: Final = "amqp://guest:guest@localhost:5672/"
_INTERRUPTED: Final = 130  # what typer returns, and a shell, for SIGINT
_CODES: Final = (
    "Exit codes: 0 done; 1 the broker or a queue is not as it should be; 2 wrong "
    "arguments; 130 interrupted."
)
_FILTER: Final = (
    "Only messages that meet all of these, with * and ? in them: "
    "'type=user.* reason=exhausted error=*Timeout* digest=... id=... correlation=... "
    "older=1h'."
)

T = TypeVar("T")

app = typer.Typer(
    help="Looks into the queues of event buses on RabbitMQ, and moves what lies there.",
    epilog=_CODES,
    add_completion=False,
    no_args_is_help=False,
)

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="Of the broker, instead of RABBITMQ_URL. Others on this machine can see "
        "arguments: a password is better off in the variable.",
        show_default=False,
    ),
]
QueueName = Annotated[str, typer.Argument(metavar="QUEUE", help="Its whole name.")]
Filter = Annotated[
    str | None, typer.Option("--filter", metavar="CONDITIONS", help=_FILTER)
]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, metavar="N", help="At most so many.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


@app.command(epilog=_CODES)
def queues(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[QUEUE]...", help="These instead of all."),
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List the queues that services have made, and how much lies in each."""
    for name in names or ():
        _check_queue(name)

    async def work(broker: Broker) -> list[QueueFacts]:
        return await broker.queues(names or ())

    found = _run(url, work)
    if as_json:
        _print_json([asdict(facts) for facts in found])
        return
    if not found:
        _say("There are no queues: no service has begun to use this broker.")
        return
    _print_queues(found)


@app.command(epilog=_CODES)
def peek(
    queue: QueueName,
    count: Annotated[
        int, typer.Option("-n", "--count", min=1, metavar="N", help="How many.")
    ] = 10,
    body: Annotated[
        bool,
        typer.Option("--body", help="The events too, with their secrets masked."),
    ] = False,
    raw: Annotated[
        bool,
        typer.Option(
            "--raw",
            help="The bodies as they are: also of events that no class here knows, and "
            "with all secrets.",
        ),
    ] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show the first messages of a queue, which stay there.

    Nobody else gets them meanwhile. To RabbitMQ looking is a delivery: a queue that has
    consumers gives a message up after 20 without an acknowledgement.
    """
    _check_queue(queue)

    async def work(broker: Broker) -> list[Message]:
        there = await broker.messages(queue)
        found: list[Message] = []
        async with broker.hand(queue, at_most=count, there=there) as hand:
            while message := await hand.take():
                found.append(message)
        return found

    found = _run(url, work)
    told = [_told(message, body=body, raw=raw) for message in found]
    if as_json:
        _print_json(told)
        return
    if not told:
        _say(f"There is no message in {queue}.")
    for number, each in enumerate(told, 1):
        _print_message(number, each)


@app.command(epilog=_CODES)
def replay(
    queue: Annotated[
        str,
        typer.Argument(
            metavar="QUEUE", help=f"Dead letters, CONSUMER.dead, or {UNROUTED}."
        ),
    ],
    conditions: Filter = None,
    rate: Annotated[
        str, typer.Option("--rate", metavar="RATE", help="At most, as in 600/m.")
    ] = "50/s",
    limit: Limit = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="QUEUE",
            help=f"Not to the consumer but to this queue; '{EXCHANGE}' for all who "
            "want the event today.",
            show_default=False,
        ),
    ] = None,
    dry_run: DryRun = False,
    url: Url = None,
) -> None:
    """Move messages back to where they are handled, the oldest first.

    A message is confirmed there before it is removed here: who is killed in between
    leaves one of them at both places. Its history is left behind, so it has all its
    tries again. What comes in meanwhile is left alone, and what is not meant stays in
    its place.

    Without --to a dead letter goes to the queue of its consumer, and an unrouted event
    to the exchange, with the key it had.
    """
    _check_queue(queue)
    meant = parse_filter(conditions)
    interval = parse_rate(rate)
    target = _target(queue, to)
    stop = Stop()

    async def work(broker: Broker) -> Tally:
        if target is not None:
            await broker.messages(target)
        act = replaying(
            broker,
            exchange=EVENTS if target is None else "",
            routing_key=target,
            now=_now,
        )
        walk = Walk(
            broker,
            queue,
            meant,
            now=_now,
            limit=limit,
            pace=None if dry_run else Pace(interval),
            stop=stop,
        )
        if dry_run:
            return await _progressing(walk, stop, "looking", walk.look)
        return await _progressing(walk, stop, "replaying", lambda: walk.run(act))

    tally = _run(url, work)
    _report(tally, queue, "replayed", dry_run=dry_run)


@app.command(epilog=_CODES)
def purge(
    queue: QueueName,
    conditions: Filter = None,
    limit: Limit = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    dry_run: DryRun = False,
    url: Url = None,
) -> None:
    """Drop the messages of a queue, for good."""
    _check_queue(queue)
    meant = parse_filter(conditions)
    stop = Stop()

    async def look(broker: Broker) -> Tally:
        walk = Walk(broker, queue, meant, now=_now, limit=limit, stop=stop)
        return await _progressing(walk, stop, "looking", walk.look)

    async def count(broker: Broker) -> int:
        return await broker.messages(queue)

    async def work(broker: Broker) -> Tally:
        if conditions is None and limit is None:
            await broker.messages(queue)
            gone = await broker.purge(queue)
            return Tally(gone, seen=gone, done=gone)
        walk = Walk(broker, queue, meant, now=_now, limit=limit, stop=stop)
        return await _progressing(walk, stop, "dropping", lambda: walk.run(drop))

    if dry_run:
        _report(_run(url, look), queue, "dropped", dry_run=True)
        return
    if not yes:
        there = _run(url, count)
        which = "" if conditions is None else " that meet the filter"
        _say(f"{queue} has {there} messages. Those{which} would be gone for good.")
        _say("Type the name of the queue to go on:")
        # Not typer.prompt, which writes to stdout.
        if sys.stdin.readline().strip() != queue:
            raise CommandError("That was not its name; nothing was dropped.")
    _report(_run(url, work), queue, "dropped", dry_run=False)


def _target(queue: str, to: str | None) -> str | None:
    """The queue to which a replay goes; None for the exchange.

    Raises:
        UsageError: There is no such way.
    """
    if to == EXCHANGE:
        return None
    if to is not None:
        _check_queue(to)
        if to == queue:
            raise UsageError("--to is the queue itself.")
        return to
    if queue == UNROUTED:
        return None
    consumer = consumer_of_dead(queue)
    if not consumer:
        raise UsageError(
            f"{queue} holds no dead letters: those of a consumer are in CONSUMER.dead. "
            "Say with --to where its messages are to go."
        )
    return consumer


def _check_queue(name: str) -> None:
    if not (name and name.isprintable() and len(name.encode()) <= 250):
        raise UsageError("QUEUE must have 1 to 250 bytes, all printable.")


def _now() -> datetime:
    return datetime.now(UTC)


def _url(given: str | None) -> str:
    if given is not None:
        return given
    if url := os.environ.get("RABBITMQ_URL"):
        return url
    _say("RABBITMQ_URL is not set: taking amqp://guest@localhost:5672/.")
    return _DEFAULT_URL


def _run(url: str | None, work: Callable[[Broker], Awaitable[T]]) -> T:
    address = _url(url)

    async def run() -> T:
        async with connected(address) as broker:
            return await work(broker)

    return asyncio.run(run())


async def _progressing(
    walk: Walk, stop: Stop, what: str, run: Callable[[], Awaitable[Tally]]
) -> Tally:
    """Run with a bar for people; the first ^C ends it after the message in hand."""
    console = Console(stderr=True, highlight=False)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[done]}"),
        console=console,
        disable=not console.is_terminal,
    )
    task = bar.add_task(what, total=None, done="")

    def tell(tally: Tally) -> None:
        bar.update(
            task, total=tally.total, completed=tally.seen, done=f"{tally.done} done"
        )

    walk.tell = tell
    try:
        with bar, _stopping(stop):
            return await run()
    except (CommandError, asyncio.CancelledError) as error:
        # How far it got is as important as why it ended.
        told = f"{walk.tally.done} messages are done, and stay so."
        if isinstance(error, CommandError):
            raise CommandError(f"{str(error).rstrip('.')}. {told}") from None
        _say(told)
        raise


@contextmanager
def _stopping(stop: Stop) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM ask, and the next one insist."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    caught: list[signal.Signals] = []

    def ask() -> None:
        stop.ask()
        for each in caught:
            loop.remove_signal_handler(each)
        caught.clear()

    # Not on Windows, and not in a thread: there ^C is what it always is.
    with suppress(NotImplementedError, ValueError, RuntimeError):
        for each in signals:
            loop.add_signal_handler(each, ask)
            caught.append(each)
    try:
        yield
    finally:
        for each in caught:
            loop.remove_signal_handler(each)


def _report(tally: Tally, queue: str, done: str, *, dry_run: bool) -> None:
    if dry_run:
        _print_kinds(tally)
        _say(
            f"{tally.kinds.total()} of {tally.total} messages of {queue} would be "
            f"{done}."
        )
    else:
        left = tally.kinds.total()
        rest = f" {left} have no type, and stay." if left else ""
        _say(f"{tally.done} of {tally.total} messages of {queue} were {done}.{rest}")
    if tally.stopped:
        raise typer.Exit(_INTERRUPTED)


def _told(message: Message, *, body: bool, raw: bool) -> dict[str, Any]:
    told = message.told()
    if raw:
        told["body"] = message.raw_body()
    elif body:
        told["body"] = message.shown_body()
    return told


def _print_json(value: object) -> None:
    # ASCII: nothing in it moves a terminal, and no locale stands in its way.
    typer.echo(json.dumps(value, indent=2))


def _print_queues(found: Sequence[QueueFacts]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("QUEUE", "KIND"):
        table.add_column(name, no_wrap=True)
    for name in ("MESSAGES", "CONSUMERS"):
        table.add_column(name, justify="right")
    table.add_column("EVENTS")
    for facts in found:
        alarming = facts.messages and facts.kind in ("dead", "unrouted")
        table.add_row(
            Text(printable(facts.queue)),
            Text(printable(facts.kind or "-")),
            str(facts.messages),
            str(facts.consumers),
            Text(printable(", ".join(facts.event_types) or "-")),
            style="bold red" if alarming else None,
        )
    _stdout().print(table)


def _print_kinds(tally: Tally) -> None:
    if not tally.kinds:
        return
    table = Table("TYPE", "REASON", "ERROR", "DIGEST", box=None, pad_edge=False)
    table.add_column("MESSAGES", justify="right")
    for kind, count in tally.kinds.most_common():
        table.add_row(*(Text(printable(part or "-")) for part in kind), str(count))
    _stdout().print(table)


def _print_message(number: int, told: dict[str, Any]) -> None:
    console = _stdout()
    head = f"{number}. {told['type'] or 'no type'}  {told['id'] or 'no id'}"
    console.print(Text(printable(head), style="bold"))
    for name, value in told.items():
        if name == "body":
            hidden = "(hidden: no class here knows what in it is secret; see --raw)"
            value = hidden if value is None else value
        if value is not None and name not in ("id", "type"):
            console.print(Text(f"   {name:<15}{printable(str(value))}"))


def _stdout() -> Console:
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = 10_000  # a file or a pipe has no edge
    return console


def _say(line: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(printable(line)))


def main(arguments: Sequence[str]) -> int:
    """Return the exit code; what goes wrong is one line on stderr."""
    logging.getLogger("aiormq").setLevel(logging.CRITICAL + 1)  # that line says it
    given = list(arguments) or ["--help"]
    try:
        code = app(given, prog_name=PROGRAM, standalone_mode=False)
    except CommandError as error:
        _say(f"messaging: {error}")
        return error.code
    except BrokenPipeError:
        # Whoever read it has seen enough: no complaint when Python closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except typer.TyperException as error:
        line = " ".join(error.format_message().split()).rstrip(".")
        _say(f"messaging: {line}. See --help.")
        return 2
    except KeyboardInterrupt:
        code = _INTERRUPTED
    if code == _INTERRUPTED:
        _say("messaging: interrupted.")
    return int(code or 0) if arguments else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
