"""A small service with idempotent routes, and a class of tests for each database."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Annotated, Any
from uuid import uuid4

import httpx2
import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Form, Header, Response
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from pydantic import BaseModel
from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    insert,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession

from shared.config import DatabaseConfig
from shared.database import Database
from shared.database.dependencies import get_db_dependency
from shared.errors import ConflictException, PermissionDeniedException
from shared.errors.handlers import register_exception_handlers
from shared.idempotency import IdempotencyStore, idempotency_table
from shared.idempotency.dependencies import (
    IDEMPOTENCY_RESPONSES,
    IdempotentRoute,
    idempotent,
)
from shared.testing import FakeClock, captured_logs, is_problem

METADATA = MetaData()
KEYS = idempotency_table(METADATA)
ORDERS = Table(
    "orders",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("what", String, nullable=False),
    # Checked at the commit and no sooner
    Column(
        "parent",
        ForeignKey("orders.id", deferrable=True, initially="DEFERRED"),
        nullable=True,
    ),
)
LEASE = timedelta(seconds=60)

# Dies in the middle of a request.
KILLED = f"""
import asyncio, sys
from {__name__} import connected, place
from shared.testing import FakeClock

async def main() -> None:
    async with connected(sys.argv[1], FakeClock()) as (_, _, client):
        await place(client, path="/suicide")

asyncio.run(main())
"""


class Order(BaseModel):
    """What a client sends."""

    what: str
    parent: int | None = None


class Service:
    """The application and what its endpoints were called with."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.store = IdempotencyStore(KEYS, lease=LEASE, now=clock.now)
        self.calls: list[str] = []
        self.mailed: list[str] = []
        self.closed = False
        self.started = asyncio.Event()
        self.go_on = asyncio.Event()
        self.app = FastAPI()
        register_exception_handlers(self.app)
        get_db = get_db_dependency(database)
        router = self._router(get_db)
        self.app.include_router(router)
        self.app.include_router(router, prefix="/v2")
        self._routes_that_are_mistakes(get_db)

    def _router(self, get_db: Any) -> APIRouter:
        calls = self.calls
        router = APIRouter(
            route_class=IdempotentRoute, responses={**IDEMPOTENCY_RESPONSES}
        )
        db_session = Annotated[AsyncSession, Depends(get_db)]

        async def caller(x_user: Annotated[str, Header()] = "ann") -> str:
            return x_user

        def once(**options: Any) -> Any:
            return Depends(idempotent(self.store, get_db, caller, **options))

        async def insert_order(db: AsyncSession, what: str, parent: int | None) -> None:
            calls.append(what)
            await db.execute(insert(ORDERS).values(what=what, parent=parent))

        @router.post("/orders", status_code=201, dependencies=[once()])
        async def orders(
            order: Order, db: db_session, response: Response, tasks: BackgroundTasks
        ) -> dict[str, str]:
            await insert_order(db, order.what, order.parent)
            tasks.add_task(self.mailed.append, order.what)
            response.headers["Location"] = f"/orders/{order.what}"
            response.headers["X-Trace"] = "of this exchange"
            response.set_cookie("session", "secret")
            return {"what": order.what, "made": uuid4().hex}

        @router.post("/orders/{shop}", dependencies=[once(required=False)])
        async def optional(shop: str, db: db_session) -> str:
            await insert_order(db, shop, None)
            return uuid4().hex

        @router.post("/form", dependencies=[once()])
        async def form(what: Annotated[str, Form()], db: db_session) -> str:
            await insert_order(db, what, None)
            return uuid4().hex

        @router.post("/raises", dependencies=[once()])
        async def raises(order: Order, db: db_session) -> str:
            await insert_order(db, order.what, None)
            if len(calls) == 1:
                raise ConflictException("Not now.")
            return uuid4().hex

        @router.post("/crashes", dependencies=[once()])
        async def crashes(order: Order, db: db_session) -> str:
            await insert_order(db, order.what, None)
            if len(calls) == 1:
                raise RuntimeError("boom")
            return uuid4().hex

        @router.post("/returns/{status}", dependencies=[once()])
        async def returns(status: int, db: db_session) -> Response:
            await insert_order(db, str(status), None)
            return JSONResponse({"made": uuid4().hex}, status)

        @router.post("/empty", status_code=204, dependencies=[once()])
        async def empty(db: db_session) -> None:
            await insert_order(db, "empty", None)

        @router.post("/stream", dependencies=[once()])
        async def stream(db: db_session) -> StreamingResponse:
            await insert_order(db, "stream", None)
            return StreamingResponse(iter([b"a", b"b"]), 202)

        @router.post("/large", dependencies=[once(max_body=3, kept_headers=["X-Kept"])])
        async def large(what: str, db: db_session) -> Response:
            await insert_order(db, what, None)
            return PlainTextResponse(what, headers={"X-Kept": "yes"})

        async def gate() -> None:
            if self.closed:
                raise PermissionDeniedException

        @router.post("/gated", dependencies=[Depends(gate), once()])
        async def gated(db: db_session) -> str:
            await insert_order(db, "gated", None)
            return uuid4().hex

        @router.post("/cut", dependencies=[once()])
        async def cut(db: db_session) -> str:
            await insert_order(db, "cut", None)
            if len(calls) == 1:
                await db.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
            return uuid4().hex

        @router.post("/secret", dependencies=[once(keep_reply=False)])
        async def secret(db: db_session) -> str:
            await insert_order(db, "secret", None)
            return uuid4().hex

        @router.post("/slow", dependencies=[once(wait=30)])
        @router.post("/slow/impatient", dependencies=[once(wait=0)])
        async def slow(db: db_session) -> str:
            await insert_order(db, "slow", None)
            # Not holding SQLite's one write lock while others ask.
            await db.commit()
            self.started.set()
            await self.go_on.wait()
            return uuid4().hex

        @router.post("/brief", dependencies=[once(wait=60)])
        async def brief(db: db_session) -> str:
            await asyncio.sleep(0.05)
            await insert_order(db, "brief", None)
            return uuid4().hex

        @router.post("/suicide", dependencies=[once()])
        async def suicide(order: Order, db: db_session) -> str:
            await insert_order(db, order.what, None)
            if "orders-killed" in sys.argv:
                os.kill(os.getpid(), signal.SIGKILL)
            return uuid4().hex

        return router

    def _routes_that_are_mistakes(self, get_db: Any) -> None:
        async def nobody() -> None:
            return None

        async def caller() -> str:
            return "ann"

        plain = Depends(idempotent(self.store, get_db, caller))

        @self.app.post("/mistakes/plain-route", dependencies=[plain])
        async def plain_route() -> None:
            self.calls.append("plain")

        router = APIRouter(route_class=IdempotentRoute)
        anonymous = Depends(idempotent(self.store, get_db, nobody))

        @router.post("/mistakes/nobody", dependencies=[anonymous])
        async def of_nobody() -> None:
            self.calls.append("nobody")

        self.app.include_router(router)


