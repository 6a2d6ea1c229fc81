"""What holds on every database; a subclass names the one it is tested on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Integer, MetaData, String, Table, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.config import DatabaseConfig
from shared.database import Database
from shared.idempotency import (
    Claim,
    IdempotencyInProgressException,
    IdempotencyKeyReusedException,
    IdempotencyStore,
    StoredReply,
    fingerprint,
    idempotency_table,
)
from shared.testing import FakeClock, captured_logs

METADATA = MetaData()
KEYS = idempotency_table(METADATA)
WORK = Table(
    "work",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("what", String, nullable=False),
)

FIRST = fingerprint("POST", "/orders", b"", b'{"n": 1}')
OTHER = fingerprint("POST", "/orders", b"", b'{"n": 2}')
REPLY = StoredReply(201, (("location", "/orders/1"), ("link", "a")), b"\x00\xff")
LEASE = timedelta(seconds=60)
RETENTION = timedelta(hours=24)

# Claims a key and dies before it gets to a reply.
KILLED = f"""
import asyncio, os, signal, sys
from sqlalchemy import insert
from shared.config import DatabaseConfig
from shared.database import Database
from shared.idempotency import IdempotencyStore, fingerprint
from shared.testing import FakeClock
from {__name__} import FIRST, KEYS, WORK

async def main() -> None:
    database = Database(DatabaseConfig(url=sys.argv[1]), service_name="killed")
    store = IdempotencyStore(KEYS, now=FakeClock())
    async with database.session() as session:
        await store.claim(
            session, caller="ann", operation="POST /orders", key="k", fingerprint=FIRST
        )
        await session.execute(insert(WORK).values(what="half"))
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """Give a database with the tables, and close it."""
    database = Database(DatabaseConfig(url=url), service_name="orders")
    async with database.engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    try:
        yield database
    finally:
        await database.dispose()


async def work_done(database: Database) -> list[str]:
    """Return what was committed."""
    async with database.session() as session:
        return list((await session.scalars(select(WORK.c.what))).all())


async def rows(database: Database) -> int:
    """Return how many keys are in the table."""
    async with database.session() as session:
        return (await session.scalars(select(func.count()).select_from(KEYS))).one()


