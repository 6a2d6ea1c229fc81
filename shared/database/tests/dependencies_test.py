# No `from __future__ import annotations`: FastAPI can't look into functions.

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated
from uuid import UUID, uuid4

import pytest
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.testclient import TestClient
from sqlalchemy import ForeignKey, MetaData, func, select
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, Session, mapped_column

from shared import database as facade
from shared.config import DatabaseConfig
from shared.database import NAMING_CONVENTION, Base, Database, UUIDKeyMixin
from shared.database.dependencies import get_db_dependency, get_sync_db_dependency
from shared.errors import PermissionDeniedException
from shared.errors.handlers import register_exception_handlers


class _Base(Base):
    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Subject(UUIDKeyMixin, _Base):
    __tablename__ = "subject"

    # Checked by the commit, not before.
    parent_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("subject.id", deferrable=True, initially="DEFERRED")
    )


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A database in a file, with the tables."""
    config = DatabaseConfig.model_validate({"url": f"sqlite:///{tmp_path}/test.db"})
    database = Database(config, service_name="subject-service")
    _Base.metadata.create_all(database.sync_engine)
    yield database
    database.dispose_sync()


def application(database: Database) -> FastAPI:
    """An application that closes the database when it ends."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await database.dispose()

    app = FastAPI(lifespan=lifespan)
    register_exception_handlers(app)
    return app


@pytest.fixture
def app(database: Database) -> FastAPI:
    """Endpoints that write one row each, and end in different ways."""
    app = application(database)
    db_session = Annotated[AsyncSession, Depends(get_db_dependency(database))]
    sync_session = Annotated[Session, Depends(get_sync_db_dependency(database))]

    @app.post("/returns")
    async def returns(db: db_session) -> dict[str, int]:
        db.add(Subject())
        return {"written": 1}

    @app.post("/returns-sync")
    def returns_sync(db: sync_session) -> dict[str, int]:
        db.add(Subject())
        return {"written": 1}

    @app.post("/raises/{kind}")
    async def raises(kind: str, db: db_session) -> None:
        db.add(Subject())
        await db.flush()
        raise {
            "http": HTTPException(418, "a teapot"),
            "api": PermissionDeniedException("not you"),
            "other": RuntimeError("a bug"),
        }[kind]

    @app.post("/raises-sync")
    def raises_sync(db: sync_session) -> None:
        db.add(Subject())
        db.flush()
        raise HTTPException(418, "a teapot")

    @app.post("/answers-an-error")
    async def answers_an_error(db: db_session) -> JSONResponse:
        db.add(Subject())
        return JSONResponse({"attempts": 1}, status_code=401)

    @app.post("/fails-to-commit")
    async def fails_to_commit(db: db_session) -> dict[str, str]:
        db.add(Subject(parent_id=uuid4()))
        await db.flush()
        return {"answer": "all is well"}

    @app.post("/fails-to-commit-sync")
    def fails_to_commit_sync(db: sync_session) -> dict[str, str]:
        db.add(Subject(parent_id=uuid4()))
        db.flush()
        return {"answer": "all is well"}

    return app


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """A client that sees errors as replies."""
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def written(database: Database) -> int:
    """How many rows were committed."""
    with database.sync_session(read_only=True) as session:
        return session.scalar(select(func.count(Subject.id))) or 0


@pytest.mark.parametrize("path", ["/returns", "/returns-sync"])
def test_what_returns_is_committed(
    client: TestClient, database: Database, path: str
) -> None:
    """Who sees the reply finds the row."""
    assert client.post(path).json() == {"written": 1}
    assert written(database) == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/raises/http", 418),
        ("/raises/api", 403),
        ("/raises/other", 500),
        ("/raises-sync", 418),
    ],
)
def test_what_raises_is_rolled_back(
    client: TestClient, database: Database, path: str, status: int
) -> None:
    """Whatever it raises, the errors that are answers too."""
    assert client.post(path).status_code == status
    assert written(database) == 0


def test_a_returned_error_is_a_result(client: TestClient, database: Database) -> None:
    """A failed attempt that is counted must be kept."""
    assert client.post("/answers-an-error").status_code == 401
    assert written(database) == 1


@pytest.mark.parametrize("path", ["/fails-to-commit", "/fails-to-commit-sync"])
def test_a_failing_commit_is_an_error_reply(
    client: TestClient, database: Database, path: str
) -> None:
    """Nothing is answered with success before it is committed."""
    reply = client.post(path)

    assert (reply.status_code, reply.json()["code"]) == (409, "reference_conflict")
    assert written(database) == 0


def test_the_caller_may_write_any_scope(database: Database) -> None:
    """Depends(..., scope="request") commits before the reply all the same."""
    app = application(database)

    @app.post("/")
    async def endpoint(
        db: Annotated[
            AsyncSession, Depends(get_db_dependency(database), scope="request")
        ],
    ) -> None:
        db.add(Subject(parent_id=uuid4()))

    with TestClient(app) as client:
        assert client.post("/").status_code == 409


def test_one_session_a_request(database: Database) -> None:
    """Endpoint and sub-dependencies share it, and so the transaction."""
    app = application(database)

    async def first(
        db: Annotated[AsyncSession, Depends(get_db_dependency(database))],
    ) -> int:
        return id(db)

    @app.get("/")
    async def endpoint(
        one: Annotated[int, Depends(first)],
        db: Annotated[AsyncSession, Depends(get_db_dependency(database))],
    ) -> bool:
        return one == id(db)

    with TestClient(app) as client:
        assert client.get("/").json() is True


def test_a_test_can_override_it(database: Database) -> None:
    """By the function that the same service gives each time."""
    app = application(database)
    dependency = get_db_dependency("subject-service")

    @app.get("/")
    async def endpoint(db: Annotated[object, Depends(dependency)]) -> str:
        return str(db)

    app.dependency_overrides[get_db_dependency("subject-service")] = lambda: "a fake"
    with TestClient(app) as client:
        assert client.get("/").json() == "a fake"


def test_a_streamed_body_has_its_own_session(database: Database) -> None:
    """It begins when the request's transaction has ended, and sees what that wrote."""
    app = application(database)

    @app.post("/")
    async def endpoint(
        db: Annotated[AsyncSession, Depends(get_db_dependency(database))],
    ) -> StreamingResponse:
        db.add(subject := Subject())

        async def body() -> AsyncIterator[str]:
            async with database.session(read_only=True) as session:
                found = await session.get(Subject, subject.id)
                yield f"found {found is not None}"

        return StreamingResponse(body())

    with TestClient(app) as client:
        assert client.post("/").text == "found True"


def test_the_session_ends_with_the_endpoint(database: Database) -> None:
    """Behind the yield of a generator of the request it is closed, and says so."""
    app = application(database)
    caught: list[str] = []

    async def late(
        db: Annotated[AsyncSession, Depends(get_db_dependency(database))],
    ) -> AsyncIterator[AsyncSession]:
        yield db
        with pytest.raises(InvalidRequestError, match="permanently closed") as error:
            await db.execute(select(1))
        caught.append(str(error.value))

    @app.get("/")
    async def endpoint(db: Annotated[AsyncSession, Depends(late)]) -> bool:
        return db.is_active

    with TestClient(app) as client:
        assert client.get("/").json() is True
    assert len(caught) == 1


def test_the_facade_has_it_too(database: Database) -> None:
    """``from shared.database import get_db_dependency``, as on the wish's page."""
    assert facade.get_db_dependency(database) is get_db_dependency(database)
