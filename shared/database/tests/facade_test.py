from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType

from shared import database


def test_all_is_what_is_public() -> None:
    """``__all__`` and the names one can import are the same."""
    public = {
        name
        for name, value in vars(database).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }

    assert set(database.__all__) == public


def test_the_snippets_of_the_wish_run() -> None:
    """The page's own lines, pasted."""
    program = """
from shared.database import get_db_session, BaseRepository
from shared.database import Base, UUIDKeyMixin
from sqlalchemy.orm import Mapped

class Subject(UUIDKeyMixin, Base):
    __tablename__ = "subject"
    name: Mapped[str]

# Sync usage
with get_db_session("subject-service") as db:
    # Use database session
    pass

# Repository pattern
class SubjectRepository(BaseRepository):
    def __init__(self, session):
        super().__init__(session, Subject)

with get_db_session("subject-service") as db:
    Base.metadata.create_all(db.connection())
    print(SubjectRepository(db).add(Subject(name="Math")).name)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "DATABASE_URL": "sqlite://",
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stderr, done.stdout) == ("", "Math\n")


def test_the_facade_has_no_glue() -> None:
    """Who only imports it pays for no framework and no driver."""
    heavy = {"fastapi", "starlette", "alembic", "cryptography", "asyncpg", "psycopg"}
    program = (
        f"import sys, shared.database; print(sorted({heavy!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "[]\n"