class StoreContract:
    """The rules of ``IdempotencyStore``."""

    def make_url(self) -> AbstractAsyncContextManager[str]:
        """Return a database for one test."""
        raise NotImplementedError

    @pytest.fixture
    async def url(self) -> AsyncIterator[str]:
        """Where the database is."""
        async with self.make_url() as url:
            yield url

    @pytest.fixture
    async def database(self, url: str) -> AsyncIterator[Database]:
        """A database with the tables."""
        async with opened(url) as database:
            yield database

    @pytest.fixture
    def clock(self) -> FakeClock:
        """The clock of the store."""
        return FakeClock()

    @pytest.fixture
    def store(self, clock: FakeClock) -> IdempotencyStore:
        """A store whose time is the test's."""
        return IdempotencyStore(
            KEYS,
            lease=LEASE,
            retention=RETENTION,
            now=clock.now,
            clock=clock.monotonic,
            sleep=clock.async_sleep,
        )

    async def ask(
        self,
        store: IdempotencyStore,
        session: AsyncSession,
        *,
        caller: str = "ann",
        operation: str = "POST /orders",
        key: str = "k",
        fingerprint: bytes = FIRST,
        wait: float = 0,
    ) -> Claim | StoredReply:
        """Claim, with the values of a usual request."""
        return await store.claim(
            session,
            caller=caller,
            operation=operation,
            key=key,
            fingerprint=fingerprint,
            wait=wait,
        )

    async def claim(
        self, store: IdempotencyStore, session: AsyncSession, **values: Any
    ) -> Claim:
        """Claim what is free."""
        found = await self.ask(store, session, **values)
        assert isinstance(found, Claim)
        return found

    async def run(
        self, store: IdempotencyStore, database: Database, **values: Any
    ) -> Claim | StoredReply:
        """Do a whole request: claim, work, reply; or get the reply."""
        async with database.session() as session:
            found = await self.ask(store, session, **values)
            if isinstance(found, Claim):
                await session.execute(insert(WORK).values(what="done"))
                await store.complete(session, found, REPLY)
            return found

    async def test_a_repetition_gets_the_reply(
        self, store: IdempotencyStore, database: Database
    ) -> None:
        """Byte for byte, with its headers in order; and nothing is done again."""
        first = await self.run(store, database)
        again = await self.run(store, database)
        once_more = await self.run(store, database)

        assert isinstance(first, Claim)
        assert (again, once_more) == (REPLY, REPLY)
        assert await work_done(database) == ["done"]

    @pytest.mark.parametrize(
        "other",
        [{"caller": "bob"}, {"operation": "POST /refunds"}, {"key": "K"}],
        ids=["caller", "operation", "key"],
    )
    async def test_another_one_is_another_request(
        self, store: IdempotencyStore, database: Database, other: dict[str, str]
    ) -> None:
        """Keys of different callers, routes and spellings never meet."""
        await self.run(store, database)

        assert isinstance(await self.run(store, database, **other), Claim)
        assert await work_done(database) == ["done", "done"]

    async def test_parts_of_the_scope_do_not_run_over(
        self, store: IdempotencyStore, database: Database
    ) -> None:
        """A caller "a" with key "bc" is not "ab" with key "c"."""
        await self.run(store, database, caller="a", operation="b", key="c")

        found = await self.run(store, database, caller="ab", operation="", key="c")

        assert isinstance(found, Claim)

    async def test_a_key_of_another_request_is_refused(
        self, store: IdempotencyStore, database: Database
    ) -> None:
        """While the first is at work, when it is done, and when it was abandoned."""
        async with database.session() as session, database.session() as second:
            claim = await self.claim(store, session)
            with pytest.raises(IdempotencyKeyReusedException, match="another path"):
                await self.ask(store, second, fingerprint=OTHER, wait=5)
            await store.complete(session, claim, REPLY)
        with pytest.raises(IdempotencyKeyReusedException, match="another path"):
            await self.run(store, database, fingerprint=OTHER)

    async def test_an_abandoned_key_is_still_that_of_its_request(
        self, store: IdempotencyStore, database: Database, clock: FakeClock
    ) -> None:
        """The repetition of the first may come yet."""
        async with database.session() as session:
            await self.claim(store, session)
        clock.advance(LEASE)

        with pytest.raises(IdempotencyKeyReusedException, match="another path"):
            await self.run(store, database, fingerprint=OTHER)
        assert isinstance(await self.run(store, database), Claim)

    @pytest.mark.parametrize(("passed", "expected"), [(0, 5), (57, 3), (59.5, 1)])
    async def test_a_request_at_work_is_in_the_way(
        self,
        store: IdempotencyStore,
        database: Database,
        clock: FakeClock,
        passed: float,
        expected: int,
    ) -> None:
        """409 says when to come again: when the lease ends, but soon in any case."""
        async with database.session() as session:
            await self.claim(store, session)
            clock.advance(passed)
            with pytest.raises(
                IdempotencyInProgressException, match="is being processed"
            ) as caught:
                await self.run(store, database)

        assert caught.value.headers == {"Retry-After": str(expected)}

    async def test_a_wait_is_bounded(
        self, store: IdempotencyStore, database: Database, clock: FakeClock
    ) -> None:
        """It looks again after growing pauses, for as long as it may and no longer."""
        async with database.session() as session:
            await self.claim(store, session)
            with pytest.raises(IdempotencyInProgressException, match="processed"):
                await self.run(store, database, wait=2)

        assert clock.slept[:4] == [0.02, 0.04, 0.08, 0.16]
        assert max(clock.slept) == 0.5
        assert sum(clock.slept) == pytest.approx(2, abs=1e-5)

    async def test_whoever_waits_gets_the_reply(
        self, database: Database, clock: FakeClock
    ) -> None:
        """The first finishes during the wait."""

        async def finish_meanwhile(_: float) -> None:
            await store.complete(session, claim, REPLY)
            await session.commit()

        store = IdempotencyStore(KEYS, now=clock.now, sleep=finish_meanwhile)
        async with database.session() as session:
            claim = await self.claim(store, session)

            assert await self.run(store, database, wait=5) == REPLY

    async def test_whoever_waits_runs_when_the_first_gives_up(
        self, database: Database, clock: FakeClock
    ) -> None:
        """The first fails during the wait, and the key is free."""

        async def give_up_meanwhile(_: float) -> None:
            await store.release(session, claim)

        store = IdempotencyStore(KEYS, now=clock.now, sleep=give_up_meanwhile)
        async with database.session() as session:
            claim = await self.claim(store, session)

            assert isinstance(await self.run(store, database, wait=5), Claim)
        assert await work_done(database) == ["done"]

    async def test_nobody_who_waits_holds_a_connection(
        self, url: str, clock: FakeClock
    ) -> None:
        """Else the first could find none to finish with."""
        seen: list[int] = []

        async def look(_: float) -> None:
            pool = database.engine.pool
            seen.append(pool.checkedout())  # type: ignore[attr-defined]
            raise IdempotencyInProgressException

        store = IdempotencyStore(KEYS, now=clock.now, sleep=look)
        async with opened(url) as database:
            async with database.session() as session:
                await self.claim(store, session)
            with pytest.raises(IdempotencyInProgressException, match="processed"):
                await self.run(store, database, wait=5)

        assert seen == [0]

    async def test_after_the_lease_a_repetition_takes_over(
        self, store: IdempotencyStore, database: Database, clock: FakeClock
    ) -> None:
        """Not a moment before."""
        async with database.session() as session:
            await self.claim(store, session)
        clock.advance(LEASE - timedelta(microseconds=1))
        with pytest.raises(IdempotencyInProgressException, match="processed"):
            await self.run(store, database)
        clock.advance(timedelta(microseconds=1))

        assert isinstance(await self.run(store, database), Claim)
        assert await self.run(store, database) == REPLY

    async def test_a_takeover_is_logged(
        self, store: IdempotencyStore, database: Database, clock: FakeClock
    ) -> None:
        """Somebody died, or takes longer than the lease: a person should know."""
        with captured_logs("shared.idempotency") as logs:
            for _ in range(3):
                async with database.session() as session:
                    await self.claim(store, session)
                clock.advance(LEASE)

        assert [(line["operation"], line["attempts"]) for line in logs] == [
            ("POST /orders", 2),
            ("POST /orders", 3),
        ]

    async def test_an_expired_key_starts_counting_anew(
        self, store: IdempotencyStore, database: Database, clock: FakeClock
    ) -> None:
        """What was there before is another request."""
        await self.run(store, database)
        clock.advance(RETENTION)

        with captured_logs("shared.idempotency") as logs:
            await self.run(store, database)

        assert logs == []

    async def test_whoever_waits_takes_over_when_the_lease_ends(
        self, store: IdempotencyStore, database: Database
    ) -> None:
        """The wait may be longer than what is left of it."""
        async with database.session() as session:
            await self.claim(store, session)

        found = await self.run(store, database, wait=2 * LEASE.total_seconds())

        assert isinstance(found, Claim)

    async def test_a_late_owner_can_not_commit(
        self, store: IdempotencyStore, database: Database, clock: FakeClock
    ) -> None:
        """Its work is undone, and what the other one did stays."""

        async def be_late() -> None:
            async with database.session() as session:
                late = await self.claim(store, session)
                clock.advance(LEASE)
                await self.run(store, database)
                await session.execute(insert(WORK).values(what="late"))
                await store.complete(session, late, StoredReply(200, (), b"late"))

        with pytest.raises(IdempotencyInProgressException, match="processed"):
            await be_late()

        assert await work_done(database) == ["done"]
        assert await self.run(store, database) == REPLY

    async def test_a_late_owner_without_a_successor_commits(
        self, store: IdempotencyStore, database: Database, clock: FakeClock
    ) -> None:
        """Nobody else did the work, so nothing is lost by letting it."""
        async with database.session() as session:
            claim = await self.claim(store, session)
            clock.advance(2 * LEASE)
            await store.complete(session, claim, REPLY)

        assert await self.run(store, database) == REPLY

    async def test_a_late_owner_frees_nothing(
        self, store: IdempotencyStore, database: Database, clock: FakeClock
    ) -> None:
        """The key belongs to whoever took it over."""
        async with database.session() as session, database.session() as second:
            late = await self.claim(store, session)
            clock.advance(LEASE)
            await self.claim(store, second)
            await store.release(session, late)
            with pytest.raises(IdempotencyInProgressException, match="processed"):
                await self.run(store, database)

    async def test_release_frees_the_key_and_undoes_the_work(
        self, store: IdempotencyStore, database: Database
    ) -> None:
        """A repetition starts as if there had been nothing, with any body."""
        async with database.session() as session:
            claim = await self.claim(store, session)
            await session.execute(insert(WORK).values(what="half"))
            await store.release(session, claim)

        assert await rows(database) == 0
        assert isinstance(await self.run(store, database, fingerprint=OTHER), Claim)
        assert await work_done(database) == ["done"]

    async def test_a_finished_request_is_not_released(
        self, store: IdempotencyStore, database: Database
    ) -> None:
        """A commit whose answer got lost may have happened."""
        async with database.session() as session:
            claim = await self.claim(store, session)
            await store.complete(session, claim, REPLY)
            await session.commit()
            await store.release(session, claim)

        assert await self.run(store, database) == REPLY

    async def test_the_reply_is_there_exactly_if_the_work_is(
        self, store: IdempotencyStore, database: Database
    ) -> None:
        """They are one transaction: rolled back, both are gone."""
        async with database.session() as session:
            claim = await self.claim(store, session)
            await session.execute(insert(WORK).values(what="undone"))
            await store.complete(session, claim, REPLY)
            await session.rollback()

        assert await work_done(database) == []
        with pytest.raises(IdempotencyInProgressException, match="processed"):
            await self.run(store, database)

    async def test_a_claim_commits_what_was_done_before(
        self, store: IdempotencyStore, database: Database
    ) -> None:
        """It must be there for others at once, and so must the rest of its session."""
        async with database.session() as session:
            await session.execute(insert(WORK).values(what="before"))
            claim = await self.claim(store, session)
            await store.release(session, claim)

        assert await work_done(database) == ["before"]

    async def test_a_reply_that_is_not_kept_is_remembered(
        self, store: IdempotencyStore, database: Database
    ) -> None:
        """That the request was carried out is known without it."""
        bare = StoredReply(200, (), None)
        async with database.session() as session:
            await store.complete(session, await self.claim(store, session), bare)

        assert await self.run(store, database) == bare

    async def test_an_expired_key_can_be_used_anew(
        self, store: IdempotencyStore, database: Database, clock: FakeClock
    ) -> None:
        """Counted from the reply, and for any request."""
        await self.run(store, database)
        clock.advance(RETENTION - timedelta(seconds=1))
        assert await self.run(store, database) == REPLY
        clock.advance(1)

        assert isinstance(await self.run(store, database, fingerprint=OTHER), Claim)
        assert await self.run(store, database, fingerprint=OTHER) == REPLY

    async def test_what_is_expired_is_deleted_in_portions(
        self, store: IdempotencyStore, database: Database, clock: FakeClock
    ) -> None:
        """The oldest first, and what is alive stays."""
        for key in "abc":
            await self.run(store, database, key=key)
            clock.advance(1)
        clock.advance(RETENTION - timedelta(seconds=1))
        await self.run(store, database, key="alive")

        async with database.session() as session:
            counts = [await store.delete_expired(session, limit=2) for _ in range(3)]

        assert counts == [2, 1, 0]
        assert await rows(database) == 1

    async def test_alembic_sees_the_table_as_it_is(self, database: Database) -> None:
        """What it made of the declaration does not differ from it."""
        with database.sync_engine.connect() as connection:
            context = MigrationContext.configure(connection)

            assert compare_metadata(context, METADATA) == []

    async def test_fifty_at_once_run_once(self, database: Database) -> None:
        """All get the reply of the one that ran, which takes its time."""
        store = IdempotencyStore(KEYS)

        async def request() -> Claim | StoredReply:
            async with database.session() as session:
                found = await self.ask(store, session, wait=60)
                if isinstance(found, Claim):
                    await asyncio.sleep(0.1)
                    await session.execute(insert(WORK).values(what="done"))
                    await store.complete(session, found, REPLY)
                return found

        found = await asyncio.gather(*(request() for _ in range(50)))

        assert found.count(REPLY) == 49
        assert await work_done(database) == ["done"]

    async def test_a_killed_process_does_not_lock_the_key_for_ever(
        self, store: IdempotencyStore, database: Database, url: str, clock: FakeClock
    ) -> None:
        """Half of its work is undone; after the lease a repetition does it all."""
        process = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", KILLED, url],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=False,
        )
        assert process.returncode == -signal.SIGKILL
        with pytest.raises(IdempotencyInProgressException, match="processed"):
            await self.run(store, database)
        clock.advance(LEASE)

        assert isinstance(await self.run(store, database), Claim)
        assert await self.run(store, database) == REPLY
        assert await work_done(database) == ["done"]