@asynccontextmanager
async def connected(
    url: str, clock: FakeClock
) -> AsyncIterator[tuple[Service, Database, httpx2.AsyncClient]]:
    """Give a service on the database, and a client of it."""
    database = Database(DatabaseConfig(url=url), service_name="orders")
    async with database.engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    service = Service(database, clock)
    transport = httpx2.ASGITransport(service.app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://orders"
    ) as client:
        try:
            yield service, database, client
        finally:
            await database.dispose()


async def place(
    client: httpx2.AsyncClient,
    what: str = "book",
    *,
    path: str = "/orders",
    key: str | None = '"k"',
    user: str = "ann",
    **more: Any,
) -> httpx2.Response:
    """Send an order."""
    headers = {"X-User": user}
    if key is not None:
        headers["Idempotency-Key"] = key
    return await client.post(path, json={"what": what, **more}, headers=headers)


async def placed(database: Database) -> list[str]:
    """Return the orders that were committed."""
    async with database.session() as session:
        return list((await session.scalars(select(ORDERS.c.what))).all())


async def keys(database: Database) -> int:
    """Return how many keys are known."""
    async with database.session() as session:
        return len((await session.scalars(select(KEYS.c.id))).all())


class RouteContract:
    """The rules of ``IdempotentRoute`` and ``idempotent``."""

    def make_url(self) -> AbstractAsyncContextManager[str]:
        """Return a database for one test."""
        raise NotImplementedError

    @pytest.fixture
    async def url(self) -> AsyncIterator[str]:
        """Where the database is."""
        async with self.make_url() as url:
            yield url

    @pytest.fixture
    def clock(self) -> FakeClock:
        """The clock of the store."""
        return FakeClock()

    @pytest.fixture
    async def parts(
        self, url: str, clock: FakeClock
    ) -> AsyncIterator[tuple[Service, Database, httpx2.AsyncClient]]:
        """The service, its database and a client."""
        async with connected(url, clock) as parts:
            yield parts

    @pytest.fixture
    def service(self, parts: tuple[Service, Any, Any]) -> Service:
        """The service."""
        return parts[0]

    @pytest.fixture
    def database(self, parts: tuple[Any, Database, Any]) -> Database:
        """Its database."""
        return parts[1]

    @pytest.fixture
    def client(self, parts: tuple[Any, Any, httpx2.AsyncClient]) -> httpx2.AsyncClient:
        """A client of it."""
        return parts[2]

    async def test_a_repetition_gets_the_first_reply(
        self, service: Service, database: Database, client: httpx2.AsyncClient
    ) -> None:
        """Status, body and the headers that describe it, marked as a replay."""
        first = await place(client)
        again = await place(client)

        assert (first.status_code, again.status_code) == (201, 201)
        assert again.content == first.content
        assert "idempotency-replayed" not in first.headers
        assert dict(again.headers) == {
            "content-length": first.headers["content-length"],
            "content-type": "application/json",
            "location": "/orders/book",
            "idempotency-replayed": "true",
        }
        assert await placed(database) == ["book"]
        assert service.mailed == ["book"]

    async def test_a_check_before_it_holds_for_a_repetition(
        self, service: Service, client: httpx2.AsyncClient
    ) -> None:
        """Who may not place orders any more does not see the old reply either."""
        await place(client, path="/gated")
        service.closed = True

        assert await place(client, path="/gated") == is_problem(status=403)

    async def test_quotes_are_not_part_of_the_key(
        self, service: Service, client: httpx2.AsyncClient
    ) -> None:
        """As the draft writes it, and as most clients do."""
        await place(client, key='"a-1"')
        again = await place(client, key="a-1")

        assert again.headers["idempotency-replayed"] == "true"

    @pytest.mark.parametrize(
        "other", [{"user": "bob"}, {"key": "other"}, {"path": "/v2/orders"}]
    )
    async def test_another_caller_key_or_route_is_another_request(
        self, service: Service, client: httpx2.AsyncClient, other: dict[str, str]
    ) -> None:
        """Nobody reads a reply of somebody else by guessing a key."""
        await place(client)
        second = await place(client, **other)

        assert "idempotency-replayed" not in second.headers
        assert service.calls == ["book", "book"]

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ({"what": "a"}, {"what": "b"}),
            ({"path": "/orders?a=1"}, {"path": "/orders?a=2"}),
            ({"path": "/orders/a"}, {"path": "/orders/b"}),
        ],
        ids=["body", "query", "path"],
    )
    async def test_a_key_of_another_request_is_422(
        self,
        service: Service,
        client: httpx2.AsyncClient,
        first: dict[str, str],
        second: dict[str, str],
    ) -> None:
        """The client has mixed up its keys, and is told which field is wrong."""
        await place(client, **first)
        reply = await place(client, **second)

        assert reply == is_problem(
            status=422,
            code="idempotency_key_reused",
            errors={"/@header/idempotency-key": "reused"},
        )
        assert len(service.calls) == 1

    async def test_a_missing_key_is_400(
        self, service: Service, client: httpx2.AsyncClient
    ) -> None:
        """Where it is required."""
        reply = await place(client, key=None)

        assert reply == is_problem(status=400, code="idempotency_key_missing")
        assert service.calls == []

    async def test_an_optional_key_may_be_missing(
        self, service: Service, client: httpx2.AsyncClient
    ) -> None:
        """Then each request runs; with one, it protects."""
        for key in (None, None, "k", "k"):
            await place(client, path="/orders/x", key=key)

        assert service.calls == ["x", "x", "x"]

    @pytest.mark.parametrize("key", ["", '"open', 256 * "a"])
    async def test_a_malformed_key_is_400(
        self, service: Service, client: httpx2.AsyncClient, key: str
    ) -> None:
        """It is not repeated in the reply."""
        reply = await place(client, key=key)

        assert reply == is_problem(status=400, code="idempotency_key_invalid")
        assert service.calls == []

    async def test_two_keys_are_400(
        self, service: Service, client: httpx2.AsyncClient
    ) -> None:
        """Whichever was meant."""
        headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
        reply = await client.post("/orders", json={"what": "a"}, headers=headers)

        assert reply == is_problem(
            status=400, detail="Send one Idempotency-Key header, not several."
        )

    @pytest.mark.parametrize(("path", "status"), [("/raises", 409), ("/crashes", 500)])
    async def test_an_exception_is_not_stored(
        self,
        service: Service,
        database: Database,
        client: httpx2.AsyncClient,
        path: str,
        status: int,
    ) -> None:
        """Its work was rolled back, so a repetition does it, with any body."""
        first = await place(client, path=path)
        known = await keys(database)
        again = await place(client, "corrected", path=path)

        assert (first.status_code, known, again.status_code) == (status, 0, 200)
        assert await placed(database) == ["corrected"]

    async def test_a_refused_body_is_not_stored(
        self, service: Service, database: Database, client: httpx2.AsyncClient
    ) -> None:
        """The endpoint was never called."""
        refused = await place(client, what=None)  # type: ignore[arg-type]

        assert refused == is_problem(status=422, code="validation_error")
        assert await keys(database) == 0
        assert (await place(client)).status_code == 201

    async def test_a_returned_4xx_is_stored_with_its_work(
        self, service: Service, database: Database, client: httpx2.AsyncClient
    ) -> None:
        """The endpoint has chosen to commit it."""
        first = await place(client, path="/returns/402")
        again = await place(client, path="/returns/402")

        assert (again.status_code, again.content) == (402, first.content)
        assert await placed(database) == ["402"]

    async def test_a_returned_5xx_undoes_its_work(
        self, service: Service, database: Database, client: httpx2.AsyncClient
    ) -> None:
        """A repetition may run, so nothing of the first may stay."""
        for _ in range(2):
            reply = await place(client, path="/returns/503")
            assert reply.status_code == 503

        assert service.calls == ["503", "503"]
        assert await placed(database) == []
        assert await keys(database) == 0

    async def test_a_commit_that_fails_frees_the_key(
        self, service: Service, database: Database, client: httpx2.AsyncClient
    ) -> None:
        """Neither work nor reply is there, and a repetition runs."""
        refused = await place(client, parent=77)

        assert refused == is_problem(status=409, code="reference_conflict")
        assert await keys(database) == 0
        assert (await place(client)).status_code == 201

    async def test_an_empty_reply_is_repeated(
        self, service: Service, client: httpx2.AsyncClient
    ) -> None:
        """204 has no body, and no length."""
        first = await place(client, path="/empty")
        again = await place(client, path="/empty")

        assert (again.status_code, again.content) == (204, b"")
        assert again.headers == {**first.headers, "idempotency-replayed": "true"}
        assert "content-length" not in again.headers

    @pytest.mark.parametrize(
        ("path", "status"),
        [("/stream", 202), ("/large?what=long", 200), ("/secret", 200)],
    )
    async def test_a_reply_that_is_not_kept_still_ran_once(
        self,
        service: Service,
        database: Database,
        client: httpx2.AsyncClient,
        path: str,
        status: int,
    ) -> None:
        """A stream, a large reply, a secret: the repetition learns that it was done."""
        first = await place(client, path=path)
        again = await place(client, path=path)

        assert first.status_code == status
        assert again == is_problem(
            status=409,
            code="idempotency_reply_not_kept",
            first_status=status,
            headers={"Idempotency-Replayed": "true"},
        )
        assert len(service.calls) == 1
        async with database.session() as session:
            stored = (await session.execute(select(KEYS.c.headers, KEYS.c.body))).one()
        assert tuple(stored) == ([], None)

    async def test_a_reply_of_the_largest_size_is_kept(
        self, service: Service, client: httpx2.AsyncClient
    ) -> None:
        """The bound itself is inside; and headers are kept that the route names."""
        await place(client, path="/large?what=abc")
        again = await place(client, path="/large?what=abc")

        assert again.text == "abc"
        assert again.headers["x-kept"] == "yes"
        assert "content-type" not in again.headers

    async def test_forms_are_told_apart_too(
        self, service: Service, client: httpx2.AsyncClient
    ) -> None:
        """Their body is read before FastAPI takes it out of the stream."""
        headers = {"Idempotency-Key": "k"}
        first = await client.post("/form", data={"what": "a"}, headers=headers)
        again = await client.post("/form", data={"what": "a"}, headers=headers)
        other = await client.post("/form", data={"what": "b"}, headers=headers)

        assert again.content == first.content
        assert other == is_problem(status=422, code="idempotency_key_reused")
        assert service.calls == ["a"]

    async def test_a_repetition_during_the_first_is_409(
        self, service: Service, client: httpx2.AsyncClient
    ) -> None:
        """Where it does not wait; the reply says when to come again."""
        first = asyncio.create_task(place(client, path="/slow/impatient"))
        await service.started.wait()
        early = await place(client, path="/slow/impatient")
        service.go_on.set()

        assert early == is_problem(
            status=409,
            code="idempotency_in_progress",
            headers={"Retry-After": "5"},
            retry_after=5,
        )
        assert (await first).status_code == 200
        assert (await place(client, path="/slow/impatient")).is_success

    async def test_a_repetition_waits_for_the_first(
        self, service: Service, client: httpx2.AsyncClient
    ) -> None:
        """And gets its reply."""
        first = asyncio.create_task(place(client, path="/slow"))
        await service.started.wait()
        second = asyncio.create_task(place(client, path="/slow"))
        await asyncio.sleep(0)
        service.go_on.set()

        assert (await first).content == (await second).content
        assert (await second).headers["idempotency-replayed"] == "true"
        assert service.calls == ["slow"]

    async def test_fifty_at_once_run_once(
        self, service: Service, database: Database, client: httpx2.AsyncClient
    ) -> None:
        """With fewer connections than requests."""
        replies = await asyncio.gather(
            *(place(client, path="/brief") for _ in range(50))
        )

        assert {reply.status_code for reply in replies} == {200}
        assert len({reply.content for reply in replies}) == 1
        assert sum("idempotency-replayed" in r.headers for r in replies) == 49
        assert await placed(database) == ["brief"]

    async def test_a_cancelled_request_frees_the_key(
        self, service: Service, database: Database, client: httpx2.AsyncClient
    ) -> None:
        """As a deadline cancels it: nobody has to wait for the lease."""
        first = asyncio.create_task(place(client, path="/slow"))
        await service.started.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        service.go_on.set()

        assert await keys(database) == 0
        assert (await place(client, path="/slow")).status_code == 200

    async def test_a_killed_process_leaves_no_half_order(
        self,
        service: Service,
        database: Database,
        client: httpx2.AsyncClient,
        url: str,
        clock: FakeClock,
    ) -> None:
        """Killed between the work and its commit; after the lease it is done once."""
        process = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", KILLED, url, "orders-killed"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=False,
        )
        assert process.returncode == -signal.SIGKILL
        known = await keys(database)
        clock.advance(LEASE)
        first = await place(client, path="/suicide")
        again = await place(client, path="/suicide")

        assert known == 1
        assert (first.status_code, again.content) == (200, first.content)
        assert await placed(database) == ["book"]

    async def test_a_lease_that_ended_is_409_and_nothing_is_done_twice(
        self,
        service: Service,
        database: Database,
        client: httpx2.AsyncClient,
        clock: FakeClock,
    ) -> None:
        """The slow one is fenced out; the one that took over has the reply."""
        slow = asyncio.create_task(place(client, path="/slow"))
        await service.started.wait()
        clock.advance(LEASE)
        service.started.clear()
        second = asyncio.create_task(place(client, path="/slow"))
        await service.started.wait()
        service.go_on.set()

        replies = [await slow, await second]

        assert sorted(reply.status_code for reply in replies) == [200, 409]
        assert replies[0] == is_problem(status=409, code="idempotency_in_progress")

    async def test_a_key_that_can_not_be_given_back_is_logged(
        self,
        service: Service,
        client: httpx2.AsyncClient,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The client sees what went wrong first; the lease frees the key."""

        async def fail(*_: object) -> None:
            raise OSError("no connection")

        monkeypatch.setattr(service.store, "release", fail)
        with captured_logs("shared.idempotency") as logs:
            reply = await place(client, path="/raises")

        assert reply == is_problem(status=409, code="conflict", detail="Not now.")
        assert logs.messages == [
            "An idempotency key was not given back; its lease will end."
        ]
        assert "no connection" in logs[0]["exc_info"]

    async def test_giving_a_key_back_has_a_limit(
        self,
        service: Service,
        client: httpx2.AsyncClient,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A database that says nothing does not keep a request that has failed."""

        async def hang(*_: object) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(service.store, "release", hang)
        monkeypatch.setattr("shared.idempotency.dependencies._GIVE_BACK_WITHIN", 0.05)
        with captured_logs("shared.idempotency") as logs:
            async with asyncio.timeout(30):
                reply = await place(client, path="/raises")

        assert reply == is_problem(status=409, code="conflict", detail="Not now.")
        assert logs.messages == [
            "An idempotency key was not given back; its lease will end."
        ]

    @pytest.mark.parametrize(
        ("path", "advice"),
        [
            ("/mistakes/plain-route", "needs route_class=IdempotentRoute"),
            ("/mistakes/nobody", "caller of idempotent(...) must return a text"),
        ],
    )
    async def test_a_mistake_of_the_service_is_a_500(
        self, service: Service, client: httpx2.AsyncClient, path: str, advice: str
    ) -> None:
        """With advice in the log, and never an unprotected request."""
        with captured_logs("shared.errors") as logs:
            reply = await place(client, path=path)

        assert reply == is_problem(status=500, code="internal_error")
        assert advice in logs[0]["exc_info"]
        assert service.calls == []
