"""What the tests that kill processes have in common: events, tables, two programs.

An account takes numbered steps. Each is a row and an event of one transaction, and the
consumer writes each that it handles into another table, with a note in its inbox.

Private to ``tests/integration``.
"""

# No `from __future__ import annotations`: see shared.events._envelope.

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, Self
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    Column,
    Identity,
    Insert,
    Integer,
    MetaData,
    Table,
    Uuid,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from shared.config import DatabaseConfig
from shared.database import Database
from shared.errors import BaseAPIException
from shared.events import BaseEvent, EventPayload, EventRegistry
from shared.messaging.inbox import inbox_table
from shared.messaging.outbox import Outbox, outbox_table

SERVICE: Final = "accounts"
HANDLER: Final = "follow"

METADATA: Final = MetaData()
ACCOUNTS: Final = Table(
    "accounts",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("steps", Integer, nullable=False),
)
STEPS: Final = Table(
    "steps",
    METADATA,
    Column("event_id", Uuid, primary_key=True),
    Column("account_id", Uuid, nullable=False),
    Column("number", Integer, nullable=False),
)
# Nothing in it is unique: what is handled twice is to be seen.
FOLLOWED: Final = Table(
    "followed",
    METADATA,
    Column("position", BigInteger, Identity(), primary_key=True),
    Column("event_id", Uuid, nullable=False, index=True),
    Column("account_id", Uuid, nullable=False),
    Column("number", Integer, nullable=False),
)
OUTBOX: Final = outbox_table(METADATA)
INBOX: Final = inbox_table(METADATA)


class StepPayload(EventPayload):
    """The step, by its number from 1 on."""

    aggregate_key = "account_id"

    account_id: UUID
    number: int


class AccountStepped(BaseEvent[StepPayload]):
    """An account took a step."""

    event_type: Literal["account.stepped"] = "account.stepped"
    schema_version: Literal[1] = 1


REGISTRY: Final = EventRegistry([AccountStepped])


def open_database(url: str, *, pool_size: int = 10) -> Database:
    """Return the database, for the service."""
    config = DatabaseConfig(url=url, pool_size=pool_size, connect_timeout=5.0)
    return Database(config, service_name=SERVICE)


async def make_tables(database: Database, accounts: list[UUID]) -> None:
    """Make the tables, and the accounts, which have taken no step."""
    async with database.engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
        rows = [{"id": account, "steps": 0} for account in accounts]
        await connection.execute(insert(ACCOUNTS), rows)


class _ChangedMindError(Exception):
    """A transaction is rolled back by the program that began it."""


class Writer:
    """Requests: transactions that change an account and add events to the outbox.

    Args:
        database: Where.
        accounts: Whose steps.
        seed: Of the choices.
        sizes: How many events a transaction has, each as likely.
    """

    def __init__(
        self,
        database: Database,
        accounts: list[UUID],
        *,
        seed: int,
        sizes: tuple[int, ...] = (1, 1, 2, 3, 8),
    ) -> None:
        self.committed = 0
        self.rolled_back = 0
        self.failures: Counter[str] = Counter()
        self.ghosts: set[UUID] = set()
        """Events of what was rolled back."""
        self._database = database
        self._outbox = Outbox(OUTBOX)
        self._accounts = accounts
        self._random = random.Random(seed)  # noqa: S311 - to be the same each time
        self._sizes = sizes

    async def write(self) -> None:
        """One transaction; where the database is away, it fails."""
        rolled_back = self._random.random() < 0.1
        try:
            await self._write(rolled_back=rolled_back)
        except _ChangedMindError:
            self.rolled_back += 1
        except (BaseAPIException, SQLAlchemyError, OSError) as error:
            # Perhaps it was committed: that is what STEPS tells.
            self.failures[type(error).__name__] += 1
            await asyncio.sleep(0.05)

    async def _write(self, *, rolled_back: bool) -> None:
        # Some are busy: order is at risk where one step comes hard on another.
        busy = self._random.random() < 0.2
        account = self._random.choice(self._accounts[:5] if busy else self._accounts)
        size = self._random.choice(self._sizes)
        with_savepoint = self._random.random() < 0.1
        async with self._database.session() as session:
            last = await session.scalar(
                update(ACCOUNTS)
                .where(ACCOUNTS.c.id == account)
                .values(steps=ACCOUNTS.c.steps + size)
                .returning(ACCOUNTS.c.steps)
            )
            assert last is not None
            events = [step(account, last - size + n) for n in range(1, size + 1)]
            await session.execute(insert(STEPS), [_row(event) for event in events])
            self._outbox.add(session, *events)
            if with_savepoint:
                ghost = step(account, -1)
                self.ghosts.add(ghost.event_id)
                with suppress(_ChangedMindError):
                    async with session.begin_nested():
                        self._outbox.add(session, ghost)
                        raise _ChangedMindError
            if rolled_back:
                self.ghosts.update(event.event_id for event in events)
                raise _ChangedMindError
        self.committed += len(events)


def step(account: UUID, number: int) -> AccountStepped:
    """Return an event."""
    payload = StepPayload(account_id=account, number=number)
    return AccountStepped(payload=payload, correlation_id=str(uuid4()))


def _row(event: AccountStepped) -> dict[str, object]:
    return {
        "event_id": event.event_id,
        "account_id": event.payload.account_id,
        "number": event.payload.number,
    }


def followed(event: AccountStepped) -> Insert:
    """Return the statement of the consumer."""
    return insert(FOLLOWED).values(_row(event))


async def count(database: Database, table: Table) -> int:
    """Return how many rows there are."""
    async with database.session(read_only=True) as session:
        found = await session.scalar(text(f"SELECT count(*) FROM {table.name}"))  # noqa: S608 - ours
    assert found is not None
    return int(found)


async def followed_ids(database: Database) -> set[UUID]:
    """Return the events that were handled."""
    async with database.session(read_only=True) as session:
        return set(await session.scalars(select(FOLLOWED.c.event_id)))


# Each counts what must not be; see the test for what it means.
FAULTS: Final = {
    "lost": "SELECT count(*) FROM steps LEFT JOIN followed USING (event_id)"
    " WHERE followed.event_id IS NULL",
    "never committed": "SELECT count(*) FROM followed LEFT JOIN steps USING (event_id)"
    " WHERE steps.event_id IS NULL",
    "handled twice": "SELECT count(*) - count(DISTINCT event_id) FROM followed",
    "out of order": "SELECT count(*) FROM (SELECT number, row_number() OVER"
    " (PARTITION BY account_id ORDER BY position) AS place FROM followed) AS placed"
    " WHERE number <> place",
    "left in the outbox": "SELECT count(*) FROM outbox",
}


async def faults(database: Database) -> dict[str, int]:
    """Return how often each of `FAULTS` is found."""
    async with database.session(read_only=True) as session:
        found = {name: await session.scalar(text(FAULTS[name])) for name in FAULTS}
    return {name: int(number or 0) for name, number in found.items()}


class Program:
    """The relay or the consumer, as a process of its own.

    Args:
        role: One of `_kills_worker`.
        arguments: Where PostgreSQL and RabbitMQ are.
        folder: Of its log, and of its tally: a byte for each event of a kind.
    """

    def __init__(self, role: str, *arguments: str, folder: Path) -> None:
        self.role = role
        self._log = folder / f"{role}.log"
        self._tally = folder / f"{role}.tally"
        self._arguments = arguments
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start, and wait until it says that it is ready."""
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    *("-P", str(Path(__file__).with_name("_kills_worker.py"))),
                    *(self.role, str(self._tally), *self._arguments),
                ],
                # As in the test, wherever that was started.
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                stdin=subprocess.PIPE,  # its end is that of the test: then it exits
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        assert said == "ready\n", self.story()

    def kill(self) -> None:
        """SIGKILL. It must have run until now."""
        self.check()
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, after which it must end in order."""
        self.check()
        process = self._process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        self._process = None
        assert process.returncode == 0, self.story()

    def close(self) -> None:
        """End it, however the test ended."""
        if self._process is not None:
            self._end(signal.SIGKILL)

    def check(self) -> None:
        """Fail if it ended by itself: no other process's end is a reason to."""
        assert self._process is not None
        assert self._process.poll() is None, self.story()

    def tally(self) -> Counter[str]:
        """Return how often what happened, in all the processes that there were."""
        return Counter(self._tally.read_text() if self._tally.exists() else "")

    def memory(self) -> float:
        """Return the resident memory, in MB."""
        with suppress(FileNotFoundError):
            pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
            return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6
        command = ["ps", "-o", "rss=", "-p", str(self.pid)]
        return int(subprocess.check_output(command, text=True)) * 1024 / 1e6

    def story(self) -> str:
        """Return the end of its log."""
        return f"{self.role}:\n{self._log.read_text()[-4000:]}"

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        assert process is not None
        process.send_signal(number)
        process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
